"""Sending acts to the chain, once each, however often the wire breaks.

A signed transaction is kept until its receipt is seen and sent again after every failure: the same bytes can
only be mined once, and the contracts do an act once by its request id, so repeating is always safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from eth_utils.crypto import keccak

from chain.abi import Call, decode_error, decode_output, encode_call
from chain.deployment import Deployment
from chain.keys import Signer
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal, TransactionRejected
from chain.rpc import ChainRpc, RpcError
from chain.transactions import SignedTransaction, gas_limit, read_transaction, unsigned_transaction

BATCH: Final = 200
_REVERTED: Final = 3  # JSON-RPC code of an execution that reverted
_POLL_S: Final = 0.05
_RETRY_S_MAX: Final = 1.0
# How nodes say that they hold these very bytes and have not mined them yet: the receipt is still to come.
_WAITS_ALREADY: Final = ("already known", "known transaction", "alreadyknown")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an act stands on chain."""

    tx_hash: str
    block: int
    tx_index: int
    gas_used: int
    sender: str


T = TypeVar("T")
Outcome = Receipt | Refusal
Act = tuple[Signer, Call]


class Transactor:
    """Signs, sends, waits and reads; safe to share between threads."""

    def __init__(self, rpc: ChainRpc, deployment: Deployment, patience_s: float = 120.0) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self._patience_s = patience_s
        self._nonces: dict[str, int] = {}
        self._nonce_lock = threading.Lock()

    def read(self, call: Call, block: int | None = None) -> Any:
        """Return what a view function answers, now or after `block`; raises ContractRefusal."""
        return self.read_all([call], block)[0]

    def read_all(self, calls: Sequence[Call], block: int | None = None) -> list[Any]:
        """Return what many view functions answer; raises the first ContractRefusal."""
        at = "latest" if block is None else hex(block)
        answers: list[Any] = []
        for batch in _batches(calls, BATCH):
            requests = [("eth_call", [self._read_request(call), at]) for call in batch]
            answers += with_patience(partial(self.rpc.batch, requests), self._patience_s)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise _refusal_of(answer) from answer
        return [
            decode_output(call, bytes.fromhex(answer[2:]))
            for call, answer in zip(calls, answers, strict=True)
        ]

    def _read_request(self, call: Call) -> dict[str, str]:
        return {"to": self.deployment.addresses[call.contract], "data": "0x" + encode_call(call).hex()}

    def prepare(self, account: str, call: Call) -> dict[str, Any]:
        """Return the act as an unsigned transaction of `account`, for a wallet to sign."""
        nonce = int(self.rpc.call("eth_getTransactionCount", account, "pending"), 16)
        return unsigned_transaction(
            self.deployment.chain_id, nonce, self.deployment.addresses[call.contract], encode_call(call)
        )

    def relay(self, raw: bytes) -> Receipt:
        """Send what somebody else signed, and wait for it.

        Raises
        ------
        TransactionMalformed, TransactionRejected :
            No transaction of this chain, or one that the node does not take.
        ContractRefusal :
            The contract refuses; found by a dry run, so that nothing was sent.
        """
        transaction = read_transaction(raw, self.deployment.chain_id)
        mined = self._receipt_of(transaction)
        if mined is None:
            self._require_next(transaction)
            self._dry_run(transaction)
            outcome = self._deliver([transaction])[0]
        else:
            outcome = mined
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def send(self, signer: Signer, call: Call) -> Receipt:
        """Do one act and wait for it; raises ContractRefusal, found by a dry run so that nothing was sent."""
        data = encode_call(call)
        with_patience(
            lambda: self._call_as(
                signer.address, self.deployment.addresses[call.contract], data, gas_limit(data)
            ),
            self._patience_s,
        )
        outcome = self._deliver(self._sign([(signer, call)]))[0]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def send_all(
        self, acts: Iterable[Act], on_progress: Callable[[int], None] = lambda _done: None
    ) -> list[Outcome]:
        """Do many acts in order, a block at a time, and return each one's receipt or refusal.

        The next batch is signed while the node works on the last one. `on_progress` hears how many acts
        were just finished.
        """
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="transactor") as sender:
            under_way: Future[list[Outcome]] | None = None
            for batch in _batches(acts, BATCH):
                signed = self._sign(batch)
                if under_way is not None:
                    outcomes += _finished(under_way, on_progress)
                under_way = sender.submit(self._deliver, signed)
            if under_way is not None:
                outcomes += _finished(under_way, on_progress)
        return outcomes

    def _sign(self, acts: Sequence[Act]) -> list[SignedTransaction]:
        addresses = self.deployment.addresses
        with self._nonce_lock:
            self._learn_nonces({signer.address for signer, _ in acts})
            signed = []
            for signer, call in acts:
                data, nonce = encode_call(call), self._nonces[signer.address]
                to = addresses[call.contract]
                raw = signer.sign_transaction(unsigned_transaction(self.deployment.chain_id, nonce, to, data))
                self._nonces[signer.address] = nonce + 1
                signed.append(
                    SignedTransaction(
                        raw=raw,
                        tx_hash="0x" + keccak(raw).hex(),
                        sender=signer.address,
                        to=to,
                        data=data,
                        nonce=nonce,
                        gas=gas_limit(data),
                        value_wei=0,
                    )
                )
        return signed

    def _learn_nonces(self, addresses: set[str]) -> None:
        unknown = sorted(addresses - self._nonces.keys())
        answers = with_patience(
            partial(self.rpc.batch, [("eth_getTransactionCount", [each, "pending"]) for each in unknown]),
            self._patience_s,
        )
        for address, answer in zip(unknown, answers, strict=True):
            if isinstance(answer, RpcError):
                raise TransactionRejected(account=address, reason=answer.message) from answer
            self._nonces[address] = int(answer, 16)

    def _deliver(self, transactions: Sequence[SignedTransaction]) -> list[Outcome]:
        """Send until every transaction has a receipt or a final "no"."""
        found: dict[str, Outcome] = {}
        patience = Patience(self._patience_s)
        while True:
            waiting = [each for each in transactions if each.tx_hash not in found]
            if not waiting:
                return [found[each.tx_hash] for each in transactions]
            try:
                found |= self._attempt(waiting)
            except ChainUnreachable:
                patience.wait_or_raise()
            else:
                if any(each.tx_hash not in found for each in waiting):
                    patience.wait_or_raise(_POLL_S)

    def _attempt(self, transactions: Sequence[SignedTransaction]) -> dict[str, Outcome]:
        answers = self.rpc.batch(
            [("eth_sendRawTransaction", ["0x" + each.raw.hex()]) for each in transactions]
        )
        refused = {
            each.tx_hash: answer
            for each, answer in zip(transactions, answers, strict=True)
            if isinstance(answer, RpcError)
        }
        receipts = self.rpc.batch([("eth_getTransactionReceipt", [each.tx_hash]) for each in transactions])
        found: dict[str, Outcome] = {}
        for each, receipt in zip(transactions, receipts, strict=True):
            refusal = refused.get(each.tx_hash)
            if isinstance(receipt, dict):
                found[each.tx_hash] = self._outcome(each, receipt)
            elif refusal is not None:
                reason = refusal.message
                if any(words in reason.lower() for words in _WAITS_ALREADY):
                    continue  # it waits in the mempool
                self._forget_nonce(each.sender)
                found[each.tx_hash] = TransactionRejected(
                    account=each.sender, nonce=each.nonce, reason=reason
                )
        return found

    def _outcome(self, transaction: SignedTransaction, receipt: dict[str, Any]) -> Outcome:
        block = int(receipt["blockNumber"], 16)
        if int(receipt["status"], 16) == 1:
            return Receipt(
                tx_hash=transaction.tx_hash,
                block=block,
                tx_index=int(receipt["transactionIndex"], 16),
                gas_used=int(receipt["gasUsed"], 16),
                sender=transaction.sender,
            )
        try:
            self._dry_run(transaction, hex(block))
        except ContractRefusal as refusal:
            return refusal
        except RpcError as error:
            return TransactionRejected(tx_hash=transaction.tx_hash, reason=error.message)
        return ContractRefusal("ContractReverted", {"tx_hash": transaction.tx_hash, "block": block})

    def _receipt_of(self, transaction: SignedTransaction) -> Outcome | None:
        receipt = self.rpc.call("eth_getTransactionReceipt", transaction.tx_hash)
        return None if receipt is None else self._outcome(transaction, receipt)

    def _require_next(self, transaction: SignedTransaction) -> None:
        # One from the future would wait in the mempool, and whoever relays it with it, until the gap closes.
        count = self.rpc.call("eth_getTransactionCount", transaction.sender, "pending")
        expected = int(count, 16)
        if transaction.nonce > expected:
            raise TransactionRejected(nonce=transaction.nonce, expected_nonce=expected)

    def _dry_run(self, transaction: SignedTransaction, at: str = "latest") -> None:
        if transaction.to is None:
            raise TransactionRejected(
                reason="creates a contract; that needs a permission", nonce=transaction.nonce
            )
        self._call_as(transaction.sender, transaction.to, transaction.data, transaction.gas, at)

    def _call_as(self, sender: str, to: str, data: bytes, gas: int, at: str = "latest") -> None:
        request = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(gas)}
        try:
            self.rpc.call("eth_call", request, at)
        except RpcError as error:
            raise _refusal_of(error) from error

    def _forget_nonce(self, address: str) -> None:
        with self._nonce_lock:
            self._nonces.pop(address, None)


