"""Reports out: what a command did, in JSON.

An answer holds what became of the command: `reports`. What it set off besides (orders whose date had come,
stops that its trade triggered, icebergs that showed their next part, orders of others that left to prevent a
self-trade) stands in `also`, where there is any.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final

from exchange.core.codes import (
    CommandKind,
    OrderType,
    Phase,
    Reason,
    ReportFlag,
    ReportKind,
    RulesFlag,
    SelfTrade,
    Side,
    Status,
    TimeInForce,
)
from exchange.core.records import COMMAND, COMMAND_BYTES, Command, Report
from exchange.gateway.wire.names import Names
from exchange.gateway.wire.rejects import refusal_of
from exchange.history import OrderRow, Trade
from exchange.venue import Venue
from exchange.words import refusal_json, uuid_text

Json = dict[str, Any]

_OWN: Final = frozenset(
    (
        *(ReportKind.ACCEPTED, ReportKind.RESTED, ReportKind.TRADE, ReportKind.FILLED),
        *(ReportKind.CANCELLED, ReportKind.AMENDED),
    )
)
_UNSHOWN: Final = frozenset((ReportKind.ADVANCED, ReportKind.TERMS_STAGED, ReportKind.REGISTERED))
_OF_ONE_ORDER: Final = frozenset((CommandKind.NEW, CommandKind.CANCEL, CommandKind.AMEND))
_RATES: Final = struct.Struct("<IIII")


class Answers:
    """Writes what commands did."""

    def __init__(self, names: Names, venue: Venue) -> None:
        self._names = names
        self._venue = venue

    def answer(self, records: bytes, reports: Iterable[Report]) -> Json:
        """Return what one command is answered.

        Parameters
        ----------
        records :
            Its one or two records; the last one is the act, another one its terms or its time.
        reports :
            All that the core said to them, in order.
        """
        act = Command._make(COMMAND.unpack(records[-COMMAND_BYTES:]))
        own: list[Json] = []
        also: list[Json] = []
        triggered = False
        for report in reports:
            if report.kind == ReportKind.REJECTED:
                # The record itself is told by the kind: of two the first may be the malformed one.
                record = records[:COMMAND_BYTES] if report.type == records[0] else records[-COMMAND_BYTES:]
                return {"refusal": refusal_json(refusal_of(report, record, self._names, self._venue))}
            if report.kind == ReportKind.DUPLICATE:
                own += self._first_answer(act)
            elif report.kind not in _UNSHOWN:
                triggered = triggered or report.kind == ReportKind.TRIGGERED
                mine = not triggered and _is_own(act, report)
                (own if mine else also).append(self.report(report, act))
        return {"reports": own, "also": also} if also else {"reports": own}

    def report(self, report: Report, act: Command) -> Json:
        """Write one report of an act."""
        kind = ReportKind(report.kind)
        return {"report": _NAMES[kind], **_WRITERS[kind](self, report, act)}

    def trade(self, trade: Trade | _Traded) -> Json:
        """Write a trade."""
        buyer, seller = trade.taker, trade.maker
        if trade.taker_side != Side.BUY:
            buyer, seller = seller, buyer
        return {
            "number": trade.number,
            "epoch": self._venue.custody.epoch_of(trade.number),
            "unit": self._names.unit(trade.instrument),
            "price_fen": trade.price_fen,
            "quantity_t": trade.quantity_t,
            "at_us": trade.at_us,
            "taker_side": side_text(trade.taker_side),
            "maker_order": uuid_text(trade.maker_order),
            "taker_order": uuid_text(trade.taker_order),
            "buyer": self._names.account(buyer),
            "seller": self._names.account(seller),
            "taker_fee_fen": trade.taker_fee_fen,
            "maker_fee_fen": trade.maker_fee_fen,
        }

    # --- again ---

    def _first_answer(self, act: Command) -> list[Json]:
        """Write what an order's first sending was answered: its content is the same, the rest is kept."""
        order = self._venue.history.order(act.id)
        assert order is not None  # the engine knows it
        parked = order.entry_status == Status.PARKED
        first = Report(
            ReportKind.ACCEPTED,
            code=Status.PARKED if parked else Status.OPEN,
            side=act.side,
            instrument=act.instrument,
            type=act.type,
            tif=act.tif,
            id=act.id,
            price=act.price,
            quantity=act.quantity,
            participant=act.participant,
            at_us=order.at_us,
        )
        found = [self.report(first, act)]
        for number in range(order.entry_trade, order.entry_trade + order.entry_trades):
            trade = self._venue.history.trade(number)
            found.append({"report": _NAMES[ReportKind.TRADE], **self.trade(trade)})
        ends = _ENDS.get(Status(order.entry_status))
        if ends is not None:
            left = _left_at_entry(act, order)
            last = Report(ends, code=order.entry_reason, id=act.id, quantity=act.quantity, left=left)
            found.append(self.report(last, act))
        return found

    # --- one kind each ---

    def _accepted(self, report: Report, _act: Command) -> Json:
        return {
            "order_id": uuid_text(report.id),
            "account": self._names.account(report.participant),
            "unit": self._names.unit(report.instrument),
            "side": side_text(report.side),
            "kind": kind_text(report.type, report.tif),
            "quantity_t": report.quantity,
            "price_fen": report.price,
            "at_us": report.at_us,
            "time_in_force": tif_text(report.tif),
            "parked": report.code == Status.PARKED,
        }

    def _traded(self, report: Report, _act: Command) -> Json:
        return self.trade(_Traded(report))

    def _withdrawn(self, report: Report, _act: Command) -> Json:
        found = self._venue.custody.withdrawals[report.other_id]
        return {
            "withdrawal_id": uuid_text(found.withdrawal_id),
            "account": self._names.account(report.participant),
            "asset": self._names.unit(report.instrument),
            "amount": found.amount,
            "after_epoch": found.after_epoch,
        }

    def _rules(self, report: Report, act: Command) -> Json:
        maker_ppm, taker_ppm, band_ppm, _ = _RATES.unpack(act.id)
        return {
            "unit": self._names.unit(report.instrument),
            "maker_ppm": maker_ppm,
            "taker_ppm": taker_ppm,
            "fee_account": self._names.account(act.participant) if act.participant else None,
            "band_ppm": band_ppm,
            "position_limit_t": act.quantity,
            "no_same_day_resale": bool(act.flags & RulesFlag.NO_SAME_DAY_RESALE),
        }

    def _listed(self, report: Report, _act: Command) -> Json:
        return {
            "unit": self._names.unit(report.instrument),
            "tick_fen": report.price,
            "lot_t": report.left,
            "quantity_max_t": report.quantity,
        }

    def _reference(self, report: Report, _act: Command) -> Json:
        return {"unit": self._names.unit(report.instrument), "price_fen": report.price}

    def _phase(self, report: Report, _act: Command) -> Json:
        return {"unit": self._names.unit(report.instrument), "phase": phase_text(report.code)}

    def _uncrossed(self, report: Report, _act: Command) -> Json:
        return {
            "unit": self._names.unit(report.instrument),
            "price_fen": report.price or None,
            "quantity_t": report.a,
            "trades": report.number,
        }

    def _killed(self, report: Report, _act: Command) -> Json:
        return {
            "account": self._names.account(report.participant),
            "on": bool(report.code),
            "cancelled": report.number,
        }

    def _mass_cancelled(self, report: Report, _act: Command) -> Json:
        return {
            "account": self._names.account(report.participant),
            "unit": self._names.unit(report.instrument) if report.instrument else None,
            "cancelled": report.number,
        }


