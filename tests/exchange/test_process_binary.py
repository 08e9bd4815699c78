"""The exchange as a process with its binary gateway: where it listens, who opens it, how it stops."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from chain.keys import Keyring
from chain.units import UnitId
from exchange.__main__ import main
from exchange.binary import MEMBERS_LABEL, BinaryClient, member_key
from exchange.client import ExchangeClient, list_instrument
from exchange.core import records
from exchange.core.codes import ReportKind, Side
from exchange.core.records import reports_of
from tests.exchange.test_process import NO_CHAIN, PASSPHRASE, UNIT, Desk
from tests.exchange.world import ANNA
from tests.support.processes import Child, running


@contextmanager
def _exchange(desk: Desk, *more: str) -> Iterator[tuple[ExchangeClient, Child]]:
    arguments = ["exchange", "--data", str(desk.data), "--port", "0", "--chain-url", NO_CHAIN, *more]
    with (
        running(arguments, {"CARAT_PASSPHRASE": PASSPHRASE}) as child,
        ExchangeClient(child.url, desk.secret) as client,
    ):
        yield client, child


def _note(desk: Desk) -> Path:
    return desk.data / "exchange" / "binary.json"


def _member(desk: Desk, label: str = MEMBERS_LABEL, *, cancel_on_disconnect: bool = False) -> BinaryClient:
    note = json.loads(_note(desk).read_text())
    secret = Keyring.open(desk.data / "keys.json", PASSPHRASE).secret(label)
    return BinaryClient(
        note["host"],
        note["port"],
        ANNA,
        member_key(secret, ANNA),
        chain_id=1337,
        clearing=b"\x11" * 20,
        cancel_on_disconnect=cancel_on_disconnect,
    )


def _buy(member: BinaryClient, order_id: UUID) -> None:
    number = member.instruments[UnitId.parse(UNIT).value].number
    member.send(records.new_order(order_id.bytes, 0, number, Side.BUY, 5, 7_000))
    reports = list(reports_of(member.receive()))
    assert [each.kind for each in reports] == [ReportKind.ACCEPTED, ReportKind.RESTED]


def test_a_clean_stop_cancels_the_orders_of_who_asked_for_it_and_leaves_no_address(tmp_path: Path) -> None:
    desk, kept, gone = Desk(tmp_path), uuid4(), uuid4()
    with _exchange(desk, "--binary-port", "0") as (client, child):
        client.do(list_instrument(UNIT))
        with _member(desk) as stays:
            _buy(stays, kept)
        assert client.order(kept)["status"] == "open"
        with _member(desk, cancel_on_disconnect=True) as leaves:
            _buy(leaves, gone)
            child.process.terminate()
            assert child.process.wait(20) == 0
    assert not _note(desk).exists()
    with _exchange(desk) as (client, _):
        assert not _note(desk).exists()
        orders = [client.order(each) for each in (kept, gone)]
        assert [(each["status"], each["cancelled"]) for each in orders] == [("cancelled", "mass")] * 2


def test_an_address_that_a_crash_left_behind_is_taken_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with _exchange(desk, "--binary-port", "0") as (_, child):
        child.kill()
    assert _note(desk).exists()
    with _exchange(desk):
        assert not _note(desk).exists()


def test_a_taken_port_is_said_and_nothing_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setenv("CARAT_PASSPHRASE", PASSPHRASE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--data", str(desk.data), "--chain-url", NO_CHAIN, "--binary-port", port]
        assert main(arguments) == 2
    assert "address already in use" in capsys.readouterr().err.lower()
    assert not _note(desk).exists()
