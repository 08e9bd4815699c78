// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Once
/// @notice Makes every act happen once: the client names it, the contract remembers what that name did.
/// @dev An act of an office (a role) has an id of its own in the whole contract. An act of a holder (surrender, deposit,
///      redeem ...) has its id within that holder's acts, so that nobody can use up the id of somebody else by sending
///      it first: two holders may use one id, and a reader keys such acts by (holder, id). Signed statements, and what is
///      issued for them, are held by the contract that takes them: a verifier cannot use up the id of an office's act.
abstract contract Once {
    /// @notice The id did something else before. `recorded` and `given` are digests of the arguments.
    error RequestIdReused(bytes32 requestId, bytes32 recorded, bytes32 given);
    error RequestIdZero();

    /// @dev Holder zero: the acts of offices.
    mapping(address holder => mapping(bytes32 requestId => bytes32 digest)) private _done;

    /// @notice Did an office's act with this id happen?
    function isDone(bytes32 requestId) external view returns (bool) {
        return _done[address(0)][requestId] != bytes32(0);
    }

    /// @notice Did this holder's act with this id happen?
    function isDoneBy(address holder, bytes32 requestId) external view returns (bool) {
        return _done[holder][requestId] != bytes32(0);
    }

    /// @notice Remembers an office's act.
    /// @param digest Hash of everything the act depends on, its name and (unless anyone may bring it) its caller included.
    /// @return first False when the very same act was done before: then the caller returns without a change.
    function _once(bytes32 requestId, bytes32 digest) internal returns (bool first) {
        return _onceBy(address(0), requestId, digest);
    }

    /// @notice Remembers an act of `holder`.
    function _onceBy(address holder, bytes32 requestId, bytes32 digest) internal returns (bool first) {
        if (requestId == bytes32(0)) revert RequestIdZero();
        mapping(bytes32 => bytes32) storage done = _done[holder];
        bytes32 recorded = done[requestId];
        if (recorded == digest) return false;
        if (recorded != bytes32(0)) revert RequestIdReused(requestId, recorded, digest);
        done[requestId] = digest;
        return true;
    }

    /// @notice Remembers an act of `holder` that moved something before it was asked (a transfer's hook): a repetition
    ///         is refused, because passing it over would keep what the repetition moved.
    function _onceOnly(address holder, bytes32 requestId, bytes32 digest) internal {
        if (!_onceBy(holder, requestId, digest)) revert RequestIdReused(requestId, digest, digest);
    }

    function _wasDoneBy(address holder, bytes32 requestId) internal view returns (bool) {
        return _done[holder][requestId] != bytes32(0);
    }
}
