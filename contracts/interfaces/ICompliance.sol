// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What each entity owes for a period, what it surrendered, who defaulted.
interface ICompliance {
    /// @param deadline Unix seconds: the last second at which a surrender is taken.
    /// @param capT Most tonnes of allowance that may ever be allocated for the period.
    /// @param offsetCapPpm Share of the amount due that may be offsets, parts per million.
    /// @param penaltyMultiple Times the reference price, per tonne short.
    /// @param cumulative EU manner: surrenders may pass the amount due and balances run over the cumulative periods
    ///        (compliant when cumulative surrendered >= cumulative verified). Otherwise surrendered <= due in each period.
    struct PeriodRules { uint16 period; uint64 deadline; uint256 capT; uint32 offsetCapPpm; uint32 penaltyMultiple; bool cumulative; }
    struct Obligation { uint256 dueT; uint256 surrenderedT; uint256 offsetsT; bool verified; bool assessed; uint256 shortfallT; uint256 penaltyFen; }
    struct Allocation { address entity; uint256 quantityT; }

    event PeriodPublished(uint16 indexed period, uint64 deadline, uint256 capT, uint32 offsetCapPpm, uint32 penaltyMultiple, bool cumulative);
    event AllowancesAllocated(uint16 indexed period, address indexed entity, uint256 quantityT, bytes32 requestId);
    event ObligationRecorded(address indexed entity, uint16 indexed period, uint256 dueT);
    event UnitsSurrendered(address indexed entity, uint16 indexed period, uint256 unitId, uint256 quantityT, bytes32 requestId);
    event ReferencePricePublished(uint16 indexed period, uint256 priceFen, bytes32 requestId);
    event ObligationMet(address indexed entity, uint16 indexed period, uint256 dueT, uint256 surrenderedT);
    /// @notice The public default record. In a cumulative scheme `shortfallT` is the running balance and the penalty is for newly short tonnes only.
    event DefaultRecorded(address indexed entity, uint16 indexed period, uint256 dueT, uint256 surrenderedT, uint256 shortfallT, uint256 penaltyFen);

    error CompliancePeriodUnknown(uint16 period);
    error CompliancePeriodExists(uint16 period);
    error ComplianceRulesInvalid(uint16 period);
    error ComplianceCapExceeded(uint16 period, uint256 capT, uint256 allocatedT, uint256 requestedT);
    error ComplianceDeadlinePassed(uint16 period, uint64 deadline, uint256 nowUtc);
    error ComplianceDeadlineAhead(uint16 period, uint64 deadline, uint256 nowUtc);
    error ComplianceOffsetCapExceeded(address entity, uint16 period, uint256 allowedT, uint256 requestedT);
    error ComplianceExceedsDue(address entity, uint16 period, uint256 outstandingT, uint256 requestedT);
    error ComplianceVintageAhead(uint16 period, uint16 vintage);
    error ComplianceNoObligation(address entity, uint16 period);
    error ComplianceNoReferencePrice(uint16 period);
    error ComplianceReferencePriceExists(uint16 period, uint256 priceFen);
    /// @notice The verified emissions of a period are recorded once.
    error ComplianceAlreadyRecorded(address entity, uint16 period, uint256 dueT);
    /// @notice The period is closed for this entity: its verified emissions come too late.
    error ComplianceAlreadyAssessed(address entity, uint16 period);

    /// @notice Immutable once published.
    function publishPeriod(PeriodRules calldata rules) external;
    function allocate(uint16 period, Allocation[] calldata allocations, bytes32 requestId) external;
    /// @notice Role VERIFIED_WRITER: the Verification contract only.
    function recordVerified(address entity, uint16 period, uint256 verifiedT) external;
    /// @notice The caller pays own obligation.
    function surrender(uint16 period, uint256 unitId, uint256 quantityT, bytes32 requestId) external;
    /// @notice The average price of the month before the deadline, fen per tonne (Law art. 21). Once a period.
    function publishReferencePrice(uint16 period, uint256 priceFen, bytes32 requestId) external;
    /// @notice After the deadline anyone may have obligations assessed; an assessed one is passed over.
    function assess(uint16 period, address[] calldata entities) external;

    function isPublished(uint16 period) external view returns (bool);
    function rulesOf(uint16 period) external view returns (PeriodRules memory);
    function obligationOf(address entity, uint16 period) external view returns (Obligation memory);
    function allocatedT(uint16 period) external view returns (uint256);
    /// @return priceFen Fen per tonne; 0 while not published.
    function referencePriceFen(uint16 period) external view returns (uint256 priceFen);
}
