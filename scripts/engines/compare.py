"""Runs the benchmark's harness over our adapter and other engines, in turns, and makes a table of it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chain.bench.report import machine_facts
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
# What the harness's edge cases and audit take their oracle from.
ORACLES = ("liquibook", "quantcup", "cpp_orderbook", "llc993", "hroptatyr_clob")


class CannotCompareError(Exception):
    """Something is missing; the message says what, and what to do."""


class HarnessMissingError(CannotCompareError):
    """There is no built harness."""

    def __init__(self, folder: Path | None, lacks: str) -> None:
        where = "--harness is not given" if folder is None else f"{folder} has no {lacks}"
        super().__init__(
            f"{where}: a checkout of {URL} at {COMMIT} is wanted, built there by its README "
            "(Debian: clang-16, libboost-dev; `CXX=clang++-16 make`). It is not built here: it is not ours"
        )


class CompilerMissingError(CannotCompareError):
    """There is no compiler for our adapter."""

    def __init__(self) -> None:
        super().__init__(f"{COMPILER} is missing, which compiles our adapter. Debian: apt install {COMPILER}")


class CythonMissingError(CannotCompareError):
    """This Python cannot translate our adapter."""

    def __init__(self) -> None:
        super().__init__(
            f"{sys.executable} has no Cython, which translates our adapter: "
            "scripts/bootstrap test, then .venv/bin/python scripts/compare_engines"
        )


class AdapterError(CannotCompareError):
    """Our adapter does not compile."""


class EngineMissingError(CannotCompareError):
    """An engine that was named is not there."""

    def __init__(self, given: str) -> None:
        super().__init__(f"--engine {given}: NAME=PATH of a shared object that is there is wanted")


@dataclass(slots=True)
class Result:
    """What was seen of one engine. Throughput in million messages a second, by scenario, one a run."""

    name: str
    throughput: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SCENARIOS})
    hashes_right: dict[str, bool] = field(default_factory=dict)
    verdicts: set[str] = field(default_factory=set)
    audit: str = "not run"
    audited: bool = False
    edge_cases: str = "not run"

    def medians(self) -> dict[str, float]:
        """Return the median of each scenario that was measured."""
        return {name: statistics.median(runs) for name, runs in self.throughput.items() if runs}

    def worst(self) -> float:
        """Return the worst scenario's median: what the benchmark judges by."""
        return min(self.medians().values(), default=0.0)


def main(arguments: list[str], usage: str | None = None) -> int:
    """Compare; return the exit status: 0 when every check of ours passed, 2 when something is missing."""
    options = _options(arguments, usage)
    try:
        harness = _harness(options.harness)
        others = _others(options.engine)
        with tempfile.TemporaryDirectory(prefix="carat-engines-") as folder:
            engines = {OURS: _ours(harness, Path(folder))} | others
            return _compare(harness, engines, options)
    except CannotCompareError as missing:
        print(f"error: {type(missing).__name__.removesuffix('Error')}: {missing}", file=sys.stderr)
        return 2


def _options(arguments: list[str], usage: str | None) -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="compare_engines", description=usage, formatter_class=shape)
    parser.add_argument("--harness", type=Path, metavar="DIR", help=f"a built checkout of {URL}")
    parser.add_argument(
        "--engine", action="append", default=[], metavar="NAME=PATH", help="another engine's .so"
    )
    parser.add_argument("--only", choices=("checks", "speed"), help="one half of it")
    parser.add_argument(
        "--runs", type=int, default=10, help="timed runs of each scenario; their median counts"
    )
    parser.add_argument("--seeds", type=int, default=10, help="other seeds, on which all engines must agree")
    parser.add_argument("--reference", action="store_true", help="the reference, too: a quarter of an hour")
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="timed runs before all other work (chrt; as root), where it is not quiet",
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    return parser.parse_args(arguments)


