"""A whole small year over HTTP: report, statement, trade, settlement, surrender, default; points."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from websockets.sync.client import connect

from api.audit.run import AuditedStores, audit
from registry.documents import sha256
from registry.evidence import EvidenceStore
from registry.manifest import EvidenceFile, Manifest
from registry.personal.acts import ActBatch, GreenAct, sign_batch
from registry.projection.store import Projection, identity_of, open_engine
from registry.signing import Domain
from tests.support.actors import Actor, fresh
from tests.support.filing import file_report, report_body, upload, verify
from tests.support.market import PERIOD, UNIT
from tests.support.stack import Stack

LONG_S = 15.0


def _eventually(happened: Any) -> Any:
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        found = happened()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def _settled_epochs(market: Stack) -> list[int]:
    return [each["epoch"] for each in market.http.get("/epochs").json()["items"]]


def _available(trader: Actor, asset: str) -> int:
    balances = trader.get("/my/trading-account")["balances"]
    return int(balances.get(asset, {"available": 0})["available"])


def test_a_year_from_report_to_surrender(market: Stack) -> None:
    seller, buyer = market.open_account("firm:seller", "firm"), market.open_account("firm:buyer", "firm")
    verifier, exchange = market.actor("verifier:V"), market.actor("exchange")
    allocations = [{"entity": firm.address, "quantity_t": 100_000} for firm in (seller, buyer)]
    allocated = {"period": PERIOD, "allocations": allocations}
    market.actor("regulator").done(fresh("allocations"), allocated)
    paid_in = [{"account": buyer.address, "amount_fen": 100_000_000}]
    market.actor("bank").done(fresh("mints"), {"credits": paid_in})

    # Monitoring, reporting, verification: the obligation is what the verifier signed.
    sold_t, price_fen = 10_000, 8_000
    report = file_report(seller, PERIOD, 85_000)
    seen = verifier.get(f"/reports/{seller.address}/{report['id']}")
    assert seen["document"]["reported_t"] == 85_000
    assert verify(verifier, report)["verified_t"] == 85_000
    verify(verifier, file_report(buyer, PERIOD, 110_000))
    assert [each["due_t"] for each in buyer.get("/obligations")["items"]] == [110_000]

    # Deposits, an order on each side, a match that the public sees without names.
    seller.done(fresh("deposits"), {"asset": UNIT, "amount": 15_000})
    buyer.done(fresh("deposits"), {"asset": "cash", "amount": sold_t * price_fen})
    _eventually(lambda: _available(seller, UNIT) == 15_000)
    _eventually(lambda: _available(buyer, "cash") == sold_t * price_fen)
    with connect(f"{market.url.replace('http', 'ws')}/ws/market/{UNIT}", proxy=None) as stream:
        assert json.loads(stream.recv(LONG_S))["type"] == "snapshot"
        ask = {"unit": UNIT, "side": "sell", "quantity_t": 15_000, "price_fen": price_fen}
        asked = fresh("orders")
        assert seller.put(asked, ask).json()["status"] == "open"
        assert json.loads(stream.recv(LONG_S))["asks"] == [[price_fen, 15_000]]
        book = market.http.get(f"/books/{UNIT}").json()
        assert book["asks"] == [{"price_fen": price_fen, "quantity_t": 15_000, "orders": 1}]
        bid = {"unit": UNIT, "side": "buy", "quantity_t": sold_t, "price_fen": price_fen}
        assert buyer.put(fresh("orders"), bid).json()["status"] == "filled"
        (trade,) = json.loads(stream.recv(LONG_S))["trades"]
    assert (trade["quantity_t"], trade["price_fen"]) == (sold_t, price_fen)
    assert not {"buyer", "seller"} & trade.keys()
    cancelled = seller.request("DELETE", asked)
    assert (cancelled.json()["status"], cancelled.json()["remaining_t"]) == ("cancelled", 5_000)
    (own,) = buyer.get("/my/trades")["items"]
    assert (own["side"], own["quantity_t"]) == ("buy", sold_t)
    (named,) = market.actor("regulator").get("/supervision/trades", account=buyer.address)["items"]
    assert (named["buyer"], named["seller"]) == (buyer.address, seller.address)

    # Settlement, delivery against payment, and the way back to the registry accounts.
    assert exchange.request("POST", "/trading-epochs/close").status_code == 200
    _eventually(lambda: buyer.get("/my/trades")["items"][0]["state"] == "settled")
    _eventually(lambda: own["epoch"] in _settled_epochs(market))
    withdrawal = fresh("withdrawals")
    assert buyer.put(withdrawal, {"asset": UNIT, "amount": sold_t}).status_code == 201
    assert (
        seller.put(fresh("withdrawals"), {"asset": "cash", "amount": sold_t * price_fen}).status_code == 201
    )
    _eventually(lambda: buyer.get(withdrawal)["released"])
    _eventually(lambda: buyer.get(f"/accounts/{buyer.address}/balances")["units"][0]["held_t"] == 110_000)
    assert _eventually(
        lambda: seller.get(f"/accounts/{seller.address}/balances")["cash_held_fen"] == sold_t * price_fen
    )

    # Surrender: once, however often it is sent.
    path = fresh("surrenders")
    signed = buyer.sign(path, {"period": PERIOD, "unit": UNIT, "quantity_t": 110_000})
    first, again = buyer.put(path, signed), buyer.put(path, signed)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert buyer.get("/obligations")["items"][0]["surrendered_t"] == 110_000

    # The supervisor sees what stands behind it.
    proof = market.actor("regulator").get(f"/proofs/surrender/{first.json()['id']}")
    assert proof["transaction"]["hash"] == first.json()["tx_hash"]
    assert proof["transaction"]["sender"] == buyer.address
    assert proof["call"]["function"] == "surrender"
    assert "UnitsSurrendered" in {event["name"] for event in proof["events"]}
    proof = market.actor("regulator").get(f"/proofs/statement/{report['id']}")
    assert proof["statement"]["recovered"] == verifier.address
    assert [each["state"] for each in proof["evidence"]["files"]] == ["intact"]
    assert proof["evidence"]["document"] == "intact"


def test_who_falls_short_gets_a_penalty_and_a_default_record(market: Stack) -> None:
    period = 2025
    regulator, firm, verifier = (market.actor(each) for each in ("regulator", "firm:C", "verifier:V"))
    now = int(market.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    rules = {"deadline_utc": now + 3_600, "cap_t": 1_000, "offset_cap_ppm": 50_000, "penalty_multiple": 5}
    regulator.done(f"/periods/{period}", rules)
    allocation = {"period": period, "allocations": [{"entity": firm.address, "quantity_t": 900}]}
    regulator.done(fresh("allocations"), allocation)
    verify(verifier, file_report(firm, period, 1_000))
    surrender = {"period": period, "unit": f"allowance-{period}", "quantity_t": 500}
    firm.done(fresh("surrenders"), surrender)
    late_path = fresh("surrenders")
    late = firm.sign(late_path, surrender | {"quantity_t": 400})

    early_path = f"/periods/{period}/assessment"
    too_early = regulator.act(early_path, {"entities": [firm.address]})
    assert too_early.json()["code"] == "ComplianceDeadlineAhead"

    market.rpc.call("evm_increaseTime", 7_200)
    market.rpc.call("evm_mine")
    refusal = firm.put(late_path, late)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "ComplianceDeadlinePassed")
    assert refusal.json()["facts"]["deadline"] == now + 3_600
    assert firm.put(late_path, late).json()["code"] == "ComplianceDeadlinePassed", "the same refusal on retry"

    regulator.done(fresh("reference-prices"), {"period": period, "price_fen": 8_000})
    assessed = regulator.done(early_path, {"entities": [firm.address]})
    (obligation,) = assessed["obligations"]
    assert (obligation["shortfall_t"], obligation["penalty_fen"]) == (500, 500 * 8_000 * 5)
    again = regulator.act(early_path, {"entities": [firm.address]})
    assert (again.status_code, again.json()) == (200, assessed)
    (default,) = market.http.get("/defaults", params={"period": period}).json()["items"]
    assert (default["entity"], default["shortfall_t"]) == (firm.address, 500)
    statuses = market.http.get("/statuses", params={"period": period}).json()["items"]
    assert statuses == [{"entity": firm.address, "period": period, "status": "default"}]


def test_a_project_earns_offsets_that_count_up_to_the_cap(market: Stack) -> None:
    period, project, vintage = 2027, 7, 2026
    regulator, firm, verifier = (market.actor(each) for each in ("regulator", "firm:A", "verifier:V"))
    developer = market.actor("developer:D")
    evidence = [EvidenceFile("meter.csv", "text/csv", b"month,mwh\n1,7000\n")]
    design = EvidenceFile("design.txt", "text/plain", b"a wind farm")
    upload(developer, [*evidence, design])
    manifest = Manifest.of(evidence, b"s" * 32)
    root, document = "0x" + manifest.root.hex(), sha256(design.content).hex()
    bundle = {"manifest": json.loads(manifest.content())}
    stored = [developer.put(f"/evidence-bundles/{root}", bundle).status_code for _ in range(2)]
    assert stored == [201, 200]
    registered = market.actor("registrar").done(
        f"/projects/{project}", {"developer": developer.address, "document_sha256": document}
    )
    assert registered["developer"] == developer.address
    path = f"/reduction-statements/{uuid4()}"
    fields = {
        "project": project, "vintage": vintage, "batch": 1,
        "baseline_t": 5_000, "project_t": 900, "leakage_t": 100,
        "evidence_root": root, "document_hash": "0x" + document,
    }  # fmt: skip
    message = verifier.request("POST", f"{path}/message", json=fields).json()
    signature = "0x" + verifier.signer.sign_typed(message).hex()
    reduction = verifier.done(path, {**fields, "signature": signature})
    assert (reduction["issued_t"], reduction["unit"]) == (4_000, "offset-2026-7-1")
    assert verifier.get(f"/evidence-bundles/{root}") == bundle
    assert developer.get("/holdings")["items"][0]["quantity_t"] == 4_000

    second = f"/reduction-statements/{uuid4()}"
    message = verifier.request("POST", f"{second}/message", json=fields).json()
    signature = "0x" + verifier.signer.sign_typed(message).hex()
    refusal = verifier.act(second, {**fields, "signature": signature})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "VerificationBatchIssued")
    assert refusal.json()["facts"]["unit"] == "offset-2026-7-1"

    # The developer sells to the firm through the book.
    unit = reduction["unit"]
    market.actor("exchange").put(
        f"/instruments/{unit}", {"tick_fen": 1, "lot_t": 1, "quantity_max_t": 10_000}
    )
    developer.done(fresh("deposits"), {"asset": unit, "amount": 100})
    firm.done(fresh("deposits"), {"asset": "cash", "amount": 700_000})
    _eventually(lambda: _available(developer, unit) == 100)
    _eventually(lambda: _available(firm, "cash") >= 700_000)
    developer.put(fresh("orders"), {"unit": unit, "side": "sell", "quantity_t": 100, "price_fen": 7_000})
    bought = firm.put(fresh("orders"), {"unit": unit, "side": "buy", "kind": "market", "quantity_t": 100})
    assert bought.json()["filled_t"] == 100, bought.text
    market.actor("exchange").request("POST", "/trading-epochs/close")
    withdrawal = fresh("withdrawals")
    firm.put(withdrawal, {"asset": unit, "amount": 100})
    _eventually(lambda: firm.get(withdrawal)["released"])
    _eventually(lambda: any(each["unit"] == unit for each in firm.get("/holdings")["items"]))

    rules = {"deadline_utc": 1_900_000_000, "cap_t": 10_000, "offset_cap_ppm": 50_000, "penalty_multiple": 5}
    regulator.done(f"/periods/{period}", rules)
    verify(verifier, file_report(firm, period, 1_000))
    refusal = firm.act(fresh("surrenders"), {"period": period, "unit": unit, "quantity_t": 51})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "ComplianceOffsetCapExceeded")
    assert (refusal.json()["facts"]["allowedT"], refusal.json()["facts"]["requestedT"]) == (50, 51)
    firm.done(fresh("surrenders"), {"period": period, "unit": unit, "quantity_t": 50})
    obligation = next(each for each in firm.get("/obligations")["items"] if each["period"] == period)
    assert (obligation["surrendered_t"], obligation["offsets_t"]) == (50, 50)
    cancelled = firm.done(fresh("cancellations"), {"unit": unit, "quantity_t": 10, "reason": "neutrality"})
    assert cancelled["reason"] == "neutrality"


def _batch(market: Stack, batch_id: Any, act_ids: list[str]) -> dict[str, Any]:
    provider, person = market.keyring.signer("provider:metro"), market.keyring.signer("person:Li")
    acts = tuple(
        GreenAct(provider.address, act_id, person.address, "shared-ebike", 4_000, int(time.time()) - 60)
        for act_id in act_ids
    )
    batch = ActBatch(batch_id.bytes.rjust(32, b"\0"), provider.address, acts)
    deployment = market.app.state.services.transactor.deployment
    domain = Domain(deployment.chain_id, deployment.addresses["MicroCarat"])
    return {
        "acts": [act.document() for act in acts],
        "signature": "0x" + sign_batch(batch, domain, provider).hex(),
    }


def test_a_green_act_becomes_points_once(market: Stack) -> None:
    provider, person, operator = (market.actor(each) for each in ("provider:metro", "person:Li", "points"))
    batch_id = uuid4()
    body = _batch(market, batch_id, ["ride-1", "ride-2"])
    first, again = (provider.put(f"/act-batches/{batch_id}", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()

    other_id = uuid4()
    twice = provider.put(f"/act-batches/{other_id}", _batch(market, other_id, ["ride-3", "ride-1"]))
    assert (twice.status_code, twice.json()["code"]) == (409, "ActAlreadyClaimed")
    assert twice.json()["facts"]["act"] == "ride-1"

    published = operator.done("/points/epochs/1")
    grams = published["total_g"]
    assert grams == 2 * 105
    assert person.get("/points/epochs/1/proof")["quantity_g"] == grams
    signed = person.sign("/claims/1", {})
    first, again = person.put("/claims/1", signed), person.put("/claims/1", signed)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert person.get("/points")["balance_g"] == grams

    path = fresh("redemptions")
    redeemed = person.done(path, {"quantity_g": 200, "reward": "metro-day-pass"})
    assert redeemed["quantity_g"] == 200
    refusal = person.act(fresh("redemptions"), {"quantity_g": 200, "reward": "metro-day-pass"})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "ERC20InsufficientBalance")
    assert person.get("/points")["epochs"] == [{"epoch": 1, "quantity_g": grams, "claimed": True}]


def test_a_later_report_replaces_an_unverified_one(market: Stack) -> None:
    firm = market.actor("firm:C")
    first = file_report(firm, PERIOD, 90, "first")
    second = file_report(firm, PERIOD, 91, "second")
    statuses = {each["id"]: each["status"] for each in firm.get("/reports", period=PERIOD)["items"]}
    assert (statuses[first["id"]], statuses[second["id"]]) == ("superseded", "filed")


def test_evidence_is_shown_to_who_may_see_the_report(market: Stack) -> None:
    firm, other, verifier = (market.actor(each) for each in ("firm:C", "firm:B", "verifier:V"))
    body, files = report_body(firm.address, 2026, 12, "shown")
    upload(firm, files)
    report = firm.done(f"/reports/{uuid4()}", body)
    sha256 = body["manifest"]["files"][0]["sha256"]
    path = f"/reports/{firm.address}/{report['id']}/evidence/{sha256}"
    for reader in (firm, verifier, market.actor("regulator")):
        response = reader.request("GET", path)
        assert (response.status_code, response.content) == (200, files[0].content)
    assert other.request("GET", path).json()["code"] == "NotYours"


def test_what_was_done_over_http_stands_up_to_an_audit(market: Stack) -> None:
    services = market.app.state.services
    projection = Projection(
        open_engine(services.settings.projection_url), identity_of(services.transactor.deployment)
    )
    stores = AuditedStores(
        services.transactor,
        projection,
        EvidenceStore(market.data / "evidence"),
        market.data / "exchange" / "journal",
        market.data / "points.sqlite",
    )
    report = audit(stores)
    assert report.ok, report
