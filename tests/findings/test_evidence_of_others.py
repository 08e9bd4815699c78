"""Found: who knew a hash of somebody's evidence, which stands on chain, could have it handed out."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from chain.ids import request_id
from registry import acts
from registry.manifest import EvidenceFile, Manifest
from registry.mrv.methods import EmissionFactorLine
from registry.mrv.report import EmissionReport
from tests.support.actors import Actor, fresh
from tests.support.filing import file_report, refused, report_body, upload
from tests.support.market import PERIOD
from tests.support.stack import Stack

UNTIL_UTC = 2_000_000_000


@pytest.fixture(scope="module")
def victim(market: Stack) -> Actor:
    return market.open_account("firm:victim", "firm")


@pytest.fixture(scope="module")
def thief(market: Stack) -> Actor:
    return market.open_account("firm:thief", "firm")


@pytest.fixture(scope="module")
def report(victim: Actor) -> Any:
    return file_report(victim, PERIOD, 77, "the victim's own")


@pytest.fixture(scope="module")
def sha256(victim: Actor, report: Any) -> str:
    shown = victim.get(f"/reports/{victim.address}/{report['id']}")
    return str(shown["manifest"]["files"][0]["sha256"])


def _accredited(market: Stack, label: str, until_utc: int | None = UNTIL_UTC) -> Actor:
    verifier = market.open_account(label, "verifier")
    accreditation = {"verifier": verifier.address, "until_utc": until_utc}
    market.actor("regulator").done(fresh("accreditations"), accreditation)
    return verifier


def _readings(report: Any, sha256: str) -> list[str]:
    own = f"/reports/{report['entity']}/{report['id']}"
    bundle = f"/evidence-bundles/{report['evidence_root']}"
    return [own, f"{own}/evidence/{sha256}", bundle, f"{bundle}/files/{sha256}"]


def test_naming_anothers_hashes_on_chain_opens_nothing(
    market: Stack, thief: Actor, report: Any, sha256: str
) -> None:
    stolen = request_id(uuid4())
    root, document = (bytes.fromhex(report[name][2:]) for name in ("evidence_root", "document_hash"))
    services = market.app.state.services
    receipt = services.transactor.send(thief.signer, acts.file_report(stolen, PERIOD, root, document, 1))
    services.indexer.wait_for(receipt.block, 10)
    path = f"/reports/{thief.address}/0x{stolen.hex()}"
    for reading in (path, f"{path}/evidence/{sha256}"):
        assert refused(thief.request("GET", reading))[:2] == (404, "EvidenceMissing")
        assert refused(market.actor("verifier:V").request("GET", reading))[:2] == (404, "EvidenceMissing")


def test_a_manifest_of_anothers_files_is_refused(thief: Actor, sha256: str) -> None:
    _, files = report_body(thief.address, PERIOD, 77, "the victim's own")
    manifest = Manifest.of(files, b"t" * 32)
    assert manifest.entries[0].sha256 == sha256
    line = EmissionFactorLine("coal burned", 1_000_000, 1_000_000, "belt scale 1")
    lure = EmissionReport.of(thief.address, PERIOD, (line,), manifest.root)
    body = {"document": json.loads(lure.content()), "manifest": json.loads(manifest.content())}
    assert refused(thief.act(fresh("reports"), body))[:2] == (404, "EvidenceMissing")
    bundle = thief.put(f"/evidence-bundles/0x{manifest.root.hex()}", {"manifest": body["manifest"]})
    assert refused(bundle)[:2] == (404, "EvidenceMissing")


def test_anothers_stored_bundle_is_not_taken_over(victim: Actor, thief: Actor, report: Any) -> None:
    manifest = victim.get(f"/reports/{victim.address}/{report['id']}")["manifest"]
    response = thief.put(f"/evidence-bundles/{report['evidence_root']}", {"manifest": manifest})
    assert refused(response)[:2] == (404, "EvidenceMissing")


def test_who_uploads_is_not_told_whether_another_has_it(victim: Actor, thief: Actor) -> None:
    content = b"the same by chance"
    path = f"/evidence/{Manifest.of([EvidenceFile('x', 'text/csv', content)], b's' * 32).entries[0].sha256}"
    answers = [
        actor.http.put(
            path, content=content, headers={"content-type": "application/octet-stream", **actor.headers}
        ).status_code
        for actor in (victim, thief, thief)
    ]
    assert answers == [201, 201, 200]


def test_two_firms_with_the_same_files_both_read_their_own(victim: Actor, thief: Actor) -> None:
    files = [EvidenceFile("grid.csv", "text/csv", b"factor\n0.5703\n")]
    manifest = Manifest.of(files, b"s" * 32)
    line = EmissionFactorLine("coal burned", 1_000_000, 1_000_000, "belt scale 1")
    for firm in (victim, thief):
        upload(firm, files)
        document = EmissionReport.of(firm.address, PERIOD, (line,), manifest.root).content()
        body = {"document": json.loads(document), "manifest": json.loads(manifest.content())}
        filed = firm.done(fresh("reports"), body)
        path = f"/reports/{firm.address}/{filed['id']}"
        assert firm.get(path)["manifest"] == body["manifest"]
        shown = firm.request("GET", f"{path}/evidence/{manifest.entries[0].sha256}")
        assert (shown.status_code, shown.content) == (200, files[0].content)


def test_an_accredited_verifier_and_the_regulator_read_it(market: Stack, report: Any, sha256: str) -> None:
    for reader in (market.actor("verifier:V"), market.actor("regulator")):
        for path in _readings(report, sha256):
            assert reader.request("GET", path).status_code == 200, path


def test_a_verifier_reads_nothing_before_and_after_its_accreditation(
    market: Stack, report: Any, sha256: str
) -> None:
    revoked = _accredited(market, "verifier:revoked")
    assert revoked.get(_readings(report, sha256)[0])["record"]["id"] == report["id"]
    market.actor("regulator").done(fresh("accreditations"), {"verifier": revoked.address, "until_utc": None})
    expired = _accredited(market, "verifier:expired", until_utc=int(time.time()) - 60)
    for verifier in (market.actor("verifier:unaccredited"), revoked, expired):
        for path in _readings(report, sha256):
            assert refused(verifier.request("GET", path))[:2] == (403, "VerifierUnaccredited"), path


def test_a_verifier_in_conflict_reads_nothing_of_that_entity(
    market: Stack, victim: Actor, report: Any, sha256: str
) -> None:
    verifier = _accredited(market, "verifier:kin")
    conflict = {"verifier": verifier.address, "entity": victim.address}
    market.actor("regulator").done(fresh("conflicts"), conflict)
    for path in _readings(report, sha256):
        assert refused(verifier.request("GET", path)) == (403, "VerifierConflicted", conflict), path
    other = file_report(market.open_account("firm:no-kin", "firm"), PERIOD, 5, "not the victim's")
    assert verifier.get(f"/reports/{other['entity']}/{other['id']}")["record"]["id"] == other["id"]
