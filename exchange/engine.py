"""The engine: `apply(state, command) -> reports`.

Deterministic and pure but for the state it is given: no clock, no I/O, no randomness, so that whoever has
the journal gets the same trades. A command is either done whole or refused, and a refused one has changed
nothing. A command that repeats an earlier one (same id, same content) gets the first one's reports and
changes nothing.

Source: Shanghai exchange rules (SEEE notice 2021-06-22): a sale within the tradable holding, a purchase
within the available cash; price first, then time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

from chain.refusals import Refusal
from chain.units import UnitId
from exchange.book import Book, Order, OrderStatus, within_limit
from exchange.commands import (
    AMOUNT_MAX,
    CASH,
    INT63_MAX,
    AccountExited,
    CancelOrder,
    ChainCursor,
    CloseEpoch,
    Command,
    Credit,
    EpochSettled,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    ReduceOrder,
    RequestWithdrawal,
    Side,
    WithdrawalReleased,
)
from exchange.refusals import (
    AmountOutOfRange,
    DepositIdReused,
    EpochHasNoTrades,
    EpochOutOfOrder,
    FokUnfillable,
    InstrumentDiffers,
    InstrumentInvalid,
    OrderIdReused,
    OrderNotOpen,
    OrderUnknown,
    PriceOutOfRange,
    QuantityOutOfRange,
    ReductionOutOfRange,
    TapeRootDiffers,
    UnknownInstrument,
    WithdrawalIdReused,
    WithdrawalUnknown,
    WrongLot,
    WrongTick,
)
from exchange.reports import (
    CancelReason,
    Credited,
    CursorMoved,
    EpochClosed,
    EpochConfirmed,
    ExitTaken,
    InstrumentListed,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderReduced,
    OrderRested,
    Report,
    Trade,
    WithdrawalConfirmed,
    WithdrawalRequested,
)
from exchange.risk import needed
from exchange.state import Epoch, Exit, State, Withdrawal, deposit_key
from exchange.tape import tape_root


def apply(state: State, command: Command) -> list[Report]:
    """Do one command.

    Returns
    -------
    What happened, in order; for a repeated command what happened the first time.

    Raises
    ------
    Refusal :
        The command cannot be done; `state` is as it was.
    """
    return _RULES[type(command)](state, command)


def apply_all(state: State, commands: Iterable[Command]) -> list[list[Report] | Refusal]:
    """Do commands one after the other; a refused one stands in the answer as its refusal."""
    outcomes: list[list[Report] | Refusal] = []
    for command in commands:
        try:
            outcomes.append(apply(state, command))
        except Refusal as refusal:
            # Without its traceback: that would hold the answer it stands in, and leave garbage to collect.
            outcomes.append(refusal.with_traceback(None))
    return outcomes


# --- instruments and money ---


def _list_instrument(state: State, command: ListInstrument) -> list[Report]:
    UnitId.of(command.unit)
    known = state.instruments.get(command.unit)
    if known is None:
        fits = 0 < command.lot_t <= command.quantity_max_t <= INT63_MAX and 0 < command.tick_fen <= INT63_MAX
        if not fits:
            raise InstrumentInvalid(
                tick_fen=command.tick_fen, lot_t=command.lot_t, quantity_max_t=command.quantity_max_t
            )
        state.instruments[command.unit] = command
        state.books[command.unit] = Book(command.unit)
    elif known != command:
        raise InstrumentDiffers(
            unit=_unit_text(command.unit),
            tick_fen=known.tick_fen,
            lot_t=known.lot_t,
            quantity_max_t=known.quantity_max_t,
        )
    return [InstrumentListed(command.unit, command.tick_fen, command.lot_t, command.quantity_max_t)]


def _credit(state: State, command: Credit) -> list[Report]:
    key = deposit_key(command.account, command.deposit_id)
    known = state.deposits.get(key)
    if known is None:
        _require_amount(command.amount)
        state.deposits[key] = command
        state.ledger.credit(command.account, command.asset, command.amount)
    elif known != command:
        raise DepositIdReused(deposit_id="0x" + command.deposit_id.hex())
    return [Credited(command.deposit_id, command.account, command.asset, command.amount)]


def _request_withdrawal(state: State, command: RequestWithdrawal) -> list[Report]:
    known = state.withdrawals.get(command.withdrawal_id)
    if known is None:
        # On chain deposits and withdrawals of a holder share their ids: Clearing would not release this one.
        if deposit_key(command.account, command.withdrawal_id.rjust(32, b"\0")) in state.deposits:
            raise WithdrawalIdReused(withdrawal_id=_uuid_text(command.withdrawal_id))
        _require_amount(command.amount)
        state.ledger.require(command.account, command.asset, command.amount)
        state.ledger.debit(command.account, command.asset, command.amount)
        open_trades = len(state.trades) > state.committed_trades
        known = Withdrawal(
            withdrawal_id=command.withdrawal_id,
            account=command.account,
            asset=command.asset,
            amount=command.amount,
            at_us=command.at_us,
            after_epoch=state.open_epoch if open_trades else state.open_epoch - 1,
        )
        state.withdrawals[command.withdrawal_id] = known
    elif (known.account, known.asset, known.amount) != (command.account, command.asset, command.amount):
        raise WithdrawalIdReused(withdrawal_id=_uuid_text(command.withdrawal_id))
    return [
        WithdrawalRequested(known.withdrawal_id, known.account, known.asset, known.amount, known.after_epoch)
    ]


def _withdrawal_released(state: State, command: WithdrawalReleased) -> list[Report]:
    withdrawal = state.withdrawals.get(command.withdrawal_id)
    if withdrawal is None:
        raise WithdrawalUnknown(withdrawal_id=_uuid_text(command.withdrawal_id))
    if not withdrawal.released:
        withdrawal.released, withdrawal.block, withdrawal.tx_hash = True, command.block, command.tx_hash
    return [WithdrawalConfirmed(withdrawal.withdrawal_id, withdrawal.block, withdrawal.tx_hash)]


def _require_amount(amount: int) -> None:
    if not 0 < amount <= AMOUNT_MAX:
        raise AmountOutOfRange(amount=str(amount), amount_max=str(AMOUNT_MAX))


# --- orders ---


def _place_order(state: State, command: PlaceOrder) -> list[Report]:
    known = state.orders.get(command.order_id)
    if known is not None:
        return _placed_before(state, known, command)
    instrument = state.instruments.get(command.unit)
    if instrument is None:
        raise UnknownInstrument(unit=_unit_text(command.unit))
    _require_size(instrument, command)
    order = Order(
        command.order_id,
        command.account,
        command.unit,
        command.side,
        command.kind,
        command.quantity_t,
        command.price_fen,
        command.at_us,
        command.quantity_t,
    )
    book = state.books[command.unit]
    # A market buy reserves nothing: it pays level by level from what is available.
    reserves = order.kind is not OrderKind.MARKET or order.side is Side.SELL
    asset, amount = needed(order.side, order.unit, order.quantity_t, order.price_fen)
    if reserves:
        state.ledger.require(order.account, asset, amount)
    if order.kind is OrderKind.FOK:
        fillable_t = book.fillable_t(order)
        if fillable_t < order.quantity_t:
            raise FokUnfillable(fillable_t=fillable_t, quantity_t=order.quantity_t)

    if reserves:
        state.ledger.reserve(order.account, asset, amount)
    state.orders[order.order_id] = order
    order.entry_trade = len(state.trades) + 1
    reason = _match(state, book, order)
    order.entry_trades = len(state.trades) + 1 - order.entry_trade
    order.entry_left_t = order.remaining_t
    if order.remaining_t == 0:
        order.status = OrderStatus.FILLED
    elif reason is CancelReason.NONE:
        book.own(order.side).add(order)
    else:
        order.status, order.cancelled = OrderStatus.CANCELLED, reason
        if reserves:
            _release_rest(state, order)
    return _entry_reports(state, order)


def _require_size(instrument: ListInstrument, command: PlaceOrder) -> None:
    """Refuse a quantity or a price that the instrument does not take."""
    if not 0 < command.quantity_t <= instrument.quantity_max_t:
        raise QuantityOutOfRange(quantity_t=command.quantity_t, quantity_max_t=instrument.quantity_max_t)
    if command.quantity_t % instrument.lot_t:
        raise WrongLot(lot_t=instrument.lot_t, quantity_t=command.quantity_t)
    if command.kind is OrderKind.MARKET:
        if command.price_fen:
            raise PriceOutOfRange(price_fen=command.price_fen, price_max_fen=0)
        return
    if not 0 < command.price_fen <= INT63_MAX:
        raise PriceOutOfRange(price_fen=command.price_fen, price_max_fen=INT63_MAX)
    if command.price_fen % instrument.tick_fen:
        raise WrongTick(tick_fen=instrument.tick_fen, price_fen=command.price_fen)


def _match(state: State, book: Book, taker: Order) -> CancelReason:
    """Trade the order against the book, best price first, then the earliest.

    Returns
    -------
    Why what is left may not rest, or NONE when it may (or nothing is left).
    """
    side = book.opposite(taker.side)
    pays_freely = taker.kind is OrderKind.MARKET and taker.side is Side.BUY
    while taker.remaining_t:
        level = side.best()
        if level is None or not within_limit(taker, level.price_fen):
            return CancelReason.NONE if taker.kind is OrderKind.LIMIT else CancelReason.UNFILLED
        maker = next(iter(level.orders.values()))
        if maker.account == taker.account:
            return CancelReason.SELF_TRADE
        quantity_t = min(taker.remaining_t, maker.remaining_t)
        if pays_freely:
            quantity_t = min(quantity_t, _affordable_t(state, taker, level.price_fen))
            if quantity_t == 0:
                return CancelReason.CASH_EXHAUSTED
        side.fill(level, maker, quantity_t)
        _settle_fill(state, maker, taker, quantity_t, level.price_fen)
    return CancelReason.NONE


def _affordable_t(state: State, taker: Order, price_fen: int) -> int:
    """Return how much a market buy can pay for at this price, in whole lots."""
    lot_t = state.instruments[taker.unit].lot_t
    affordable_t = state.ledger.available(taker.account, CASH) // price_fen
    return affordable_t - affordable_t % lot_t


def _settle_fill(state: State, maker: Order, taker: Order, quantity_t: int, price_fen: int) -> None:
    """Move cash and tonnes for one fill, and record the trade."""
    paid_fen = quantity_t * price_fen
    taker.remaining_t -= quantity_t
    taker.filled_fen += paid_fen
    maker.filled_fen += paid_fen
    if maker.remaining_t == 0:
        maker.status = OrderStatus.FILLED
    buy, sell = (taker, maker) if taker.side is Side.BUY else (maker, taker)
    ledger = state.ledger
    if buy.kind is OrderKind.MARKET:
        ledger.debit(buy.account, CASH, paid_fen)
    else:
        ledger.spend(buy.account, CASH, quantity_t * buy.price_fen, paid_fen)
    ledger.spend(sell.account, sell.unit, quantity_t, quantity_t)
    ledger.credit(buy.account, buy.unit, quantity_t)
    ledger.credit(sell.account, CASH, paid_fen)
    state.trades.append(
        Trade(
            len(state.trades) + 1,
            len(state.epochs) + 1,
            taker.unit,
            price_fen,
            quantity_t,
            taker.at_us,
            taker.side,
            maker.order_id,
            taker.order_id,
            buy.account,
            sell.account,
        )
    )


def _release_rest(state: State, order: Order) -> None:
    """Give back what the order's remainder had reserved."""
    state.ledger.release(order.account, *needed(order.side, order.unit, order.remaining_t, order.price_fen))


