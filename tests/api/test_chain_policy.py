"""What the chain of `carat up` admits: contracts from the administrator alone, and nobody floods it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.stack.stack import Stack
from chain.keys import Signer
from chain.rpc import RpcError


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("policy") / "state", only_chain=True) as stack:
        yield stack


def signed(stack: Stack, signer: Signer, nonce: int, **more: Any) -> str:
    fields = {"type": 2, "chainId": stack.deployment.chain_id, "nonce": nonce, "value": 0, "gas": 1_000_000}
    fields |= {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "data": "0x"} | more
    return "0x" + signer.sign_transaction(fields).hex()


def test_only_the_administrator_deploys(stack: Stack) -> None:
    rpc, admin = stack.rpc(), stack.keyring.signer("admin")
    assert rpc.call("carat_getRules", "latest")["deployers"] == [admin.address]
    for label in ("firm:1", "regulator", "bank"):
        with pytest.raises(RpcError, match="contract creation not permitted") as refusal:
            rpc.call("eth_sendRawTransaction", signed(stack, stack.keyring.signer(label), 0, data="0x00"))
        assert refusal.value.code == -32003


def test_a_flood_of_one_sender_is_refused_and_an_operator_s_work_goes_on(stack: Stack) -> None:
    rpc = stack.rpc()
    flooder, operator = stack.keyring.signer("firm:flood"), stack.keyring.signer("bank")
    to = flooder.address
    # Behind a gap nothing is mined, so nothing is given back: the quota fills up.
    raws = [signed(stack, flooder, nonce, to=to, gas=29_000_000) for nonce in range(1, 80)]
    answers = rpc.batch([("eth_sendRawTransaction", [raw]) for raw in raws])
    refused = [answer for answer in answers if isinstance(answer, RpcError)]
    assert 0 < len(refused) < len(raws)
    assert all(answer.message.startswith("sender quota exceeded: ") for answer in refused)
    nonce = int(rpc.call("eth_getTransactionCount", operator.address, "pending"), 16)
    raws = [signed(stack, operator, nonce + n, to=to, gas=400_000_000) for n in range(3)]
    answers = rpc.batch([("eth_sendRawTransaction", [raw]) for raw in raws])
    assert all(isinstance(answer, str) for answer in answers)
