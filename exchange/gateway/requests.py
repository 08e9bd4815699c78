"""Reading requests, writing answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chain.ids import request_id
from chain.refusals import Refusal
from exchange.refusals import (
    BodyTooLarge,
    EpochUnknown,
    InvariantBroken,
    JournalUnavailable,
    NoSuchRoute,
    NotSignedIn,
    OrderUnknown,
    RequestMalformed,
    UnknownInstrument,
    WithdrawalUnknown,
)
from exchange.words import refusal_json, to_bytes

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_BYTES_MAX: Final = 4 * 2**20
PAGE_MAX: Final = 1_000
WAIT_S_MAX: Final = 60.0

_STATUS: Final[dict[type[Refusal], int]] = {
    NotSignedIn: 401,
    NoSuchRoute: 404,
    OrderUnknown: 404,
    UnknownInstrument: 404,
    WithdrawalUnknown: 404,
    EpochUnknown: 404,
    BodyTooLarge: 413,
    JournalUnavailable: 503,
    InvariantBroken: 503,
}


class Gone(Exception):
    """The connection ended before the body did."""


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    return _STATUS.get(type(refusal), 422)


def refused_bytes(refusal: Refusal) -> bytes:
    """Write a refused request's answer."""
    return to_bytes({"refusal": refusal_json(refusal)})


def json_response(document: object) -> Response:
    """Answer JSON."""
    return Response(to_bytes(document), media_type="application/json")


def refused(refusal: Refusal, status: int | None = None) -> Response:
    """Answer a refusal."""
    return Response(refused_bytes(refusal), status or status_of(refusal), media_type="application/json")


async def json_body(receive: Receive) -> Any:
    """Read a JSON body of at most BODY_BYTES_MAX; raises BodyTooLarge, RequestMalformed, Gone."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_BYTES_MAX:
            raise BodyTooLarge(bytes_max=BODY_BYTES_MAX)
        more = message.get("more_body", False)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestMalformed(reason=f"no JSON: {error}"[:200]) from None


async def json_object(request: Request, known: set[str]) -> dict[str, Any]:
    """Read a body that is an object of these fields at most; raises as `json_body`."""
    body = await json_body(request.receive)
    if not isinstance(body, dict):
        raise RequestMalformed(reason="an object is expected")
    unknown = sorted(body.keys() - known)
    if unknown:
        raise RequestMalformed(field=unknown[0][:80], reason="this field is unknown")
    return body


def timeout_s(body: dict[str, Any]) -> float:
    """Return how long to wait."""
    given = body.get("timeout_s", 20)
    if type(given) not in (int, float) or not 0 <= given <= WAIT_S_MAX:
        raise RequestMalformed(field="timeout_s", reason=f"0 to {WAIT_S_MAX:.0f} is expected")
    return float(given)


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) is None or not least <= int(text) <= most:
        raise RequestMalformed(field=name, reason=f"a number from {least} to {most} is expected")
    return int(text)


def page(request: Request) -> tuple[int, int]:
    """Return after what to begin, and how much to show."""
    return number(request, "after", 0, 0, 10**18 - 1), number(request, "limit", 100, 1, PAGE_MAX)


def flag(request: Request, name: str) -> bool:
    """Return a yes or no of the query."""
    text = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        raise RequestMalformed(field=name, reason="true or false is expected")
    return text == "true"


def deposit_id(name: object) -> bytes:
    """Return the chain's 32 bytes for the name of a deposit."""
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise RequestMalformed(field="request_ids", reason="a list of ids is expected")
    try:
        return request_id(name)
    except ValueError:
        raise RequestMalformed(field="request_ids", reason="0x and 64 hex digits are expected") from None
