"""The node as the machine that the contracts run on: each call is a transaction, in a block of its own."""

from __future__ import annotations

from typing import Any

from brownie import web3

from tests.support.contract_fuzz.answer import Answer, Halted, Log
from tests.support.contract_model.machine import Address

GAS = 8_000_000
NOBODY = "0x" + "00" * 20


class NodeMachine:
    """Sends from the node's unlocked accounts; reads what was returned or refused from the trace."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> NodeMachine:
        return self

    def now(self) -> int:
        """The last block's time, Unix seconds."""
        return int(_ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def at(self, now: int) -> None:
        """The next block has this time."""
        _ask("evm_setNextBlockTimestamp", hex(now))

    def enrich(self, account: Address) -> None:
        """The unlocked accounts are rich."""

    def deploy(self, deployer: Address, code: bytes) -> Address:
        receipt = _receipt({"from": deployer, "data": f"0x{code.hex()}", "gas": hex(GAS)})
        return str(receipt["contractAddress"]).lower()

    def call(self, caller: Address, to: Address, data: bytes, value: int = 0) -> Answer:
        asked = {"from": caller, "to": to, "data": f"0x{data.hex()}", "gas": hex(GAS), "value": hex(value)}
        receipt = _receipt(asked)
        done = int(receipt["status"], 16) == 1
        return Answer(done, self._returned(receipt), tuple(_log(log) for log in receipt["logs"]))

    def _returned(self, receipt: dict[str, Any]) -> bytes:
        options = {"disableStack": True, "disableStorage": True, "disableMemory": True}
        trace = _ask("debug_traceTransaction", receipt["transactionHash"], options)
        return bytes.fromhex(trace["returnValue"].removeprefix("0x"))

    def look(self, to: Address, data: bytes) -> Answer:
        asked = {"from": NOBODY, "to": to, "data": f"0x{data.hex()}"}
        answer = web3.provider.make_request("eth_call", [asked, "latest"])
        if "error" in answer:
            return Answer(False, bytes.fromhex(answer["error"]["data"][2:]))
        return Answer(True, bytes.fromhex(answer["result"][2:]))


def _ask(method: str, *params: Any) -> Any:
    answer = web3.provider.make_request(method, list(params))
    if "error" in answer:
        raise Halted(f"{method}: {answer['error']}")
    return answer["result"]


def _receipt(transaction: dict[str, Any]) -> dict[str, Any]:
    return _ask("eth_getTransactionReceipt", _ask("eth_sendTransaction", transaction))


def _log(log: dict[str, Any]) -> Log:
    topics = tuple(bytes.fromhex(topic[2:]) for topic in log["topics"])
    return log["address"].lower(), topics, bytes.fromhex(log["data"][2:])
