"""The newest blocks that were applied, by hash, each with what takes it back.

A chain without immediate finality replaces its newest blocks now and then. Then the last block that both have
is looked for here, everything above it is taken back, and the new blocks are applied: all in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from chain.events import ChainEvent, Header
from chain.refusals import ChainUnreachable
from registry.projection import tables
from registry.projection.changes import Undo, table_of, take_back

KEEP_BLOCKS: Final = 256
"""How many blocks can be taken back one by one; a deeper reorganisation builds the tables anew."""


@runtime_checkable
class LinkedReader(Protocol):
    """A reader that tells blocks by their hash: `chain.events.EventReader`."""

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        """Return the blocks of these numbers; None for one that the chain lacks."""

    def read_blocks(self, headers: Sequence[Header]) -> list[list[ChainEvent]]:
        """Return the events of exactly these blocks."""


@dataclass(frozen=True, slots=True)
class Reorganisation:
    """Blocks were replaced: those above `fork_block`, up to `from_block`; all of them if it is -1."""

    fork_block: int
    from_block: int

    @property
    def blocks(self) -> int:
        """How many blocks were taken back."""
        return self.from_block - self.fork_block


def kept_hashes(connection: Connection) -> dict[int, str]:
    """Return the hash of every kept block, the newest first."""
    table = table_of(tables.Kept)
    rows = connection.execute(select(table.c.block, table.c.block_hash).order_by(table.c.block.desc()))
    return {int(block): str(block_hash) for block, block_hash in rows}


def keep(connection: Connection, block: int, block_hash: str, undo: Undo | None) -> None:
    """Keep a block; None where it is not to be taken back."""
    text = None if undo is None else json.dumps(undo, separators=(",", ":"))
    row = {"block": block, "block_hash": block_hash, "undo": text}
    connection.execute(insert(table_of(tables.Kept)), row)


def forget_before(connection: Connection, block: int) -> None:
    """Drop the blocks before this one."""
    table = table_of(tables.Kept)
    connection.execute(delete(table).where(table.c.block < block))


def forget_all(connection: Connection) -> None:
    """Drop every kept block."""
    connection.execute(delete(table_of(tables.Kept)))


def take_back_to(connection: Connection, fork_block: int) -> None:
    """Undo the kept blocks above `fork_block`, the newest first."""
    table = table_of(tables.Kept)
    above = select(table.c.block, table.c.undo).where(table.c.block > fork_block)
    for block, undo in connection.execute(above.order_by(table.c.block.desc())).all():
        assert undo is not None, f"block {block} cannot be taken back"
        take_back(connection, json.loads(undo))
    connection.execute(delete(table).where(table.c.block > fork_block))


def fork_of(reader: LinkedReader, kept: dict[int, str], undoable: set[int], head: int) -> int | None:
    """Return the newest kept block that the chain still has, if everything above can be taken back.

    Raises
    ------
    ChainUnreachable :
        The node that answers lacks blocks up to `head`.
    """
    numbers = sorted(kept, reverse=True)
    for number, header in zip(numbers, reader.headers(numbers), strict=True):
        if header is None and number <= head:
            raise ChainUnreachable(reason="a node without a block below the head", block=number)
        if header is not None and header.hash == kept[number]:
            return number
        if number not in undoable:
            return None
    return None


def undoable_blocks(connection: Connection) -> set[int]:
    """Return the kept blocks that can be taken back."""
    table = table_of(tables.Kept)
    return {
        int(block) for (block,) in connection.execute(select(table.c.block).where(table.c.undo.is_not(None)))
    }


def linked(reader: LinkedReader, first: int, last: int, parent_hash: str) -> list[Header]:
    """Return the blocks `first` to `last`, each the parent of the next, the first on `parent_hash` if given.

    Raises
    ------
    ChainUnreachable :
        The chain moved while it was read, or nodes with different chains answered; ask again.
    """
    found: list[Header] = []
    for header in reader.headers(range(first, last + 1)):
        if header is None or (parent_hash and header.parent_hash != parent_hash):
            raise ChainUnreachable(reason="the chain moved while it was read", block=first + len(found))
        parent_hash = header.hash
        found.append(header)
    return found
