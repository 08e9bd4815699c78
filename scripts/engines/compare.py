"""Runs the benchmark's harness over our adapter and other engines, in turns, and makes a table of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engines.build import build
from engines.whole_core import report_hash
from exchange.core import Engine, ReferenceEngine

URL = "https://github.com/flash1-dev/matching-engine-benchmark"
COMMIT = "41656c885d98"
SEED = 23
SCENARIOS = ("static", "normal", "swing-25", "swing-40", "flash-crash")
OURS = "carat"
COMPILER = "clang-16"
ROOT = Path(__file__).resolve().parents[2]
BUILD_DIR = ROOT / ".build" / "engines"


class CannotCompareError(Exception):
    """Something is missing; the message says what."""


@dataclass(slots=True)
class Result:
    """What was seen of one engine. Throughput in million messages a second, by scenario, one a run."""

    name: str
    throughput: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SCENARIOS})
    hashes_right: dict[str, bool] = field(default_factory=dict)
    verdicts: set[str] = field(default_factory=set)
    audit: str = "not run"
    edge_cases: str = "not run"

    def medians(self) -> dict[str, float]:
        """Return the median of each scenario that was measured."""
        return {name: statistics.median(runs) for name, runs in self.throughput.items() if runs}

    def worst(self) -> float:
        """Return the worst scenario's median: what the benchmark judges by."""
        return min(self.medians().values(), default=0.0)


def main(arguments: list[str]) -> int:
    """Compare; return the exit status: 0 when every check of ours passed."""
    options = _options(arguments)
    try:
        return _compare(options)
    except CannotCompareError as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/compare_engines", description=__doc__)
    parser.add_argument("--harness", type=Path, help=f"a built checkout of {URL}")
    parser.add_argument(
        "--engine", action="append", default=[], metavar="NAME=PATH", help="another engine's .so"
    )
    parser.add_argument(
        "--runs", type=int, default=10, help="timed runs of each scenario; their median counts"
    )
    parser.add_argument("--seeds", type=int, default=10, help="other seeds, on which all engines must agree")
    parser.add_argument("--reference", action="store_true", help="the reference, too: a quarter of an hour")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    return parser.parse_args(arguments)


def _compare(options: argparse.Namespace) -> int:
    harness = _harness(options.harness)
    engines = {OURS: _ours(harness)} | _others(options.engine)
    results = {name: Result(name) for name in engines}
    notes = {"core": _whole_core(harness, Engine)}
    if options.reference:
        notes["reference"] = _whole_core(harness, ReferenceEngine)
    notes["seeds"] = _other_seeds(harness, engines, options.seeds)
    _audit(harness, engines[OURS], results[OURS])
    _edge_cases(harness, engines[OURS], results[OURS])
    for _ in range(options.runs):
        for scenario in SCENARIOS:
            for name, path in engines.items():
                _timed(harness, path, scenario, results[name])
    if options.json:
        print(json.dumps(_as_json(results, notes), indent=2))
    else:
        print(_table(results, notes))
    ours = results[OURS]
    checks = (
        all(ours.hashes_right.values()),
        ours.verdicts == {"VALID"},
        "FAIL" not in str(notes),
        ours.audit.startswith("PASS") and "INVALID" not in ours.audit,
        ": CONFORMANT" in ours.edge_cases,
    )
    return 0 if all(checks) else 1


# --- what is needed ---


def _harness(given: Path | None) -> Path:
    folder = given.resolve() if given else BUILD_DIR / "harness"
    if not given and not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "--quiet", URL, str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", COMMIT], check=True)
    if not (folder / "api" / "matching_engine_api.h").exists():
        raise CannotCompareError(f"{folder} is no checkout of {URL}")
    if not (folder / "harness").exists() or not (folder / "generator").exists():
        raise CannotCompareError(
            f"the harness in {folder} is not built: its README says how; Debian: clang-16 and libboost-dev"
        )
    return folder


def _ours(harness: Path) -> Path:
    if shutil.which(COMPILER) is None:
        raise CannotCompareError(f"{COMPILER} is missing. On Debian: apt install clang-16 libboost-dev")
    try:
        return build(harness, BUILD_DIR, COMPILER)
    except subprocess.CalledProcessError as failed:
        raise CannotCompareError(f"our adapter does not compile: {failed.stderr[-2_000:]}") from failed


def _others(given: list[str]) -> dict[str, Path]:
    engines = {}
    for each in given:
        name, _, path = each.partition("=")
        if not path or not Path(path).is_file() or name == OURS:
            raise CannotCompareError(f"--engine {each}: NAME=PATH of a shared object is wanted")
        engines[name] = Path(path).resolve()
    return engines


# --- one run each ---


