// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice An account that is a contract, in the hands of whoever calls it: for tests only.
/// @dev It acts as a holder, answers signatures, and when something arrives it does what it was armed to do: calls back into
///      whatever it likes, answers wrongly, or refuses. The model of it is `puppet.py`.
contract Puppet {
    /// @param must A refused step ends the whole.
    struct Step { address target; bytes data; bool must; }
    enum Answer { Right, Wrong, Refuse, Silent }

    error PuppetRefuses();

    Answer private _answer;
    Step[] private _steps;

    /// @notice Do this at the next arrival, once.
    function arm(Answer answer, Step[] calldata steps) external {
        delete _steps;
        _answer = answer;
        for (uint256 i = 0; i < steps.length; ++i) _steps.push(steps[i]);
    }

    /// @notice Do this now, as this account.
    function perform(Step[] calldata steps) external {
        for (uint256 i = 0; i < steps.length; ++i) _do(steps[i]);
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external returns (bytes4) {
        return _react(this.onERC1155Received.selector);
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        returns (bytes4)
    {
        return _react(this.onERC1155BatchReceived.selector);
    }

    function onTransferReceived(address, address, uint256, bytes calldata) external returns (bytes4) {
        return _react(this.onTransferReceived.selector);
    }

    function onApprovalReceived(address, uint256, bytes calldata) external returns (bytes4) {
        return _react(this.onApprovalReceived.selector);
    }

    /// @notice ERC-1271: this account's signature of a hash is the hash.
    function isValidSignature(bytes32 hash, bytes calldata signature) external pure returns (bytes4) {
        bool valid = signature.length == 32 && bytes32(signature) == hash;
        return valid ? bytes4(0x1626ba7e) : bytes4(0);
    }

    function _react(bytes4 right) private returns (bytes4) {
        Step[] memory steps = _steps;
        Answer answer = _answer;
        delete _steps;
        _answer = Answer.Right;
        for (uint256 i = 0; i < steps.length; ++i) _do(steps[i]);
        if (answer == Answer.Refuse) revert PuppetRefuses();
        if (answer == Answer.Silent) revert();
        return answer == Answer.Wrong ? bytes4(0xdeadbeef) : right;
    }

    function _do(Step memory step) private {
        (bool done, bytes memory data) = step.target.call(step.data);
        if (done || !step.must) return;
        assembly ("memory-safe") {
            revert(add(data, 0x20), mload(data))
        }
    }
}
