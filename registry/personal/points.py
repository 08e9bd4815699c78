"""Points: what everyone earned in an epoch, from the batches that came in.

Acts are taken in order of time, then of nullifier; each earns what its method says, up to the caps of its
person and day. So every observer with the batches gets the same balances, root and total. Pure; `intake`
keeps the batches and what was earned before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from registry import merkle
from registry.personal.acts import ActBatch, GreenAct
from registry.personal.merkle_sum import Balance, MerkleSumTree, SumNode
from registry.personal.methods import METHODS, Claim, Method, day_of, method_for
from registry.refusals import ActAlreadyClaimed, MeetingClaimedOtherwise, PointsEpochRefused

DAY_CAP_G: Final = 80_000  # a person and day over all methods; ours

DayKey: TypeAlias = tuple[str, int, str]  # person, day, kind of act


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """A batch that was taken in, and the digest that its provider signed."""

    batch: ActBatch
    digest: bytes


@dataclass(frozen=True)
class EpochResult:
    """An epoch's outcome: balances in order of account, none zero; what it adds to each person's days."""

    epoch: int
    balances: tuple[Balance, ...]
    batches_root: bytes
    earned_g: Mapping[DayKey, int]

    @cached_property
    def tree(self) -> MerkleSumTree:
        """The tree whose root goes on chain."""
        return MerkleSumTree(self.epoch, self.balances)

    @property
    def people(self) -> int:
        """How many earned something."""
        return len(self.balances)

    def claim_of(self, person: str) -> EpochClaim:
        """Return what a person claims with; raises PointsEpochRefused for one who earned nothing."""
        for index, balance in enumerate(self.balances):
            if balance.person == person:
                return EpochClaim(self.epoch, index, balance.quantity_g, tuple(self.tree.prove(index)))
        raise PointsEpochRefused(reason="nothing earned", epoch=self.epoch, person=person)


@dataclass(frozen=True, slots=True)
class EpochClaim:
    """The arguments of `IMicroCarat.claim`."""

    epoch: int
    index: int
    quantity_g: int
    proof: tuple[SumNode, ...]


def close_epoch(
    epoch: int,
    batches: Sequence[SignedBatch],
    earned_before_g: Mapping[DayKey, int],
    methods: Sequence[Method] = METHODS,
) -> EpochResult:
    """Add up an epoch.

    Parameters
    ----------
    batches :
        Every batch of the epoch, in the order in which they came in.
    earned_before_g :
        What earlier epochs credited, grams by person, day and kind: the caps hold over epochs.

    Raises
    ------
    ActAlreadyClaimed, MeetingClaimedOtherwise :
        Two batches claim the same act.
    PointsEpochRefused :
        Nobody earned anything.
    """
    _require_distinct(batches, methods)
    acts = [(act.at_utc, _nullifier(act, methods), act) for signed in batches for act in signed.batch.acts]
    acts.sort(key=lambda entry: entry[:2])
    earned_g: dict[DayKey, int] = {}
    days_g: dict[tuple[str, int], int] = {}
    for (person, day, _), quantity_g in earned_before_g.items():
        days_g[person, day] = days_g.get((person, day), 0) + quantity_g
    balances_g: dict[str, int] = {}
    for _, _, act in acts:
        method = method_for(act.kind, act.at_utc, methods)
        day = day_of(act.at_utc)
        key = (act.person, day, act.kind)
        so_far_g = earned_before_g.get(key, 0) + earned_g.get(key, 0)
        today_g = days_g.get((act.person, day), 0)
        room_g = min(method.day_cap_g - so_far_g, DAY_CAP_G - today_g)
        quantity_g = min(method.grams_of(act.quantity), max(0, room_g))
        earned_g[key] = earned_g.get(key, 0) + quantity_g
        days_g[act.person, day] = today_g + quantity_g
        balances_g[act.person] = balances_g.get(act.person, 0) + quantity_g
    balances = tuple(Balance(person, grams) for person, grams in sorted(balances_g.items()) if grams)
    if not balances:
        raise PointsEpochRefused(reason="nobody earned anything", epoch=epoch, batches=len(batches))
    batches_root = merkle.root([signed.digest for signed in batches])
    return EpochResult(epoch, balances, batches_root, earned_g)


def _nullifier(act: GreenAct, methods: Sequence[Method]) -> bytes:
    return act.nullifier(method_for(act.kind, act.at_utc, methods))


def _require_distinct(batches: Sequence[SignedBatch], methods: Sequence[Method]) -> None:
    claims = Claims()
    for signed in batches:
        claims.take(signed.batch, methods)


class Claims:
    """Which acts are claimed, and by which batch; a meeting also how.

    `claimed` maps a nullifier, `meetings` a meeting's name, to what is known of it before.
    """

    def __init__(
        self,
        claimed: Mapping[bytes, bytes] | None = None,
        meetings: Mapping[bytes, tuple[str, bytes]] | None = None,
    ) -> None:
        self.claimed: dict[bytes, bytes] = dict(claimed or {})
        self.meetings: dict[bytes, tuple[str, bytes]] = dict(meetings or {})

    def take(self, batch: ActBatch, methods: Sequence[Method] = METHODS) -> None:
        """Claim every act of a batch.

        Raises
        ------
        ActAlreadyClaimed :
            An act was claimed before, by this batch or another; both batch ids are named.
        MeetingClaimedOtherwise :
            A meeting counts as a whole already, or by its people.
        MethodUnknown, ActRefused :
            An act earns nothing.
        """
        for act in batch.acts:
            method = method_for(act.kind, act.at_utc, methods)
            method.grams_of(act.quantity)
            nullifier = act.nullifier(method)
            if method.claim is not Claim.ACT:
                self._take_meeting(act, method, batch.batch_id)
            if nullifier in self.claimed:
                raise ActAlreadyClaimed(
                    act=act.act_id,
                    first_batch="0x" + self.claimed[nullifier].hex(),
                    second_batch="0x" + batch.batch_id.hex(),
                )
            self.claimed[nullifier] = batch.batch_id

    def _take_meeting(self, act: GreenAct, method: Method, batch_id: bytes) -> None:
        basis, first = self.meetings.setdefault(act.meeting(), (method.claim.value, batch_id))
        if basis != method.claim.value:
            raise MeetingClaimedOtherwise(
                act=act.act_id,
                counted_by=basis,
                first_batch="0x" + first.hex(),
                second_batch="0x" + batch_id.hex(),
            )
