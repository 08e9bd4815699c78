"""Between JSON and the engine's own words. What comes from outside is looked at here, then believed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

import orjson
from eth_utils.address import to_checksum_address

from chain.refusals import Fact, Refusal
from chain.units import UnitId
from exchange.commands import (
    CASH,
    INT63_MAX,
    CancelOrder,
    Command,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    RequestWithdrawal,
    Side,
)
from exchange.refusals import AmountOutOfRange, CommandMalformed, PriceOutOfRange, QuantityOutOfRange
from exchange.reports import Report

CASH_TEXT: Final = "cash"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SIDES: Final = {side.name.lower(): side for side in Side}
_KINDS: Final = {kind.name.lower(): kind for kind in OrderKind}


# --- words ---


def uuid_bytes(text: object, field: str) -> bytes:
    """Read a UUID in its usual form; raises CommandMalformed."""
    if not isinstance(text, str) or _UUID.fullmatch(text) is None:
        raise CommandMalformed(field=field, reason="a UUID is expected")
    return bytes.fromhex(text.replace("-", ""))


def uuid_text(sixteen: bytes) -> str:
    """Write a UUID in its usual form."""
    text = sixteen.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=65_536)
def account_text(account: bytes) -> str:
    """Write an address as EIP-55 has it."""
    return str(to_checksum_address(account))


def account_bytes(text: object, field: str = "account") -> bytes:
    """Read an address; raises CommandMalformed, also where the checksum does not fit."""
    if not isinstance(text, str) or _ACCOUNT.fullmatch(text) is None:
        raise CommandMalformed(field=field, reason="an address is expected: 0x and 40 hex digits")
    account = bytes.fromhex(text[2:])
    mixed = text[2:] not in {text[2:].lower(), text[2:].upper()}
    if mixed and text != account_text(account):
        raise CommandMalformed(field=field, reason="the address is misspelled: its checksum does not fit")
    return account


@lru_cache(maxsize=4_096)
def unit_value(text: str) -> int:
    """Read a unit's code; raises UnitMalformed."""
    return UnitId.parse(text).value


@lru_cache(maxsize=4_096)
def asset_text(asset: int) -> str:
    """Write a unit's code, or "cash"."""
    return CASH_TEXT if asset == CASH else UnitId.of(asset).text


def hex_text(value: bytes) -> str:
    """Write bytes as `0x` text."""
    return "0x" + value.hex()


# --- commands in ---


def parse_command(body: object, now_us: int) -> Command:
    """Read one command of a client.

    Parameters
    ----------
    body :
        `{"command": "PlaceOrder", ...}`: docs/spec/04-exchange.md. Only what clients may say: deposits and
        settlements come from the chain alone.
    now_us :
        The sequencer's time, put into the command.

    Raises
    ------
    Refusal :
        CommandMalformed with the field, UnitMalformed, or the range that a number is out of.
    """
    if not isinstance(body, dict):
        raise CommandMalformed(field="", reason="an object is expected")
    name = body.get("command")
    parser = _PARSERS.get(name) if isinstance(name, str) else None
    if parser is None:
        raise CommandMalformed(field="command", reason=f"one of {', '.join(_PARSERS)} is expected")
    known, parse = parser
    if body.keys() != known:
        unknown, missing = sorted(map(str, body.keys() - known)), sorted(known - body.keys())
        if unknown:
            raise CommandMalformed(field=unknown[0][:80], reason="this field is unknown")
        if missing != ["price_fen"]:  # a market order has none
            raise CommandMalformed(field=missing[0], reason="this field is missing")
    return parse(body, now_us)


def _unit(body: Mapping[str, Any], field: str = "unit") -> int:
    text = body[field]
    if not isinstance(text, str):
        raise CommandMalformed(field=field, reason="a unit's code is expected")
    return unit_value(text)


def _asset(body: Mapping[str, Any]) -> int:
    return CASH if body["asset"] == CASH_TEXT else _unit(body, "asset")


def _integer(body: Mapping[str, Any], field: str) -> int:
    value = body[field]
    if type(value) is not int:
        raise CommandMalformed(field=field, reason="a whole number is expected")
    return value


def _quantity(body: Mapping[str, Any], field: str) -> int:
    value = _integer(body, field)
    if not 0 <= value <= INT63_MAX:
        raise QuantityOutOfRange(quantity_t=value, quantity_max_t=INT63_MAX)
    return value


def _price(body: Mapping[str, Any], field: str) -> int:
    value = _integer(body, field)
    if not 0 <= value <= INT63_MAX:
        raise PriceOutOfRange(price_fen=value, price_max_fen=INT63_MAX)
    return value


