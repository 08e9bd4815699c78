"""Who may send follows the register of accounts on chain."""

from __future__ import annotations

from typing import Any

import pytest
from consortium_tools.admission import Admission
from consortium_tools.errors import ConsortiumError

from chain.deployment import Deployment
from chain.keys import Keyring
from chain.rpc import ChainRpc, RpcError
from chain.transactor import Transactor
from registry import acts
from registry.accounts import AccountKind

ONE, TWO = "0x" + "a1" * 20, "0x" + "B2" * 20


class ListingNode:
    """A Besu node's list, before another node that holds the chain."""

    url = "http://one"

    def __init__(self, chain: ChainRpc | None = None) -> None:
        self.chain = chain
        self.listed: list[str] = []
        self.answer = "Success"
        self.asked = 0

    def call(self, method: str, *params: Any) -> Any:
        if method == "perm_getAccountsAllowlist":
            return self.listed
        if method == "perm_addAccountsToAllowlist":
            self.asked += 1
            if self.answer == "Success":
                self.listed += params[0]
            return self.answer
        assert self.chain is not None
        return self.chain.call(method, *params)

    def batch(self, calls: Any) -> Any:
        assert self.chain is not None
        return self.chain.batch(calls)

    def head(self) -> int:
        assert self.chain is not None
        return int(self.chain.call("eth_blockNumber"), 16)


def test_an_account_is_admitted_once() -> None:
    node = ListingNode()
    admission = Admission(node)  # type: ignore[arg-type]
    assert admission.admit([TWO, ONE, ONE]) == [ONE, TWO.lower()]
    assert admission.admit([TWO]) == []
    assert node.asked == 1


def test_what_the_registrar_opens_on_chain_may_send(
    transactor: Transactor, keyring: Keyring, deployment: Deployment
) -> None:
    node = ListingNode(transactor.rpc)
    admission = Admission(node)  # type: ignore[arg-type]
    assert deployment.addresses["Clearing"].lower() in admission.admit_opened(deployment)
    assert admission.admit_opened(deployment) == []
    account = keyring.signer("firm:admitted").address
    opening = acts.Opening(account, AccountKind.FIRM, b"\x01" * 32)
    transactor.send(keyring.signer("registrar"), acts.open_accounts([opening]))
    assert admission.admit_opened(deployment) == [account.lower()]


def test_what_is_no_address_is_refused_before_anything_is_asked() -> None:
    node = ListingNode()
    with pytest.raises(ConsortiumError, match="no address: 0x12"):
        Admission(node).admit([ONE, "0x12"])  # type: ignore[arg-type]
    assert node.listed == []


def test_a_node_that_refuses_is_named() -> None:
    node = ListingNode()
    node.answer = "error"
    with pytest.raises(ConsortiumError, match="http://one refuses accounts: error"):
        Admission(node).admit([ONE])  # type: ignore[arg-type]


def test_a_node_without_a_list_is_named(node_url: str) -> None:
    with pytest.raises(ConsortiumError, match="keeps no list of accounts"):
        Admission(ChainRpc(node_url)).permitted()
    with pytest.raises(RpcError):
        ChainRpc(node_url).call("perm_getAccountsAllowlist")
