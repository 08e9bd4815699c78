"""Once: every act happens once. The client names it, the contract remembers what that name did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.contract_model.machine import ZERO, ZERO_ADDRESS, Address, Contract, Refused, Table

# What an act depends on, and how to hash it: hashes are needed only where a refusal names them.
Facts = tuple[Any, ...]
Digest = Callable[[Facts], bytes]


class OnceTable:
    """Acts by who did them and by the name they were given."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def first(self, holder: Address, request_id: bytes, facts: Facts, digest: Digest) -> bool:
        """Remember an act; False when the very same was done. Raises RequestIdZero, RequestIdReused."""
        if request_id == ZERO:
            raise Refused("RequestIdZero")
        recorded = self._table[holder, request_id]
        if recorded is None:
            self._table[holder, request_id] = (facts, digest)
            return True
        before, digest_before = recorded
        if before == facts:
            return False
        raise Refused("RequestIdReused", request_id, digest_before(before), digest(facts))

    def was_done(self, holder: Address, request_id: bytes) -> bool:
        return self._table[holder, request_id] is not None


class Once(Contract):
    """A contract whose acts have names. Holder zero stands for the offices."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.done = OnceTable(self.table(None, lambda key: ("isDoneBy", *key)))

    def once(self, request_id: bytes, facts: Facts, digest: Digest) -> bool:
        return self.done.first(ZERO_ADDRESS, request_id, facts, digest)

    def once_by(self, holder: Address, request_id: bytes, facts: Facts, digest: Digest) -> bool:
        return self.done.first(holder, request_id, facts, digest)

    def once_only(self, holder: Address, request_id: bytes, facts: Facts, digest: Digest) -> None:
        """As above, for an act that moved something before it was asked: its repetition is refused."""
        if not self.done.first(holder, request_id, facts, digest):
            raise Refused("RequestIdReused", request_id, digest(facts), digest(facts))

    def is_done(self, request_id: bytes) -> bool:
        return self.done.was_done(ZERO_ADDRESS, request_id)

    def is_done_by(self, holder: Address, request_id: bytes) -> bool:
        return self.done.was_done(holder, request_id)
