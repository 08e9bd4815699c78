"""The relay: what was signed must be exactly what the request says."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from api.indexer import Indexer
from api.relay import Relay, TransactionMismatch
from chain.abi import Call
from chain.keys import Keyring, Signer
from chain.refusals import ContractRefusal, TransactionMalformed
from chain.transactor import Transactor
from registry import acts

REQUEST = UUID("00000000-0000-4000-8000-000000000001")
RULES = acts.PeriodRules(
    period=2091, deadline_utc=4_000_000_000, cap_t=1_000, offset_cap_ppm=50_000, penalty_multiple=5
)


@pytest.fixture
def relay(transactor: Transactor) -> Iterator[Relay]:
    indexer = Indexer(lambda: 10**9, interval_s=60)
    indexer.start()
    indexer.wait_for(0, timeout_s=5)
    yield Relay(transactor, indexer, patience_s=5)
    indexer.stop()


@pytest.fixture
def regulator(keyring: Keyring) -> Signer:
    return keyring.signer("regulator")


def _signed(relay: Relay, signer: Signer, call: Call) -> str:
    fields = relay.prepare(signer.address, call).model_dump()
    return "0x" + signer.sign_transaction(fields).hex()


def test_a_prepared_act_is_signed_at_home_and_relayed(relay: Relay, regulator: Signer) -> None:
    call = acts.publish_period(RULES)
    raw = _signed(relay, regulator, call)
    receipt = relay.perform(regulator.address, call, raw)
    assert relay.transactor.read(Call("Compliance", "rulesOf", (2091,)))["capT"] == 1_000
    assert relay.perform(regulator.address, call, raw) == receipt, "the same bytes again are the same act"


def test_other_call_data_than_the_request_says_is_refused(relay: Relay, regulator: Signer) -> None:
    raw = _signed(relay, regulator, acts.allocate(2091, [(regulator.address, 6)], REQUEST))
    with pytest.raises(TransactionMismatch, match="field=data"):
        relay.perform(regulator.address, acts.allocate(2091, [(regulator.address, 5)], REQUEST), raw)


def test_a_transaction_of_another_account_is_refused(
    relay: Relay, regulator: Signer, keyring: Keyring
) -> None:
    call = acts.set_frozen(regulator.address, True, REQUEST)
    with pytest.raises(TransactionMismatch, match="field=sender"):
        relay.perform(regulator.address, call, _signed(relay, keyring.signer("firm:A"), call))


def test_a_transaction_with_value_or_to_elsewhere_is_refused(relay: Relay, regulator: Signer) -> None:
    call = acts.set_frozen(regulator.address, True, REQUEST)
    fields = relay.prepare(regulator.address, call).model_dump()
    for change in ({"value": 1}, {"to": regulator.address}):
        raw = "0x" + regulator.sign_transaction(fields | change).hex()
        with pytest.raises(TransactionMismatch):
            relay.perform(regulator.address, call, raw)


def test_a_transaction_for_another_chain_is_refused(relay: Relay, regulator: Signer) -> None:
    call = acts.set_frozen(regulator.address, True, REQUEST)
    fields = relay.prepare(regulator.address, call).model_dump() | {"chainId": 1}
    with pytest.raises(TransactionMalformed):
        relay.perform(regulator.address, call, "0x" + regulator.sign_transaction(fields).hex())


@pytest.mark.parametrize(
    "text", ["0x", "0x00", "0x02", "0xff" * 40, "0xc0", "0x02c0", "zz", "0x" + "f8" * 200]
)
def test_bytes_that_are_no_transaction_are_refused(relay: Relay, regulator: Signer, text: str) -> None:
    with pytest.raises(TransactionMalformed):
        relay.check(regulator.address, acts.set_frozen(regulator.address, True, REQUEST), text)


def test_what_the_contract_refuses_is_not_sent(relay: Relay, regulator: Signer) -> None:
    call = acts.allocate(2092, [(regulator.address, 5)], REQUEST)
    with pytest.raises(ContractRefusal) as refusal:
        relay.perform(regulator.address, call, _signed(relay, regulator, call))
    assert (refusal.value.code, refusal.value.facts) == ("CompliancePeriodUnknown", {"period": 2092})
