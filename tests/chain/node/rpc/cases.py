"""For each method, requests that are answered and requests that are refused.

A good case is a list of parameters, or a pair of one and what the result must be. A bad one is a list of
parameters and the code that it is refused with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.chain.node.programs import ADDRESSES, hexed
from tests.chain.node.rpc.running_cases import running_cases
from tests.chain.node.rpc.scene import NO_HASH, NOBODY, Scene
from tests.chain.node.rpc.values import (
    BAD,
    BAD_ADDRESSES,
    BAD_BLOCKS,
    BAD_HASHES,
    LIMIT,
    MISSING,
    NOT_FOUND,
    TAGS,
    Bad,
    Good,
    blocks_of,
)


def cases(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    """Both, by method."""
    found: dict[str, tuple[Good, Bad]] = {}
    for part in (_facts, _state, _blocks, _transactions, _filters, _rest, running_cases):
        found |= part(scene)
    return found


def _plain(*names: str) -> dict[str, tuple[Good, Bad]]:
    return {name: ([[]], [(["0x0"], BAD), (["latest", True], BAD)]) for name in names}


def _facts(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    fees: Bad = [
        ([], MISSING),
        (["0x2", "latest", [101]], BAD),
        (["0x2", "latest", [50, 20]], BAD),
        (["0x2", "latest", ["5"]], BAD),
        (["0x2", "latest", "5"], BAD),
        (["0x2", "latest", [True]], BAD),
        (["many", "latest", []], BAD),
        (["0x2", "0x99999", []], NOT_FOUND),
    ]
    return {
        **_plain("eth_blobBaseFee", "eth_blockNumber", "eth_coinbase", "eth_config", "eth_capabilities"),
        **_plain(
            "eth_accounts", "eth_gasPrice", "eth_maxPriorityFeePerGas", "net_listening", "web3_clientVersion"
        ),
        "eth_chainId": ([([], hex(7_327))], [([1], BAD)]),
        "eth_syncing": ([([], False)], [([1], BAD)]),
        "eth_baseFee": ([([], "0x0")], [([1], BAD)]),
        "net_version": ([([], "7327")], [([1], BAD)]),
        "net_peerCount": ([([], "0x0")], [([1], BAD)]),
        "web3_sha3": (
            [
                ["0x"],
                (
                    ["0x68656c6c6f20776f726c64"],
                    hexed(bytes.fromhex("47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad")),
                ),
            ],
            [([], MISSING), (["68"], BAD), (["0x6"], BAD), ([7], BAD)],
        ),
        "eth_feeHistory": (
            [
                ["0x0", "latest", []],
                ["0x1", "latest", [0, 50, 99.9, 100]],
                ["0x400", hex(scene.height), [10]],
                ["0x3", "earliest", []],
                ["0x2", "pending", None],
                [4, "latest", [25.5]],
            ],
            fees,
        ),
    }


def _state(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    counter = scene.contracts["counter"]
    blocks = blocks_of(scene)

    def account(*between: Any) -> tuple[Good, Bad]:
        good: Good = [[who, *between] for who in (ADDRESSES[0], counter, NOBODY, counter.lower())]
        good += [[ADDRESSES[0], *between, block] for block in blocks]
        bad: Bad = [([who, *between, "latest"], BAD) for who in BAD_ADDRESSES]
        bad += [([NOBODY, *between, block], BAD) for block in BAD_BLOCKS]
        bad += [([NOBODY, *between, missing], NOT_FOUND) for missing in ("0x99999", NO_HASH)]
        bad += [([], MISSING), ([NOBODY, *between, "latest", "more"], BAD)]
        return good, bad

    slots = ["0x0", "0x", "0x00", "0x" + "00" * 32, "0x" + "f" * 64]
    at_good, at_bad = account("0x0")
    proof_good, proof_bad = account(["0x0", "0x" + "01" * 32, "0x"])
    values_bad: Bad = [
        ([], MISSING),
        ([5], BAD),
        ([{NOBODY: "0x0"}], BAD),
        ([{"0x1": ["0x0"]}], BAD),
        ([{}], BAD),
    ]
    return {
        "eth_getBalance": account(),
        "eth_getCode": account(),
        "eth_getTransactionCount": account(),
        "eth_getStorageAt": (
            at_good + [[counter, slot, "latest"] for slot in slots],
            [*at_bad, ([NOBODY, "0x" + "f" * 65], BAD), ([NOBODY, "zero"], BAD), ([NOBODY], MISSING)],
        ),
        "eth_getStorageValues": (
            [
                [{counter: slots, NOBODY: ["0x1"]}],
                [{counter: []}, hex(scene.height)],
                ([{counter: ["0x0"]}, "earliest"], {counter: ["0x" + "00" * 32]}),
                *([{counter: ["0x0"]}, block] for block in blocks),
            ],
            [*values_bad, ([{NOBODY: ["0x0"] * 1_025}], LIMIT), ([{NOBODY: []}, "0x99999"], NOT_FOUND)],
        ),
        "eth_getProof": (
            [*proof_good, [counter, []], [counter, slots]],
            [*proof_bad, ([NOBODY, ["0x0"] * 1_025], LIMIT), ([NOBODY, "0x0"], BAD), ([NOBODY, [1.5]], BAD)],
        ),
    }


def _blocks(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    numbers = [*TAGS, hex(scene.height)]
    by_number: Bad = [([block], BAD) for block in BAD_BLOCKS]
    by_hash: Bad = [([each], BAD) for each in BAD_HASHES]
    no_flag: Bad = [(["latest", "yes"], BAD), ([], MISSING), (["latest", True, 1], BAD)]
    counts: Good = [*([block] for block in numbers), (["0x99999"], None)]
    hashes: Good = [[scene.block_hash], ([NO_HASH], None)]
    return {
        "eth_getBlockByNumber": (
            [*([block, full] for block in numbers for full in (False, True)), (["0x99999", True], None)],
            [*by_number, *no_flag],
        ),
        "eth_getBlockByHash": (
            [[scene.block_hash, False], [scene.block_hash, True], ([NO_HASH, False], None)],
            [*by_hash, ([NO_HASH, 1], BAD), ([], MISSING)],
        ),
        "eth_getBlockTransactionCountByNumber": (counts, [*by_number, ([], MISSING)]),
        "eth_getBlockTransactionCountByHash": (hashes, [*by_hash, ([], MISSING)]),
        "eth_getUncleCountByBlockNumber": (counts, [*by_number, ([], MISSING)]),
        "eth_getUncleCountByBlockHash": (hashes, [*by_hash, ([], MISSING)]),
        "eth_getBlockReceipts": (
            [*([block] for block in blocks_of(scene)), (["0x99999"], None), ([NO_HASH], None)],
            [*by_number, ([], MISSING), (["latest", 1], BAD)],
        ),
    }


def _transactions(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    mined = [name for name in scene.sent if name != "waiting"]
    by_hash: Bad = [*(([each], BAD) for each in BAD_HASHES), ([], MISSING), ([NO_HASH, 1], BAD)]
    indices: Good = [hex(index) for index in range(len(mined))]
    bad_index: Bad = [(["latest", index], BAD) for index in ("first", "0x", None, [], -1)]
    bad_hash_index: Bad = [([scene.block_hash, index], BAD) for index in ("first", "0x", None, [], -1)]
    by_index: dict[str, tuple[Good, Bad]] = {
        "ByBlockNumberAndIndex": (
            [
                *([hex(scene.height), at] for at in indices),
                (["latest", "0x0"], None),
                (["0x99999", "0x0"], None),
            ],
            [*bad_index, ([], MISSING), (["newest", "0x0"], BAD)],
        ),
        "ByBlockHashAndIndex": (
            [
                *([scene.block_hash, at] for at in indices),
                ([scene.block_hash, "0x99"], None),
                ([NO_HASH, "0x0"], None),
            ],
            [*bad_hash_index, ([], MISSING), (["latest", "0x0"], BAD)],
        ),
    }
    one_by_hash: Good = [*([each] for each in scene.sent.values()), ([NO_HASH], None)]
    return {
        **{f"eth_getTransaction{how}": each for how, each in by_index.items()},
        **{f"eth_getRawTransaction{how}": each for how, each in by_index.items()},
        "eth_getTransactionByHash": (one_by_hash, by_hash),
        "eth_getRawTransactionByHash": (one_by_hash, by_hash),
        "eth_getTransactionReceipt": (
            [*([scene.sent[name]] for name in mined), ([scene.sent["waiting"]], None), ([NO_HASH], None)],
            by_hash,
        ),
    }


def _filters(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    logger, counter = scene.contracts["logger"], scene.contracts["counter"]
    ranges: list[Any] = [
        {},
        {"fromBlock": "earliest", "toBlock": "latest"},
        {"fromBlock": "0x0", "address": logger},
        {"fromBlock": "0x0", "address": [logger, counter], "topics": []},
        {"fromBlock": "0x0", "topics": ["0x" + "05" * 32]},
        {"fromBlock": "0x0", "topics": [None]},
        {"fromBlock": "0x0", "topics": [["0x" + "05" * 32, "0x" + "06" * 32]]},
        {"fromBlock": "safe", "toBlock": "finalized", "address": None, "topics": None},
        {"fromBlock": "0x0", "address": NOBODY},
    ]
    backwards = {"fromBlock": "0x5", "toBlock": "0x2"}
    bad: Bad = [
        ([each], BAD)
        for each in (
            5,
            None,
            {"address": 5},
            {"address": ["0x1"]},
            {"topics": "0x"},
            {"topics": ["0x1"]},
            {"topics": [None] * 5},
            {"fromBlock": "newest"},
            backwards,
            {"blockHash": "0x1"},
            {"blockHash": scene.block_hash, "fromBlock": "0x0"},
        )
    ]
    call: Callable[..., Any] = scene.rpc.call
    names = [call("eth_newFilter", {"fromBlock": "0x0"}), call("eth_newFilter", {"address": NOBODY})]
    blocks, pending = call("eth_newBlockFilter"), call("eth_newPendingTransactionFilter")
    bad_names: Bad = [*(([each], BAD) for each in ("one", None, -1, {}, [])), ([], MISSING)]
    gone: Bad = [(["0x99999"], NOT_FOUND)]
    by_hash: Good = [[{"blockHash": scene.block_hash}], [{"blockHash": scene.block_hash, "address": logger}]]
    return {
        "eth_getLogs": (
            [*([each] for each in ranges), *by_hash],
            [*bad, ([], MISSING), ([{"blockHash": NO_HASH}], NOT_FOUND), ([{}, {}], BAD)],
        ),
        "eth_newFilter": (
            [[each] for each in ranges],
            [*(each for each in bad if each[0] != [backwards]), ([], MISSING)],
        ),
        "eth_newBlockFilter": ([[]], [([1], BAD)]),
        "eth_newPendingTransactionFilter": ([[]], [([1, 2], BAD)]),
        "eth_getFilterChanges": ([[name] for name in (*names, blocks, pending)], [*bad_names, *gone]),
        "eth_getFilterLogs": ([[name] for name in names], [*bad_names, *gone, ([blocks], NOT_FOUND)]),
        "eth_uninstallFilter": ([([call("eth_newBlockFilter")], True), (["0x99999"], False)], bad_names),
    }


def _rest(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    who: Bad = [([each], BAD) for each in BAD_ADDRESSES]
    return {
        **_plain("txpool_status", "txpool_content", "txpool_inspect"),
        "txpool_contentFrom": (
            [[ADDRESSES[2]], ([NOBODY], {"pending": {}, "queued": {}})],
            [*who, ([], MISSING)],
        ),
    }
