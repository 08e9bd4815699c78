"""Where a stack keeps what: the layout of its data directory.

keys.json           the seed of all keys, encrypted
passphrase          what opens it, only if the operator gave none
deployment.json     where the contracts are
deployment.journal  what a deployment that is under way has signed
chain.json          where the chain is found, only if others run it
pending.sqlite      what was signed and is not final yet, only there
chain/              the node's store
evidence/           content-addressed files, and who stored them (custody.sqlite)
exchange/           the journal, and where its binary gateway listens (binary.json)
points.sqlite       providers' batches of green acts and closed points epochs
sign-in.sqlite      used sign-in nonces, until they expire
projection.sqlite   the registry's tables: may be dropped and rebuilt
stack.json          addresses and pids of the processes
seed.json           that the market was seeded
logs/               what the processes say
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.refusals import Refusal


class StackMissing(Refusal):
    """No stack was started on this data directory yet; `carat up` starts one."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """One stack's data directory. Holding this object creates nothing."""

    root: Path

    @property
    def keyring(self) -> Path:
        """The encrypted seed."""
        return self.root / "keys.json"

    @property
    def passphrase(self) -> Path:
        """The generated passphrase, where the operator gave none."""
        return self.root / "passphrase"

    @property
    def deployment(self) -> Path:
        """The contracts' addresses."""
        return self.root / "deployment.json"

    @property
    def deploy_journal(self) -> Path:
        """What a deployment that is under way has signed."""
        return self.root / "deployment.journal"

    @property
    def outside_chain(self) -> Path:
        """Where the chain is found, if others run it."""
        return self.root / "chain.json"

    @property
    def pending(self) -> Path:
        """Transactions that are not final yet."""
        return self.root / "pending.sqlite"

    @property
    def chain(self) -> Path:
        """The node's store."""
        return self.root / "chain"

    @property
    def exchange(self) -> Path:
        """The exchange's journal and snapshots."""
        return self.root / "exchange"

    @property
    def points(self) -> Path:
        """The providers' batches of green acts."""
        return self.root / "points.sqlite"

    @property
    def journal(self) -> Path:
        """Every command that the exchange took."""
        return self.exchange / "journal"

    @property
    def evidence(self) -> Path:
        """The evidence files."""
        return self.root / "evidence"

    @property
    def projection(self) -> Path:
        """The registry's tables."""
        return self.root / "projection.sqlite"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    @property
    def stack(self) -> Path:
        """What runs here, and at which addresses it is found."""
        return self.root / "stack.json"

    @property
    def seed(self) -> Path:
        """That the market was seeded, and when."""
        return self.root / "seed.json"

    @property
    def lock(self) -> Path:
        """Held by everything that runs on this directory."""
        return self.root / "lock"


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a small file, whole or not at all, for its owner alone."""
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read it back; empty where there is none, or where it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
