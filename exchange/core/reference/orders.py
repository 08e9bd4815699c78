"""New orders, cancels, amends."""

from __future__ import annotations

from exchange.core.codes import (
    CASH,
    INT63_MAX,
    PARTS_MAX,
    CommandKind,
    OrderFlag,
    OrderType,
    Phase,
    Reason,
    Reject,
    ReportFlag,
    ReportKind,
    Status,
    TermsFault,
    TimeInForce,
)
from exchange.core.records import Command
from exchange.core.reference import matching, risk
from exchange.core.reference.layout import digest
from exchange.core.reference.state import Instrument, Order, Participant, Rejected, State, Terms


def participant_at(state: State, number: int) -> Participant:
    """Return a participant; raises Rejected."""
    if not 0 < number <= len(state.participants):
        raise Rejected(Reject.UNKNOWN_PARTICIPANT, number, len(state.participants))
    return state.participants[number - 1]


def instrument_at(state: State, number: int) -> Instrument:
    """Return an instrument; raises Rejected."""
    if not 0 < number <= len(state.instruments):
        raise Rejected(Reject.UNKNOWN_INSTRUMENT, number, len(state.instruments))
    return state.instruments[number - 1]


def new(state: State, command: Command, record: bytes, staged: Terms | None) -> None:
    """Take an order, or answer its retry."""
    terms = _terms_for(command, staged)
    content = digest(record, terms)
    known = state.orders.get(command.id)
    if known is not None:
        _answer_again(state, known, command, content)
        return
    participant = participant_at(state, command.participant)
    instrument = instrument_at(state, command.instrument)
    if participant.killed:
        raise Rejected(Reject.PARTICIPANT_KILLED, participant.number)
    order = Order(
        id=command.id,
        digest=content,
        arrival=state.accepted,
        participant=command.participant,
        instrument=command.instrument,
        side=command.side,
        type=command.type,
        tif=command.tif,
        flags=command.flags,
        stp=command.stp,
        quantity=command.quantity,
        price=command.price,
        fees=instrument.fees,
        display=terms.display,
        stop=terms.stop,
        expiry_us=terms.expiry_us,
    )
    _require_phase(instrument, order)
    _require_size(instrument, order.quantity)
    _require_display(instrument, order.display, order.quantity)
    if order.display > order.quantity:
        raise Rejected(Reject.DISPLAY_OUT_OF_RANGE, order.display, order.quantity)
    _require_prices(instrument, order)
    if order.tif == TimeInForce.GTD and not state.now_us < order.expiry_us <= INT63_MAX:
        raise Rejected(Reject.EXPIRY_PASSED, order.expiry_us, state.now_us)
    _require_band(instrument, order.price)
    _require_level(instrument, order, order.price, order.quantity)
    risk.require_room(state, order, order.quantity, 0)
    risk.require_funds(state, order, order.quantity, order.price, 0)
    _require_meeting(instrument, order, order.price)

    waits = matching.is_stop(order.type)
    order.status = Status.PARKED if waits else Status.OPEN
    state.accepted += 1
    state.orders[order.id] = state.open[order.id] = order
    if order.tif == TimeInForce.GTD:
        state.dated[order.id] = order
    risk.set_aside(state, order)
    state.tell_of(
        order,
        ReportKind.ACCEPTED,
        code=order.status,
        type=order.type,
        tif=order.tif,
        price=order.price,
        quantity=order.quantity,
    )
    if waits:
        instrument.parked[order.id] = order
    elif instrument.phase == Phase.AUCTION:
        matching.rest(state, instrument, order)
    else:
        matching.enter(state, order)
    order.entry_status, order.entry_reason, order.entry_filled = order.status, order.reason, order.filled


