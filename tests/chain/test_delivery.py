"""On a network of others every act is done once: whatever it costs, waits, or loses to another branch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import delivery as delivery_module
from chain.answers import Answer, meaning
from chain.delivery import Delivery, Manner
from chain.fees import Fee, Fees
from chain.finality import AT_ONCE, Finality
from chain.flights import Flight, Outcome, Receipt
from chain.height import Height
from chain.keys import Keyring, Signer
from chain.nonces import Nonces
from chain.pending import NothingPending, Pending, PendingStore
from chain.refusals import (
    ChainBehind,
    ChainUnreachable,
    ChainUrlMalformed,
    ContractRefusal,
    FeeTooLow,
    FinalityUnknown,
    FundsInsufficient,
    NonceTaken,
    Refusal,
    TransactionRejected,
    TransactionUnmined,
)
from chain.rpc import RpcError, chain_urls
from chain.transactions import SignedTransaction, sign, unsigned_transaction
from tests.support.fake_network import CHAIN_ID, FakeNetwork

NOWHERE = "0x" + "11" * 20
KEYRING = Keyring(b"a seed for a network in memory..")
ANNA, BERT = KEYRING.signer("anna"), KEYRING.signer("bert")
RICH_WEI = 10**24
THREE = Finality(3)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "RESEND_S", 0.02)
    monkeypatch.setattr("chain.patience.POLL_S", 0.001)
    monkeypatch.setattr("chain.patience._RETRY_S_MAX", 0.01)


class World:
    """A network, and a way to deliver to it."""

    def __init__(
        self,
        network: FakeNetwork,
        finality: Finality = THREE,
        stuck_s: float = 0.05,
        pending: Pending | None = None,
    ) -> None:
        self.network = network
        self.pending = pending or NothingPending()
        self.nonces = Nonces(network)
        self.fees = Fees(network)
        manner = Manner(finality, patience_s=20, stuck_s=stuck_s)
        self.delivery = Delivery(
            network, CHAIN_ID, self.nonces, self.fees, self.pending, manner, self._explain
        )

    @staticmethod
    def _explain(_transaction: SignedTransaction, _block: int) -> Refusal:
        return ContractRefusal("Reverted", {})

    def act(self, signer: Signer, name: int, *, gas: int = 50_000, own: bool = True) -> Flight:
        """An act of the next nonce; its data is its name."""
        self.nonces.learn([signer.address])
        fee, nonce = self.fees.terms().fee, self.nonces.take(signer.address)
        fields = unsigned_transaction(CHAIN_ID, nonce, NOWHERE, name.to_bytes(4, "big"), fee, gas)
        return Flight([sign(signer, fields)], signer if own else None)

    def deliver(self, flights: list[Flight]) -> list[Outcome]:
        return self.delivery.deliver(flights)

    def times_mined(self, name: int) -> int:
        return sum(each.data == name.to_bytes(4, "big") for each in self.network.mined())


def test_an_act_counts_when_so_many_blocks_are_on_top() -> None:
    world = World(FakeNetwork(), Finality(5))
    (receipt,) = world.deliver([world.act(ANNA, 1)])
    assert isinstance(receipt, Receipt)
    assert len(world.network.blocks) - 1 >= receipt.block + 5


def test_what_a_reorganisation_drops_is_sent_again_as_the_same_bytes() -> None:
    network = FakeNetwork()
    world = World(network, Finality(4))
    left = [3]

    def reorganise(_network: FakeNetwork) -> None:
        if network.mined() and left[0]:
            left[0] -= 1
            network.reorganise(2, keep_transactions=False)

    network.on_block = reorganise
    flights = [world.act(signer, name) for name, signer in enumerate([ANNA, BERT, ANNA, ANNA])]
    first = [flight.now.tx_hash for flight in flights]
    outcomes = world.deliver(flights)
    assert left == [0]
    assert [outcome.tx_hash for outcome in outcomes if isinstance(outcome, Receipt)] == first
    assert [world.times_mined(name) for name in range(4)] == [1, 1, 1, 1]


def test_what_is_dropped_while_later_ones_still_wait_is_sent_again() -> None:
    """An account's later transactions wait for it: had nobody looked again, all would wait for good."""
    network = FakeNetwork()
    world = World(network, Finality(4))
    network.hold = lambda transaction: transaction.nonce > 0 and not dropped

    def drop_the_first(_network: FakeNetwork) -> None:
        if len(network.mined()) == 1 and not dropped:
            settled.append(len(network.blocks))
            if len(settled) > 3:  # its receipt has been seen by now
                dropped.append(network.mined()[0].tx_hash)
                network.reorganise(len(network.blocks) - 1, keep_transactions=False)

    dropped: list[str] = []
    settled: list[int] = []
    network.on_block = drop_the_first
    flights = [world.act(ANNA, name) for name in range(3)]
    outcomes = world.deliver(flights)
    assert dropped == [flights[0].now.tx_hash]
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert [world.times_mined(name) for name in range(3)] == [1, 1, 1]


