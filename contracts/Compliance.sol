// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ICarbonLedger} from "./interfaces/ICarbonLedger.sol";
import {ICompliance} from "./interfaces/ICompliance.sol";
import {Once} from "./libraries/Once.sol";
import {UnitId} from "./libraries/UnitId.sol";

/// @title Compliance
/// @notice What each entity owes for a period, what it has surrendered, and who defaulted.
/// @dev Holds no tonne. For each period, always: allocated <= cap. For each entity and period, always:
///      offsets <= due * offsetCapPpm / 1,000,000 (rounded down), and, unless the period is cumulative, surrendered <= due.
///
///      Cumulative periods are published in rising order with rising deadlines. They are assessed per entity in that
///      order: assessing one first assesses the earlier ones that nobody asked for. So the running sums of a period hold
///      exactly the periods up to it, however late it is assessed, and cost one slot per entity.
contract Compliance is ICompliance, AccessManaged, Once {
    using SafeCast for uint256;

    uint256 private constant PPM = 1_000_000;

    /// @dev Two slots.
    struct Period {
        uint64 deadline;
        uint32 offsetCapPpm;
        uint32 penaltyMultiple;
        bool cumulative;
        uint16 position; // in `_cumulativePeriods`, for a cumulative one
        uint96 referencePriceFen; // 0: not published yet
        uint128 capT;
        uint128 allocatedT;
    }

    /// @dev Two slots; the second is written for a default only.
    struct Entry {
        uint80 dueT;
        uint80 surrenderedT;
        uint80 offsetsT;
        bool verified;
        bool assessed; // not used by cumulative periods: see `Running.next`
        uint80 shortfallT;
        uint176 penaltyFen;
    }

    /// @dev One slot: an entity's sums over its assessed cumulative periods.
    struct Running {
        uint16 next; // position of the first cumulative period not assessed yet
        uint112 dueT;
        uint112 surrenderedT;
    }

    ICarbonLedger public immutable ledger;

    uint16[] private _cumulativePeriods;
    mapping(uint16 period => Period) private _periods;
    mapping(address entity => mapping(uint16 period => Entry)) private _entries;
    mapping(address entity => Running) private _running;

    constructor(address initialAuthority, ICarbonLedger ledger_) AccessManaged(initialAuthority) {
        ledger = ledger_;
    }

    /// @inheritdoc ICompliance
    /// @dev The same rules published again are a retry and do nothing.
    function publishPeriod(PeriodRules calldata rules) external restricted {
        Period storage period = _periods[rules.period];
        if (period.deadline != 0) {
            if (keccak256(abi.encode(rules)) == keccak256(abi.encode(_rulesOf(rules.period)))) return;
            revert CompliancePeriodExists(rules.period);
        }
        bool invalid = rules.period == 0 || rules.deadline == 0 || rules.offsetCapPpm > PPM
            || rules.capT > type(uint128).max;
        if (invalid) revert ComplianceRulesInvalid(rules.period);
        if (rules.cumulative) period.position = _appendCumulative(rules);
        period.deadline = rules.deadline;
        period.offsetCapPpm = rules.offsetCapPpm;
        period.penaltyMultiple = rules.penaltyMultiple;
        period.cumulative = rules.cumulative;
        period.capT = uint128(rules.capT);
        emit PeriodPublished(
            rules.period, rules.deadline, rules.capT, rules.offsetCapPpm, rules.penaltyMultiple, rules.cumulative
        );
    }

    /// @inheritdoc ICompliance
    function allocate(uint16 period, Allocation[] calldata allocations, bytes32 requestId) external restricted {
        bytes32 digest = keccak256(abi.encode(this.allocate.selector, msg.sender, period, allocations));
        if (!_once(requestId, digest)) return;
        Period storage stored = _published(period);
        (uint256 capT, uint256 beforeT, uint256 totalT) = (stored.capT, stored.allocatedT, 0);
        ICarbonLedger.Issue[] memory issues = new ICarbonLedger.Issue[](allocations.length);
        for (uint256 i = 0; i < allocations.length; ++i) {
            Allocation memory given = allocations[i];
            // No overflow: allocated + total <= cap before each step.
            if (given.quantityT > capT - beforeT - totalT) {
                revert ComplianceCapExceeded(period, capT, beforeT + totalT, given.quantityT);
            }
            totalT += given.quantityT;
            issues[i] = ICarbonLedger.Issue(given.entity, given.quantityT);
            emit AllowancesAllocated(period, given.entity, given.quantityT, requestId);
        }
        stored.allocatedT = uint128(beforeT + totalT);
        ledger.issue(UnitId.allowance(period), issues, requestId);
    }

    /// @inheritdoc ICompliance
    /// @dev Taken also after the deadline, until the period is assessed for the entity.
    function recordVerified(address entity, uint16 period, uint256 verifiedT) external restricted {
        Period storage rules = _published(period);
        Entry storage entry = _entries[entity][period];
        if (entry.verified) revert ComplianceAlreadyRecorded(entity, period, entry.dueT);
        if (rules.cumulative && _running[entity].next > rules.position) {
            revert ComplianceAlreadyAssessed(entity, period);
        }
        entry.dueT = verifiedT.toUint80();
        entry.verified = true;
        emit ObligationRecorded(entity, period, verifiedT);
    }

    /// @inheritdoc ICompliance
    /// @dev In order of precedence: retry, period, deadline, vintage, obligation, amount due, offset cap, holding.
    function surrender(uint16 period, uint256 unitId, uint256 quantityT, bytes32 requestId) external {
        bytes32 digest = keccak256(abi.encode(this.surrender.selector, period, unitId, quantityT));
        if (!_onceBy(msg.sender, requestId, digest)) return;
        Period storage rules = _published(period);
        if (block.timestamp > rules.deadline) {
            revert ComplianceDeadlinePassed(period, rules.deadline, block.timestamp);
        }
        uint16 vintage = UnitId.vintage_(unitId);
        if (vintage > period) revert ComplianceVintageAhead(period, vintage); // borrowing is prohibited
        Entry storage entry = _entries[msg.sender][period];
        if (!rules.cumulative) _requireOutstanding(entry, period, quantityT);
        if (UnitId.isOffset(unitId)) _spendOffsetCap(entry, rules, period, quantityT);
        emit UnitsSurrendered(msg.sender, period, unitId, quantityT, requestId);
        ledger.retire(msg.sender, unitId, quantityT, requestId); // calls nobody else
        // After the ledger has found the tonnes: so the sum cannot overflow, and who holds too little is told so.
        entry.surrenderedT = (entry.surrenderedT + quantityT).toUint80();
    }

    /// @inheritdoc ICompliance
    function publishReferencePrice(uint16 period, uint256 priceFen, bytes32 requestId) external restricted {
        bytes32 digest = keccak256(abi.encode(this.publishReferencePrice.selector, msg.sender, period, priceFen));
        if (!_once(requestId, digest)) return;
        Period storage rules = _published(period);
        if (priceFen == 0) revert ComplianceNoReferencePrice(period);
        if (rules.referencePriceFen != 0) revert ComplianceReferencePriceExists(period, rules.referencePriceFen);
        rules.referencePriceFen = priceFen.toUint96();
        emit ReferencePricePublished(period, priceFen, requestId);
    }

    /// @inheritdoc ICompliance
    function assess(uint16 period, address[] calldata entities) external {
        Period storage rules = _published(period);
        if (block.timestamp <= rules.deadline) {
            revert ComplianceDeadlineAhead(period, rules.deadline, block.timestamp);
        }
        bool cumulative = rules.cumulative;
        for (uint256 i = 0; i < entities.length; ++i) {
            if (cumulative) _assessRunning(entities[i], rules.position);
            else _assessAlone(entities[i], period);
        }
    }

    /// @inheritdoc ICompliance
    function isPublished(uint16 period) external view returns (bool) {
        return _periods[period].deadline != 0;
    }

    /// @inheritdoc ICompliance
    function rulesOf(uint16 period) external view returns (PeriodRules memory) {
        return _rulesOf(period);
    }

    /// @inheritdoc ICompliance
    function obligationOf(address entity, uint16 period) external view returns (Obligation memory) {
        Entry storage entry = _entries[entity][period];
        Period storage rules = _periods[period];
        bool assessed = rules.cumulative ? _running[entity].next > rules.position : entry.assessed;
        return Obligation({
            dueT: entry.dueT,
            surrenderedT: entry.surrenderedT,
            offsetsT: entry.offsetsT,
            verified: entry.verified,
            assessed: assessed,
            shortfallT: entry.shortfallT,
            penaltyFen: entry.penaltyFen
        });
    }

    /// @inheritdoc ICompliance
    function allocatedT(uint16 period) external view returns (uint256) {
        return _periods[period].allocatedT;
    }

    /// @inheritdoc ICompliance
    function referencePriceFen(uint16 period) external view returns (uint256) {
        return _periods[period].referencePriceFen;
    }

    /// @dev One period on its own: what is due against what was surrendered for it.
    function _assessAlone(address entity, uint16 period) private {
        Entry storage entry = _entries[entity][period];
        if (!entry.verified) revert ComplianceNoObligation(entity, period);
        if (entry.assessed) return;
        entry.assessed = true;
        // No overflow: surrendered <= due in such a period.
        uint256 shortT = entry.dueT - entry.surrenderedT;
        _conclude(entity, period, entry, shortT, shortT);
    }

    /// @dev All cumulative periods up to `position` that were not assessed yet, in order. A period in which the entity has
    ///      neither emissions nor surrenders nor a debt is passed in silence, except the one that was asked for.
    function _assessRunning(address entity, uint16 position) private {
        Running memory running = _running[entity];
        if (running.next > position) return;
        for (uint256 at = running.next; at <= position; ++at) {
            uint16 period = _cumulativePeriods[at];
            Entry storage entry = _entries[entity][period];
            uint256 owedT = _short(running);
            uint112 dueT = entry.dueT;
            uint112 surrenderedT = entry.surrenderedT;
            running.dueT += dueT;
            running.surrenderedT += surrenderedT;
            uint256 shortT = _short(running);
            bool silent = at < position && dueT == 0 && surrenderedT == 0 && shortT == 0 && !entry.verified;
            if (!silent) _conclude(entity, period, entry, shortT, shortT > owedT ? shortT - owedT : 0);
        }
        running.next = position + 1;
        _running[entity] = running;
    }

    /// @dev Writes the result of an assessment. `shortT` is what is missing, `newT` the part of it to be punished now.
    ///      Law (Order 775) art. 21: a multiple of the average price of the month before the deadline.
    function _conclude(address entity, uint16 period, Entry storage entry, uint256 shortT, uint256 newT) private {
        if (shortT == 0) {
            emit ObligationMet(entity, period, entry.dueT, entry.surrenderedT);
            return;
        }
        uint256 penaltyFen = newT == 0 ? 0 : _penaltyFen(period, newT);
        entry.shortfallT = shortT.toUint80();
        entry.penaltyFen = penaltyFen.toUint176();
        emit DefaultRecorded(entity, period, entry.dueT, entry.surrenderedT, shortT, penaltyFen);
    }

    function _penaltyFen(uint16 period, uint256 shortT) private view returns (uint256) {
        Period storage rules = _periods[period];
        uint256 priceFen = rules.referencePriceFen;
        if (priceFen == 0) revert ComplianceNoReferencePrice(period);
        return shortT * rules.penaltyMultiple * priceFen;
    }

    function _requireOutstanding(Entry storage entry, uint16 period, uint256 quantityT) private view {
        if (!entry.verified) revert ComplianceNoObligation(msg.sender, period);
        // No overflow: surrendered <= due in such a period.
        uint256 outstandingT = entry.dueT - entry.surrenderedT;
        if (quantityT > outstandingT) revert ComplianceExceedsDue(msg.sender, period, outstandingT, quantityT);
    }

    /// @dev Measures (MEE Order 19) art. 29: offsets (CCER) may pay a share of the amount due. Before verification that is 0.
    function _spendOffsetCap(Entry storage entry, Period storage rules, uint16 period, uint256 quantityT) private {
        uint256 capT = uint256(entry.dueT) * rules.offsetCapPpm / PPM;
        uint256 spentT = entry.offsetsT;
        // No overflow: offsets <= cap, and the cap does not change once the emissions are verified.
        if (quantityT > capT - spentT) {
            revert ComplianceOffsetCapExceeded(msg.sender, period, capT - spentT, quantityT);
        }
        entry.offsetsT = uint80(spentT + quantityT);
    }

    function _appendCumulative(PeriodRules calldata rules) private returns (uint16 position) {
        uint256 length = _cumulativePeriods.length;
        if (length > 0) {
            uint16 last = _cumulativePeriods[length - 1];
            if (rules.period <= last || rules.deadline <= _periods[last].deadline) {
                revert ComplianceRulesInvalid(rules.period);
            }
        }
        _cumulativePeriods.push(rules.period);
        return uint16(length); // periods are 16 bits wide and rise: they cannot be more
    }

    function _published(uint16 period) private view returns (Period storage stored) {
        stored = _periods[period];
        if (stored.deadline == 0) revert CompliancePeriodUnknown(period);
    }

    function _rulesOf(uint16 period) private view returns (PeriodRules memory) {
        Period storage stored = _published(period);
        return PeriodRules({
            period: period,
            deadline: stored.deadline,
            capT: stored.capT,
            offsetCapPpm: stored.offsetCapPpm,
            penaltyMultiple: stored.penaltyMultiple,
            cumulative: stored.cumulative
        });
    }

    function _short(Running memory running) private pure returns (uint256) {
        return running.dueT > running.surrenderedT ? running.dueT - running.surrenderedT : 0;
    }
}
