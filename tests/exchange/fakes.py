"""Clearing in memory, with the troubles of a real chain at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from chain.events import ChainEvent
from chain.refusals import ChainUnreachable, ContractRefusal
from exchange.core.codes import CASH
from exchange.custody import Withdrawal
from exchange.netting import Delta
from exchange.words import account_text, hex_text


@dataclass
class FakeClearing:
    """Does what contracts/Clearing.sol does, one block an act.

    `down` makes every call unreachable; `lose_answers` does the next acts and then says unreachable; `frozen`
    accounts cannot be paid.
    """

    blocks: list[list[ChainEvent]] = field(default_factory=lambda: [[]])
    units: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    cash: Counter[bytes] = field(default_factory=Counter)
    settled: int = 0
    chunks_applied: int = 0
    released: set[bytes] = field(default_factory=set)
    frozen: set[bytes] = field(default_factory=set)
    down: bool = False
    lose_answers: int = 0
    settle_calls: int = 0
    release_calls: int = 0
    after_each: Callable[[], None] = lambda: None

    # --- the port ---

    def head(self) -> int:
        self._require_up()
        return len(self.blocks) - 1

    def events(self, first: int, last: int) -> list[ChainEvent]:
        self._require_up()
        return [event for block in self.blocks[first : last + 1] for event in block]

    def progress(self) -> tuple[int, int]:
        self._require_up()
        return self.settled, self.chunks_applied

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        self._require_up()
        self.settle_calls += 1
        if epoch <= self.settled or (epoch == self.settled + 1 and chunk < self.chunks_applied):
            return
        if (epoch, chunk) != (self.settled + 1, self.chunks_applied):
            raise ContractRefusal("ClearingChunkOutOfOrder", {"epoch": epoch, "got": chunk})
        for delta in deltas:
            self.units[delta.account, delta.unit] += delta.quantity_t
            self.cash[delta.account] += delta.cash_fen
        self.chunks_applied += 1
        if self.chunks_applied == chunks:
            assert min([0, *self.units.values(), *self.cash.values()]) == 0
            self.settled, self.chunks_applied = epoch, 0
            args = {"epoch": epoch, "tapeRoot": hex_text(tape_root), "chunks": chunks}
            self.mine("EpochSettled", args)
        self._answer()

    def release(self, withdrawals: Sequence[Withdrawal]) -> int:
        self._require_up()
        self.release_calls += 1
        if self.chunks_applied:
            raise ContractRefusal("ClearingEpochOpen", {"epoch": self.settled + 1})
        for each in withdrawals:
            if each.account in self.frozen:
                raise ContractRefusal("LedgerAccountFrozen", {"account": account_text(each.account)})
        for each in withdrawals:
            if each.withdrawal_id not in self.released:
                self.released.add(each.withdrawal_id)
                self._pay(each.account, each.asset, each.amount, each.withdrawal_id.rjust(32, b"\0"))
        self._answer()
        return len(self.blocks) - 1

    # --- what others do on chain ---

    def deposit(self, account: bytes, asset: int, amount: int, name: bytes | None = None) -> bytes:
        deposit_id = name or uuid4().bytes.rjust(32, b"\0")
        args = {"account": account_text(account), "requestId": hex_text(deposit_id)}
        if asset == CASH:
            self.cash[account] += amount
            self.mine("CashDeposited", {**args, "amountFen": amount})
        else:
            self.units[account, asset] += amount
            self.mine("UnitsDeposited", {**args, "unitId": asset, "quantityT": amount})
        return deposit_id

    def exit(self, account: bytes, amount_fen: int) -> None:
        self._pay(account, CASH, amount_fen, bytes(32))

    def mine(self, name: str, args: dict[str, object]) -> None:
        block = len(self.blocks)
        tx_hash = hex_text(block.to_bytes(32, "big"))
        self.blocks.append([ChainEvent("Clearing", name, args, block, 1_800_000_000, tx_hash, 0, 0)])

    def _pay(self, account: bytes, asset: int, amount: int, name: bytes) -> None:
        args: dict[str, object] = {"account": account_text(account), "requestId": hex_text(name)}
        if asset == CASH:
            self.cash[account] -= amount
            self.mine("CashWithdrawn", {**args, "amountFen": amount})
        else:
            self.units[account, asset] -= amount
            self.mine("UnitsWithdrawn", {**args, "unitId": asset, "quantityT": amount})

    def _require_up(self) -> None:
        if self.down:
            raise ChainUnreachable(url="http://nowhere", reason="down")

    def _answer(self) -> None:
        if self.lose_answers:
            self.lose_answers -= 1
            raise ChainUnreachable(url="http://nowhere", reason="the answer was lost")