def test_a_fee_follows_what_the_network_asks_however_often_it_was_raised() -> None:
    network = FakeNetwork(base_fee_wei=1, tip_wei=1)
    network.balances = {ANNA.address: RICH_WEI}
    world = World(network, stuck_s=0.0)
    flight = world.act(ANNA, 1)
    network.hold = lambda _transaction: network.base_fee_wei == 1

    def dearer_in_the_end(_network: FakeNetwork) -> None:
        if len(flight.candidates) == 12:  # as often as it bids against nobody
            network.base_fee_wei = 10**6
            world.fees._until_s = 0.0

    network.on_block = dearer_in_the_end
    (outcome,) = world.deliver([flight])
    assert isinstance(outcome, Receipt)
    assert flight.now.fee.max_wei >= 10**6


def _takes_its_place(network: FakeNetwork, nonce: int) -> None:
    """Reorganise, with another transaction of Anna's in the place of the one that was mined."""
    other = sign(ANNA, unsigned_transaction(CHAIN_ID, nonce, NOWHERE, b"other", gas=50_000))
    network.reorganise(2, keep_transactions=False)
    network.pool[(ANNA.address, nonce)] = other
    network.mine()


def _once(network: FakeNetwork) -> None:
    if network.mined():
        network.on_block = lambda _network: None
        _takes_its_place(network, network.mined()[0].nonce)


def test_an_act_whose_nonce_was_taken_in_the_other_branch_goes_under_another() -> None:
    network = FakeNetwork()
    world = World(network)
    network.on_block = _once
    (outcome,) = world.deliver([world.act(ANNA, 1)])
    assert isinstance(outcome, Receipt)
    assert [(each.nonce, each.data) for each in network.mined()] == [(0, b"other"), (1, b"\0\0\0\1")]


@pytest.mark.parametrize("finality", [AT_ONCE, Finality(2)])
def test_many_acts_whose_nonces_another_program_with_this_key_used_all_go_under_others(
    finality: Finality,
) -> None:
    network = FakeNetwork()
    world = World(network, finality)
    flights = [world.act(ANNA, name) for name in range(60)]
    for nonce in range(45):
        fields = unsigned_transaction(CHAIN_ID, nonce, NOWHERE, b"other", gas=50_000)
        network.pool[(ANNA.address, nonce)] = sign(ANNA, fields)
    network.mine(5)
    outcomes = world.deliver(flights)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert [world.times_mined(name) for name in range(60)] == [1] * 60
    assert max(flight.renewals for flight in flights) == 1


def test_somebody_elses_act_whose_nonce_was_taken_is_said_so() -> None:
    network = FakeNetwork()
    world = World(network)
    network.on_block = _once
    flight = world.act(ANNA, 1, own=False)
    (outcome,) = world.deliver([flight])
    assert isinstance(outcome, NonceTaken)
    assert outcome.facts == {"account": ANNA.address, "nonce": 0, "tx_hash": flight.now.tx_hash}
    assert world.times_mined(1) == 0


def test_what_waits_too_long_for_its_fee_is_replaced_under_its_nonce() -> None:
    network = FakeNetwork(base_fee_wei=100, tip_wei=2)
    network.balances = dict.fromkeys([ANNA.address, BERT.address], RICH_WEI)
    world = World(network)
    flights = [world.act(ANNA, 1), world.act(ANNA, 2), world.act(BERT, 3)]
    network.base_fee_wei = 400  # before they are sent
    world.fees._until_s = 0.0
    outcomes = world.deliver(flights)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert [world.times_mined(name) for name in (1, 2, 3)] == [1, 1, 1]
    replaced = flights[0].candidates
    assert len(replaced) >= 2
    assert {each.nonce for each in replaced} == {0}
    for before, after in pairwise(replaced):
        assert after.fee.max_wei * 10 >= before.fee.max_wei * 11
        assert after.fee.tip_wei * 10 >= before.fee.tip_wei * 11


