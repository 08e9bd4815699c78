"""The gas table: measured, written down, compared."""

from __future__ import annotations

import json
from pathlib import Path

from chain.rpc import ChainRpc
from tests.support.contract_gas import cases_market, cases_registry, cases_rights
from tests.support.contract_gas.meter import Meter
from tests.support.contract_model.interface import CONTRACTS, interface

ROOT = Path(__file__).resolve().parents[3]
JSON = ROOT / "docs" / "gas.json"
PAGE = ROOT / "docs" / "gas.md"

Table = dict[str, dict[str, int]]  # gas by function and case

# What cannot be called from outside with success: its gas is inside the call that makes it.
INSIDE = {
    "AccessManager.consumeScheduledOp/2": "a restricted call by somebody who had to wait",
    "CarbonLedger.setAuthority/1": "AccessManager.updateAuthority",
    "Verification.setAuthority/1": "AccessManager.updateAuthority",
    "Compliance.setAuthority/1": "AccessManager.updateAuthority",
    "Clearing.setAuthority/1": "AccessManager.updateAuthority",
    "SettlementCash.setAuthority/1": "AccessManager.updateAuthority",
    "MicroCarat.setAuthority/1": "AccessManager.updateAuthority",
    "Clearing.onERC1155Received/5": "CarbonLedger.safeTransferFrom, as a deposit",
    "Clearing.onTransferReceived/4": "SettlementCash.transferAndCall, as a deposit",
}


def measured(url: str) -> Table:
    """Measure everything on the node at this address, which must be new."""
    meter = Meter(ChainRpc(url))
    cases_registry.measure(meter)
    cases_market.measure(meter)
    cases_rights.measure(meter)
    return {title: meter.gas[title] for title in sorted(meter.gas)}


def unmeasured(table: Table) -> list[str]:
    """Name the public functions that change state and are in no line of the table."""
    functions = (function for name in CONTRACTS for function in interface(name).functions.values())
    titles = [function.title for function in functions if function.changes_state]
    return [title for title in titles if title not in table and title not in INSIDE]


def committed() -> Table:
    """Return the table that is written down."""
    table: Table = json.loads(JSON.read_text(encoding="ascii"))
    return table


def differences(before: Table, now: Table) -> list[str]:
    """Say where the gas is not what is written down: risen, fallen, new or gone."""
    cases = sorted({(title, case) for table in (before, now) for title in table for case in table[title]})
    found = []
    for title, case in cases:
        was, is_ = before.get(title, {}).get(case), now.get(title, {}).get(case)
        if was == is_:
            continue
        if was is None or is_ is None:
            found.append(f"{title}, {case}: {'new' if was is None else 'gone'}")
        else:
            found.append(f"{title}, {case}: {'rose' if is_ > was else 'fell'} from {was:,} to {is_:,}")
    return found


def write(table: Table) -> None:
    """Write the table down, for machines and for people."""
    JSON.write_text(json.dumps(table, indent=1) + "\n", encoding="ascii")
    PAGE.write_text(page(table), encoding="utf-8")


def page(table: Table) -> str:
    """Return the table as a page."""
    lines = [
        "# What the contracts cost",
        "",
        "Gas of every public function that changes state, in one call each, from the node's receipts.",
        "A call itself costs 21,000 of it. The price of gas is zero on CARAT's own chain; a block holds",
        "a bounded amount, so these figures say how much fits. `scripts/gas_table` measures them; a test",
        "fails when one changes.",
        "",
        "Made by `scripts/gas_table --write`; the same figures for machines are in gas.json.",
    ]
    for name in CONTRACTS:
        lines += ["", f"## {name}", "", "| function | case | gas |", "|---|---|---:|"]
        for title, cases in table.items():
            if title.startswith(f"{name}."):
                function = title.removeprefix(f"{name}.")
                lines += [f"| `{function}` | {case} | {gas:,} |" for case, gas in cases.items()]
    lines += ["", "## Inside other calls", "", "| function | its gas is in |", "|---|---|"]
    lines += [f"| `{title}` | {where} |" for title, where in INSIDE.items()]
    lines += ["", "`f/2` is the function `f` with two arguments.", ""]
    return "\n".join(lines)
