"""People's points: every published root again from the signed acts, and every gram in somebody's hands."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import Session, select

from api.audit.report import AuditReport
from chain.abi import Call
from chain.refusals import Refusal
from chain.transactor import Transactor
from registry.personal.recompute import recompute_epochs
from registry.projection.store import open_engine
from registry.projection.tables import PointsEpoch, PointsHolding
from registry.signing import Domain


def check_points(
    report: AuditReport, session: Session, transactor: Transactor, block: int, kept: Path
) -> None:
    """Recompute what was published on chain from the batches kept in the file `kept`; check the supply."""
    held_g = sum(row.amount_g for row in session.exec(select(PointsHolding)))
    supply_g = transactor.read(Call("MicroCarat", "totalSupply"), block)
    report.require(held_g == supply_g, "points", f"{supply_g} g exist, {held_g} g are held")
    published = {row.epoch: row for row in session.exec(select(PointsEpoch))}
    report.count("points epochs", len(published))
    if not published:
        return
    if not kept.exists():
        report.require(False, "points", f"{kept.name} is missing, but {len(published)} epochs are published")
        return
    deployment = transactor.deployment
    domain = Domain(deployment.chain_id, deployment.addresses["MicroCarat"])
    found = {}
    try:
        for result in recompute_epochs(open_engine(f"sqlite:///{kept}"), domain):
            found[result.epoch] = (
                "0x" + result.tree.root.hex(),
                result.tree.total_g,
                result.batches_root.hex(),
            )
    except Refusal as refusal:
        report.require(False, "points", f"the kept batches are not as signed: {refusal}")
        return
    for epoch, row in sorted(published.items()):
        on_chain = (row.root, row.total_g, row.batches_root.removeprefix("0x"))
        report.require(
            found.get(epoch) == on_chain,
            "points",
            f"epoch {epoch}: the chain has {on_chain}, the signed batches give {found.get(epoch)}",
        )
