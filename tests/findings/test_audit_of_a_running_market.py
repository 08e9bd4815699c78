"""Found: the audit of a market that goes on meanwhile cried tampering where there was none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest

from api.audit.run import audit, stores_of
from api.stack.stack import Stack
from chain.units import UnitId
from exchange.client import list_instrument, place_order, request_withdrawal
from registry import acts
from registry.accounts import AccountKind, Profile, profile_hash

PERIOD, FAR_UTC = 2030, 2**40
UNIT = UnitId.allowance(PERIOD)
SELLER, BUYER = "firm:seller", "firm:buyer"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(
        tmp_path_factory.mktemp("running") / "state", with_api=False, epoch_seconds=0
    ) as running:
        prepare(running)
        yield running


def prepare(stack: Stack) -> None:
    transactor, keyring = stack.transactor(), stack.keyring
    clearing = stack.deployment.addresses["Clearing"]
    seller, buyer = keyring.signer(SELLER), keyring.signer(BUYER)
    profile = Profile("Anyone", AccountKind.FIRM)
    stack.evidence().put(profile.content())
    openings = [
        acts.Opening(each.address, AccountKind.FIRM, profile_hash(profile)) for each in (seller, buyer)
    ]
    transactor.send(keyring.signer("registrar"), acts.open_accounts(openings))
    regulator = keyring.signer("regulator")
    transactor.send(regulator, acts.publish_period(acts.PeriodRules(PERIOD, FAR_UTC, 10**6, 0, 1)))
    transactor.send(regulator, acts.allocate(PERIOD, [(seller.address, 10**6)], uuid4()))
    transactor.send(keyring.signer("bank"), acts.mint_cash([(buyer.address, 10**6)], uuid4()))
    units, cash = uuid4(), uuid4()
    transactor.send(seller, acts.deposit_units(seller.address, clearing, UNIT, 10**6, units))
    transactor.send(buyer, acts.deposit_cash(clearing, 10**6, cash))
    with stack.exchange_client() as exchange:
        exchange.await_deposits(seller.address, [units])
        exchange.await_deposits(buyer.address, [cash])
        exchange.do(list_instrument(UNIT.text))


class Going:
    """A market that trades, settles and pays out, and an indexer that follows, until it is told to stop."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._trade), threading.Thread(target=self._follow)]
        self.failures: list[BaseException] = []

    def __enter__(self) -> Going:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _trade(self) -> None:
        seller, buyer = (self._stack.keyring.signer(label).address for label in (SELLER, BUYER))
        try:
            with self._stack.exchange_client() as exchange:
                while not self._over.is_set():
                    exchange.do(place_order(uuid4(), seller, UNIT.text, "sell", 2, 3))
                    exchange.do(place_order(uuid4(), buyer, UNIT.text, "buy", 2, 3))
                    exchange.do(request_withdrawal(uuid4(), buyer, UNIT.text, 1))
                    exchange.close_epoch()
        except Exception as failure:  # noqa: BLE001 - the test's own thread tells of whatever ended it
            self.failures.append(failure)

    def _follow(self) -> None:
        try:
            projection, reader = stores_of(self._stack).projection, self._stack.events()
            while not self._over.is_set():
                projection.catch_up(reader)
        except Exception as failure:  # noqa: BLE001 - the test's own thread tells of whatever ended it
            self.failures.append(failure)


def test_a_market_that_goes_on_is_clean(stack: Stack) -> None:
    with Going(stack) as going:
        reports = [audit(stores_of(stack)) for _ in range(6)]
    assert going.failures == []
    assert [report.findings for report in reports] == [[]] * 6
    assert reports[0].looked_at["epochs"] < reports[-1].looked_at["epochs"]


def test_a_report_that_nobody_accepted_needs_no_evidence(stack: Stack) -> None:
    nothing = b"\0" * 31 + b"\1"
    stack.transactor().send(
        stack.keyring.signer(SELLER), acts.file_report(uuid4(), PERIOD, nothing, nothing, 5)
    )
    report = audit(stores_of(stack))
    assert (report.findings, report.looked_at["reports without a statement"]) == ([], 1)
