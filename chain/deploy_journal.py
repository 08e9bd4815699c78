"""What a deployment has signed, on disk before it is sent: so that one that broke off goes on, and nothing
is deployed twice.

Lines of JSON: the first says for which chain and keys and from which nonces on, each further one holds a
signed transaction. Signed again they would be other bytes (the fees may have changed); so these are sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from chain.refusals import Refusal
from chain.transactions import SignedTransaction, read_transaction


class DeploymentForeign(Refusal):
    """A deployment that broke off here was for another chain or other keys."""


class DeployJournal:
    """The transactions of one deployment. It is where its delivery keeps what is pending."""

    def __init__(self, path: Path | None, plan: dict[str, Any]) -> None:
        self._path = path
        self.plan = plan
        self._raws: list[SignedTransaction] = []

    @classmethod
    def open(cls, path: Path | None, plan: dict[str, Any]) -> Self:
        """Go on with the journal at `path`, or begin one with this plan; without a path keep it in memory.

        Raises
        ------
        DeploymentForeign :
            What is there is for another chain or for other keys.
        """
        if path is None or not path.exists():
            journal = cls(path, plan)
            journal._append([plan])
            return journal
        text = path.read_text(encoding="ascii")
        lines = [_read(line) for line in text.splitlines()]
        entries = [line for line in lines if line is not None]  # one that was torn was not sent either
        if not entries:  # the plan itself was torn: nothing was signed by it
            path.unlink()
            return cls.open(path, plan)
        begun = entries[0]
        for name in ("chain_id", "admin", "registrar"):
            if begun.get(name) != plan[name]:
                raise DeploymentForeign(
                    path=str(path), name=name, stored=begun.get(name), expected=plan[name]
                )
        journal = cls(path, begun)
        if not text.endswith("\n"):
            journal._write("\n")
        journal._raws = [
            read_transaction(bytes.fromhex(entry["raw"]), plan["chain_id"]) for entry in entries[1:]
        ]
        return journal

    def sent(self, sender: str, nonce: int) -> list[SignedTransaction]:
        """Return what was signed by this account with this nonce, the oldest first."""
        return [each for each in self._raws if (each.sender, each.nonce) == (sender, nonce)]

    def keep(self, transactions: Sequence[SignedTransaction]) -> None:
        """Write them down, for good before this returns."""
        known = {each.tx_hash for each in self._raws}
        fresh = [each for each in transactions if each.tx_hash not in known]
        self._append([{"raw": each.raw.hex()} for each in fresh])
        self._raws += fresh

    def forget(self, transactions: Iterable[SignedTransaction]) -> None:
        """Keep them all the same: what was done is known by them."""

    def of(self, senders: Collection[str]) -> list[SignedTransaction]:
        """Return what is kept of these accounts."""
        return [each for each in self._raws if each.sender in senders]

    def everything(self) -> list[SignedTransaction]:
        """Return all that was signed."""
        return list(self._raws)

    def done(self) -> None:
        """Remove it: the deployment is written down elsewhere."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _append(self, entries: Sequence[dict[str, Any]]) -> None:
        self._write("".join(json.dumps(entry) + "\n" for entry in entries))

    def _write(self, text: str) -> None:
        if self._path is None or not text:
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _read(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
