"""Acts reach the chain once, whatever the wire does."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from chain.abi import ArgumentsMalformed, Call, decode_call, decode_error, encode_call
from chain.events import EventReader
from chain.ids import request_id
from chain.keys import Keyring, Signer
from chain.refusals import (
    ChainUnreachable,
    ContractRefusal,
    TransactionMalformed,
    TransactionRejected,
)
from chain.rpc import ChainRpc, RpcError
from chain.transactions import TRANSACTION_BYTES_MAX, read_transaction, unsigned_transaction
from chain.transactor import Receipt, Transactor


def mint(to: Signer, amount_fen: int, name: str | None = None) -> Call:
    return Call("SettlementCash", "mint", ([(to.address, amount_fen)], request_id(name or uuid4())))


def balance(transactor: Transactor, signer: Signer) -> int:
    return int(transactor.read(Call("SettlementCash", "balanceOf", (signer.address,))))


def test_many_acts_give_their_outcomes_in_order(transactor: Transactor, keyring: Keyring) -> None:
    bank, firm = keyring.signer("bank"), keyring.signer(f"firm:{uuid4()}")
    heard: list[int] = []
    acts = [(bank, mint(firm, amount)) for amount in range(1, 451)]
    acts[7] = (firm, mint(firm, 10**6))  # no bank
    outcomes = transactor.send_all(acts, heard.append)
    assert sum(heard) == len(acts) == len(outcomes)
    assert isinstance(outcomes[7], ContractRefusal)
    assert outcomes[7].code == "AccessManagedUnauthorized"
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 449
    assert balance(transactor, firm) == sum(range(1, 451)) - 8


def test_an_act_refused_by_its_contract_is_never_sent(transactor: Transactor, keyring: Keyring) -> None:
    firm = keyring.signer(f"firm:{uuid4()}")
    before = transactor.rpc.call("eth_blockNumber")
    with pytest.raises(ContractRefusal) as refusal:
        transactor.send(firm, mint(firm, 5))
    assert refusal.value.facts == {"caller": firm.address}
    assert transactor.rpc.call("eth_blockNumber") == before
    assert transactor.rpc.call("eth_getTransactionCount", firm.address, "latest") == "0x0"


def test_what_a_wallet_signed_is_relayed_once(transactor: Transactor, keyring: Keyring) -> None:
    bank, firm = keyring.signer("bank"), keyring.signer(f"firm:{uuid4()}")
    raw = bank.sign_transaction(transactor.prepare(bank.address, mint(firm, 11)))
    assert transactor.relay(raw) == transactor.relay(raw)
    assert balance(transactor, firm) == 11
    transactor._forget_nonce(bank.address)  # this signer acted outside the transactor


def test_a_transaction_from_the_future_is_refused_and_keeps_nobody_waiting(
    transactor: Transactor, keyring: Keyring
) -> None:
    firm = keyring.signer(f"firm:{uuid4()}")
    fields = transactor.prepare(firm.address, Call("Clearing", "requestExit"))
    with pytest.raises(TransactionRejected) as refusal:
        transactor.relay(firm.sign_transaction({**fields, "nonce": 7}))
    assert refusal.value.facts == {"nonce": 7, "expected_nonce": 0}


class FlakyRpc(ChainRpc):
    """Loses answers after the node has acted, and requests before it has."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._random = Random(7)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if self._random.random() < 0.3:
            raise ChainUnreachable(url=self.url, reason="lost before")
        answers = super().batch(calls)
        if self._random.random() < 0.3:
            raise ChainUnreachable(url=self.url, reason="lost after")
        return answers


def test_a_wire_that_loses_requests_and_answers_doubles_nothing(
    transactor: Transactor, keyring: Keyring
) -> None:
    flaky = Transactor(FlakyRpc(transactor.rpc.url), transactor.deployment, patience_s=30)
    bank, firm = keyring.signer("bank"), keyring.signer(f"firm:{uuid4()}")
    outcomes = flaky.send_all([(bank, mint(firm, 1)) for _ in range(20)])
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert balance(transactor, firm) == 20
    transactor._forget_nonce(bank.address)


def test_a_chain_that_stays_away_is_a_refusal_not_a_hang(transactor: Transactor, keyring: Keyring) -> None:
    away = Transactor(ChainRpc("http://127.0.0.1:9"), transactor.deployment, patience_s=0.2)
    with pytest.raises(ChainUnreachable):
        away.send(keyring.signer("bank"), mint(keyring.signer("firm:1"), 1))
    with pytest.raises(ChainUnreachable):
        away.read(Call("Clearing", "settledEpoch"))


