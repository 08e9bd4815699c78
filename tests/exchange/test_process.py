"""The exchange as a process: what it acknowledged survives `kill -9`, and its clients see what happened."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest

from chain.deployment import Deployment
from chain.keys import Keyring
from chain.refusals import Refusal
from exchange.__main__ import GATEWAY_LABEL, main
from exchange.client import Command, ExchangeClient, Outcome, list_instrument, place_order
from exchange.journal import Identity, Journal
from exchange.recompute import rebuild
from exchange.refusals import ExchangeUnreachable, InsufficientCash, NotSignedIn, OrderUnknown, WaitedTooLong
from exchange.venue import Venue
from exchange.words import account_text
from tests.exchange.world import ACCOUNTS, ANNA, BERT, DORA, opening
from tests.support.processes import Child, running

UNIT = "allowance-2026"
PASSPHRASE = "a passphrase for tests"
NO_CHAIN = "http://127.0.0.1:9"  # nobody listens there: trading goes on, settling waits
A, B, D = account_text(ANNA), account_text(BERT), account_text(DORA)


class Desk:
    """A data directory whose accounts were funded before, and the exchange over it; there is no chain."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.journal = data / "exchange" / "journal"
        keyring = Keyring.create(data / "keys.json", PASSPHRASE)
        self.secret = keyring.secret(GATEWAY_LABEL).hex()
        clearing = account_text(b"\x11" * 20)
        Deployment(1337, 1, {"Clearing": clearing, "CarbonLedger": clearing}).save(data / "deployment.json")
        journal = Journal.open(self.journal, Identity(1337, b"\x11" * 20))
        assert list(journal.replay()) == []
        journal.append([opening(10**9, 10**9)])
        journal.close()

    @contextmanager
    def exchange(self) -> Iterator[tuple[ExchangeClient, Child]]:
        arguments = ["exchange", "--data", str(self.data), "--port", "0", "--chain-url", NO_CHAIN]
        with (
            running(arguments, {"CARAT_PASSPHRASE": PASSPHRASE}) as child,
            ExchangeClient(child.url, self.secret) as client,
        ):
            yield client, child


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeClient]:
    """One exchange for the tests that leave it running: a start is most of what they cost."""
    with Desk(tmp_path_factory.mktemp("shared")).exchange() as (client, _):
        client.do(list_instrument(UNIT))
        yield client


def random_orders(seed: int, count: int) -> list[Command]:
    random = Random(seed)
    return [
        place_order(
            UUID(int=random.getrandbits(128)),
            account_text(random.choice(ACCOUNTS)),
            UNIT,
            "buy" if random.random() < 0.5 else "sell",
            random.randint(1, 50),
            8_000 + random.randint(-20, 20),
        )
        for _ in range(count)
    ]


