// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title UnitId
/// @notice What a ledger id says: `class << 80 | vintage << 64 | project << 32 | batch`.
/// @dev `chain/units.py` is the same layout in Python; an allowance has no project and no batch.
library UnitId {
    /// @notice The bits name no unit that can exist.
    error UnitIdMalformed(uint256 unitId);

    uint8 internal constant ALLOWANCE = 1;
    uint8 internal constant OFFSET = 2;

    /// @notice The allowance (碳排放配额) of one period.
    function allowance(uint16 vintage) internal pure returns (uint256) {
        return (uint256(ALLOWANCE) << 80) | (uint256(vintage) << 64);
    }

    /// @notice One batch of a project's verified reductions (CCER) of one vintage.
    function offset(uint16 vintage, uint32 project, uint32 batch) internal pure returns (uint256) {
        return (uint256(OFFSET) << 80) | (uint256(vintage) << 64) | (uint256(project) << 32) | batch;
    }

    function class_(uint256 unitId) internal pure returns (uint8) {
        if (unitId >> 88 != 0) revert UnitIdMalformed(unitId);
        return uint8(unitId >> 80);
    }

    function vintage_(uint256 unitId) internal pure returns (uint16) {
        return uint16(unitId >> 64);
    }

    /// @notice Can this id name a unit: a known class and a vintage; an offset's project and batch, an allowance's none?
    function isWellFormed(uint256 unitId) internal pure returns (bool) {
        uint256 class = unitId >> 80;
        if (vintage_(unitId) == 0) return false;
        if (class == ALLOWANCE) return uint64(unitId) == 0;
        return class == OFFSET && uint32(unitId >> 32) != 0 && uint32(unitId) != 0;
    }

    function isOffset(uint256 unitId) internal pure returns (bool) {
        return class_(unitId) == OFFSET;
    }
}