def test_whichever_of_its_transactions_is_mined_the_act_is_done() -> None:
    network = FakeNetwork(calls_a_block=1, base_fee_wei=100, tip_wei=1)
    network.balances = {ANNA.address: RICH_WEI}
    world = World(network)
    flight = world.act(ANNA, 1)
    first = flight.now
    network.base_fee_wei = 500  # nobody takes the first

    def the_first_wins(_network: FakeNetwork) -> None:
        if len(flight.candidates) > 1 and not network.mined():
            network.pool = {(ANNA.address, 0): first}  # a miner that has not heard of the replacement
            network.base_fee_wei = 100

    network.on_block = the_first_wins
    network.hold = lambda each: each.tx_hash != first.tx_hash
    (outcome,) = world.deliver([flight])
    assert isinstance(outcome, Receipt)
    assert (outcome.tx_hash, len(flight.candidates) > 1) == (first.tx_hash, True)
    assert world.times_mined(1) == 1


def test_a_pool_that_asks_more_gets_it_at_once() -> None:
    network = FakeNetwork(base_fee_wei=10, tip_wei=1)
    network.balances = {ANNA.address: RICH_WEI}
    world = World(network, stuck_s=1_000)
    flight = world.act(ANNA, 1)
    network.tip_wei = 50
    world.fees._until_s = 0.0
    (outcome,) = world.deliver([flight])
    assert isinstance(outcome, Receipt)
    assert flight.now.fee.tip_wei >= 50


def test_somebody_elses_transaction_is_never_replaced() -> None:
    network = FakeNetwork(base_fee_wei=10, tip_wei=1)
    network.balances = {ANNA.address: RICH_WEI}
    world = World(network)
    flight = world.act(ANNA, 1, own=False)
    network.tip_wei = 50
    world.fees._until_s = 0.0
    (outcome,) = world.deliver([flight])
    assert isinstance(outcome, FeeTooLow)
    assert (outcome.facts["max_wei"], outcome.facts["asked_wei"]) == (21, 70)
    assert len(flight.candidates) == 1


def test_an_account_that_cannot_pay_is_told_what_it_needs() -> None:
    network = FakeNetwork(base_fee_wei=10, tip_wei=1)
    network.balances = {ANNA.address: 5}
    world = World(network)
    (outcome,) = world.deliver([world.act(ANNA, 1)])
    assert isinstance(outcome, FundsInsufficient)
    assert (outcome.facts["balance_wei"], outcome.facts["needed_wei"]) == (5, 50_000 * 21)


def test_a_refused_act_leaves_no_gap_for_later_ones() -> None:
    network = FakeNetwork()
    world = World(network)
    flights = [world.act(ANNA, 1), world.act(ANNA, 2, gas=31_000_000), world.act(ANNA, 3)]
    first, refused, third = world.deliver(flights)
    assert isinstance(first, Receipt)
    assert isinstance(refused, TransactionRejected)
    assert isinstance(third, Receipt)
    assert [each.nonce for each in network.mined()] == [0, 1, 2]
    (last,) = world.deliver([world.act(ANNA, 4)])
    assert isinstance(last, Receipt)
    assert [world.times_mined(name) for name in (1, 2, 3, 4)] == [1, 0, 1, 1]


def test_a_refused_last_act_gives_its_nonce_back() -> None:
    network = FakeNetwork()
    world = World(network)
    world.deliver([world.act(ANNA, 1, gas=31_000_000)])
    world.deliver([world.act(ANNA, 2)])
    assert [each.nonce for each in network.mined()] == [0]


def test_an_act_that_no_block_takes_is_a_refusal_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    network = FakeNetwork(calls_a_block=10**9)
    world = World(network)
    monkeypatch.setattr(world.delivery, "_manner", Manner(Finality(2), patience_s=0.1))
    with pytest.raises(TransactionUnmined) as refusal:
        world.deliver([world.act(ANNA, 1)])
    assert refusal.value.facts["nonce"] == 0
    assert isinstance(refusal.value, ChainUnreachable), "who retries on an absent chain retries here"


def test_all_that_was_signed_is_on_disk_until_it_is_final(tmp_path: Path) -> None:
    store = PendingStore(tmp_path / "pending.sqlite", CHAIN_ID)
    network = FakeNetwork(base_fee_wei=100, tip_wei=2)
    network.balances = {ANNA.address: RICH_WEI}
    world = World(network, pending=store)
    seen: list[int] = []
    network.on_block = lambda _network: seen.append(len(store.of([ANNA.address])))
    flight = world.act(ANNA, 1)
    network.base_fee_wei = 900
    world.fees._until_s = 0.0
    world.deliver([flight])
    assert max(seen) == len(flight.candidates) >= 2
    assert store.of([ANNA.address]) == []
    assert (tmp_path / "pending.sqlite").stat().st_mode & 0o077 == 0
    store.close()


