"""How a benchmark's report is shown: one line a row, then what every row did. For every `carat bench`."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chain.bench.report import AT_LEAST, Peer, Report, Row


def report_table(report: Report) -> RenderableType:
    """The report for people."""
    table = Table(title=f"carat bench {report.subject}", title_justify="left", show_edge=False)
    for heading, justify in (
        ("row", "left"), ("measured", "right"), ("target", "right"), ("", "left"), ("peers", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in report.rows:
        table.add_row(row.title, _measured(row), _target(row), _verdict(row), _peers(row))
    parts: list[RenderableType] = [table, Text("")]
    parts += [Text(f"{row.name}: {row.method}") for row in report.rows]
    facts = ", ".join(f"{name} {value}" for name, value in report.machine.items() if value)
    parts += [Text(""), Text(f"{facts}; {report.seconds:.0f} s")]
    if report.quick:
        parts.append(Text("quick: shows that everything works, not how fast it is"))
    return Group(*parts)


def row_line(row: Row) -> str:
    """A row in one line, for progress."""
    return f"{row.name}: {_measured(row)} ({'passed' if row.passed else 'not passed'})"


def _measured(row: Row) -> str:
    return "not measured" if row.value is None else f"{_number(row.value)} {row.unit}"


def _target(row: Row) -> str:
    sign = "≥" if row.target.sense == AT_LEAST else "≤"
    aim = "" if row.target.aim is None else f" (aim {_number(row.target.aim)})"
    return f"{sign} {_number(row.target.value)}{aim}"


def _verdict(row: Row) -> str:
    return "[green]passed[/green]" if row.passed else "[red]not passed[/red]"


def _peers(row: Row) -> str:
    shown = [_peer(row, peer) for peer in row.peers]
    if row.problem and not row.peers:
        shown.append(escape(row.problem))
    return "; ".join(shown)


def _peer(row: Row, peer: Peer) -> str:
    ratio = row.ratio_to(peer)
    if peer.value is None or ratio is None:
        return escape(f"{peer.name}: {peer.note or 'not measured'}")
    asked = "" if peer.ratio_min is None else f", asked {peer.ratio_min:g}x"
    return escape(f"{peer.name} {_number(peer.value)} ({ratio:.2f}x{asked})")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
