"""Found: whoever cancelled units for a reason that is no UTF-8 stopped every reader of the chain."""

from __future__ import annotations

from uuid import uuid4

from eth_abi import encode

from chain.abi import abi_of
from chain.events import EventReader
from chain.ids import request_id
from chain.keys import Keyring
from chain.transactions import unsigned_transaction
from chain.transactor import Transactor
from chain.units import UnitId
from registry import acts
from registry.accounts import AccountKind
from registry.projection.store import Projection, identity_of, open_engine

FAR_UTC = 2**40


def test_a_reason_that_is_no_text_is_read_and_projected(transactor: Transactor, keyring: Keyring) -> None:
    firm, period = keyring.signer(f"firm:{uuid4()}"), 3001
    registrar, regulator = keyring.signer("registrar"), keyring.signer("regulator")
    transactor.send(registrar, acts.open_accounts([acts.Opening(firm.address, AccountKind.FIRM, b"\7" * 32)]))
    transactor.send(regulator, acts.publish_period(acts.PeriodRules(period, FAR_UTC, 10, 0, 1)))
    transactor.send(regulator, acts.allocate(period, [(firm.address, 10)], uuid4()))

    (cancel,) = abi_of("CarbonLedger").functions["cancel"]
    arguments = (UnitId.allowance(period).value, 3, b"\xff\xfe gone", request_id(uuid4()))
    data = cancel.selector + encode(["uint256", "uint256", "bytes", "bytes32"], arguments)
    deployment = transactor.deployment
    ledger = deployment.addresses["CarbonLedger"]
    receipt = transactor.relay(
        firm.sign_transaction(unsigned_transaction(deployment.chain_id, 0, ledger, data))
    )

    reader = EventReader(transactor.rpc, deployment)
    events = list(reader.read(receipt.block, receipt.block))
    cancelled = next(event for event in events if event.name == "UnitsCancelled")
    assert cancelled.args["reason"] == "\ufffd\ufffd gone"
    projection = Projection(open_engine("sqlite://"), identity_of(deployment))
    projection.catch_up(reader)
    assert projection.block() >= receipt.block
