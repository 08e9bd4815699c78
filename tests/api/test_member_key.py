"""The member's key: the way from a sign-in to the binary gateway."""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import uuid4

import pytest

from api.members import BinaryGatewayClosed, MemberKeys
from chain.deployment import Deployment
from chain.units import UnitId
from exchange.binary import BinaryClient, member_key
from exchange.binary.refusals import GatewayRefused
from exchange.core import records
from exchange.core.codes import Side
from tests.support.actors import Actor, fresh
from tests.support.filing import refused
from tests.support.market import UNIT
from tests.support.stack import Stack


def _key(actor: Actor) -> dict[str, str | int]:
    response = actor.request("POST", "/my/member-key")
    assert response.status_code == 200, response.text
    found: dict[str, str | int] = response.json()
    return found


def _connect(said: dict[str, str | int], account: str, key: str) -> BinaryClient:
    return BinaryClient(
        str(said["host"]),
        int(said["port"]),
        bytes.fromhex(account[2:]),
        bytes.fromhex(key),
        chain_id=int(said["chain_id"]),
        clearing=bytes.fromhex(str(said["clearing"])[2:]),
    )


def test_an_order_sent_with_the_key_is_the_accounts_own(market: Stack) -> None:
    trader, order_id = market.open_account("trader:binary", "trader"), uuid4()
    market.actor("bank").done(fresh("mints"), {"credits": [{"account": trader.address, "amount_fen": 1_000}]})
    trader.done(fresh("deposits"), {"asset": "cash", "amount": 1_000})
    said = _key(trader)
    with _connect(said, trader.address, str(said["key"])) as client:
        number = client.instruments[UnitId.parse(UNIT).value].number
        while True:  # the deposit is credited a moment later
            client.send(records.new_order(order_id.bytes, 0, number, Side.BUY, 1, 10))
            if trader.request("GET", f"/orders/{order_id}").status_code == 200:
                break
            client.receive()
    found = trader.get(f"/orders/{order_id}")
    assert (found["status"], found["quantity_t"], found["price_fen"]) == ("open", 1, 10)
    assert trader.request("DELETE", f"/orders/{order_id}").json()["status"] == "cancelled"


def test_the_key_is_the_same_each_time_and_another_accounts_another(market: Stack) -> None:
    firm, other = market.actor("firm:A"), market.actor("firm:B")
    said = _key(firm)
    assert _key(firm) == said
    assert _key(other)["key"] != said["key"]
    assert said["account"] == firm.address
    assert said["clearing"] == market.app.state.services.transactor.deployment.addresses["Clearing"]
    with pytest.raises(GatewayRefused) as refusal:
        _connect(said, other.address, str(said["key"]))
    assert refusal.value.facts["reason"] == "PROOF_WRONG"


def test_what_the_api_shares_with_the_exchange_opens_no_members_session(market: Stack) -> None:
    firm = market.actor("firm:A")
    account = bytes.fromhex(firm.address[2:])
    key = member_key(market.keyring.secret("exchange-gateway"), account).hex()
    said = _key(firm)
    assert key != said["key"]
    with pytest.raises(GatewayRefused):
        _connect(said, firm.address, key)


def test_the_key_is_kept_by_no_cache_and_written_into_no_log(
    market: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = market.actor("firm:A").request("POST", "/my/member-key")
    assert response.headers["cache-control"] == "no-store"
    key = response.json()["key"]
    assert key not in caplog.text
    keys: MemberKeys = market.app.state.services.member_keys
    assert keys.secret.hex() not in repr(keys)
    for file in (market.data / "exchange").rglob("*"):
        assert not file.is_file() or bytes.fromhex(key) not in file.read_bytes(), file


def test_who_does_not_trade_gets_no_key(market: Stack) -> None:
    for label in ("regulator", "exchange", "verifier:V", "person:Li", "nobody"):
        refusal = market.actor(label).request("POST", "/my/member-key")
        assert refused(refusal)[:2] == (403, "RoleForbidden"), label
    assert refused(market.http.post("/my/member-key"))[:2] == (401, "TokenMissing")


def test_a_frozen_account_gets_no_key(market: Stack) -> None:
    trader = market.open_account("trader:frozen-key", "trader")
    freeze = {"account": trader.address, "frozen": True}
    market.actor("regulator").done(fresh("freezes"), freeze)
    assert refused(trader.request("POST", "/my/member-key"))[:2] == (409, "AccountFrozen")
    market.actor("regulator").done(fresh("freezes"), freeze | {"frozen": False})
    assert len(str(_key(trader)["key"])) == 64


def test_without_a_binary_gateway_there_is_no_key(market: Stack) -> None:
    note = market.data / "exchange" / "binary.json"
    content = note.read_bytes()
    note.unlink()
    try:
        refusal = market.actor("firm:A").request("POST", "/my/member-key")
    finally:
        note.write_bytes(content)
    assert refused(refusal)[:2] == (404, "BinaryGatewayClosed")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"host": "h", "port": "x"}', b'"text"'])
def test_a_note_that_says_nothing_is_a_gateway_that_is_closed(tmp_path: Path, content: bytes) -> None:
    note = tmp_path / "binary.json"
    note.write_bytes(content)
    keys = MemberKeys(Deployment(1, 1, {"Clearing": "0x" + "11" * 20}), note, b"s" * 32)
    with pytest.raises(BinaryGatewayClosed):
        keys.of("0x" + "22" * 20)
