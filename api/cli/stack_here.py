"""What a subcommand finds in a data directory where a stack was started before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.stack.paths import DataDirectory, StackMissing, read_json
from chain.refusals import Refusal

if TYPE_CHECKING:
    from chain.keys import Keyring


class StackNotRunning(Refusal):
    """The stack of this data directory does not run now; `carat up` starts it."""


def require_keyring(data_dir: Path) -> Keyring:
    """Open the keyring; raises StackMissing, KeyringLocked."""
    from api.stack.secrets import open_keyring  # noqa: PLC0415

    data = DataDirectory(data_dir.resolve())
    if not data.keyring.exists():
        raise StackMissing(data_dir=str(data_dir))
    return open_keyring(data)


def require_url(data_dir: Path, name: str) -> str:
    """Return where "node", "exchange" or "api" is found; raises StackMissing, StackNotRunning."""
    data = DataDirectory(data_dir.resolve())
    stack = read_json(data.stack)
    if not stack:
        raise StackMissing(data_dir=str(data_dir))
    url = stack.get("urls", {}).get(name)
    if not url or not stack.get("pids", {}).get(name):
        raise StackNotRunning(data_dir=str(data_dir), process=name)
    return str(url)
