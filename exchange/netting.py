"""Netting: what an epoch's trades move, one delta per account and unit.

Pure. For each unit the tonnes sum to zero and so does the cash: what one gives another gains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exchange.tape import TapeTrade

CHUNK_DELTAS_MAX: Final = 250
"""Most deltas of one settle call, so that it fits a block."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What an account gains (+) or gives (-) of one unit, with the cash that goes the other way."""

    account: bytes
    unit: int
    quantity_t: int
    cash_fen: int


def net(trades: Iterable[TapeTrade]) -> list[Delta]:
    """Return the deltas, by unit and then account. An account that ends where it began has none.

    A buyer pays the value and his fee, a seller gets the value less his; who collects them gets both, in the
    trade's unit, of which he then has 0 tonnes.
    """
    tonnes: dict[tuple[int, bytes], int] = defaultdict(int)
    cash: dict[tuple[int, bytes], int] = defaultdict(int)
    for trade in trades:
        value_fen = trade.price_fen * trade.quantity_t
        tonnes[trade.unit, trade.buyer] += trade.quantity_t
        tonnes[trade.unit, trade.seller] -= trade.quantity_t
        cash[trade.unit, trade.buyer] -= value_fen + trade.buyer_fee_fen
        cash[trade.unit, trade.seller] += value_fen - trade.seller_fee_fen
        cash[trade.unit, trade.buyer_fee_to] += trade.buyer_fee_fen
        cash[trade.unit, trade.seller_fee_to] += trade.seller_fee_fen
    return [
        Delta(account=account, unit=unit, quantity_t=tonnes[unit, account], cash_fen=cash[unit, account])
        for unit, account in sorted(cash)
        if tonnes[unit, account] or cash[unit, account]
    ]


def chunked(deltas: Sequence[Delta], size: int = CHUNK_DELTAS_MAX) -> list[Sequence[Delta]]:
    """Cut an epoch for the chain. One that nets to nothing is one empty chunk: its root is recorded too."""
    return [deltas[start : start + size] for start in range(0, len(deltas), size)] or [()]
