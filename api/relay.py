"""The way of an act from its actor to the chain, without the actor's key.

The actor asks for the unsigned transaction, signs it at home, and sends it with the readable request.
Here it is checked that what was signed is exactly what the request says; then it is relayed, and the
answer waits until the registry's tables have followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.fields import Schema
from api.indexer import Indexer
from chain.abi import Call, encode_call
from chain.refusals import Refusal, TransactionMalformed
from chain.transactions import SignedTransaction, read_transaction
from chain.transactor import Receipt, Transactor


class TransactionMismatch(Refusal):
    """The signed transaction is not the act that the request says."""


class UnsignedTransaction(Schema):
    """An act for the actor's wallet to sign: EIP-1559, without fee or value."""

    type: int
    chainId: int  # noqa: N815  (the names of the wallet's world)
    nonce: int
    to: str
    value: int
    gas: int
    maxFeePerGas: int  # noqa: N815
    maxPriorityFeePerGas: int  # noqa: N815
    data: str


@dataclass(frozen=True, slots=True)
class Relay:
    """Prepares acts and relays signed ones."""

    transactor: Transactor
    indexer: Indexer
    patience_s: float

    def prepare(self, account: str, call: Call) -> UnsignedTransaction:
        """Return the act as a transaction for `account` to sign; raises ChainUnreachable."""
        return UnsignedTransaction(**self.transactor.prepare(account, call))

    def check(self, account: str, call: Call, signed_hex: str) -> SignedTransaction:
        """Read a signed transaction and make sure that it is this act by this account.

        Raises
        ------
        TransactionMalformed :
            No signed transaction of this chain.
        TransactionMismatch :
            Signed by another account, sent elsewhere, carrying value, or other call data.
        """
        deployment = self.transactor.deployment
        try:
            raw = bytes.fromhex(signed_hex.removeprefix("0x"))
        except ValueError:
            raise TransactionMalformed(reason="not hex") from None
        signed = read_transaction(raw, deployment.chain_id)
        expected: dict[str, Any] = {
            "sender": account, "to": deployment.addresses[call.contract], "value_wei": 0,
        }  # fmt: skip
        for name, value in expected.items():
            if getattr(signed, name) != value:
                raise TransactionMismatch(field=name, signed=getattr(signed, name), expected=value)
        if signed.data != encode_call(call):
            raise TransactionMismatch(field="data", act=f"{call.contract}.{call.function}")
        return signed

    def perform(self, account: str, call: Call, signed_hex: str) -> Receipt:
        """Relay a signed act and wait until the tables have followed it.

        Sending the same bytes again answers with the first receipt.

        Raises
        ------
        TransactionMalformed, TransactionMismatch :
            As `check` says.
        ContractRefusal :
            The contract refuses; nothing was sent.
        ProjectionBehind :
            It is on chain; the tables were too slow.
        """
        receipt = self.transactor.relay(self.check(account, call, signed_hex).raw)
        self.indexer.wait_for(receipt.block, self.patience_s)
        return receipt
