"""The gas of every public function is what docs/gas.json says; what rises is seen."""

from __future__ import annotations

import pytest

from tests.support.contract_gas import table as gas
from tests.support.contract_gas.table import Table
from tests.support.processes import running_node


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Table:

    with running_node(tmp_path_factory.mktemp("gas")) as node:
        return gas.measured(node.url)


def test_the_gas_is_what_is_written_down(measured: Table) -> None:
    found = gas.differences(gas.committed(), measured)
    assert not found, "\n".join([*found, "look at what rose, then: scripts/gas_table --write"])


def test_every_public_function_that_changes_state_is_measured(measured: Table) -> None:
    assert gas.unmeasured(measured) == []


def test_the_page_says_the_same_figures() -> None:
    assert gas.PAGE.read_text(encoding="utf-8") == gas.page(gas.committed())


def test_one_gas_more_or_less_is_a_difference() -> None:
    before = {"Clearing.settle/5": {"two accounts": 100_000}}
    assert gas.differences(before, {"Clearing.settle/5": {"two accounts": 100_000}}) == []
    assert gas.differences(before, {"Clearing.settle/5": {"two accounts": 100_001}}) == [
        "Clearing.settle/5, two accounts: rose from 100,000 to 100,001"
    ]
    assert gas.differences(before, {"Clearing.settle/5": {"two accounts": 99_999}}) == [
        "Clearing.settle/5, two accounts: fell from 100,000 to 99,999"
    ]


def test_a_case_that_comes_or_goes_is_a_difference() -> None:
    one, other = {"Clearing.exit/1": {"one unit": 1}}, {"Clearing.exit/1": {"two units": 2}}
    assert gas.differences(one, other) == [
        "Clearing.exit/1, one unit: gone",
        "Clearing.exit/1, two units: new",
    ]


def test_a_function_without_a_line_is_named() -> None:
    short = {title: cases for title, cases in gas.committed().items() if title != "Clearing.exit/1"}
    assert gas.unmeasured(short) == ["Clearing.exit/1"]
