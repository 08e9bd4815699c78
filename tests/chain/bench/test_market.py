"""The benchmark checks its own work: a transfer that is lost, or done twice, ends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chain.bench.calls import _percentile
from chain.bench.chains import Chain, running_carat
from chain.bench.logs import TOPIC_VALUES, open_log_chain
from chain.bench.market import Market, open_market
from chain.bench.settlement import KEYRING as SETTLEMENT_KEYS
from chain.bench.settlement import OPERATORS, PRICE_FEN, UNITS, ClearingMarket, open_clearing
from chain.bench.transfers import in_batches, one_by_one
from chain.bench.wire import BenchAnswerWrong


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    operators = [SETTLEMENT_KEYS.signer(label).address for label in OPERATORS]
    with running_carat(tmp_path_factory.mktemp("bench"), operators) as running:
        yield running


@pytest.fixture(scope="module")
def market(chain: Chain) -> Market:
    return open_market(chain.wire(), 0, 16)


def test_transfers_end_where_the_ledger_says(chain: Chain, market: Market) -> None:
    one_by_one(chain, market, list(market.transfers(20)))
    in_batches(chain, market, list(market.transfers(40)))
    market.check_balances()
    assert sum(market.sent.values()) == 16 * 1_000_000


def test_a_transfer_that_was_never_sent_is_noticed(market: Market) -> None:
    nonces, sent = [firm.nonce for firm in market.firms], dict(market.sent)
    list(market.transfers(3))
    with pytest.raises(BenchAnswerWrong):
        market.check_balances()
    market.sent = sent
    for firm, nonce in zip(market.firms, nonces, strict=True):
        firm.nonce = nonce
    market.check_balances()


def test_a_transfer_that_fails_is_noticed(chain: Chain, market: Market) -> None:
    raw = market.sign(market.firms[0], market.addresses["CarbonLedger"], b"\xde\xad\xbe\xef", 100_000)
    with pytest.raises(BenchAnswerWrong):
        one_by_one(chain, market, [raw])


def test_logs_are_found_and_missing_ones_noticed(chain: Chain) -> None:
    logs = open_log_chain(chain.wire(), 0)
    logs.fill(2 * TOPIC_VALUES + 100, lambda _step: None)
    assert logs.query_ms(7) > 0
    logs.logs += TOPIC_VALUES
    with pytest.raises(BenchAnswerWrong):
        logs.query_ms(7)


@pytest.fixture(scope="module", params=[6, 7])
def clearing(
    chain: Chain, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClearingMarket]:
    operators = [SETTLEMENT_KEYS.signer(label).address for label in OPERATORS]
    with running_carat(tmp_path_factory.mktemp("clearing"), operators) as running:
        yield open_clearing(running, request.param)


def test_an_epoch_nets_to_nothing_and_moves_every_firm(clearing: ClearingMarket) -> None:
    deltas = clearing.epoch()
    for unit in UNITS:
        of_unit = [delta for delta in deltas if delta[1] == unit.value]
        assert sum(quantity_t for _, _, quantity_t, _ in of_unit) == 0
        assert sum(cash_fen for _, _, _, cash_fen in of_unit) == 0
        assert all(cash_fen == -quantity_t * PRICE_FEN for _, _, quantity_t, cash_fen in of_unit)
        assert len(of_unit) == len(clearing.market.firms)


def test_an_epoch_that_was_settled_and_one_that_was_not(clearing: ClearingMarket) -> None:
    before, deltas = clearing.balances(), clearing.epoch()
    clearing.require_settled(before, [])
    clearing.settle(1, deltas)
    assert clearing.progress() == (1, 0)
    clearing.require_settled(before, [deltas])
    with pytest.raises(BenchAnswerWrong):
        clearing.require_settled(before, [deltas, deltas])


def test_percentiles_are_by_the_nearest_rank() -> None:
    hundred = list(range(1, 101))
    assert [_percentile(hundred, percent) for percent in (50, 99, 100)] == [50, 99, 100]
    assert _percentile([7.0], 99) == 7.0
