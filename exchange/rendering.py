"""What readers see of the state, in the shapes of `exchange.messages`."""

from __future__ import annotations

from typing import cast

from exchange.book import BookSide, Order, OrderStatus
from exchange.clearing import Alarm, ClearingDesk
from exchange.commands import ListInstrument, OrderKind
from exchange.messages import (
    AccountMessage,
    AlarmMessage,
    BookMessage,
    ChangeMessage,
    DeltaMessage,
    EpochMessage,
    HealthMessage,
    InstrumentMessage,
    LevelMessage,
    OrderMessage,
    TradeMessage,
    WithdrawalMessage,
)
from exchange.netting import Delta
from exchange.refusals import ChainDisagrees
from exchange.reports import CancelReason, Trade
from exchange.sequencer import Sequencer
from exchange.state import Epoch, State, Withdrawal
from exchange.tape import names_hash
from exchange.views import Change
from exchange.wire import account_text, asset_text, fields_json, hex_text, refusal_json, uuid_text


def last_price_fen(sequencer: Sequencer, unit: int) -> int | None:
    """Return the price of the unit's newest trade."""
    trades = sequencer.views.trades_of_unit.get(unit)
    return trades[-1].price_fen if trades else None


def instrument(sequencer: Sequencer, listed: ListInstrument) -> InstrumentMessage:
    """Show an instrument."""
    return {
        "unit": asset_text(listed.unit),
        "tick_fen": listed.tick_fen,
        "lot_t": listed.lot_t,
        "quantity_max_t": listed.quantity_max_t,
        "last_price_fen": last_price_fen(sequencer, listed.unit),
    }


def book(sequencer: Sequencer, unit: int, depth: int) -> BookMessage:
    """Show the best `depth` levels of both sides."""
    found = sequencer.state.books[unit]
    return {
        "unit": asset_text(unit),
        "sequence": sequencer.views.sequence.get(unit, 0),
        "bids": _levels(found.bids, depth),
        "asks": _levels(found.asks, depth),
        "last_price_fen": last_price_fen(sequencer, unit),
    }


def _levels(side: BookSide, depth: int) -> list[LevelMessage]:
    return [
        {"price_fen": level.price_fen, "quantity_t": level.quantity_t, "orders": len(level.orders)}
        for level, _ in zip(side.from_best(), range(depth), strict=False)
    ]


def account(sequencer: Sequencer, desk: ClearingDesk, name: bytes) -> AccountMessage:
    """Show what an account has; one that never had anything has nothing."""
    balances = sequencer.state.ledger.accounts.get(name, {})
    unreleased = [each for each in sequencer.views.unreleased.values() if each.account == name]
    orders = sequencer.views.orders_of.get(name, [])
    return {
        "account": account_text(name),
        "balances": {
            asset_text(asset): {"available": balance.available, "reserved": balance.reserved}
            for asset, balance in sorted(balances.items())
        },
        "open_orders": sum(order.status is OrderStatus.OPEN for order in orders),
        "unreleased": [withdrawal(desk, each) for each in unreleased],
    }


def order(found: Order) -> OrderMessage:
    """Show an order."""
    message = {
        "order_id": uuid_text(found.order_id),
        "account": account_text(found.account),
        "unit": asset_text(found.unit),
        "side": found.side.name.lower(),
        "kind": found.kind.name.lower(),
        "quantity_t": found.quantity_t,
        "price_fen": None if found.kind is OrderKind.MARKET else found.price_fen,
        "at_us": found.at_us,
        "status": found.status.name.lower(),
        "cancelled": None if found.cancelled is CancelReason.NONE else found.cancelled.name.lower(),
        "remaining_t": found.remaining_t,
        "filled_t": found.filled_t,
        "filled_fen": found.filled_fen,
    }
    return cast(OrderMessage, message)


def trade(state: State, found: Trade) -> TradeMessage:
    """Show a trade."""
    message = fields_json(found)
    message["state"] = state.trade_state(found)
    message["names_hash"] = hex_text(names_hash(found))
    return cast(TradeMessage, message)


