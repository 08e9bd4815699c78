// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Tokenised cash in fen (ERC-20, ERC-1363, 2 decimals), minted and burned only against real money.
interface ISettlementCash {
    struct Credit { address to; uint256 amountFen; }

    event CashMinted(address indexed to, uint256 amountFen, bytes32 requestId);
    event CashRedeemed(address indexed from, uint256 amountFen, bytes32 requestId);

    error CashZeroAmount();

    /// @notice Role BANK: real money has arrived for these accounts.
    function mint(Credit[] calldata credits, bytes32 requestId) external;
    /// @notice The caller gives cash back; the bank pays out against the event.
    function redeem(uint256 amountFen, bytes32 requestId) external;
}
