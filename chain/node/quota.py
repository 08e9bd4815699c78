"""How much one sender may ask of the chain: gas that costs nothing is rationed instead.

Each sender has a bucket that holds `burst_gas` and empties at `gas_per_second`. Taking a transaction in fills
it by the transaction's gas limit; when the transaction is mined, what it did not use is given back. So a
sender may do a lot at once, or a little for ever, and nobody pays.

Gas says badly what some work takes of the processor (py-evm's pairing most of all). So what a transaction has
taken counts as gas, GAS_A_MS for each millisecond, where that is more. A bucket may overflow by it; until it
is down again its sender's waiting transactions are refused.

Addresses cost nothing, so whoever has never had a transaction mined is a newcomer, and all newcomers share
one bucket of five senders' size; none may ask for more than a tenth of a burst at once. Operators are not
rationed.

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

NEWCOMERS: Final = 5
NEWCOMER_PART: Final = 10
GAS_A_MS: Final = 50_000  # an ordinary transfer of 60,000 gas takes about a millisecond
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
        self._debtors: set[bytes] = set()
        self._sweep_at = _SWEPT_FROM

    def reserve(self, transaction: Transaction, *, newcomer: bool) -> None:
        """Charge a transaction's gas limit; raises SenderQuotaExceeded, and then nothing was charged."""
        sender = transaction.sender
        if self._rule is None or sender in self._operators:
            return
        key = _NEWCOMERS_KEY if newcomer else sender
        rule = self._rule_of(key)
        used, gas = self.used_gas(key), transaction.gas
        if newcomer and gas > (most := self._rule.burst_gas // NEWCOMER_PART):
            part = QuotaRule(self._rule.gas_per_second, most)
            raise SenderQuotaExceeded(f"new sender {checksum(sender)}", 0, gas, part)
        if used + gas > rule.burst_gas:
            raise SenderQuotaExceeded(_name(key), used, gas, rule)
        self._put(key, used + gas)
        self._reserved[transaction.hash] = (key, gas)

    def release(self, transaction: Transaction, used_gas: int, work_ms: int = 0) -> None:
        """Charge what a transaction used, or took, instead of its limit: it was mined, dropped or refused."""
        reserved = self._reserved.pop(transaction.hash, None)
        if reserved is not None:
            key, gas = reserved
            self._put(key, max(0, self.used_gas(key) - gas + max(used_gas, work_ms * GAS_A_MS)))

    @property
    def in_debt(self) -> bool:
        """Whether any bucket overflows."""
        self._debtors = {key for key in self._debtors if self._over(key)}
        return bool(self._debtors)

    def overdrawn(self, transaction: Transaction) -> SenderQuotaExceeded | None:
        """Why a waiting transaction is not to run: the bucket that it was charged to overflows; else None."""
        key, gas = self._reserved.get(transaction.hash, (b"", 0))
        if key not in self._debtors or not self._over(key):
            return None
        return SenderQuotaExceeded(_name(key), self.used_gas(key) - gas, gas, self._rule_of(key))

    def _over(self, key: bytes) -> bool:
        return self._rule is not None and self.used_gas(key) > self._rule_of(key).burst_gas

    def _rule_of(self, key: bytes) -> QuotaRule:
        assert self._rule is not None
        return self._rule.times(NEWCOMERS) if key == _NEWCOMERS_KEY else self._rule

    def used_gas(self, key: bytes) -> int:
        """What is in a sender's bucket now."""
        gas, at_ms = self._buckets.get(key, (0, 0))
        if not gas or self._rule is None:
            return 0
        return max(0, gas - (self._now_ms() - at_ms) * self._rule_of(key).gas_per_second // 1_000)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
        self._reserved.clear()
        self._debtors.clear()

    def _put(self, key: bytes, gas: int) -> None:
        self._buckets[key] = (gas, self._now_ms())
        if self._over(key):
            self._debtors.add(key)
        if len(self._buckets) >= self._sweep_at:
            self._buckets = {each: held for each, held in self._buckets.items() if self.used_gas(each)}
            self._sweep_at = max(_SWEPT_FROM, 2 * len(self._buckets))


def _name(key: bytes) -> str:
    return "new senders together" if key == _NEWCOMERS_KEY else checksum(key)
