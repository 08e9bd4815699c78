// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice A purse with three well-known faults, so that a test sees the search for faults find them.
contract Leaky {
    mapping(address owner => uint256) private _balances;

    receive() external payable {
        _balances[msg.sender] += msg.value;
    }

    /// @dev Pays before it writes: the receiver comes back for more.
    function leave() external {
        (bool paid,) = msg.sender.call{value: _balances[msg.sender]}("");
        require(paid, "unpaid");
        _balances[msg.sender] = 0;
    }

    /// @dev Anybody sends everything anywhere, and nobody asks whether it arrived.
    function empty(address payable to) external {
        to.send(address(this).balance);
    }
}
