"""Trading: what firms have too much of meets what others lack, through the book and settled on chain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from api.cycle.market import Market, chunks
from api.cycle.plan import CyclePlan, FirmYear
from chain.refusals import Refusal
from chain.transactor import Act
from chain.units import UnitId
from exchange.client import (
    BATCH,
    CloseMessage,
    Command,
    cancel_order,
    list_instrument,
    place_order,
    request_withdrawal,
)
from registry import acts

TICK_FEN: Final = 1
LOT_T: Final = 1
QUANTITY_MAX_T: Final = 10**12
_CREDITS_A_TRANSACTION: Final = 100


def trade(market: Market, plan: CyclePlan) -> None:
    """Fund trading accounts, let everyone order, settle the epoch, and withdraw what was bought."""
    buyers = [firm for firm in plan.firms if firm.wanted_t > 0]
    sellers = [firm for firm in plan.firms if firm.wanted_t < 0]
    if not buyers and not sellers:
        return
    unit = UnitId.allowance(plan.period)
    _fund(market, plan, unit, buyers, sellers)
    order_ids = _order(market, plan, unit, [*sellers, *buyers])
    closed = _close_epoch(market)
    market.on_progress("settle the epoch", 1)
    _cancel_rest(market, unit, order_ids)
    bought = _bought(market, closed["epoch"], unit)
    _withdraw(market, plan, unit, [firm for firm in buyers if bought.get(market.address(firm.label))], bought)


def _fund(
    market: Market, plan: CyclePlan, unit: UnitId, buyers: Sequence[FirmYear], sellers: Sequence[FirmYear]
) -> None:
    """Move money and tonnes into trading accounts, and wait until the exchange has seen them."""
    cash_fen = {firm.label: firm.wanted_t * plan.price_fen for firm in buyers}
    tonnes = {firm.label: -firm.wanted_t for firm in sellers}
    if plan.others is not None and plan.left_over_t:
        cash_fen[plan.others] = plan.left_over_t * plan.price_fen
    if plan.others is not None and plan.reserve_t:
        tonnes[plan.others] = plan.reserve_t
    bank = market.signer("bank")
    minted = [
        acts.mint_cash(
            [(market.address(label), amount_fen) for label, amount_fen in batch],
            market.id_of("mint", plan.period, batch[0][0]),
        )
        for batch in chunks(list(cash_fen.items()), _CREDITS_A_TRANSACTION)
    ]
    market.do("mint cash", [(bank, call) for call in minted])
    deposits: list[Act] = []
    labels = [*cash_fen, *tonnes]
    for label, amount_fen in cash_fen.items():
        name = market.id_of("deposit", plan.period, label)
        deposits.append((market.signer(label), acts.deposit_cash(market.clearing, amount_fen, name)))
    for label, quantity_t in tonnes.items():
        owner, name = market.signer(label), market.id_of("deposit", plan.period, label)
        call = acts.deposit_units(owner.address, market.clearing, unit, quantity_t, name)
        deposits.append((owner, call))
    receipts = market.do("deposit", deposits)
    # The exchange takes deposits in block by block: with one of the last block all are there. On a chain of
    # others that need not be the one that was sent last.
    last, _ = max(zip(labels, receipts, strict=True), key=lambda each: each[1].block)
    last_id = market.id_of("deposit", plan.period, last)
    market.until_answered(
        lambda: market.exchange.await_deposits(market.address(last), [last_id], market.patience_s)
    )


def _order(market: Market, plan: CyclePlan, unit: UnitId, firms: Sequence[FirmYear]) -> dict[str, str]:
    """Place every firm's order, then the others' against what is left; returns order ids by account."""
    _send(market, "list the instrument", [list_instrument(unit.text, TICK_FEN, LOT_T, QUANTITY_MAX_T)])
    orders = [_limit(market, plan, unit, firm.label, firm.wanted_t) for firm in firms]
    _send(market, "order", orders)
    if plan.others is not None:
        book = market.until_answered(lambda: market.exchange.book(unit.text, depth=1))
        bids_t = sum(level["quantity_t"] for level in book["bids"])
        asks_t = sum(level["quantity_t"] for level in book["asks"])
        assert not (bids_t and asks_t), "one price: one side of the book is empty"
        if bids_t or asks_t:
            rest = _limit(market, plan, unit, plan.others, asks_t - bids_t)
            _send(market, "order", [rest])
            orders.append(rest)
    return {order["order_id"]: order["account"] for order in orders}


def _limit(market: Market, plan: CyclePlan, unit: UnitId, label: str, wanted_t: int) -> Command:
    return place_order(
        market.id_of("order", plan.period, label),
        market.address(label),
        unit.text,
        "buy" if wanted_t > 0 else "sell",
        abs(wanted_t),
        plan.price_fen,
    )


def _close_epoch(market: Market) -> CloseMessage:
    """Close the epoch, and wait until the chain has settled it and paid what may be paid."""
    close = partial(market.exchange.close_epoch, timeout_s=market.patience_s)
    return market.until_answered(close)


def _cancel_rest(market: Market, unit: UnitId, order_ids: dict[str, str]) -> None:
    """Take back what found no counterpart, if anything did not."""
    book = market.until_answered(lambda: market.exchange.book(unit.text, depth=1))
    if book["bids"] or book["asks"]:
        cancels = [cancel_order(order_id, account) for order_id, account in order_ids.items()]
        _send(market, "take back what is left", cancels, tolerated="OrderNotOpen")


def _bought(market: Market, epoch: int, unit: UnitId) -> dict[str, int]:
    if not epoch:
        return {}
    detail = market.until_answered(lambda: market.exchange.epoch(epoch))
    return {
        delta["account"]: delta["quantity_t"]
        for delta in detail["deltas"]
        if delta["unit"] == unit.text and delta["quantity_t"] > 0
    }


def _withdraw(
    market: Market, plan: CyclePlan, unit: UnitId, firms: Sequence[FirmYear], bought: dict[str, int]
) -> None:
    """Bring what firms bought back to their registry accounts, to be surrendered from there."""
    withdrawals = [
        request_withdrawal(
            market.id_of("withdrawal", plan.period, firm.label),
            market.address(firm.label),
            unit.text,
            bought[market.address(firm.label)],
        )
        for firm in firms
    ]
    if withdrawals:
        _send(market, "withdraw", withdrawals)
        _close_epoch(market)


def _send(market: Market, what: str, commands: Sequence[Command], tolerated: str = "") -> None:
    """Give commands to the exchange; a repetition does nothing twice. Raises the first refusal."""
    for batch in chunks(commands, BATCH):
        for outcome in market.until_answered(partial(market.exchange.submit, batch)):
            if isinstance(outcome, Refusal) and outcome.code != tolerated:
                raise outcome
        market.on_progress(what, len(batch))
