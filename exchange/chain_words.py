"""What the chain says, as the run of records that the journal holds of it.

Clearing's events become words, and words become records by the numbers that the venue has for accounts and
units. An account or unit that it does not know yet is registered or listed first, in the same run: whoever
composes it sees the venue as it is just before, so the next numbers are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from chain.events import ChainEvent
from exchange import carried
from exchange.core import records
from exchange.core.codes import AMOUNT_MAX, CASH, Phase
from exchange.custody import exit_transfer
from exchange.venue import Venue

TICK_FEN: Final = 1
LOT_T: Final = 1
QUANTITY_MAX_T: Final = 1_000_000_000
"""On which terms a unit is listed that was deposited before anybody listed it.

It is closed until somebody does.
"""


class Paid(NamedTuple):
    """An account paid in; `deposit_id` is its request id on chain."""

    deposit_id: bytes
    account: bytes
    asset: int
    amount: int


class Settled(NamedTuple):
    """An epoch is settled."""

    epoch: int
    tape_root: bytes
    block: int
    tx_hash: bytes


class Released(NamedTuple):
    """A withdrawal is paid out."""

    withdrawal_id: bytes
    block: int
    tx_hash: bytes


class Left(NamedTuple):
    """An account took an asset out of Clearing itself (forced exit)."""

    tx_hash: bytes
    log_index: int
    account: bytes
    asset: int
    amount: int


ChainWord = Paid | Settled | Released | Left


def word_of(event: ChainEvent) -> ChainWord | None:
    """Return what the exchange has to be told of an event, or None where there is nothing."""
    if event.name in {"UnitsDeposited", "CashDeposited"}:
        asset, amount = _moved(event)
        if not 0 < amount <= AMOUNT_MAX:
            return None
        return Paid(_bytes(event.args["requestId"]), _bytes(event.args["account"]), asset, amount)
    if event.name == "EpochSettled":
        root = _bytes(event.args["tapeRoot"])
        return Settled(event.args["epoch"], root, event.block, _bytes(event.tx_hash))
    if event.name in {"UnitsWithdrawn", "CashWithdrawn"}:
        return _gone(event)
    return None


def run_of(venue: Venue, words: Sequence[ChainWord | int], now_us: int) -> bytes:
    """Return the run that tells the venue of these words; a plain number is the block read last."""
    composer = _Composer(venue, now_us)
    for word in words:
        composer.add(word)
    return b"".join(composer.parts)


def _gone(event: ChainEvent) -> ChainWord | None:
    """A withdrawal that the exchange released; one without an id is a forced exit."""
    request_id = _bytes(event.args["requestId"])
    if any(request_id):
        known = not any(request_id[:16])
        return Released(request_id[16:], event.block, _bytes(event.tx_hash)) if known else None
    asset, amount = _moved(event)
    if amount > AMOUNT_MAX:  # the engine never had it: it could not count it
        return None
    return Left(_bytes(event.tx_hash), event.log_index, _bytes(event.args["account"]), asset, amount)


def _moved(event: ChainEvent) -> tuple[int, int]:
    if event.name.startswith("Cash"):
        return CASH, event.args["amountFen"]
    return event.args["unitId"], event.args["quantityT"]


class _Composer:
    """Gathers records; numbers what is new as the core will."""

    def __init__(self, venue: Venue, now_us: int) -> None:
        self.parts: list[bytes] = []
        self._venue = venue
        self._now_us = now_us
        self._participants: dict[bytes, int] = {}
        self._instruments: dict[int, int] = {}

    def add(self, word: ChainWord | int) -> None:
        if isinstance(word, int):
            self.parts.append(carried.cursor(word))
        elif isinstance(word, Paid):
            who, what = self._participant(word.account), self._instrument(word.asset)
            self.parts.append(records.credit(who, what, word.amount, word.deposit_id))
        elif isinstance(word, Settled):
            self.parts.append(carried.settled(*word))
        elif isinstance(word, Released):
            self.parts.append(carried.released(*word))
        else:
            self._add_exit(word)

    def _add_exit(self, word: Left) -> None:
        """The exit, then what the core does of it.

        Orders go, what is available goes as far as it was taken.
        """
        custody = self._venue.custody
        transfer = exit_transfer(word.tx_hash, word.log_index)
        if transfer in custody.exits:
            return
        who, what = self._participant(word.account), self._instrument(word.asset)
        paid = custody.paid_by_exit(word.account, word.asset, word.amount)
        rest = word.amount - sum(withdrawal.amount for withdrawal in paid)
        self.parts.append(carried.exit_taken(who, what, word.amount, word.tx_hash, word.log_index))
        self.parts.append(records.mass_cancel(who, at_us=self._now_us))
        if rest:
            self.parts.append(records.debit(who, what, rest, transfer, up_to=True))

    def _participant(self, account: bytes) -> int:
        known = self._venue.participant(account) or self._participants.get(account)
        if known:
            return known
        number = len(self._venue.custody.accounts) + len(self._participants) + 1
        self._participants[account] = number
        self.parts.append(records.register(account, self._now_us))
        return number

    def _instrument(self, asset: int) -> int:
        if asset == CASH:
            return CASH
        known = self._venue.instrument(asset) or self._instruments.get(asset)
        if known:
            return known
        number = len(self._venue.custody.listed) + len(self._instruments) + 1
        self._instruments[asset] = number
        self.parts.append(records.list_instrument(asset, TICK_FEN, LOT_T, QUANTITY_MAX_T, self._now_us))
        self.parts.append(records.set_phase(number, Phase.CLOSED, self._now_us))
        return number


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