class _Traded:
    """A TRADE report, with the names that a trade has."""

    def __init__(self, report: Report) -> None:
        self.number, self.instrument = report.number, report.instrument
        self.price_fen, self.quantity_t, self.at_us = report.price, report.quantity, report.at_us
        self.taker_side = report.side
        self.maker_order, self.taker_order = report.other_id, report.id
        self.taker, self.maker = report.participant, report.other
        self.taker_fee_fen, self.maker_fee_fen = report.a, report.b


def _is_own(act: Command, report: Report) -> bool:
    """Whether a report tells what became of the act, and not what it set off."""
    if act.kind not in _OF_ONE_ORDER:
        return report.kind != ReportKind.EXPIRED
    return report.kind in _OWN and report.id == act.id


def _left_at_entry(act: Command, order: OrderRow) -> int:
    """Return what its entry left of an order; of one that shrank with its own maker by its size now."""
    if order.entry_status == Status.CANCELLED:
        return order.left_t  # which is for good
    whole = min(act.quantity, order.quantity_t) if act.stp == SelfTrade.DECREMENT else act.quantity
    return whole - order.entry_filled_t


def _ended(report: Report, _act: Command) -> Json:
    return {
        "order_id": uuid_text(report.id),
        "remaining_t": report.left,
        "reason": reason_text(report.code),
    }


