// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Once
/// @notice Makes every act happen once: the client names it, the contract remembers what that name did.
abstract contract Once {
    /// @notice The id did something else before. `recorded` and `given` are digests of the arguments.
    error RequestIdReused(bytes32 requestId, bytes32 recorded, bytes32 given);
    error RequestIdZero();

    mapping(bytes32 requestId => bytes32 digest) private _done;

    /// @notice Remembers the act.
    /// @param digest Hash of everything the act depends on, its caller and name included.
    /// @return first False when the very same act was done before: then the caller returns without a change.
    function _once(bytes32 requestId, bytes32 digest) internal returns (bool first) {
        if (requestId == bytes32(0)) revert RequestIdZero();
        bytes32 recorded = _done[requestId];
        if (recorded == digest) return false;
        if (recorded != bytes32(0)) revert RequestIdReused(requestId, recorded, digest);
        _done[requestId] = digest;
        return true;
    }

    function isDone(bytes32 requestId) external view returns (bool) {
        return _done[requestId] != bytes32(0);
    }
}
