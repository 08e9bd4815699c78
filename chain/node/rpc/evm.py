"""`evm_`: time travel and snapshots, only with --test-methods."""

from __future__ import annotations

from typing import Any

from chain.node.clock import MAX_TIME_UTC
from chain.node.errors import InvalidParams
from chain.node.formats import hex_int, param, read_bool, read_int
from chain.node.modes import MAX_INTERVAL_MS
from chain.node.node import Node
from chain.node.rpc.table import Method

_MAX_MINED_AT_ONCE = 10_000


def snapshot(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Remember head and clock; the answer is the id to come back with."""
    return node.snapshot()


def revert(node: Node, params: list[Any]) -> bool:
    """Go back to a snapshot, once; true if there was one."""
    return node.revert(hex_int(read_int(param(params, 0), "snapshot id")))


def increase_time(node: Node, params: list[Any]) -> str:
    """Move the clock forward by seconds; the answer is the whole offset."""
    seconds = _seconds(param(params, 0), "seconds")
    offset = node.clock.increase(seconds, node.head.header.timestamp)
    node.save_clock()
    return hex_int(offset) if offset >= 0 else str(offset)


def set_next_block_timestamp(node: Node, params: list[Any]) -> str:
    """Fix the time of the next block; the clock runs on from there."""
    timestamp = _seconds(param(params, 0), "timestamp")
    node.clock.set_next(timestamp, node.head.header.timestamp)
    node.save_clock()
    return hex_int(timestamp)


def set_time(node: Node, params: list[Any]) -> str:
    """Set the clock, in unix seconds (ganache says milliseconds; this node says seconds)."""
    timestamp = _seconds(param(params, 0), "timestamp")
    if timestamp < node.head.header.timestamp:
        raise InvalidParams(f"timestamp {timestamp} is before the last block's, {node.head.header.timestamp}")
    node.clock.set_now(timestamp)
    node.save_clock()
    return hex_int(timestamp)


def mine(node: Node, params: list[Any]) -> str:
    """Build one block, empty or not; the parameter may be its time, or {"blocks": n}."""
    wanted = param(params, 0, None)
    count = 1
    if isinstance(wanted, dict):
        count = read_int(wanted.get("blocks", 1), "blocks", _MAX_MINED_AT_ONCE)
    elif wanted is not None:
        node.clock.set_next(_seconds(wanted, "timestamp"), node.head.header.timestamp)
    for _ in range(count):
        node.mine_block()
    return "0x0"


def hardhat_mine(node: Node, params: list[Any]) -> bool:
    """Build a number of blocks."""
    for _ in range(read_int(param(params, 0, 1), "blocks", _MAX_MINED_AT_ONCE)):
        node.mine_block()
    return True


def set_automine(node: Node, params: list[Any]) -> bool:
    """Whether transactions are mined as they come; what waits is mined at once when it is switched on."""
    node.mining.automine = read_bool(param(params, 0), "automine")
    if node.mining.automine:
        node.mine_ready()
    return True


def get_automine(node: Node, params: list[Any]) -> bool:  # noqa: ARG001
    """Whether transactions are mined as they come."""
    return node.mining.automine


def set_interval_mining(node: Node, params: list[Any]) -> bool:
    """Build a block every so many milliseconds; 0 for no more."""
    interval_ms = read_int(param(params, 0), "interval", MAX_INTERVAL_MS)
    try:
        node.mining.set_interval(interval_ms)
    except ValueError as error:
        raise InvalidParams(str(error)) from None
    return True


def _seconds(value: Any, name: str) -> int:
    return read_int(value, name, MAX_TIME_UTC)


METHODS: dict[str, Method] = {
    "evm_snapshot": snapshot,
    "evm_revert": revert,
    "evm_increaseTime": increase_time,
    "evm_setNextBlockTimestamp": set_next_block_timestamp,
    "evm_setTime": set_time,
    "evm_mine": mine,
    "hardhat_mine": hardhat_mine,
    "evm_setAutomine": set_automine,
    "hardhat_getAutomine": get_automine,
    "anvil_getAutomine": get_automine,
    "evm_setIntervalMining": set_interval_mining,
}