_NAMES: Final = {
    ReportKind.ACCEPTED: "OrderAccepted",
    ReportKind.RESTED: "OrderRested",
    ReportKind.TRADE: "Trade",
    ReportKind.FILLED: "OrderFilled",
    ReportKind.CANCELLED: "OrderCancelled",
    ReportKind.AMENDED: "OrderAmended",
    ReportKind.EXPIRED: "OrderExpired",
    ReportKind.TRIGGERED: "OrderTriggered",
    ReportKind.REPLENISHED: "OrderReplenished",
    ReportKind.REDUCED: "OrderReduced",
    ReportKind.LISTED: "InstrumentListed",
    ReportKind.RULES_SET: "RulesSet",
    ReportKind.REFERENCE_SET: "ReferenceSet",
    ReportKind.PHASE_SET: "PhaseSet",
    ReportKind.UNCROSSED: "Uncrossed",
    ReportKind.DEBITED: "WithdrawalRequested",
    ReportKind.KILL_SET: "KillSwitchSet",
    ReportKind.MASS_CANCELLED: "MassCancelled",
}

_WRITERS: Final[dict[ReportKind, Callable[[Answers, Report, Command], Json]]] = {
    ReportKind.ACCEPTED: Answers._accepted,
    ReportKind.RESTED: lambda _, it, __: {"order_id": uuid_text(it.id), "remaining_t": it.left},
    ReportKind.TRADE: Answers._traded,
    ReportKind.FILLED: lambda _, it, __: {"order_id": uuid_text(it.id)},
    ReportKind.CANCELLED: lambda _, it, act: _ended(it, act),
    ReportKind.AMENDED: lambda _, it, __: {
        "order_id": uuid_text(it.id),
        "price_fen": it.price,
        "quantity_t": it.quantity,
        "remaining_t": it.left,
        "kept_priority": bool(it.flags & ReportFlag.KEPT_PRIORITY),
    },
    ReportKind.EXPIRED: lambda _, it, act: _ended(it, act),
    ReportKind.TRIGGERED: lambda _, it, __: {"order_id": uuid_text(it.id), "price_fen": it.price},
    ReportKind.REPLENISHED: lambda _, it, __: {
        "order_id": uuid_text(it.id),
        "price_fen": it.price,
        "shown_t": it.quantity,
        "remaining_t": it.left,
    },
    ReportKind.REDUCED: lambda _, it, __: {
        "order_id": uuid_text(it.id),
        "quantity_t": it.quantity,
        "remaining_t": it.left,
    },
    ReportKind.LISTED: Answers._listed,
    ReportKind.RULES_SET: Answers._rules,
    ReportKind.REFERENCE_SET: Answers._reference,
    ReportKind.PHASE_SET: Answers._phase,
    ReportKind.UNCROSSED: Answers._uncrossed,
    ReportKind.DEBITED: Answers._withdrawn,
    ReportKind.KILL_SET: Answers._killed,
    ReportKind.MASS_CANCELLED: Answers._mass_cancelled,
}

_ENDS: Final = {
    Status.OPEN: ReportKind.RESTED,
    Status.FILLED: ReportKind.FILLED,
    Status.CANCELLED: ReportKind.CANCELLED,
}
"""The last report of an entry; a stop that waits has none."""


# --- words ---

_SIDES: Final = {side.value: side.name.lower() for side in Side}
_TIFS: Final = {tif.value: tif.name.lower() for tif in TimeInForce}
_REASONS: Final = {reason.value: reason.name.lower() for reason in Reason}
_STATUSES: Final = {status.value: status.name.lower() for status in Status}
_PHASES: Final = {phase.value: phase.name.lower() for phase in Phase}
_TYPES: Final = {type_.value: type_.name.lower() for type_ in OrderType}


def side_text(side: int) -> str:
    """Write a side."""
    return _SIDES[side]


def tif_text(tif: int) -> str:
    """Write how long an order stays."""
    return _TIFS[tif]


def reason_text(reason: int) -> str:
    """Write why an order left."""
    return _REASONS[reason]


def status_text(status: int) -> str:
    """Write where an order stands."""
    return _STATUSES[status]


def phase_text(phase: int) -> str:
    """Write an instrument's phase."""
    return _PHASES[phase]


def kind_text(type_: int, tif: int) -> str:
    """Write an order's kind: a limit order that does not rest goes by how it is executed."""
    at_once = type_ == OrderType.LIMIT and tif in (TimeInForce.IOC, TimeInForce.FOK)
    return _TIFS[tif] if at_once else _TYPES[type_]