def _terms_for(command: Command, staged: Terms | None) -> Terms:
    """Return the order's terms; reject what does not go together."""
    flagged = bool(command.flags & OrderFlag.TERMS)
    if flagged and (staged is None or staged.id != command.id):
        raise Rejected(Reject.TERMS_MISMATCH, TermsFault.NONE_STAGED)
    if staged is not None and not flagged:
        raise Rejected(Reject.TERMS_MISMATCH, TermsFault.NOT_TAKEN)
    terms = staged or Terms()
    if bool(terms.stop) != matching.is_stop(command.type):
        raise Rejected(Reject.TERMS_MISMATCH, TermsFault.STOP)
    if bool(terms.expiry_us) != (command.tif == TimeInForce.GTD):
        raise Rejected(Reject.TERMS_MISMATCH, TermsFault.EXPIRY)
    rests = command.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and command.tif in matching.RESTING
    if terms.display and not rests:
        raise Rejected(Reject.TERMS_MISMATCH, TermsFault.DISPLAY)
    return terms


def _answer_again(state: State, known: Order, command: Command, content: int) -> None:
    if known.digest != content:
        raise Rejected(Reject.ID_REUSED, known.status)
    state.tell_of(
        known,
        ReportKind.DUPLICATE,
        code=known.entry_reason,
        type=known.entry_status,
        tif=known.status,
        price=command.price,
        quantity=known.quantity,
        left=known.left,
        a=known.entry_filled,
        b=known.filled,
    )


# --- what is looked at ---


def _require_phase(instrument: Instrument, order: Order) -> None:
    gathers = matching.is_stop(order.type) or (matching.may_rest(order) and not matching.is_post_only(order))
    if instrument.phase == Phase.CONTINUOUS or (instrument.phase == Phase.AUCTION and gathers):
        return
    raise Rejected(Reject.PHASE_FORBIDS, instrument.phase)


def _require_size(instrument: Instrument, quantity: int) -> None:
    if not 0 < quantity <= instrument.quantity_max:
        raise Rejected(Reject.QUANTITY_OUT_OF_RANGE, quantity, instrument.quantity_max)
    if quantity % instrument.lot:
        raise Rejected(Reject.WRONG_LOT, quantity, instrument.lot)


def _require_display(instrument: Instrument, display: int, quantity: int) -> None:
    """Whole lots, and not so few that filling the order would take trades without end."""
    if display and (display % instrument.lot or display * PARTS_MAX < quantity):
        raise Rejected(Reject.DISPLAY_OUT_OF_RANGE, display, quantity)


def _require_prices(instrument: Instrument, order: Order) -> None:
    """A limit is needed, protection is not; a stop's price was looked at with its terms."""
    if order.price or order.is_priced:
        _require_price(instrument, order.price)
    if order.stop:
        _require_price(instrument, order.stop)


def _require_price(instrument: Instrument, price: int) -> None:
    if not 0 < price <= INT63_MAX:
        raise Rejected(Reject.PRICE_OUT_OF_RANGE, price, INT63_MAX)
    if price % instrument.tick:
        raise Rejected(Reject.WRONG_TICK, price, instrument.tick)


def _require_band(instrument: Instrument, price: int) -> None:
    edges = matching.band(instrument)
    if price and edges is not None and not edges[0] <= price <= edges[1]:
        raise Rejected(Reject.PRICE_BAND, *edges)


def _require_level(instrument: Instrument, order: Order, price: int, quantity: int) -> None:
    """A level shows at most 2^63-1. Whole quantities count: an order may rest with all of it."""
    if not matching.may_rest(order):
        return
    shown = instrument.book.own(order.side).shown_at(price)
    if order.shown and order.price == price:
        shown -= order.shown  # an amended order makes room for itself
    if shown + quantity > INT63_MAX:
        raise Rejected(Reject.LEVEL_FULL, shown, quantity)


def _require_meeting(instrument: Instrument, order: Order, price: int) -> None:
    """Look at what the order would meet in the book."""
    if instrument.phase != Phase.CONTINUOUS:
        return
    if matching.is_post_only(order):
        best = matching.would_trade(instrument, order, price)
        if best:
            raise Rejected(Reject.POST_ONLY_WOULD_TRADE, best)
    if order.tif == TimeInForce.FOK:
        found = matching.fillable(instrument, order)
        if found < order.quantity:
            raise Rejected(Reject.FOK_UNFILLABLE, found, order.quantity)


# --- cancel and amend ---


