"""How the exchange writes names in text: accounts, ids, units, hashes, refusals.

What comes from outside is looked at here, then believed.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

import orjson
from eth_utils.address import to_checksum_address

from chain.refusals import Fact, Refusal
from chain.units import UnitId
from exchange.core.codes import CASH, INT63_MAX
from exchange.refusals import CommandMalformed

CASH_TEXT: Final = "cash"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


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
