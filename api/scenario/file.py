"""The scenario file: what may stand in it, and where it is wrong.

Read strictly, for a wrong number is worse than none: an unknown key, a missing one, a key given twice, a
quantity that is negative or no whole number is refused with its line before anything is started.

    name: abc
    years: [2026, 2027]            ascending, without gaps
    price_fen_per_t: 8000          the price at which deficits are bought and surpluses sold
    penalty_multiple: 5            times that price, per tonne short
    offset_cap_ppm: 50000          share of the amount due that may be offsets
    firms:
      - {name: A, baseline_t: 100000, required_cut_t: 3000, own_cut_t: 8000, trades: true, offsets_t: 0}
    others: {name: M, buys_and_sells: true}     optional

All tonnes are a year's. `offsets_t` is what the firm surrenders as offsets (CCER) each year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from chain.refusals import Refusal

FILE_BYTES_MAX: Final = 4 * 2**20
FIRMS_MAX: Final = 5_000
YEARS_MAX: Final = 50
TONNES_MAX: Final = 10**10
PRICE_FEN_MAX: Final = 10**8
NAME_CHARACTERS_MAX: Final = 64

_TOP: Final = frozenset(
    {"name", "years", "price_fen_per_t", "penalty_multiple", "offset_cap_ppm", "firms", "others"}
)
_FIRM: Final = frozenset({"name", "baseline_t", "required_cut_t", "own_cut_t", "trades", "offsets_t"})
_OTHERS: Final = frozenset({"name", "buys_and_sells"})


class ScenarioMalformed(Refusal):
    """The scenario file is wrong; nothing was started."""


@dataclass(frozen=True, slots=True)
class ScenarioFirm:
    """One firm; tonnes are a year's, the same every year."""

    name: str
    baseline_t: int
    required_cut_t: int
    own_cut_t: int
    trades: bool
    offsets_t: int = 0

    @property
    def allocated_t(self) -> int:
        """Allowances given a year: what the cap leaves."""
        return self.baseline_t - self.required_cut_t

    @property
    def emitted_t(self) -> int:
        """What the firm emits a year after its own cut."""
        return self.baseline_t - self.own_cut_t


