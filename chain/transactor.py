"""Acts on chain, once each, however often the wire breaks; and what the contracts answer.

    Transactor          signs, sends, relays and reads
    ├── Nonces          numbers each account's transactions          (chain.nonces)
    ├── Fees            what the network charges                     (chain.fees)
    ├── Pending         what was signed and is not final, on disk    (chain.pending)
    └── Delivery        sends until it is final, or never will be    (chain.delivery)

The same bytes can only be mined once, and the contracts do an act once by its request id: so repeating is
always safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby, islice
from typing import Any, Final, TypeVar

from chain.abi import Call, decode_error, decode_output, encode_call
from chain.delivery import BATCH, Delivery, Manner
from chain.deployment import Deployment
from chain.fees import FREE, Fees, Terms
from chain.flights import Flight, Outcome, Receipt
from chain.keys import Signer
from chain.nonces import Nonces
from chain.patience import with_patience
from chain.pending import NothingPending, Pending
from chain.refusals import ChainUnreachable, ContractRefusal, FundsInsufficient, Refusal, TransactionRejected
from chain.rpc import ChainRpc, RpcError
from chain.transactions import SignedTransaction, gas_limit, read_transaction, sign, unsigned_transaction

__all__ = ["BATCH", "Act", "Outcome", "Receipt", "Transactor", "with_patience"]

_REVERTED: Final = 3  # JSON-RPC code of an execution that reverted

T = TypeVar("T")
Act = tuple[Signer, Call]


class Transactor:
    """Signs, sends, waits and reads; safe to share between threads.

    Parameters
    ----------
    patience_s :
        How long to go on while the chain is away or nothing moves.
    manner, fees, pending :
        How acts are delivered, for a chain that others run; without them as the embedded chain needs it.
    """

    def __init__(
        self,
        rpc: ChainRpc,
        deployment: Deployment,
        patience_s: float = 120.0,
        *,
        manner: Manner | None = None,
        fees: Fees | None = None,
        pending: Pending | None = None,
    ) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self._manner = manner or Manner(patience_s=patience_s)
        self._patience_s = self._manner.patience_s
        self._fees = fees or Fees(None)
        self.pending = pending or NothingPending()
        self._nonces = Nonces(rpc)
        self._delivery = Delivery(
            rpc, deployment.chain_id, self._nonces, self._fees, self.pending, self._manner, self._explain
        )

    # Reading ------------------------------------------------------------------------------------------------

    def read(self, call: Call, block: int | None = None) -> Any:
        """Return what a view function answers, now or after `block`; raises ContractRefusal."""
        return self.read_all([call], block)[0]

    def read_all(self, calls: Sequence[Call], block: int | None = None) -> list[Any]:
        """Return what many view functions answer; raises the first ContractRefusal."""
        answers: list[Any] = []
        for batch in _batches(calls, BATCH):
            answers += with_patience(partial(self._read_batch, batch, block), self._patience_s)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise _refusal_of(answer) from answer
        return [
            decode_output(call, bytes.fromhex(answer[2:]))
            for call, answer in zip(calls, answers, strict=True)
        ]

    def _read_batch(self, calls: Sequence[Call], block: int | None) -> list[Any]:
        at = "latest" if block is None else hex(block)
        return self.rpc.batch_at_head([("eth_call", [self._read_request(call), at]) for call in calls])

    def _read_request(self, call: Call) -> dict[str, str]:
        return {"to": self.deployment.addresses[call.contract], "data": "0x" + encode_call(call).hex()}

    # What others sign ---------------------------------------------------------------------------------------

    def prepare(self, account: str, call: Call) -> dict[str, Any]:
        """Return the act as an unsigned transaction of `account`, for a wallet to sign."""
        nonce = int(self.rpc.at_head("eth_getTransactionCount", account, "pending"), 16)
        data, terms = encode_call(call), self._fees.terms()
        to = self.deployment.addresses[call.contract]
        gas = terms.gas(gas_limit(data))
        return unsigned_transaction(self.deployment.chain_id, nonce, to, data, terms.fee, gas)

    def relay(self, raw: bytes) -> Receipt:
        """Send what somebody else signed, and wait until it is final.

        Raises
        ------
        TransactionMalformed, TransactionRejected :
            No transaction of this chain, or one that the node does not take.
        ContractRefusal :
            The contract refuses; found by a dry run, so that nothing was sent.
        """
        flight = Flight([read_transaction(raw, self.deployment.chain_id)])
        flight.see([self.rpc.call("eth_getTransactionReceipt", flight.now.tx_hash)])
        if flight.mined is None:
            self._require_next(flight.now)
            self._dry_run(flight.now)
        return _done(self._deliver([flight])[0])

    def nudge(self, flights: Sequence[Flight]) -> None:
        """Send what no block holds once more, and forget what is final; raises ChainUnreachable."""
        self._delivery.nudge(flights)

    def _require_next(self, transaction: SignedTransaction) -> None:
        # One from the future would wait in the mempool, and whoever relays it with it, until the gap closes.
        count = self.rpc.at_head("eth_getTransactionCount", transaction.sender, "pending")
        expected = int(count, 16)
        if transaction.nonce > expected:
            raise TransactionRejected(nonce=transaction.nonce, expected_nonce=expected)

    # What we sign -------------------------------------------------------------------------------------------

    def send(self, signer: Signer, call: Call) -> Receipt:
        """Do one act and wait for it; raises ContractRefusal, found by a dry run so that nothing was sent."""
        data, to = encode_call(call), self.deployment.addresses[call.contract]
        with_patience(
            lambda: self._call_as(signer.address, to, data, self._terms().gas(gas_limit(data))),
            self._patience_s,
        )
        return _done(self._deliver(self._sign([(signer, call)]))[0])

    def send_all(
        self, acts: Iterable[Act], on_progress: Callable[[int], None] = lambda _done: None
    ) -> list[Outcome]:
        """Do many acts in order, a batch at a time, and return each one's receipt or refusal.

        The next batch is signed while the network works on the last one; whether all of them are final is
        waited for once, at the end. `on_progress` hears how many acts were just mined or refused.
        """
        flights: list[Flight] = []
        with (
            self._nonces_kept(flights),
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="transactor") as sender,
        ):
            under_way: Future[None] | None = None
            signed: list[Flight] = []
            for batch in _batches(acts, BATCH):
                before, signed = signed, self._sign(batch)
                flights += signed
                if under_way is not None:
                    under_way.result()
                    on_progress(len(before))
                under_way = sender.submit(self._delivery.mine, signed)
            if under_way is not None:
                under_way.result()
                on_progress(len(signed))
        with self._nonces_kept(flights):
            return self._delivery.confirm(flights)

    def _deliver(self, flights: Sequence[Flight]) -> list[Outcome]:
        with self._nonces_kept(flights):
            return self._delivery.deliver(flights)

    @contextmanager
    def _nonces_kept(self, flights: Sequence[Flight]) -> Iterator[None]:
        """Forget the accounts' nonces where nobody knows what became of their transactions."""
        try:
            yield
        except ChainUnreachable:
            for sender in {flight.sender for flight in flights if flight.candidates}:
                self._nonces.forget(sender)
            raise

    def _sign(self, acts: Sequence[Act]) -> list[Flight]:
        self._know({signer.address: signer for signer, _ in acts})
        terms = self._terms()
        flights = []
        poor = self._who_cannot_pay(acts, terms)
        for signer, call in acts:
            if signer.address in poor:
                flights.append(Flight([], signer, outcome=poor[signer.address]))
                continue
            data, to = encode_call(call), self.deployment.addresses[call.contract]
            nonce, gas = self._nonces.take(signer.address), terms.gas(gas_limit(data))
            fields = unsigned_transaction(self.deployment.chain_id, nonce, to, data, terms.fee, gas)
            flights.append(Flight([sign(signer, fields)], signer))
        return flights

    def _know(self, signers: dict[str, Signer]) -> None:
        """Learn the accounts' nonces, after what an earlier process of ours had under way is done."""
        unknown = self._nonces.unknown(signers)
        if not unknown:
            return
        left = self.pending.of(unknown)
        self._delivery.deliver(
            [
                Flight(list(same), signers[sender])
                for (sender, _), same in groupby(left, key=lambda each: (each.sender, each.nonce))
            ]
        )
        with_patience(lambda: self._nonces.learn(unknown), self._patience_s)

    def _terms(self) -> Terms:
        return with_patience(self._fees.terms, self._patience_s)

    def _who_cannot_pay(self, acts: Sequence[Act], terms: Terms) -> dict[str, FundsInsufficient]:
        """Return the accounts whose balance is below what their acts may cost."""
        if terms.fee == FREE:
            return {}
        needed_wei: dict[str, int] = {}
        for signer, call in acts:
            gas = terms.gas(gas_limit(encode_call(call)))
            needed_wei[signer.address] = needed_wei.get(signer.address, 0) + gas * terms.fee.max_wei
        questions = [("eth_getBalance", [account, "latest"]) for account in needed_wei]
        answers = with_patience(lambda: self.rpc.batch(questions), self._patience_s)
        return {
            account: FundsInsufficient(account=account, balance_wei=int(answer, 16), needed_wei=needed)
            for (account, needed), answer in zip(needed_wei.items(), answers, strict=True)
            if not isinstance(answer, RpcError) and int(answer, 16) < needed
        }

    def _forget_nonce(self, address: str) -> None:
        self._nonces.forget(address)

    # Why not ------------------------------------------------------------------------------------------------

    def _explain(self, transaction: SignedTransaction, block: int) -> Refusal:
        """Find out why a mined transaction failed, by doing it again after its block."""
        try:
            with_patience(lambda: self._dry_run(transaction, hex(block)), self._patience_s)
        except Refusal as refusal:
            return refusal
        return ContractRefusal("ContractReverted", {"tx_hash": transaction.tx_hash, "block": block})

    def _dry_run(self, transaction: SignedTransaction, at: str = "latest") -> None:
        if transaction.to is None:
            raise TransactionRejected(
                reason="creates a contract; that needs a permission", nonce=transaction.nonce
            )
        self._call_as(transaction.sender, transaction.to, transaction.data, transaction.gas, at)

    def _call_as(self, sender: str, to: str, data: bytes, gas: int, at: str = "latest") -> None:
        request = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(gas)}
        try:
            self.rpc.at_head("eth_call", request, at)
        except RpcError as error:
            raise _refusal_of(error) from error


def _done(outcome: Outcome) -> Receipt:
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


def _refusal_of(error: RpcError) -> Refusal:
    if isinstance(error.data, str) and error.data.startswith("0x") and error.code == _REVERTED:
        return decode_error(bytes.fromhex(error.data[2:]))
    return TransactionRejected(reason=error.message, code=error.code)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
