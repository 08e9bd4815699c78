"""The exchange's part: money and tonnes deposited, orders on both sides, and a trade that settles."""

from __future__ import annotations

from typing import Final

from api.cycle.market import Market
from api.seed import members
from api.seed.acts import do_each
from api.seed.registry import BATCH, PROJECT
from chain.units import UnitId
from registry import acts

_CASH_FEN: Final = {
    members.STEEL: 60_000_000_000,
    members.PAPER: 20_000_000_000,
    members.TRADER: 100_000_000_000,
}
_TRADED_SHARE: Final = 2  # of its cash, each moves a half to its trading account
_UNITS_T: Final = {members.POWER: 30_000, members.CEMENT: 2_000}
_OFFSETS_T: Final = 6_000


def deposit(market: Market, period: int) -> None:
    """Let the bank credit cash, and the traders deposit cash and tonnes."""
    allowance, offset = UnitId.allowance(period), UnitId.offset(period, PROJECT, BATCH)
    credits_fen = [(market.address(label), fen) for label, fen in _CASH_FEN.items()]
    minted = acts.mint_cash(credits_fen, market.id_of("mint"))
    do_each(market, [(market.signer(members.BANK), minted)])
    deposits = [
        (
            market.signer(label),
            acts.deposit_cash(market.clearing, fen // _TRADED_SHARE, market.id_of("deposit cash", label)),
        )
        for label, fen in _CASH_FEN.items()
    ]
    tonnes = [(label, allowance, quantity_t) for label, quantity_t in _UNITS_T.items()]
    for label, unit, quantity_t in [*tonnes, (members.DEVELOPER, offset, _OFFSETS_T)]:
        owner, request = market.signer(label), market.id_of("deposit", label, unit.text)
        deposits.append(
            (owner, acts.deposit_units(owner.address, market.clearing, unit, quantity_t, request))
        )
    do_each(market, deposits)
