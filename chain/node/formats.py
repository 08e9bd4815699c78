"""JSON-RPC's way of writing numbers and bytes: reading parameters, writing results.

Quantities are minimal hex (`0x0`, `0x1a`), data is even-length hex (EIP-1474). Reading is a little more
lenient than writing, as every node is: quantities may be JSON integers or have leading zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from eth_utils import to_checksum_address

from chain.node.errors import InvalidParams

UINT64_MAX = 2**64 - 1
UINT256_MAX = 2**256 - 1
_MISSING: Any = object()


def hex_int(value: int) -> str:
    """A quantity."""
    return hex(value)


def hex_bytes(value: bytes) -> str:
    """Data."""
    return "0x" + value.hex()


def hex_word(value: int) -> str:
    """A 32-byte word."""
    return f"0x{value:064x}"


@lru_cache(maxsize=65_536)
def checksum(address: bytes) -> str:
    """An address in EIP-55 text."""
    return to_checksum_address(address)


def param(params: list[Any], index: int, default: Any = _MISSING) -> Any:
    """The parameter at `index`, or `default`; InvalidParams where neither is there."""
    if index < len(params):
        return params[index]
    if default is _MISSING:
        raise InvalidParams(f"missing value for required argument {index}")
    return default


def read_int(value: Any, name: str, maximum: int = UINT256_MAX) -> int:
    """A quantity between 0 and `maximum`."""
    if isinstance(value, bool):
        raise InvalidParams(f"{name}: expected a hex quantity, got a boolean")
    if isinstance(value, int):
        number = value
    elif isinstance(value, str) and value[:2] in ("0x", "0X") and 2 < len(value) <= 66:
        try:
            number = int(value, 16) if "_" not in value else -1
        except ValueError:
            number = -1
    else:
        number = -1
    if not 0 <= number <= maximum:
        raise InvalidParams(f"{name}: expected a hex quantity up to {maximum:#x}, got {_show(value)}")
    return number


def read_slot(value: Any, name: str = "storage key") -> int:
    """A storage slot: hex of at most 32 bytes, with or without leading zeros, of none at all for slot 0."""
    return 0 if value in ("0x", "0X") else read_int(value, name)


def read_bytes(value: Any, name: str, size: int | None = None) -> bytes:
    """Data, of exactly `size` bytes if given."""
    if not isinstance(value, str) or value[:2] not in ("0x", "0X"):
        raise InvalidParams(f"{name}: expected hex data with 0x, got {_show(value)}")
    try:
        data = bytes.fromhex(value[2:])
    except ValueError:
        raise InvalidParams(f"{name}: not hexadecimal: {_show(value)}") from None
    if len(value) != 2 + 2 * len(data):  # fromhex skips blanks
        raise InvalidParams(f"{name}: not hexadecimal: {_show(value)}")
    if size is not None and len(data) != size:
        raise InvalidParams(f"{name}: expected {size} bytes, got {len(data)}")
    return data


def read_address(value: Any, name: str = "address") -> bytes:
    """A 20-byte address; the case of its letters is not checked."""
    return read_bytes(value, name, 20)


def read_hash(value: Any, name: str = "hash") -> bytes:
    """A 32-byte hash."""
    return read_bytes(value, name, 32)


def read_bool(value: Any, name: str) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise InvalidParams(f"{name}: expected true or false, got {_show(value)}")
    return value


def read_object(value: Any, name: str) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise InvalidParams(f"{name}: expected an object, got {_show(value)}")
    return value


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