def _entry_reports(state: State, order: Order) -> list[Report]:
    """Return what happened at an order's entry, from what is kept of it: at once and at every retry."""
    reports: list[Report] = [
        OrderAccepted(
            order.order_id,
            order.account,
            order.unit,
            order.side,
            order.kind,
            order.quantity_t,
            order.price_fen,
            order.at_us,
        )
    ]
    if order.entry_trades:
        reports += state.trades[order.entry_trade - 1 : order.entry_trade - 1 + order.entry_trades]
    if order.entry_left_t == 0:
        reports.append(OrderFilled(order.order_id))
    elif order.cancelled in _CANCELLED_LATER:
        reports.append(OrderRested(order.order_id, order.entry_left_t))
    else:
        reports.append(OrderCancelled(order.order_id, order.entry_left_t, order.cancelled))
    return reports


def _placed_before(state: State, order: Order, command: PlaceOrder) -> list[Report]:
    """Answer a retry; the time is not part of what has to be the same."""
    same = (
        order.account == command.account
        and order.unit == command.unit
        and order.side is command.side
        and order.kind is command.kind
        and order.quantity_t == command.quantity_t
        and order.price_fen == command.price_fen
    )
    if not same:
        raise OrderIdReused(order_id=_uuid_text(command.order_id))
    return _entry_reports(state, order)


