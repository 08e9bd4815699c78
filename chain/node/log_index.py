"""An index of logs: in which of them an address or a topic occurs, so that nobody reads all for a few.

Blocks are indexed in segments: some blocks in a row, up to SEGMENT_BLOCKS of them or until they hold
SEGMENT_LOGS logs. What follows the last whole segment is few enough to be looked through block by block. So a
block of one transaction costs the disk nothing, and one in many pays for all, in its own commit.

Two tables, both written with a segment's last block and keyed by its first (8 bytes):

    log_places   where each log of the segment is: block (from the first), transaction, index in the block,
                 and where in the block's receipts record it begins
    log_terms    term and segment -> which of the segment's logs hold the term, by their order

A term is the hash of an address, or of a topic with its position, cut to 8 bytes. Two may share one: whoever
finds a log here still reads it and looks. The index says nothing that the receipts do not say: `segment_rows`
makes it from them, also to verify it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, pack
from typing import Final, Protocol

from chain.node.hashing import keccak

PLACES: Final = b"log_places"
TERMS: Final = b"log_terms"
TABLES: Final = (PLACES, TERMS)
SEGMENT_BLOCKS: Final = 256
SEGMENT_LOGS: Final = 1_024

COUNT: Final = Struct("<H")
PLACE: Final = Struct("<BIII")
TERM_BYTES: Final = 8
_SHORT: Final = 1 << 16

Rows = dict[bytes, dict[bytes, bytes]]
Records = Callable[[int], bytes]


class IndexView(Protocol):
    """Tables as they are read for one question, without copies."""

    def get(self, table: bytes, key: bytes) -> memoryview | None:
        """What is stored under `key`."""

    def after(self, table: bytes, key: bytes) -> tuple[memoryview, memoryview] | None:
        """The first entry whose key is `key` or greater."""

    def before(self, table: bytes, key: bytes) -> tuple[memoryview, memoryview] | None:
        """The last entry whose key is less than `key`."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log in a receipts record: its transaction, its index in the block, where it begins, its terms."""

    transaction: int
    index: int
    offset: int
    terms: tuple[bytes, ...]


@lru_cache(maxsize=65_536)
def term(position: int, item: bytes) -> bytes:
    """The term of an address (position 0) or of the topic at `position` (from 1)."""
    return keccak(bytes((position,)) + item)[:TERM_BYTES]


def is_whole(blocks: int, logs: int) -> bool:
    """Whether a segment of this size is closed."""
    return blocks >= SEGMENT_BLOCKS or logs >= SEGMENT_LOGS


def segment_rows(first: int, records: Sequence[bytes]) -> Rows:
    """The rows of the segment whose blocks, from `first` on, have these receipts records."""
    key = segment_key(first)
    places: list[bytes] = [COUNT.pack(len(records))]
    found: dict[bytes, list[int]] = {}
    ordinal = 0
    for block, record in enumerate(records):
        for log in raw_logs(record):
            places.append(PLACE.pack(block, log.transaction, log.index, log.offset))
            for each in log.terms:
                # A log may say the same topic twice, and two of its terms may share a hash.
                ordinals = found.setdefault(each, [])
                if not ordinals or ordinals[-1] != ordinal:
                    ordinals.append(ordinal)
            ordinal += 1
    kind = ordinal_kind(ordinal)
    rows = {each + key: pack(f"<{len(ordinals)}{kind}", *ordinals) for each, ordinals in found.items()}
    return {PLACES: {key: b"".join(places)}, TERMS: rows}


def raw_logs(record: bytes | memoryview) -> Iterator[RawLog]:
    """The logs in a block's receipts record: RLP of status, gas, created and logs for each transaction."""
    index = transaction = 0
    at, end = list_span(record, 0)
    while at < end:
        at, receipt_end = list_span(record, at)
        for _ in range(3):
            at = _skip(record, at)
        at, logs_end = list_span(record, at)
        while at < logs_end:
            offset = at
            inner, at = list_span(record, at)
            yield RawLog(transaction, index, offset, _terms(record, inner))
            index += 1
        assert at == receipt_end
        transaction += 1


def count_logs(record: bytes | memoryview) -> int:
    """How many logs a receipts record holds."""
    count = 0
    at, end = list_span(record, 0)
    while at < end:
        at, receipt_end = list_span(record, at)
        for _ in range(3):
            at = _skip(record, at)
        at, logs_end = list_span(record, at)
        while at < logs_end:
            _, at = list_span(record, at)
            count += 1
        at = receipt_end
    return count


def _terms(record: bytes | memoryview, at: int) -> tuple[bytes, ...]:
    # An address is 0x94 and 20 bytes, a topic 0xa0 and 32: nothing else is ever written there.
    terms = [term(0, bytes(record[at + 1 : at + 21]))]
    start, end = list_span(record, at + 21)
    for position, topic in enumerate(range(start, end, 33), 1):
        terms.append(term(position, bytes(record[topic + 1 : topic + 33])))
    return tuple(terms)


