"""Request ids: the name that a client gives an act before it sends it.

The same name goes down to the contract, which does the act once (`contracts/libraries/Once.sol`).
"""

from __future__ import annotations

from uuid import UUID

from eth_utils.crypto import keccak


def request_id(name: UUID | str | bytes) -> bytes:
    """Return the 32 bytes that name an act on chain.

    Parameters
    ----------
    name :
        A UUID (its 16 bytes, right-aligned), 32 bytes (as they are), or a text: a UUID's text counts
        as that UUID, `0x` and 64 hex digits as those bytes, any other text is hashed.
    """
    if isinstance(name, UUID):
        return name.bytes.rjust(32, b"\0")
    if isinstance(name, bytes):
        if len(name) != 32:
            raise ValueError(f"a request id has 32 bytes, not {len(name)}")
        return name
    if len(name) == 36:
        try:
            return UUID(name).bytes.rjust(32, b"\0")
        except ValueError:
            pass
    if len(name) == 66 and name.startswith("0x"):
        return bytes.fromhex(name[2:])
    return keccak(text=name)
