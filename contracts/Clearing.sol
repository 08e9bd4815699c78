// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IClearing} from "./interfaces/IClearing.sol";
import {Once} from "./libraries/Once.sol";

/// @title Clearing
/// @notice Trading accounts (tonnes and fen). Registry and exchange meet here and nowhere else.
/// @dev Always between epochs: of each unit and of cash, the sum of all trading balances == what this contract holds (both
///      tokens refuse to leave anything here without an id), and nobody is below zero.
///      Inside a half-applied epoch a balance may be below zero for a while, because a later chunk brings the other
///      leg: nothing leaves then, and the last chunk is refused unless everyone is back at zero or above.
///
///      Taking a chunk back restores exactly what was before it, the sums included. So, whoever took back how many
///      chunks, the next act is the same: the exchange goes on at (settledEpoch() + 1, chunksApplied()).
contract Clearing is IClearing, IERC1155Receiver, IERC1363Receiver, ERC165, AccessManaged, Once {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @inheritdoc IClearing
    uint64 public constant EXIT_TIMEOUT = 7 days;

    /// @dev One slot.
    struct Progress {
        uint64 settledEpoch;
        uint32 chunksApplied; // of epoch settledEpoch + 1
        uint32 chunks; // of epoch settledEpoch + 1, from its first chunk on
        uint32 belowZero; // balances below zero in the open epoch
        uint64 lastActAt; // when the exchange last settled or released, Unix seconds
    }

    /// @dev What an open epoch carries from one chunk to the next.
    struct Sums {
        uint256 unitId;
        int256 unitsT;
        int256 cashFen;
    }

    IERC1155 public immutable ledger;
    IERC20 public immutable cash;

    Progress private _progress;
    /// @dev Of the open epoch, after its first n chunks; written by chunk n - 1, and of no meaning beyond chunksApplied.
    mapping(uint32 n => Sums) private _openSums;
    mapping(address account => mapping(uint256 unitId => int256)) private _units;
    mapping(address account => int256) private _cash;
    mapping(uint64 epoch => bytes32) private _tapeRoots;
    mapping(uint64 epoch => mapping(uint32 chunk => bytes32 digest)) private _chunkDigests;
    mapping(address account => uint64) private _exitRequestedAt;
    /// @dev Apart from the deposits' ids: a deposit must not be able to block a withdrawal.
    mapping(address account => mapping(bytes32 requestId => bytes32 digest)) private _released;

    constructor(address initialAuthority, IERC1155 ledger_, IERC20 cash_) AccessManaged(initialAuthority) {
        ledger = ledger_;
        cash = cash_;
    }

    // Deposits: the transfer itself, so that nothing needs an approval.

    /// @inheritdoc IERC1155Receiver
    function onERC1155Received(address, address from, uint256 unitId, uint256 quantityT, bytes calldata data)
        external
        returns (bytes4)
    {
        if (msg.sender != address(ledger)) revert ClearingUnknownAsset(msg.sender);
        bytes32 requestId = _requestIdIn(data);
        _onceOnly(from, requestId, keccak256(abi.encode(unitId, quantityT)));
        _creditUnits(from, unitId, quantityT);
        emit UnitsDeposited(from, unitId, quantityT, requestId);
        return this.onERC1155Received.selector;
    }

    /// @notice Refused: one deposit, one unit, one id.
    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        pure
        returns (bytes4)
    {
        revert ClearingRequestIdMissing();
    }

    /// @inheritdoc IERC1363Receiver
    function onTransferReceived(address, address from, uint256 amountFen, bytes calldata data)
        external
        returns (bytes4)
    {
        if (msg.sender != address(cash)) revert ClearingUnknownAsset(msg.sender);
        if (amountFen == 0) revert ClearingZeroAmount();
        bytes32 requestId = _requestIdIn(data);
        _onceOnly(from, requestId, keccak256(abi.encode(uint256(0), amountFen)));
        _creditCash(from, amountFen);
        emit CashDeposited(from, amountFen, requestId);
        return this.onTransferReceived.selector;
    }

    // Settlement

    /// @inheritdoc IClearing
    function settle(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas)
        external
        restricted
    {
        Progress memory progress = _progress;
        if (_isRetry(progress, epoch, chunk, tapeRoot)) return;
        if (chunk != progress.chunksApplied || chunk >= chunks) {
            revert ClearingChunkOutOfOrder(epoch, progress.chunksApplied, chunk);
        }
        if (chunk == 0) {
            _tapeRoots[epoch] = tapeRoot;
            progress.chunks = chunks;
        } else {
            _requireSameEpoch(progress, epoch, chunks, tapeRoot);
        }
        Sums memory sums = chunk == 0 ? Sums(0, 0, 0) : _openSums[chunk];
        _chunkDigests[epoch][chunk] = keccak256(msg.data[4:]);
        _apply(progress, sums, epoch, deltas);
        progress.lastActAt = uint64(block.timestamp);
        progress.chunksApplied = chunk + 1;
        if (progress.chunksApplied == chunks) {
            _requireBalanced(sums, epoch, sums.cashFen);
            if (progress.belowZero != 0) _refuseBelowZero(epoch, progress.belowZero, deltas);
            progress.settledEpoch = epoch;
            progress.chunksApplied = 0;
            progress.chunks = 0;
            emit EpochSettled(epoch, tapeRoot, chunks);
        } else {
            _openSums[chunk + 1] = sums;
        }
        _progress = progress;
    }

    /// @inheritdoc IClearing
    function unwind(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas)
        external
        restricted
    {
        _unwind(epoch, chunk, chunks, tapeRoot, deltas);
        _progress.lastActAt = uint64(block.timestamp);
    }

    /// @inheritdoc IClearing
    function unwindAbandoned(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas)
        external
    {
        uint64 dueAt = _progress.lastActAt + EXIT_TIMEOUT;
        if (block.timestamp < dueAt) revert ClearingExitNotDue(msg.sender, dueAt, block.timestamp);
        _unwind(epoch, chunk, chunks, tapeRoot, deltas);
    }

    // Ways out

    /// @inheritdoc IClearing
    function release(Withdrawal[] calldata withdrawals) external restricted {
        _requireClosed();
        _progress.lastActAt = uint64(block.timestamp);
        for (uint256 i = 0; i < withdrawals.length; ++i) {
            Withdrawal memory asked = withdrawals[i];
            bytes32 digest = keccak256(abi.encode(asked.unitId, asked.amount));
            if (!_onceReleased(asked.account, asked.requestId, digest)) continue;
            if (asked.unitId == 0) _payCash(asked.account, asked.amount, asked.requestId);
            else _payUnits(asked.account, asked.unitId, asked.amount, asked.requestId);
        }
    }

    /// @inheritdoc IClearing
    function requestExit() external {
        uint64 asked = _exitRequestedAt[msg.sender];
        if (asked != 0 && asked >= _progress.lastActAt) return; // still waiting
        _exitRequestedAt[msg.sender] = uint64(block.timestamp);
        emit ExitRequested(msg.sender, uint64(block.timestamp));
    }

    /// @inheritdoc IClearing
    function exit(uint256[] calldata unitIds) external {
        uint64 dueAt = exitDueAt(msg.sender);
        if (dueAt == 0 || block.timestamp < dueAt) revert ClearingExitNotDue(msg.sender, dueAt, block.timestamp);
        _requireClosed();
        int256 balanceFen = _cash[msg.sender];
        if (balanceFen > 0) _payCash(msg.sender, uint256(balanceFen), bytes32(0));
        for (uint256 i = 0; i < unitIds.length; ++i) {
            int256 balanceT = _units[msg.sender][unitIds[i]];
            if (balanceT > 0) _payUnits(msg.sender, unitIds[i], uint256(balanceT), bytes32(0));
        }
    }

    // Views

    /// @inheritdoc IClearing
    function unitsOf(address account, uint256 unitId) external view returns (uint256) {
        return _atLeastZero(_units[account][unitId]);
    }

    /// @inheritdoc IClearing
    function cashOf(address account) external view returns (uint256) {
        return _atLeastZero(_cash[account]);
    }

    /// @inheritdoc IClearing
    function isReleased(address account, bytes32 requestId) external view returns (bool) {
        return _released[account][requestId] != bytes32(0);
    }

    /// @inheritdoc IClearing
    function settledEpoch() external view returns (uint64) {
        return _progress.settledEpoch;
    }

    /// @inheritdoc IClearing
    function tapeRootOf(uint64 epoch) external view returns (bytes32) {
        return _tapeRoots[epoch];
    }

    /// @inheritdoc IClearing
    function chunksApplied() external view returns (uint32) {
        return _progress.chunksApplied;
    }

    /// @inheritdoc IClearing
    function exitDueAt(address account) public view returns (uint64) {
        uint64 asked = _exitRequestedAt[account];
        if (asked == 0) return 0;
        uint64 acted = _progress.lastActAt;
        return (asked > acted ? asked : acted) + EXIT_TIMEOUT;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override(ERC165, IERC165) returns (bool) {
        return interfaceId == type(IERC1155Receiver).interfaceId || interfaceId == type(IERC1363Receiver).interfaceId
            || super.supportsInterface(interfaceId);
    }

    // How it is done

    /// @dev True for a chunk that was applied before with the same content. Refuses what contradicts the record.
    function _isRetry(Progress memory progress, uint64 epoch, uint32 chunk, bytes32 tapeRoot)
        private
        view
        returns (bool)
    {
        uint64 expected = progress.settledEpoch + 1;
        if (epoch == 0 || epoch > expected) revert ClearingEpochOutOfOrder(expected, epoch);
        if (epoch == expected && chunk >= progress.chunksApplied) return false;
        bytes32 root = _tapeRoots[epoch];
        if (root != tapeRoot) revert ClearingEpochConflict(epoch, root, tapeRoot);
        bytes32 recorded = _chunkDigests[epoch][chunk];
        bytes32 given = keccak256(msg.data[4:]);
        if (recorded != given) revert ClearingChunkConflict(epoch, chunk, recorded, given);
        return true;
    }

    function _requireSameEpoch(Progress memory progress, uint64 epoch, uint32 chunks, bytes32 tapeRoot) private view {
        bytes32 root = _tapeRoots[epoch];
        if (root != tapeRoot) revert ClearingEpochConflict(epoch, root, tapeRoot);
        if (progress.chunks != chunks) revert ClearingChunkCountChanged(epoch, progress.chunks, chunks);
    }

    /// @dev Moves the balances; leaves in `sums` what is open after the last delta and counts in `progress` who is short.
    function _apply(Progress memory progress, Sums memory sums, uint64 epoch, Delta[] calldata deltas) private {
        for (uint256 i = 0; i < deltas.length; ++i) {
            Delta memory delta = deltas[i]; // checked once, not at each use
            _requirePossible(epoch, delta);
            if (delta.unitId != sums.unitId) {
                if (delta.unitId < sums.unitId) revert ClearingDeltasUnordered(epoch, sums.unitId, delta.unitId);
                _requireBalanced(sums, epoch, 0);
                sums.unitId = delta.unitId;
            }
            sums.unitsT += delta.quantityT;
            sums.cashFen += delta.cashFen;
            _move(progress, delta.account, delta.unitId, delta.quantityT, delta.cashFen);
            emit AccountSettled(epoch, delta.account, delta.unitId, delta.quantityT, delta.cashFen);
        }
    }

    /// @dev Unit 0 is cash and has no tonnes. The least int128 has no opposite: it could be applied and never taken back.
    function _requirePossible(uint64 epoch, Delta memory delta) private pure {
        bool impossible = delta.quantityT == type(int128).min || delta.cashFen == type(int128).min
            || (delta.unitId == 0 && delta.quantityT != 0);
        if (impossible) revert ClearingDeltaImpossible(epoch, delta.account, delta.unitId);
    }

    function _move(Progress memory progress, address account, uint256 unitId, int256 quantityT, int256 cashFen)
        private
    {
        if (quantityT != 0) {
            int256 beforeT = _units[account][unitId];
            _units[account][unitId] = beforeT + quantityT;
            _count(progress, beforeT, beforeT + quantityT);
        }
        if (cashFen != 0) {
            int256 beforeFen = _cash[account];
            _cash[account] = beforeFen + cashFen;
            _count(progress, beforeFen, beforeFen + cashFen);
        }
    }

    /// @dev Keeps the number of balances below zero.
    function _count(Progress memory progress, int256 before, int256 afterwards) private pure {
        if ((before < 0) == (afterwards < 0)) return;
        if (afterwards < 0) ++progress.belowZero;
        else --progress.belowZero;
    }

    /// @dev The last applied chunk backwards, on the evidence of its own content. The sums need nothing: those of the chunks
    ///      before are still there. When none is left the epoch was never.
    function _unwind(uint64 epoch, uint32 chunk, uint32 chunks, bytes32 tapeRoot, Delta[] calldata deltas)
        private
    {
        Progress memory progress = _progress;
        if (epoch != progress.settledEpoch + 1) revert ClearingEpochOutOfOrder(progress.settledEpoch + 1, epoch);
        if (uint256(chunk) + 1 != progress.chunksApplied) revert ClearingChunkOutOfOrder(epoch, progress.chunksApplied, chunk);
        _requireSameEpoch(progress, epoch, chunks, tapeRoot);
        bytes32 recorded = _chunkDigests[epoch][chunk];
        bytes32 given = keccak256(msg.data[4:]);
        if (recorded != given) revert ClearingChunkConflict(epoch, chunk, recorded, given);
        delete _chunkDigests[epoch][chunk];
        for (uint256 i = 0; i < deltas.length; ++i) {
            Delta memory delta = deltas[i];
            _move(progress, delta.account, delta.unitId, -int256(delta.quantityT), -int256(delta.cashFen));
            emit AccountSettled(epoch, delta.account, delta.unitId, -delta.quantityT, -delta.cashFen);
        }
        progress.chunksApplied = chunk;
        if (chunk == 0) {
            progress.chunks = 0;
            delete _tapeRoots[epoch];
        }
        _progress = progress;
        emit EpochUnwound(epoch, chunk);
    }

    function _requireBalanced(Sums memory sums, uint64 epoch, int256 cashFen) private pure {
        if (sums.unitsT != 0) revert ClearingUnbalanced(epoch, sums.unitId, sums.unitsT);
        if (cashFen != 0) revert ClearingUnbalanced(epoch, 0, cashFen);
    }

    /// @dev Names the account, where it is in the last chunk; otherwise says how many there are.
    function _refuseBelowZero(uint64 epoch, uint32 count, Delta[] calldata deltas) private view {
        for (uint256 i = 0; i < deltas.length; ++i) {
            Delta calldata delta = deltas[i];
            int256 balanceT = _units[delta.account][delta.unitId];
            if (balanceT < 0) {
                revert ClearingInsufficientUnits(delta.account, delta.unitId, 0, uint256(-balanceT));
            }
            int256 balanceFen = _cash[delta.account];
            if (balanceFen < 0) revert ClearingInsufficientCash(delta.account, 0, uint256(-balanceFen));
        }
        revert ClearingAccountsBelowZero(epoch, count);
    }

    /// @dev As `_onceBy`, among the account's withdrawals.
    function _onceReleased(address account, bytes32 requestId, bytes32 digest) private returns (bool first) {
        if (requestId == bytes32(0)) revert RequestIdZero();
        bytes32 recorded = _released[account][requestId];
        if (recorded == digest) return false;
        if (recorded != bytes32(0)) revert RequestIdReused(requestId, recorded, digest);
        _released[account][requestId] = digest;
        return true;
    }

    function _requireClosed() private view {
        if (_progress.chunksApplied != 0) revert ClearingEpochOpen(_progress.settledEpoch + 1);
    }

    function _creditUnits(address account, uint256 unitId, uint256 quantityT) private {
        int256 balanceT = _units[account][unitId];
        int256 newT = balanceT + quantityT.toInt256();
        _units[account][unitId] = newT;
        if (balanceT < 0 && newT >= 0) --_progress.belowZero;
    }

    function _creditCash(address account, uint256 amountFen) private {
        int256 balanceFen = _cash[account];
        int256 newFen = balanceFen + amountFen.toInt256();
        _cash[account] = newFen;
        if (balanceFen < 0 && newFen >= 0) --_progress.belowZero;
    }

    /// @dev Closed is asked at each payment: the receiver of the one before was called, and might have opened an epoch.
    function _payUnits(address account, uint256 unitId, uint256 quantityT, bytes32 requestId) private {
        _requireClosed();
        uint256 balanceT = _atLeastZero(_units[account][unitId]);
        if (balanceT < quantityT) revert ClearingInsufficientUnits(account, unitId, balanceT, quantityT);
        _units[account][unitId] = int256(balanceT - quantityT);
        emit UnitsWithdrawn(account, unitId, quantityT, requestId);
        ledger.safeTransferFrom(address(this), account, unitId, quantityT, "");
    }

    /// @dev As in `_payUnits`.
    function _payCash(address account, uint256 amountFen, bytes32 requestId) private {
        _requireClosed();
        if (amountFen == 0) revert ClearingZeroAmount();
        uint256 balanceFen = _atLeastZero(_cash[account]);
        if (balanceFen < amountFen) revert ClearingInsufficientCash(account, balanceFen, amountFen);
        _cash[account] = int256(balanceFen - amountFen);
        emit CashWithdrawn(account, amountFen, requestId);
        cash.safeTransfer(account, amountFen);
    }

    /// @dev Deposits carry exactly `abi.encode(requestId)`.
    function _requestIdIn(bytes calldata data) private pure returns (bytes32) {
        if (data.length != 32) revert ClearingRequestIdMissing();
        return bytes32(data);
    }

    function _atLeastZero(int256 balance) private pure returns (uint256) {
        return balance > 0 ? uint256(balance) : 0;
    }
}
