"""Runs the packages and our engines on the common messages, in turns, and makes a table of it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from chain.bench.report import machine_facts
from packages import drivers, ours
from packages.install import HERE, ROOT, NotHere, engines_node, engines_python
from packages.workload import messages

NODE_PACKAGE = "nodejs-order-book"
NOTES = {
    "nautilus_trader": "keeps orders and does not match them, so they all stay; no trades to compare",
    "order-matching": "sizes are floats",
}
Run = Callable[[Path, float], dict[str, Any]]


def main(arguments: list[str], usage: str) -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("compare_packages", description=usage, formatter_class=shape)
    parser.add_argument("--orders", type=int, default=200_000, help="limit orders; half as many cancels")
    parser.add_argument("--seconds", type=float, default=10.0, help="most CPU time of a round")
    parser.add_argument("--rounds", type=int, default=3, help="of each; the median counts")
    parser.add_argument("--only", metavar="NAME,...", help="these packages only; ours always run")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    wanted = None if options.only is None else options.only.split(",")
    found = compare(options.orders, options.seconds, options.rounds, wanted)
    print(json.dumps(found, indent=1) if options.json else table(found))
    return 0 if all(row["same"] is not False for row in found["engines"]) else 1


def compare(orders: int, seconds: float, rounds: int, wanted: list[str] | None) -> dict[str, Any]:
    """Measure everything that can be had; what cannot says why."""
    work = messages(orders)
    runs, missing = _packages(wanted)
    for name, (engine, at_once) in ours.ENGINES.items():
        runs[name] = lambda _, limit, engine=engine, at_once=at_once: ours.run(engine, work, limit, at_once)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory(prefix="carat-packages-") as folder:
        path = Path(folder) / "messages.json"
        path.write_text(json.dumps(work))
        for _ in range(rounds):
            for name, run in runs.items():
                if name not in missing:
                    print(name, file=sys.stderr, flush=True)
                    try:
                        rows[name].append(run(path, seconds))
                    except NotHere as failed:
                        missing[name] = str(failed)
    engines = [_row(name, found, work) for name, found in rows.items() if name not in missing]
    return {
        "measured_utc": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(ROOT),
        "orders": orders,
        "messages": len(work),
        "engines": sorted(engines, key=lambda row: -row["a_second"]),
        "missing": missing,
    }


def _packages(wanted: list[str] | None) -> tuple[dict[str, Run], dict[str, str]]:
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    names = [name for name in drivers.DRIVERS if wanted is None or name in wanted]
    if names:
        try:
            python = str(engines_python())
        except NotHere as failed:
            missing |= dict.fromkeys(names, str(failed))
        else:
            for name in names:
                runs[name] = _by([python, str(HERE / "drivers.py"), name])
    if wanted is None or NODE_PACKAGE in wanted:
        try:
            node, modules = engines_node()
        except NotHere as failed:
            missing[NODE_PACKAGE] = str(failed)
        else:
            runs[NODE_PACKAGE] = _by([node, str(HERE / "order_book.cjs"), str(modules)])
    return runs, missing


def _by(command: list[str]) -> Run:
    def run(path: Path, seconds: float) -> dict[str, Any]:
        whole = [*command, str(path), str(seconds)]
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotHere(done.stderr.strip()[-300:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def _row(name: str, found: list[dict[str, Any]], work: list[list[int]]) -> dict[str, Any]:
    """One line: medians, and whether trades, volume and open orders are the core's after as many messages."""
    last = found[-1]
    told = {key: last[key] for key in ("trades", "volume", "open")}
    right = ours.expected(work[: last["done"]])
    return {
        "name": name,
        "a_second": round(median(each["done"] / each["cpu_s"] for each in found)),
        "a_second_wall": round(median(each["done"] / each["wall_s"] for each in found)),
        "done": last["done"],
        **told,
        "expected": right,
        "same": None if last["trades"] is None else told == right,
        "note": NOTES.get(name, ""),
    }


def table(found: dict[str, Any]) -> str:
    """The comparison as text."""
    best = found["engines"][0]["a_second"]
    cancels = found["messages"] - found["orders"]
    heading = (
        f"{'engine':26}{'a second':>12}{'wall':>12}{'slower':>9}{'messages':>10}{'trades':>9}{'volume':>11}"
    )
    lines = [
        f"{found['orders']:,} limit orders with {cancels:,} cancels; messages a second of CPU time, median.",
        "What is an order's object to a package is made before.",
        "",
        f"{heading}  same",
    ]
    for row in found["engines"]:
        same = {True: "yes", False: "NO", None: "-"}[row["same"]]
        trades, volume = (_number(row[key]) for key in ("trades", "volume"))
        lines.append(
            f"{row['name']:26}{row['a_second']:12,}{row['a_second_wall']:12,}{best / row['a_second']:8.1f}x"
            f"{row['done']:10,}{trades:>9}{volume:>11}  {same}"
        )
        if row["same"] is False:
            lines.append(f"    the core has {row['expected']}, it has {row['open']} open")
        if row["note"]:
            lines.append(f"    {row['note']}")
    lines += [f"{name}: not measured: {why}" for name, why in found["missing"].items()]
    facts = found["machine"]
    lines += [
        "",
        f"{facts['processor']}, {facts['cores']} cores, {facts['python']}, load {facts['load_before']}",
    ]
    return "\n".join(lines)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
