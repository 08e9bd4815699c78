"""Bodies: every example fits its own schema, and each act is worded as the call that it says."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from api.fields import Schema
from api.reports import read_filing
from api.routers import firm, market, people, sign_in
from api.schemas import acts
from api.schemas import market as shapes
from chain.abi import decode_call, encode_call
from chain.units import UnitMalformed
from registry.refusals import DocumentMalformed

ID = UUID("00000000-0000-4000-8000-000000000001")
ACCOUNT = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"


def _models() -> Iterator[type[Schema]]:
    for module in (acts, shapes, firm, market, people, sign_in):
        for value in vars(module).values():
            is_schema = isinstance(value, type) and issubclass(value, Schema)
            if is_schema and "json_schema_extra" in value.model_config:
                yield value


def test_every_example_fits_its_schema() -> None:
    seen = 0
    for model in _models():
        if issubclass(model, (acts.Signed, acts.SignatureBody)):
            continue  # the example is of the unsigned part
        extra = model.model_config["json_schema_extra"]
        assert isinstance(extra, dict)
        (example,) = extra["examples"]  # type: ignore[misc]
        model.model_validate(example)
        seen += 1
    assert seen > 15


def test_the_example_of_a_report_is_one() -> None:
    example = acts.FileReport.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
    filing = read_filing(acts.FileReport.model_validate(example), ACCOUNT)
    assert filing.report.computed_t() == filing.report.reported_t == 2


def test_an_act_is_worded_as_its_call() -> None:
    body = acts.Surrender(period=2026, unit="offset-2026-7-1", quantity_t=5)
    call = decode_call("Compliance", encode_call(body.call(ID)))
    assert call is not None
    assert (call.function, call.args[0], call.args[2]) == ("surrender", 2026, 5)
    assert call.args[3] == "0x" + "00" * 16 + ID.hex


def test_a_null_until_revokes() -> None:
    assert acts.Accreditation(verifier=ACCOUNT, until_utc=None).call(ID).function == "revoke"
    assert acts.Accreditation(verifier=ACCOUNT, until_utc=9).call(ID).function == "accredit"


def test_an_address_in_lower_case_is_shown_as_eip_55() -> None:
    assert acts.Freeze(account=ACCOUNT.lower(), frozen=True).account == ACCOUNT


def test_a_person_is_never_named() -> None:
    with pytest.raises(DocumentMalformed):
        acts.Opening(kind="person", name="Li").call(ACCOUNT)
    with pytest.raises(DocumentMalformed):
        acts.Opening(kind="firm").call(ACCOUNT)
    assert acts.Opening(kind="person", commitment="0x" + "11" * 32).profile_hash() == b"\x11" * 32


def test_a_unit_beyond_its_bits_is_refused() -> None:
    with pytest.raises(UnitMalformed):
        acts.Surrender(period=2026, unit="allowance-70000", quantity_t=1)
