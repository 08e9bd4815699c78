"""Published cells are numbers, blanks or words, and stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.replay.eu_ets_data import (
    Cell,
    PriceMissing,
    ReplayDataMissing,
    UnknownCountry,
    YearsOutOfRange,
    read_eu_ets,
)
from api.replay.eu_ets_plans import plans_of

YEARS = range(2005, 2021)


def write_table(path: Path, rows: dict[str, dict[int, str]]) -> None:
    lines = ["account_id," + ",".join(str(year) for year in YEARS)]
    lines += [
        account + "," + ",".join(cells.get(year, "") for year in YEARS) for account, cells in rows.items()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "installations.csv").write_text(
        "account_id,installation_id,installation_name,national_administrator,main_activity\n"
        '11,1,"Kiln, north",Freedonia,29-Cement\n12,2,Boiler,Freedonia,20-Combustion\n'
        "13,1,Mill,Sylvania,36-Paper\n",
        encoding="utf-8",
    )
    write_table(
        tmp_path / "allocated_allowances.csv",
        {"11": {2008: "100", 2009: "22425  2291  *****"}, "12": {2008: "50", 2009: "60"}},
    )
    write_table(
        tmp_path / "verified_emissions.csv",
        {"11": {2008: "90", 2009: "95"}, "12": {2008: "Excluded", 2009: "Not Reported"}},
    )
    write_table(tmp_path / "units_surrendered.csv", {"11": {2008: "90", 2009: "94"}})
    write_table(tmp_path / "compliance_code.csv", {"11": {2008: "A", 2009: "B"}, "12": {2008: "C"}})
    (tmp_path / "eua_yearly_average_eur.csv").write_text(
        "year,average_settle_eur\n2008,24.17\n2009,13.8\n2010,14\n", encoding="utf-8"
    )
    return tmp_path


def test_a_word_is_no_zero() -> None:
    assert (Cell("Excluded").tonnes, Cell("Excluded").word) == (None, "Excluded")
    assert (Cell("22425  2291  *****").tonnes, Cell("").tonnes, Cell("").word) == (None, None, None)
    assert (Cell("0").tonnes, Cell("0").word) == (0, None)
    assert Cell("٣").tonnes is None  # a digit of another script is not ours to guess


def test_prices_are_whole_cents(folder: Path) -> None:
    data = read_eu_ets(folder, "Freedonia", 2008, 2010)
    assert dict(data.price_cents) == {2008: 2417, 2009: 1380, 2010: 1400}


def test_the_difference_between_surrendered_and_allocated_is_traded(folder: Path) -> None:
    first, second = plans_of(read_eu_ets(folder, "Freedonia", 2008, 2009))
    assert [(firm.wanted_t, firm.verified_t) for firm in first.firms] == [(-10, 90), (-50, None)]
    assert (first.left_over_t, first.reserve_t) == (60, 0)
    assert [firm.wanted_t for firm in second.firms] == [94, -60]  # the starred cell allocates nothing
    assert (second.left_over_t, second.reserve_t) == (0, 34)


def test_a_later_start_opens_with_the_phases_balance(folder: Path) -> None:
    opening, year = plans_of(read_eu_ets(folder, "Freedonia", 2009, 2009))
    assert (opening.period, year.period) == (2008, 2009)
    assert [(firm.allocated_t, firm.verified_t, firm.surrender_t) for firm in opening.firms] == [
        (90, 90, 90),
        (0, None, 0),
    ]
    assert opening.sold_t == opening.bought_t == 0


def test_bad_requests_are_refused_with_what_is_known(folder: Path) -> None:
    with pytest.raises(UnknownCountry) as unknown:
        read_eu_ets(folder, "Ruritania", 2008, 2009)
    assert unknown.value.facts == {"country": "Ruritania", "known": "Freedonia, Sylvania"}
    with pytest.raises(PriceMissing) as price:
        read_eu_ets(folder, "Freedonia", 2008, 2011)
    assert price.value.facts["year"] == 2011
    for first, last in ((2007, 2008), (2004, 2005), (2009, 2008), (2008, 2021)):
        with pytest.raises(YearsOutOfRange):
            read_eu_ets(folder, "Freedonia", first, last)


def test_a_missing_table_or_column_is_named(folder: Path) -> None:
    (folder / "units_surrendered.csv").write_text("account_id,2008\n11,90\n", encoding="utf-8")
    with pytest.raises(ReplayDataMissing) as columns:
        read_eu_ets(folder, "Freedonia", 2008, 2009)
    assert columns.value.facts["columns"] == "2009"
    (folder / "units_surrendered.csv").unlink()
    with pytest.raises(ReplayDataMissing):
        read_eu_ets(folder, "Freedonia", 2008, 2009)
