"""The OpenAPI document is kept: whatever is sent, no fault of ours, and no answer that it does not name."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.stack import Stack

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 5
SIGNERS = {
    "public": "nobody",
    "firm": "firm:A",
    "verifier": "verifier:V",
    "person": "person:Li",
    "developer": "developer:D",
    "provider": "provider:metro",
    "regulator": "regulator",
    "registrar": "registrar",
    "bank": "bank",
    "points": "points",
    "exchange": "exchange",
}


def test_no_fault_and_no_undocumented_answer(market: Stack) -> None:
    """Requests are sent by those with the right, in turn, and on each route once by somebody without it."""
    headers = {role: market.actor(label).headers for role, label in SIGNERS.items()}
    document = schemathesis.openapi.from_dict(market.app.openapi())
    for found in document.get_all_operations():
        operation = found.ok()
        able = [role for role in operation.definition.raw.get("x-roles", SIGNERS) if role in SIGNERS]
        _check(market.url, operation, headers, able)


def _check(url: str, operation: Any, headers: dict[str, dict[str, str]], able: list[str]) -> None:
    turn = itertools.count()
    others = [role for role in headers if role not in able]
    unable = [others[len(operation.label) % len(others)], able[0]] if others else able[:2]

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        number = next(turn)
        roles = unable if number == 0 else [able[number % len(able)]]
        for role in roles:
            case.call_and_validate(base_url=url, headers=headers[role], checks=CHECKS)

    check()


@pytest.mark.parametrize("role", SIGNERS)
def test_each_role_is_let_in_where_the_document_says_so(market: Stack, role: str) -> None:
    actor = market.actor(SIGNERS[role])
    for path, operations in market.app.openapi()["paths"].items():
        reading = operations.get("get")
        if reading is None or "{" in path or "x-roles" not in reading:
            continue
        response = actor.request("GET", path)
        missing = [each for each in reading.get("parameters", []) if each.get("required")]
        expected = 422 if missing else 200
        assert response.status_code == (expected if role in reading["x-roles"] else 403), path
