"""`carat audit`: chain against projection, engine and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from api.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from api.cli.output import print_json, steps
from api.cli.scenario import print_audit
from api.cli.stack_here import require_url

if TYPE_CHECKING:
    from api.audit.run import AuditedStores
    from api.stack.paths import DataDirectory


def audit(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: Json = False) -> None:
    """Compare everything with everything, while the system runs; exit code 1 when anything differs."""
    from api.audit.run import audit as run_audit  # noqa: PLC0415
    from api.stack.paths import DataDirectory  # noqa: PLC0415

    url = require_url(data_dir, "node")
    with steps("audit") as on_step:
        report = run_audit(_stores(DataDirectory(data_dir.resolve()), url), on_step)
    if as_json:
        print_json(report.as_json())
    else:
        print_audit(report.as_json())
    if not report.ok:
        raise typer.Exit(1)


def _stores(data: DataDirectory, node_url: str) -> AuditedStores:
    from api.audit.run import AuditedStores  # noqa: PLC0415
    from chain.deployment import Deployment  # noqa: PLC0415
    from chain.rpc import ChainRpc  # noqa: PLC0415
    from chain.transactor import Transactor  # noqa: PLC0415
    from registry.evidence import EvidenceStore  # noqa: PLC0415
    from registry.projection.store import Projection, identity_of, open_engine  # noqa: PLC0415

    deployment = Deployment.load(data.deployment)
    rpc = ChainRpc(node_url)
    deployment.require_chain(rpc)
    projection = Projection(open_engine(f"sqlite:///{data.projection}"), identity_of(deployment))
    return AuditedStores(Transactor(rpc, deployment), projection, EvidenceStore(data.evidence), data.journal)
