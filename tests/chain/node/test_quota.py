"""The quota: a lot at once or a little for ever, for each sender, and for all new ones together."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node import builder
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.quota import GAS_A_MS, NEWCOMER_PART, NEWCOMERS, Quota, QuotaRule, SenderQuotaExceeded
from chain.node.transactions import Transaction, decode
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hexed, signed

LARGE = QuotaRule(gas_per_second=1_000, burst_gas=1_000_000)
RULE = QuotaRule(gas_per_second=1_000, burst_gas=100_000)


class Moment:
    """A clock that stands until it is moved."""

    ms = 5_000

    def __call__(self) -> int:
        return self.ms


@cache
def transaction(gas: int, key: int = 0, nonce: int = 0) -> Transaction:
    return decode(signed(key, nonce, ADDRESSES[3], gas=gas), DEFAULT_CHAIN_ID)


def test_what_was_not_used_is_given_back_and_the_rest_frees_with_time() -> None:
    now = Moment()
    quota = Quota(RULE, now_ms=now)
    sender = transaction(100_000).sender
    quota.reserve(transaction(100_000), newcomer=False)
    quota.release(transaction(100_000), 30_000)
    assert quota.used_gas(sender) == 30_000
    now.ms += 10_000
    assert quota.used_gas(sender) == 20_000
    now.ms += 60_000
    assert quota.used_gas(sender) == 0


def test_the_refusal_says_when_to_try_again_and_then_it_is_taken() -> None:
    now = Moment()
    quota = Quota(RULE, now_ms=now)
    quota.reserve(transaction(80_000), newcomer=False)
    with pytest.raises(SenderQuotaExceeded) as refusal:
        quota.reserve(transaction(50_000, nonce=1), newcomer=False)
    assert refusal.value.retry_after_ms == 30_000
    assert (refusal.value.used_gas, refusal.value.limit_gas) == (80_000, 100_000)
    now.ms += 29_999
    with pytest.raises(SenderQuotaExceeded):
        quota.reserve(transaction(50_000, nonce=1), newcomer=False)
    now.ms += 1
    quota.reserve(transaction(50_000, nonce=1), newcomer=False)


def test_more_than_the_burst_is_never_taken() -> None:
    with pytest.raises(SenderQuotaExceeded, match="never") as refusal:
        Quota(RULE, now_ms=Moment()).reserve(transaction(100_001), newcomer=False)
    assert refusal.value.retry_after_ms is None


def test_all_newcomers_share_one_bucket() -> None:
    quota = Quota(LARGE, now_ms=Moment())
    part = LARGE.burst_gas // NEWCOMER_PART
    for nonce in range(NEWCOMERS * NEWCOMER_PART):
        quota.reserve(transaction(part, key=nonce % 3, nonce=nonce), newcomer=True)
    with pytest.raises(SenderQuotaExceeded, match="new senders together"):
        quota.reserve(transaction(part, key=3), newcomer=True)
    quota.reserve(transaction(part, key=3), newcomer=False)


def test_a_newcomer_asks_for_no_more_than_a_part_at_once() -> None:
    quota = Quota(LARGE, now_ms=Moment())
    with pytest.raises(SenderQuotaExceeded, match=r"new sender 0x.*never"):
        quota.reserve(transaction(LARGE.burst_gas // NEWCOMER_PART + 1), newcomer=True)


def test_time_counts_as_gas_and_who_took_too_much_waits_until_it_is_down() -> None:
    now = Moment()
    quota = Quota(LARGE, now_ms=now)
    first, second = transaction(500_000), transaction(400_000, nonce=1)
    quota.reserve(first, newcomer=False)
    quota.reserve(second, newcomer=False)
    assert not quota.in_debt
    quota.release(first, 21_000, work_ms=30)
    assert quota.used_gas(first.sender) == 30 * GAS_A_MS + 400_000
    assert quota.in_debt
    refusal = quota.overdrawn(second)
    assert refusal is not None
    assert (refusal.used_gas, refusal.retry_after_ms) == (1_500_000, 900_000)
    now.ms += 900_000
    assert quota.overdrawn(second) is None
    assert not quota.in_debt


def test_operators_are_not_rationed() -> None:
    quota = Quota(RULE, frozenset({transaction(21_000).sender}), Moment())
    for nonce in range(10):
        quota.reserve(transaction(90_000, nonce=nonce), newcomer=False)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.integers(21_000, 100_000), st.integers(0, 40_000), st.integers(0, 20_000)
        ),
        max_size=40,
    )
)
def test_nobody_ever_uses_more_than_burst_and_rate_allow(acts: list[tuple[int, int, int, int]]) -> None:
    now = Moment()
    started = now.ms
    quota = Quota(RULE, now_ms=now)
    used = [0, 0]
    for nonce, (key, gas, spent, passed_ms) in enumerate(acts):
        now.ms += passed_ms
        each = transaction(gas, key, nonce)
        try:
            quota.reserve(each, newcomer=False)
        except SenderQuotaExceeded:
            continue
        quota.release(each, min(spent, gas))
        used[key] += min(spent, gas)
        allowed = RULE.burst_gas + RULE.gas_per_second * (now.ms - started) // 1_000
        assert used[key] <= allowed + 1 * len(acts)  # each look rounds down to whole gas


# On the node


def sent(rpc: LocalRpc, *raws: bytes) -> list[Any]:
    return rpc.batch(*[("eth_sendRawTransaction", [hexed(raw)]) for raw in raws])


def test_a_flood_is_refused_before_the_pool_with_its_numbers(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, quota=QuotaRule(1, 2_000_000), test_methods=False)
    rpc.send(signed(0, 0, ADDRESSES[1], gas=100_000))  # known from here on
    answers = sent(rpc, *[signed(0, nonce, ADDRESSES[1], gas=1_000_000) for nonce in range(1, 4)])
    assert [isinstance(answer, str) for answer in answers] == [True, True, False]
    assert answers[2]["code"] == -32005
    assert answers[2]["message"].startswith("sender quota exceeded: ")
    numbers = {name: int(value, 16) for name, value in answers[2]["data"].items() if name != "retryAfterMs"}
    assert numbers["limitGas"] == 2_000_000
    assert numbers["usedGas"] + numbers["askedGas"] > numbers["limitGas"]
    assert answers[2]["data"]["retryAfterMs"] > 0
    # What was reserved for the first two came back when they were mined, so there is room again.
    assert isinstance(sent(rpc, signed(0, 3, ADDRESSES[1], gas=1_000_000))[0], str)
    rpc.close()


def test_sending_the_same_again_costs_nothing(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, quota=QuotaRule(1, 2_000_000), test_methods=False)
    waiting = signed(0, 1, ADDRESSES[1], gas=100_000)
    for _ in range(110):
        assert isinstance(sent(rpc, waiting)[0], str)
    rpc.close()


def test_a_refused_transaction_gives_its_gas_back(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, quota=QuotaRule(1, 1_000_000), test_methods=False)
    rpc.send(signed(0, 0, ADDRESSES[1], gas=100_000))
    for _ in range(10):
        _, message = rpc.refusal("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[2], gas=900_000)))
        assert message.startswith("nonce too low")
    assert isinstance(sent(rpc, signed(0, 1, ADDRESSES[1], gas=900_000))[0], str)
    rpc.close()


def test_without_a_rule_nobody_is_rationed(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    answers = sent(rpc, *[signed(1, nonce, counter, gas=100_000_000) for nonce in range(20)])
    assert all(isinstance(each, str) for each in answers)


def test_who_holds_up_the_node_is_refused_the_rest_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rpc = LocalRpc(tmp_path, quota=QuotaRule(1, 3_000_000), test_methods=False)
    for key in (0, 1):
        rpc.send(signed(key, 0, ADDRESSES[2], gas=30_000))  # no newcomers any more
    monkeypatch.setattr(builder, "BLOCK_SECONDS", -1.0)  # one transaction a block
    monkeypatch.setattr(builder, "_ms_since", lambda _: 100)  # each takes 5,000,000 gas worth of time
    flood = [signed(0, nonce, ADDRESSES[2], gas=700_000) for nonce in range(1, 5)]
    *answers, quiet = sent(rpc, *flood, signed(1, 1, ADDRESSES[2], gas=30_000))
    assert rpc.call("eth_getTransactionReceipt", answers[0])["status"] == "0x1"
    assert [answer["code"] for answer in answers[1:]] == [-32005] * 3
    assert all(answer["message"].startswith("sender quota exceeded") for answer in answers[1:])
    assert rpc.call("eth_getTransactionReceipt", quiet)["status"] == "0x1"
    assert rpc.refusal("eth_sendRawTransaction", hexed(flood[1]))[0] == -32005
    assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    rpc.close()