def _cancel_order(state: State, command: CancelOrder) -> list[Report]:
    order = _order_of(state, command)
    if order.status is OrderStatus.OPEN:
        _take_out(state, order, CancelReason.CLIENT)
    elif order.cancelled is not CancelReason.CLIENT:
        raise _not_open(order)
    return [OrderCancelled(order.order_id, order.remaining_t, CancelReason.CLIENT)]


def _reduce_order(state: State, command: ReduceOrder) -> list[Report]:
    order = _order_of(state, command)
    if order.status is not OrderStatus.OPEN:
        raise _not_open(order)
    size_t = order.filled_t + order.remaining_t
    if not order.filled_t < command.quantity_t <= size_t:
        raise ReductionOutOfRange(filled_t=order.filled_t, quantity_t=command.quantity_t, order_t=size_t)
    lot_t = state.instruments[order.unit].lot_t
    if command.quantity_t % lot_t:
        raise WrongLot(lot_t=lot_t, quantity_t=command.quantity_t)
    by_t = size_t - command.quantity_t
    state.books[order.unit].own(order.side).reduce(order, by_t)
    state.ledger.release(order.account, *needed(order.side, order.unit, by_t, order.price_fen))
    return [OrderReduced(order.order_id, command.quantity_t, order.remaining_t)]


