"""The exchange's whole history again, from its journal, against the chain: what `carat exchange verify` does.

The part of the audit that needs no other store: the chain's events are read from its first block into tables
in memory, and the journal is replayed by the engine's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from api.audit.engine import check_engine, read_journal
from api.audit.report import AuditReport
from chain.events import EventReader
from chain.transactor import Transactor
from registry.projection.store import Projection, identity_of, open_engine


def verify_exchange(
    transactor: Transactor, journal: Path, on_step: Callable[[str], None] = lambda _step: None
) -> AuditReport:
    """Compare every epoch's tape root, and every account, with the chain; the market may go on meanwhile.

    The journal is read after the chain, so that it holds every epoch that the chain tells of.
    """
    report = AuditReport()
    reader = EventReader(transactor.rpc, transactor.deployment)
    on_step("read the chain")
    rebuilt = Projection(open_engine("sqlite://"), identity_of(transactor.deployment))
    report.count(
        "events", rebuilt.catch_up(reader, on_step=lambda at, head: on_step(f"block {at} of {head}"))
    )
    block = rebuilt.block()
    on_step("replay the journal")
    venue = read_journal(
        report, rebuilt, journal, on_frame=lambda at: on_step(f"replay the journal: {at.records:,} commands")
    )
    if venue is not None:
        custody = venue.custody
        report.count("epochs not settled yet", len(custody.epochs) - custody.settled_epoch)
        rebuilt.catch_up(reader, to_block=custody.chain_block)
        on_step("compare")
        with rebuilt.session() as session:
            check_engine(report, session, venue, block)
    return report
