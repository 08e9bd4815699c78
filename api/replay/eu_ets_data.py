"""The EU ETS as published: installations and what the log says of each, year by year.

Cells are numbers, blanks or words (`Not Reported`, `Excluded`, `22425  2291  *****`). A word stays a word: it
is carried along, counted and listed, and never becomes a zero.

Source: EU Transaction Log, as collected in the data folder's four tables and the yearly average price.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chain.refusals import Refusal

CELL_T_MAX: Final = 10**10
# Surrenders and emissions are summed within these: units of the first did not carry over to the second.
PHASES: Final = ((2005, 2007), (2008, 2020))


class ReplayDataMissing(Refusal):
    """A table that the replay needs is missing or not as expected."""


class UnknownCountry(Refusal):
    """No installation of the data is of this country."""


class YearsOutOfRange(Refusal):
    """The data does not cover these years in one run of balances."""


class PriceMissing(Refusal):
    """The data has no average price for a year; name one with --price YEAR=CENTS."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a table says of one installation and year: tonnes, a word, or nothing."""

    text: str

    @property
    def tonnes(self) -> int | None:
        """Whole tonnes, or None where the cell is blank or a word."""
        return int(self.text) if self.text.isascii() and self.text.isdigit() else None

    @property
    def word(self) -> str | None:
        """The cell's words, or None where it is blank or a number."""
        return self.text if self.text and self.tonnes is None else None


@dataclass(frozen=True, slots=True)
class InstallationYear:
    """One installation's published year."""

    allocated: Cell
    verified: Cell
    surrendered: Cell
    code: str


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation (设施) with an operator holding account."""

    account_id: int
    name: str
    country: str
    activity: str
    years: Mapping[int, InstallationYear]


@dataclass(frozen=True, slots=True)
class EuEtsData:
    """A country's published years."""

    country: str
    first_year: int
    last_year: int
    installations: tuple[Installation, ...]
    price_cents: Mapping[int, int]

    @property
    def years(self) -> range:
        """The years replayed."""
        return range(self.first_year, self.last_year + 1)


def phase_of(first_year: int, last_year: int) -> tuple[int, int]:
    """Return the phase that holds both years; raises YearsOutOfRange."""
    for start, end in PHASES:
        if start <= first_year <= last_year <= end:
            return start, end
    raise YearsOutOfRange(
        first_year=first_year, last_year=last_year, phases=" ".join(f"{start}-{end}" for start, end in PHASES)
    )


def read_eu_ets(
    folder: Path, country: str, first_year: int, last_year: int, prices_cents: Mapping[int, int] | None = None
) -> EuEtsData:
    """Read one country's installations and years, the phase's earlier years included.

    Parameters
    ----------
    folder :
        Holds installations.csv, allocated_allowances.csv, verified_emissions.csv, units_surrendered.csv,
        compliance_code.csv and eua_yearly_average_eur.csv.
    prices_cents :
        Prices that the data lacks, euro cents per tonne by year.

    Raises
    ------
    ReplayDataMissing, UnknownCountry, YearsOutOfRange, PriceMissing
    """
    phase_start, _ = phase_of(first_year, last_year)
    rows = list(
        _rows(folder / "installations.csv", {"account_id", "installation_name", "national_administrator"})
    )
    chosen = [row for row in rows if row["national_administrator"] == country]
    if not chosen:
        known = sorted({row["national_administrator"] for row in rows})
        raise UnknownCountry(country=country, known=", ".join(known))
    wanted = {row["account_id"] for row in chosen}
    years = range(phase_start, last_year + 1)
    tables = {
        name: _table(folder / f"{name}.csv", wanted, years)
        for name in ("allocated_allowances", "verified_emissions", "units_surrendered", "compliance_code")
    }
    installations = tuple(
        Installation(
            account_id=_account_id(row["account_id"], folder / "installations.csv"),
            name=row["installation_name"],
            country=country,
            activity=row.get("main_activity") or "",
            years={
                year: InstallationYear(
                    allocated=Cell(tables["allocated_allowances"].get((row["account_id"], year), "")),
                    verified=Cell(tables["verified_emissions"].get((row["account_id"], year), "")),
                    surrendered=Cell(tables["units_surrendered"].get((row["account_id"], year), "")),
                    code=tables["compliance_code"].get((row["account_id"], year), ""),
                )
                for year in years
            },
        )
        for row in chosen
    )
    prices = {**_prices(folder / "eua_yearly_average_eur.csv"), **(prices_cents or {})}
    for year in range(first_year, last_year + 1):
        if year not in prices:
            raise PriceMissing(year=year, known=" ".join(str(each) for each in sorted(prices)))
    return EuEtsData(country, first_year, last_year, installations, prices)


def _rows(path: Path, needed: set[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = needed - set(reader.fieldnames or ())
            if missing:
                raise ReplayDataMissing(file=str(path), columns=", ".join(sorted(missing)))
            for row in reader:
                yield {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReplayDataMissing(file=str(path), reason=type(error).__name__) from error


def _table(path: Path, wanted: set[str], years: range) -> dict[tuple[str, int], str]:
    columns = {str(year) for year in years}
    cells: dict[tuple[str, int], str] = {}
    for row in _rows(path, {"account_id"} | columns):
        if row["account_id"] in wanted:
            cells |= {(row["account_id"], year): row[str(year)] for year in years}
    if path.stem != "compliance_code":
        for (account_id, year), text in cells.items():
            tonnes = Cell(text).tonnes
            if tonnes is not None and tonnes > CELL_T_MAX:
                raise ReplayDataMissing(
                    file=str(path), account_id=account_id, year=year, tonnes=tonnes, tonnes_max=CELL_T_MAX
                )
    return cells


def _account_id(text: str, path: Path) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ReplayDataMissing(file=str(path), account_id=text)
    return int(text)


def _prices(path: Path) -> dict[int, int]:
    prices = {}
    for row in _rows(path, {"year", "average_settle_eur"}):
        euros, _, cents = row["average_settle_eur"].partition(".")
        text = euros + cents.ljust(2, "0")
        if not (text.isdigit() and len(cents) <= 2 and row["year"].isdigit()):
            raise ReplayDataMissing(file=str(path), year=row["year"], price=row["average_settle_eur"])
        prices[int(row["year"])] = int(text)
    return prices
