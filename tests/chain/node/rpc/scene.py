"""A chain with one of everything that JSON-RPC can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, LOGGER, LOOPER, REVERTER, hash_of, hexed, init_code
from tests.chain.node.programs import signed as sign

NOBODY = "0x" + "77" * 20
NO_HASH = "0x" + "99" * 32
# calls the address in the first word with the rest of the call's data, and gives back what comes
CALLER = bytes.fromhex("6020360360206000376000600060203603600060006000355af1503d6000803e3d6000f3")
# makes a contract of the call's data, by CREATE2 with salt 7
MAKER = bytes.fromhex("3660006000376007366000" + "6000f560005260206000f3")
# gives what it holds to the address in the first word, and is gone
LEAVER = bytes.fromhex("600035ff")
REASON = (
    bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (4).to_bytes(32, "big") + b"nope".ljust(32, b"\0")
)


@dataclass
class Scene:
    """The chain, its contracts, and the hashes of its transactions by what they show."""

    rpc: LocalRpc
    contracts: dict[str, str]
    sent: dict[str, str]
    block_hash: str
    height: int


def build(directory: Path) -> Scene:
    """Contracts, and a block of transactions: of every type, failing, creating, calling; one waits."""
    rpc = LocalRpc(directory)
    programs = {
        "counter": COUNTER,
        "logger": LOGGER,
        "looper": LOOPER,
        "reverter": REVERTER,
        "caller": CALLER,
        "maker": MAKER,
        "leaver": LEAVER,
    }
    contracts = {name: rpc.deploy(code) for name, code in programs.items()}
    listed = [{"address": contracts["counter"], "storageKeys": ["0x" + "00" * 32]}]
    raws = {
        "legacy": sign(1, 0, contracts["counter"], b"\x05" * 32, gasPrice=0),
        "listed": sign(1, 1, contracts["counter"], gasPrice=3, accessList=listed),
        "dynamic": sign(1, 2, contracts["logger"], b"said", maxFeePerGas=9, maxPriorityFeePerGas=2),
        "created": sign(1, 3, data=init_code(COUNTER)),
        "reverted": sign(1, 4, contracts["reverter"], REASON),
        "paid": sign(1, 5, NOBODY, value=5),
        "called": sign(1, 6, contracts["caller"], _word(contracts["counter"]) + b"\x06" * 32),
        "spent": sign(1, 7, contracts["looper"], gas=60_000),
    }
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws.values()))
    waiting = sign(2, 5, ADDRESSES[0])
    rpc.call("eth_sendRawTransaction", hexed(waiting))
    head = rpc.call("eth_getBlockByNumber", "latest", False)
    sent = {name: hash_of(raw) for name, raw in raws.items()}
    assert head["transactions"] == list(sent.values())
    rpc.call("evm_mine")
    return Scene(rpc, contracts, sent | {"waiting": hash_of(waiting)}, head["hash"], int(head["number"], 16))


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def call_of(scene: Scene, name: str, data: bytes = b"", **more: Any) -> dict[str, Any]:
    """An eth_call object to one of the contracts."""
    return {"from": ADDRESSES[0], "to": scene.contracts[name], "input": hexed(data)} | more
