"""People: an act earns once, the total is honest, everyone can prove their part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.ids import request_id
from chain.keys import Keyring
from registry.personal import merkle_sum
from registry.personal.acts import ActBatch, GreenAct, require_signed, sign_batch
from registry.personal.intake import PointsIntake
from registry.personal.merkle_sum import Balance, MerkleSumTree
from registry.personal.methods import METHODS, method_for
from registry.personal.points import DAY_CAP_G, SignedBatch, close_epoch
from registry.projection.store import open_engine
from registry.refusals import (
    ActAlreadyClaimed,
    ActRefused,
    BatchConflict,
    BatchSignatureInvalid,
    DocumentMalformed,
    MeetingClaimedOtherwise,
    MethodUnknown,
    PointsEpochRefused,
    ProviderUnaccredited,
)
from registry.signing import Domain

KEYS = Keyring(b"test seed of the registry tests.")
METRO, BIKES = KEYS.signer("provider:metro"), KEYS.signer("provider:bikes")
ANNA, BO = KEYS.signer("person:anna").address, KEYS.signer("person:bo").address
DOMAIN = Domain(1337, "0x00000000000000000000000000000000000000E1")
NOON_UTC = 1_800_000_000


def act(act_id: str, kind: str = "custom-bus", quantity: int = 1, **other: Any) -> GreenAct:
    facts = {"source": METRO.address, "person": ANNA, "at_utc": NOON_UTC} | other
    return GreenAct(act_id=act_id, kind=kind, quantity=quantity, **facts)


def batch(name: str, *acts: GreenAct, provider: str = METRO.address) -> ActBatch:
    return ActBatch(request_id(name), provider, acts)


def closed(*batches: ActBatch) -> Any:
    return close_epoch(1, [SignedBatch(each, each.digest(DOMAIN)) for each in batches], {})


@pytest.fixture
def intake() -> PointsIntake:
    return PointsIntake(open_engine("sqlite://"), DOMAIN)


def accept(intake: PointsIntake, handed_in: ActBatch, accredited: bool = True) -> Any:
    signer = METRO if handed_in.provider == METRO.address else BIKES
    signature = sign_batch(handed_in, DOMAIN, signer)
    return intake.accept(handed_in, signature, NOON_UTC + 60, lambda _provider: accredited)


# Methods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "quantity", "grams"),
    [
        ("custom-bus", 1, 1_814),
        ("custom-bus", 7, 12_700),
        ("shared-ebike", 1_000, 26),
        ("shared-ebike", 4_000, 105),
        ("electricity-saved", 1_000, 1_000),
        ("online-meeting", 1, 27_932),
        ("online-meeting-person", 1, 2_202),
    ],
)
def test_an_act_is_worth_what_its_source_says(kind: str, quantity: int, grams: int) -> None:
    assert method_for(kind, NOON_UTC).grams_of(quantity) == grams


@given(method=st.sampled_from(METHODS), data=st.data())
def test_splitting_an_act_never_earns_more(method: Any, data: st.DataObject) -> None:
    quantity = data.draw(st.integers(1, method.quantity_max))
    part = data.draw(st.integers(0, quantity))
    whole_g = method.grams_of(quantity)
    parts_g = sum(method.grams_of(each) for each in (part, quantity - part) if each)
    assert parts_g <= whole_g


@pytest.mark.parametrize("kind", ["metro", "walking", "off-peak-charging", "flying"])
def test_an_act_without_a_number_in_the_sources_earns_nothing(kind: str) -> None:
    with pytest.raises(MethodUnknown):
        method_for(kind, NOON_UTC)


def test_an_act_before_the_method_came_into_force_earns_nothing() -> None:
    with pytest.raises(MethodUnknown):
        method_for("custom-bus", 1_000_000_000)


def test_a_quantity_beyond_the_method_is_refused() -> None:
    with pytest.raises(ActRefused) as refusal:
        method_for("custom-bus", NOON_UTC).grams_of(9)
    assert (refusal.value.facts["quantity"], refusal.value.facts["quantity_max"]) == (9, 8)


# The Merkle-sum tree ---------------------------------------------------------------------------------------


def test_the_tree_is_the_contract_s() -> None:
    balances = [Balance(ANNA, 5), Balance(BO, 7), Balance(METRO.address, 1)]
    kinds = ["uint64", "uint256", "address", "uint256"]
    leaves = [
        keccak(keccak(encode(kinds, [4, n, each.person, each.quantity_g]))) for n, each in enumerate(balances)
    ]

    def node(left: bytes, left_g: int, right: bytes, right_g: int) -> bytes:
        return keccak(encode(["bytes32", "uint256", "bytes32", "uint256"], [left, left_g, right, right_g]))

    first, second = node(leaves[0], 5, leaves[1], 7), node(leaves[2], 1, b"\0" * 32, 0)
    tree = MerkleSumTree(4, balances)
    assert (tree.root, tree.total_g) == (node(first, 12, second, 1), 13)
    assert tree.prove(2) == [(b"\0" * 32, 0), (first, 12)]
    assert MerkleSumTree(4, balances[:1]).root == leaves[0]


@given(grams=st.lists(st.integers(0, 10**9), min_size=1, max_size=20), data=st.data())
def test_everyone_can_prove_their_balance_and_the_total_is_the_sum(
    grams: list[int], data: st.DataObject
) -> None:
    balances = [Balance(f"0x{n + 1:040x}", each) for n, each in enumerate(grams)]
    tree = MerkleSumTree(1, balances)
    index = data.draw(st.integers(0, len(grams) - 1))
    proof = tree.prove(index)
    assert tree.total_g == sum(grams)
    assert merkle_sum.verify(tree.root, tree.total_g, 1, index, balances[index], proof)
    more = Balance(balances[index].person, grams[index] + 1)
    assert not merkle_sum.verify(tree.root, tree.total_g, 1, index, more, proof)
    assert not merkle_sum.verify(tree.root, tree.total_g, 2, index, balances[index], proof)
    assert not merkle_sum.verify(tree.root, tree.total_g + 1, 1, index, balances[index], proof)
    outside = index + (1 << len(proof))
    assert not merkle_sum.verify(tree.root, tree.total_g, 1, outside, balances[index], proof)


# Epochs ----------------------------------------------------------------------------------------------------


def test_an_epoch_adds_up_what_everyone_earned() -> None:
    result = closed(batch("a", act("1"), act("2", person=BO)), batch("b", act("3", "electricity-saved", 500)))
    assert {each.person: each.quantity_g for each in result.balances} == {ANNA: 2_314, BO: 1_814}
    claim = result.claim_of(BO)
    assert merkle_sum.verify(
        result.tree.root, 4_128, 1, claim.index, Balance(BO, claim.quantity_g), claim.proof
    )


def test_a_day_earns_no_more_than_its_cap() -> None:
    rides = [act(str(n), "shared-ebike", 50_000) for n in range(5)]
    result = closed(batch("a", *rides))
    assert result.balances[0].quantity_g == 2_625
    everything = [
        act("e", "electricity-saved", 50_000),
        act("m", "online-meeting"),
        act("n", "online-meeting"),
    ]
    assert closed(batch("a", *everything)).balances[0].quantity_g == DAY_CAP_G


def test_the_cap_holds_over_epochs_and_ends_with_the_day_in_beijing() -> None:
    ride = act("1", "shared-ebike", 100_000)
    first = closed(batch("a", ride))
    again = batch("b", replace(ride, act_id="2", person=ANNA), act("3", person=BO))
    second = close_epoch(2, [SignedBatch(again, b"d" * 32)], first.earned_g)
    assert [each.person for each in second.balances] == [BO]
    tomorrow = batch("c", replace(ride, act_id="4", at_utc=NOON_UTC + 24 * 3600))
    assert close_epoch(2, [SignedBatch(tomorrow, b"d" * 32)], first.earned_g).balances[0].quantity_g == 2_625


@given(order=st.permutations(range(4)))
def test_balances_do_not_depend_on_the_order_of_batches(order: list[int]) -> None:
    acts = [act(str(n), "shared-ebike", 30_000, at_utc=NOON_UTC + n) for n in range(4)]
    assert closed(*(batch(str(n), acts[n]) for n in order)).balances == closed(batch("x", *acts)).balances


def test_an_act_cannot_be_claimed_twice_and_both_batches_are_named() -> None:
    first, second = batch("first", act("trip-1")), batch("second", act("trip-1", person=BO))
    with pytest.raises(ActAlreadyClaimed) as refusal:
        closed(first, second)
    assert refusal.value.facts["first_batch"] == "0x" + first.batch_id.hex()
    assert refusal.value.facts["second_batch"] == "0x" + second.batch_id.hex()


def test_an_epoch_in_which_nobody_earned_is_refused() -> None:
    with pytest.raises(PointsEpochRefused):
        closed()
    with pytest.raises(PointsEpochRefused):
        closed(batch("a", act("1", "shared-ebike", 1)))


# Batches and the intake ------------------------------------------------------------------------------------


def test_a_batch_reads_back_as_written_and_is_its_provider_s() -> None:
    handed_in = batch("a", act("1"), act("2", "electricity-saved", 700))
    assert ActBatch.read(handed_in.content()) == handed_in
    require_signed(handed_in, DOMAIN, sign_batch(handed_in, DOMAIN, METRO))
    with pytest.raises(BatchSignatureInvalid):
        sign_batch(handed_in, DOMAIN, BIKES)


def test_a_batch_is_taken_in_once_and_an_epoch_closed_once(intake: PointsIntake) -> None:
    handed_in = batch("a", act("1"))
    assert accept(intake, handed_in).created
    assert not accept(intake, handed_in).created
    result = intake.close(1)
    assert intake.close(1) == result
    assert (intake.waiting(), intake.earned_by(ANNA)) == (0, [(1, 1_814)])
    receipt = intake.find(handed_in.batch_id)
    assert receipt is not None
    assert receipt.epoch == 1


def test_a_closed_epoch_is_read_back_as_it_was(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'intake.sqlite'}")
    first = PointsIntake(engine, DOMAIN)
    accept(first, batch("a", act("1"), act("2", person=BO)))
    result = first.close(1)
    again = PointsIntake(engine, DOMAIN)
    assert again.result(1) == result
    assert again.result(1).claim_of(BO) == result.claim_of(BO)
    accept(again, batch("b", act("3", "shared-ebike", 2_000)))
    assert again.close(2).balances == (Balance(ANNA, 52),)
    engine.dispose()


def test_an_act_claimed_on_another_platform_is_refused_and_nothing_of_the_batch_stays(
    intake: PointsIntake,
) -> None:
    accept(intake, batch("a", act("1")))
    other = batch("b", act("2"), act("1"), provider=BIKES.address)
    with pytest.raises(ActAlreadyClaimed) as refusal:
        accept(intake, other)
    assert refusal.value.facts["act"] == "1"
    assert intake.find(other.batch_id) is None
    assert accept(intake, batch("c", act("2"))).created


def test_an_act_twice_in_one_batch_is_refused(intake: PointsIntake) -> None:
    with pytest.raises(ActAlreadyClaimed):
        accept(intake, batch("a", act("1"), act("1")))


def test_a_meeting_counts_as_a_whole_or_by_its_people_never_both(intake: PointsIntake) -> None:
    accept(intake, batch("a", act("m1", "online-meeting"), act("m2", "online-meeting-person")))
    accept(intake, batch("b", act("m2", "online-meeting-person", person=BO)))
    with pytest.raises(MeetingClaimedOtherwise) as refusal:
        accept(intake, batch("c", act("m1", "online-meeting-person", person=BO)))
    assert refusal.value.facts["counted_by"] == "meeting"
    with pytest.raises(MeetingClaimedOtherwise):
        accept(intake, batch("d", act("m2", "online-meeting")))
    with pytest.raises(ActAlreadyClaimed):
        accept(intake, batch("e", act("m2", "online-meeting-person", person=BO)))


def test_the_same_batch_id_for_another_batch_is_refused(intake: PointsIntake) -> None:
    accept(intake, batch("a", act("1")))
    with pytest.raises(BatchConflict):
        accept(intake, batch("a", act("2")))


def test_a_provider_must_be_accredited_and_must_have_signed(intake: PointsIntake) -> None:
    handed_in = batch("a", act("1"))
    with pytest.raises(ProviderUnaccredited):
        accept(intake, handed_in, accredited=False)
    signature = sign_batch(batch("b", act("1")), DOMAIN, METRO)
    with pytest.raises(BatchSignatureInvalid):
        intake.accept(handed_in, signature, NOON_UTC, lambda _provider: True)
    assert intake.waiting() == 0


@pytest.mark.parametrize("at_utc", [NOON_UTC + 3_600, NOON_UTC - 91 * 24 * 3600])
def test_an_act_that_lies_ahead_or_long_back_is_refused(intake: PointsIntake, at_utc: int) -> None:
    with pytest.raises(ActRefused):
        accept(intake, batch("a", act("1", at_utc=at_utc)))


def test_epochs_are_closed_in_order(intake: PointsIntake) -> None:
    accept(intake, batch("a", act("1")))
    for epoch in (0, 2):
        with pytest.raises(PointsEpochRefused):
            intake.close(epoch)
    with pytest.raises(PointsEpochRefused):
        intake.result(1)
    intake.close(1)
    with pytest.raises(PointsEpochRefused) as refusal:
        intake.result(1).claim_of(BO)
    assert refusal.value.facts["person"] == BO


NO_ACTS: list[dict[str, Any]] = [
    {"person": "0x12"}, {"act_id": "a b"}, {"act_id": ""}, {"kind": "K"}, {"quantity": -1}, {"at_utc": True},
]  # fmt: skip


@pytest.mark.parametrize("change", NO_ACTS)
def test_what_is_no_act_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentMalformed):
        replace(act("1"), **change)


def test_what_is_no_batch_is_refused() -> None:
    whole = batch("a", act("1")).content()
    for broken in (b"{}", b"[]", whole.replace(b'"act_id"', b'"act_no"'), whole.replace(b":1,", b':"1",')):
        with pytest.raises(DocumentMalformed):
            ActBatch.read(broken)
    with pytest.raises(DocumentMalformed):
        batch("a")
