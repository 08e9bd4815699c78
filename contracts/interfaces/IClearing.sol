// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Trading accounts. The one place where registry and exchange meet.
/// @dev Units come in by ERC-1155 `safeTransferFrom(owner, clearing, unitId, quantity, abi.encode(requestId))`, cash by
///      ERC-1363 `transferAndCall(clearing, amount, abi.encode(requestId))`. They leave only to the account that owns them.
interface IClearing {
    /// @notice What one account gains (+) or gives (-) of one unit, with the cash that goes the other way.
    struct Delta { address account; uint256 unitId; int128 quantityT; int128 cashFen; }
    /// @param unitId 0 means cash; then `amount` is fen.
    struct Withdrawal { address account; uint256 unitId; uint256 amount; bytes32 requestId; }

    event UnitsDeposited(address indexed account, uint256 indexed unitId, uint256 quantityT, bytes32 requestId);
    event CashDeposited(address indexed account, uint256 amountFen, bytes32 requestId);
    event AccountSettled(uint64 indexed epoch, address indexed account, uint256 indexed unitId, int128 quantityT, int128 cashFen);
    event EpochSettled(uint64 indexed epoch, bytes32 tapeRoot, uint32 chunks);
    event UnitsWithdrawn(address indexed account, uint256 indexed unitId, uint256 quantityT, bytes32 requestId);
    event CashWithdrawn(address indexed account, uint256 amountFen, bytes32 requestId);
    event ExitRequested(address indexed account, uint64 at);
    /// @notice The last applied chunk of the open epoch was taken back; `AccountSettled` says it with opposite signs.
    event EpochUnwound(uint64 indexed epoch, uint32 chunksLeft);

    error ClearingUnknownAsset(address token);
    /// @notice A deposit carries exactly `abi.encode(requestId)`, and one unit at a time.
    error ClearingRequestIdMissing();
    error ClearingZeroAmount();
    /// @notice In `settle`: the balance would end `neededT` below zero (`balanceT` is then 0).
    error ClearingInsufficientUnits(address account, uint256 unitId, uint256 balanceT, uint256 neededT);
    error ClearingInsufficientCash(address account, uint256 balanceFen, uint256 neededFen);
    /// @notice Balances below zero at the end of an epoch, none of them in its last chunk.
    error ClearingAccountsBelowZero(uint64 epoch, uint32 count);
    /// @notice The sum is not zero; unit 0 is cash.
    error ClearingUnbalanced(uint64 epoch, uint256 unitId, int256 sum);
    /// @notice Epochs settle in order, each once; a chunk already applied with the same root is a retry and does nothing.
    error ClearingEpochOutOfOrder(uint64 expected, uint64 got);
    error ClearingChunkOutOfOrder(uint64 epoch, uint32 expected, uint32 got);
    error ClearingEpochConflict(uint64 epoch, bytes32 recorded, bytes32 given);
    /// @notice The chunk was applied with other content; `recorded` and `given` are hashes of the arguments.
    error ClearingChunkConflict(uint64 epoch, uint32 chunk, bytes32 recorded, bytes32 given);
    error ClearingChunkCountChanged(uint64 epoch, uint32 recorded, uint32 given);
    error ClearingDeltasUnordered(uint64 epoch, uint256 unitId, uint256 nextUnitId);
    /// @notice Tonnes of unit 0, which is cash; or -2^127, which has no opposite and could never be taken back.
    error ClearingDeltaImpossible(uint64 epoch, address account, uint256 unitId);
    /// @notice A chunked epoch is half applied: nothing leaves until its sums close at zero.
    error ClearingEpochOpen(uint64 epoch);
    error ClearingExitNotDue(address account, uint64 dueAt, uint256 nowUtc);

    /// @notice Applies chunk `chunk` of `chunks` of an epoch. (role EXCHANGE)
    /// @dev Epochs count from 1, chunks from 0: the next is (settledEpoch() + 1, chunksApplied()). One chunk is the rule.
    ///
    ///      Deltas are ordered by unitId, not falling, over the whole epoch: a unit may go on from one chunk to the next,
    ///      but once a higher unit has begun the lower one is closed, and its sum must be zero. The cash sum must be zero
    ///      at the end of the last chunk. A delta with unitId 0 and quantity 0 moves cash only; it comes first.
    ///
    ///      An account may appear more than once, also for one unit. Its balances are looked at when the last chunk has
    ///      been applied, not before: in between they may be below zero, so a sale may pay for a purchase of the
    ///      same epoch, in whatever order the two come. At the end nobody is below zero, else the last chunk is refused.
    ///
    ///      A chunk that was applied before with the same arguments does nothing; with another root it is refused
    ///      (ClearingEpochConflict), with other deltas or count too (ClearingChunkConflict).
    function settle(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas) external;
    /// @notice Takes back the last applied chunk of the open epoch; same arguments as in `settle`. (role EXCHANGE)
    /// @dev The last first, one at a time, as many as one likes; what is left is as if the later chunks never came. `settle`
    ///      goes on at chunksApplied() under the same root and count, with the same content or another; when no chunk
    ///      is left the epoch may be settled under another root.
    function unwind(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas) external;
    /// @notice The same by anyone, when the exchange left an epoch half applied and was silent for EXIT_TIMEOUT. The exchange
    ///         may come back at any chunk and settle on; from then on it has EXIT_TIMEOUT again.
    function unwindAbandoned(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas)
        external;
    /// @notice Pushes balances to their owners' registry accounts. A withdrawal done before is passed over; one id with
    ///         other content is refused. All or none. (role EXCHANGE)
    function release(Withdrawal[] calldata withdrawals) external;
    /// @notice Asks for the forced exit. Asked again while the wait runs, it does nothing.
    function requestExit() external;
    /// @notice When the exchange was silent (no settle, no release) for EXIT_TIMEOUT since the request: the caller takes all
    ///         own cash and all of these units. The events carry request id 0.
    function exit(uint256[] calldata unitIds) external;

    /// @notice Seconds of silence before a forced exit.
    function EXIT_TIMEOUT() external view returns (uint64);
    /// @notice When `account` may exit if the exchange stays silent, Unix seconds; 0 when it has not asked.
    function exitDueAt(address account) external view returns (uint64);
    /// @notice Balances of the trading account; one that is below zero inside an open epoch shows as 0.
    function unitsOf(address account, uint256 unitId) external view returns (uint256);
    function cashOf(address account) external view returns (uint256);
    /// @notice Was this withdrawal released? Withdrawals and deposits have their ids apart (`isDoneBy` tells of deposits).
    function isReleased(address account, bytes32 requestId) external view returns (bool);
    /// @notice Last epoch fully settled; 0 before the first.
    function settledEpoch() external view returns (uint64);
    function tapeRootOf(uint64 epoch) external view returns (bytes32);
    /// @notice Chunks of epoch `settledEpoch + 1` already applied.
    function chunksApplied() external view returns (uint32);
}