def _order_of(state: State, command: CancelOrder | ReduceOrder) -> Order:
    order = state.orders.get(command.order_id)
    if order is None or order.account != command.account:
        raise OrderUnknown(order_id=_uuid_text(command.order_id))
    return order


def _not_open(order: Order) -> OrderNotOpen:
    return OrderNotOpen(
        order_id=_uuid_text(order.order_id), status=order.status.name.lower(), filled_t=order.filled_t
    )


def _take_out(state: State, order: Order, reason: CancelReason) -> None:
    """Take an open order out of its book and give back what it had reserved."""
    state.books[order.unit].own(order.side).remove(order)
    order.status, order.cancelled = OrderStatus.CANCELLED, reason
    _release_rest(state, order)


# --- epochs and the chain ---


def _close_epoch(state: State, command: CloseEpoch) -> list[Report]:
    if not 0 < command.epoch <= state.open_epoch:
        raise EpochOutOfOrder(expected=state.open_epoch, got=command.epoch)
    if command.epoch == state.open_epoch:
        first = state.committed_trades
        trades = state.trades[first:]
        if not trades:
            raise EpochHasNoTrades(epoch=command.epoch)
        state.epochs.append(Epoch(command.epoch, first + 1, len(trades), tape_root(trades), command.at_us))
    epoch = state.epochs[command.epoch - 1]
    return [EpochClosed(epoch.number, epoch.trades, epoch.tape_root, epoch.at_us)]


