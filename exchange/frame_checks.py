"""Checksums and hashes of a journal's frames, some frames at a time: compiled, or the same in Python.

A frame's hash covers its head, which names the hash before it: so frames are hashed beside each other, and
only then is it looked at whether one follows the other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from zlib import crc32

BLOCK_BYTES: Final = 64
"""Of a frame's head; payloads are whole blocks."""


def plain_checks(view: memoryview, places: list[tuple[int, int]]) -> list[tuple[int, bytes]]:
    """Return (CRC-32 of the payload, SHA-256 of head and payload) for each (offset, payload bytes)."""
    found = []
    for start, size in places:
        end = start + BLOCK_BYTES + size
        with view[start + BLOCK_BYTES : end] as payload, view[start:end] as whole:
            found.append((crc32(payload), sha256(whole).digest()))
    return found


try:
    from exchange._frame_checks import checks
except ImportError:  # exchange.core says so
    checks = plain_checks  # type: ignore[assignment]
