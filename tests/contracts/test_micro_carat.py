"""MicroCarat: an epoch's honest total, claims by proof, redemption once."""

from __future__ import annotations

import pytest
from carat_world import World, fresh_id, refusal, refused, root_of
from eth_account import Account as Keys
from eth_utils import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sum_tree import Node, leaf, levels, proof

BATCHES = root_of("batches")


def tree_of(world: World, epoch: int, grams: list[int]) -> list[list[Node]]:
    """The test's person is first, the others are keys that nobody holds."""
    people = [world.person.address]
    people += [Keys.from_key(keccak(text=f"person {place}")).address for place in range(1, len(grams))]
    return levels(
        [leaf(epoch, place, who, g) for place, (who, g) in enumerate(zip(people, grams, strict=True))]
    )


def publish(world: World, epoch: int, grams: list[int]) -> list[list[Node]]:
    rows = tree_of(world, epoch, grams)
    root, total_g = rows[-1][0]
    world.points.publishEpoch(epoch, root, total_g, len(grams), BATCHES, world.office)
    return rows


def test_a_person_claims_by_proof_what_the_epoch_says(world: World) -> None:
    rows = publish(world, 1, [4_314, 2_202, 0, 999, 70])
    claim = world.points.claim(1, 0, 4_314, proof(rows, 0), {"from": world.person})
    assert world.points.balanceOf(world.person) == 4_314
    assert world.points.hasClaimed(1, world.person)
    assert dict(claim.events["PointsClaimed"]) == {"epoch": 1, "person": world.person, "quantityG": 4_314}


def test_the_only_person_of_an_epoch_needs_no_proof(world: World) -> None:
    publish(world, 1, [1_000])
    world.points.claim(1, 0, 1_000, [], {"from": world.person})
    assert world.points.totalSupply() == 1_000


def test_points_are_grams_shown_in_thousands(world: World) -> None:
    assert world.points.decimals() == 3


def test_a_person_claims_an_epoch_once(world: World) -> None:
    rows = publish(world, 1, [5, 6])
    world.points.claim(1, 0, 5, proof(rows, 0), {"from": world.person})
    got = refusal(world.points.claim, 1, 0, 5, proof(rows, 0), by=world.person)
    assert got == refused("MicroCaratAlreadyClaimed", epoch=1, person=world.person)


def test_a_claim_of_another_epoch_is_a_claim_of_its_own(world: World) -> None:
    for epoch in (1, 2):
        rows = publish(world, epoch, [5, 6])
        world.points.claim(epoch, 0, 5, proof(rows, 0), {"from": world.person})
    assert world.points.balanceOf(world.person) == 10


@pytest.mark.parametrize(
    ("index", "grams"),
    [(0, 6), (0, 4), (1, 5), (4, 5)],
    ids=["more", "less", "somebody else's place", "a place beyond the tree"],
)
def test_a_claim_that_the_tree_does_not_hold_is_refused(world: World, index: int, grams: int) -> None:
    rows = publish(world, 1, [5, 6, 7])
    got = refusal(world.points.claim, 1, index, grams, proof(rows, 0), by=world.person)
    assert got == refused("MicroCaratProofInvalid", epoch=1, person=world.person, quantityG=grams)


def test_somebody_elses_proof_is_refused(world: World) -> None:
    rows = publish(world, 1, [5, 6])
    got = refusal(world.points.claim, 1, 0, 5, proof(rows, 0), by=world.stranger)
    assert got == refused("MicroCaratProofInvalid", epoch=1, person=world.stranger, quantityG=5)


def test_a_tree_that_sums_to_more_than_the_published_total_pays_nobody(world: World) -> None:
    rows = tree_of(world, 1, [5, 6])
    root, total_g = rows[-1][0]
    world.points.publishEpoch(1, root, total_g - 1, 2, BATCHES, world.office)
    got = refusal(world.points.claim, 1, 0, 5, proof(rows, 0), by=world.person)
    assert got == refused("MicroCaratProofInvalid", epoch=1, person=world.person, quantityG=5)


def test_a_proof_whose_sums_would_overflow_is_refused(world: World) -> None:
    rows = publish(world, 1, [5, 6])
    beside = [(proof(rows, 0)[0][0], 2**256 - 4)]
    got = refusal(world.points.claim, 1, 0, 5, beside, by=world.person)
    assert got == refused("MicroCaratProofInvalid", epoch=1, person=world.person, quantityG=5)


def test_an_unpublished_epoch_cannot_be_claimed(world: World) -> None:
    for epoch in (0, 1):
        got = refusal(world.points.claim, epoch, 0, 5, [], by=world.person)
        assert got == refused("MicroCaratEpochUnknown", epoch=epoch)


def test_an_epoch_published_again_changes_nothing(world: World) -> None:
    publish(world, 1, [5])
    rows = tree_of(world, 1, [5])
    again = world.points.publishEpoch(1, rows[-1][0][0], 5, 1, BATCHES, world.office)
    assert "EpochPublished" not in again.events
    assert world.points.lastEpoch() == 1


def test_an_epoch_is_not_published_twice_with_other_content(world: World) -> None:
    publish(world, 1, [5])
    got = refusal(world.points.publishEpoch, 1, root_of("other"), 5, 1, BATCHES, by=world.admin)
    assert got == refused("MicroCaratEpochExists", epoch=1)


def test_epochs_are_published_in_order(world: World) -> None:
    for epoch in (0, 2):
        got = refusal(world.points.publishEpoch, epoch, root_of("tree"), 5, 1, BATCHES, by=world.admin)
        assert got == refused("MicroCaratEpochOutOfOrder", expected=1, got=epoch)


def test_a_total_that_could_overflow_is_not_published(world: World) -> None:
    got = refusal(world.points.publishEpoch, 1, root_of("tree"), 2**128, 1, BATCHES, by=world.admin)
    assert got == refused("MicroCaratTotalTooLarge", epoch=1, totalG=2**128)


def test_points_are_redeemed_once_for_a_reward(world: World) -> None:
    rows = publish(world, 1, [50, 6])
    world.points.claim(1, 0, 50, proof(rows, 0), {"from": world.person})
    request_id, reward = fresh_id(), root_of("a metro ticket")
    for _ in range(2):
        world.points.redeem(20, reward, request_id, {"from": world.person})
    assert world.points.balanceOf(world.person) == 30
    name, facts = refusal(world.points.redeem, 21, reward, request_id, by=world.person)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)
    got = refusal(world.points.redeem, 31, reward, fresh_id(), by=world.person)
    assert got == refused("ERC20InsufficientBalance", sender=world.person, balance=30, needed=31)


def test_a_provider_is_accredited_and_not_any_more(world: World) -> None:
    for accredited in (True, False):
        world.points.accreditProvider(world.stranger, accredited, fresh_id(), world.office)
        assert world.points.isProvider(world.stranger) is accredited


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # epochs follow each other
@given(grams=st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_whatever_the_tree_the_first_person_claims_exactly_their_grams(
    world: World, grams: list[int]
) -> None:
    epoch = int(world.points.lastEpoch()) + 1
    before_g = int(world.points.balanceOf(world.person))
    rows = publish(world, epoch, grams)
    world.points.claim(epoch, 0, grams[0], proof(rows, 0), {"from": world.person})
    assert world.points.balanceOf(world.person) == before_g + grams[0]
    assert int(world.points.epochOf(epoch)[1]) == sum(grams)
