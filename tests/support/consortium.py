"""The worked example told on a network of several authorities, while its nodes are killed and come back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from consortium_tools.network import Network

from chain.abi import abi_of
from tests.support.carat import CARAT, Answer, carat

ROOT = Path(__file__).parents[2]
PASSPHRASE = "only for tests"
STORY_S_MAX = 900.0
# So long an authority stays away at most. Clique can stand still while one of four is away (two others seal
# at the same height, and each waits for the other); its return sets it going again.
AWAY_S_MAX = 20.0


def topic_of(contract: str, event: str) -> bytes:
    """Return by what a node finds an event."""
    return next(topic for topic, each in abi_of(contract).events.items() if each.name == event)


PUBLISHED = topic_of("Compliance", "PeriodPublished")
SETTLED = topic_of("Clearing", "EpochSettled")


@dataclass
class Outage:
    """An authority killed when the chain holds so many events, and brought back when it holds others."""

    place: int
    begins: tuple[bytes, int]
    ends: tuple[bytes, int]
    killed_at: int | None = None
    back_at: int | None = None
    _killed_s: float = 0.0

    def heed(self, network: Network) -> None:
        """Kill or bring back, if it is time to."""
        if self.killed_at is None:
            if self._holds(network, *self.begins):
                self.killed_at = network.nodes[self.place].height()
                network.kill(self.place)
                self._killed_s = time.monotonic()
        elif self.back_at is None:
            away_s = time.monotonic() - self._killed_s
            if away_s > AWAY_S_MAX or self._holds(network, *self.ends):
                self.bring_back(network)

    def bring_back(self, network: Network) -> None:
        """Start the node again and note at which height the others were."""
        self.back_at = max(node.height() for node in network.nodes if node.running)
        network.restart(self.place)

    def _holds(self, network: Network, topic: bytes, count: int) -> bool:
        witness = next(
            node for node in network.nodes if node is not network.nodes[self.place] and node.running
        )
        span = {"fromBlock": "0x0", "toBlock": "latest", "topics": ["0x" + topic.hex()]}
        try:
            return len(witness.rpc("eth_getLogs", span)) >= count
        except httpx.HTTPError:
            return False


@dataclass
class Story:
    """The worked example on a chain that others run."""

    network: Network
    data_dir: Path
    cycle_s: int
    outages: Sequence[Outage] = ()

    def tell(self, scenario: Path = ROOT / "scenarios" / "abc.yaml") -> dict[str, Any]:
        """Tell it to its end, with the outages, and return what the command printed."""
        arguments = ["scenario", "run", scenario, "--data-dir", self.data_dir, *self.chain(self.network.urls)]
        arguments += ["--cycle-seconds", self.cycle_s, "--json"]
        out, errors = self.data_dir.with_suffix(".out"), self.data_dir.with_suffix(".err")
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*CARAT, *map(str, arguments)],
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **_secrets()},
                cwd=ROOT,
            )
            try:
                self._watch(process, errors)
            finally:
                process.kill()
                process.wait()
        return Answer(process.returncode, out.read_text("utf-8"), "").json

    def _watch(self, process: subprocess.Popen[bytes], said: Path) -> None:
        until = time.monotonic() + STORY_S_MAX
        while process.poll() is None:
            assert time.monotonic() < until, f"the story takes too long:\n{said.read_text('utf-8')[-4_000:]}"
            for outage in self.outages:
                outage.heed(self.network)
            time.sleep(0.3)
        assert process.returncode == 0, said.read_text("utf-8")[-4_000:]
        for outage in self.outages:
            assert outage.killed_at is not None, f"it ended before authority {outage.place} was killed"
            if outage.back_at is None:
                outage.bring_back(self.network)

    def audit(self, url: str) -> dict[str, Any]:
        """Audit what the story left (tables, journal, evidence) against the chain as one node tells it."""
        chain = self.chain([url])
        answer = carat("audit", "--data-dir", self.data_dir, *chain, "--json", environment=_secrets())
        assert answer.code == 0, answer.stdout + answer.stderr[-2_000:]
        return answer.json

    def chain(self, urls: Sequence[str]) -> list[str]:
        """Return the options that name the chain."""
        return ["--chain-url", ",".join(urls), "--confirmations", str(self.network.confirmations)]


def require_the_books_numbers(result: dict[str, Any]) -> None:
    """Make sure that the story ended as 《元宇宙与碳中和》 says, lines 1182-1192."""
    assert result["firms"] == {
        "A": {
            "allocated_t": 485_000, "verified_t": 460_000, "sold_t": 25_000, "bought_t": 0,
            "trade_cash_fen": 200_000_000, "surrendered_t": 460_000, "shortfall_t": 0, "penalty_fen": 0,
        },
        "B": {
            "allocated_t": 485_000, "verified_t": 495_000, "sold_t": 0, "bought_t": 10_000,
            "trade_cash_fen": -80_000_000, "surrendered_t": 495_000, "shortfall_t": 0, "penalty_fen": 0,
        },
        "C": {
            "allocated_t": 485_000, "verified_t": 495_000, "sold_t": 0, "bought_t": 0,
            "trade_cash_fen": 0, "surrendered_t": 485_000, "shortfall_t": 10_000, "penalty_fen": 400_000_000,
        },
    }  # fmt: skip
    assert (result["others"]["M"]["bought_t"], result["epochs_settled"]) == (15_000, 5)
    assert result["audit"]["ok"]


def require_one_history(story: Story) -> None:
    """Make sure that every node tells the same final chain, and that the audit is clean on each of them."""
    network = story.network
    height = network.wait_level()
    told = [node.rpc("eth_getBlockByNumber", hex(height), False) for node in network.nodes]
    assert len({block["hash"] for block in told}) == 1
    assert len({block["stateRoot"] for block in told}) == 1
    audits = [story.audit(url) for url in network.urls]
    assert all(audit["ok"] for audit in audits)
    assert all(audit["looked_at"] == audits[0]["looked_at"] for audit in audits)


def _secrets() -> dict[str, str]:
    return {"CARAT_PASSPHRASE": PASSPHRASE}
