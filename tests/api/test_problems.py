"""Problems: every refusal has a status, a title and its numbers, and nothing internal is told."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

import api
import chain
import exchange
import registry
from api.paging import CursorMalformed, read_cursor, write_cursor
from api.problems import STATUS_OF, Problem, add_problem_handlers, problem_of, status_of
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal
from chain.units import UnitId, UnitMalformed
from registry.refusals import StatementMismatch


def _load(package: object) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):  # type: ignore[attr-defined]
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _kinds(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        if child.__module__.split(".")[0] in {"api", "chain", "exchange", "registry"}:
            yield child
            yield from _kinds(child)


def test_every_refusal_has_a_sentence_and_every_status_names_one() -> None:
    for package in (api, chain, exchange, registry):
        _load(package)
    kinds = set(_kinds(Refusal))
    for kind in kinds:
        assert kind.__doc__, kind
        assert kind.__doc__.strip().splitlines()[0].endswith("."), kind
    contract_errors = {"AccessManagedUnauthorized"}
    assert STATUS_OF.keys() - contract_errors <= {kind.__name__ for kind in kinds}


def test_a_refusal_says_its_code_and_numbers() -> None:
    problem = problem_of(ContractRefusal("ComplianceOffsetCapExceeded", {"allowedT": 5, "requestedT": 6}))
    assert problem.status == 409
    assert problem.type == "urn:carat:problem:ComplianceOffsetCapExceeded"
    assert problem.facts == {"allowedT": 5, "requestedT": 6}
    assert problem.detail == "allowedT=5 requestedT=6"


def test_a_unit_is_told_by_its_code() -> None:
    refusal = ContractRefusal("LedgerUnknownUnit", {"unitId": UnitId.offset(2026, 7, 1).value})
    assert problem_of(refusal).facts == {"unit": "offset-2026-7-1"}
    assert problem_of(ContractRefusal("LedgerUnknownUnit", {"unitId": 1})).facts == {"unit": "1"}


def test_what_must_recover_first_is_503_and_the_rest_a_conflict() -> None:
    assert status_of(ChainUnreachable()) == 503
    assert status_of(UnitMalformed()) == 422
    assert status_of(StatementMismatch()) == 409
    assert status_of(ContractRefusal("RequestIdReused", {})) == 409


@given(
    st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=500) | st.booleans() | st.none())
)
def test_any_facts_can_be_told(facts: dict[str, int | str | bool | None]) -> None:
    problem = problem_of(ContractRefusal("Any", facts))
    assert Problem.model_validate_json(problem.model_dump_json()).facts == problem.facts


async def test_a_fault_of_ours_tells_nothing_internal(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    add_problem_handlers(app, retry_after_s=7)

    @app.get("/fault")
    def fault() -> None:
        raise RuntimeError("a secret of the house")

    @app.get("/away")
    def away() -> None:
        raise ChainUnreachable(url="http://node")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        response = await http.get("/fault")
        assert response.status_code == 500
        assert "secret" not in response.text
        assert response.json()["detail"].removeprefix("incident=") in caplog.text
        response = await http.get("/away")
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1) | st.text(max_size=20), max_size=4).map(tuple))
def test_a_cursor_reads_back_as_it_was_written(key: tuple[int | str, ...]) -> None:
    kinds = tuple(type(part) for part in key)
    assert read_cursor(write_cursor(key), kinds) == key


@given(st.text(max_size=60))
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorMalformed):
        read_cursor(text, (int, str, int))
