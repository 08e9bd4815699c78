"""Running the audit over a data directory's stores and its chain."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.audit.books import check_books
from api.audit.engine import check_engine
from api.audit.files import check_evidence
from api.audit.points import check_points
from api.audit.report import AuditReport
from api.stack.handle import StackHandle
from chain.events import EventReader
from chain.transactor import Transactor
from registry.evidence import EvidenceStore
from registry.projection.digest import digests, first_difference
from registry.projection.store import Projection, identity_of, open_engine


@dataclass(frozen=True, slots=True)
class AuditedStores:
    """What an audit reads. It changes none of it, but lets the stored projection catch up first."""

    transactor: Transactor
    projection: Projection
    evidence: EvidenceStore
    journal: Path
    points: Path


def stores_of(stack: StackHandle) -> AuditedStores:
    """Return the stores of a data directory whose chain runs."""
    url = os.environ.get("CARAT_DATABASE_URL") or f"sqlite:///{stack.data.projection}"
    return AuditedStores(
        stack.transactor(),
        Projection(open_engine(url), identity_of(stack.deployment)),
        EvidenceStore(stack.data.evidence),
        stack.data.journal,
        stack.data.points,
    )


def audit(stores: AuditedStores, on_step: Callable[[str], None] = lambda _step: None) -> AuditReport:
    """Compare everything with everything; returns what differs.

    The stored projection catches up with the chain, then a second one is built from the chain in memory, and
    the two must be equal in every row. Books, journal and evidence are checked against the second.
    """
    report = AuditReport()
    reader = EventReader(stores.transactor.rpc, stores.transactor.deployment)
    on_step("read the chain")
    stores.projection.catch_up(reader)
    block = stores.projection.block()
    rebuilt = Projection(open_engine("sqlite://"), identity_of(stores.transactor.deployment))
    report.count("events", rebuilt.catch_up(reader, to_block=block))
    on_step("projection")
    report.count("tables", len(digests(rebuilt.engine)))
    difference = first_difference(stores.projection.engine, rebuilt.engine)
    report.require(difference is None, "projection", str(difference))
    with rebuilt.session() as session:
        on_step("books")
        check_books(report, session, stores.transactor, block)
        on_step("journal")
        check_engine(report, session, stores.journal)
        on_step("points")
        check_points(report, session, stores.transactor, block, stores.points)
        on_step("evidence")
        check_evidence(report, session, stores.evidence)
    return report
