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

    error ClearingUnknownAsset(address token);
    error ClearingRequestIdMissing();
    error ClearingInsufficientUnits(address account, uint256 unitId, uint256 balanceT, uint256 neededT);
    error ClearingInsufficientCash(address account, uint256 balanceFen, uint256 neededFen);
    error ClearingUnbalanced(uint64 epoch, uint256 unitId, int256 sum);
    /// @notice Epochs settle in order, each once; a chunk already applied with the same root is a retry and does nothing.
    error ClearingEpochOutOfOrder(uint64 expected, uint64 got);
    error ClearingChunkOutOfOrder(uint64 epoch, uint32 expected, uint32 got);
    error ClearingEpochConflict(uint64 epoch, bytes32 recorded, bytes32 given);
    /// @notice A chunked epoch is half applied: nothing leaves until its sums close at zero.
    error ClearingEpochOpen(uint64 epoch);
    error ClearingExitNotDue(address account, uint64 dueAt, uint256 nowUtc);

    /// @notice Chunk `chunk` of `chunks` of an epoch; the last one requires every unit's and the cash sum to be zero. (role EXCHANGE)
    /// @dev First epoch is 1. Deltas are ordered by unitId. Retried chunks are no-ops; a retry with another root is refused.
    function settle(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas) external;
    /// @notice Pushes balances to their owners' registry accounts (role EXCHANGE). A withdrawal done before is passed over.
    function release(Withdrawal[] calldata withdrawals) external;
    /// @notice When the exchange is silent: ask, wait EXIT_TIMEOUT without any settle or release by the exchange, take everything.
    function requestExit() external;
    function exit(uint256[] calldata unitIds) external;

    function unitsOf(address account, uint256 unitId) external view returns (uint256);
    function cashOf(address account) external view returns (uint256);
    /// @notice Last epoch fully settled; 0 before the first.
    function settledEpoch() external view returns (uint64);
    function tapeRootOf(uint64 epoch) external view returns (bytes32);
    /// @notice Chunks of epoch `settledEpoch + 1` already applied.
    function chunksApplied() external view returns (uint32);
}
