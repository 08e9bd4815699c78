"""Documents: canonical JSON, so that one document has one form and one hash.

Canonical here: UTF-8, keys sorted, no space, no float, no duplicate key. What is hashed is what is stored;
reading refuses a spelling that writing would not give.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import orjson

from registry.refusals import DocumentMalformed

Json: TypeAlias = bool | int | str | Sequence["Json"] | Mapping[str, "Json"] | None

_SIZE_MAX_BYTES: Final = 32 * 1024 * 1024
_DEPTH_MAX: Final = 64


def canonical(value: Json) -> bytes:
    """Return the one spelling of a JSON value.

    Raises
    ------
    DocumentMalformed :
        A float, a key that is no text, text that is no UTF-8, or more than 64 levels.
    """
    _check(value)
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentMalformed(reason=str(error)[:200]) from error


def parse(content: bytes) -> Any:
    """Return the value of a canonical document; raises DocumentMalformed for any other spelling."""
    if len(content) > _SIZE_MAX_BYTES:
        raise DocumentMalformed(reason="too large", size=len(content), size_max=_SIZE_MAX_BYTES)
    try:
        orjson.loads(content)  # bounds the nesting, which the next reader does by the stack's end
        value = json.loads(content)
        spelled = canonical(value)
    except (ValueError, RecursionError) as error:
        raise DocumentMalformed(reason=str(error)[:200]) from error
    if spelled != content:
        raise DocumentMalformed(reason="not in canonical form")
    return value


def sha256(content: bytes) -> bytes:
    """Return the 32-byte SHA-256: the name of a document on chain and in the evidence store."""
    return hashlib.sha256(content).digest()


def bytes32(value: bytes | str) -> bytes:
    """Return the 32 bytes of a hash given as bytes or as 64 hex digits with or without `0x`.

    Raises
    ------
    DocumentMalformed :
        It is no such thing.
    """
    if isinstance(value, bytes):
        raw = value
    else:
        digits = value.removeprefix("0x")
        try:
            raw = bytes.fromhex(digits) if len(digits) == 64 else b""
        except ValueError:
            raw = b""
    if len(raw) != 32:
        raise DocumentMalformed(reason="not a 32-byte hash", given=str(value)[:80])
    return raw


def hex32(value: bytes | str) -> str:
    """Return the `0x` text that the chain and JSON use for a hash; raises DocumentMalformed."""
    return "0x" + bytes32(value).hex()


def _check(value: Json) -> None:
    # An explicit stack: a hostile nesting must not exhaust ours.
    rest: list[tuple[object, int]] = [(value, 0)]
    while rest:
        part, depth = rest.pop()
        if depth > _DEPTH_MAX:
            raise DocumentMalformed(reason="too deep", depth_max=_DEPTH_MAX)
        if isinstance(part, float):
            raise DocumentMalformed(reason="a float is no quantity", given=str(part))
        if isinstance(part, Mapping):
            for key in part:
                if not isinstance(key, str):
                    raise DocumentMalformed(reason="a key must be text", given=str(key)[:80])
            rest.extend((item, depth + 1) for item in part.values())
        elif isinstance(part, (list, tuple)):
            rest.extend((item, depth + 1) for item in part)
