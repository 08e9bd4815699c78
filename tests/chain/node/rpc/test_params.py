"""What the specification allows is taken; whatever else comes is refused and never breaks anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chain.node.rpc.generated import KNOWN_ADDRESSES, Drawn
from tests.chain.node.rpc.scene import Scene, build
from tests.chain.node.rpc.specification import BEYOND, METHODS, check_error, problems

SERVED = sorted(
    {*METHODS, *BEYOND} - {"eth_getBlockAccessList", "debug_getRawBlockAccessList", "testing_buildBlockV1"}
)
# Of what the schemas allow, what no transaction, list or range can mean.
CONTRADICTIONS = (
    "fromBlock",
    "empty request",
    "rewardPercentiles",
    "empty transaction",
    "transaction cannot be decoded",
    "a block that is known has no news",
)
NAMES = (
    "to from data input gas value accessList address topics fromBlock toBlock blockHash tracer "
    "tracerConfig limit timeout blockStateCalls calls stateOverrides blockOverrides balance code stateDiff "
    "movePrecompileToAddress number time withdrawals storageKeys nonce type"
)
pages = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    built = build(tmp_path_factory.mktemp("params"))
    yield built
    built.rpc.close()


@pytest.fixture(scope="module")
def drawn(scene: Scene) -> Drawn:
    hashes = [scene.block_hash, *scene.sent.values()]
    return Drawn({"address": [*scene.contracts.values(), *KNOWN_ADDRESSES], "hash32": hashes})


@pytest.mark.parametrize("method", [name for name in SERVED if METHODS.get(name, {}).get("params")])
@pages
@given(data=st.data())
def test_parameters_of_the_specification_are_taken(
    scene: Scene, drawn: Drawn, method: str, data: Any
) -> None:
    wanted = METHODS[method]["params"]
    least = max(1, sum(each["required"] for each in wanted))  # of two methods it forgets to say so
    count = data.draw(st.integers(least, len(wanted)))
    params = [data.draw(drawn.of(each["schema"])) for each in wanted[:count]]
    answer = scene.rpc.ask(method, *params)
    if "result" in answer:
        assert not problems(method, answer["result"]), (method, params, problems(method, answer["result"]))
        return
    check_error(method, answer["error"])
    if answer["error"]["code"] == -32602:
        assert any(each in answer["error"]["message"] for each in CONTRADICTIONS), (method, params, answer)


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.integers(0, 2**80).map(hex),
        st.binary(max_size=40).map(lambda data: "0x" + data.hex()),
        st.sampled_from(["latest", "0x", "0x0", *KNOWN_ADDRESSES, "callTracer", "1h"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(NAMES.split()),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("method", SERVED)
@pages
@given(params=st.lists(json_values, max_size=4))
def test_no_json_breaks_a_method(scene: Scene, method: str, params: list[Any]) -> None:
    answer = scene.rpc.ask(method, *params)
    if "result" in answer:
        assert not problems(method, answer["result"]), (method, params)
    else:
        check_error(method, answer["error"])


@pages
@given(method=st.sampled_from(SERVED), params=json_values)
def test_parameters_that_are_no_list_are_refused(scene: Scene, method: str, params: Any) -> None:
    if isinstance(params, list) or params is None:
        return
    answer = scene.rpc.post_one({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert answer["error"]["code"] == -32602
