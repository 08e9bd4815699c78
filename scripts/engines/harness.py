"""The public harness: fetched, built, and driven; nothing of it is kept in this project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.peers import FORMER_NAMES, HARNESS, HARNESS_COMMIT, Peer

SCENARIOS: Final = ("static", "normal", "swing-25", "swing-40", "flash-crash")
CANONICAL_SEED: Final = 23
_RUN_TIMEOUT_S: Final = 600
_BUILD_TIMEOUT_S: Final = 900


class Unbuildable(Exception):
    """It could not be had or built here; the text says why."""


@dataclass(frozen=True)
class Run:
    """One pass of one engine over one workload, as the harness judged it."""

    verdict: str
    messages_per_s: float
    report_hash: str
    audit_checks: int
    audit_mismatches: int
    note: str = ""


class Harness:
    """A built harness in a folder of its own."""

    def __init__(self, folder: Path, sources: Path | None, compiler: str) -> None:
        self.folder = folder
        self._sources = sources
        self._tools = folder / ".tools"
        self._compiler = compiler
        self.cores: tuple[int, int] | None = None

    def prepare(self, checkout: Path | None) -> None:
        """Copy or clone the harness at its pinned commit and build it; raises Unbuildable."""
        if not (self.folder / "Makefile").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            if checkout is None:
                self._git("clone", "--quiet", f"https://github.com/{HARNESS}.git", str(self.folder))
                self._git("-C", str(self.folder), "checkout", "--quiet", HARNESS_COMMIT)
            else:
                head = _head_of(checkout)
                if not head.startswith(HARNESS_COMMIT):
                    raise Unbuildable(f"{checkout} stands at {head[:12]}, not at {HARNESS_COMMIT}")
                shutil.copytree(checkout, self.folder, ignore=shutil.ignore_patterns(".git", "build"))
        # The scripts of the harness say g++; this is the compiler that can build it.
        self._tools.mkdir(exist_ok=True)
        shim = self._tools / "g++"
        shim.unlink(missing_ok=True)
        shim.symlink_to(self._compiler)
        self._run(["make"], {"CXX": self._compiler})

    def build(self, peer: Peer) -> Path:
        """Build one engine by the harness's own script; raises Unbuildable."""
        library = self.folder / peer.library
        if not library.exists():
            self._run(list(peer.build), self._sources_of(peer))
            if not library.exists():
                raise Unbuildable(f"its script ended well and left no {peer.library}")
        return library

    def measure(self, library: Path, scenario: str, seed: int, mode: str = "perf") -> Run:
        """Let one engine do one workload; a crash is a Run with the verdict ERROR."""
        command = ["./harness", "--engine", str(library), "--scenario", scenario, "--mode", mode]
        command += ["--seed", str(seed)]
        if self.cores is not None:
            command += ["--matcher-core", str(self.cores[0]), "--drainer-core", str(self.cores[1])]
        try:
            done = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, timeout=_RUN_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Run("ERROR", 0.0, "", 0, 0, f"no end within {_RUN_TIMEOUT_S} s")
        found = re.search(r"^Result file: (.+)$", done.stdout, re.MULTILINE)
        # The result is written before the engine is torn down: a crash after it counts too.
        if found is None or done.returncode < 0:
            return Run("ERROR", 0.0, "", 0, 0, _last_line(done.stderr or done.stdout))
        path = self.folder / found[1]
        result = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return Run(
            verdict=result["verdict"],
            messages_per_s=result["throughput_msgs_per_s"],
            report_hash=result["correctness"]["computed_hash"],
            audit_checks=result["audit"]["checks"],
            audit_mismatches=result["audit"]["mismatches"],
            note=result["audit"]["note"],
        )

    def edge_cases(self, library: Path) -> tuple[int, int, list[str]]:
        """Return how many edge cases there are, how many pass, and the lines of those that do not."""
        done = subprocess.run(
            ["python3", "scripts/conformance_check.py", str(library)],
            cwd=self.folder, capture_output=True, text=True, timeout=_RUN_TIMEOUT_S, check=False,
        )  # fmt: skip
        cases = re.findall(r"^  (\S+)\s+report=(\S+)\s+state=(\S+)$", done.stdout, re.MULTILINE)
        # "-": the oracles themselves do not gate this case's book; "SKIP" would be a check that was not made.
        bad = [
            f"{name}: report {report}, book {state}"
            for name, report, state in cases
            if report != "PASS" or state not in ("PASS", "-")
        ]
        if (done.returncode or not cases) and not bad:
            bad = [_last_line(done.stdout + done.stderr)]
        return len(cases), len(cases) - len(bad), bad

    def _sources_of(self, peer: Peer) -> dict[str, str]:
        """Say where the sources of an engine are, by the variables that its script and git know."""
        variables: dict[str, str] = {}
        rewrites: list[tuple[str, str]] = []
        for repository, variable in peer.sources.items():
            checkout = self._checkout_of(repository)
            if checkout is None:
                continue
            if variable:
                variables[variable] = str(checkout)
            else:
                rewrites.append((f"url.{checkout}.insteadOf", f"https://github.com/{repository}.git"))
        for place, (key, value) in enumerate(rewrites):
            variables |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
        if rewrites:
            variables["GIT_CONFIG_COUNT"] = str(len(rewrites))
        return variables

    def _checkout_of(self, repository: str) -> Path | None:
        if self._sources is None:
            return None
        for name in (repository, *FORMER_NAMES.get(repository, ())):
            for folder in (self._sources / name.replace("/", "+"), self._sources / name.split("/")[1]):
                if folder.is_dir():
                    return folder.resolve()
        return None

    def _git(self, *arguments: str) -> None:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unbuildable(f"git {arguments[0]}: {_last_line(done.stderr)}")

    def _run(self, command: list[str], variables: dict[str, str]) -> None:
        environment = os.environ | variables | {"PATH": f"{self._tools.resolve()}:{os.environ['PATH']}"}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True,
                timeout=_BUILD_TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unbuildable(f"{' '.join(command)}: no end within {_BUILD_TIMEOUT_S} s") from None
        if done.returncode:
            raise Unbuildable(f"{' '.join(command)}: {_last_line(done.stderr or done.stdout)}")


def _head_of(checkout: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unbuildable(f"{checkout} is no git checkout, so its commit is not known")
    return done.stdout.strip()


def _last_line(text: str) -> str:
    """Return the line that most likely says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no word about why"])[-1 if not errors else 0][:200]