def list_span(record: bytes | memoryview, at: int) -> tuple[int, int]:
    """Where the items of the RLP list at `at` begin and end."""
    head = record[at]
    assert head >= 0xC0, "a list is written here"
    if head < 0xF8:
        return at + 1, at + head - 0xBF
    start = at + head - 0xF6
    return start, start + int.from_bytes(record[at + 1 : start], "big")


def _skip(record: bytes | memoryview, at: int) -> int:
    head = record[at]
    assert head < 0xB8, "a short string is written here"
    return at + 1 if head < 0x80 else at + head - 0x7F


class LogIndex:
    """The index of one chain as its blocks come and go."""

    def __init__(self, view: IndexView | None, records: Records) -> None:
        self._records = records
        self._first = 0 if view is None else _end_of(view)
        self._logs = 0

    @property
    def indexed(self) -> int:
        """The last block of the last whole segment; -1 before the first."""
        return self._first - 1

    def rows(self, number: int, record: bytes, logs: int) -> Rows:
        """What to write with block `number`: its receipts record is `record`, which holds `logs` logs."""
        if not is_whole(number + 1 - self._first, self._logs + logs):
            return {}
        return segment_rows(self._first, [*map(self._records, range(self._first, number)), record])

    def wrote(self, number: int, rows: Rows, logs: int) -> None:
        """Block `number` with its logs is on disk, and so are the rows that it brought."""
        if rows:
            self._first, self._logs = number + 1, 0
        else:
            self._logs += logs

    def catch_up(self, height: int) -> Iterator[Rows]:
        """Count what follows the last whole segment of a chain that is being opened.

        Where an older version wrote no index there are whole segments among it: gives their rows, to write.
        """
        first, records, logs = self._first, list[bytes](), 0
        for number in range(self._first, height + 1):
            records.append(self._records(number))
            logs += count_logs(records[-1])
            if is_whole(len(records), logs):
                yield segment_rows(first, records)
                first, records, logs = number + 1, [], 0
        self._first, self._logs = first, logs

    def removals(self, view: IndexView, number: int) -> dict[bytes, list[bytes]]:
        """The keys to remove before the blocks above `number` are gone; `rewound` is to be called after."""
        places: list[bytes] = []
        terms: list[bytes] = []
        entry = view.before(PLACES, b"\xff" * 8)
        while entry is not None:
            key, first = bytes(entry[0]), int.from_bytes(entry[0], "big")
            last = first + COUNT.unpack_from(entry[1])[0] - 1
            if last <= number:
                break
            rows = segment_rows(first, [self._records(each) for each in range(first, last + 1)])
            places.append(key)
            terms += rows[TERMS]
            entry = view.before(PLACES, key)
        return {PLACES: places, TERMS: terms}

    def rewound(self, view: IndexView, number: int) -> None:
        """The blocks above `number`, and what `removals` said, are gone."""
        self._first = _end_of(view)
        self._logs = sum(count_logs(self._records(each)) for each in range(self._first, number + 1))


def _end_of(view: IndexView) -> int:
    """The first block after the last whole segment."""
    entry = view.before(PLACES, b"\xff" * 8)
    return 0 if entry is None else int.from_bytes(entry[0], "big") + int(COUNT.unpack_from(entry[1])[0])


class StoredIndex(Protocol):
    """The tables as whoever verifies them reads them."""

    def get(self, table: bytes, key: bytes) -> bytes | None:
        """What is stored under `key`."""

    def rows(self, table: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every record."""

    def count(self, table: bytes) -> int:
        """How many records there are."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first record of the index that is not what the receipts give; `block` is its segment's first."""

    block: int
    table: bytes
    key: bytes
    why: str


def difference(stored: StoredIndex, records: Records, height: int) -> Difference | None:
    """Hold the index against the receipts of all blocks up to `height`; None where nothing differs.

    A store without any index is as good: an older version wrote it, and a node that opens it makes one.
    """
    if not any(stored.count(table) for table in TABLES):
        return None
    index = LogIndex(None, records)
    counts = dict.fromkeys((PLACES, TERMS), 0)
    for rows in index.catch_up(height):
        first = int.from_bytes(next(iter(rows[PLACES])), "big")
        for table, wanted in rows.items():
            counts[table] += len(wanted)
            for key, value in wanted.items():
                if (found := stored.get(table, key)) != value:
                    why = "missing" if found is None else "the receipts give another"
                    return Difference(first, table, key, why)
    for table, count in counts.items():
        if stored.count(table) != count:
            return _stray(stored, records, height, table)
    return None


def _stray(stored: StoredIndex, records: Records, height: int, table: bytes) -> Difference:
    known = {key for rows in LogIndex(None, records).catch_up(height) for key in rows[table]}
    key = next(key for key, _ in stored.rows(table) if key not in known)
    return Difference(int.from_bytes(key[-8:], "big"), table, key, "the receipts give no such record")


def segment_key(number: int) -> bytes:
    """The key of the segment that begins with block `number`."""
    return number.to_bytes(8, "big")


def ordinal_kind(count: int) -> str:
    """How the orders of a segment's `count` logs are written (struct's letter)."""
    return "H" if count <= _SHORT else "I"