TROUBLES = st.lists(
    st.tuples(
        st.sampled_from(["reorg, dropped", "reorg, kept", "pool lost", "dearer", "cheaper", "quiet"]),
        st.integers(1, 3),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(troubles=TROUBLES, seed=st.integers(0, 1_000))
def test_whatever_the_network_does_every_act_is_mined_once(
    troubles: list[tuple[str, int]], seed: int
) -> None:
    network = FakeNetwork(base_fee_wei=8, tip_wei=1)
    network.balances = dict.fromkeys([ANNA.address, BERT.address], RICH_WEI)
    world = World(network, Finality(4), stuck_s=0.01)
    left = list(troubles)

    def trouble(_network: FakeNetwork) -> None:
        kind, depth = left.pop() if left else ("quiet", 0)
        if kind.startswith("reorg"):  # never deeper than what counts as final
            network.reorganise(depth, keep_transactions=kind.endswith("kept"))
        elif kind == "pool lost":
            network.pool.clear()
        elif kind == "dearer":
            network.base_fee_wei = min(64, network.base_fee_wei * 2)
        elif kind == "cheaper":
            network.base_fee_wei = max(1, network.base_fee_wei // 2)

    network.on_block = trouble
    random = Random(seed)
    names = range(12)
    flights = [world.act(random.choice([ANNA, BERT]), name) for name in names]
    outcomes = world.deliver(flights)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert [world.times_mined(name) for name in names] == [1] * len(names)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("already known", Answer.WAITS),  # geth
        ("Known transaction", Answer.WAITS),  # Besu
        ("nonce too low: next nonce 4, tx nonce 3", Answer.NONCE_USED),  # geth, the embedded node
        ("Nonce too low", Answer.NONCE_USED),  # Besu
        ("replacement transaction underpriced", Answer.OTHER_WAITS),
        ("Replacement transaction underpriced", Answer.OTHER_WAITS),
        ("transaction underpriced: tip needed 1, tip permitted 0", Answer.FEE_TOO_LOW),
        ("max fee per gas less than block base fee: address 0x1", Answer.FEE_TOO_LOW),
        ("Gas price below configured minimum gas price", Answer.FEE_TOO_LOW),
        ("insufficient funds for gas * price + value: balance 0", Answer.NO_FUNDS),
        ("Upfront cost exceeds account balance", Answer.NO_FUNDS),
        ("txpool is full", Answer.LATER),
        ("sender quota exceeded: 0x1 used 5 gas", Answer.LATER),
        ("exceeds block gas limit", Answer.NEVER),
    ],
)
def test_what_a_nodes_no_means(said: str, answer: Answer) -> None:
    assert meaning(RpcError("eth_sendRawTransaction", -32000, said)) is answer


def test_a_replacement_pays_at_least_a_tenth_more_and_what_is_asked() -> None:
    assert Fee(0, 0).bumped(Fee(0, 0)) == Fee(1, 1)
    assert Fee(100, 10).bumped(Fee(500, 5)) == Fee(500, 12)


@given(max_wei=st.integers(0, 10**12), tip_wei=st.integers(0, 10**12))
def test_every_replacement_passes_the_rule_of_a_tenth(max_wei: int, tip_wei: int) -> None:
    before = Fee(max_wei, tip_wei)
    after = before.bumped(Fee())
    for old, new in ((before.max_wei, after.max_wei), (before.tip_wei, after.tip_wei)):
        assert new > old
        assert new * 100 >= old * 110 or new - old == 1


def test_settings_of_finality_and_addresses() -> None:
    assert [str(Finality.parse(text)) for text in ("0", "12", "safe", "finalized")] == [
        "0", "12", "safe", "finalized",
    ]  # fmt: skip
    for text in ("", "-1", "latest", "99999", "1.5"):
        with pytest.raises(FinalityUnknown):
            Finality.parse(text)
    assert chain_urls("http://a:1, https://b/x/ ,") == ["http://a:1", "https://b/x"]
    for text in ("", "ftp://a", "http://", "http://a b", "a:8545"):
        with pytest.raises(ChainUrlMalformed):
            chain_urls(text)


def test_a_lower_head_is_refused_until_the_chain_must_have_gone_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    height = Height(lag_s_max=0.0)
    height.require(10)
    height.require(9)
    assert "gone back from block 10 to 9" in caplog.text
    patient = Height(lag_s_max=1_000)
    patient.seen(10)
    with pytest.raises(ChainBehind) as refusal:
        patient.require(9)
    assert refusal.value.facts == {"block": 9, "seen_block": 10}
    patient.require(10)
