"""An authority's key: it seals blocks, and names the node to its peers."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from eth_keys.datatypes import PrivateKey


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """A secp256k1 key. Its address seals blocks; its public key is the node's name in an enode address."""

    private: PrivateKey

    @classmethod
    def create(cls) -> AuthorityKey:
        """Make a new key from the system's randomness."""
        while True:
            secret = secrets.token_bytes(32)
            if 0 < int.from_bytes(secret, "big") < _ORDER:
                return cls(PrivateKey(secret))

    @classmethod
    def load(cls, path: Path) -> AuthorityKey:
        """Read a key written by `save`."""
        return cls(PrivateKey(bytes.fromhex(path.read_text(encoding="ascii").strip().removeprefix("0x"))))

    def save(self, path: Path) -> None:
        """Write the secret for its owner alone; never over another key."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(self.private.to_bytes().hex())

    @property
    def address(self) -> str:
        """The account that seals, EIP-55 text."""
        return str(self.private.public_key.to_checksum_address())

    @property
    def public_hex(self) -> str:
        """The public key, 128 hex digits."""
        return str(self.private.public_key.to_bytes().hex())

    def enode(self, host: str, port: int) -> str:
        """Return where peers find the node."""
        return f"enode://{self.public_hex}@{host}:{port}"


_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
