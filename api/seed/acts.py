"""Doing acts that may have been done before."""

from __future__ import annotations

from collections.abc import Sequence

from api.cycle.market import Market
from chain.refusals import Refusal
from chain.transactor import Act


def do_each(market: Market, acts: Sequence[Act]) -> None:
    """Do acts in order; the contracts answer what an earlier, broken-off run did with silence.

    A claim of points they refuse as done, which is passed over.

    Raises
    ------
    Refusal :
        Any other.
    """
    for outcome in market.transactor.send_all(acts):
        if isinstance(outcome, Refusal) and outcome.code != "MicroCaratAlreadyClaimed":
            raise outcome