def _compare(harness: Path, engines: dict[str, Path], options: argparse.Namespace) -> int:
    machine = machine_facts(ROOT)
    results = {name: Result(name) for name in engines}
    ours, notes = results[OURS], dict[str, Any]()
    if options.only != "speed":
        _say("audit and edge cases")
        _audit(harness, engines[OURS], ours)
        _edge_cases(harness, engines[OURS], ours)
        notes["core"] = _whole_core(harness, engines[OURS], Engine)
        if options.reference:
            notes["reference"] = _whole_core(harness, engines[OURS], ReferenceEngine)
        notes["seeds"] = _other_seeds(harness, engines, options.seeds)
    for run in range(options.runs if options.only != "checks" else 1):
        _say(f"run {run + 1}")
        for scenario in SCENARIOS:
            for name, path in engines.items():
                _timed(harness, path, scenario, results[name], options.realtime)
    found = _as_json(results, notes, machine, options)
    print(json.dumps(found, indent=1) if options.json else _table(results, found))
    passed = all(ours.hashes_right.values()) and ours.verdicts == {"VALID"} and "FAIL" not in str(notes)
    if options.only != "speed":
        passed = passed and ours.audited and ": CONFORMANT" in ours.edge_cases
    return 0 if passed else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- what is needed ---


def _harness(folder: Path | None) -> Path:
    if folder is None:
        raise HarnessMissingError(None, "")
    for part in ("api/matching_engine_api.h", "harness", "generator", "reference/correctness_hash.txt"):
        if not (folder / part).is_file():
            raise HarnessMissingError(folder, part)
    return folder.resolve()


def _ours(harness: Path, into: Path) -> Path:
    if shutil.which(COMPILER) is None:
        raise CompilerMissingError
    if importlib.util.find_spec("Cython") is None:
        raise CythonMissingError
    try:
        return build(harness, into, COMPILER)
    except subprocess.CalledProcessError as failed:
        raise AdapterError(failed.stderr[-2_000:]) from failed


def _others(given: list[str]) -> dict[str, Path]:
    engines = {}
    for each in given:
        name, _, path = each.partition("=")
        if not path or not Path(path).is_file() or name in (OURS, ""):
            raise EngineMissingError(each)
        engines[name] = Path(path).resolve()
    return engines


# --- one run each ---


