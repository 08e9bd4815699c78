// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Personal green-behaviour points (微克拉), in grams of CO2e (ERC-20, 3 decimals: 1 micro-carat = 1 kg).
/// @dev Merkle-sum tree: leaf = keccak256(bytes.concat(keccak256(abi.encode(epoch, index, person, grams)))),
///      node = keccak256(abi.encode(leftHash, leftSum, rightHash, rightSum)), sum = leftSum + rightSum.
///      Leaves are padded to a power of two with (hash 0, sum 0). Index bit i (from the lowest) says: right child at height i.
interface IMicroCarat {
    struct SumNode { bytes32 hash; uint256 sumG; }

    event ProviderAccredited(address indexed provider, bool accredited, bytes32 requestId);
    event EpochPublished(uint64 indexed epoch, bytes32 root, uint256 totalG, uint32 people, bytes32 batchesRoot);
    event PointsClaimed(uint64 indexed epoch, address indexed person, uint256 quantityG);
    event PointsRedeemed(address indexed person, uint256 quantityG, bytes32 indexed rewardId, bytes32 requestId);

    error MicroCaratEpochExists(uint64 epoch);
    error MicroCaratEpochOutOfOrder(uint64 expected, uint64 got);
    /// @notice Totals stay below 2^128 grams, so that sums cannot overflow.
    error MicroCaratTotalTooLarge(uint64 epoch, uint256 totalG);
    error MicroCaratEpochUnknown(uint64 epoch);
    error MicroCaratAlreadyClaimed(uint64 epoch, address person);
    error MicroCaratProofInvalid(uint64 epoch, address person, uint256 quantityG);

    function accreditProvider(address provider, bool accredited, bytes32 requestId) external;
    /// @notice Role POINTS: what everyone earned. `batchesRoot` is the Merkle root of the provider batches behind it. First epoch is 1.
    function publishEpoch(uint64 epoch, bytes32 root, uint256 totalG, uint32 people, bytes32 batchesRoot) external;
    /// @notice Mints `quantityG` to the caller, once an epoch, against a proof.
    function claim(uint64 epoch, uint256 index, uint256 quantityG, SumNode[] calldata proof) external;
    /// @notice Burns points for a reward, once a request.
    function redeem(uint256 quantityG, bytes32 rewardId, bytes32 requestId) external;
    function isProvider(address provider) external view returns (bool);
}
