"""Whatever stands between us and the node, every act is done, and done once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from chain.abi import Call
from chain.delivery import Manner
from chain.deployment import Deployment, deploy
from chain.events import EventReader
from chain.ids import request_id
from chain.keys import Keyring
from chain.patience import with_patience
from chain.pending import PendingStore
from chain.refusals import ChainUnreachable, ContractRefusal
from chain.rpc import ChainRpc
from chain.transactor import Act, Receipt, Transactor
from tests.support.faulty_proxy import FAULTS, ROUGH, FaultyProxy, faulty_proxy
from tests.support.processes import running_node

NAMES = UUID("00000000-0000-4000-8000-00000000c0de")
TIMEOUT_S = 2.0


@pytest.fixture
def rough(node_url: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(node_url, seed=11, faults=ROUGH) as proxy:
        yield proxy


def mint(keyring: Keyring, firm: str, amount_fen: int, name: str) -> Call:
    to = keyring.signer(firm).address
    return Call("SettlementCash", "mint", ([(to, amount_fen)], request_id(uuid5(NAMES, name))))


def a_day(keyring: Keyring, firms: int, rounds: int) -> list[Act]:
    """Mints, transfers among the firms, and acts that their contract refuses: an order that matters."""
    bank = keyring.signer("bank")
    acts: list[Act] = [(bank, mint(keyring, f"firm:{firm}", 1_000, f"first {firm}")) for firm in range(firms)]
    for number in range(rounds):
        for firm in range(firms):
            to = keyring.signer(f"firm:{(firm + number + 1) % firms}").address
            pay = Call("SettlementCash", "transfer", (to, 10 + number))
            acts.append((keyring.signer(f"firm:{firm}"), pay))
        acts.append((keyring.signer("firm:0"), mint(keyring, "firm:0", 10**6, f"never {number}")))
        acts.append((bank, mint(keyring, f"firm:{number % firms}", 5, f"round {number}")))
    return acts


def batches(acts: list[Act], size: int) -> list[list[Act]]:
    return [acts[start : start + size] for start in range(0, len(acts), size)]


def facts_of(rpc: ChainRpc, deployment: Deployment) -> list[tuple[str, str, str]]:
    events = EventReader(rpc, deployment).read(deployment.block)
    return [(event.contract, event.name, str(sorted(event.args.items()))) for event in events]


def nonces_of(rpc: ChainRpc, keyring: Keyring, labels: list[str]) -> list[int]:
    return [
        int(rpc.call("eth_getTransactionCount", keyring.signer(label).address, "latest"), 16)
        for label in labels
    ]


def test_hundreds_of_acts_through_a_rough_wire_end_as_on_an_undisturbed_twin(
    tmp_path: Path, keyring: Keyring
) -> None:
    firms, rounds = 12, 25
    acts = a_day(keyring, firms, rounds)
    labels = ["bank", *(f"firm:{number}" for number in range(firms))]
    ends = []
    for name, faults in (("quiet", {}), ("rough", ROUGH)):
        with (
            running_node(tmp_path / name, genesis_utc=1_800_000_000) as node,
            faulty_proxy(node.url, seed=5, faults=faults) as proxy,
        ):
            direct = ChainRpc(node.url)
            deployment = deploy(direct, keyring)
            transactor = Transactor(ChainRpc(proxy.url, TIMEOUT_S), deployment, patience_s=120)
            outcomes = [each for batch in batches(acts, 12) for each in transactor.send_all(batch)]
            kinds = Counter(type(outcome).__name__ for outcome in outcomes)
            by_sender: dict[str, list[tuple[str, str, str]]] = {}
            for fact in sorted(facts_of(direct, deployment)):
                by_sender.setdefault(fact[1], []).append(fact)
            ends.append((kinds, nonces_of(direct, keyring, labels), by_sender))
            if faults:
                assert {each for each in FAULTS if proxy.counts[each]} >= set(FAULTS) - {"time out"}
                assert proxy.counts["requests"] > 100
    quiet, rough = ends
    assert quiet[0] == {"Receipt": len(acts) - rounds, "ContractRefusal": rounds}
    assert rough == quiet


def test_what_members_sign_is_relayed_once_through_a_rough_wire(
    transactor: Transactor, keyring: Keyring, rough: FaultyProxy
) -> None:
    relay = Transactor(ChainRpc(rough.url, TIMEOUT_S), transactor.deployment, patience_s=60)
    member = keyring.signer("firm:relayed")
    relay.send(keyring.signer("bank"), mint(keyring, "firm:relayed", 10_000, "relayed"))
    to = keyring.signer("firm:taker").address
    for number in range(40):
        fields = transactor.prepare(member.address, Call("SettlementCash", "transfer", (to, 1 + number)))
        raw = member.sign_transaction(fields)
        receipt = with_patience(partial(relay.relay, raw), 60)  # a client's retry
        assert isinstance(receipt, Receipt)
    assert transactor.read(Call("SettlementCash", "balanceOf", (to,))) == sum(range(1, 41))
    assert nonces_of(transactor.rpc, keyring, ["firm:relayed"]) == [40]


def test_a_deployment_through_a_rough_wire_is_whole_and_single(tmp_path: Path, keyring: Keyring) -> None:
    with (
        running_node(tmp_path / "node") as node,
        faulty_proxy(node.url, seed=3, faults={name: 0.06 for name in FAULTS if name != "time out"}) as proxy,
    ):
        rpc = ChainRpc(node.url)
        deployment = deploy(ChainRpc(proxy.url, TIMEOUT_S), keyring, journal=tmp_path / "journal")
        clean = deploy(rpc, Keyring(b"another seed of a CARAT keyring."))
        assert nonces_of(rpc, keyring, ["registrar"]) == [1]
        assert _codes(rpc, deployment).keys() == _codes(rpc, clean).keys()
        assert nonces_of(rpc, keyring, ["admin"]) == nonces_of(
            rpc, Keyring(b"another seed of a CARAT keyring."), ["admin"]
        )
        Transactor(rpc, deployment).send(keyring.signer("bank"), mint(keyring, "firm:1", 5, "after"))


def _codes(rpc: ChainRpc, deployment: Deployment) -> dict[str, int]:
    codes = {name: rpc.call("eth_getCode", at, "latest") for name, at in deployment.addresses.items()}
    assert all(len(code) > 100 for code in codes.values())
    return {name: len(code) for name, code in codes.items()}


class PowerCutError(BaseException):
    """The end of our process, in the middle."""


class CutRpc(ChainRpc):
    """Ends the process at the n-th batch: before it is sent, or after."""

    def __init__(self, url: str, batches: int, *, after: bool) -> None:
        super().__init__(url)
        self._left = batches
        self._after = after

    def batch(self, calls: Any) -> list[Any]:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise PowerCutError
        answers = super().batch(calls)
        if self._left == 0:
            raise PowerCutError
        return answers


def test_a_deployment_that_broke_off_goes_on_and_deploys_nothing_twice(node_url: str, tmp_path: Path) -> None:
    direct = ChainRpc(node_url)
    cuts = [(batches, after) for batches in (2, 3, 4, 5, 6, 7) for after in (False, True)]
    for place, (batches, after) in enumerate(cuts):
        keyring = Keyring(b"a seed for a deployment that cut" if not place else bytes([place]) * 32)
        journal = tmp_path / f"journal-{place}"
        cut = False
        try:
            deploy(CutRpc(node_url, batches, after=after), keyring, journal=journal)
        except PowerCutError:
            cut = True
        deployment = deploy(direct, keyring, journal=journal)
        again = deploy(direct, keyring, journal=journal)
        assert cut
        assert again == deployment
        assert nonces_of(direct, keyring, ["registrar"]) == [1]
        Transactor(direct, deployment).send(
            keyring.signer("bank"), mint(keyring, "firm:1", 5, f"after cut {place}")
        )


def test_a_journal_of_other_keys_or_with_a_torn_line(node_url: str, tmp_path: Path) -> None:
    from chain.deploy_journal import DeploymentForeign  # noqa: PLC0415

    rpc, journal = ChainRpc(node_url), tmp_path / "journal"
    keyring = Keyring(b"a seed for a torn line, 32 bytes")
    first = deploy(rpc, keyring, journal=journal)
    with pytest.raises(DeploymentForeign):
        deploy(rpc, Keyring(b"another seed, it has 32 bytes ok"), journal=journal)
    journal.write_text(journal.read_text(encoding="ascii")[:-40], encoding="ascii")
    assert deploy(rpc, keyring, journal=journal) == first


def test_what_was_signed_before_a_crash_is_sent_before_anything_new(
    transactor: Transactor, keyring: Keyring, tmp_path: Path, node_url: str
) -> None:
    firm, to = keyring.signer("firm:crash"), keyring.signer("firm:after").address
    transactor.send(keyring.signer("bank"), mint(keyring, "firm:crash", 1_000, "crash"))

    def transactor_over(rpc: ChainRpc) -> Transactor:
        pending = PendingStore(tmp_path / "pending.sqlite", transactor.deployment.chain_id)
        return Transactor(rpc, transactor.deployment, manner=Manner(patience_s=20), pending=pending)

    pay = [(firm, Call("SettlementCash", "transfer", (to, amount))) for amount in (1, 2, 4)]
    with pytest.raises(PowerCutError):
        transactor_over(CutRpc(node_url, 2, after=False)).send_all(
            pay
        )  # nonces were learnt, nothing was sent
    assert transactor.read(Call("SettlementCash", "balanceOf", (to,))) == 0
    later = transactor_over(ChainRpc(node_url))
    later.send(firm, Call("SettlementCash", "transfer", (to, 8)))
    assert transactor.read(Call("SettlementCash", "balanceOf", (to,))) == 15
    assert nonces_of(transactor.rpc, keyring, ["firm:crash"]) == [4]
    assert later.pending.of([firm.address]) == []


def test_another_node_goes_on_where_one_was_killed(tmp_path: Path, keyring: Keyring) -> None:
    with (
        running_node(tmp_path / "node") as node,
        faulty_proxy(node.url) as first,
        faulty_proxy(node.url) as second,
    ):
        deployment = deploy(ChainRpc(node.url), keyring)
        rpc = ChainRpc(f"{first.url},{second.url}", TIMEOUT_S)
        transactor = Transactor(rpc, deployment, patience_s=20)
        bank = keyring.signer("bank")
        transactor.send(bank, mint(keyring, "firm:1", 1, "before"))
        assert second.counts["requests"] == 0
        first.faults = {"drop before": 1.0}
        for number in range(20):
            transactor.send(bank, mint(keyring, "firm:1", 1, f"failed over {number}"))
        assert transactor.read(Call("SettlementCash", "balanceOf", (keyring.signer("firm:1").address,))) == 21
        second.faults, first.faults = {"502": 1.0}, {}
        transactor.send(bank, mint(keyring, "firm:1", 1, "back"))
        first.faults = {"429": 1.0}
        with pytest.raises(ChainUnreachable):
            Transactor(rpc, deployment, patience_s=0.2).read(Call("Clearing", "settledEpoch"))


def test_a_read_never_shows_an_older_state_than_one_seen_before(
    transactor: Transactor, keyring: Keyring, node_url: str
) -> None:
    firm = keyring.signer("firm:stale").address
    with faulty_proxy(node_url) as proxy:
        reading = Transactor(ChainRpc(proxy.url, TIMEOUT_S), transactor.deployment, patience_s=20)
        for number in range(15):
            proxy.faults = {}
            reading.send(keyring.signer("bank"), mint(keyring, "firm:stale", 1, f"stale {number}"))
            proxy.faults = {"lag": 0.6}
            assert reading.read(Call("SettlementCash", "balanceOf", (firm,))) == number + 1
        assert proxy.counts["lag"] > 8


def test_a_refusal_by_the_contract_stays_one_through_a_rough_wire(
    transactor: Transactor, keyring: Keyring, rough: FaultyProxy
) -> None:
    rough_way = Transactor(ChainRpc(rough.url, TIMEOUT_S), transactor.deployment, patience_s=60)
    for number in range(30):
        with pytest.raises(ContractRefusal, match="AccessManagedUnauthorized"):
            rough_way.send(keyring.signer("firm:1"), mint(keyring, "firm:1", 5, f"refused {number}"))
