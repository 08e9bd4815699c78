"""What orders set aside and what trades move. Nothing here goes below zero: whoever calls has looked."""

from __future__ import annotations

from exchange.core.codes import PPM, Reject
from exchange.core.reference.state import Fees, Instrument, Order, Rejected, State


def fee(value: int, ppm: int) -> int:
    """Return the fee on a value, floored."""
    return value * ppm // PPM


def paid(quantity: int, price: int, ppm: int) -> int:
    """Return a trade's value and the fee on it."""
    return quantity * price + fee(quantity * price, ppm)


def cash_for(quantity: int, price: int, fees: Fees) -> int:
    """Return what a buy of this size at this limit may cost: its value and the larger fee on it.

    Enough however it is filled: floors of parts never sum to more than the floor of the whole.
    """
    return paid(quantity, price, fees.larger_ppm)


def tradable(state: State, participant: int, instrument: Instrument) -> int:
    """Return the tonnes that may be sold or withdrawn: without today's purchases where resale is barred."""
    position = state.positions.get((participant, instrument.number))
    if position is None:
        return 0
    return max(0, position.available - position.bought) if instrument.bars_resale else position.available


def require_room(state: State, order: Order, quantity: int, counted: int) -> None:
    """Reject a buy that could take the position above its limit; `counted` of it is counted already."""
    limit = state.instrument_of(order).position_limit
    if not (order.is_buy and limit):
        return
    position = state.position(order.participant, order.instrument)
    most = position.available + position.reserved + position.open_buys - counted + quantity
    if most > limit:
        raise Rejected(Reject.POSITION_LIMIT, most, limit)


def require_funds(state: State, order: Order, quantity: int, price: int, own: int) -> None:
    """Reject an order of this size and price that cannot be paid; `own` it has set aside itself already."""
    if not order.is_buy:
        available = tradable(state, order.participant, state.instrument_of(order)) + own
        if available < quantity:
            raise Rejected(Reject.INSUFFICIENT_UNITS, available, quantity)
    elif order.is_priced:
        available = state.participant_of(order).available + own
        needed = cash_for(quantity, price, state.fees[order.fees])
        if available < needed:
            raise Rejected(Reject.INSUFFICIENT_CASH, available, needed)


def aside(state: State, order: Order, left: int) -> int:
    """Return what an order with so much left has set aside: fen of a buy with a limit, tonnes of a sale."""
    if not order.is_buy:
        return left
    return cash_for(left, order.price, state.fees[order.fees]) if order.is_priced else 0


def set_aside(state: State, order: Order) -> None:
    """Set aside what an order needs for all that is left of it."""
    _hold(state, order, aside(state, order, order.left))
    if order.is_buy:
        state.position(order.participant, order.instrument).open_buys += order.left


def release(state: State, order: Order, quantity: int) -> None:
    """Give back what so much of the order, which will not trade, had set aside; before it shrinks."""
    _hold(state, order, aside(state, order, order.left - quantity) - aside(state, order, order.left))
    if order.is_buy:
        state.position(order.participant, order.instrument).open_buys -= quantity


def _hold(state: State, order: Order, amount: int) -> None:
    holder = (
        state.participant_of(order) if order.is_buy else state.position(order.participant, order.instrument)
    )
    holder.available -= amount
    holder.reserved += amount
    assert holder.available >= 0 <= holder.reserved, "set aside or released without looking"


def move(state: State, buy: Order, sell: Order, quantity: int, price: int, *, ppm: tuple[int, int]) -> None:
    """Move cash and tonnes of a trade; to be called before the orders' fills are counted.

    `ppm` are the rates of the buyer and of the seller.
    """
    value = quantity * price
    buyer_fee, seller_fee = fee(value, ppm[0]), fee(value, ppm[1])
    buyer, seller = state.participant_of(buy), state.participant_of(sell)
    set_free = aside(state, buy, buy.left) - aside(state, buy, buy.left - quantity)
    buyer.reserved -= set_free
    buyer.available += set_free - value - buyer_fee
    assert buyer.available >= 0 <= buyer.reserved, "spent what was not there"
    seller.available += value - seller_fee
    for order, paid in ((buy, buyer_fee), (sell, seller_fee)):
        if paid:
            state.participants[state.fees[order.fees].collector - 1].available += paid
    bought = state.position(buy.participant, buy.instrument)
    bought.available += quantity
    bought.bought += quantity
    bought.open_buys -= quantity
    sold = state.position(sell.participant, sell.instrument)
    sold.reserved -= quantity
    assert sold.reserved >= 0, "sold what was not set aside"


def affordable(budget: int, ppm: int, price: int, most: int, lot: int) -> int:
    """Return how much of `most` a budget pays for with this fee, in whole lots."""
    low, high = 0, most // lot
    while low < high:
        middle = (low + high + 1) // 2
        if paid(middle * lot, price, ppm) <= budget:
            low = middle
        else:
            high = middle - 1
    return low * lot
