"""Found: after seven days without a trade anyone could sell at the exchange and then take the same tonnes.

Clearing allows the forced exit when the exchange has neither settled nor released for seven days. An exchange
in a quiet market looked just as silent: a seller took its tonnes away after its trade, the epoch could never
settle, and nobody's later. Now an exchange that has nothing to do shows once a day that it is there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from chain.abi import Call
from chain.deployment import deploy
from chain.keys import Keyring
from chain.refusals import ContractRefusal
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from exchange.chain_port import ChainPort
from exchange.clearing import SIGN_OF_LIFE_S
from tests.exchange.conftest import Exchange
from tests.support.processes import running_node

WEEK_S = 7 * 24 * 3600


def test_an_exit_that_was_due_is_not_any_more_once_the_exchange_shows_itself(tmp_path: Path) -> None:
    keyring = Keyring(b"test seed of the CARAT keyring..")
    firm = keyring.signer(f"firm:{uuid4()}")
    with running_node(tmp_path / "chain") as node:
        rpc = ChainRpc(node.url)
        deployment = deploy(rpc, keyring)
        transactor = Transactor(rpc, deployment)
        transactor.send(firm, Call("Clearing", "requestExit"))
        rpc.call("evm_increaseTime", WEEK_S + 1)
        rpc.call("evm_mine")
        ChainPort(node.url, deployment, keyring.signer("exchange")).release([])
        with pytest.raises(ContractRefusal, match="ClearingExitNotDue"):
            transactor.send(firm, Call("Clearing", "exit", ([],)))


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path / "journal")


async def test_an_exchange_without_work_shows_itself_once_a_day(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        for _ in range(3):
            await running.desk.show_life()
        assert exchange.clearing.release_calls == 1
        running.desk.acted_us -= SIGN_OF_LIFE_S * 1_000_000
        await running.desk.show_life()
        assert exchange.clearing.release_calls == 2


async def test_it_does_so_by_itself(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        with suppress(TimeoutError):
            await asyncio.wait_for(running.desk.run(), 0.2)
        assert exchange.clearing.release_calls == 1


async def test_inside_an_open_epoch_nobody_can_leave_and_settling_goes_on(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        exchange.clearing.chunks_applied = 1
        await running.desk.show_life()  # Clearing refuses, as it refuses every exit meanwhile
        assert not running.desk.alarms
        exchange.clearing.chunks_applied = 0
        await running.desk.show_life()
        assert exchange.clearing.release_calls == 2
