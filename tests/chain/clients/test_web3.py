"""web3.py as it is published, over HTTP, WebSocket and the Unix socket; the same on anvil."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import AsyncHTTPProvider, AsyncIPCProvider, AsyncWeb3, IPCProvider, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, TransactionNotFound, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder

from chain.abi import abi_of
from tests.chain.clients.tools import tool
from tests.chain.differential.peers import running_anvil, running_ours
from tests.chain.differential.sending import ADDRESSES, KEYS

ME, OTHER = (Web3.to_checksum_address(address) for address in ADDRESSES[:2])
BANK = 3
REQUEST_ID = b"\x11" * 32
FREE = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0}


@dataclass(frozen=True)
class Address:
    """Where a node can be reached."""

    http: str
    ipc: str


@pytest.fixture
def carat() -> Iterator[Address]:
    """This node, with a Unix socket. Its path must be short."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carat-")))
        socket = data / "ipc"
        node = stack.enter_context(running_ours(data, "--ipc", socket))
        yield Address(node.url, str(socket))


@asynccontextmanager
async def connected(address: Address, way: str) -> AsyncIterator[AsyncWeb3[Any]]:
    """web3 over HTTP, WebSocket or the Unix socket, signing itself for our account."""
    async with AsyncExitStack() as stack:
        if way == "http":
            provider = AsyncHTTPProvider(address.http)
            w3: AsyncWeb3[Any] = AsyncWeb3(provider)
            stack.push_async_callback(provider.disconnect)
        elif way == "ws":
            opened = AsyncWeb3(WebSocketProvider(address.http.replace("http", "ws")))
            w3 = await stack.enter_async_context(opened)
        else:
            w3 = await stack.enter_async_context(AsyncWeb3(AsyncIPCProvider(address.ipc)))
        signing = SignAndSendRawMiddlewareBuilder.build(Account.from_key(KEYS[0]))
        w3.middleware_onion.inject(signing, layer=0)  # type: ignore[arg-type]
        w3.eth.default_account = ME
        yield w3


async def session(w3: AsyncWeb3[Any]) -> dict[str, Any]:
    """What a user of web3.py does, and what came of it."""
    seen: dict[str, Any] = {}
    eth = w3.eth
    seen["chain"] = (await eth.chain_id, await eth.block_number, await eth.gas_price, await eth.syncing)
    seen["balance"] = await eth.get_balance(ME)

    async def mined(sent: Any) -> Any:
        return await eth.wait_for_transaction_receipt(sent)

    paid = await mined(await eth.send_transaction({"to": OTHER, "value": 10**18, **FREE}))
    seen["paid"] = (paid["status"], paid["gasUsed"], paid["blockNumber"], paid["from"], paid["to"])
    manager = await _deployed(w3, "AccessManager", ME)
    cash = await _deployed(w3, "SettlementCash", manager.address, OTHER)
    selector = abi_of("SettlementCash").functions["mint"][0].selector
    rights = manager.functions.setTargetFunctionRole(cash.address, [selector], BANK)
    await mined(await rights.transact(FREE))
    await mined(await manager.functions.grantRole(BANK, ME, 0).transact(FREE))
    minted = await mined(await cash.functions.mint([(ME, 500)], REQUEST_ID).transact(FREE))
    moved = await mined(await cash.functions.transfer(OTHER, 120).transact(FREE))
    seen["receipts"] = [_shown(receipt) for receipt in (minted, moved)]
    seen["held"] = [await cash.functions.balanceOf(who).call() for who in (ME, OTHER)]
    before_all = await cash.functions.balanceOf(ME).call(block_identifier=minted["blockNumber"])
    seen["earlier"] = before_all
    events = cash.events.Transfer()
    seen["processed"] = [dict(event["args"]) for event in events.process_receipt(moved)]
    logs = await events.get_logs(from_block=0)
    seen["logs"] = [(dict(log["args"]), log["blockNumber"], log["logIndex"]) for log in logs]
    of_other = await events.get_logs(from_block=0, argument_filters={"to": OTHER})
    seen["of other"] = [dict(log["args"]) for log in of_other]
    with pytest.raises(ContractCustomError) as refused:
        await cash.functions.transfer(OTHER, 999).call()
    seen["refused"] = str(refused.value.data)
    with pytest.raises(ContractCustomError):
        await cash.functions.transfer(OTHER, 999).estimate_gas()
    failed = await mined(await cash.functions.transfer(OTHER, 999).transact({"gas": 200_000, **FREE}))
    seen["failed"] = _shown(failed)
    code = await eth.get_code(cash.address)
    seen["code"] = Web3.keccak(code).hex()
    seen["slot"] = (await eth.get_storage_at(cash.address, 0)).hex()
    history = await eth.fee_history(2, "latest", [50])
    seen["history"] = (history["baseFeePerGas"], history["reward"])
    listed = await eth.create_access_list(
        {"from": ME, "to": cash.address, "data": _data(cash), "gasPrice": 0}
    )
    seen["listed"] = sorted((entry["address"], len(entry["storageKeys"])) for entry in listed["accessList"])
    block = await eth.get_block(1, full_transactions=True)
    seen["block"] = [(each["nonce"], each["value"], each["type"]) for each in block["transactions"]]
    with pytest.raises(TransactionNotFound):
        await eth.get_transaction(REQUEST_ID)
    filtered = await eth.filter({"address": cash.address, "fromBlock": 0})
    seen["filter"] = [entry["blockNumber"] for entry in await filtered.get_all_entries()]
    following = await eth.filter({"address": cash.address})
    await mined(await cash.functions.transfer(OTHER, 1).transact(FREE))
    seen["news"] = [entry["blockNumber"] for entry in await following.get_new_entries()]
    async with w3.batch_requests() as batch:
        for number in range(3):
            batch.add(eth.get_block(number))
        seen["batch"] = [answer["number"] for answer in await batch.async_execute()]
    return seen


