"""Refusals over HTTP: each is typed, says its numbers, changes nothing, and says the same on retry."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.auth.tokens import Tokens
from tests.support.actors import Actor, fresh
from tests.support.filing import file_report, refused, report_body, statement_body, upload
from tests.support.market import PERIOD, UNIT
from tests.support.stack import Stack

ORDER = {"unit": UNIT, "side": "buy", "kind": "limit", "quantity_t": 10, "price_fen": 8_000}


def _with_token(stack: Stack, token: str) -> httpx.Response:
    return stack.http.get("/me", headers={"Authorization": f"Bearer {token}"})


# Who asks ---------------------------------------------------------------------------------------------------


def test_without_a_token_nothing_is_shown(market: Stack) -> None:
    response = market.http.get("/holdings")
    assert refused(response)[:2] == (401, "TokenMissing")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "." * 3_000])
def test_a_malformed_token_is_refused(market: Stack, token: str) -> None:
    response = market.http.get("/me", headers={"Authorization": f"Bearer {token}".encode()})
    assert refused(response)[:2] == (401, "TokenMalformed")


def test_another_scheme_than_bearer_is_refused(market: Stack) -> None:
    response = market.http.get("/me", headers={"Authorization": "Basic eDp5"})
    assert refused(response)[:2] == (401, "TokenMalformed")


def test_an_expired_token_is_refused(market: Stack) -> None:
    tokens: Tokens = market.app.state.services.sign_in.tokens
    text, token = tokens.issue(market.actor("firm:A").address, 1_000_000)
    status, code, facts = refused(_with_token(market, text))
    assert (status, code, facts["expired_utc"]) == (401, "TokenExpired", token.expires_utc)


def test_a_token_of_another_service_is_refused(market: Stack) -> None:
    text, _ = Tokens(b"x" * 32, "testserver", 900).issue(market.actor("firm:A").address, 4_000_000_000)
    assert refused(_with_token(market, text))[:2] == (401, "TokenMalformed")


def test_a_role_without_the_right_is_refused(market: Stack) -> None:
    status, code, facts = refused(market.actor("verifier:V").put(fresh("orders"), ORDER))
    assert (status, code) == (403, "RoleForbidden")
    assert facts["role"] == "verifier"


def test_an_account_that_nobody_opened_is_the_public(market: Stack) -> None:
    stranger = market.actor("nobody")
    assert stranger.get("/me") == {"address": stranger.address, "role": "public"}
    assert refused(stranger.request("GET", "/holdings"))[:2] == (403, "RoleForbidden")


def test_another_accounts_records_are_closed(market: Stack) -> None:
    firm, other = market.actor("firm:A"), market.actor("firm:B")
    for path in ("/holdings", "/transfers", "/obligations"):
        assert refused(firm.request("GET", path, params={"account": other.address}))[:2] == (403, "NotYours")
    assert refused(firm.request("GET", f"/accounts/{other.address}/balances"))[:2] == (403, "NotYours")
    assert market.actor("regulator").get("/holdings", account=other.address)["items"]
    person = market.actor("person:Li")
    assert refused(firm.request("GET", f"/accounts/{person.address}"))[:2] == (403, "NotYours")


def test_a_used_sign_in_message_is_refused(market: Stack) -> None:
    signer = market.keyring.signer("firm:A")
    proposal = market.http.post("/sign-in/nonce", json={"address": signer.address}).json()
    signature = "0x" + signer.sign_text(proposal["message"]).hex()
    body = {"message": proposal["message"], "signature": signature}
    assert market.http.post("/sign-in", json=body).status_code == 200
    assert refused(market.http.post("/sign-in", json=body))[:2] == (401, "SignInRefused")


# Orders -----------------------------------------------------------------------------------------------------


def _order(market: Stack, **changed: Any) -> tuple[int, str, dict[str, Any]]:
    path = fresh("orders")
    actor = market.actor("firm:C")
    first = refused(actor.put(path, ORDER | changed))
    assert refused(actor.put(path, ORDER | changed)) == first, "the same refusal on retry"
    assert refused(actor.request("GET", path))[:2] == (404, "OrderUnknown")
    return first


def test_an_overdraft_order_is_refused(market: Stack) -> None:
    status, code, facts = _order(market, quantity_t=90_000)
    assert (status, code) == (409, "InsufficientCash")
    assert facts["needed_fen"] == 90_000 * 8_000


def test_a_sale_of_tonnes_that_are_not_there_is_refused(market: Stack) -> None:
    status, code, facts = _order(market, side="sell", quantity_t=11)
    assert (status, code, facts["needed_t"]) == (409, "InsufficientUnits", 11)


def test_a_wrong_tick_is_refused(market: Stack) -> None:
    status, code, facts = _order(market, price_fen=8_001)
    assert (status, code) == (422, "WrongTick")
    assert (facts["price_fen"], facts["tick_fen"]) == (8_001, 10)


def test_an_unknown_unit_is_refused(market: Stack) -> None:
    assert _order(market, unit="allowance-1999")[:2] == (404, "UnknownInstrument")
    assert refused(market.http.get("/books/allowance-1999"))[:2] == (404, "UnknownInstrument")
    assert refused(market.http.get("/units/allowance-1999"))[:2] == (404, "NotFound")


@pytest.mark.parametrize(
    "unit", ["allowance-0", "allowance-99999", "offset-2026-0-1", "gold", "allowance-02026"]
)
def test_a_name_that_no_unit_can_have_is_refused(market: Stack, unit: str) -> None:
    assert refused(market.http.get(f"/books/{unit}"))[0] == 422
    assert refused(market.actor("firm:C").put(fresh("orders"), ORDER | {"unit": unit}))[0] == 422


def test_an_order_without_its_price_is_refused(market: Stack) -> None:
    assert _order(market, price_fen=None)[:2] == (422, "PriceMissing")
    assert _order(market, kind="fok", price_fen=None)[:2] == (422, "PriceMissing")
    assert _order(market, kind="stop_limit", price_fen=None, stop_fen=10)[:2] == (422, "PriceMissing")


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "10", True, None, 2**63, 10**30])
def test_a_quantity_that_is_no_whole_number_of_tonnes_is_refused(market: Stack, quantity: object) -> None:
    assert _order(market, quantity_t=quantity)[:2] == (422, "RequestMalformed")


def test_an_order_id_is_good_for_one_order(market: Stack) -> None:
    trader, path = market.actor("firm:C"), fresh("orders")
    deposit = fresh("deposits")
    trader.done(deposit, {"asset": UNIT, "amount": 40})
    ask = ORDER | {"side": "sell", "price_fen": 99_990}
    first = trader.put(path, ask)
    while first.status_code == 409:  # the deposit is credited a moment later
        first = trader.put(path, ask)
    again = trader.put(path, ask)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert refused(trader.put(path, ask | {"quantity_t": 11}))[:2] == (409, "OrderIdReused")
    other = market.actor("firm:B")
    assert refused(other.put(path, ask))[:2] == (409, "OrderIdReused")
    assert refused(other.request("GET", path))[:2] == (404, "OrderUnknown")
    assert refused(other.request("DELETE", path))[:2] == (404, "OrderUnknown")
    assert trader.request("DELETE", path).json()["status"] == "cancelled"


def test_a_withdrawal_beyond_what_is_available_is_refused(market: Stack) -> None:
    trader, path = market.actor("firm:C"), fresh("withdrawals")
    body = {"asset": "cash", "amount": 10**12}
    assert refused(trader.put(path, body))[:2] == (409, "InsufficientCash")
    assert refused(trader.request("GET", path))[:2] == (404, "WithdrawalUnknown")


# Acts on chain ----------------------------------------------------------------------------------------------


def test_a_deposit_beyond_the_holding_is_refused(market: Stack) -> None:
    firm = market.actor("firm:A")
    status, code, facts = refused(firm.act(fresh("deposits"), {"asset": UNIT, "amount": 5_000_000}))
    assert (status, code, facts["unit"]) == (409, "LedgerInsufficientHolding", UNIT)


def test_a_deposit_sent_again_with_a_fresh_signature_changes_nothing(market: Stack) -> None:
    firm, path = market.actor("firm:A"), fresh("deposits")
    body = {"asset": UNIT, "amount": 7}
    first, again = firm.act(path, body), firm.act(path, body)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert refused(firm.act(path, body | {"amount": 8}))[:2] == (409, "RequestIdReused")


def test_what_was_signed_must_be_what_is_asked(market: Stack) -> None:
    firm, path = market.actor("firm:A"), fresh("deposits")
    signed = firm.sign(path, {"asset": UNIT, "amount": 7})
    assert refused(firm.put(path, signed | {"amount": 8}))[:2] == (422, "TransactionMismatch")
    assert refused(firm.put(fresh("deposits"), signed))[:2] == (422, "TransactionMismatch")
    assert refused(market.actor("firm:B").put(path, signed))[:2] == (422, "TransactionMismatch")
    for raw in ("0x00", "0xff", "0x02c0"):
        malformed = {**signed, "signed_transaction": raw}
        assert refused(firm.put(path, malformed))[:2] == (422, "TransactionMalformed")
    for text in ("00", "0x0", "0xzz", ""):
        malformed = {**signed, "signed_transaction": text}
        assert refused(firm.put(path, malformed))[:2] == (422, "RequestMalformed")


def _refused_statement(
    market: Stack, verifier: Actor, report: dict[str, Any], **changed: Any
) -> tuple[int, str, dict[str, Any]]:
    path = f"/statements/{uuid4()}"
    return refused(verifier.act(path, statement_body(verifier, path, report, **changed)))


def test_a_statement_of_an_unaccredited_verifier_is_refused(market: Stack) -> None:
    verifier = market.actor("verifier:unaccredited")
    report = file_report(market.actor("firm:C"), PERIOD, 100, "unaccredited")
    status, code, facts = _refused_statement(market, verifier, report)
    assert (status, code) == (409, "VerificationVerifierUnaccredited")
    assert facts == {"verifier": verifier.address}


def test_a_statement_signed_for_another_report_is_refused(market: Stack) -> None:
    firm, verifier = market.actor("firm:C"), market.actor("verifier:V")
    report = file_report(firm, PERIOD, 100, "one")
    other_root = {"evidence_root": "0x" + "77" * 32}
    assert _refused_statement(market, verifier, report, **other_root)[:2] == (
        409,
        "VerificationStatementMismatch",
    )
    unknown = {"report_id": "0x" + "66" * 32}
    assert _refused_statement(market, verifier, report, **unknown)[:2] == (409, "VerificationReportUnknown")
    path = f"/statements/{uuid4()}"
    body = statement_body(verifier, path, report)
    changed = body | {"verified_t": 1}  # the signature is over another number
    status, code, facts = refused(verifier.act(path, changed))
    assert (status, code, facts["claimed"]) == (409, "VerificationSignatureInvalid", verifier.address)
    assert facts["recovered"] != verifier.address


def test_a_report_and_its_statement_count_once(market: Stack) -> None:
    firm, verifier = market.open_account("firm:twice", "firm"), market.actor("verifier:V")
    body, files = report_body(firm.address, PERIOD, 77, "twice")
    upload(firm, files)
    path = f"/reports/{uuid4()}"
    filed, again = firm.act(path, body), firm.act(path, body)
    assert (filed.status_code, again.status_code, again.json()) == (201, 200, filed.json())
    path = f"/statements/{uuid4()}"
    statement = statement_body(verifier, path, filed.json())
    first, again = verifier.act(path, statement), verifier.act(path, statement)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert _refused_statement(market, verifier, filed.json())[:2] == (409, "VerificationAlreadyVerified")


def test_an_allocation_id_issues_once(market: Stack) -> None:
    regulator, path = market.actor("regulator"), fresh("allocations")
    firm = market.actor("firm:A").address
    body = {"period": PERIOD, "allocations": [{"entity": firm, "quantity_t": 10}]}
    before = market.http.get(f"/units/{UNIT}").json()["issued_t"]
    first, again = regulator.act(path, body), regulator.act(path, body)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    more = {"period": PERIOD, "allocations": [{"entity": firm, "quantity_t": 11}]}
    assert refused(regulator.act(path, more))[:2] == (409, "RequestIdReused")
    assert market.http.get(f"/units/{UNIT}").json()["issued_t"] == before + 10


def test_an_allocation_beyond_the_cap_is_refused(market: Stack) -> None:
    firm = market.actor("firm:A").address
    body = {"period": PERIOD, "allocations": [{"entity": firm, "quantity_t": 900_000}]}
    status, code, facts = refused(market.actor("regulator").act(fresh("allocations"), body))
    assert (status, code, facts["capT"]) == (409, "ComplianceCapExceeded", 1_000_000)


def test_a_period_is_published_once_and_for_good(market: Stack) -> None:
    regulator = market.actor("regulator")
    rules = {"deadline_utc": 1_900_000_000, "cap_t": 1, "offset_cap_ppm": 0, "penalty_multiple": 5}
    assert refused(regulator.act(f"/periods/{PERIOD}", rules))[:2] == (409, "CompliancePeriodExists")


def test_a_surrender_beyond_the_holding_or_of_an_unknown_unit_is_refused(market: Stack) -> None:
    regulator, firm = market.actor("regulator"), market.actor("firm:A")
    verifier, period = market.actor("verifier:V"), 2028
    rules = {"deadline_utc": 1_900_000_000, "cap_t": 100, "offset_cap_ppm": 50_000, "penalty_multiple": 5}
    regulator.done(f"/periods/{period}", rules)
    regulator.done(
        fresh("allocations"), {"period": period, "allocations": [{"entity": firm.address, "quantity_t": 60}]}
    )
    surrender = {"period": period, "unit": f"allowance-{period}", "quantity_t": 61}
    assert refused(firm.act(fresh("surrenders"), surrender))[:2] == (409, "ComplianceNoObligation")
    report = file_report(firm, period, 100)
    path = f"/statements/{uuid4()}"
    verifier.done(path, statement_body(verifier, path, report))
    status, code, facts = refused(firm.act(fresh("surrenders"), surrender))
    assert (status, code) == (409, "LedgerInsufficientHolding")
    assert (facts["heldT"], facts["requestedT"]) == (60, 61)
    unknown = surrender | {"unit": "allowance-2020"}
    assert refused(firm.act(fresh("surrenders"), unknown))[:2] == (409, "LedgerUnknownUnit")
    ahead = surrender | {"unit": "allowance-2029"}
    assert refused(firm.act(fresh("surrenders"), ahead))[:2] == (409, "ComplianceVintageAhead")


def test_a_report_whose_evidence_was_not_uploaded_is_refused(market: Stack) -> None:
    firm, path = market.actor("firm:A"), f"/reports/{uuid4()}"
    body, files = report_body(firm.address, 2026, 5, "not uploaded")
    assert refused(firm.act(path, body))[:2] == (404, "EvidenceMissing")
    upload(firm, files)
    lying = {**body, "manifest": {**body["manifest"], "salt": "00" * 32}}
    prepared = firm.request("POST", f"{path}/transaction", json=lying)
    assert refused(prepared)[:2] == (422, "EvidenceMismatch")
    other = market.actor("firm:B").request("POST", f"{path}/transaction", json=body)
    assert refused(other)[:2] == (403, "NotYours")


def test_evidence_under_another_hash_or_too_large_is_refused(market: Stack) -> None:
    firm = market.actor("firm:A")
    headers = {"content-type": "application/octet-stream", **firm.headers}
    response = firm.http.put(f"/evidence/{'ab' * 32}", content=b"something", headers=headers)
    assert refused(response)[:2] == (422, "EvidenceMismatch")
    response = firm.http.put(f"/evidence/{'ab' * 32}", content=b"\0" * (32 * 2**20 + 1), headers=headers)
    assert refused(response)[:2] == (413, "RequestTooLarge")


def test_a_frozen_account_sends_nothing(market: Stack) -> None:
    regulator, trader = market.actor("regulator"), market.open_account("trader:frozen", "trader")
    market.actor("bank").done(fresh("mints"), {"credits": [{"account": trader.address, "amount_fen": 1_000}]})
    path = fresh("freezes")
    frozen = regulator.done(path, {"account": trader.address, "frozen": True})
    assert frozen["frozen"]
    assert (
        refused(trader.act(fresh("cancellations"), {"unit": UNIT, "quantity_t": 1, "reason": "x"}))[0] == 409
    )
    assert trader.get(f"/accounts/{trader.address}")["frozen"]
    regulator.done(fresh("freezes"), {"account": trader.address, "frozen": False})


def test_an_account_is_opened_as_one_thing(market: Stack) -> None:
    registrar, firm = market.actor("registrar"), market.actor("firm:A")
    path = f"/accounts/{firm.address}"
    again = registrar.act(path, {"kind": "firm", "name": "firm:A"})
    assert again.status_code == 200
    assert refused(registrar.act(path, {"kind": "bank", "name": "firm:A"}))[:2] == (
        409,
        "LedgerAccountExists",
    )
    named_person = registrar.request("POST", f"{path}/transaction", json={"kind": "person", "name": "Li"})
    assert refused(named_person)[:2] == (422, "DocumentMalformed")


def test_a_conflicted_verifier_is_refused(market: Stack) -> None:
    regulator, firm = market.actor("regulator"), market.actor("firm:C")
    verifier = market.open_account("verifier:conflicted", "verifier")
    regulator.done(fresh("accreditations"), {"verifier": verifier.address, "until_utc": 2_000_000_000})
    regulator.done(fresh("conflicts"), {"verifier": verifier.address, "entity": firm.address})
    report = file_report(firm, PERIOD, 33, "conflicted")
    assert _refused_statement(market, verifier, report)[:2] == (409, "VerificationVerifierConflicted")
    regulator.done(fresh("accreditations"), {"verifier": verifier.address, "until_utc": None})
    assert _refused_statement(market, verifier, report)[:2] == (409, "VerificationVerifierUnaccredited")


# Anything else ----------------------------------------------------------------------------------------------


def test_an_unknown_path_and_a_wrong_method_are_problems(market: Stack) -> None:
    assert refused(market.http.get("/nothing/here"))[:2] == (404, "PathUnknown")
    response = market.http.delete("/totals")
    assert refused(response)[:2] == (405, "MethodNotAllowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"address": NaN}', b"null", b'"\\ud800"']
)
def test_a_body_that_is_no_json_is_refused(market: Stack, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = market.http.post("/sign-in/nonce", content=body, headers=headers)
    assert refused(response)[0] == 422


def test_a_key_with_half_a_character_is_refused(market: Stack) -> None:
    body = b'{"\\ud800": 1, "address": "\\ud800"}'
    response = market.http.post("/sign-in/nonce", content=body, headers={"content-type": "application/json"})
    assert refused(response)[0] == 422


def test_a_request_that_is_too_large_is_refused(market: Stack) -> None:
    response = market.http.post("/sign-in", json={"message": "x" * 5_000_000, "signature": "0x"})
    assert refused(response)[:2] == (413, "RequestTooLarge")


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd" * 40, "WyJhIl0", "WzEuNV0", "W251bGxd"])
def test_a_cursor_of_another_list_is_refused(market: Stack, cursor: str) -> None:
    response = market.http.get("/retirements/surrenders", params={"cursor": cursor})
    assert refused(response)[0] == 422


def test_pages_follow_each_other_without_a_gap(market: Stack) -> None:
    regulator = market.actor("regulator")
    whole = regulator.get("/transfers", limit=200)["items"]
    paged: list[Any] = []
    cursor: str | None = None
    while True:
        page = regulator.get("/transfers", limit=7, **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert paged[: len(whole)] == whole


def test_a_stream_of_an_unknown_unit_is_closed_with_its_reason(market: Stack) -> None:
    from websockets.exceptions import ConnectionClosedError  # noqa: PLC0415
    from websockets.sync.client import connect  # noqa: PLC0415

    for unit in ("allowance-1999", "gold"):
        url = f"{market.url.replace('http', 'ws')}/ws/market/{unit}"
        with connect(url, proxy=None) as stream, pytest.raises(ConnectionClosedError) as closed:
            stream.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404


@pytest.mark.parametrize("levels", [100, 900, 1_000, 1_020, 5_000])
def test_a_deeply_nested_document_is_refused(market: Stack, levels: int) -> None:
    nested = "[" * levels + "]" * levels
    firm = market.actor("firm:A")
    headers = {"content-type": "application/json", **firm.headers}
    for body in (f'{{"document": {{"lines": {nested}}}, "manifest": {{}}}}', f'{{"document": {nested}}}'):
        response = market.http.post(f"{fresh('reports')}/transaction", content=body, headers=headers)
        assert refused(response)[0] == 422
