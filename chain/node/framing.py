"""Finding the messages in a stream of JSON: one value after another, with or without blanks between them.

A value is an object or a list. Nothing is parsed here, and no byte is looked at twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'["\\]')
_BLANK = re.compile(rb"[ \t\r\n]*")


class FramingLost(Exception):
    """What comes is no JSON object or list, or too long; where the next message begins nobody can know."""


class Framer:
    """Takes pieces as they come, gives whole messages. `is_large`: a message was above the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0
        self._depth = 0
        self._in_string = False
        self.is_large = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The messages that end in this piece.

        Raises
        ------
        FramingLost :
            If something else than an object or list begins, or one is longer than the limit.
        """
        self._buffer += piece
        while self._step():
            if self._depth == 0:
                message = bytes(self._buffer[: self._at])
                del self._buffer[: self._at]
                self._at = 0
                yield message
        if len(self._buffer) > self._limit:
            self.is_large = True
            raise FramingLost(f"message larger than {self._limit} bytes")

    def _step(self) -> bool:
        """Go on to the next bracket outside a string; False where it has not come yet."""
        if not self._depth and not self._begin():
            return False
        buffer = self._buffer
        while True:
            found = (_IN_STRING if self._in_string else _MARK).search(buffer, self._at)
            if found is None:
                self._at = len(buffer)
                return False
            at, mark = found.start(), buffer[found.start()]
            if mark == ord("\\"):
                if at + 1 == len(buffer):
                    self._at = at
                    return False
                self._at = at + 2
                continue
            self._at = at + 1
            if mark == ord('"'):
                self._in_string = not self._in_string
                continue
            self._depth += 1 if mark in b"{[" else -1
            return True

    def _begin(self) -> bool:
        blank = _BLANK.match(self._buffer)
        assert blank is not None
        del self._buffer[: blank.end()]
        self._at = 0
        if self._buffer and self._buffer[0] not in b"{[":
            raise FramingLost("expected a JSON object or list")
        return bool(self._buffer)
