// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC1363} from "@openzeppelin/contracts/token/ERC20/extensions/ERC1363.sol";
import {ERC1363Utils} from "@openzeppelin/contracts/token/ERC20/utils/ERC1363Utils.sol";

import {ICarbonLedger} from "./interfaces/ICarbonLedger.sol";
import {ISettlementCash} from "./interfaces/ISettlementCash.sol";
import {Once} from "./libraries/Once.sol";

/// @title SettlementCash
/// @notice Money at the settlement bank, as a token: one unit is one fen (分), 100 fen are one yuan.
/// @dev Always: totalSupply == minted - redeemed, and totalSupply < 2^63. The bank mints when real money has arrived and pays
///      out what is redeemed.
///
///      To an account of kind Contract (Clearing) cash comes by a transfer with a call only. A plain transfer or a mint would
///      leave there what belongs to nobody. Having code does not make an account one of these: a firm's may be a wallet.
///
///      A freeze in the registry (CarbonLedger) holds allowances, not cash: money is frozen at the bank, by whoever may order
///      the bank to.
contract SettlementCash is ISettlementCash, ERC1363, AccessManaged, Once {
    /// @dev Most fen at any time; what holders, the projection and the API carry as 64-bit integers.
    uint256 private constant MAX_SUPPLY_FEN = uint256(uint64(type(int64).max));

    ICarbonLedger public immutable ledger;

    constructor(address initialAuthority, ICarbonLedger ledger_)
        ERC20("CARAT settlement cash", "CNYS")
        AccessManaged(initialAuthority)
    {
        ledger = ledger_;
    }

    /// @inheritdoc ISettlementCash
    function mint(Credit[] calldata credits, bytes32 requestId) external restricted {
        if (!_once(requestId, keccak256(abi.encode(this.mint.selector, msg.sender, credits)))) return;
        for (uint256 i = 0; i < credits.length; ++i) {
            Credit memory credit = credits[i];
            uint256 supplyFen = totalSupply();
            // No overflow: supply <= max before each step.
            if (credit.amountFen > MAX_SUPPLY_FEN - supplyFen) {
                revert CashSupplyExceeded(supplyFen, credit.amountFen, MAX_SUPPLY_FEN);
            }
            _requireNoCallNeeded(address(0), credit.to, credit.amountFen);
            _mint(credit.to, credit.amountFen);
            emit CashMinted(credit.to, credit.amountFen, requestId);
        }
    }

    /// @inheritdoc ISettlementCash
    function redeem(uint256 amountFen, bytes32 requestId) external {
        if (amountFen == 0) revert CashZeroAmount();
        if (!_onceBy(msg.sender, requestId, keccak256(abi.encode(this.redeem.selector, amountFen)))) return;
        _burn(msg.sender, amountFen);
        emit CashRedeemed(msg.sender, amountFen, requestId);
    }

    /// @inheritdoc IERC20
    function transfer(address to, uint256 amountFen) public override(ERC20, IERC20) returns (bool) {
        _requireNoCallNeeded(msg.sender, to, amountFen);
        return super.transfer(to, amountFen);
    }

    /// @inheritdoc IERC20
    function transferFrom(address from, address to, uint256 amountFen) public override(ERC20, IERC20) returns (bool) {
        _requireNoCallNeeded(from, to, amountFen);
        return super.transferFrom(from, to, amountFen);
    }

    /// @dev As in ERC1363, which would take the plain transfer for its first step.
    function transferAndCall(address to, uint256 amountFen, bytes memory data) public override returns (bool) {
        _transfer(msg.sender, to, amountFen);
        ERC1363Utils.checkOnERC1363TransferReceived(msg.sender, msg.sender, to, amountFen, data);
        return true;
    }

    /// @dev As in ERC1363, which would take the plain transfer for its first step.
    function transferFromAndCall(address from, address to, uint256 amountFen, bytes memory data)
        public
        override
        returns (bool)
    {
        _spendAllowance(from, msg.sender, amountFen);
        _transfer(from, to, amountFen);
        ERC1363Utils.checkOnERC1363TransferReceived(msg.sender, from, to, amountFen, data);
        return true;
    }

    /// @notice Two: shown in yuan, counted in fen.
    function decimals() public pure override returns (uint8) {
        return 2;
    }

    /// @dev An account without code is asked for nothing more: only a contract can be the account of one.
    function _requireNoCallNeeded(address from, address to, uint256 amountFen) private view {
        if (to.code.length == 0 || ledger.kindOf(to) != ICarbonLedger.AccountKind.Contract) return;
        revert CashPlainTransferToContract(from, to, amountFen);
    }
}
