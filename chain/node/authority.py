"""The authority's key, and the seals that it puts on blocks.

A seal is the authority's signature of a block's hash: r, s (32 bytes each) and y parity (1 byte). It lies
beside the block and is no part of it, so the block's hash stays the one that every Ethereum tool computes.

The key lies in one file: an Ethereum keystore (version 3, scrypt) where there is a passphrase, so that a key
made by other tools can be put there too; else in the open (version 1). Only its owner may read the file.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey

from chain.node.accounts import address_of
from chain.node.formats import checksum, hex_bytes
from chain.node.transactions import recover
from chain.refusals import Refusal

SEAL_BYTES: Final = 65
_OPEN, _KEYSTORE = 1, 3
_SCRYPT_COST: Final = 2**16


class AuthorityMissing(Refusal):
    """The chain has blocks, but the key that sealed them is not there: it is never made anew."""


class AuthorityLocked(Refusal):
    """The passphrase does not open the authority's key, or none was given."""


class AuthorityMalformed(Refusal):
    """The file holds no key of an authority."""


class AuthorityChanged(Refusal):
    """This key is not the one that sealed the chain so far."""


class Authority:
    """One key: it seals, and never shows itself."""

    def __init__(self, key: bytes) -> None:
        self._key = PrivateKey(key)
        self.address = address_of(key)

    def __repr__(self) -> str:
        return f"Authority({checksum(self.address)})"

    def seal(self, block_hash: bytes) -> bytes:
        """The signature of a block's hash; the same one each time (RFC 6979)."""
        return self._key.sign_recoverable(block_hash, hasher=None)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Authority:
        """Read the key at `path`.

        Raises
        ------
        AuthorityMissing, AuthorityLocked, AuthorityMalformed :
            If there is no file, the passphrase does not open it, or it holds something else.
        """
        try:
            document = json.loads(path.read_bytes())
            version = document["version"]
        except FileNotFoundError:
            raise AuthorityMissing(file=str(path)) from None
        except (ValueError, TypeError, KeyError):
            raise AuthorityMalformed(file=str(path)) from None
        try:
            return cls(_unlock(document, passphrase, path) if version != _OPEN else _plain(document))
        except (ValueError, TypeError, KeyError):
            raise AuthorityMalformed(file=str(path), version=str(version)) from None

    @classmethod
    def create(cls, path: Path, passphrase: str) -> Authority:
        """Make a key and keep it at `path`, encrypted if there is a passphrase."""
        authority = cls(key := PrivateKey(secrets.token_bytes(32)).secret)
        document = _keystore(key, passphrase) if passphrase else _in_the_open(key, authority.address)
        partial = path.with_name(path.name + ".partial")
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return authority


def sealer_of(block_hash: bytes, seal: bytes) -> bytes | None:
    """The address whose seal of this block this is; None where it is no seal at all."""
    if len(seal) != SEAL_BYTES:
        return None
    try:
        return recover(
            block_hash, seal[64], int.from_bytes(seal[:32], "big"), int.from_bytes(seal[32:64], "big")
        )
    except ValueError:
        return None


def _plain(document: dict[str, Any]) -> bytes:
    return bytes.fromhex(document["key"][2:])


def _in_the_open(key: bytes, address: bytes) -> dict[str, Any]:
    return {"version": _OPEN, "address": checksum(address), "key": hex_bytes(key)}


def _unlock(document: dict[str, Any], passphrase: str, path: Path) -> bytes:
    from eth_keyfile import decode_keyfile_json  # noqa: PLC0415 - most keys are not encrypted

    if document["version"] != _KEYSTORE:
        raise AuthorityMalformed(file=str(path), version=str(document["version"]))
    if not passphrase:
        raise AuthorityLocked(file=str(path), passphrase_given=False)
    try:
        return bytes(decode_keyfile_json(document, passphrase.encode()))
    except ValueError:  # also: the MAC differs
        raise AuthorityLocked(file=str(path), passphrase_given=True) from None


def _keystore(key: bytes, passphrase: str) -> dict[str, Any]:
    from eth_keyfile import create_keyfile_json  # noqa: PLC0415

    return create_keyfile_json(key, passphrase.encode(), kdf="scrypt", iterations=_SCRYPT_COST)
