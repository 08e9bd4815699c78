"""What brownie's own pytest checks of the node: events, return values, reasons, time, undone blocks."""

import brownie
import pytest
from brownie.exceptions import VirtualMachineError


@pytest.fixture(scope="module", autouse=True)
def shared(module_isolation):
    pass


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    pass


@pytest.fixture(scope="module")
def counter(Counter, accounts):  # noqa: N803  (brownie's own name)
    return accounts[0].deploy(Counter)


def test_it_counts_and_says_so(counter, accounts):
    done = counter.add(3, {"from": accounts[1]})
    assert done.return_value == 3
    assert done.events["Counted"] == {"by": accounts[1], "count": 3}
    assert counter.count() == 3


def test_a_reason_is_a_text(counter, accounts):
    with brownie.reverts("nothing to add"):
        counter.add(0, {"from": accounts[0]})


def test_a_reason_is_a_typed_error(counter, accounts):
    with pytest.raises(VirtualMachineError) as refused:
        counter.add(11, {"from": accounts[0]})
    assert refused.value.revert_msg == "CounterTooHigh: 11, 10"


def test_a_reason_is_a_panic(counter, accounts):
    with pytest.raises(VirtualMachineError) as refused:
        counter.fail({"from": accounts[0]})
    assert refused.value.revert_msg == "Failed assertion"


def test_what_other_tests_have_done_is_undone(counter):
    assert counter.count() == 0


def test_time_can_be_slept_away(chain):
    before = chain.time()
    chain.sleep(1_000)
    chain.mine(3)
    assert chain[-1].timestamp >= before + 1_000


def test_value_moves_between_accounts(accounts):
    before = accounts[3].balance()
    accounts[2].transfer(accounts[3], "1 ether")
    assert accounts[3].balance() == before + 10**18
