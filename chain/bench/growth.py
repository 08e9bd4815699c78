"""How cost grows with accounts, history and logs: one node in this process, measured in its own CPU time.

CPU time and not the wall clock, so that other work on the machine counts little; the disk is not waited for.
Sizes are reached one after the other on the same chain. `scripts/bench_chain_growth` runs it, and
`scripts/plot_chain_growth` draws what it wrote.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from chain.abi import Call
from chain.bench.logs import LOGS_A_BLOCK, TOPIC_VALUES, LogChain, open_log_chain
from chain.bench.market import UNIT, Firm, Market, key_of, open_market
from chain.bench.wire import batch_request, request, result_of, results_of
from chain.node.commit import Committer
from chain.node.formats import checksum
from chain.node.hashing import keccak
from chain.node.log_index import TABLES, segment_rows
from chain.node.node import Node, Settings
from chain.node.rpc.dispatch import Dispatcher

ACCOUNTS: Final = (1_000, 10_000, 100_000, 1_000_000)
BLOCKS: Final = (1_000, 10_000, 100_000)
LOGS: Final = (10_000, 100_000, 1_000_000)
_FIRMS: Final = 200
_SAMPLES: Final = 300
_AT_ONCE: Final = 25_000

Say = Callable[[str], None]


class LocalWire:
    """JSON-RPC to a node in this process, without a network: what `Wire` does over one."""

    def __init__(self, directory: Path) -> None:
        self.url = str(directory)
        operators = frozenset([Firm(key_of("owner")).address])
        self.node = Node(directory, Settings(fsync=False, quota=None, operators=operators))
        self._dispatcher = Dispatcher(self.node, Committer(self.node))
        self._loop = asyncio.new_event_loop()

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call."""
        return result_of(method, self.post(request(method, params)))

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method."""
        return results_of(self.url, method, self.post(batch_request(method, params)), len(params))

    def post(self, body: bytes) -> bytes:
        """The answer to a body."""
        return self._loop.run_until_complete(self._dispatcher.answer(body))

    def close(self) -> None:
        """End the node."""
        self._loop.close()
        self.node.close()


@contextmanager
def local_wire(directory: Path) -> Iterator[LocalWire]:
    """A node in this process for the length of a `with`."""
    wire = LocalWire(directory)
    try:
        yield wire
    finally:
        wire.close()


def cpu_us(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU time, user and system, of one out of `count` things that `work` does."""
    began_s = time.process_time()
    work()
    return round((time.process_time() - began_s) * 1e6 / count, 1)


