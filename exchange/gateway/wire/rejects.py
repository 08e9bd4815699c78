"""The core's rejects as refusals: what stands in the report, and in the command, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chain.refusals import Refusal
from exchange import refusals
from exchange.core.codes import AMOUNT_MAX, CommandKind, Phase, Reject, Status, TermsFault
from exchange.core.records import COMMAND, Command, Report
from exchange.gateway.wire.names import Names
from exchange.venue import Venue
from exchange.words import uuid_text

_FIELDS: Final = {1: "side", 2: "kind", 3: "time_in_force", 4: "post_only", 5: "self_trade", 6: "unit"} | {
    8: "account",
    16: "order_id",
    28: "band_ppm",
    32: "quantity_t",
    40: "price_fen",
    48: "at_us",
    56: "expires_us",
}
"""What stands at a byte of an order's record, by the name that clients use."""


def refusal_of(report: Report, record: bytes, names: Names, venue: Venue) -> Refusal:
    """Return why a command was not done.

    Parameters
    ----------
    report :
        A REJECTED.
    record :
        The 64 bytes of the command that it rejects.
    """
    command = Command._make(COMMAND.unpack(record))
    return REFUSALS[Reject(report.code)](_Rejected(report, command, names, venue))


class _Rejected:
    """A reject with everything around it. `a` and `b` are the report's two numbers."""

    def __init__(self, report: Report, command: Command, names: Names, venue: Venue) -> None:
        self.a, self.b = report.a, report.b
        self.command = command
        self._names, self._venue = names, venue

    @property
    def order_id(self) -> str:
        return uuid_text(self.command.id)

    @property
    def unit(self) -> str:
        number = self.command.instrument
        known = 0 < number <= len(self._venue.custody.listed)
        return self._names.unit(number) if known else str(number)

    @property
    def account(self) -> str:
        number = self.command.participant
        known = 0 < number <= len(self._venue.custody.accounts)
        return self._names.account(number) if known else str(number)

    @property
    def listed(self) -> Any:
        return self._venue.custody.listed[self.a - 1]


def _malformed(it: _Rejected) -> Refusal:
    field = _FIELDS.get(it.a, str(it.a))
    return refusals.CommandMalformed(field=field, reason=f"the engine does not take {it.b} here")


def _reused(it: _Rejected) -> Refusal:
    if it.command.kind == CommandKind.DEBIT:
        # The record's last 16 bytes of id are where other commands have quantity and price.
        name = it.command.quantity.to_bytes(8, "little") + it.command.price.to_bytes(8, "little")
        return refusals.WithdrawalIdReused(withdrawal_id=uuid_text(name))
    if it.command.kind == CommandKind.CREDIT:
        name = it.command.quantity.to_bytes(8, "little") + it.command.price.to_bytes(8, "little")
        return refusals.DepositIdReused(deposit_id="0x" + (it.command.id + name).hex())
    return refusals.OrderIdReused(order_id=it.order_id)


def _differs(it: _Rejected) -> Refusal:
    listed = it.listed
    return refusals.InstrumentDiffers(
        unit=it._names.unit(it.a),
        tick_fen=listed.tick_fen,
        lot_t=listed.lot_t,
        quantity_max_t=listed.quantity_max_t,
    )


