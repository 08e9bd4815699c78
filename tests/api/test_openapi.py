"""The OpenAPI document is kept: whatever is sent, no fault of ours, and no answer that it does not name."""

from __future__ import annotations

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
WITH_RIGHT, WITHOUT_RIGHT = 6, 1
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


def _examples(role: str, operation: Any) -> int:
    said = operation.definition.raw.get("x-roles")
    return WITH_RIGHT if said is None or role in said else WITHOUT_RIGHT


@pytest.mark.parametrize("role", SIGNERS)
def test_no_fault_and_no_undocumented_answer(market: Stack, role: str) -> None:
    headers = market.actor(SIGNERS[role]).headers
    document = schemathesis.openapi.from_dict(market.app.openapi())
    for found in document.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=_examples(role, operation),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            case.call_and_validate(base_url=market.url, headers=headers, checks=CHECKS)

        check()
