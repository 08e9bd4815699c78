"""RLP (yellow paper, appendix B), with types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import rlp  # type: ignore[import-untyped]

Item: TypeAlias = "bytes | Sequence[Item]"


class Malformed(ValueError):
    """The bytes are not RLP."""


def encode(item: Any) -> bytes:
    """RLP of bytes, or of lists of them; integers are written big-endian without leading zeros."""
    encoded: bytes = rlp.encode(item)
    return encoded


def decode(data: bytes) -> Any:
    """Bytes, or lists of them.

    Raises
    ------
    Malformed :
        If `data` is no RLP, has bytes left over or is nested too deep.
    """
    try:
        return rlp.decode(data)
    except (rlp.exceptions.RLPException, ValueError, TypeError, RecursionError) as error:
        raise Malformed(str(error)) from None


def decode_as(data: bytes, sedes: Any) -> Any:
    """An object of one of py-evm's serialisable classes."""
    return rlp.decode(data, sedes=sedes)
