"""RLP (yellow paper, appendix B) of bytes and lists; py-evm's own classes are read by the `rlp` library.

The node spends much of its time here, so bytes and lists have a codec of their own, ten times faster than
the library's, which infers types. A law in the tests holds the two together.
"""

from __future__ import annotations

from typing import Any

import rlp  # type: ignore[import-untyped]

_MAX_DEPTH = 64
_BYTES_HEAD = [bytes((0x80 + size,)) for size in range(56)]
_LIST_HEAD = [bytes((0xC0 + size,)) for size in range(56)]


class Malformed(ValueError):
    """The bytes are not RLP."""


def encode(item: Any) -> bytes:
    """RLP of bytes, of unsigned integers (big-endian, no leading zeros), or of lists of them."""
    if isinstance(item, bytes):
        size = len(item)
        if size == 1 and item[0] < 0x80:
            return item
        return (_BYTES_HEAD[size] if size < 56 else _head(0xB7, size)) + item
    if isinstance(item, int):
        return encode(item.to_bytes((item.bit_length() + 7) // 8, "big"))
    # Most items are hashes or empty: they go without a call each.
    body = b"".join(
        [
            (_BYTES_HEAD[32] + each if len(each) == 32 else encode(each) if each else _BYTES_HEAD[0])
            if each.__class__ is bytes
            else encode(each)
            for each in item
        ]
    )
    size = len(body)
    return (_LIST_HEAD[size] if size < 56 else _head(0xF7, size)) + body


def decode(data: bytes) -> Any:
    """Bytes, or lists of them.

    Raises
    ------
    Malformed :
        If `data` is no RLP in its one canonical form, has bytes left over or is nested too deep.
    """
    try:
        item, end = _item(data, 0, len(data), _MAX_DEPTH)
    except IndexError:
        raise Malformed("RLP ends too early") from None
    if end != len(data):
        raise Malformed(f"RLP has {len(data) - end} bytes left over")
    return item


def decode_as(data: bytes, sedes: Any) -> Any:
    """An object of one of py-evm's serialisable classes."""
    return rlp.decode(data, sedes=sedes)


def _head(offset: int, size: int) -> bytes:
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((offset + len(length),)) + length


def _item(data: bytes, at: int, end: int, depth: int) -> tuple[Any, int]:
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        start, stop = _span(data, at, end, first - 0x80)
        if stop - start == 1 and data[start] < 0x80:
            raise Malformed("a small byte is not written as itself")
        return data[start:stop], stop
    start, stop = _span(data, at, end, first - 0xC0)
    if not depth:
        raise Malformed(f"RLP is nested deeper than {_MAX_DEPTH}")
    items: list[Any] = []
    while start < stop:
        first = data[start]
        if first == 0xA0 and start + 33 <= stop:  # a hash, as most items are
            items.append(data[start + 1 : start + 33])
            start += 33
        elif first == 0x80:
            items.append(b"")
            start += 1
        else:
            item, start = _item(data, start, stop, depth - 1)
            items.append(item)
    return items, stop


def _span(data: bytes, at: int, end: int, size: int) -> tuple[int, int]:
    start = at + 1
    if size > 55:
        width = size - 55
        size = int.from_bytes(data[start : start + width], "big")
        if size < 56 or not data[start]:
            raise Malformed("a length is not in its shortest form")
        start += width
    if start + size > end:
        raise Malformed("RLP ends too early")
    return start, start + size
