"""Row 6: eth_getLogs for one address and topic over a million logs of that address."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lmdb

from chain.bench.chains import Program, running_carat, running_peer
from chain.bench.market import Firm, Market, key_of, require_success
from chain.bench.report import AT_MOST, Peer, Row, Target
from chain.bench.wire import Asking, BenchAnswerWrong
from chain.node.formats import checksum
from chain.node.log_index import TABLES

LOGS: Final = 1_000_000
LOGS_A_BLOCK: Final = 2_000
TOPIC_VALUES: Final = 1_000
_QUERIES: Final = 15
_GAS_A_LOG: Final = 1_700
_EVENT: Final = "0x" + "ca" * 32

# Writes calldata[0:32] logs, numbered from calldata[32:64] on: topic 0 is ca..ca, topic 1 the number modulo
# 1,000, the data is the number. From 5b, offset 9, on the stack holds the number and, below it, where to end.
EMITTER: Final = bytes.fromhex(
    "602035 80600035 01 90"  # number = calldata[32]; end = number + calldata[0]
    "5b 80600052"  # do { mem[0] = number
    "6103e8 81 06 7f" + "ca" * 32 + "6020 6000 a2"  # log2(mem[0:32], ca..ca, number % 1000)
    "600101 8181 10 6009 57 00"  # number += 1 } while (number < end); stop
)


@dataclass(slots=True)
class LogChain:
    """A chain with its emitter and how many logs it has written."""

    name: str
    market: Market
    emitter: str
    logs: int = 0

    def fill(self, count: int, on_step: Callable[[str], None]) -> float:
        """Write logs up to `count` in all; seconds for it."""
        began_s = time.perf_counter()
        while self.logs < count:
            some = min(LOGS_A_BLOCK, count - self.logs)
            data = some.to_bytes(32, "big") + self.logs.to_bytes(32, "big")
            raw = self.market.sign(self.market.owner, self.emitter, data, 100_000 + _GAS_A_LOG * some)
            self.market.send_all([raw])
            self.logs += some
            if self.logs % (50 * LOGS_A_BLOCK) == 0:
                on_step(f"{self.name}: {self.logs:,} logs")
        return time.perf_counter() - began_s

    def query_ms(self, topic: int) -> float:
        """Milliseconds of one eth_getLogs for emitter and topic, over all blocks; raises BenchAnswerWrong."""
        asked = {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": self.emitter,
            "topics": [_EVENT, f"0x{topic:064x}"],
        }
        began_s = time.perf_counter()
        found = self.market.wire.call("eth_getLogs", asked)
        took_ms = (time.perf_counter() - began_s) * 1000
        numbers = [int(log["data"], 16) for log in found]
        if numbers != list(range(topic, self.logs, TOPIC_VALUES)):
            raise BenchAnswerWrong(topic=topic, logs=len(numbers), wanted=self.logs // TOPIC_VALUES)
        return took_ms


def open_log_chain(wire: Asking, gas_price_wei: int, name: str = "") -> LogChain:
    """Put the emitter on the chain behind `wire`."""
    owner = Firm(key_of("owner"))
    owner.nonce = int(wire.call("eth_getTransactionCount", checksum(owner.address), "latest"), 16)
    market = Market(wire, int(wire.call("eth_chainId"), 16), gas_price_wei, owner, [])
    size = len(EMITTER)
    init = bytes.fromhex(f"60{size:02x}600c60003960{size:02x}6000f3") + EMITTER
    receipt = market.send_all([market.sign(owner, "0x", init, 1_000_000)])[0]
    require_success([receipt])
    return LogChain(name, market, receipt["contractAddress"])


def index_bytes(data: Path) -> tuple[int, int]:
    """Bytes of the log index on disk, and of the receipts that it is over."""
    with closing(lmdb.open(str(data / "chain.lmdb"), readonly=True, max_dbs=32, lock=True)) as env:
        return sum(_table_bytes(env, table) for table in TABLES), _table_bytes(env, b"receipts")


def _table_bytes(env: Any, table: bytes) -> int:
    with env.begin() as txn:
        stat = txn.stat(env.open_db(table, txn=txn, create=False))
    return int(stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]))


def row(
    data: Path, anvil: Program | None, missing: dict[str, str], logs: int, on_step: Callable[[str], None]
) -> Row:
    """Write `logs` logs and ask for some of them, here and on anvil."""
    details: dict[str, Any] = {"logs": logs, "found": logs // TOPIC_VALUES}
    with running_carat(data) as chain:
        ours = open_log_chain(chain.wire(), chain.gas_price_wei, chain.name)
        seconds = ours.fill(logs, on_step)
        times_ms = _ask(ours)
        indexed, receipts = index_bytes(data)
    details |= {
        "median_ms": round(statistics.median(times_ms), 2),
        "first_ms": round(times_ms[0], 2),
        "logs_written_a_second": round(logs / seconds),
        "index_bytes_a_log": round(indexed / logs, 1),
        "receipt_bytes_a_log": round(receipts / logs, 1),
    }
    peers = [Peer(name, None, None, why) for name, why in missing.items()]
    if anvil is not None:
        with running_peer(anvil) as chain:
            theirs = open_log_chain(chain.wire(), chain.gas_price_wei, chain.name)
            anvil_s = theirs.fill(logs, on_step)
            anvil_ms = _ask(theirs)
        peers.append(Peer(anvil.name, max(anvil_ms), None, "in memory"))
        details["anvil_logs_written_a_second"] = round(logs / anvil_s)
    return Row(
        name="logs",
        title=f"eth_getLogs, one address and topic of {logs:,} logs",
        unit="ms",
        target=Target(50, sense=AT_MOST),
        value=max(times_ms),
        method=f"One contract has written {logs:,} logs, {LOGS_A_BLOCK:,} a block. {_QUERIES} questions over "
        f"all blocks, each for another topic that {logs // TOPIC_VALUES:,} of them bear; the slowest counts. "
        "Every answer is checked whole.",
        peers=peers,
        details=details,
    )


def _ask(asked: LogChain) -> list[float]:
    return [asked.query_ms(topic * 61 % TOPIC_VALUES) for topic in range(_QUERIES)]
