// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Every tonne of every class. For each id, always: issued == held + surrendered + cancelled.
interface ICarbonLedger {
    /// @notice What an account may be. The API's roles are these kinds.
    enum AccountKind { None, Firm, Verifier, Person, Regulator, Developer, Provider, Bank, Trader, Contract }

    /// @param profileHash SHA-256 of the account's profile in the evidence store; for a person a salted commitment.
    struct AccountOpening { address account; AccountKind kind; bytes32 profileHash; }

    struct Issue { address to; uint256 quantityT; }

    event AccountOpened(address indexed account, AccountKind kind, bytes32 profileHash);
    event AccountFrozen(address indexed account, bool frozen, bytes32 requestId);
    event UnitsIssued(uint256 indexed unitId, address indexed to, uint256 quantityT, bytes32 requestId);
    event UnitsRetired(uint256 indexed unitId, address indexed account, uint256 quantityT, bytes32 requestId);
    event UnitsCancelled(uint256 indexed unitId, address indexed account, uint256 quantityT, string reason, bytes32 requestId);

    error LedgerAccountUnknown(address account);
    error LedgerAccountExists(address account, AccountKind kind);
    error LedgerAccountFrozen(address account);
    error LedgerInsufficientHolding(address account, uint256 unitId, uint256 heldT, uint256 requestedT);
    error LedgerUnknownUnit(uint256 unitId);
    error LedgerZeroQuantity();
    /// @notice Of one unit at most 2^63 - 1 tonnes are ever issued: every reader carries 64-bit integers.
    error LedgerSupplyExceeded(uint256 unitId, uint256 issuedT, uint256 requestedT, uint256 maxT);

    /// @notice Opens accounts. An opening that repeats an existing account exactly does nothing; another kind or profile is refused.
    function openAccounts(AccountOpening[] calldata openings) external;
    function setFrozen(address account, bool frozen, bytes32 requestId) external;
    /// @notice Issues one unit to many. Held by Compliance and Verification only (role ISSUER). All or none.
    function issue(uint256 unitId, Issue[] calldata issues, bytes32 requestId) external;
    /// @notice Takes surrendered units out of `account` for good (role RETIRER: Compliance only).
    function retire(address account, uint256 unitId, uint256 quantityT, bytes32 requestId) external;
    /// @notice The caller takes own units out of circulation, for neutrality or at the authority's demand.
    function cancel(uint256 unitId, uint256 quantityT, string calldata reason, bytes32 requestId) external;

    function kindOf(address account) external view returns (AccountKind);
    function isFrozen(address account) external view returns (bool);
    /// @return issuedT @return surrenderedT @return cancelledT Whole tonnes, over all time.
    function supplyOf(uint256 unitId) external view returns (uint256 issuedT, uint256 surrenderedT, uint256 cancelledT);
}
