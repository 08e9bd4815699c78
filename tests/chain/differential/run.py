"""A whole run: the stream through both nodes, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.chain.differential.assembly import disassembly
from tests.chain.differential.compare import Difference, apply, compare_worlds
from tests.chain.differential.minimise import Minimiser
from tests.chain.differential.peers import Peer, running_anvil, running_ours
from tests.chain.differential.stream import BlockOfSendings, Stream

_DESCRIBED, _SHOWN = 5, 20
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Result:
    """What a run found. `ended` counts transactions by label and by how they ended: status, or refused."""

    seed: int
    transactions: int = 0
    blocks: int = 0
    seconds: float = 0.0
    gas_used: int = 0
    logs: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    failed_by_label: Counter[str] = field(default_factory=Counter)
    by_label: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    block: BlockOfSendings | None = None

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "seed": self.seed,
            "transactions": self.transactions,
            "blocks": self.blocks,
            "seconds": round(self.seconds, 1),
            "gas_used": self.gas_used,
            "logs": self.logs,
            "ended": dict(sorted(self.ended.items())),
            "kinds": dict(sorted(self.by_label.items())),
            "differences": [str(difference) for difference in self.differences[:_SHOWN]],
        }


def run(
    anvil: Path,
    seed: int,
    transactions: int,
    *,
    world_every: int = 0,
    minimise: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Result:
    """Send so many transactions through both nodes, up to the first block in which they differ.

    Parameters
    ----------
    anvil :
        The other node's program.
    world_every :
        After how many blocks all accounts are compared; they are once more at the end. 0: only then.
    minimise :
        Whether a block that differs is made as small as may be; it is in the result.
    progress :
        Hears how many transactions are done, and of how many.
    """
    result = Result(seed)
    started = time.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="carat-differential-")))
        ours = stack.enter_context(running_ours(directory))
        theirs = stack.enter_context(running_anvil(anvil, directory))
        for block in Stream(seed).blocks(transactions):
            result.blocks += 1
            result.transactions += len(block.sendings) + len(block.refused)
            result.differences = apply(ours, theirs, block)
            if not result.differences and world_every and result.blocks % world_every == 0:
                result.differences = compare_worlds(ours, theirs)
            if result.differences:
                result.block = block
                break
            _count(result, ours, block)
            progress(result.transactions, transactions)
        else:
            result.differences = compare_worlds(ours, theirs)
    if minimise and result.block is not None:
        result.block = _smallest(anvil, seed, transactions, result.blocks)
    result.seconds = time.monotonic() - started
    return result


def _count(result: Result, ours: Peer, block: BlockOfSendings) -> None:
    result.ended["refused"] += len(block.refused)
    result.by_label.update(sending.label.partition(".")[0] for sending in (*block.sendings, *block.refused))
    if not block.sendings:
        return
    for sending, receipt in zip(block.sendings, ours.get("eth_getBlockReceipts", "latest"), strict=True):
        if receipt["status"] != "0x1":
            result.failed_by_label[sending.label] += 1
        result.ended["succeeded" if receipt["status"] == "0x1" else "failed"] += 1
        result.gas_used += int(receipt["gasUsed"], 16)
        result.logs += len(receipt["logs"])


def _smallest(anvil: Path, seed: int, transactions: int, blocks: int) -> BlockOfSendings:
    """Go up to the block that differs a second time, and make it smaller."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="carat-differential-")))
        ours = stack.enter_context(running_ours(directory))
        theirs = stack.enter_context(running_anvil(anvil, directory))
        stream = Stream(seed)
        for number, block in enumerate(stream.blocks(transactions), start=1):
            if number == blocks:
                return Minimiser(ours, theirs, stream.programs).smallest_block(block)
            for peer in (ours, theirs):
                peer.get("evm_setNextBlockTimestamp", hex(block.time_utc))
                peer.send([sending.signed() for sending in block.sendings])
    raise AssertionError("the stream is shorter than it was")


def described(block: BlockOfSendings) -> str:
    """The last transactions of a block in words, for whoever has to find out why it differs."""
    lines = []
    for sending in (*block.refused, *block.sendings)[-_DESCRIBED:]:
        to = "0x" + sending.to.hex() if sending.to else "a creation"
        lines.append(
            f"{sending.label}: type {sending.type_id}, from 0x{sending.from_address.hex()} "
            f"nonce {sending.nonce}, to {to}, "
            f"value {sending.value}, gas {sending.gas}, price {sending.price}, tip {sending.tip}, "
            f"access list {[('0x' + address.hex(), slots) for address, slots in sending.access_list]}"
        )
        lines.append(f"  data 0x{sending.data[:4_000].hex()}")
        lines.append(f"  raw  0x{sending.signed()[:4_000].hex()}")
        if not sending.to:
            lines += [f"  {line}" for line in disassembly(sending.data[:400])]
    return "\n".join(lines)
