"""Reports and statements of tests, made the way a firm and a verifier make them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from registry.manifest import EvidenceFile, Manifest
from registry.mrv.methods import EmissionFactorLine
from registry.mrv.report import EmissionReport
from tests.support.actors import Actor


def report_body(
    entity: str, period: int, tonnes: int, note: str = ""
) -> tuple[dict[str, Any], list[EvidenceFile]]:
    """Return a report of so many tonnes, with its manifest, and the files behind it."""
    files = [EvidenceFile("scale.csv", "text/csv", f"day,t\n1,{tonnes}\n{note}".encode())]
    manifest = Manifest.of(files, b"s" * 32)
    line = EmissionFactorLine("coal burned", tonnes * 1_000_000, 1_000_000, "belt scale 1")
    report = EmissionReport.of(entity, period, (line,), manifest.root)
    body = {"document": json.loads(report.content()), "manifest": json.loads(manifest.content())}
    return body, files


def upload(actor: Actor, files: list[EvidenceFile]) -> None:
    """Upload the files of a bundle."""
    for entry in Manifest.of(files, b"s" * 32).entries:
        content = next(file.content for file in files if file.name == entry.name)
        headers = {"content-type": "application/octet-stream", **actor.headers}
        response = actor.http.put(f"/evidence/{entry.sha256}", content=content, headers=headers)
        assert response.status_code in {200, 201}, response.text


def file_report(firm: Actor, period: int, tonnes: int, note: str = "") -> Any:
    """Upload, file, and return the report's record."""
    body, files = report_body(firm.address, period, tonnes, note)
    upload(firm, files)
    return firm.done(f"/reports/{uuid4()}", body)


def statement_body(verifier: Actor, path: str, report: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return a statement on a filed report with its signature, as the verifier's wallet makes it."""
    fields = {
        "report_id": report["id"],
        "entity": report["entity"],
        "period": report["period"],
        "evidence_root": report["evidence_root"],
        "document_hash": report["document_hash"],
        "verified_t": report["reported_t"],
        **changed,
    }
    message = verifier.request("POST", f"{path}/message", json=fields)
    assert message.status_code == 200, message.text
    return {**fields, "signature": "0x" + verifier.signer.sign_typed(message.json()).hex()}


def verify(verifier: Actor, report: dict[str, Any]) -> Any:
    """Sign and bring a statement on a filed report, and return its record."""
    path = f"/statements/{uuid4()}"
    return verifier.done(path, statement_body(verifier, path, report))


def refused(response: httpx.Response) -> tuple[int, str, dict[str, Any]]:
    """Return status, code and facts of a refusal, and make sure that it is a problem."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:carat:problem:{problem['code']}"
    return response.status_code, problem["code"], problem.get("facts", {})
