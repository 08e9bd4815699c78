"""Found: the registrar opened itself an account of kind `regulator` and saw everything."""

from __future__ import annotations

import pytest

from tests.support.filing import refused
from tests.support.stack import Stack


@pytest.mark.parametrize("kind", ["regulator", "bank"])
def test_an_operators_right_comes_from_the_chains_roles_alone(market: Stack, kind: str) -> None:
    impostor = market.open_account(f"impostor:{kind}", kind)
    assert impostor.get("/me")["role"] == "public"
    assert refused(impostor.request("GET", "/cash-movements"))[:2] == (403, "RoleForbidden")
    assert refused(impostor.request("GET", "/supervision/trades"))[:2] == (403, "RoleForbidden")


def test_an_operator_with_an_account_keeps_its_right(market: Stack) -> None:
    assert market.open_account("regulator", "regulator").get("/me")["role"] == "regulator"
    assert market.open_account("bank", "bank").get("/me")["role"] == "bank"
