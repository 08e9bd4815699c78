"""What was relayed and is not final is sent again, also when nobody waits for it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.courier import Courier
from chain.abi import Call
from chain.delivery import Manner
from chain.deployment import Deployment, deploy
from chain.finality import Finality
from chain.ids import request_id
from chain.keys import Keyring
from chain.pending import PendingStore
from chain.refusals import TransactionUnmined
from chain.rpc import ChainRpc
from chain.transactions import sign, unsigned_transaction
from chain.transactor import Transactor
from tests.support.branches import Branches
from tests.support.processes import running_node

DEPTH = 3


def test_an_act_that_was_answered_503_and_then_dropped_is_mined_again(
    tmp_path: Path, keyring: Keyring
) -> None:
    with running_node(tmp_path / "node") as node:
        rpc = ChainRpc(node.url)
        deployment: Deployment = deploy(rpc, keyring)
        branches, bank = Branches(rpc), keyring.signer("bank")
        pending = PendingStore(tmp_path / "relayed.sqlite", deployment.chain_id)
        manner = Manner(Finality(DEPTH), patience_s=0.3, patience_in_all=True)
        relay = Transactor(ChainRpc(node.url), deployment, manner=manner, pending=pending)
        mint = Call("SettlementCash", "mint", ([(bank.address, 5)], request_id("once")))
        raw = bank.sign_transaction(relay.prepare(bank.address, mint))
        branches.fork_here()
        with pytest.raises(TransactionUnmined):  # mined, but no block comes on top
            relay.relay(raw)
        assert len(pending.everything()) == 1
        branches.replace()
        assert relay.read(Call("SettlementCash", "balanceOf", (bank.address,))) == 0
        courier = Courier(relay, every_s=0)
        courier.pass_by()
        assert relay.read(Call("SettlementCash", "balanceOf", (bank.address,))) == 5
        courier.pass_by()
        assert len(pending.everything()) == 1, "not final yet"
        branches.mine(DEPTH)
        courier.pass_by()
        assert pending.everything() == []
        assert relay.relay(raw).sender == bank.address, "the same request again gives the receipt"


def test_a_chain_that_is_away_does_not_disturb_who_passes_by(tmp_path: Path, keyring: Keyring) -> None:
    nowhere = Deployment(1, 1, {"SettlementCash": "0x" + "11" * 20})
    pending = PendingStore(tmp_path / "relayed.sqlite", 1)
    relay = Transactor(ChainRpc("http://127.0.0.1:9"), nowhere, pending=pending)
    bank = keyring.signer("bank")
    pending.keep([sign(bank, unsigned_transaction(1, 0, bank.address, b""))])
    Courier(relay, every_s=0).pass_by()
    assert len(pending.everything()) == 1
