"""A stack with a small market for the tests of the API, set up once and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.actors import fresh
from tests.support.market import DEADLINE_UTC, PERIOD, UNIT
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack on a fresh chain, without any account."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def market(stack: Stack) -> Stack:
    """The stack with a small market: firms with allowances and cash, a verifier, people, a listed unit."""
    for label in ("firm:A", "firm:B", "firm:C"):
        stack.open_account(label, "firm")
    stack.open_account("verifier:V", "verifier")
    stack.open_account("verifier:unaccredited", "verifier")
    stack.open_account("developer:D", "developer")
    stack.open_account("provider:metro", "provider")
    stack.open_account("person:Li", "person")
    regulator, bank = stack.actor("regulator"), stack.actor("bank")
    regulator.done(
        f"/periods/{PERIOD}",
        {"deadline_utc": DEADLINE_UTC, "cap_t": 1_000_000, "offset_cap_ppm": 50_000, "penalty_multiple": 5},
    )
    firms = [stack.actor(f"firm:{name}").address for name in "ABC"]
    allocations = [{"entity": entity, "quantity_t": 100_000} for entity in firms]
    regulator.done(fresh("allocations"), {"period": PERIOD, "allocations": allocations})
    verifier = stack.actor("verifier:V").address
    regulator.done(fresh("accreditations"), {"verifier": verifier, "until_utc": 2_000_000_000})
    provider = stack.actor("provider:metro").address
    regulator.done(fresh("provider-accreditations"), {"provider": provider, "accredited": True})
    paid_in = [{"account": entity, "amount_fen": 100_000_000} for entity in firms]
    bank.done(fresh("mints"), {"credits": paid_in})
    listed = stack.actor("exchange").put(
        f"/instruments/{UNIT}", {"tick_fen": 10, "lot_t": 1, "quantity_max_t": 90_000}
    )
    assert listed.status_code == 200, listed.text
    return stack
