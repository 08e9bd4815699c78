"""Keys: one encrypted seed, and a signer for every name.

A stack on one machine (a demonstration, a scenario, a replay, the operators of a small market) keeps all its
keys in one file: a random seed, encrypted with a passphrase (scrypt, AES-256-GCM). Each signer's key is
`HMAC-SHA256(seed, label)`, so that a thousand firms cost no thousand files. People with wallets of their own
never appear here: the API takes their signatures, not their keys.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount

from chain.refusals import Refusal

_SCRYPT_COST: Final = 2**16  # 64 MiB and about 0.15 s: dear for who guesses, cheap for who knows
_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ABOUT: Final = b"carat keyring 1"


class KeyringLocked(Refusal):
    """The passphrase does not open this keyring, or the file was changed."""


class KeyringExists(Refusal):
    """There is a keyring already; it is not overwritten."""


class Signer:
    """One key: it signs, and never shows itself."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    @property
    def address(self) -> str:
        """The account, EIP-55."""
        return str(self._account.address)

    def sign_transaction(self, fields: dict[str, Any]) -> bytes:
        """Return the raw signed transaction."""
        return bytes(self._account.sign_transaction(fields).raw_transaction)

    def sign_text(self, text: str) -> bytes:
        """Return the 65-byte signature of a text (EIP-191)."""
        return bytes(self._account.sign_message(encode_defunct(text=text)).signature)

    def sign_typed(self, full_message: dict[str, Any]) -> bytes:
        """Return the 65-byte signature of structured data (EIP-712)."""
        return bytes(self._account.sign_message(encode_typed_data(full_message=full_message)).signature)


class Keyring:
    """Every key that this stack holds, from one seed."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError("a seed has 32 bytes")
        self._seed = seed
        self._signer = lru_cache(maxsize=None)(self._make_signer)

    def __repr__(self) -> str:
        return "Keyring(...)"

    @classmethod
    def create(cls, path: Path, passphrase: str) -> Keyring:
        """Make a fresh seed and keep it, encrypted, at `path`; raises KeyringExists."""
        seed, salt, nonce = secrets.token_bytes(32), secrets.token_bytes(16), secrets.token_bytes(12)
        sealed = AESGCM(_stretch(passphrase, salt)).encrypt(nonce, seed, _ABOUT)
        document = {"version": 1, "salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeyringExists(path=str(path)) from None
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        return cls(seed)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Keyring:
        """Read the keyring at `path`; raises KeyringLocked."""
        try:
            document = json.loads(path.read_text(encoding="ascii"))
            salt, nonce, sealed = (bytes.fromhex(document[name]) for name in ("salt", "nonce", "sealed"))
            return cls(AESGCM(_stretch(passphrase, salt)).decrypt(nonce, sealed, _ABOUT))
        except (OSError, ValueError, KeyError, TypeError, InvalidTag) as error:
            raise KeyringLocked(path=str(path), reason=type(error).__name__) from None

    def signer(self, label: str) -> Signer:
        """Return the signer of this name, always the same one."""
        return self._signer(label)

    def secret(self, label: str) -> bytes:
        """Return 32 secret bytes that are no key of the chain, for tokens between processes."""
        return self._derive(b"secret:" + label.encode())

    def _derive(self, name: bytes) -> bytes:
        return hmac.new(self._seed, name, hashlib.sha256).digest()

    def _make_signer(self, label: str) -> Signer:
        key = int.from_bytes(self._derive(b"key:" + label.encode()), "big") % (_CURVE_ORDER - 1) + 1
        return Signer(Account.from_key(key.to_bytes(32, "big")))


def _stretch(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_COST, r=8, p=1).derive(passphrase.encode())
