"""Running the audit over a data directory's stores and its chain."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.audit.books import check_books
from api.audit.engine import check_engine, read_journal
from api.audit.files import check_evidence
from api.audit.points import check_points
from api.audit.report import AuditReport
from api.stack.handle import StackHandle
from chain.events import EventReader
from chain.transactor import Transactor
from registry.evidence import EvidenceStore
from registry.projection.digest import Snapshot
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

    The market may go on meanwhile. The stored tables are read in one transaction; the journal is read after
    them, so that it holds every epoch that they tell of; and the second projection then follows the chain as
    far as the journal has.
    """
    report = AuditReport()
    reader = EventReader(stores.transactor.rpc, stores.transactor.deployment)
    on_step("read the chain")
    stores.projection.catch_up(reader)
    stored = Snapshot.of(stores.projection.engine)
    rebuilt = Projection(open_engine("sqlite://"), identity_of(stores.transactor.deployment))
    report.count("events", rebuilt.catch_up(reader, to_block=stored.block))
    on_step("projection")
    report.count("tables", len(stored.rows))
    difference = stored.first_difference(Snapshot.of(rebuilt.engine))
    report.require(difference is None, "projection", str(difference))
    on_step("books")
    with rebuilt.session() as session:
        check_books(report, session, stores.transactor, stored.block)
        check_points(report, session, stores.transactor, stored.block, stores.points)
    on_step("journal")
    venue = read_journal(report, rebuilt, stores.journal)
    if venue is not None:
        rebuilt.catch_up(reader, to_block=venue.custody.chain_block)
        with rebuilt.session() as session:
            check_engine(report, session, venue, stored.block)
    on_step("evidence")
    with rebuilt.session() as session:
        check_evidence(report, session, stores.evidence)
    return report
