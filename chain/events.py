"""What happened on chain, in order, as facts.

One event a change, and enough in it to rebuild the registry's tables: this reader is the only door through
which the projection and the exchange learn of the chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.exceptions import DecodingError

from chain.abi import BUSINESS_CONTRACTS, abi_of
from chain.deployment import Deployment
from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc, RpcError

_BLOCKS_A_REQUEST: Final = 200
_TOO_MUCH: Final = -32005  # how nodes refuse an answer that would be too long (EIP-1474)


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """One past-tense fact: `args` by the Solidity names, addresses EIP-55, bytes as `0x` text."""

    contract: str
    name: str
    args: Mapping[str, Any]
    block: int
    timestamp_utc: int
    tx_hash: str
    tx_index: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block as its chain links it: by its own hash to its parent's."""

    number: int
    hash: str
    parent_hash: str
    timestamp_utc: int


class EventReader:
    """Reads the deployed contracts' events, block by block, oldest first."""

    def __init__(
        self, rpc: ChainRpc, deployment: Deployment, contracts: tuple[str, ...] = BUSINESS_CONTRACTS
    ) -> None:
        self._rpc = rpc
        self._first_block = deployment.block
        self._contract_of = {deployment.addresses[name].lower(): abi_of(name) for name in contracts}

    @property
    def first_block(self) -> int:
        """The block before which there is nothing to read."""
        return self._first_block

    def head(self) -> int:
        """Return the newest block's number."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        """Return the blocks of these numbers as the chain has them now; None for one that it lacks."""
        found: list[Header | None] = []
        for start in range(0, len(numbers), _BLOCKS_A_REQUEST):
            calls = [
                ("eth_getBlockByNumber", [hex(number), False])
                for number in numbers[start : start + _BLOCKS_A_REQUEST]
            ]
            for answer in self._rpc.batch(calls):
                if isinstance(answer, RpcError):
                    raise ChainUnreachable(reason=str(answer)[:200])
                found.append(None if answer is None else _header(answer))
        return found

    def read_blocks(self, headers: Sequence[Header]) -> list[list[ChainEvent]]:
        """Return the events of exactly these blocks, each by its hash: no other block's get among them.

        Raises
        ------
        ChainUnreachable :
            No answer, or one of the blocks is no longer known.
        """
        addresses = sorted(self._contract_of)
        found = []
        for start in range(0, len(headers), _BLOCKS_A_REQUEST):
            part = headers[start : start + _BLOCKS_A_REQUEST]
            calls = [("eth_getLogs", [{"blockHash": each.hash, "address": addresses}]) for each in part]
            for header, logs in zip(part, self._rpc.batch(calls), strict=True):
                if isinstance(logs, RpcError):
                    raise ChainUnreachable(reason=str(logs)[:200], block=header.number)
                times = {header.number: header.timestamp_utc}
                events = (self._decode(log, times) for log in logs)
                found.append([event for event in events if event is not None])
        return found

    def read(self, from_block: int, to_block: int | None = None) -> Iterator[ChainEvent]:
        """Yield the events of the blocks `from_block` to `to_block`, both included; up to the head if None.

        Raises
        ------
        ChainUnreachable :
            No answer; what was yielded is right, the rest may be read again.
        """
        last = self.head() if to_block is None else to_block
        start = max(from_block, self._first_block)
        while start <= last:
            end = min(start + _BLOCKS_A_REQUEST - 1, last)
            yield from self._read_range(start, end)
            start = end + 1

    def _read_range(self, start: int, end: int) -> Iterator[ChainEvent]:
        span = {
            "fromBlock": hex(start), "toBlock": hex(end), "address": sorted(self._contract_of),
        }  # fmt: skip
        try:
            logs: list[Mapping[str, Any]] = self._rpc.call("eth_getLogs", span)
        except RpcError as error:
            if error.code != _TOO_MUCH or start == end:
                raise
            middle = (start + end) // 2
            yield from self._read_range(start, middle)
            yield from self._read_range(middle + 1, end)
            return
        times = self._timestamps({int(log["blockNumber"], 16) for log in logs})
        for log in logs:
            event = self._decode(log, times)
            if event is not None:
                yield event

    def _timestamps(self, blocks: set[int]) -> dict[int, int]:
        order = sorted(blocks)
        answers = self._rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in order])
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return {number: int(answer["timestamp"], 16) for number, answer in zip(order, answers, strict=True)}

    def _decode(self, log: Mapping[str, Any], times: Mapping[int, int]) -> ChainEvent | None:
        abi = self._contract_of[log["address"].lower()]
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        event = abi.events.get(topics[0]) if topics else None
        if event is None:
            return None
        try:
            args = event.decode(topics, bytes.fromhex(log["data"][2:]))
        except DecodingError as error:
            raise AssertionError(
                f"{abi.name}.{event.name}: the artifact is not the deployed contract"
            ) from error
        block = int(log["blockNumber"], 16)
        return ChainEvent(
            contract=abi.name,
            name=event.name,
            args=args,
            block=block,
            timestamp_utc=times[block],
            tx_hash=log["transactionHash"],
            tx_index=int(log["transactionIndex"], 16),
            log_index=int(log["logIndex"], 16),
        )


def _header(block: Mapping[str, Any]) -> Header:
    return Header(
        number=int(block["number"], 16),
        hash=block["hash"],
        parent_hash=block["parentHash"],
        timestamp_utc=int(block["timestamp"], 16),
    )
