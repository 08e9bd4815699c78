"""A fresh system for one story: node, exchange and stores in a directory of their own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from api.audit.report import AuditReport
from api.audit.run import audit, stores_of
from api.custody import Custody
from api.cycle.clock import CYCLE_S, MovedClock, OwnClock
from api.cycle.market import Market, chunks
from api.cycle.plan import CyclePlan
from api.stack.outside import OutsideChain
from api.stack.stack import Stack
from chain.patience import with_patience
from chain.refusals import Refusal
from registry.projection.store import Projection

_PATIENCE_S = 60.0
_OUTSIDE_PATIENCE_S = 900.0
_BEFORE_THE_FIRST_CYCLE_S = 3_600
_BLOCKS_A_REQUEST = 500
# A network that admits senders by name must know them before the story begins.
_MADE_BEFORE = frozenset({"keys.json", "passphrase"})


class DataDirectoryNotFresh(Refusal):
    """A scenario or replay runs on a fresh data directory; this one holds something."""


@dataclass(frozen=True, slots=True)
class Place:
    """A chain that others run, to tell a story on: its cycles last `cycle_s` seconds of its own time each."""

    chain: OutsideChain
    cycle_s: int = CYCLE_S


@dataclass(frozen=True, slots=True)
class FreshSystem:
    """A running system on which one story is told, and the stores to read it from afterwards."""

    stack: Stack
    market: Market
    started_s: float

    def audit(self) -> AuditReport:
        """Bring the projection to the head and compare everything with everything."""
        stores = stores_of(self.stack)
        return audit(stores, lambda step: self.market.on_progress(f"audit: {step}", 1))

    def projection(self) -> Projection:
        """Return the stored projection."""
        return stores_of(self.stack).projection

    def transactions(self) -> int:
        """Return how many transactions the chain holds since the deployment, everyone's, that one's too."""
        rpc, first = self.market.transactor.rpc, self.market.transactor.deployment.block
        head = with_patience(rpc.head, _PATIENCE_S)
        total = 0
        for blocks in chunks(range(first, head + 1), _BLOCKS_A_REQUEST):
            calls = [("eth_getBlockTransactionCountByNumber", [hex(block)]) for block in blocks]
            total += sum(int(count, 16) for count in with_patience(partial(rpc.batch, calls), _PATIENCE_S))
        return total

    def seconds(self) -> int:
        """Return how long this system has run, whole seconds rounded up."""
        return int(time.monotonic() - self.started_s) + 1


@contextmanager
def fresh_system(
    run: str,
    plans: Sequence[CyclePlan],
    data_dir: Path | None,
    on_step: Callable[[str], None],
    on_progress: Callable[[str, int], None],
    place: Place | None = None,
) -> Iterator[FreshSystem]:
    """Start node and exchange for one story, the chain's clock at its beginning.

    Parameters
    ----------
    data_dir :
        Where the state goes and stays; it may hold keys, which are used then. None for a temporary
        directory that is removed afterwards.
    place :
        The chain to tell the story on, if others run it: then no node is started, and the contracts are
        deployed there anew.

    Raises
    ------
    DataDirectoryNotFresh :
        `data_dir` holds something else than keys.
    """
    started_s = time.monotonic()
    keep = data_dir is not None
    root = data_dir if data_dir is not None else Path(tempfile.mkdtemp(prefix="carat-"))
    if keep and root.exists() and any(entry.name not in _MADE_BEFORE for entry in root.iterdir()):
        raise DataDirectoryNotFresh(data_dir=str(root))
    try:
        genesis_utc = min(plan.starts_utc for plan in plans) - _BEFORE_THE_FIRST_CYCLE_S
        with (
            Stack.start(
                root,
                with_api=False,
                test_methods=True,
                genesis_time_utc=genesis_utc,
                epoch_seconds=0,
                outside=None if place is None else place.chain,
                on_step=on_step,
            ) as stack,
            stack.exchange_client() as exchange,
            closing(Custody(stack.evidence(), stack.data.evidence)) as custody,
        ):
            transactor = stack.transactor()
            market = Market(
                run=run,
                keyring=stack.keyring,
                transactor=transactor,
                exchange=exchange,
                evidence=stack.evidence(),
                custody=custody,
                clock=MovedClock(transactor.rpc)
                if place is None
                else OwnClock(transactor.rpc, place.cycle_s),
                on_progress=on_progress,
            )
            if place is not None:
                market.patience_s = _OUTSIDE_PATIENCE_S
            yield FreshSystem(stack, market, started_s)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
