"""The exchange's part: money and tonnes deposited, orders on both sides, and two trades that settle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal
from uuid import UUID

from api.cycle.market import Market
from api.seed import members
from api.seed.acts import do_each
from api.seed.registry import BATCH, PROJECT
from chain.abi import Call
from chain.ids import request_id
from chain.refusals import Refusal
from chain.units import UnitId
from exchange.client import list_instrument, place_order
from registry import acts

_CASH_FEN: Final = {
    members.STEEL: 6_000_000_000,
    members.PAPER: 2_000_000_000,
    members.TRADER: 10_000_000_000,
}
_DEPOSITED_SHARE: Final = 2  # of its cash, each takes a half to its trading account
_ALLOWANCES_T: Final = {members.POWER: 30_000, members.CEMENT: 2_000}
_OFFSETS_T: Final = 6_000

# Who, which side, tonnes, fen a tonne; in this order, so that the third and the last meet what rests.
_ALLOWANCE_ORDERS: Final[tuple[tuple[str, Literal["buy", "sell"], int, int], ...]] = (
    (members.CEMENT, "sell", 1_500, 8_000),
    (members.POWER, "sell", 2_000, 8_050),
    (members.STEEL, "buy", 1_000, 8_000),
    (members.POWER, "sell", 5_000, 8_120),
    (members.STEEL, "buy", 800, 7_950),
    (members.PAPER, "buy", 600, 7_900),
    (members.TRADER, "buy", 3_000, 7_850),
)
_OFFSET_ORDERS: Final[tuple[tuple[str, Literal["buy", "sell"], int, int], ...]] = (
    (members.DEVELOPER, "sell", 2_000, 7_100),
    (members.TRADER, "buy", 1_000, 6_900),
    (members.PAPER, "buy", 300, 7_100),
)


def deposit(market: Market, period: int) -> None:
    """Let the bank credit cash, and the traders deposit cash and tonnes; wait until the exchange has them."""
    allowance, offset = UnitId.allowance(period), UnitId.offset(period, PROJECT, BATCH)
    credits_fen = [(market.address(label), fen) for label, fen in _CASH_FEN.items()]
    do_each(market, [(market.signer(members.BANK), acts.mint_cash(credits_fen, market.id_of("mint")))])
    deposits: list[tuple[str, UUID, Call]] = []
    for label, fen in _CASH_FEN.items():
        request = market.id_of("deposit", label, "cash")
        call = acts.deposit_cash(market.clearing, fen // _DEPOSITED_SHARE, request)
        deposits.append((label, request, call))
    tonnes = [(label, allowance, quantity_t) for label, quantity_t in _ALLOWANCES_T.items()]
    for label, unit, quantity_t in [*tonnes, (members.DEVELOPER, offset, _OFFSETS_T)]:
        request = market.id_of("deposit", label, unit.text)
        call = acts.deposit_units(market.address(label), market.clearing, unit, quantity_t, request)
        deposits.append((label, request, call))
    # A deposit is a transfer first: repeated, it would be refused for want of what was deposited.
    done = market.transactor.read_all(
        [
            Call("Clearing", "isDoneBy", (market.address(label), request_id(request)))
            for label, request, _ in deposits
        ]
    )
    open_ones = [deposit for deposit, is_done in zip(deposits, done, strict=True) if not is_done]
    do_each(market, [(market.signer(label), call) for label, _, call in open_ones])
    for label, request, _ in deposits:
        market.exchange.await_deposits(market.address(label), [request])


def trade(market: Market, period: int, on_step: Callable[[str], None]) -> None:
    """Place the orders, and let what traded settle on chain."""
    allowance, offset = UnitId.allowance(period).text, UnitId.offset(period, PROJECT, BATCH).text
    commands = [list_instrument(unit) for unit in (allowance, offset)]
    for unit, orders in ((allowance, _ALLOWANCE_ORDERS), (offset, _OFFSET_ORDERS)):
        for place, (label, side, quantity_t, price_fen) in enumerate(orders):
            order_id = market.id_of("order", unit, place)
            commands.append(place_order(order_id, market.address(label), unit, side, quantity_t, price_fen))
    for outcome in market.exchange.submit(commands):
        if isinstance(outcome, Refusal):
            raise outcome
    on_step("settling the first trades on chain")
    market.exchange.close_epoch()
