"""eth_getLogs: which logs a filter asks for, and finding them by skipping blocks through their bloom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from chain.node.blocks import Block, Log
from chain.node.errors import InvalidParams, LimitExceeded, ServerError
from chain.node.formats import read_address, read_hash, read_object
from chain.node.node import Node
from chain.node.roots import bloom_of
from chain.node.tags import block_number
from chain.node.views import log_json

MAX_LOGS = 1_000_000
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
        If it asks for more than MAX_LOGS logs.
    """
    query = read_object(query, "filter")
    wanted = read_filter(query)
    parts: list[bytes] = []
    count = 0
    for block in _blocks(node, query):
        if not wanted.may_be_in(block.header.bloom):
            continue
        found = list(logs_in(block, wanted))
        count += len(found)
        if count > MAX_LOGS:
            raise LimitExceeded(f"query returns more than {MAX_LOGS} logs: ask for fewer blocks")
        if found:
            parts.append(orjson.dumps(found)[1:-1])
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


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


def _blocks(node: Node, query: Any) -> Iterator[Block]:
    if query.get("blockHash") is not None:
        if query.get("fromBlock") is not None or query.get("toBlock") is not None:
            raise InvalidParams("filter: blockHash stands alone, without fromBlock and toBlock")
        block = node.history.by_hash(read_hash(query["blockHash"], "blockHash"))
        if block is None:
            raise ServerError("unknown block")
        yield block
        return
    first = block_number(node, query.get("fromBlock"), "fromBlock")
    last = block_number(node, query.get("toBlock"), "toBlock")
    if first > last:
        raise InvalidParams(f"filter: fromBlock {first} is after toBlock {last}")
    for number in range(first, min(last, node.head.number) + 1):
        block = node.history.at(number)
        assert block is not None
        yield block


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
