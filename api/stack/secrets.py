"""The stack's keyring, and the passphrase that opens it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Final

from api.stack.paths import DataDirectory
from chain.keys import Keyring

PASSPHRASE_VARIABLE: Final = "CARAT_PASSPHRASE"  # noqa: S105 - the name, not the secret


def read_passphrase(data: DataDirectory) -> str:
    """Return the operator's passphrase, or the one generated before; empty where there is neither."""
    given = os.environ.get(PASSPHRASE_VARIABLE, "")
    if given or not data.passphrase.exists():
        return given
    return data.passphrase.read_text(encoding="ascii").strip()


def open_keyring(data: DataDirectory) -> Keyring:
    """Open the keyring that is there; raises KeyringLocked."""
    return Keyring.open(data.keyring, read_passphrase(data))


def open_or_create_keyring(data: DataDirectory, on_notice: Callable[[str], None]) -> tuple[Keyring, str]:
    """Return the keyring and its passphrase, both made if there are none yet.

    A generated passphrase lies beside the keys, readable by the owner only: good for trying things out,
    not for keys that matter. `on_notice` is told so.

    Raises
    ------
    KeyringLocked :
        There is a keyring, and the passphrase does not open it.
    """
    passphrase = read_passphrase(data)
    if data.keyring.exists():
        return Keyring.open(data.keyring, passphrase), passphrase
    if not passphrase:
        passphrase = _generate(data)
        on_notice(f"no {PASSPHRASE_VARIABLE} given: a generated one protects the keys, see {data.passphrase}")
    return Keyring.create(data.keyring, passphrase), passphrase


def _generate(data: DataDirectory) -> str:
    passphrase = secrets.token_urlsafe(24)
    handle = os.open(data.passphrase, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(passphrase + "\n")
        file.flush()
        os.fsync(file.fileno())
    return passphrase