def _epoch_settled(state: State, command: EpochSettled) -> list[Report]:
    if not 0 < command.epoch <= min(state.settled_epoch + 1, len(state.epochs)):
        raise EpochOutOfOrder(expected=state.settled_epoch + 1, got=command.epoch)
    epoch = state.epochs[command.epoch - 1]
    if epoch.tape_root != command.tape_root:
        raise TapeRootDiffers(
            epoch=epoch.number, journal="0x" + epoch.tape_root.hex(), chain="0x" + command.tape_root.hex()
        )
    if not epoch.settled:
        epoch.settled, epoch.block, epoch.tx_hash = True, command.block, command.tx_hash
        state.settled_epoch = epoch.number
    return [EpochConfirmed(epoch.number, epoch.block, epoch.tx_hash)]


def _account_exited(state: State, command: AccountExited) -> list[Report]:
    """Follow the chain: it has paid. The account's orders go, so that nothing stays reserved."""
    key = command.tx_hash + command.log_index.to_bytes(4, "big")
    taken = state.exits.get(key)
    if taken is None:
        orders = _open_orders(state, command.account)
        for order in orders:
            _take_out(state, order, CancelReason.EXIT)
        paid_out = _pay_withdrawals(state, command)
        available = state.ledger.available(command.account, command.asset)
        debited = min(available, command.amount - paid_out)
        state.ledger.debit(command.account, command.asset, debited)
        names = [order.order_id for order in orders]
        taken = Exit(command.account, command.asset, command.amount, paid_out, debited, names)
        state.exits[key] = taken
    cancelled = (state.orders[name] for name in taken.orders)
    return [
        *(OrderCancelled(order.order_id, order.remaining_t, CancelReason.EXIT) for order in cancelled),
        ExitTaken(taken.account, taken.asset, taken.amount, taken.missing),
    ]


def _open_orders(state: State, account: bytes) -> list[Order]:
    orders = state.orders.values()
    return [order for order in orders if order.account == account and order.status is OrderStatus.OPEN]


def _pay_withdrawals(state: State, command: AccountExited) -> int:
    """Count the exit as the payment of what the account had asked for; return how much that was."""
    paid_out = 0
    for withdrawal in state.withdrawals.values():
        same = (withdrawal.account, withdrawal.asset) == (command.account, command.asset)
        if same and not withdrawal.released and withdrawal.amount <= command.amount - paid_out:
            withdrawal.released, withdrawal.tx_hash = True, command.tx_hash
            paid_out += withdrawal.amount
    return paid_out


def _chain_cursor(state: State, command: ChainCursor) -> list[Report]:
    state.chain_block = max(state.chain_block, command.block)
    return [CursorMoved(state.chain_block)]


def _uuid_text(sixteen: bytes) -> str:
    return str(UUID(bytes=sixteen))


def _unit_text(unit: int) -> str:
    return UnitId.of(unit).text


# An order with one of these rested at its entry, whatever became of it later.
_CANCELLED_LATER: Final = frozenset({CancelReason.NONE, CancelReason.CLIENT, CancelReason.EXIT})

_RULES: Final[dict[type, Callable[[State, Any], list[Report]]]] = {
    ListInstrument: _list_instrument,
    Credit: _credit,
    PlaceOrder: _place_order,
    CancelOrder: _cancel_order,
    ReduceOrder: _reduce_order,
    RequestWithdrawal: _request_withdrawal,
    CloseEpoch: _close_epoch,
    EpochSettled: _epoch_settled,
    WithdrawalReleased: _withdrawal_released,
    AccountExited: _account_exited,
    ChainCursor: _chain_cursor,
}