REFUSALS: Final[dict[Reject, Callable[[_Rejected], Refusal]]] = {
    Reject.MALFORMED: _malformed,
    Reject.UNKNOWN_KIND: lambda it: refusals.CommandMalformed(field="command", reason=f"kind {it.a}"),
    Reject.TERMS_MISMATCH: lambda it: refusals.TermsMismatch(
        order_id=it.order_id, fault=TermsFault(it.a).name.lower()
    ),
    Reject.ID_REUSED: _reused,
    Reject.UNKNOWN_PARTICIPANT: lambda it: refusals.UnknownAccount(account=it.account),
    Reject.UNKNOWN_INSTRUMENT: lambda it: refusals.UnknownInstrument(unit=it.unit),
    Reject.ORDER_UNKNOWN: lambda it: refusals.OrderUnknown(order_id=it.order_id),
    Reject.ORDER_NOT_OPEN: lambda it: refusals.OrderNotOpen(
        order_id=it.order_id, status=Status(it.a).name.lower(), filled_t=it.b
    ),
    Reject.STOP_NOT_AMENDABLE: lambda it: refusals.StopNotAmendable(order_id=it.order_id),
    Reject.PARTICIPANT_KILLED: lambda it: refusals.ParticipantKilled(account=it.account),
    Reject.PHASE_FORBIDS: lambda it: refusals.PhaseForbids(phase=Phase(it.a).name.lower()),
    Reject.QUANTITY_OUT_OF_RANGE: lambda it: refusals.QuantityOutOfRange(
        quantity_t=it.a, quantity_max_t=it.b
    ),
    Reject.WRONG_LOT: lambda it: refusals.WrongLot(lot_t=it.b, quantity_t=it.a),
    Reject.AMEND_FILLED: lambda it: refusals.AmendBelowFilled(filled_t=it.a, quantity_t=it.b),
    Reject.DISPLAY_OUT_OF_RANGE: lambda it: refusals.DisplayOutOfRange(display_t=it.a, quantity_t=it.b),
    Reject.PRICE_OUT_OF_RANGE: lambda it: refusals.PriceOutOfRange(price_fen=it.a, price_max_fen=it.b),
    Reject.WRONG_TICK: lambda it: refusals.WrongTick(tick_fen=it.b, price_fen=it.a),
    Reject.EXPIRY_PASSED: lambda it: refusals.ExpiryPassed(expires_us=it.a, at_us=it.b),
    Reject.PRICE_BAND: lambda it: refusals.PriceBand(
        price_min_fen=it.a, price_max_fen=it.b, price_fen=it.command.price
    ),
    Reject.LEVEL_FULL: lambda it: refusals.LevelFull(level_t=it.a, quantity_t=it.b),
    Reject.POSITION_LIMIT: lambda it: refusals.PositionLimit(would_hold_t=it.a, position_limit_t=it.b),
    Reject.INSUFFICIENT_CASH: lambda it: refusals.InsufficientCash(available_fen=it.a, needed_fen=it.b),
    Reject.INSUFFICIENT_UNITS: lambda it: refusals.InsufficientUnits(available_t=it.a, needed_t=it.b),
    Reject.POST_ONLY_WOULD_TRADE: lambda it: refusals.PostOnlyWouldTrade(
        best_fen=it.a, price_fen=it.command.price
    ),
    Reject.FOK_UNFILLABLE: lambda it: refusals.FokUnfillable(fillable_t=it.a, quantity_t=it.b),
    Reject.AMOUNT_OUT_OF_RANGE: lambda it: refusals.AmountOutOfRange(
        amount=str(it.b), amount_max=str(AMOUNT_MAX)
    ),
    Reject.INSTRUMENT_INVALID: lambda it: refusals.InstrumentInvalid(
        tick_fen=it.command.price, lot_t=it.a, quantity_max_t=it.b
    ),
    Reject.INSTRUMENT_DIFFERS: _differs,
    Reject.INSTRUMENTS_FULL: lambda it: refusals.InstrumentsFull(instruments=it.a),
    Reject.PARTICIPANTS_FULL: lambda it: refusals.ParticipantsFull(accounts=it.a),
    Reject.FEES_INVALID: lambda it: refusals.FeesInvalid(maker_ppm=it.a, taker_ppm=it.b),
    Reject.BOOK_CROSSED: lambda it: refusals.BookCrossed(bid_fen=it.a, ask_fen=it.b),
    Reject.EPOCH_OUT_OF_ORDER: lambda it: refusals.EpochOutOfOrder(expected=it.b, got=it.a),
    Reject.EPOCH_EMPTY: lambda _: refusals.EpochHasNoTrades(),
}
"""What each reject is called outside, with its numbers."""
