"""`eth_`: what this chain is, where it stands, and what it costs, which is nothing."""

from __future__ import annotations

import zlib
from typing import Any

from eth.vm.forks.cancun.constants import BLOB_BASE_FEE_UPDATE_FRACTION, MIN_BLOB_BASE_FEE

from chain.node.blocks import Block
from chain.node.errors import InvalidParams
from chain.node.fork import COINBASE
from chain.node.formats import checksum, hex_bytes, hex_int, param, read_int
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.tags import existing_block

_MAX_FEE_HISTORY = 1_024
_MAX_PERCENTILES = 100
# EIP-4844's, as every Cancun chain has them; this one takes no blobs all the same.
_BLOBS_TARGET, _BLOBS_MAX = 3, 6
_PRECOMPILES = (
    "ECREC",
    "SHA256",
    "RIPEMD160",
    "ID",
    "MODEXP",
    "BN254_ADD",
    "BN254_MUL",
    "BN254_PAIRING",
    "BLAKE2F",
    "KZG_POINT_EVALUATION",
)


def chain_id(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The chain id that transactions must be signed for."""
    return hex_int(node.settings.chain_id)


def block_number(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The head's number."""
    return hex_int(node.head.number)


def gas_price(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Zero: nobody pays."""
    return hex_int(0)


def base_fee(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The next block's base fee: the head's, as it never moves."""
    return hex_int(_base_fee(node.head))


def blob_base_fee(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The least there is: no blob was ever taken."""
    return hex_int(MIN_BLOB_BASE_FEE)


def syncing(node: Node, params: list[Any]) -> bool:  # noqa: ARG001
    """Never: there is nobody to catch up with."""
    return False


def coinbase(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Who gets the tips that somebody may offer."""
    return checksum(COINBASE)


def accounts(node: Node, params: list[Any]) -> list[str]:  # noqa: ARG001
    """The unlocked test accounts."""
    return [checksum(address) for address in node.unlocked.addresses()]


def config(node: Node, params: list[Any]) -> dict[str, Any]:  # noqa: ARG001
    """EIP-7910: Cancun from the genesis on, and nothing after it."""
    genesis = node.history.at(0)
    assert genesis is not None
    current = {
        "activationTime": 0,
        "blobSchedule": {
            "target": _BLOBS_TARGET,
            "max": _BLOBS_MAX,
            "baseFeeUpdateFraction": BLOB_BASE_FEE_UPDATE_FRACTION,
        },
        "chainId": hex_int(node.settings.chain_id),
        # EIP-6122: every fork is active in the genesis, so the genesis alone is hashed.
        "forkId": hex_bytes(zlib.crc32(genesis.hash).to_bytes(4, "big")),
        "precompiles": {
            name: checksum(number.to_bytes(20, "big")) for number, name in enumerate(_PRECOMPILES, 1)
        },
        "systemContracts": {},
    }
    return {"current": current, "next": None, "last": None}


def capabilities(node: Node, params: list[Any]) -> dict[str, Any]:  # noqa: ARG001
    """What can be asked of which blocks: everything of all, but states that are pruned."""
    everything = {"disabled": False, "oldestBlock": hex_int(0)}
    states: dict[str, Any] = {"disabled": False, "oldestBlock": hex_int(node.first_kept)}
    if node.settings.keep_states is not None:
        window = {"type": "window", "retentionBlocks": hex_int(node.settings.keep_states)}
        states["deleteStrategy"] = window
    head = {"number": hex_int(node.head.number), "hash": hex_bytes(node.head.hash)}
    rest = dict.fromkeys(("tx", "logs", "receipts", "blocks"), everything)
    return {"head": head, "state": states, **rest, "stateproofs": states}


def fee_history(node: Node, params: list[Any]) -> dict[str, Any]:
    """Base fees, gas and tips of past blocks. Of no blocks, empty lists."""
    count = min(read_int(param(params, 0), "blockCount"), _MAX_FEE_HISTORY)
    newest = existing_block(node, param(params, 1, "latest")).number
    percentiles = _percentiles(param(params, 2, None))
    oldest = max(0, newest - count + 1) if count else 0
    numbers = range(oldest, newest + 1) if count else range(0)
    blocks = [block for n in numbers if (block := node.history.at(n)) is not None]
    fees = [_base_fee(block) for block in blocks]
    shown: dict[str, Any] = {
        "oldestBlock": hex_int(oldest),
        "baseFeePerGas": [hex_int(fee) for fee in fees + fees[-1:]],
        "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
        "baseFeePerBlobGas": [hex_int(MIN_BLOB_BASE_FEE) for _ in fees + fees[-1:]],
        "blobGasUsedRatio": [0.0 for _ in blocks],
    }
    if percentiles:
        shown["reward"] = [_rewards(block, percentiles) for block in blocks]
    return shown


def _percentiles(value: Any) -> list[float]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MAX_PERCENTILES:
        raise InvalidParams(f"rewardPercentiles: expected a list of at most {_MAX_PERCENTILES}")
    for at, each in enumerate(value):
        if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each <= 100:
            raise InvalidParams(f"rewardPercentiles: {str(each)[:40]} is no percentage")
        if at and each < value[at - 1]:
            raise InvalidParams(f"rewardPercentiles: {each} after {value[at - 1]}")
    return value


def _rewards(block: Block, percentiles: list[float]) -> list[str]:
    """The tips at these shares of the block's gas, transactions in the order of their tips."""
    tips = sorted(
        (transaction.gas_price - _base_fee(block), receipt.gas_used)
        for transaction, receipt in zip(block.transactions, block.receipts, strict=True)
    )
    rewards: list[str] = []
    used = block.header.gas_used
    at, reached = 0, tips[0][1] if tips else 0
    for share in percentiles:
        while at + 1 < len(tips) and reached * 100 < share * used:
            at += 1
            reached += tips[at][1]
        rewards.append(hex_int(tips[at][0] if tips else 0))
    return rewards


def _base_fee(block: Block) -> int:
    return int(block.header.base_fee_per_gas or 0)


METHODS: dict[str, Method] = {
    "eth_chainId": chain_id,
    "eth_blockNumber": block_number,
    "eth_gasPrice": gas_price,
    "eth_maxPriorityFeePerGas": gas_price,
    "eth_baseFee": base_fee,
    "eth_blobBaseFee": blob_base_fee,
    "eth_syncing": syncing,
    "eth_coinbase": coinbase,
    "eth_accounts": accounts,
    "eth_config": config,
    "eth_capabilities": capabilities,
    "eth_feeHistory": fee_history,
}
