"""What has to be the same: answers to calls, receipts, logs, and at the end every account and slot."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from eth_hash.auto import keccak
from rlp import encode
from trie import HexaryTrie

from tests.chain.differential.peers import Peer
from tests.chain.differential.sending import Sending
from tests.chain.differential.stream import BlockOfSendings

# Of one transaction alone; what sums up over the block (cumulativeGasUsed) is in the block's receiptsRoot.
_RECEIPT: Final = (
    "transactionHash", "transactionIndex", "blockNumber", "status", "gasUsed", "contractAddress",
    "logsBloom", "type", "effectiveGasPrice", "from", "to",
)  # fmt: skip
_LOG: Final = ("address", "topics", "data", "transactionIndex", "transactionHash", "blockNumber")
_BLOCK: Final = (
    "number", "timestamp", "gasUsed", "gasLimit", "baseFeePerGas", "miner", "logsBloom", "transactionsRoot",
    "receiptsRoot", "transactions",
)  # fmt: skip
_EMPTY_CODE: Final = keccak(b"")
_SLOTS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two nodes say differently; `place` is its transaction's in the block, if any."""

    what: str
    ours: Any
    theirs: Any
    place: int | None = None

    def __str__(self) -> str:
        where = "" if self.place is None else f"transaction {self.place}: "
        return f"{where}{self.what}: {str(self.ours)[:400]} here, {str(self.theirs)[:400]} there"


def apply(ours: Peer, theirs: Peer, block: BlockOfSendings) -> list[Difference]:
    """Put the block on both chains and say all in which they differ; nothing where they agree."""
    found: list[Difference] = []
    for peer in (ours, theirs):
        peer.get("evm_setNextBlockTimestamp", hex(block.time_utc))
    found += _compare_refusals(ours, theirs, block.refused)
    if not block.sendings:
        return found + _compare_heights(ours, theirs)
    found += _compare_calls(ours, theirs, block.sendings)
    raws = [sending.signed() for sending in block.sendings]
    answers = zip(ours.send(raws), theirs.send(raws), strict=True)
    for place, (here, there) in enumerate(answers):
        if here.get("result") is None or here.get("result") != there.get("result"):
            found.append(Difference("sent", here, there, place))
    found += _compare_heads(ours, theirs)
    return found


def _compare_refusals(ours: Peer, theirs: Peer, refused: Sequence[Sending]) -> Iterator[Difference]:
    """Each is sent alone. Both refuse, in whatever words."""
    for sending in refused:
        here, there = (peer.send([sending.signed()])[0] for peer in (ours, theirs))
        if "error" not in here or "error" not in there:
            yield Difference(f"refusal ({sending.refused})", here, there)


def _compare_heights(ours: Peer, theirs: Peer) -> list[Difference]:
    """No block may have been made for nothing."""
    here, there = (peer.get("eth_blockNumber") for peer in (ours, theirs))
    return [] if here == there else [Difference("block number", here, there)]


def _compare_calls(ours: Peer, theirs: Peer, sendings: Sequence[Sending]) -> Iterator[Difference]:
    """What each transaction would return, if it came first: data, a revert's data, or a failure."""
    calls = [("eth_call", [sending.as_call(), "pending"]) for sending in sendings]
    for place, (here, there) in enumerate(zip(ours.ask_all(calls), theirs.ask_all(calls), strict=True)):
        if _returned(here) != _returned(there):
            yield Difference("eth_call", here, there, place)


def _returned(answer: dict[str, Any]) -> tuple[str, str]:
    if "error" not in answer:
        return "returned", answer["result"]
    error = answer["error"]
    data = error.get("data")
    if error["code"] == 3 or "revert" in error["message"].lower():
        return "reverted", data or "0x"
    return "failed", ""


def _compare_heads(ours: Peer, theirs: Peer) -> Iterator[Difference]:
    calls: list[tuple[str, list[Any]]] = [
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getBlockReceipts", ["latest"]),
    ]
    (head, receipts), (their_head, their_receipts) = ours.get_all(calls), theirs.get_all(calls)
    if len(receipts) == len(their_receipts):
        for place, (here, there) in enumerate(zip(receipts, their_receipts, strict=True)):
            yield from _compare_receipts(here, there, place)
    for name in _BLOCK:
        if _plain(head[name]) != _plain(their_head[name]):
            yield Difference(f"block {name}", head[name], their_head[name])


