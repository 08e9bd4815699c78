"""The specification's own test vectors of eth_simulateV1, on a chain as high and as old as theirs.

They were filled by geth on a chain of a later fork. What hangs on that is listed, and must differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chain.node.local import LocalRpc
from tests.chain.node.rpc.specification import HERE, problems

VECTORS: dict[str, Any] = json.loads((HERE / "vectors.json").read_text())["vectors"]
CHAIN_ID, HEIGHT = 0xC72DD9D5E883E, 54
DIFFER = {
    "their chain charges a base fee": (
        "check-invalid-nonce",
        "gas-fees-and-value-error-38014-with-validation",
        "simple-no-funds-with-validation",
        "simple-no-funds-with-validation-without-nonces",
        "simple-send-from-contract-with-validation",
    ),
    "Prague's floor for calldata (EIP-7623)": (
        "move-ecrecover-and-call",
        "move-ecrecover-and-call-old-and-new",
        "override-identity",
        "override-sha256",
        "overwrite-existing-contract",
    ),
    "hashes of their blocks": ("blockhash-complex", "blockhash-simple", "blockhash-start-before-head"),
    "an account at address zero": ("self-destructive-contract-produces-logs",),
    "blocks of theirs have less gas": (
        "add-more-non-defined-BlockStateCalls-than-fit-but-now-with-fit",
        "contract-calls-itself",
        "get-block-properties",
    ),
    "their default gas is 50 million": ("fee-recipient-receiving-funds",),
    "this chain takes no blobs": ("blobs",),
    "-38023 is what the specification names; geth moves both": ("move-two-accounts-to-same-38023",),
    "-32603 is for bugs; a nonce that cannot rise is too high": ("overflow-nonce-validation",),
}
EXPECTED_TO_DIFFER = {name for names in DIFFER.values() for name in names}


@pytest.fixture(scope="module")
def rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path_factory.mktemp("vectors"), unlocked=0, chain_id=CHAIN_ID, genesis_utc=1)
    for number in range(1, HEIGHT + 1):
        local.call("evm_mine", 10 * number)
    yield local
    local.close()


def facts(answer: dict[str, Any]) -> dict[str, Any]:
    """What the vectors keep of an answer."""
    if "error" in answer:
        return {"error": answer["error"]["code"]}
    blocks = []
    for block in answer["result"]:
        calls = [
            {name: call[name] for name in ("status", "gasUsed", "maxUsedGas", "returnData")}
            | ({"error": call["error"]["code"]} if "error" in call else {})
            for call in block["calls"]
        ]
        blocks.append({"gasUsed": block["gasUsed"], "receiptsRoot": block["receiptsRoot"], "calls": calls})
    return {"blocks": blocks}


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_a_vector_of_the_specification_comes_out_as_there(rpc: LocalRpc, name: str) -> None:
    vector = VECTORS[name]
    answer = rpc.ask("eth_simulateV1", *vector["params"])
    if "result" in answer:
        assert not problems("eth_simulateV1", answer["result"])
    found = facts(answer)
    assert (found == {key: value for key, value in vector.items() if key != "params"}) == (
        name not in EXPECTED_TO_DIFFER
    ), found


def test_the_differences_are_of_vectors_that_are_there() -> None:
    assert set(VECTORS) >= EXPECTED_TO_DIFFER
    assert len(VECTORS) > 3 * len(EXPECTED_TO_DIFFER)
