"""Clearing: trading accounts, and how an epoch moves them.

Between epochs: of each unit and of cash, the sum of all trading balances is what the contract holds, and
nobody is below zero. Inside an open epoch balances may be below zero, and nothing leaves.
"""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any, NamedTuple

from eth_utils import keccak

from tests.support.contract_model.cash import SettlementCash
from tests.support.contract_model.ledger import CarbonLedger
from tests.support.contract_model.machine import ZERO, Address, Model, Msg, Refused, digest
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once, OnceTable

EXIT_TIMEOUT_S = 7 * 24 * 3600
LEAST = -(2**127)  # has no opposite: could never be taken back

Delta = tuple[Address, int, int, int]  # account, unit, tonnes, fen: what comes in (+) or goes out (-)


class Progress(NamedTuple):
    """`chunks_applied` and `chunks` are of the epoch after the settled one; `last_act_at`: Unix seconds."""

    settled_epoch: int = 0
    chunks_applied: int = 0
    chunks: int = 0
    last_act_at: int = 0


class Sums(NamedTuple):
    """What an open epoch carries from one chunk to the next: the unit it is at, and what is still open."""

    unit: int = 0
    units_t: int = 0
    cash_fen: int = 0


class Clearing(Managed, Once):
    """Deposits by anyone, settlement and releases by the exchange, a way out when the exchange is silent."""

    name = "Clearing"

    def __init__(
        self, model: Model, address: Address, authority: Address, ledger: CarbonLedger, cash: SettlementCash
    ) -> None:
        super().__init__(model, address, authority)
        self._ledger = ledger
        self._cash = cash
        self.progress = self.table(Progress(), lambda _key: ("chunksApplied",))
        self.sums = self.table(Sums())  # of the open epoch, by how many chunks are in it
        self.units = self.table(0, lambda key: ("unitsOf", *key))
        self.fen = self.table(0, lambda account: ("cashOf", account))
        self.roots = self.table(ZERO, lambda epoch: ("tapeRootOf", epoch))
        self.chunk_digests = self.table(ZERO)
        self.exits = self.table(0, lambda account: ("exitDueAt", account))
        self.released = OnceTable(self.table(None, lambda key: ("isReleased", *key)))
        self.below_zero = self.table(0)

    # Deposits

    def on_erc1155_received(
        self, msg: Msg, _operator: Address, owner: Address, unit: int, quantity_t: int, data: bytes
    ) -> bytes:
        if msg.sender != self._ledger.address:
            raise Refused("ClearingUnknownAsset", msg.sender)
        request_id = _request_id_in(data)
        self.once_only(owner, request_id, (unit, quantity_t), _deposit_digest)
        self._move(self.units, (owner, unit), quantity_t)
        self.emit("UnitsDeposited", owner, unit, quantity_t, request_id)
        return msg.function.selector

    def on_erc1155_batch_received(self, *_args: Any) -> bytes:
        raise Refused("ClearingRequestIdMissing")

    def on_transfer_received(
        self, msg: Msg, _operator: Address, owner: Address, amount_fen: int, data: bytes
    ) -> bytes:
        if msg.sender != self._cash.address:
            raise Refused("ClearingUnknownAsset", msg.sender)
        if amount_fen == 0:
            raise Refused("ClearingZeroAmount")
        request_id = _request_id_in(data)
        self.once_only(owner, request_id, (0, amount_fen), _deposit_digest)
        self._move(self.fen, owner, amount_fen)
        self.emit("CashDeposited", owner, amount_fen, request_id)
        return msg.function.selector

    # Settlement

    @restricted
    def settle(self, msg: Msg, epoch: int, chunk: int, chunks: int, root: bytes, deltas: list[Delta]) -> None:
        content = keccak(msg.data[4:])
        if self._is_retry(epoch, chunk, root, content):
            return
        progress: Progress = self.progress[0]
        if chunk != progress.chunks_applied or chunk >= chunks:
            raise Refused("ClearingChunkOutOfOrder", epoch, progress.chunks_applied, chunk)
        if chunk == 0:
            self.roots[epoch] = root
            sums = Sums()
        else:
            self._require_same_epoch(epoch, chunks, root)
            sums = self.sums[chunk]
        self.chunk_digests[epoch, chunk] = content
        sums = self._apply(epoch, sums, deltas)
        if chunk + 1 < chunks:
            self.sums[chunk + 1] = sums
            self.progress[0] = Progress(progress.settled_epoch, chunk + 1, chunks, self.now)
            return
        _require_balanced(epoch, sums, sums.cash_fen)
        if self.below_zero[0]:
            self._refuse_below_zero(epoch, deltas)
        self.progress[0] = Progress(epoch, 0, 0, self.now)
        self.emit("EpochSettled", epoch, root, chunks)

    def _is_retry(self, epoch: int, chunk: int, root: bytes, content: bytes) -> bool:
        progress = self.progress[0]
        expected = progress.settled_epoch + 1
        if epoch == 0 or epoch > expected:
            raise Refused("ClearingEpochOutOfOrder", expected, epoch)
        if epoch == expected and chunk >= progress.chunks_applied:
            return False
        if self.roots[epoch] != root:
            raise Refused("ClearingEpochConflict", epoch, self.roots[epoch], root)
        recorded = self.chunk_digests[epoch, chunk]
        if recorded != content:
            raise Refused("ClearingChunkConflict", epoch, chunk, recorded, content)
        return True

    def _require_same_epoch(self, epoch: int, chunks: int, root: bytes) -> None:
        if self.roots[epoch] != root:
            raise Refused("ClearingEpochConflict", epoch, self.roots[epoch], root)
        if self.progress[0].chunks != chunks:
            raise Refused("ClearingChunkCountChanged", epoch, self.progress[0].chunks, chunks)

    def _apply(self, epoch: int, sums: Sums, deltas: list[Delta]) -> Sums:
        for account, unit, quantity_t, cash_fen in deltas:
            if LEAST in (quantity_t, cash_fen) or (unit == 0 and quantity_t != 0):
                raise Refused("ClearingDeltaImpossible", epoch, account, unit)
            if unit != sums.unit:
                if unit < sums.unit:
                    raise Refused("ClearingDeltasUnordered", epoch, sums.unit, unit)
                _require_balanced(epoch, sums, 0)
                sums = Sums(unit, 0, sums.cash_fen)
            sums = Sums(unit, sums.units_t + quantity_t, sums.cash_fen + cash_fen)
            self._move(self.units, (account, unit), quantity_t)
            self._move(self.fen, account, cash_fen)
            self.emit("AccountSettled", epoch, account, unit, quantity_t, cash_fen)
        return sums

    def _refuse_below_zero(self, epoch: int, deltas: list[Delta]) -> None:
        for account, unit, _, _ in deltas:
            if self.units[account, unit] < 0:
                raise Refused("ClearingInsufficientUnits", account, unit, 0, -self.units[account, unit])
            if self.fen[account] < 0:
                raise Refused("ClearingInsufficientCash", account, 0, -self.fen[account])
        raise Refused("ClearingAccountsBelowZero", epoch, self.below_zero[0])

    @restricted
    def unwind(self, msg: Msg, epoch: int, chunk: int, chunks: int, root: bytes, deltas: list[Delta]) -> None:
        self._unwind(msg, epoch, chunk, chunks, root, deltas)
        self.progress[0] = self.progress[0]._replace(last_act_at=self.now)

    def unwind_abandoned(
        self, msg: Msg, epoch: int, chunk: int, chunks: int, root: bytes, deltas: list[Delta]
    ) -> None:
        due_at = self.progress[0].last_act_at + EXIT_TIMEOUT_S
        if self.now < due_at:
            raise Refused("ClearingExitNotDue", msg.sender, due_at, self.now)
        self._unwind(msg, epoch, chunk, chunks, root, deltas)

    def _unwind(
        self, msg: Msg, epoch: int, chunk: int, chunks: int, root: bytes, deltas: list[Delta]
    ) -> None:
        """The last chunk backwards. When none is left the epoch was never."""
        progress = self.progress[0]
        if epoch != progress.settled_epoch + 1:
            raise Refused("ClearingEpochOutOfOrder", progress.settled_epoch + 1, epoch)
        if chunk + 1 != progress.chunks_applied:
            raise Refused("ClearingChunkOutOfOrder", epoch, progress.chunks_applied, chunk)
        self._require_same_epoch(epoch, chunks, root)
        recorded, given = self.chunk_digests[epoch, chunk], keccak(msg.data[4:])
        if recorded != given:
            raise Refused("ClearingChunkConflict", epoch, chunk, recorded, given)
        self.chunk_digests[epoch, chunk] = ZERO
        for account, unit, quantity_t, cash_fen in deltas:
            self._move(self.units, (account, unit), -quantity_t)
            self._move(self.fen, account, -cash_fen)
            self.emit("AccountSettled", epoch, account, unit, -quantity_t, -cash_fen)
        if chunk == 0:
            self.roots[epoch] = ZERO
        self.progress[0] = progress._replace(chunks_applied=chunk, chunks=progress.chunks if chunk else 0)
        self.emit("EpochUnwound", epoch, chunk)

    # Ways out

    @restricted
    def release(self, msg: Msg, withdrawals: list[tuple[Address, int, int, bytes]]) -> None:
        self._require_closed()
        self.progress[0] = self.progress[0]._replace(last_act_at=self.now)
        for account, unit, amount, request_id in withdrawals:
            if not self.released.first(account, request_id, (unit, amount), _deposit_digest):
                continue
            if unit == 0:
                self._pay_cash(account, amount, request_id)
            else:
                self._pay_units(account, unit, amount, request_id)

    def request_exit(self, msg: Msg) -> None:
        asked = self.exits[msg.sender]
        if asked != 0 and asked >= self.progress[0].last_act_at:
            return  # still waiting
        self.exits[msg.sender] = self.now
        self.emit("ExitRequested", msg.sender, self.now)

    def exit(self, msg: Msg, unit_ids: list[int]) -> None:
        due_at = self._exit_due_at(msg.sender)
        if due_at == 0 or self.now < due_at:
            raise Refused("ClearingExitNotDue", msg.sender, due_at, self.now)
        self._require_closed()
        if self.fen[msg.sender] > 0:
            self._pay_cash(msg.sender, self.fen[msg.sender], ZERO)
        for unit in unit_ids:
            if self.units[msg.sender, unit] > 0:
                self._pay_units(msg.sender, unit, self.units[msg.sender, unit], ZERO)

    def _require_closed(self) -> None:
        if self.progress[0].chunks_applied:
            raise Refused("ClearingEpochOpen", self.progress[0].settled_epoch + 1)

    def _pay_units(self, account: Address, unit: int, quantity_t: int, request_id: bytes) -> None:
        self._require_closed()  # again: the receiver of the payment before was called
        balance_t = max(0, self.units[account, unit])
        if balance_t < quantity_t:
            raise Refused("ClearingInsufficientUnits", account, unit, balance_t, quantity_t)
        self._move(self.units, (account, unit), -quantity_t)
        self.emit("UnitsWithdrawn", account, unit, quantity_t, request_id)
        self.ask(self._ledger.address, "safeTransferFrom", self.address, account, unit, quantity_t, b"")

    def _pay_cash(self, account: Address, amount_fen: int, request_id: bytes) -> None:
        self._require_closed()
        if amount_fen == 0:
            raise Refused("ClearingZeroAmount")
        balance_fen = max(0, self.fen[account])
        if balance_fen < amount_fen:
            raise Refused("ClearingInsufficientCash", account, balance_fen, amount_fen)
        self._move(self.fen, account, -amount_fen)
        self.emit("CashWithdrawn", account, amount_fen, request_id)
        self.ask(self._cash.address, "transfer", account, amount_fen)

    def _move(self, table: Any, key: Any, change: int) -> None:
        """Change a balance, and count who is below zero."""
        if change == 0:
            return
        before = table[key]
        table[key] = before + change
        if (before < 0) != (before + change < 0):
            self.below_zero[0] = self.below_zero[0] + (1 if before + change < 0 else -1)

    # Views

    def units_of(self, account: Address, unit: int) -> int:
        return max(0, self.units[account, unit])

    def cash_of(self, account: Address) -> int:
        return max(0, self.fen[account])

    def is_released(self, account: Address, request_id: bytes) -> bool:
        return self.released.was_done(account, request_id)

    def settled_epoch(self) -> int:
        return int(self.progress[0].settled_epoch)

    def tape_root_of(self, epoch: int) -> bytes:
        return bytes(self.roots[epoch])

    def chunks_applied(self) -> int:
        return int(self.progress[0].chunks_applied)

    def exit_due_at(self, account: Address) -> int:
        return self._exit_due_at(account)

    def _exit_due_at(self, account: Address) -> int:
        asked: int = self.exits[account]
        return max(asked, self.progress[0].last_act_at) + EXIT_TIMEOUT_S if asked else 0

    def exit_timeout(self) -> int:
        return EXIT_TIMEOUT_S

    def ledger(self) -> Address:
        return self._ledger.address

    def cash(self) -> Address:
        return self._cash.address

    def supports_interface(self, interface_id: bytes) -> bool:
        return interface_id.hex() in (
            "01ffc9a7",
            "4e2312e0",
            "88a7ca5c",
        )  # ERC-165, receivers of ERC-1155, ERC-1363


def _require_balanced(epoch: int, sums: Sums, cash_fen: int) -> None:
    if sums.units_t != 0:
        raise Refused("ClearingUnbalanced", epoch, sums.unit, sums.units_t)
    if cash_fen != 0:
        raise Refused("ClearingUnbalanced", epoch, 0, cash_fen)


def _request_id_in(data: bytes) -> bytes:
    """A deposit carries exactly its request id."""
    if len(data) != 32:
        raise Refused("ClearingRequestIdMissing")
    return data


def _deposit_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["uint256", "uint256"], facts)
