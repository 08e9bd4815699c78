// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Counts up to ten, and refuses in every way that brownie has words for.
contract Counter {
    error CounterTooHigh(uint256 wanted, uint256 most);

    event Counted(address indexed by, uint256 count);

    uint256 public count;

    function add(uint256 steps) external returns (uint256) {
        if (count + steps > 10) revert CounterTooHigh(count + steps, 10);
        require(steps != 0, "nothing to add");
        count += steps;
        emit Counted(msg.sender, count);
        return count;
    }

    function fail() external pure {
        assert(false);
    }

    function unused() external view returns (uint256) {
        if (count > 5) return 1;
        return 2;
    }
}
