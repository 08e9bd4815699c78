// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Tokenised cash in fen (ERC-20, ERC-1363, 2 decimals), minted and burned only against real money.
interface ISettlementCash {
    struct Credit { address to; uint256 amountFen; }

    event CashMinted(address indexed to, uint256 amountFen, bytes32 requestId);
    event CashRedeemed(address indexed from, uint256 amountFen, bytes32 requestId);

    error CashZeroAmount();
    /// @notice All cash together stays within 2^63 - 1 fen: every reader carries 64-bit integers.
    error CashSupplyExceeded(uint256 supplyFen, uint256 requestedFen, uint256 maxFen);
    /// @notice A contract's account takes cash by `transferAndCall` or `transferFromAndCall` only: so it learns whose it is.
    ///         `from` is zero for a mint.
    error CashPlainTransferToContract(address from, address to, uint256 amountFen);

    /// @notice Role BANK: real money has arrived for these accounts. All or none.
    function mint(Credit[] calldata credits, bytes32 requestId) external;
    /// @notice The caller gives cash back; the bank pays out against the event.
    function redeem(uint256 amountFen, bytes32 requestId) external;
}
