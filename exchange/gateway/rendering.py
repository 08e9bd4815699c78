"""What readers see of the exchange, in the shapes of `exchange.messages`."""

from __future__ import annotations

from typing import cast

from chain.refusals import Refusal
from exchange.clearing import ClearingDesk
from exchange.core.codes import CASH, OrderType, Phase, Reason, Side, Status
from exchange.custody import Custody, Epoch, Withdrawal
from exchange.gateway.wire.answers import (
    Answers,
    kind_text,
    phase_text,
    reason_text,
    side_text,
    status_text,
    tif_text,
)
from exchange.gateway.wire.names import Names
from exchange.history import OrderRow, Trade
from exchange.messages import (
    AccountMessage,
    AlarmMessage,
    BalanceMessage,
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
from exchange.sequencer import Sequencer
from exchange.tape import names_hash
from exchange.venue import Venue
from exchange.words import account_text, asset_text, hex_text, refusal_json, uuid_text


class Tape:
    """Shows trades."""

    def __init__(self, venue: Venue, answers: Answers) -> None:
        self._venue = venue
        self._answers = answers

    def trade(self, found: Trade) -> TradeMessage:
        """Show a trade, how far its settlement is, and what stands for its names on the public tape."""
        message = self._answers.trade(found)
        message["state"] = self._venue.custody.trade_state(found.number)
        (taped,) = self._venue.history.tape(found.number, 1, message["epoch"])
        message["names_hash"] = hex_text(names_hash(taped))
        return cast(TradeMessage, message)


class Rendering:
    """Shows everything else."""

    def __init__(self, venue: Venue, names: Names, desk: ClearingDesk) -> None:
        self._venue = venue
        self._names = names
        self._desk = desk

    def instrument(self, number: int) -> InstrumentMessage:
        """Show an instrument with its rules."""
        listed, rules = self._venue.custody.listed[number - 1], self._venue.engine.rules(number)
        return {
            "unit": asset_text(listed.unit),
            "tick_fen": listed.tick_fen,
            "lot_t": listed.lot_t,
            "quantity_max_t": listed.quantity_max_t,
            "last_price_fen": self.last_price_fen(number),
            "phase": phase_text(rules.phase or Phase.CONTINUOUS),
            "maker_ppm": rules.maker_ppm,
            "taker_ppm": rules.taker_ppm,
            "fee_account": self._names.account(rules.collector) if rules.collector else None,
            "band_ppm": rules.band_ppm,
            "reference_fen": rules.reference or None,
            "position_limit_t": rules.position_limit or None,
            "no_same_day_resale": bool(rules.bars_resale),
        }

    def last_price_fen(self, instrument: int) -> int | None:
        """Return the price of an instrument's newest trade."""
        return self._venue.history.last_price(instrument) or None

    def levels(self, instrument: int, side: Side, depth: int) -> list[LevelMessage]:
        """Show the best levels of a side."""
        return [
            {"price_fen": level.price, "quantity_t": level.shown, "orders": level.orders}
            for level in self._venue.engine.depth(instrument, side, depth)
        ]

    def account(self, name: bytes) -> AccountMessage:
        """Show what an account has; one that never had anything has nothing."""
        participant = self._venue.participant(name)
        unreleased = [each for each in self._venue.custody.unreleased.values() if each.account == name]
        return {
            "account": account_text(name),
            "balances": self._balances(participant) if participant else {},
            "open_orders": self._venue.history.open_orders(participant) if participant else 0,
            "unreleased": [self.withdrawal(each) for each in unreleased],
        }

    def _balances(self, participant: int) -> dict[str, BalanceMessage]:
        """Show cash, and every unit of which there is something or is to come."""
        engine = self._venue.engine
        cash = engine.cash(participant)
        found: dict[str, BalanceMessage] = {
            asset_text(CASH): {
                "available": cash.available,
                "reserved": cash.reserved,
                "tradable": cash.available,
            }
        }
        units = sorted((listed.unit, number) for number, listed in enumerate(self._venue.custody.listed, 1))
        for unit, number in units:
            tonnes = engine.tonnes(participant, number)
            if tonnes.available or tonnes.reserved or tonnes.open_buys:
                found[asset_text(unit)] = {
                    "available": tonnes.available,
                    "reserved": tonnes.reserved,
                    "tradable": tonnes.tradable,
                }
        return found

    def order(self, found: OrderRow) -> OrderMessage:
        """Show an order."""
        unpriced = found.type in (OrderType.MARKET, OrderType.STOP)
        message = {
            "order_id": uuid_text(found.order_id),
            "account": self._names.account(found.participant),
            "unit": self._names.unit(found.instrument),
            "side": side_text(found.side),
            "kind": kind_text(found.type, found.tif),
            "quantity_t": found.quantity_t,
            "price_fen": (found.price_fen or None) if unpriced else found.price_fen,
            "at_us": found.at_us,
            "status": status_text(found.status),
            "cancelled": self._cancelled(found),
            "remaining_t": found.left_t,
            "filled_t": found.filled_t,
            "filled_fen": found.filled_fen,
            "time_in_force": tif_text(found.tif),
            "fees_fen": found.fees_fen,
        }
        return cast(OrderMessage, message)

    def _cancelled(self, found: OrderRow) -> str | None:
        over = found.status in (Status.CANCELLED, Status.EXPIRED) and found.reason != Reason.NONE
        return reason_text(found.reason) if over else None

    def epoch(self, found: Epoch) -> EpochMessage:
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

    def withdrawal(self, found: Withdrawal) -> WithdrawalMessage:
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
        stuck = self._desk.stuck.get(found.withdrawal_id)
        if stuck is not None and not found.released:
            message["refusal"] = refusal_json(stuck.refusal)
        return message

    def health(self, sequencer: Sequencer) -> HealthMessage:
        """Show how the exchange is."""
        venue, custody = self._venue, self._venue.custody
        standing = alarms(venue, sequencer, self._desk)
        return {
            "status": "alarm" if standing else "ok",
            "open_epoch": custody.open_epoch,
            "settled_epoch": custody.settled_epoch,
            "executed_trades": venue.history.trades - _last_trade(custody, len(custody.epochs)),
            "unsettled_trades": venue.history.trades - _last_trade(custody, custody.settled_epoch),
            "unreleased_withdrawals": len(custody.unreleased),
            "chain_block": custody.chain_block,
            "accounts": len(custody.accounts),
            "orders": venue.history.orders,
            "trades": venue.history.trades,
            "commands": sequencer.commands,
            "frames": sequencer.journal.frames,
            "journal_hash": hex_text(sequencer.journal.last_hash),
            "alarms": standing,
        }


def delta(found: Delta) -> DeltaMessage:
    """Show a net delta."""
    return {
        "account": account_text(found.account),
        "unit": asset_text(found.unit),
        "quantity_t": found.quantity_t,
        "cash_fen": found.cash_fen,
    }


def alarms(venue: Venue, sequencer: Sequencer, desk: ClearingDesk) -> list[AlarmMessage]:
    """Show everything that a person should look at."""
    standing = [_alarm(alarm.refusal, alarm.since_us, alarm.attempts) for alarm in desk.alarms.values()]
    standing += [_alarm(stuck.refusal, 0, stuck.attempts) for stuck in desk.stuck.values()]
    for taken in venue.custody.exits.values():
        if taken.missing:
            short = ChainDisagrees(
                account=account_text(taken.account), asset=asset_text(taken.asset), missing=str(taken.missing)
            )
            standing.append(_alarm(short, 0, 1))
    standing += [_alarm(each, 0, 1) for each in (sequencer.failed, sequencer.unsaved) if each is not None]
    return standing


def _alarm(refusal: Refusal, since_us: int, attempts: int) -> AlarmMessage:
    shown = refusal_json(refusal)
    return {
        "code": shown["code"],
        "title": shown["title"],
        "facts": shown["facts"],
        "since_us": since_us,
        "attempts": attempts,
    }


def _last_trade(custody: Custody, epoch: int) -> int:
    """Return the number of the last trade of an epoch; 0 for epoch 0."""
    if not epoch:
        return 0
    found = custody.epochs[epoch - 1]
    return found.first_trade + found.trades - 1
