"""Doing acts that may have been done before."""

from __future__ import annotations

from collections.abc import Sequence

from api.cycle.market import Market
from chain.refusals import Refusal
from chain.transactor import Act


def do_each(market: Market, acts: Sequence[Act]) -> None:
    """Do acts in order; one that an earlier, broken-off run did is passed over.

    Most contracts answer a repetition with silence. A deposit cannot, because its transfer would have
    happened; it is refused by its own id with the very content that was recorded.

    Raises
    ------
    Refusal :
        Any other.
    """
    for outcome in market.transactor.send_all(acts):
        if isinstance(outcome, Refusal) and not _says_done(outcome):
            raise outcome


def _says_done(refusal: Refusal) -> bool:
    if refusal.code == "RequestIdReused":
        return refusal.facts["recorded"] == refusal.facts["given"]
    return refusal.code == "MicroCaratAlreadyClaimed"
