"""The people's part, through the API as anyone uses it: acts handed in, points published and claimed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from api.client import ApiClient
from api.cycle.market import Market
from api.seed import members
from chain.ids import request_id
from chain.refusals import ChainUnreachable
from registry.personal.acts import ActBatch, GreenAct, sign_batch
from registry.signing import Domain

_EPOCH: Final = 1
_REWARD: Final = "custom-bus-day-pass"
_REDEEMED_G: Final = 2_000
_DAY_S: Final = 24 * 3600
_TABLES_S_MAX: Final = 60
_KIND: Final = "custom-bus"
# Who rode on how many of the last days, out and home.
_DAYS: Final = ((members.PEOPLE[0], 3), (members.PEOPLE[1], 2), (members.PEOPLE[2], 1))


def earn_points(market: Market, api_url: str, founded_utc: int, on_step: Callable[[str], None]) -> None:
    """Let the bus company hand in a week's trips, and one of its passengers claim and redeem.

    Parameters
    ----------
    founded_utc :
        When the chain was set up, unix seconds: the trips were on the days before.
    """
    batch = _batch(market, founded_utc)
    addresses = market.transactor.deployment.addresses
    domain = Domain(market.transactor.deployment.chain_id, addresses["MicroCarat"])
    signature = sign_batch(batch, domain, market.signer(members.BUS))
    with ApiClient(api_url) as api:
        _await_tables(api)
        bus = api.sign_in(market.signer(members.BUS))
        body = {"acts": [act.document() for act in batch.acts], "signature": "0x" + signature.hex()}
        bus.ask("PUT", f"/act-batches/{market.id_of('acts')}", body)
        on_step("publishing what the people earned")
        api.sign_in(market.signer("points")).perform(f"/points/epochs/{_EPOCH}", {})
        person = api.sign_in(market.signer(members.PEOPLE[0]))
        person.perform(f"/claims/{_EPOCH}", {})
        redemption = {"quantity_g": _REDEEMED_G, "reward": _REWARD}
        person.perform(f"/redemptions/{market.id_of('redemption')}", redemption)


def _await_tables(api: ApiClient) -> None:
    """Wait until the API's tables have what was done on chain just before; raises ChainUnreachable."""
    until_s = time.monotonic() + _TABLES_S_MAX
    while api.ask("GET", "/health")["behind_blocks"] != 0:
        if time.monotonic() > until_s:
            raise ChainUnreachable(waited_s=_TABLES_S_MAX)
        time.sleep(0.05)


def _batch(market: Market, founded_utc: int) -> ActBatch:
    bus = market.address(members.BUS)
    trips = [
        GreenAct(bus, f"{label}/{day}/{way}", market.address(label), _KIND, 1, founded_utc - day * _DAY_S)
        for label, days in _DAYS
        for day in range(1, days + 1)
        for way in ("out", "home")
    ]
    return ActBatch(request_id(market.id_of("acts")), bus, tuple(trips))
