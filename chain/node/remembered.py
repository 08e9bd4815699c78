"""Answers to calls at the head, as long as it is the head: who asks the same again need not wait for the EVM.

A call depends on the state, on its own parameters and on the block that it is run in: its number, its time,
what never changes. So what was answered is remembered under the head's hash, that time and the parameters,
and never gets old. Only results are remembered, no refusals; and neither long questions nor long answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

MAX_ANSWERS: Final = 8_192
MAX_ANSWER_CHARS: Final = 2_048
MAX_PARAMS_BYTES: Final = 2_048

Key = tuple[bytes, int, bytes]


class Remembered:
    """Some answers, the newest ones."""

    def __init__(self) -> None:
        self._answers: dict[Key, str] = {}
        self._head = b""

    def __len__(self) -> int:
        return len(self._answers)

    def key(self, head: bytes, timestamp_utc: int, params: Sequence[Any]) -> Key | None:
        """What an answer is remembered under, None for nothing; those of another head are forgotten."""
        if head != self._head:
            self._answers.clear()
            self._head = head
        try:
            asked = orjson.dumps(params)
        except orjson.JSONEncodeError:
            return None  # nested too deep to be an answerable question
        # A copy: what orjson gives keeps the kilobytes that it was written in.
        return head, timestamp_utc, bytes(memoryview(asked))

    def get(self, key: Key) -> str | None:
        """The answer that was given."""
        return self._answers.get(key)

    def put(self, key: Key, answer: str) -> None:
        """Remember an answer, if it and what was asked are not too long."""
        if len(answer) > MAX_ANSWER_CHARS or len(key[2]) > MAX_PARAMS_BYTES:
            return
        if len(self._answers) >= MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer
