"""eth_getLogs: which logs a filter asks for, and finding them.

Logs of an address or a topic are found by the index, as far as that goes. What follows it, and questions that
name neither, are looked through block by block; a block's bloom says whether it can be passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson

from chain.node.blocks import Block, Log, read_log
from chain.node.errors import InvalidParams, LimitExceeded, ServerError
from chain.node.formats import read_address, read_hash, read_object
from chain.node.history import number_key
from chain.node.log_index import term
from chain.node.log_search import Found, search
from chain.node.node import Node
from chain.node.roots import bloom_of
from chain.node.store_view import StoreView
from chain.node.tags import block_number
from chain.node.views import log_json, placed_log_json

MAX_LOGS = 1_000_000
MAX_ANSWER_BYTES = 256 * 1024 * 1024
# Of a question that names neither address nor topic: no index answers it.
MAX_SCANNED_BLOCKS = 100_000
LOG_SECONDS = 10.0
MAX_FILTER_ITEMS = 1_024


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Logs by one of `addresses` (any if empty) whose topics are each among the given ones (any if empty)."""

    addresses: frozenset[bytes]
    topics: tuple[frozenset[bytes], ...]

    def may_be_in(self, bloom: int) -> bool:
        """Whether a block with this bloom can hold such a log."""
        sets = (self.addresses, *self.topics)
        return all(
            not wanted or any((bits := bloom_of((item,))) & bloom == bits for item in wanted)
            for wanted in sets
        )

    def terms(self) -> list[list[bytes]]:
        """What the index is asked: alternatives for each condition."""
        conditions = enumerate((self.addresses, *self.topics))
        return [[term(position, item) for item in wanted] for position, wanted in conditions if wanted]

    def takes(self, log: Log) -> bool:
        """Whether this log is asked for."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(
            not wanted or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False)
        )


def get_logs(node: Node, query: Any) -> orjson.Fragment:
    """The logs that an eth_getLogs query asks for, in chain order, as JSON.

    Written block by block: a long answer would take several times its size as Python objects.

    Raises
    ------
    InvalidParams :
        If the query makes no sense.
    LimitExceeded :
        If it asks for more than MAX_LOGS logs or MAX_ANSWER_BYTES of them, names neither address nor topic
        and asks for more than MAX_SCANNED_BLOCKS blocks, or takes longer than LOG_SECONDS.
    """
    query = read_object(query, "filter")
    wanted = read_filter(query)
    parts: list[bytes] = []
    count = size = 0
    deadline = time.monotonic() + LOG_SECONDS
    for found in _found(node, query, wanted):
        if time.monotonic() > deadline:
            raise LimitExceeded(f"query takes longer than {LOG_SECONDS:g} s: ask for fewer blocks")
        count += len(found)
        if count > MAX_LOGS:
            raise LimitExceeded(f"query returns more than {MAX_LOGS} logs: ask for fewer blocks")
        if found:
            parts.append(orjson.dumps(found)[1:-1])
            size += len(parts[-1])
            if size > MAX_ANSWER_BYTES:
                raise LimitExceeded(f"query returns more than {MAX_ANSWER_BYTES} bytes: ask for fewer blocks")
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


def _found(node: Node, query: Any, wanted: LogFilter) -> Iterator[list[dict[str, Any]]]:
    """The logs that are asked for, block by block."""
    blocks = _blocks(node, query)
    terms = wanted.terms()
    if isinstance(blocks, Block):
        yield list(logs_in(blocks, wanted))
        return
    if not terms and len(blocks) > MAX_SCANNED_BLOCKS:
        raise LimitExceeded(
            f"query without address and topics spans {len(blocks)} blocks, limit {MAX_SCANNED_BLOCKS}"
        )
    if terms and blocks.start <= (indexed := node.history.logs_indexed):
        yield from _indexed_logs(node, wanted, terms, blocks.start, min(blocks.stop - 1, indexed))
        blocks = range(indexed + 1, blocks.stop)
    for number in blocks:
        block = node.history.at(number)
        assert block is not None
        yield list(logs_in(block, wanted)) if wanted.may_be_in(block.header.bloom) else []


def _indexed_logs(
    node: Node, wanted: LogFilter, terms: list[list[bytes]], first: int, last: int
) -> Iterator[list[dict[str, Any]]]:
    with node.store.view() as view:
        for number, places in groupby(search(view, terms, first, last), lambda found: found.block):
            yield list(_logs_at(node, wanted, view, number, places))


def _logs_at(
    node: Node, wanted: LogFilter, view: StoreView, number: int, places: Iterable[Found]
) -> Iterator[dict[str, Any]]:
    """Read some logs of a block, and nothing else of it."""
    record = view.get(b"receipts", number_key(number))
    assert record is not None
    block, transaction_hash = node.history.summary(number), node.history.transaction_hashes(number)
    for found in places:
        log = read_log(record, found.offset)
        if wanted.takes(log):  # or else another term has the same hash
            transaction = transaction_hash(found.transaction)
            yield placed_log_json(log, block, transaction, found.transaction, found.index)


def read_filter(query: Any) -> LogFilter:
    """The addresses and topics of a query."""
    return LogFilter(_addresses(query.get("address")), _topics(query.get("topics")))


def logs_in(block: Block, wanted: LogFilter) -> Iterator[dict[str, Any]]:
    """The logs of one block that the filter takes."""
    log_index = 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, block.receipts, strict=True)):
        for log in receipt.logs:
            if wanted.takes(log):
                yield log_json(log, block, transaction, index, log_index)
            log_index += 1


def _blocks(node: Node, query: Any) -> Block | range:
    """The one block, or the numbers of those, that a query is about."""
    if query.get("blockHash") is not None:
        if query.get("fromBlock") is not None or query.get("toBlock") is not None:
            raise InvalidParams("filter: blockHash stands alone, without fromBlock and toBlock")
        block = node.history.by_hash(read_hash(query["blockHash"], "blockHash"))
        if block is None:
            raise ServerError("unknown block")
        return block
    first = block_number(node, query.get("fromBlock"), "fromBlock")
    last = block_number(node, query.get("toBlock"), "toBlock")
    if first > last:
        raise InvalidParams(f"filter: fromBlock {first} is after toBlock {last}")
    return range(first, min(last, node.head.number) + 1)


def _addresses(value: Any) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    if isinstance(value, list):
        _bounded(value, "address")
        return frozenset(read_address(item) for item in value)
    return frozenset((read_address(value),))


def _topics(value: Any) -> tuple[frozenset[bytes], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 4:
        raise InvalidParams("topics: expected a list of up to four")
    return tuple(_topic(item) for item in value)


def _topic(value: Any) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    if isinstance(value, list):
        _bounded(value, "topic")
        # A null among alternatives means any topic.
        if any(item is None for item in value):
            return frozenset()
        return frozenset(read_hash(item, "topic") for item in value)
    return frozenset((read_hash(value, "topic"),))


def _bounded(value: list[Any], name: str) -> None:
    if len(value) > MAX_FILTER_ITEMS:
        raise InvalidParams(f"{name}: {len(value)} alternatives, limit {MAX_FILTER_ITEMS}")