def _run(
    harness: Path, engine: Path, scenario: str, mode: str, seed: int = SEED, realtime: bool = False
) -> dict[str, str]:
    """Run the harness once; return hash, throughput, status, verdict and audit as it prints them."""
    cores = ["--matcher-core", "0", "--drainer-core", "1"] if (os.cpu_count() or 1) < 4 else []
    command = [
        *(("chrt", "--fifo", "1") if realtime else ()),
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


def _timed(harness: Path, engine: Path, scenario: str, result: Result, realtime: bool) -> None:
    said = _run(harness, engine, scenario, "perf", realtime=realtime)
    result.verdicts.add(said.get("verdict", "ERROR"))
    result.hashes_right[scenario] = result.hashes_right.get(scenario, True) and said.get("status") == "PASS"
    if "throughput" in said:
        result.throughput[scenario].append(float(said["throughput"]))


def _audit(harness: Path, engine: Path, result: Result) -> None:
    """The book at 192 points of each scenario, beside quantcup's.

    The harness takes liquibook, but quantcup for an engine that is called liquibook; ours goes under that
    name, since liquibook needs minutes for the static scenario and is stopped after two.
    """
    if not (harness / "quantcup_adapter.so").exists():
        result.audit = "not run: not built in the harness: quantcup"
        return
    renamed = engine.with_name("liquibook_adapter.so")
    shutil.copy(engine, renamed)
    said = [_run(harness, renamed, scenario, "audit") for scenario in SCENARIOS]
    states = sorted({each.get("audit", "nothing said") for each in said})
    result.audit = f"{'; '.join(states)}; {'/'.join(each.get('verdict', 'ERROR') for each in said)}"
    result.audited = all(
        each.get("verdict") == "VALID" and each.get("audit", "").startswith("PASS") for each in said
    )


def _edge_cases(harness: Path, engine: Path, result: Result) -> None:
    """The harness's own gate; it needs the engines that it takes its oracle from."""
    lacks = [name for name in ORACLES if not (harness / f"{name}_adapter.so").exists()]
    if lacks:
        result.edge_cases = f"not run: not built in the harness: {', '.join(lacks)}"
        return
    gate = [sys.executable, str(harness / "scripts" / "conformance_check.py"), str(engine)]
    ran = subprocess.run(gate, cwd=harness, capture_output=True, text=True, check=False)
    lines = (ran.stdout or ran.stderr).strip().splitlines()
    result.edge_cases = lines[-1] if lines else f"FAIL: exit {ran.returncode}"


def _whole_core(harness: Path, adapter: Path, engine_class: type) -> dict[str, str]:
    """The core as the exchange runs it: is the report stream the published one?"""
    published = {tag: digest for digest, tag in map(str.split, _published(harness))}
    found = {}
    for scenario in SCENARIOS:
        workload = harness / f"orders_{scenario}_s{SEED}_n1000000.bin"
        if not workload.exists():  # the harness makes it at its first run
            _run(harness, adapter, scenario, "perf")
        _say(f"{engine_class.__name__}: {scenario}")
        expected = published[f"{scenario}_seed{SEED}_count1000000_reports.txt"]
        found[scenario] = "PASS" if report_hash(engine_class, workload) == expected else "FAIL"
    return found


def _published(harness: Path) -> list[str]:
    return (harness / "reference" / "correctness_hash.txt").read_text().splitlines()


def _other_seeds(harness: Path, engines: dict[str, Path], count: int) -> str:
    """On seeds without a published hash every engine, and the whole core, must say the same."""
    for seed in range(SEED + 1, SEED + 1 + count):
        scenario = SCENARIOS[seed % len(SCENARIOS)]
        _say(f"seed {seed}")
        said = {_run(harness, path, scenario, "perf", seed).get("hash", "none") for path in engines.values()}
        workload = harness / f"orders_{scenario}_s{seed}_n1000000.bin"
        said.add(report_hash(Engine, workload))
        workload.unlink()
        if len(said) > 1:
            return f"FAIL: seed {seed}, {scenario}"
    return f"{count} seeds: {len(engines)} engines and the whole core agree"


# --- what is shown ---


def _as_json(
    results: dict[str, Result], notes: dict[str, Any], machine: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    engines = [
        asdict(result)
        | {"verdicts": sorted(result.verdicts), "medians": result.medians(), "worst": result.worst()}
        for result in results.values()
    ]
    return {
        "measured_utc": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "harness": COMMIT,
        "runs": options.runs,
        "realtime": options.realtime,
        "machine": machine | {"load_after": round(os.getloadavg()[0], 2)},
        "engines": engines,
        "ratio": _ratio(results),
        **notes,
    }


def _ratio(results: dict[str, Result]) -> float | None:
    best = max((result.worst() for name, result in results.items() if name != OURS), default=0.0)
    return results[OURS].worst() / best if best else None


def _table(results: dict[str, Result], found: dict[str, Any]) -> str:
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
    ours, ratio, machine = results[OURS], found["ratio"], found["machine"]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    place = f"{machine['processor']}, {machine['cores']} cores"
    load = f"load {machine['load_before']} before, {machine['load_after']} after"
    lines += [
        "",
        f"ratio of the worst scenarios, ours to the best other: {ratio:.2f}"
        if ratio
        else "no other engine given",
        f"book-state audit: {ours.audit}",
        f"edge cases: {ours.edge_cases}",
        *(f"{name}: {found[name]}" for name in ("core", "reference", "seeds") if name in found),
        f"{found['measured_utc']} UTC: {place}, {load}",
    ]
    return "\n".join(lines)