@dataclass(frozen=True, slots=True)
class ScenarioOthers:
    """The rest of the market in one participant."""

    name: str
    buys_and_sells: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """A market on one page."""

    name: str
    years: tuple[int, ...]
    price_fen_per_t: int
    penalty_multiple: int
    offset_cap_ppm: int
    firms: tuple[ScenarioFirm, ...]
    others: ScenarioOthers | None


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises ScenarioMalformed with the line."""
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise ScenarioMalformed(file=str(path), bytes=size, bytes_max=FILE_BYTES_MAX)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioMalformed(file=str(path), reason=f"cannot be read: {type(error).__name__}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, file: str = "scenario") -> Scenario:
    """Read a scenario from its text; raises ScenarioMalformed with the line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioMalformed(file=file, line=line, reason=str(error.problem)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ScenarioMalformed(file=file, reason=f"no YAML: {type(error).__name__}") from error
    if root is None:
        raise ScenarioMalformed(file=file, line=1, reason="the file is empty")
    return _Reader(file).scenario(root)


class _Reader:
    """Turns YAML nodes, which know their lines, into a scenario."""

    def __init__(self, file: str) -> None:
        self._file = file

    def scenario(self, root: yaml.Node) -> Scenario:
        parts = self._mapping(root, _TOP, optional={"others"})
        firms = self._firms(parts["firms"])
        others = self._others(parts["others"]) if "others" in parts else None
        if others is not None and others.name in {firm.name for firm in firms}:
            self._refuse(parts["others"], f"the name {others.name} is a firm's")
        scenario = Scenario(
            name=self._text(parts["name"]),
            years=self._years(parts["years"]),
            price_fen_per_t=self._integer(parts["price_fen_per_t"], 1, PRICE_FEN_MAX),
            penalty_multiple=self._integer(parts["penalty_multiple"], 0, 1_000),
            offset_cap_ppm=self._integer(parts["offset_cap_ppm"], 0, 1_000_000),
            firms=tuple(firms),
            others=others,
        )
        self._check_offsets(scenario, parts["firms"])
        return scenario

    def _firms(self, node: yaml.Node) -> list[ScenarioFirm]:
        items = self._sequence(node, FIRMS_MAX)
        firms: list[ScenarioFirm] = []
        for item in items:
            parts = self._mapping(item, _FIRM, optional={"offsets_t"})
            baseline_t = self._integer(parts["baseline_t"], 0, TONNES_MAX)
            firm = ScenarioFirm(
                name=self._text(parts["name"]),
                baseline_t=baseline_t,
                required_cut_t=self._integer(parts["required_cut_t"], 0, baseline_t),
                own_cut_t=self._integer(parts["own_cut_t"], 0, baseline_t),
                trades=self._boolean(parts["trades"]),
                offsets_t=self._integer(parts["offsets_t"], 0, TONNES_MAX) if "offsets_t" in parts else 0,
            )
            if firm.name in {each.name for each in firms}:
                self._refuse(parts["name"], f"the name {firm.name} is given twice")
            firms.append(firm)
        return firms

    def _others(self, node: yaml.Node) -> ScenarioOthers:
        parts = self._mapping(node, _OTHERS)
        return ScenarioOthers(self._text(parts["name"]), self._boolean(parts["buys_and_sells"]))

    def _years(self, node: yaml.Node) -> tuple[int, ...]:
        years = [self._integer(item, 1990, 2199) for item in self._sequence(node, YEARS_MAX)]
        if years != list(range(years[0], years[0] + len(years))):
            self._refuse(node, "years ascend without gaps")
        return tuple(years)

    def _check_offsets(self, scenario: Scenario, node: yaml.Node) -> None:
        assert isinstance(node, yaml.SequenceNode)
        for firm, item in zip(scenario.firms, node.value, strict=True):
            allowed_t = firm.emitted_t * scenario.offset_cap_ppm // 1_000_000
            if firm.offsets_t > allowed_t:
                self._refuse(item, f"offsets_t {firm.offsets_t} is over the cap, {allowed_t} t a year")

    def _mapping(
        self, node: yaml.Node, known: frozenset[str], optional: frozenset[str] | set[str] = frozenset()
    ) -> Mapping[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, f"keys are expected here: {', '.join(sorted(known))}")
        parts: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key not in known:
                self._refuse(key_node, f"unknown key {key!r}; known: {', '.join(sorted(known))}")
            if key in parts:
                self._refuse(key_node, f"{key} is given twice")
            parts[key] = value_node
        for key in sorted(known - optional - parts.keys()):
            self._refuse(node, f"{key} is missing")
        return parts

    def _sequence(self, node: yaml.Node, items_max: int) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not 0 < len(node.value) <= items_max:
            self._refuse(node, f"a list of 1 to {items_max} is expected here")
        return list(node.value)

    def _integer(self, node: yaml.Node, least: int, most: int) -> int:
        # Only decimal digits: YAML would also take 1_000, 0x10, 0o7 and 1:30 for integers.
        text = node.value if isinstance(node, yaml.ScalarNode) and node.style is None else None
        digits = text.removeprefix("-") if isinstance(text, str) else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            self._refuse(node, f"{_shown(node)} is no whole number")
        value = int(str(text))
        if not least <= value <= most:
            self._refuse(node, f"{value} is not between {least} and {most}")
        return value

    def _boolean(self, node: yaml.Node) -> bool:
        if not isinstance(node, yaml.ScalarNode) or node.value not in ("true", "false"):
            self._refuse(node, f"{_shown(node)} is neither true nor false")
        return bool(node.value == "true")

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._refuse(node, "a name is expected here")
        if len(node.value) > NAME_CHARACTERS_MAX or not node.value.isprintable():
            self._refuse(node, f"a name has at most {NAME_CHARACTERS_MAX} printable characters")
        return str(node.value)

    def _refuse(self, node: yaml.Node, reason: str) -> NoReturn:
        raise ScenarioMalformed(file=self._file, line=node.start_mark.line + 1, reason=reason)


def _shown(node: Any) -> str:
    return repr(node.value)[:40] if isinstance(node, yaml.ScalarNode) else "this"
