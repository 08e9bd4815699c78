"""Netting: what an epoch's trades move, one delta per account and unit.

Pure. For each unit the tonnes sum to zero and so does the cash: what one gives another gains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exchange.reports import Trade

CHUNK_DELTAS_MAX: Final = 250
"""Most deltas of one settle call, so that it fits a block."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What an account gains (+) or gives (-) of one unit, with the cash that goes the other way."""

    account: bytes
    unit: int
    quantity_t: int
    cash_fen: int


def net(trades: Iterable[Trade]) -> list[Delta]:
    """Return the deltas, by unit and then account. An account that ends where it began has none."""
    tonnes: dict[tuple[int, bytes], int] = {}
    cash: dict[tuple[int, bytes], int] = {}
    for trade in trades:
        paid_fen = trade.price_fen * trade.quantity_t
        buyer, seller = (trade.unit, trade.buyer), (trade.unit, trade.seller)
        tonnes[buyer] = tonnes.get(buyer, 0) + trade.quantity_t
        tonnes[seller] = tonnes.get(seller, 0) - trade.quantity_t
        cash[buyer] = cash.get(buyer, 0) - paid_fen
        cash[seller] = cash.get(seller, 0) + paid_fen
    return [
        Delta(account=key[1], unit=key[0], quantity_t=tonnes[key], cash_fen=cash[key])
        for key in sorted(tonnes)
        if tonnes[key] or cash[key]
    ]


def chunked(deltas: Sequence[Delta], size: int = CHUNK_DELTAS_MAX) -> list[Sequence[Delta]]:
    """Cut an epoch for the chain. One that nets to nothing is one empty chunk: its root is recorded too."""
    return [deltas[start : start + size] for start in range(0, len(deltas), size)] or [()]
