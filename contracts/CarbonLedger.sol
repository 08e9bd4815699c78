// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

import {ICarbonLedger} from "./interfaces/ICarbonLedger.sol";
import {Once} from "./libraries/Once.sol";
import {UnitId} from "./libraries/UnitId.sol";

/// @title CarbonLedger
/// @notice Who owns which tonne. The registry's record is the final basis of ownership (最终依据).
/// @dev For each unit id, always: issued == held + surrendered + cancelled, where held is the sum of all balances, and
///      issued < 2^63.
///      Units are whole tonnes of CO2e. Only open accounts hold units; a frozen account sends nothing (no transfer, no
///      surrender, no cancellation) and still receives, so that what is on its way home arrives.
contract CarbonLedger is ICarbonLedger, ERC1155, AccessManaged, Once {
    /// @dev Most tonnes of a unit ever issued; what holders, the projection and the API carry as 64-bit integers.
    uint256 private constant MAX_ISSUED_T = uint256(uint64(type(int64).max));

    /// @dev One slot. `profile` is the first 30 bytes of the profile's hash: enough to tell a repetition from a change.
    struct Account {
        AccountKind kind;
        bool frozen;
        bytes30 profile;
    }

    /// @dev One slot, tonnes over all time.
    struct Supply {
        uint80 issuedT;
        uint80 surrenderedT;
        uint80 cancelledT;
    }

    mapping(address account => Account) private _accounts;
    mapping(uint256 unitId => Supply) private _supplies;

    constructor(address initialAuthority) ERC1155("") AccessManaged(initialAuthority) {}

    /// @inheritdoc ICarbonLedger
    function openAccounts(AccountOpening[] calldata openings) external restricted {
        for (uint256 i = 0; i < openings.length; ++i) {
            AccountOpening calldata opening = openings[i];
            if (opening.account == address(0) || opening.kind == AccountKind.None) {
                revert LedgerAccountUnknown(opening.account);
            }
            Account storage account = _accounts[opening.account];
            AccountKind kind = account.kind;
            bytes30 profile = bytes30(opening.profileHash);
            if (kind != AccountKind.None) {
                if (kind == opening.kind && account.profile == profile) continue;
                revert LedgerAccountExists(opening.account, kind);
            }
            account.kind = opening.kind;
            account.profile = profile;
            emit AccountOpened(opening.account, opening.kind, opening.profileHash);
        }
    }

    /// @inheritdoc ICarbonLedger
    function setFrozen(address account, bool frozen, bytes32 requestId) external restricted {
        if (!_once(requestId, keccak256(abi.encode(this.setFrozen.selector, msg.sender, account, frozen)))) return;
        Account storage stored = _accounts[account];
        if (stored.kind == AccountKind.None) revert LedgerAccountUnknown(account);
        stored.frozen = frozen;
        emit AccountFrozen(account, frozen, requestId);
    }

    /// @inheritdoc ICarbonLedger
    function issue(uint256 unitId, Issue[] calldata issues, bytes32 requestId) external restricted {
        bytes32 digest = keccak256(abi.encode(this.issue.selector, unitId, issues));
        if (!_onceBy(msg.sender, requestId, digest)) return; // each issuer has ids of its own: see Verification
        if (!UnitId.isWellFormed(unitId)) revert LedgerUnknownUnit(unitId);
        Supply storage supply = _supplies[unitId];
        uint256 issuedT = supply.issuedT;
        for (uint256 i = 0; i < issues.length; ++i) {
            uint256 quantityT = issues[i].quantityT;
            // No overflow: issued <= max before each step.
            if (quantityT > MAX_ISSUED_T - issuedT) {
                revert LedgerSupplyExceeded(unitId, issuedT, quantityT, MAX_ISSUED_T);
            }
            issuedT += quantityT;
        }
        supply.issuedT = uint80(issuedT);
        for (uint256 i = 0; i < issues.length; ++i) {
            Issue memory given = issues[i];
            emit UnitsIssued(unitId, given.to, given.quantityT, requestId);
            _mint(given.to, unitId, given.quantityT, "");
        }
    }

    /// @inheritdoc ICarbonLedger
    /// @dev The id names the event. Compliance, the only caller, remembers it among the account's acts.
    function retire(address account, uint256 unitId, uint256 quantityT, bytes32 requestId) external restricted {
        _burn(account, unitId, quantityT);
        // No overflow: surrendered + cancelled <= issued, because the balances hold the rest and just gave `quantityT`.
        _supplies[unitId].surrenderedT += uint80(quantityT);
        emit UnitsRetired(unitId, account, quantityT, requestId);
    }

    /// @inheritdoc ICarbonLedger
    function cancel(uint256 unitId, uint256 quantityT, string calldata reason, bytes32 requestId) external {
        bytes32 digest = keccak256(abi.encode(this.cancel.selector, unitId, quantityT, reason));
        if (!_onceBy(msg.sender, requestId, digest)) return;
        _burn(msg.sender, unitId, quantityT);
        // No overflow: as in `retire`.
        _supplies[unitId].cancelledT += uint80(quantityT);
        emit UnitsCancelled(unitId, msg.sender, quantityT, reason, requestId);
    }

    /// @inheritdoc ICarbonLedger
    function kindOf(address account) external view returns (AccountKind) {
        return _accounts[account].kind;
    }

    /// @inheritdoc ICarbonLedger
    function isFrozen(address account) external view returns (bool) {
        return _accounts[account].frozen;
    }

    /// @inheritdoc ICarbonLedger
    function supplyOf(uint256 unitId)
        external
        view
        returns (uint256 issuedT, uint256 surrenderedT, uint256 cancelledT)
    {
        Supply storage supply = _supplies[unitId];
        return (supply.issuedT, supply.surrenderedT, supply.cancelledT);
    }

    /// @dev Every movement passes here: minting has no `from`, burning no `to`.
    function _update(address from, address to, uint256[] memory ids, uint256[] memory values) internal override {
        if (from != address(0)) {
            Account storage sender = _accounts[from];
            if (sender.kind == AccountKind.None) revert LedgerAccountUnknown(from);
            if (sender.frozen) revert LedgerAccountFrozen(from);
        }
        if (to != address(0) && _accounts[to].kind == AccountKind.None) revert LedgerAccountUnknown(to);
        if (ids.length == values.length) {
            for (uint256 i = 0; i < ids.length; ++i) {
                if (values[i] == 0) revert LedgerZeroQuantity();
                if (from != address(0)) _requireHolding(from, ids[i], values[i]);
            }
        }
        super._update(from, to, ids, values); // refuses arrays of different length
    }

    function _requireHolding(address account, uint256 unitId, uint256 neededT) private view {
        uint256 heldT = balanceOf(account, unitId);
        if (heldT >= neededT) return;
        if (_supplies[unitId].issuedT == 0) revert LedgerUnknownUnit(unitId);
        revert LedgerInsufficientHolding(account, unitId, heldT, neededT);
    }
}
