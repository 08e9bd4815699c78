// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC1363} from "@openzeppelin/contracts/token/ERC20/extensions/ERC1363.sol";

import {ISettlementCash} from "./interfaces/ISettlementCash.sol";
import {Once} from "./libraries/Once.sol";

/// @title SettlementCash
/// @notice Money at the settlement bank, as a token: one unit is one fen (分), 100 fen are one yuan.
/// @dev Always: totalSupply == minted - redeemed. The bank mints when real money has arrived and pays out what is redeemed.
contract SettlementCash is ISettlementCash, ERC1363, AccessManaged, Once {
    constructor(address initialAuthority) ERC20("CARAT settlement cash", "CNYS") AccessManaged(initialAuthority) {}

    /// @inheritdoc ISettlementCash
    function mint(Credit[] calldata credits, bytes32 requestId) external restricted {
        if (!_once(requestId, keccak256(abi.encode(this.mint.selector, msg.sender, credits)))) return;
        for (uint256 i = 0; i < credits.length; ++i) {
            _mint(credits[i].to, credits[i].amountFen);
            emit CashMinted(credits[i].to, credits[i].amountFen, requestId);
        }
    }

    /// @inheritdoc ISettlementCash
    function redeem(uint256 amountFen, bytes32 requestId) external {
        if (amountFen == 0) revert CashZeroAmount();
        if (!_onceBy(msg.sender, requestId, keccak256(abi.encode(this.redeem.selector, amountFen)))) return;
        _burn(msg.sender, amountFen);
        emit CashRedeemed(msg.sender, amountFen, requestId);
    }

    /// @notice Two: shown in yuan, counted in fen.
    function decimals() public pure override returns (uint8) {
        return 2;
    }
}