def _word(body: Mapping[str, Any], field: str, words: Mapping[str, Any]) -> Any:
    value = body[field]
    found = words.get(value) if isinstance(value, str) else None
    if found is None:
        raise CommandMalformed(field=field, reason=f"one of {', '.join(words)} is expected")
    return found


def _parse_place(body: Mapping[str, Any], now_us: int) -> Command:
    kind: OrderKind = _word(body, "kind", _KINDS)
    price_fen = 0
    if body.get("price_fen") is not None:
        price_fen = _price(body, "price_fen")
    elif kind is not OrderKind.MARKET:
        raise CommandMalformed(field="price_fen", reason="this field is missing")
    return PlaceOrder(
        uuid_bytes(body["order_id"], "order_id"),
        account_bytes(body["account"]),
        _unit(body),
        _word(body, "side", _SIDES),
        kind,
        _quantity(body, "quantity_t"),
        price_fen,
        now_us,
    )


def _parse_cancel(body: Mapping[str, Any], now_us: int) -> Command:
    return CancelOrder(uuid_bytes(body["order_id"], "order_id"), account_bytes(body["account"]), now_us)


def _parse_withdraw(body: Mapping[str, Any], now_us: int) -> Command:
    amount = _integer(body, "amount")
    if not 0 < amount <= INT63_MAX:
        raise AmountOutOfRange(amount=str(amount), amount_max=str(INT63_MAX))
    withdrawal_id = uuid_bytes(body["withdrawal_id"], "withdrawal_id")
    if not any(withdrawal_id):  # on chain that is no id but the mark of a forced exit
        raise CommandMalformed(field="withdrawal_id", reason="the nil UUID names nothing")
    return RequestWithdrawal(
        withdrawal_id,
        account_bytes(body["account"]),
        _asset(body),
        amount,
        now_us,
    )


def _parse_list(body: Mapping[str, Any], _now_us: int) -> Command:
    return ListInstrument(
        _unit(body),
        _price(body, "tick_fen"),
        _quantity(body, "lot_t"),
        _quantity(body, "quantity_max_t"),
    )


_PARSERS: Final[dict[str, tuple[frozenset[str], Callable[[Mapping[str, Any], int], Command]]]] = {
    "PlaceOrder": (
        frozenset(("command", "order_id", "account", "unit", "side", "kind", "quantity_t", "price_fen")),
        _parse_place,
    ),
    "CancelOrder": (frozenset(("command", "order_id", "account")), _parse_cancel),
    "RequestWithdrawal": (
        frozenset(("command", "withdrawal_id", "account", "asset", "amount")),
        _parse_withdraw,
    ),
    "ListInstrument": (
        frozenset(("command", "unit", "tick_fen", "lot_t", "quantity_max_t")),
        _parse_list,
    ),
}


# --- answers out ---


def _lower(value: Side | OrderKind) -> str:
    return value.name.lower()


_WRITERS: Final[dict[str, Callable[[Any], object]]] = {
    "order_id": uuid_text, "maker_order": uuid_text, "taker_order": uuid_text, "withdrawal_id": uuid_text,
    "account": account_text, "buyer": account_text, "seller": account_text,
    "unit": asset_text, "asset": asset_text,
    "side": _lower, "taker_side": _lower, "kind": _lower, "reason": _lower,
    "deposit_id": hex_text, "tape_root": hex_text, "tx_hash": hex_text,
}  # fmt: skip


def _as_it_is(value: Any) -> object:
    return value


Layout = tuple[tuple[str, Callable[[Any], object]], ...]
_LAYOUTS: Final[dict[type, Layout]] = {}


def _layout(record: Any) -> Layout:
    layout = tuple((field.name, _WRITERS.get(field.name, _as_it_is)) for field in fields(record))
    _LAYOUTS[type(record)] = layout
    return layout


def fields_json(record: Any) -> dict[str, Any]:
    """Write a dataclass of the engine by its field names, each in the form that its name says."""
    layout = _LAYOUTS.get(type(record)) or _layout(record)
    return {name: write(getattr(record, name)) for name, write in layout}


def report_json(report: Report) -> dict[str, Any]:
    """Write one report."""
    return {"report": type(report).__name__, **fields_json(report)}


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal: its code, its sentence, its numbers; beyond 63 bits as text, lest it be rounded."""
    facts = {name: _exact(fact) for name, fact in refusal.facts.items()}
    return {"code": refusal.code, "title": refusal.title, "facts": facts}


def _exact(fact: Fact) -> Fact:
    return str(fact) if isinstance(fact, int) and abs(fact) > INT63_MAX else fact


def to_bytes(document: object) -> bytes:
    """Write JSON; numbers beyond 64 bits too, only slower."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document, separators=(",", ":")).encode()
