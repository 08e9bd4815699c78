"""Pages by cursor: the place after the last row that was shown, opaque to the client.

A cursor names a place in a stable order, so that rows added meanwhile neither repeat nor hide any.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Query

from api.fields import INT63_MAX, Schema
from chain.refusals import Refusal

LIMIT_MAX: Final = 200
_KEY_PARTS_MAX: Final = 4

Item = TypeVar("Item")
Key = tuple[int | str, ...]


class CursorMalformed(Refusal):
    """This cursor was not given out by this list."""


class Page(Schema, Generic[Item]):
    """Some rows, and where to go on."""

    items: list[Item]
    next_cursor: str | None
    """Give this as `cursor` for the next page; null at the end."""


class PageRequest:
    """Which page is asked for."""

    def __init__(
        self,
        cursor: Annotated[str | None, Query(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")] = None,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    ) -> None:
        self.cursor = cursor
        self.limit = limit

    def after(self, *kinds: type[int] | type[str]) -> Key | None:
        """Return the key after which the page starts, None at the start.

        Parameters
        ----------
        kinds :
            The types of the key's parts, as the list's order has them.

        Raises
        ------
        CursorMalformed :
            The cursor is none of ours, or one of another list.
        """
        return None if self.cursor is None else read_cursor(self.cursor, kinds)


PageDep = Annotated[PageRequest, Depends()]


def write_cursor(key: Key) -> str:
    """Return the cursor that names the place after `key`."""
    text = json.dumps(key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, kinds: tuple[type[int] | type[str], ...]) -> Key:
    """Return the key that a cursor names; raises CursorMalformed."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise CursorMalformed(cursor=cursor[:40]) from None
    if not isinstance(key, list) or len(key) != len(kinds) or len(key) > _KEY_PARTS_MAX:
        raise CursorMalformed(cursor=cursor[:40])
    for part, kind in zip(key, kinds, strict=True):
        if type(part) is not kind or (isinstance(part, int) and not -INT63_MAX <= part <= INT63_MAX):
            raise CursorMalformed(cursor=cursor[:40])
    return tuple(key)