async def _deployed(w3: AsyncWeb3[Any], name: str, *arguments: Any) -> Any:
    abi = abi_of(name)
    contract = w3.eth.contract(abi=abi._entries, bytecode=abi.bytecode)
    sent = await contract.constructor(*arguments).transact(FREE)
    receipt = await w3.eth.wait_for_transaction_receipt(sent)
    return w3.eth.contract(address=receipt["contractAddress"], abi=abi._entries)


def _data(cash: Any) -> str:
    data: str = cash.encode_abi("transfer", args=[OTHER, 1])
    return data


def _shown(receipt: Any) -> tuple[Any, ...]:
    return (
        receipt["status"],
        receipt["gasUsed"],
        receipt["blockNumber"],
        len(receipt["logs"]),
        receipt["type"],
    )


@pytest.mark.parametrize("way", ["http", "ws", "ipc"])
async def test_everything_that_web3_does_works_each_way(carat: Address, way: str) -> None:
    async with connected(carat, way) as w3:
        seen = await session(w3)
    assert seen["chain"] == (7327, 0, 0, False)
    assert (seen["paid"], seen["balance"]) == ((1, 21_000, 1, ME, OTHER), 10_000 * 10**18)
    assert (seen["held"], seen["earlier"]) == ([380, 120], 500)
    assert seen["processed"] == [{"from": ME, "to": OTHER, "value": 120}] == seen["of other"]
    assert [args["value"] for args, *_ in seen["logs"]] == [500, 120]
    assert seen["refused"].startswith("0xe450d38c")
    assert seen["failed"][0] == 0
    assert (len(seen["filter"]), len(seen["news"]), seen["batch"]) == (4, 1, [0, 1, 2])


async def test_web3_is_told_the_same_by_this_node_and_by_anvil(carat: Address, tmp_path: Path) -> None:
    async with connected(carat, "http") as w3:
        ours = await session(w3)
    with running_anvil(tool("anvil"), tmp_path, automine=True) as node:
        async with connected(Address(node.url, ""), "http") as w3:
            theirs = await session(w3)
    assert ours == theirs


@pytest.mark.parametrize("way", ["ws", "ipc"])
async def test_subscriptions_bring_heads_and_logs(carat: Address, way: str) -> None:
    async with connected(carat, way) as w3:
        cash = await _deployed(w3, "AccessManager", ME)
        heads = await w3.eth.subscribe("newHeads")
        logs = await w3.eth.subscribe("logs", {"address": cash.address})
        await w3.eth.wait_for_transaction_receipt(await cash.functions.labelRole(7, "seven").transact(FREE))
        news: dict[Any, Any] = {}

        async def listen() -> None:
            async for message in w3.socket.process_subscriptions():
                news[message["subscription"]] = message["result"]
                if len(news) == 2:
                    return

        await asyncio.wait_for(listen(), 30)
        assert news[heads]["number"] == 2
        assert (news[logs]["address"], news[logs]["blockNumber"]) == (cash.address, 2)
        assert await w3.eth.unsubscribe(heads)


def test_the_socket_is_for_its_owner_and_serves_plain_web3(carat: Address) -> None:
    assert Path(carat.ipc).stat().st_mode & 0o077 == 0
    w3 = Web3(IPCProvider(carat.ipc))
    assert w3.is_connected()
    assert (w3.eth.chain_id, w3.eth.block_number) == (7327, 0)
    with pytest.raises(Web3RPCError):
        w3.eth.send_raw_transaction(b"\x02")
    proof = w3.eth.get_proof(ME, [0])
    assert (proof["nonce"], proof["balance"], proof["storageProof"][0]["value"]) == (
        0,
        10_000 * 10**18,
        b"\0",
    )
    w3.provider._socket.sock.close()  # type: ignore[attr-defined]  # web3 leaves it open