def _run(harness: Path, engine: Path, scenario: str, mode: str, seed: int = SEED) -> dict[str, str]:
    """Run the harness once; return hash, throughput, status, verdict and audit as it prints them."""
    cores = ["--matcher-core", "0", "--drainer-core", "1"] if (os.cpu_count() or 1) < 4 else []
    command = [
        *(str(harness / "harness"), "--engine", str(engine), "--scenario", scenario),
        *("--mode", mode, "--seed", str(seed), *cores),
    ]
    ran = subprocess.run(command, cwd=harness, capture_output=True, text=True, check=False)
    wanted = {
        "hash": r"Computed hash:\s+([0-9a-f]{64})",
        "throughput": r"Throughput:\s+([0-9.]+)",
        "status": r"Status:\s+(.+)",
        "verdict": r"Verdict:\s+(\w+)",
        "audit": r"State audit:\s+(.+)",
    }
    found = {name: re.search(pattern, ran.stdout) for name, pattern in wanted.items()}
    return {name: match.group(1).strip() for name, match in found.items() if match}


def _timed(harness: Path, engine: Path, scenario: str, result: Result) -> None:
    said = _run(harness, engine, scenario, "perf")
    result.verdicts.add(said.get("verdict", "ERROR"))
    result.hashes_right[scenario] = result.hashes_right.get(scenario, True) and said.get("status") == "PASS"
    if "throughput" in said:
        result.throughput[scenario].append(float(said["throughput"]))


def _audit(harness: Path, engine: Path, result: Result) -> None:
    """The harness audits against liquibook, where it has been built."""
    said = [_run(harness, engine, scenario, "audit") for scenario in SCENARIOS]
    states = sorted({each.get("audit", "nothing said") for each in said})
    result.audit = f"{'; '.join(states)}; {'/'.join(each.get('verdict', 'ERROR') for each in said)}"


def _edge_cases(harness: Path, engine: Path, result: Result) -> None:
    """The harness's own gate; it needs the engines that it takes its oracle from."""
    ran = subprocess.run(
        [sys.executable, str(harness / "scripts" / "conformance_check.py"), str(engine)],
        cwd=harness,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (ran.stdout or ran.stderr).strip().splitlines()
    result.edge_cases = lines[-1] if lines else f"FAIL: exit {ran.returncode}"


def _whole_core(harness: Path, engine_class: type) -> dict[str, str]:
    """The core as the exchange runs it: is the report stream the published one?"""
    published = dict(reversed(line.split()) for line in _published(harness))
    found = {}
    for scenario in SCENARIOS:
        workload = harness / f"orders_{scenario}_s{SEED}_n1000000.bin"
        if not workload.exists():  # the harness makes it at its first run
            _run(harness, BUILD_DIR / "carat_adapter.so", scenario, "perf")
        expected = published[f"{scenario}_seed{SEED}_count1000000_reports.txt"]
        found[scenario] = "PASS" if report_hash(engine_class, workload) == expected else "FAIL"
    return found


def _published(harness: Path) -> list[str]:
    return (harness / "reference" / "correctness_hash.txt").read_text().splitlines()


def _other_seeds(harness: Path, engines: dict[str, Path], count: int) -> str:
    """On seeds without a published hash every engine, and the whole core, must say the same."""
    for seed in range(SEED + 1, SEED + 1 + count):
        scenario = SCENARIOS[seed % len(SCENARIOS)]
        said = {_run(harness, path, scenario, "perf", seed).get("hash", "none") for path in engines.values()}
        workload = harness / f"orders_{scenario}_s{seed}_n1000000.bin"
        said.add(report_hash(Engine, workload))
        workload.unlink()
        if len(said) > 1:
            return f"FAIL: seed {seed}, {scenario}"
    return f"{count} seeds: {len(engines)} engines and the whole core agree"


# --- what is shown ---


def _as_json(results: dict[str, Result], notes: dict[str, object]) -> dict[str, object]:
    engines = [
        asdict(result)
        | {"verdicts": sorted(result.verdicts), "medians": result.medians(), "worst": result.worst()}
        for result in results.values()
    ]
    return {"machine": _machine(), "engines": engines, "ratio": _ratio(results), **notes}


def _ratio(results: dict[str, Result]) -> float | None:
    best = max((result.worst() for name, result in results.items() if name != OURS), default=0.0)
    return results[OURS].worst() / best if best else None


def _machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    name = model.group(1) if model else platform.processor()
    load = f"load {os.getloadavg()[0]:.1f}"
    return f"{name}, {os.cpu_count()} cores, {load}, {COMPILER}, Python {platform.python_version()}"


def _table(results: dict[str, Result], notes: dict[str, object]) -> str:
    rows = [["M messages/s, median", *SCENARIOS, "worst", "hashes", "verdict"]]
    for result in sorted(results.values(), key=lambda each: -each.worst()):
        medians = result.medians()
        right = sum(result.hashes_right.values())
        rows.append(
            [
                result.name,
                *(f"{medians[name]:.2f}" if name in medians else "-" for name in SCENARIOS),
                *(f"{result.worst():.2f}", f"{right} of {len(SCENARIOS)}", "/".join(sorted(result.verdicts))),
            ]
        )
    ratio = _ratio(results)
    ours = results[OURS]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    lines += [
        "",
        f"ratio of the worst scenarios, ours to the best other: {ratio:.2f}"
        if ratio
        else "no other engine given",
        f"book-state audit: {ours.audit}",
        f"edge cases: {ours.edge_cases}",
        *(f"{name}: {said}" for name, said in notes.items()),
        f"machine: {_machine()}",
    ]
    return "\n".join(lines)
