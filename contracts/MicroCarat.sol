// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {IMicroCarat} from "./interfaces/IMicroCarat.sol";
import {Once} from "./libraries/Once.sol";

/// @title MicroCarat
/// @notice Points for green behaviour (碳普惠). One unit is one gram of CO2e; 1 micro-carat (微克拉) is 1,000 grams.
/// @dev Each epoch puts one Merkle-sum root on chain, so the cost does not grow with the people. Always: grams claimed
///      from an epoch <= its published total, because a proof carries the sums of everything beside it up to the total,
///      and a leaf names one person, whose claim of an epoch is taken once. The chain learns no act, only totals and claims.
contract MicroCarat is IMicroCarat, ERC20, AccessManaged, Once {
    struct Epoch {
        bytes32 root;
        bytes32 batchesRoot;
        uint128 totalG;
        uint32 people;
    }

    /// @notice Last published epoch; 0 before the first.
    uint64 public lastEpoch;

    mapping(uint64 epoch => Epoch) private _epochs;
    /// @dev 256 epochs a slot: a person's later claims cost a fifth of the first.
    mapping(address person => mapping(uint256 word => uint256 bits)) private _claims;
    mapping(address provider => bool) private _providers;

    constructor(address initialAuthority) ERC20("micro-carat", "MCT") AccessManaged(initialAuthority) {}

    /// @inheritdoc IMicroCarat
    function accreditProvider(address provider, bool accredited, bytes32 requestId) external restricted {
        bytes32 digest = keccak256(abi.encode(this.accreditProvider.selector, msg.sender, provider, accredited));
        if (!_once(requestId, digest)) return;
        _providers[provider] = accredited;
        emit ProviderAccredited(provider, accredited, requestId);
    }

    /// @inheritdoc IMicroCarat
    /// @dev The same epoch published again with the same content is a retry and does nothing.
    function publishEpoch(uint64 epoch, bytes32 root, uint256 totalG, uint32 people, bytes32 batchesRoot)
        external
        restricted
    {
        uint64 expected = lastEpoch + 1;
        if (epoch == 0 || epoch > expected) revert MicroCaratEpochOutOfOrder(expected, epoch);
        if (totalG > type(uint128).max) revert MicroCaratTotalTooLarge(epoch, totalG);
        Epoch storage stored = _epochs[epoch];
        if (epoch < expected) {
            bool same = stored.root == root && stored.totalG == totalG && stored.people == people
                && stored.batchesRoot == batchesRoot;
            if (same) return;
            revert MicroCaratEpochExists(epoch);
        }
        lastEpoch = epoch;
        stored.root = root;
        stored.batchesRoot = batchesRoot;
        stored.totalG = uint128(totalG);
        stored.people = people;
        emit EpochPublished(epoch, root, totalG, people, batchesRoot);
    }

    /// @inheritdoc IMicroCarat
    function claim(uint64 epoch, uint256 index, uint256 quantityG, SumNode[] calldata proof) external {
        if (epoch == 0 || epoch > lastEpoch) revert MicroCaratEpochUnknown(epoch);
        uint256 bit = 1 << (epoch & 0xff);
        uint256 bits = _claims[msg.sender][epoch >> 8];
        if (bits & bit != 0) revert MicroCaratAlreadyClaimed(epoch, msg.sender);
        if (!_proves(_epochs[epoch], epoch, index, msg.sender, quantityG, proof)) {
            revert MicroCaratProofInvalid(epoch, msg.sender, quantityG);
        }
        _claims[msg.sender][epoch >> 8] = bits | bit;
        _mint(msg.sender, quantityG);
        emit PointsClaimed(epoch, msg.sender, quantityG);
    }

    /// @inheritdoc IMicroCarat
    function redeem(uint256 quantityG, bytes32 rewardId, bytes32 requestId) external {
        if (!_onceBy(msg.sender, requestId, keccak256(abi.encode(this.redeem.selector, quantityG, rewardId)))) return;
        _burn(msg.sender, quantityG);
        emit PointsRedeemed(msg.sender, quantityG, rewardId, requestId);
    }

    /// @inheritdoc IMicroCarat
    function isProvider(address provider) external view returns (bool) {
        return _providers[provider];
    }

    function hasClaimed(uint64 epoch, address person) external view returns (bool) {
        return _claims[person][epoch >> 8] & (1 << (epoch & 0xff)) != 0;
    }

    /// @notice What was published for an epoch; zeros before.
    function epochOf(uint64 epoch)
        external
        view
        returns (bytes32 root, uint256 totalG, uint32 people, bytes32 batchesRoot)
    {
        Epoch storage stored = _epochs[epoch];
        return (stored.root, stored.totalG, stored.people, stored.batchesRoot);
    }

    /// @notice Three: shown in micro-carats, counted in grams.
    function decimals() public pure override returns (uint8) {
        return 3;
    }

    /// @dev Walks from the leaf to the root, adding sums. No sum may pass the total on the way, so none can overflow.
    function _proves(
        Epoch storage published,
        uint64 epoch,
        uint256 index,
        address person,
        uint256 quantityG,
        SumNode[] calldata proof
    ) private view returns (bool) {
        uint256 totalG = published.totalG;
        if (quantityG > totalG) return false;
        uint256 sumG = quantityG;
        bytes32 hash = keccak256(bytes.concat(keccak256(abi.encode(epoch, index, person, quantityG))));
        for (uint256 i = 0; i < proof.length; ++i) {
            SumNode calldata beside = proof[i];
            if (beside.sumG > totalG - sumG) return false;
            hash = index & 1 == 0
                ? keccak256(abi.encode(hash, sumG, beside.hash, beside.sumG))
                : keccak256(abi.encode(beside.hash, beside.sumG, hash, sumG));
            sumG += beside.sumG;
            index >>= 1;
        }
        return index == 0 && sumG == totalG && hash == published.root;
    }
}