def test_events_say_what_was_done(transactor: Transactor, keyring: Keyring) -> None:
    bank, firm = keyring.signer("bank"), keyring.signer(f"firm:{uuid4()}")
    name = request_id(uuid4())
    receipt = transactor.send(bank, Call("SettlementCash", "mint", ([(firm.address, 77)], name)))
    events = list(EventReader(transactor.rpc, transactor.deployment).read(receipt.block, receipt.block))
    minted = next(event for event in events if event.name == "CashMinted")
    assert minted.args == {"to": firm.address, "amountFen": 77, "requestId": "0x" + name.hex()}
    assert (minted.block, minted.tx_hash) == (receipt.block, receipt.tx_hash)


class BriefRpc(ChainRpc):
    """Answers no request for the logs of more than two blocks."""

    def call(self, method: str, *params: Any) -> Any:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) > int(params[0]["fromBlock"], 16) + 1:
            raise RpcError(method, -32005, "too many results")
        return super().call(method, *params)


def test_a_node_that_answers_briefly_is_asked_in_smaller_spans(
    transactor: Transactor, keyring: Keyring
) -> None:
    bank, firm = keyring.signer("bank"), keyring.signer(f"firm:{uuid4()}")
    for _ in range(5):
        transactor.send(bank, mint(firm, 1))
    brief = EventReader(BriefRpc(transactor.rpc.url), transactor.deployment)
    head = brief.head()
    whole = list(EventReader(transactor.rpc, transactor.deployment).read(head - 6, head))
    assert list(brief.read(head - 6, head)) == whole
    assert len(whole) >= 5


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02",
        b"\xc0",
        b"\x02" + bytes(200),
        bytes(100),
        b"\xf8" * 300,
        bytes(TRANSACTION_BYTES_MAX + 1),
    ],
)
def test_bytes_that_are_no_transaction_are_refused(transactor: Transactor, raw: bytes) -> None:
    with pytest.raises(TransactionMalformed):
        transactor.relay(raw)


def test_a_transaction_for_another_chain_is_refused(transactor: Transactor, keyring: Keyring) -> None:
    bank = keyring.signer("bank")
    fields = unsigned_transaction(transactor.deployment.chain_id + 1, 0, bank.address, b"")
    with pytest.raises(TransactionMalformed) as refusal:
        transactor.relay(bank.sign_transaction(fields))
    assert refusal.value.facts["expected_chain_id"] == transactor.deployment.chain_id


def test_creating_a_contract_is_not_relayed(transactor: Transactor, keyring: Keyring) -> None:
    signer = keyring.signer(f"firm:{uuid4()}")
    fields = unsigned_transaction(transactor.deployment.chain_id, 0, "", b"\x60\x00")
    del fields["to"]
    with pytest.raises(TransactionRejected):
        transactor.relay(signer.sign_transaction(fields))


def test_a_legacy_transaction_reads_like_a_new_one(keyring: Keyring) -> None:
    signer = keyring.signer("firm:1")
    fields = {
        "chainId": 5,
        "nonce": 3,
        "to": signer.address,
        "value": 0,
        "gas": 21_000,
        "gasPrice": 0,
        "data": "0x1234",
    }
    read = read_transaction(signer.sign_transaction(fields), 5)
    assert (read.sender, read.to, read.data, read.nonce) == (signer.address, signer.address, b"\x12\x34", 3)


def test_call_data_reads_back_as_the_act(keyring: Keyring) -> None:
    account = keyring.signer("firm:1").address
    call = Call("Compliance", "allocate", (2026, [{"entity": account, "quantityT": 5}], b"\7" * 32))
    read = decode_call("Compliance", encode_call(call))
    assert read == Call(
        "Compliance", "allocate", (2026, [{"entity": account, "quantityT": 5}], "0x" + "07" * 32)
    )
    assert decode_call("Compliance", b"\xff\xff\xff\xff") is None
    assert decode_call("Compliance", encode_call(call)[:40]) is None


def test_wrong_arguments_are_our_own_mistake() -> None:
    with pytest.raises(ArgumentsMalformed):
        encode_call(Call("Compliance", "allocate", (2026,)))
    with pytest.raises(ArgumentsMalformed):
        encode_call(Call("Compliance", "allocate", (-1, [], b"\7" * 32)))


def test_a_revert_that_nobody_declared_is_shown_as_it_is() -> None:
    assert decode_error(b"").code == "ContractReverted"
    assert decode_error(bytes.fromhex("deadbeef")).facts == {"data": "0xdeadbeef"}
    assert decode_error(bytes.fromhex("4e487b71") + (17).to_bytes(32, "big")).facts["reason"] == "overflow"


def test_the_nodes_own_no_keeps_its_code(transactor: Transactor) -> None:
    with pytest.raises(RpcError) as error:
        transactor.rpc.call("eth_noSuchMethod")
    assert error.value.code == -32601
