"""Filing a report: document and evidence are checked and stored before their hashes go on chain."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.auth.roles import NotYours
from api.custody import Custody, EvidenceMismatch
from api.schemas.acts import FileReport
from chain.abi import Call
from registry import acts
from registry.documents import canonical
from registry.manifest import Manifest
from registry.mrv.report import EmissionReport


@dataclass(frozen=True, slots=True)
class Filing:
    """A report that is ready to be filed: everything fits, nothing is stored yet."""

    report: EmissionReport
    manifest: Manifest

    def call(self, report_id: UUID) -> Call:
        """Return the act."""
        report = self.report
        return acts.file_report(
            report_id, report.period, self.manifest.root, report.document_hash(), report.reported_t
        )

    def store(self, custody: Custody) -> None:
        """Keep document and manifest durably for the entity; raises like `Custody.put_manifest`."""
        custody.put_manifest(self.report.entity, self.manifest)
        custody.put(self.report.entity, self.report.content())


def read_filing(body: FileReport, entity: str) -> Filing:
    """Read a report and its manifest.

    Raises
    ------
    DocumentMalformed, EvidenceRefused, MeasurementRefused :
        One of them is not what it should be.
    NotYours :
        The report is another entity's.
    EvidenceMismatch :
        The report names another evidence root than its manifest gives.
    """
    report = EmissionReport.read(canonical(body.document))
    manifest = Manifest.read(canonical(body.manifest))
    if report.entity != entity:
        raise NotYours(account=report.entity)
    if report.evidence_root != manifest.root:
        raise EvidenceMismatch(
            field="evidence_root",
            report="0x" + report.evidence_root.hex(),
            manifest="0x" + manifest.root.hex(),
        )
    return Filing(report, manifest)