def _compare_receipts(here: dict[str, Any], there: dict[str, Any], place: int) -> Iterator[Difference]:
    for name in _RECEIPT:
        if _plain(here[name]) != _plain(there[name]):
            yield Difference(name, here[name], there[name], place)
    logs, their_logs = ([_log(log) for log in receipt["logs"]] for receipt in (here, there))
    if logs != their_logs:
        yield Difference("logs", logs, their_logs, place)


def _log(log: dict[str, Any]) -> list[Any]:
    return [_plain(log[name]) for name in _LOG]


def _plain(value: Any) -> Any:
    """Addresses without EIP-55."""
    if isinstance(value, str):
        return value.lower()
    return [_plain(each) for each in value] if isinstance(value, list) else value


# The world


@dataclass(frozen=True, slots=True)
class Account:
    """An account with all its slots that are not zero."""

    nonce: int
    balance: int
    code: bytes
    storage: dict[int, int]

    @property
    def is_empty(self) -> bool:
        """EIP-161: such an account is none."""
        return not (self.nonce or self.balance or self.code)


def compare_worlds(ours: Peer, theirs: Peer) -> list[Difference]:
    """Whether every account, code and slot is the same, nothing more and nothing less.

    The other node gives all that it holds. The root of just that, computed here with the reference trie, has
    to be our head's: so no account or slot is there that is not here, and the other way round. Where it is
    not, each is asked for.
    """
    world = world_of_anvil(theirs)
    root = ours.get("eth_getBlockByNumber", "latest", False)["stateRoot"]
    expected = "0x" + state_root(world).hex()
    if root == expected:
        return []
    return [Difference("state root", root, expected), *_compare_accounts(ours, world)]


def world_of_anvil(peer: Peer) -> dict[bytes, Account]:
    """Every account that is not empty (it keeps empty ones, and slots that are zero)."""
    dump = orjson.loads(gzip.decompress(bytes.fromhex(peer.get("anvil_dumpState")[2:])))
    world = {}
    for address, fields in dump["accounts"].items():
        slots = {int(slot, 16): int(value, 16) for slot, value in fields["storage"].items()}
        account = Account(
            int(fields["nonce"]),
            int(fields["balance"], 16),
            bytes.fromhex(fields["code"][2:]),
            {slot: value for slot, value in slots.items() if value},
        )
        if not account.is_empty:
            world[bytes.fromhex(address[2:])] = account
    return world


def state_root(world: dict[bytes, Account]) -> bytes:
    """The root of the state trie, by the reference implementation."""
    state = HexaryTrie({})
    for address, account in world.items():
        storage = HexaryTrie({})
        for slot, value in account.storage.items():
            storage[keccak(slot.to_bytes(32, "big"))] = encode(value)
        leaf = [account.nonce, account.balance, storage.root_hash, keccak(account.code)]
        state[keccak(address)] = encode(leaf)
    return state.root_hash


def _compare_accounts(ours: Peer, world: dict[bytes, Account]) -> Iterator[Difference]:
    for address, account in world.items():
        name = "0x" + address.hex()
        calls: list[tuple[str, list[Any]]] = [
            ("eth_getTransactionCount", [name, "latest"]),
            ("eth_getBalance", [name, "latest"]),
            ("eth_getCode", [name, "latest"]),
        ]
        slots = list(account.storage)
        calls += [("eth_getStorageAt", [name, hex(slot), "latest"]) for slot in slots]
        nonce, balance, code, *values = ours.get_all(calls)
        here = Account(
            int(nonce, 16),
            int(balance, 16),
            bytes.fromhex(code[2:]),
            {slot: int(value, 16) for slot, value in zip(slots, values, strict=True)},
        )
        if here != account:
            yield Difference(f"account {name}", here, account)
