"""Cases of the methods that run something: calls, simulations, traces, and what is sent."""

from __future__ import annotations

from typing import Any

from tests.chain.node.programs import ADDRESSES, COUNTER, hexed, init_code, signed
from tests.chain.node.rpc.scene import NO_HASH, NOBODY, REASON, Scene, call_of
from tests.chain.node.rpc.values import (
    BAD,
    BAD_BLOCKS,
    BAD_HASHES,
    MISSING,
    NOT_FOUND,
    REVERTED,
    TAGS,
    Bad,
    Good,
    blocks_of,
)


def running_cases(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    """Both, by method."""
    return {**_calls(scene), **_simulation(scene), **_sending(scene), **_debug(scene)}


BAD_CALLS: list[Any] = [
    5,
    "0x",
    [],
    None,
    {"to": 5},
    {"to": "0x1"},
    {"from": "me"},
    {"to": NOBODY, "value": "-1"},
    {"to": NOBODY, "value": ""},
    {"to": NOBODY, "gas": "much"},
    {"to": NOBODY, "input": "0x1"},
    {"to": NOBODY, "data": 5},
    {"to": NOBODY, "accessList": 5},
    {"to": NOBODY, "accessList": [{"address": NOBODY, "storageKeys": ["0x1"]}]},
    {"to": NOBODY, "accessList": [{"address": NOBODY, "storageKeys": {}}]},
    {"to": NOBODY, "gasPrice": []},
    {"to": NOBODY, "type": "two"},
]
REFUSED_CALLS: list[Any] = [
    {"to": NOBODY, "gas": "0x0"},
    {"to": NOBODY, "type": "0x3"},
    {"to": NOBODY, "blobVersionedHashes": ["0x01" + "00" * 31]},
    {"to": NOBODY, "authorizationList": [{}]},
    {"to": NOBODY, "gasPrice": "0x1", "maxFeePerGas": "0x1"},
    {"to": NOBODY, "input": "0x01", "data": "0x02"},
    {"from": NOBODY, "to": ADDRESSES[0], "value": hex(10**30)},
    {"input": "0x60016000526001601ffe"},
]


def _calls(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    counter = call_of(scene, "counter", b"\x01" * 32)
    listed = [{"address": scene.contracts["counter"], "storageKeys": ["0x" + "00" * 32]}]
    calls: list[Any] = [
        counter,
        {"to": NOBODY},
        {"input": hexed(init_code(COUNTER))},
        {"to": None, "data": hexed(init_code(COUNTER))},
        counter | {"gas": "0x100000", "gasPrice": "0x0", "value": "0x0", "nonce": "0x5", "chainId": "0x1c9f"},
        counter | {"maxFeePerGas": "0x5", "maxPriorityFeePerGas": "0x1", "type": "0x2", "accessList": listed},
        call_of(scene, "caller", bytes.fromhex(scene.contracts["logger"][2:]).rjust(32, b"\0") + b"hello"),
    ]
    blocks = [*TAGS[:4], hex(scene.height), None]
    good: Good = [*([each] for each in calls), *([counter, block] for block in blocks)]
    reverted, broken = call_of(scene, "reverter", REASON), REFUSED_CALLS[-1]
    bad: Bad = [*(([each], BAD) for each in BAD_CALLS), *(([each], NOT_FOUND) for each in REFUSED_CALLS)]
    bad += [([counter, block], BAD) for block in BAD_BLOCKS]
    bad += [([], MISSING), ([counter, "0x99999"], NOT_FOUND), ([counter, NO_HASH], NOT_FOUND)]
    fails: Bad = [([reverted], REVERTED), ([call_of(scene, "looper", gas="0x10000")], NOT_FOUND)]
    code = {
        NOBODY: {
            "code": hexed(COUNTER),
            "balance": "0x5",
            "nonce": "0x7",
            "state": {"0x" + "00" * 32: "0x" + "00" * 31 + "29"},
        }
    }
    overridden: Good = [
        [{"to": NOBODY}, "latest", code],
        [
            counter,
            "latest",
            {scene.contracts["counter"]: {"stateDiff": {"0x" + "00" * 32: "0x" + "ff" * 32}}},
        ],
        [counter, "latest", None, {"number": "0x99", "time": "0xffffffff", "feeRecipient": NOBODY}],
        [
            counter,
            "latest",
            {},
            {"prevRandao": "0x5", "baseFeePerGas": "0x7", "blobBaseFee": "0x9", "gasLimit": "0xfff"},
        ],
    ]
    bad_overrides: Bad = [
        ([counter, "latest", {"0x1": {}}], BAD),
        ([counter, "latest", 5], BAD),
        ([counter, "latest", {NOBODY: {"state": {}, "stateDiff": {}}}], BAD),
        ([counter, "latest", {NOBODY: {"balance": "lots"}}], BAD),
        ([counter, "latest", {NOBODY: {"stateDiff": {"0x0": "0x0"}}}], BAD),
        ([counter, "latest", {NOBODY: {"movePrecompileToAddress": ADDRESSES[0]}}], NOT_FOUND),
        ([counter, "latest", {}, {"time": "late"}], BAD),
        ([counter, "latest", {}, {}, {}], BAD),
    ]
    return {
        "eth_call": (
            [
                *good,
                *([counter, block] for block in blocks_of(scene)),
                *overridden,
                ([{"to": NOBODY}, "latest", code], "0x" + "00" * 31 + "2a"),
            ],
            [*bad, *fails, *bad_overrides],
        ),
        "eth_estimateGas": ([*good, *overridden], [*bad, *fails, *bad_overrides]),
        "eth_createAccessList": (
            [*good, [reverted], [broken]],
            [*(each for each in bad if each[0] != [broken]), ([counter, "latest", {}], BAD)],
        ),
    }


def _simulation(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    sender = ADDRESSES[0]
    pay = {"from": sender, "to": NOBODY, "value": "0x5"}
    counter = call_of(scene, "counter")

    def blocks(*each: Any, **more: Any) -> dict[str, Any]:
        return {"blockStateCalls": list(each), **more}

    rich = {"stateOverrides": {NOBODY: {"balance": "0xffffff", "stateDiff": {}}}}
    good: Good = [
        [blocks({})],
        [blocks({"calls": [pay, counter]}, {"calls": [counter]}), "latest"],
        [blocks({"calls": [pay]}, traceTransfers=True, validation=False, returnFullTransactions=True)],
        [blocks({"calls": [call_of(scene, "reverter", REASON), call_of(scene, "looper", gas="0x10000")]})],
        [blocks({**rich, "calls": [{"from": NOBODY, "to": sender, "value": "0x5"}]}, traceTransfers=True)],
        [blocks({"blockOverrides": {"number": "0x20", "time": "0xffffffff", "feeRecipient": NOBODY}})],
        [blocks({"calls": [pay | {"nonce": "0x7", "gas": "0x5208"}]}, validation=True), scene.block_hash],
        [
            blocks(
                {"calls": [{"gasPrice": "0x0", "input": hexed(init_code(COUNTER))}]},
                returnFullTransactions=True,
            )
        ],
        [
            blocks(
                {
                    "blockOverrides": {
                        "withdrawals": [
                            {"index": "0x0", "validatorIndex": "0x1", "address": NOBODY, "amount": "0x5"}
                        ]
                    }
                }
            )
        ],
        *([blocks({"calls": [counter]}), block] for block in blocks_of(scene)),
    ]
    bad: Bad = [
        ([], MISSING),
        ([5], BAD),
        ([{}], BAD),
        ([blocks()], BAD),
        ([blocks(5)], BAD),
        ([blocks({"calls": {}})], BAD),
        ([blocks({"calls": [5]})], BAD),
        ([blocks({}, validation="yes")], BAD),
        ([blocks({"blockOverrides": {"withdrawals": 5}})], BAD),
        ([blocks({}), "0x99999"], NOT_FOUND),
        ([blocks({"calls": [pay | {"nonce": "0x0"}]}, validation=True)], -38010),
        ([blocks({"calls": [pay | {"nonce": "0x99"}]}, validation=True)], -38011),
        ([blocks({"blockOverrides": {"baseFeePerGas": "0x9"}, "calls": [pay]}, validation=True)], -38012),
        ([blocks({"calls": [pay | {"gas": "0x1"}]})], -38013),
        ([blocks({"calls": [{"from": NOBODY, "to": sender, "value": hex(10**20)}]})], -38014),
        ([blocks({"blockOverrides": {"gasLimit": "0x5208"}, "calls": [pay | {"gas": "0x5209"}]})], -38015),
        ([blocks({"blockOverrides": {"number": "0x1"}})], -38020),
        ([blocks({"blockOverrides": {"time": "0x1"}})], -38021),
        ([blocks(_moved("0x" + "00" * 19 + "01", "0x" + "00" * 19 + "01"))], -38022),
        ([blocks(_moved_both("0x" + "c2" * 20))], -38023),
        ([blocks({"calls": [{"input": "0x" + "00" * 49_153}]})], -38025),
        ([blocks(*[{}] * 257)], -38026),
        ([blocks(_moved(NOBODY, ADDRESSES[0]))], NOT_FOUND),
    ]
    return {"eth_simulateV1": (good, bad)}


def _moved(source: str, target: str) -> dict[str, Any]:
    return {"stateOverrides": {source: {"movePrecompileToAddress": target}}}


def _moved_both(target: str) -> dict[str, Any]:
    names = ("0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02")
    return {"stateOverrides": {name: {"movePrecompileToAddress": target} for name in names}}


def _sending(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    sender, counter = ADDRESSES[3], scene.contracts["counter"]
    listed = [{"address": counter, "storageKeys": ["0x" + "00" * 32]}]
    drafts: list[Any] = [
        {"from": sender, "to": counter},
        {"from": sender, "to": NOBODY, "value": "0x1", "gas": "0x5208"},
        {"from": sender, "to": counter, "gasPrice": "0x0", "gas": "0x20000"},
        {
            "from": sender,
            "to": counter,
            "maxFeePerGas": "0x5",
            "maxPriorityFeePerGas": "0x1",
            "gas": "0x20000",
        },
        {"from": sender, "to": counter, "accessList": listed, "gas": "0x20000"},
        {"from": sender, "to": counter, "accessList": listed, "gasPrice": "0x1", "gas": "0x20000"},
        {"from": sender, "input": hexed(init_code(COUNTER)), "gas": "0x40000"},
        {
            "from": sender,
            "data": hexed(init_code(COUNTER)),
            "to": None,
            "chainId": "0x1c9f",
            "type": "0x0",
            "gas": "0x40000",
        },
        {"from": sender, "to": counter, "type": "0x2", "gas": "0x20000"},
    ]
    shapes: Bad = [([each], BAD) for each in BAD_CALLS] + [([], MISSING), ([drafts[0], 1], BAD)]
    unfit: Bad = [
        ([drafts[0] | {"chainId": "0x1"}], NOT_FOUND),
        ([drafts[0] | {"type": "0x3"}], NOT_FOUND),
        ([drafts[0] | {"type": "0x2", "gasPrice": "0x1"}], NOT_FOUND),
        ([drafts[0] | {"type": "0x0", "accessList": listed}], NOT_FOUND),
        ([drafts[0] | {"nonce": "0x" + "f" * 17}], BAD),
    ]
    stranger: Bad = [([drafts[0] | {"from": NOBODY}], NOT_FOUND), ([{"to": counter}], NOT_FOUND)]
    good_raw = signed(0, 7, NOBODY)
    raw_bad: Bad = [
        ([], MISSING),
        (["0x"], BAD),
        (["0x1"], BAD),
        ([5], BAD),
        (["0xc0"], BAD),
        (["0x03" + good_raw.hex()[2:]], NOT_FOUND),
        ([hexed(signed(0, 0, NOBODY))], NOT_FOUND),
        ([hexed(signed(0, 8, NOBODY, gas=20_000))], NOT_FOUND),
        ([hexed(signed(0, 8, NOBODY, gas=10**12))], NOT_FOUND),
        ([hexed(signed(0, 8, NOBODY, chain_id=1))], NOT_FOUND),
        ([hexed(signed(0, 8, NOBODY, maxFeePerGas=1, maxPriorityFeePerGas=2))], NOT_FOUND),
        ([hexed(signed(0, 8, NOBODY, value=10**30))], NOT_FOUND),
    ]
    return {
        "eth_sendRawTransaction": ([[hexed(good_raw)], [hexed(good_raw)], [hexed(signed(2, 9))]], raw_bad),
        "eth_sendTransaction": ([[each] for each in drafts], [*shapes, *unfit, *stranger]),
        "eth_signTransaction": ([[each] for each in drafts], [*shapes, *unfit, *stranger]),
        "eth_fillTransaction": (
            [*([each] for each in drafts), [{"to": counter}]],
            [*shapes, *unfit, ([call_of(scene, "reverter", REASON)], REVERTED)],
        ),
        "eth_sign": (
            [[sender, "0x"], [sender, "0xdeadbeef"], [sender, "0x" + "00" * 500]],
            [
                ([NOBODY, "0x"], NOT_FOUND),
                ([sender], MISSING),
                ([], MISSING),
                ([sender, "hello"], BAD),
                (["me", "0x"], BAD),
            ],
        ),
    }


def _debug(scene: Scene) -> dict[str, tuple[Good, Bad]]:
    mined = [value for name, value in scene.sent.items() if name != "waiting"]
    configs: list[Any] = [
        None,
        {},
        {"enableMemory": True, "enableReturnData": True},
        {"disableStack": True, "disableStorage": True},
        {"disableMemory": False, "limit": 3, "timeout": "5s", "debug": False},
        {"tracer": "", "tracerConfig": {}},
    ]
    named: list[Any] = [
        {"tracer": "callTracer"},
        {"tracer": "callTracer", "tracerConfig": {"withLog": True}, "timeout": "1m500ms"},
        {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}},
        {"tracer": "prestateTracer"},
        {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
    ]
    bad_configs: list[Any] = [
        5,
        "callTracer",
        {"tracer": 5},
        {"tracerConfig": 5},
        {"timeout": "soon"},
        {"timeout": 5},
        {"limit": -1},
        {"enableMemory": "yes"},
        {"tracer": "callTracer", "tracerConfig": {"withLog": 1}},
    ]
    head: Bad = [([each], BAD) for each in BAD_BLOCKS] + [([], MISSING), (["0x99999"], NOT_FOUND)]
    every = [*configs, *named]
    counter = call_of(scene, "counter")
    numbers = [*TAGS, hex(scene.height)]
    named_js: Bad = [([mined[0], {"tracer": "{step: function() {}}"}], NOT_FOUND)]
    return {
        "debug_traceTransaction": (
            [*([each] for each in mined), *([each, config] for each in mined for config in every)],
            [
                *(([mined[0], each], BAD) for each in bad_configs),
                *(([each], BAD) for each in BAD_HASHES),
                *named_js,
                ([NO_HASH], NOT_FOUND),
                ([], MISSING),
                ([mined[0], {}, {}], BAD),
            ],
        ),
        "debug_traceCall": (
            [
                [counter],
                *([counter, block] for block in blocks_of(scene)),
                *([counter, "latest", each] for each in every),
                *([call_of(scene, "reverter", REASON), "latest", each] for each in every),
                [
                    counter,
                    "latest",
                    {"stateOverrides": {NOBODY: {"balance": "0x5"}}, "blockOverrides": {"number": "0x9"}},
                ],
            ],
            [
                *(([counter, "latest", each], BAD) for each in bad_configs),
                *(([each], BAD) for each in BAD_CALLS),
                ([{"to": NOBODY, "gas": "0x1"}], NOT_FOUND),
                ([counter, "0x99999"], NOT_FOUND),
                ([], MISSING),
                ([counter, "latest", {"stateOverrides": 5}], BAD),
            ],
        ),
        "debug_traceBlockByNumber": (
            [
                *([block] for block in numbers if block != "earliest"),
                *([hex(scene.height), each] for each in every),
            ],
            [*head, (["0x0"], NOT_FOUND), (["earliest"], NOT_FOUND), ([hex(scene.height), 5], BAD)],
        ),
        "debug_traceBlockByHash": (
            [[scene.block_hash], *([scene.block_hash, each] for each in every)],
            [*(([each], BAD) for each in BAD_HASHES), ([NO_HASH], NOT_FOUND), ([scene.block_hash, 5], BAD)],
        ),
        "debug_getRawHeader": ([[block] for block in numbers], head),
        "debug_getRawBlock": ([[block] for block in numbers], head),
        "debug_getRawReceipts": ([[block] for block in numbers], head),
        "debug_getRawTransaction": (
            [*([each] for each in scene.sent.values()), ([NO_HASH], "0x")],
            [*(([each], BAD) for each in BAD_HASHES), ([], MISSING)],
        ),
        "debug_getBadBlocks": ([([], [])], [([1], BAD)]),
    }