def _order_of(state: State, command: Command) -> Order:
    order = state.orders.get(command.id)
    if order is None or order.participant != command.participant:
        raise Rejected(Reject.ORDER_UNKNOWN)
    return order


def cancel(state: State, command: Command) -> None:
    """Take an order out; a second time say so again."""
    order = _order_of(state, command)
    if order.status in (Status.OPEN, Status.PARKED):
        matching.withdraw(state, order, Status.CANCELLED, Reason.CLIENT)
    elif order.reason == Reason.CLIENT:
        state.tell_of(
            order, ReportKind.CANCELLED, code=Reason.CLIENT, flags=ReportFlag.REPEATED, left=order.left
        )
    else:
        raise Rejected(Reject.ORDER_NOT_OPEN, order.status, order.filled)


def amend(state: State, command: Command) -> None:
    """Change an order's quantity or price."""
    order = _order_of(state, command)
    if order.status == Status.PARKED:
        raise Rejected(Reject.STOP_NOT_AMENDABLE)
    if order.status != Status.OPEN:
        raise Rejected(Reject.ORDER_NOT_OPEN, order.status, order.filled)
    instrument = state.instrument_of(order)
    price = command.price or order.price
    stays = price == order.price and command.quantity <= order.quantity
    if not stays and instrument.phase not in (Phase.CONTINUOUS, Phase.AUCTION):
        raise Rejected(Reject.PHASE_FORBIDS, instrument.phase)
    _require_size(instrument, command.quantity)
    if command.quantity <= order.filled:
        raise Rejected(Reject.AMEND_FILLED, order.filled, command.quantity)
    _require_display(instrument, order.display, command.quantity)
    if stays:
        matching.shrink(state, order, order.quantity - command.quantity)
        _tell_amended(state, order, ReportFlag.KEPT_PRIORITY)
        return
    left = command.quantity - order.filled
    _require_price(instrument, price)
    _require_band(instrument, price)
    _require_level(instrument, order, price, left)
    risk.require_room(state, order, left, order.left)
    risk.require_funds(state, order, left, price, risk.aside(state, order, order.left))
    _require_meeting(instrument, order, price)

    instrument.book.own(order.side).remove(order)
    risk.release(state, order, order.left)
    order.quantity, order.price, order.shown = command.quantity, price, 0
    risk.set_aside(state, order)
    _tell_amended(state, order, ReportFlag(0))
    if instrument.phase == Phase.AUCTION:
        matching.rest(state, instrument, order)
    else:
        matching.enter(state, order)


def _tell_amended(state: State, order: Order, flags: ReportFlag) -> None:
    state.tell_of(
        order,
        ReportKind.AMENDED,
        flags=flags,
        price=order.price,
        quantity=order.quantity,
        left=order.left,
    )


def mass_cancel(state: State, command: Command) -> None:
    """Take all orders of a participant out, in one instrument or in all."""
    participant_at(state, command.participant)
    if command.instrument != CASH:
        instrument_at(state, command.instrument)
    number = withdraw_all(state, command.participant, command.instrument, Reason.MASS)
    state.tell(
        ReportKind.MASS_CANCELLED,
        participant=command.participant,
        instrument=command.instrument,
        number=number,
    )


def kill(state: State, command: Command) -> None:
    """Turn a participant's kill switch."""
    participant = participant_at(state, command.participant)
    participant.killed = bool(command.type)
    number = withdraw_all(state, participant.number, CASH, Reason.KILLED) if participant.killed else 0
    state.tell(ReportKind.KILL_SET, participant=participant.number, code=command.type, number=number)


def withdraw_all(state: State, participant: int, instrument: int, reason: Reason) -> int:
    """Cancel a participant's open orders, as they were accepted; return how many. Instrument 0 is all."""
    orders = [
        order
        for order in state.open.values()
        if order.participant == participant and instrument in (CASH, order.instrument)
    ]
    for order in orders:
        matching.withdraw(state, order, Status.CANCELLED, reason)
    return len(orders)


TOUCHES_STOPS = (CommandKind.NEW, CommandKind.AMEND, CommandKind.PHASE)
"""Commands after which stops may be triggered: they trade, or open trading, or bring a stop."""