def by_accounts(directory: Path, sizes: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """Cost of transfers and calls with so many holders of tonnes.

    The holders are written into the ledger's storage between two blocks, as the contract itself would have
    written them: transactions for a million would take an hour and end in the same state.
    """
    found: list[dict[str, Any]] = []
    dice = random.Random(1)  # noqa: S311 - samples
    with local_wire(directory) as wire:
        market = _open(wire)
        holders = _Holders(wire, market)
        for size in sizes:
            holders.grow(size, say)
            wire.node._drop_world()  # what was just written is in memory: it is to be read from the trie
            some = [holders.address(dice.randrange(size)) for _ in range(2 * _SAMPLES)]
            raws = [
                market.act(firm, _give(firm, to), 200_000)
                for firm, to in zip(_rounds(market.firms), some[:_SAMPLES], strict=False)
            ]
            asked = [_balance(market, address) for address in some[_SAMPLES:]]
            found.append(
                {
                    "accounts": size,
                    "transfer_us": cpu_us(partial(market.send_all, raws), len(raws)),
                    "first_call_us": cpu_us(partial(_post_all, wire, asked), len(asked)),
                    "repeated_call_us": cpu_us(partial(_post_all, wire, asked), len(asked)),
                    "state_bytes": _bytes(wire.node, b"state"),
                }
            )
            say(f"{size:,} accounts: {found[-1]}")
    return found


def by_history(directory: Path, sizes: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """Cost of transfers, of old records and of starting after so many blocks of one transfer each."""
    found: list[dict[str, Any]] = []
    dice = random.Random(2)  # noqa: S311 - samples
    hashes: list[str] = []
    with local_wire(directory) as wire:
        market = _open(wire)
        for size in sizes:
            while wire.node.head.number < size:
                some = market.transfers(_SAMPLES)
                hashes.extend(wire.call("eth_sendRawTransaction", "0x" + raw.hex()) for raw in some)
                say(f"{wire.node.head.number:,} blocks")
            raws = list(market.transfers(_SAMPLES))
            old = [request("eth_getTransactionReceipt", [dice.choice(hashes)]) for _ in range(_SAMPLES)]
            block = [
                request("eth_getBlockByNumber", [hex(dice.randrange(size)), False]) for _ in range(_SAMPLES)
            ]
            found.append(
                {
                    "blocks": size,
                    "block_us": cpu_us(partial(_send_each, market, raws), len(raws)),
                    "old_receipt_us": cpu_us(partial(_post_all, wire, old), len(old)),
                    "old_block_us": cpu_us(partial(_post_all, wire, block), len(block)),
                    "disk_bytes_a_block": round(_disk_bytes(wire.node) / wire.node.head.number),
                }
            )
            market.check_balances()
    began_s = time.process_time()
    with local_wire(directory):
        found[-1]["start_ms"] = round((time.process_time() - began_s) * 1000, 1)
    say(f"{sizes[-1]:,} blocks: {found[-1]}")
    return found


def by_logs(directory: Path, sizes: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """Cost of writing, indexing and finding logs among so many of one contract."""
    found: list[dict[str, Any]] = []
    with local_wire(directory) as wire:
        logs: LogChain = open_log_chain(wire, 0)
        for size in sizes:
            before = logs.logs
            write_us = cpu_us(partial(logs.fill, size, say), size - before)
            record = wire.node.store.get(b"receipts", wire.node.head.number.to_bytes(8, "big"))
            assert record is not None
            topics = [number * 61 % TOPIC_VALUES for number in range(10)]
            found.append(
                {
                    "logs": size,
                    "write_us": write_us,
                    "index_us": cpu_us(partial(segment_rows, 0, [record]), LOGS_A_BLOCK),
                    "query_ms": cpu_us(partial(_query_all, logs, topics), len(topics)) / 1000,
                    "found": size // TOPIC_VALUES,
                    "index_bytes_a_log": round(sum(_bytes(wire.node, table) for table in TABLES) / size, 1),
                    "receipt_bytes_a_log": round(_bytes(wire.node, b"receipts") / size, 1),
                }
            )
            say(f"{size:,} logs: {found[-1]}")
    return found


class _Holders:
    """Accounts that are written straight into the ledger's storage."""

    def __init__(self, wire: LocalWire, market: Market) -> None:
        self._node = wire.node
        self._ledger = bytes.fromhex(market.addresses["CarbonLedger"][2:])
        self._count = 0
        world = wire.node._head_world()
        known = market.firms[0].address
        # Where the contract keeps its accounts and balances is found by looking for those of a firm.
        self._accounts = next(n for n in range(20) if world.get_storage(self._ledger, _slot(known, n)))  # type: ignore[arg-type]
        self._balances = next(
            n
            for n in range(20)
            if world.get_storage(self._ledger, _slot(known, _inner(UNIT, n)))  # type: ignore[arg-type]
        )
        self._account = world.get_storage(self._ledger, _slot(known, self._accounts))  # type: ignore[arg-type]

    def address(self, number: int) -> bytes:
        """The address of holder `number`."""
        return keccak(b"holder %d" % number)[12:]

    def grow(self, size: int, say: Say) -> None:
        """Have `size` holders of one tonne each."""
        inner = _inner(UNIT, self._balances)
        while self._count < size:
            world = self._node._head_world()
            for number in range(self._count, min(self._count + _AT_ONCE, size)):
                address = self.address(number)
                world.set_storage(self._ledger, _slot(address, self._accounts), self._account)  # type: ignore[arg-type]
                world.set_storage(self._ledger, _slot(address, inner), 1)  # type: ignore[arg-type]
            world.lock_changes()
            self._node.mine_block()
            self._count = min(self._count + _AT_ONCE, size)
            say(f"{self._count:,} accounts")


def _open(wire: LocalWire) -> Market:
    market = open_market(wire, 0, _FIRMS)
    market.send_all(list(market.transfers(400)))  # until hot paths are hot
    return market


def _give(firm: Firm, to: bytes) -> Call:
    return Call("CarbonLedger", "safeTransferFrom", (checksum(firm.address), checksum(to), UNIT, 1, b""))


def _balance(market: Market, address: bytes) -> bytes:
    holder = Firm(key_of("anybody"))
    holder.address = address
    return request("eth_call", [market.balance_request(holder), "latest"])


def _post_all(wire: LocalWire, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        wire.post(body)


def _send_each(market: Market, raws: Sequence[bytes]) -> None:
    for raw in raws:
        market.send_all([raw])


def _query_all(logs: LogChain, topics: Sequence[int]) -> None:
    for topic in topics:
        logs.query_ms(topic)


def _rounds(firms: Sequence[Firm]) -> Iterator[Firm]:
    while True:
        yield from firms


def _slot(key: bytes, base: int) -> int:
    return int.from_bytes(keccak(key.rjust(32, b"\0") + base.to_bytes(32, "big")), "big")


def _inner(unit: int, base: int) -> int:
    return _slot(unit.to_bytes(32, "big"), base)


def _bytes(node: Node, table: bytes) -> int:
    stat = node.store._reader.stat(db=node.store._tables[table])
    return int(stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]))


def _disk_bytes(node: Node) -> int:
    return (Path(node.store._env.path()) / "data.mdb").stat().st_size


PARTS: Final = {"logs": (by_logs, LOGS), "accounts": (by_accounts, ACCOUNTS), "history": (by_history, BLOCKS)}


def write(found: dict[str, Any], path: Path) -> None:
    """Keep the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