class Patience:
    """How long to go on asking a chain that is away: growing pauses, then a refusal."""

    def __init__(self, patience_s: float) -> None:
        self._until = time.monotonic() + patience_s
        self._patience_s = patience_s
        self._pause_s = _POLL_S

    def wait_or_raise(self, pause_s: float | None = None) -> None:
        """Sleep a little; raises ChainUnreachable when patience has run out."""
        if time.monotonic() >= self._until:
            raise ChainUnreachable(waited_s=int(self._patience_s))
        time.sleep(self._pause_s if pause_s is None else pause_s)
        self._pause_s = min(2 * self._pause_s, _RETRY_S_MAX)


def with_patience(ask: Callable[[], T], patience_s: float) -> T:
    """Ask until the chain answers; raises ChainUnreachable after `patience_s`."""
    patience = Patience(patience_s)
    while True:
        try:
            return ask()
        except ChainUnreachable:
            patience.wait_or_raise()


def _refusal_of(error: RpcError) -> Refusal:
    if isinstance(error.data, str) and error.data.startswith("0x") and error.code == _REVERTED:
        return decode_error(bytes.fromhex(error.data[2:]))
    return TransactionRejected(reason=error.message, code=error.code)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _finished(under_way: Future[list[Outcome]], on_progress: Callable[[int], None]) -> list[Outcome]:
    outcomes = under_way.result()
    on_progress(len(outcomes))
    return outcomes
