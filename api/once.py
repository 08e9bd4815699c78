"""Once, or not at all: how a PUT of an act is answered, however often it is sent.

The record of the act is looked for first. Where it stands already and says the same, it is the answer
(200) and the chain is left alone; where it says something else, the contract gives the typed refusal;
else the act is done (201).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Response, status
from sqlmodel import Session

from api.fields import Schema
from api.indexer import ProjectionBehind
from api.services import Services
from chain.abi import Call

Answer = TypeVar("Answer", bound=Schema)


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes one signed act and answers with its record."""

    services: Services
    account: str
    response: Response

    def do(
        self,
        call: Call,
        signed_transaction: str,
        find: Callable[[Session], Answer | None],
        same: Callable[[Answer], bool],
    ) -> Answer:
        """Do an act once.

        Parameters
        ----------
        call :
            The act that the request says; the signed transaction must be exactly this, by `account`.
        find :
            Looks the act's record up.
        same :
            Says whether a record found beforehand is what the request asks for.

        Raises
        ------
        TransactionMalformed, TransactionMismatch, TransactionRejected, ContractRefusal, ChainUnreachable,
        ProjectionBehind
        """
        services = self.services
        services.relay.check(self.account, call, signed_transaction)
        with services.projection.session() as session:
            before = find(session)
        if before is not None and same(before):
            self.response.status_code = status.HTTP_200_OK
            return before
        receipt = services.relay.perform(self.account, call, signed_transaction)
        with services.projection.session() as session:
            after = find(session)
        if after is None:
            raise ProjectionBehind(block=receipt.block, tx_hash=receipt.tx_hash)
        return after


def same_fields(body: Schema, *names: str) -> Callable[[Schema], bool]:
    """Return the comparison of a record with a body by these fields."""
    return lambda record: all(getattr(record, name) == getattr(body, name) for name in names)