def test_kill_9_under_load_loses_no_acknowledged_order_and_does_none_twice(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commands = [list_instrument(UNIT), *random_orders(1, 6_000)]
    batches = [commands[start : start + 60] for start in range(0, len(commands), 60)]
    acknowledged: list[list[Outcome]] = []
    random = Random(2)
    for _ in range(2):
        with desk.exchange() as (client, child):
            # What was acknowledged before the crash is sent again first: the same answers have to come.
            for batch, answer in zip(batches, list(acknowledged), strict=False):
                assert _plain(client.submit(batch)) == _plain(answer)
            killer = threading.Timer(0.03 + random.random() / 8, child.kill)
            killer.start()
            with contextlib.suppress(ExchangeUnreachable):
                while len(acknowledged) < len(batches):
                    acknowledged.append(client.submit(batches[len(acknowledged)]))
            killer.join()
    assert len(acknowledged) > 0
    with desk.exchange() as (client, _):
        final = [client.submit(batch) for batch in batches]
        assert [_plain(answer) for answer in final[: len(acknowledged)]] == [
            _plain(answer) for answer in acknowledged
        ]
        assert client.health()["orders"] == len(commands) - 1
    assert _tape(rebuild(desk.journal, rows=True)) == _tape(_clean_run(tmp_path_factory, commands))


def _plain(outcomes: list[Outcome]) -> list[object]:
    return [(each.code, each.facts) if isinstance(each, Refusal) else each for each in outcomes]


def _clean_run(directories: pytest.TempPathFactory, commands: list[Command]) -> Venue:
    """The same commands, sent once to an exchange that never falls."""
    other = Desk(directories.mktemp("clean"))
    with other.exchange() as (client, _):
        client.submit(commands)
    return rebuild(other.journal, rows=True)


def _tape(venue: Venue) -> list[tuple[bytes, bytes, int, int]]:
    trades = venue.history.trades_after(0, venue.history.trades)
    return [(each.maker_order, each.taker_order, each.price_fen, each.quantity_t) for each in trades]


def test_the_client_raises_typed_refusals(shared: ExchangeClient) -> None:
    with pytest.raises(InsufficientCash) as refusal:
        shared.do(place_order(uuid4(), D, UNIT, "buy", 10**6, 8_000))
    assert refusal.value.facts == {"available_fen": 10**9, "needed_fen": 8 * 10**9}
    with pytest.raises(OrderUnknown):
        shared.order(uuid4())
    with pytest.raises(NotSignedIn), ExchangeClient(shared.url, "wrong") as stranger:
        stranger.instruments()
    with pytest.raises(WaitedTooLong):
        shared.await_deposits(D, [uuid4()], timeout_s=0.1)
    assert len(shared.accounts()) == len(ACCOUNTS)


def test_trading_goes_on_without_a_chain_and_health_says_so(shared: ExchangeClient) -> None:
    shared.do(place_order(uuid4(), A, UNIT, "sell", 5, 8_000))
    shared.do(place_order(uuid4(), B, UNIT, "buy", 5, 8_000))
    answer = shared.close_epoch(wait=False)
    assert (answer["settled_epoch"], answer["done"]) == (0, False)
    with pytest.raises(WaitedTooLong) as refusal:
        shared.close_epoch(timeout_s=0.3)
    assert refusal.value.facts["settled_epoch"] == 0
    health = shared.health()
    assert health["status"] == "alarm"
    assert health["unsettled_trades"] >= 1
    assert health["alarms"][0]["code"] == "ChainUnreachable"
    assert {trade["state"] for trade in shared.all_trades()} == {"committed"}


async def test_the_stream_gives_a_snapshot_and_then_every_change(shared: ExchangeClient) -> None:
    shared.do(place_order(uuid4(), A, UNIT, "sell", 5, 8_500))
    stream = shared.stream([UNIT])
    snapshot = await anext(stream)
    assert (snapshot["type"], snapshot["asks"]) == ("snapshot", [[8_500, 5]])
    shared.do(place_order(uuid4(), B, UNIT, "buy", 2, 8_500))
    change = await anext(stream)
    assert (change["type"], change["sequence"]) == ("change", snapshot["sequence"] + 1)
    assert change["asks"] == [[8_500, 3]]
    assert change["trades"][0]["quantity_t"] == 2
    await stream.aclose()
    assert shared.close_epoch(wait=False)["epoch"] >= 1


async def test_it_stops_cleanly_while_somebody_waits_and_somebody_listens(desk: Desk) -> None:
    with desk.exchange() as (client, child):
        client.do(list_instrument(UNIT))
        waiting = threading.Thread(target=_wait_in_vain, args=(client,))
        waiting.start()
        stream = client.stream()
        assert (await anext(stream))["type"] == "snapshot"
        child.process.terminate()
        with pytest.raises(ExchangeUnreachable):
            await anext(stream)
        assert await asyncio.to_thread(child.process.wait, 20) == 0
        await asyncio.to_thread(waiting.join)


def _wait_in_vain(client: ExchangeClient) -> None:
    with pytest.raises(ExchangeUnreachable):
        client.await_deposits(A, [uuid4()], timeout_s=30)


def test_what_cannot_start_says_why(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--data", str(desk.data), "--chain-url", NO_CHAIN]
    monkeypatch.setenv("CARAT_PASSPHRASE", "wrong")
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: KeyringLocked")
    monkeypatch.setenv("CARAT_PASSPHRASE", PASSPHRASE)
    content = bytearray(desk.journal.read_bytes())
    content[200] ^= 1
    desk.journal.write_bytes(content)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: JournalCorrupt: frame=1 offset=64")
    assert main(["--data", str(desk.data / "nowhere"), "--chain-url", NO_CHAIN]) == 2
    assert capsys.readouterr().err.startswith("error: DeploymentMissing")
