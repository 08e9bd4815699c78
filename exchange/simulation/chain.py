"""Clearing on a chain that is simulated, and the way there: late, lost, done twice, done long after.

It does what contracts/Clearing.sol does, one block an act; only final blocks are shown. What the exchange
tells it is compared with what is durable at that moment (`on_settle`, `on_release`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from chain.events import ChainEvent
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal
from exchange.core.codes import CASH
from exchange.custody import Withdrawal, withdrawal_transfer
from exchange.netting import Delta

T = TypeVar("T")


@dataclass(slots=True)
class SimulatedClearing:
    """The contract, its blocks, and what everybody has in it."""

    trace: Callable[..., None]
    on_settle: Callable[[int, bytes], None] = lambda _epoch, _root: None
    on_release: Callable[[Withdrawal], None] = lambda _withdrawal: None
    on_short: Callable[[str], None] = lambda _act: None
    """Clearing is asked for what it does not have: so it can be only after an exit."""
    blocks: list[list[ChainEvent]] = field(default_factory=lambda: [[]])
    held: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    """By (account, asset)."""
    settled: int = 0
    applied: int = 0
    roots: list[bytes] = field(default_factory=list)
    """Of the settled epochs, from the first on."""
    released: dict[tuple[bytes, bytes], tuple[int, int]] = field(default_factory=dict)
    """Asset and amount, by account and withdrawal id."""
    frozen: set[bytes] = field(default_factory=set)
    deposits: int = 0

    # --- the port ---

    def head(self) -> int:
        """Return the newest block."""
        return len(self.blocks) - 1

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Return the events of these blocks."""
        return [event for block in self.blocks[first : last + 1] for event in block]

    def progress(self) -> tuple[int, int]:
        """Return the last settled epoch, and the applied chunks of the next."""
        return self.settled, self.applied

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        """Apply one chunk; again is nothing."""
        self.on_settle(epoch, tape_root)
        if epoch <= self.settled or (epoch == self.settled + 1 and chunk < self.applied):
            return
        if (epoch, chunk) != (self.settled + 1, self.applied):
            raise ContractRefusal("ClearingChunkOutOfOrder", {"epoch": epoch, "got": chunk})
        held = self.held.copy()
        for delta in deltas:
            held[delta.account, delta.unit] += delta.quantity_t
            held[delta.account, CASH] += delta.cash_fen
        if chunk + 1 == chunks and min(held.values(), default=0) < 0:
            self.on_short("settle")
            raise ContractRefusal("ClearingAccountsBelowZero", {"epoch": epoch, "count": 1})
        self.held = held
        self.applied += 1
        if self.applied == chunks:
            self.settled, self.applied = epoch, 0
            self.roots.append(tape_root)
            self._mine("EpochSettled", {"epoch": epoch, "tapeRoot": _hex(tape_root), "chunks": chunks})

    def release(self, withdrawals: Sequence[Withdrawal]) -> int:
        """Pay all of them or none; those paid before are passed over."""
        for each in withdrawals:
            self.on_release(each)
        if self.applied:
            raise ContractRefusal("ClearingEpochOpen", {"epoch": self.settled + 1})
        due = [each for each in withdrawals if (each.account, each.withdrawal_id) not in self.released]
        held = self.held.copy()
        for each in due:
            if each.account in self.frozen:
                raise ContractRefusal("LedgerAccountFrozen", {"account": _hex(each.account)})
            held[each.account, each.asset] -= each.amount
            if held[each.account, each.asset] < 0:
                self.on_short("release")
                raise ContractRefusal("ClearingInsufficientCash", {"account": _hex(each.account)})
        for each in due:
            self.released[each.account, each.withdrawal_id] = each.asset, each.amount
            self._pay(each.account, each.asset, each.amount, withdrawal_transfer(each.withdrawal_id))
        return self.head()

    # --- what others do ---

    def deposit(self, account: bytes, asset: int, amount: int) -> None:
        """Pay in."""
        self.deposits += 1
        self.held[account, asset] += amount
        args = {"account": _hex(account), "requestId": _hex(self.deposits.to_bytes(32, "big"))}
        if asset == CASH:
            self._mine("CashDeposited", {**args, "amountFen": amount})
        else:
            self._mine("UnitsDeposited", {**args, "unitId": asset, "quantityT": amount})

    def exit(self, account: bytes, asset: int, amount: int) -> None:
        """Take out, without asking the exchange."""
        amount = min(amount, self.held[account, asset])
        if amount > 0 and not self.applied:
            self._pay(account, asset, amount, bytes(32))

    def _pay(self, account: bytes, asset: int, amount: int, name: bytes) -> None:
        self.held[account, asset] -= amount
        args: dict[str, object] = {"account": _hex(account), "requestId": _hex(name)}
        if asset == CASH:
            self._mine("CashWithdrawn", {**args, "amountFen": amount})
        else:
            self._mine("UnitsWithdrawn", {**args, "unitId": asset, "quantityT": amount})

    def _mine(self, name: str, args: dict[str, object]) -> None:
        block = len(self.blocks)
        tx_hash = _hex(block.to_bytes(32, "big"))
        self.blocks.append([ChainEvent("Clearing", name, args, block, 1_800_000_000, tx_hash, 0, 0)])
        self.trace("mined", name, block)


@dataclass(slots=True)
class WayToChain:
    """Calls the port over a wire that is slow, and bad at `trouble` of 1,000 calls."""

    random: Random
    clearing: SimulatedClearing
    trace: Callable[..., None]
    trouble: int = 0

    async def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """Do a call; raises ChainUnreachable where its answer does not come."""
        random = self.random
        await asyncio.sleep(random.random() * 0.02)
        found = random.random() * 1_000
        if found >= self.trouble:
            answer = call(*arguments)
            await asyncio.sleep(random.random() * 0.02)
            return answer
        way = random.randrange(5)
        self.trace("chain trouble", way, call.__name__)
        if way == 0:  # it never arrives
            raise ChainUnreachable(reason="lost on the way there")
        if way == 1:  # it arrives when nobody waits any more
            self._later(call, *arguments)
            raise ChainUnreachable(reason="too late")
        answer = call(*arguments)
        if way == 2:
            raise ChainUnreachable(reason="lost on the way back")
        if way == 3:  # it arrives again
            self._later(call, *arguments)
        elif call == self.clearing.head:
            return max(0, answer - 1 - random.randrange(3))  # type: ignore[operator, return-value]
        await asyncio.sleep(random.random() * 3)
        return answer

    def _later(self, call: Callable[..., Any], *arguments: Any) -> None:
        def do() -> None:
            with suppress(Refusal):
                call(*arguments)

        asyncio.get_running_loop().call_later(self.random.random() * 5, do)


def _hex(content: bytes) -> str:
    return "0x" + content.hex()
