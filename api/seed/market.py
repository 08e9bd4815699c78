"""The seeded market, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from api.custody import Custody
from api.cycle.clock import OwnClock
from api.cycle.market import Market
from api.seed import people, registry, trading
from api.stack.handle import StackHandle
from api.stack.paths import read_json, write_json


def seed_market(stack: StackHandle, on_step: Callable[[str], None]) -> None:
    """Fill a new market; one that is filled already is left as it is.

    Raises
    ------
    Refusal :
        An act that the market does not take: it was not made by this seed, or it does not answer.
    """
    if read_json(stack.data.seed).get("done"):
        return
    evidence = stack.evidence()
    custody = Custody(evidence, stack.data.evidence)
    with stack.exchange_client() as exchange, closing(custody):
        clock = OwnClock(stack.rpc())
        market = Market("seed", stack.keyring, stack.transactor(), exchange, evidence, custody, clock)
        founded_utc = registry.founded_utc(market)
        period = datetime.fromtimestamp(founded_utc, UTC).year
        on_step("opening accounts")
        registry.open_accounts(market)
        on_step(f"publishing the period {period} and its allocation")
        registry.publish_and_allocate(market, period)
        on_step("filing and verifying an emission report")
        registry.report_and_verify(market, period)
        on_step("issuing offsets")
        registry.issue_offsets(market, period)
        on_step("depositing cash and tonnes")
        trading.deposit(market, period)
        on_step("placing orders")
        trading.trade(market, period, on_step)
        on_step("handing in green acts")
        people.earn_points(market, stack.api_url, founded_utc, on_step)
    write_json(stack.data.seed, {"done": True, "period": period, "at_utc": int(time.time())})
