"""How much one sender may ask of the chain: gas that costs nothing is rationed instead.

Each sender has a bucket that holds `burst_gas` and empties at `gas_per_second`. Taking a transaction in fills
it by the transaction's gas limit; when the transaction is mined, what it did not use is given back. So a
sender may do a lot at once, or a little for ever, and nobody pays.

Addresses cost nothing, so whoever has never had a transaction mined is a newcomer, and all newcomers share
one bucket of ten senders' size. Operators are not rationed.

This is what one node admits, not what makes a block valid: nothing of it is on chain, a restart forgets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from chain.node.errors import RpcError
from chain.node.formats import checksum
from chain.node.transactions import Transaction

NEWCOMERS: Final = 10
_NEWCOMERS_KEY: Final = b"newcomers"
_SWEPT_FROM: Final = 1_024


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """`burst_gas` at once, `gas_per_second` for ever; both in units of gas, above zero."""

    gas_per_second: int
    burst_gas: int

    def times(self, factor: int) -> QuotaRule:
        """The rule for several senders together."""
        return QuotaRule(self.gas_per_second * factor, self.burst_gas * factor)


DEFAULT_QUOTA: Final = QuotaRule(gas_per_second=3_000_000, burst_gas=300_000_000)


class SenderQuotaExceeded(RpcError):
    """The sender asked for too much at once. -32005: limit exceeded (EIP-1474); `data` has the numbers."""

    code = -32005

    def __init__(self, who: str, used_gas: int, asked_gas: int, rule: QuotaRule) -> None:
        over = used_gas + asked_gas - rule.burst_gas
        self.used_gas = used_gas
        self.asked_gas = asked_gas
        self.limit_gas = rule.burst_gas
        self.retry_after_ms = None if asked_gas > rule.burst_gas else -(-over * 1_000 // rule.gas_per_second)
        wait = "never" if self.retry_after_ms is None else f"retry after {self.retry_after_ms} ms"
        super().__init__(
            f"sender quota exceeded: {who} used {used_gas} gas, asks for {asked_gas}, "
            f"limit {rule.burst_gas} at once and {rule.gas_per_second} a second; {wait}"
        )

    def as_json(self) -> dict[str, Any]:
        """The `error` object, with the numbers as `data`."""
        return {
            **super().as_json(),
            "data": {
                "usedGas": hex(self.used_gas),
                "askedGas": hex(self.asked_gas),
                "limitGas": hex(self.limit_gas),
                "retryAfterMs": self.retry_after_ms,
            },
        }


def monotonic_ms() -> int:
    """Milliseconds that only ever grow."""
    return time.monotonic_ns() // 1_000_000


class Quota:
    """The buckets of one node. Without a rule everybody may send everything."""

    def __init__(
        self,
        rule: QuotaRule | None,
        operators: frozenset[bytes] = frozenset(),
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._rule = rule
        self._operators = operators
        self._now_ms = now_ms
        self._buckets: dict[bytes, tuple[int, int]] = {}  # gas in the bucket, at which millisecond
        self._reserved: dict[bytes, tuple[bytes, int]] = {}  # by transaction: whose bucket, gas
        self._sweep_at = _SWEPT_FROM

    def reserve(self, transaction: Transaction, *, newcomer: bool) -> None:
        """Charge a transaction's gas limit; raises SenderQuotaExceeded, and then nothing was charged."""
        sender = transaction.sender
        if self._rule is None or sender in self._operators:
            return
        rule = self._rule.times(NEWCOMERS) if newcomer else self._rule
        key = _NEWCOMERS_KEY if newcomer else sender
        used, gas = self.used_gas(key), transaction.gas
        if used + gas > rule.burst_gas or gas > self._rule.burst_gas:
            who = "new senders together" if newcomer and gas <= self._rule.burst_gas else checksum(sender)
            limit = rule if gas <= self._rule.burst_gas else self._rule
            raise SenderQuotaExceeded(who, used, gas, limit)
        self._put(key, used + gas)
        self._reserved[transaction.hash] = (key, gas)

    def release(self, transaction: Transaction, used_gas: int) -> None:
        """Give back what a transaction did not use: it was mined, dropped or refused."""
        reserved = self._reserved.pop(transaction.hash, None)
        if reserved is not None:
            key, gas = reserved
            self._put(key, max(0, self.used_gas(key) - max(0, gas - used_gas)))

    def used_gas(self, key: bytes) -> int:
        """What is in a sender's bucket now."""
        gas, at_ms = self._buckets.get(key, (0, 0))
        if not gas or self._rule is None:
            return 0
        rate = self._rule.gas_per_second * (NEWCOMERS if key == _NEWCOMERS_KEY else 1)
        return max(0, gas - (self._now_ms() - at_ms) * rate // 1_000)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
        self._reserved.clear()

    def _put(self, key: bytes, gas: int) -> None:
        self._buckets[key] = (gas, self._now_ms())
        if len(self._buckets) >= self._sweep_at:
            self._buckets = {each: held for each, held in self._buckets.items() if self.used_gas(each)}
            self._sweep_at = max(_SWEPT_FROM, 2 * len(self._buckets))