def epoch(found: Epoch) -> EpochMessage:
    """Show a closed epoch."""
    return {
        "epoch": found.number,
        "state": "settled" if found.settled else "committed",
        "first_trade": found.first_trade,
        "trades": found.trades,
        "tape_root": hex_text(found.tape_root),
        "at_us": found.at_us,
        "block": found.block if found.settled else None,
        "tx_hash": hex_text(found.tx_hash) if found.settled else None,
    }


def delta(found: Delta) -> DeltaMessage:
    """Show a net delta."""
    return cast(DeltaMessage, fields_json(found))


def withdrawal(desk: ClearingDesk, found: Withdrawal) -> WithdrawalMessage:
    """Show a withdrawal, and why it does not go where Clearing refuses it."""
    message: WithdrawalMessage = {
        "withdrawal_id": uuid_text(found.withdrawal_id),
        "account": account_text(found.account),
        "asset": asset_text(found.asset),
        "amount": found.amount,
        "at_us": found.at_us,
        "after_epoch": found.after_epoch,
        "released": found.released,
        "block": found.block if found.released else None,
        "tx_hash": hex_text(found.tx_hash) if found.released else None,
    }
    stuck = desk.stuck.get(found.withdrawal_id)
    if stuck is not None and not found.released:
        message["refusal"] = refusal_json(stuck.refusal)
    return message


def alarms(sequencer: Sequencer, desk: ClearingDesk) -> list[AlarmMessage]:
    """Show everything that a person should look at."""
    standing = list(desk.alarms.values())
    standing += [Alarm(stuck.refusal, 0, stuck.attempts) for stuck in desk.stuck.values()]
    for taken in sequencer.state.exits.values():
        if taken.missing:
            short = ChainDisagrees(
                account=account_text(taken.account), asset=asset_text(taken.asset), missing=str(taken.missing)
            )
            standing.append(Alarm(short, 0))
    if sequencer.failed is not None:
        standing.append(Alarm(sequencer.failed, 0))
    return [
        {
            "code": alarm.refusal.code,
            "title": alarm.refusal.title,
            "facts": alarm.refusal.facts,
            "since_us": alarm.since_us,
            "attempts": alarm.attempts,
        }
        for alarm in standing
    ]


def health(sequencer: Sequencer, desk: ClearingDesk) -> HealthMessage:
    """Show how the exchange is."""
    state, standing = sequencer.state, alarms(sequencer, desk)
    settled = state.epochs[state.settled_epoch - 1] if state.settled_epoch else None
    settled_trades = settled.first_trade + settled.trades - 1 if settled else 0
    return {
        "status": "alarm" if standing else "ok",
        "open_epoch": state.open_epoch,
        "settled_epoch": state.settled_epoch,
        "executed_trades": len(state.trades) - state.committed_trades,
        "unsettled_trades": len(state.trades) - settled_trades,
        "unreleased_withdrawals": len(sequencer.views.unreleased),
        "chain_block": state.chain_block,
        "accounts": len(state.ledger.accounts),
        "orders": len(state.orders),
        "trades": len(state.trades),
        "commands": sequencer.commands,
        "frames": sequencer.journal.frames,
        "journal_hash": hex_text(sequencer.journal.last_hash),
        "alarms": standing,
    }


def snapshot(sequencer: Sequencer, unit: int) -> ChangeMessage:
    """Show a whole book as the first message of a stream."""
    found = sequencer.state.books[unit]
    return {
        "type": "snapshot",
        "unit": asset_text(unit),
        "sequence": sequencer.views.sequence.get(unit, 0),
        "bids": [(level.price_fen, level.quantity_t) for level in found.bids.from_best()],
        "asks": [(level.price_fen, level.quantity_t) for level in found.asks.from_best()],
        "trades": [],
    }


def change(state: State, found: Change) -> ChangeMessage:
    """Show what changed as a message of a stream."""
    return {
        "type": "change",
        "unit": asset_text(found.unit),
        "sequence": found.sequence,
        "bids": found.bids,
        "asks": found.asks,
        "trades": [trade(state, each) for each in found.trades],
    }
