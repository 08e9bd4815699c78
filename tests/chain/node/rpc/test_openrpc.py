"""Every answer and every error is what the execution-apis specification says it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.node.rpc.arity import MOST
from tests.chain.node.rpc import specification
from tests.chain.node.rpc.cases import cases
from tests.chain.node.rpc.scene import Scene, build
from tests.chain.node.rpc.specification import BEYOND, CHECKOUT, METHODS, SCHEMAS, check_error, problems

# Not from the specification, and with tests of their own.
OUR_COUNTED = {"carat_getSeal", "carat_getRules", "evm_snapshot"}
OURS = ("carat_", "evm_", "hardhat_", "anvil_")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    built = build(tmp_path_factory.mktemp("openrpc"))
    yield built
    built.rpc.close()


def served(scene: Scene) -> set[str]:
    return {name for name in scene.rpc.methods if not name.startswith(OURS)}


def checked(scene: Scene, method: str, params: list[Any]) -> Any:
    """The result of a request that must not fail, as the specification wants it."""
    answer = scene.rpc.ask(method, *params)
    assert "error" not in answer, (method, params, answer)
    result = answer["result"]
    assert not problems(method, result), (method, params, problems(method, result))
    # The specification lets a named tracer answer anything, and so any answer pass.
    if method.startswith("debug_trace") and not (_config(method, params) or {}).get("tracer"):
        for each in result if method.startswith("debug_traceBlock") else [{"result": result}]:
            found = problems(method, each["result"], "OpcodeTransactionTrace")
            assert not found, (method, params, found)
    return result


def _config(method: str, params: list[Any]) -> Any:
    at = 2 if method == "debug_traceCall" else 1
    return params[at] if len(params) > at else None


@pytest.mark.parametrize("method", sorted({*METHODS, *BEYOND}))
def test_every_answer_validates_against_the_schema(scene: Scene, method: str) -> None:
    if method not in served(scene):
        code, _ = scene.rpc.refusal(method)
        assert code == -32601
        return
    good, _ = cases(scene)[method]
    assert good
    for case in good:
        params, expected = case if isinstance(case, tuple) else (case, ...)
        result = checked(scene, method, params)
        assert expected is ... or result == expected, (method, params, result)


@pytest.mark.parametrize("method", sorted({*METHODS, *BEYOND}))
def test_every_refusal_has_its_code(scene: Scene, method: str) -> None:
    if method not in served(scene):
        return
    _, bad = cases(scene)[method]
    assert bad
    for params, code in bad:
        answer = scene.rpc.ask(method, *params)
        assert "error" in answer, (method, params, answer)
        check_error(method, answer["error"])
        assert answer["error"]["code"] == code, (method, params, answer["error"])


def test_no_method_is_served_without_cases_and_a_schema(scene: Scene) -> None:
    with_cases = cases(scene)
    assert served(scene) == set(with_cases)
    assert served(scene) <= {*METHODS, *BEYOND}
    assert served(scene) | {"eth_subscribe", "eth_unsubscribe", *OUR_COUNTED} == set(MOST)


def test_no_method_takes_fewer_parameters_than_the_specification_gives_it(scene: Scene) -> None:
    for method in served(scene) & set(METHODS):
        assert MOST[method] >= len(METHODS[method]["params"]), method


def test_a_schema_that_takes_everything_would_be_noticed() -> None:
    lax = {"debug_traceTransaction", "debug_traceBlockByHash", "debug_traceBlockByNumber", "debug_traceCall"}
    for method in {*METHODS, *BEYOND} - lax:
        assert problems(method, {"neither": ["this", 0]}) or method == "eth_getStorageValues", method
    assert problems("debug_traceCall", {"gas": "0x1"}, "OpcodeTransactionTrace")


def test_the_committed_extract_is_the_checkout_s(request: pytest.FixtureRequest) -> None:
    extract = specification.committed()
    assert extract["source"]["licence"] == "CC0-1.0"
    assert len(extract["source"]["commit"]) == 40
    if CHECKOUT is not None:
        fresh = specification.fresh(CHECKOUT)
        assert fresh == {name: extract[name] for name in ("methods", "schemas", "engine")}
        vectors = json.loads((specification.HERE / "vectors.json").read_text())
        assert vectors["source"] == extract["source"]
        assert vectors["vectors"] == specification.extractor().vectors(Path(CHECKOUT))
    assert set(SCHEMAS) == set(extract["schemas"])


def test_the_page_says_of_every_method_whether_it_is_served(scene: Scene) -> None:
    page = (specification.HERE.parents[3] / "docs" / "spec" / "08-json-rpc.md").read_text()
    said = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, flags=re.MULTILINE))
    assert set(METHODS) <= set(said)
    for method in METHODS:
        assert said[method].startswith("no: ") == (method not in served(scene)), method
    for method in served(scene) - set(METHODS):
        assert f"`{method}`" in page, method
