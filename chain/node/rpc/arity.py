"""How many parameters a method may have: more than it reads would be ignored, which nobody wants."""

from __future__ import annotations

from typing import Any

from chain.node.errors import InvalidParams

_NONE = (
    "eth_accounts eth_baseFee eth_blobBaseFee eth_blockNumber eth_capabilities eth_chainId eth_coinbase "
    "eth_config eth_gasPrice eth_maxPriorityFeePerGas eth_newBlockFilter eth_syncing debug_getBadBlocks "
    "net_listening net_peerCount net_version txpool_content txpool_inspect txpool_status "
    "web3_clientVersion evm_snapshot"
)
_ONE = (
    "eth_fillTransaction eth_getRawTransactionByHash eth_getBlockReceipts "
    "eth_getBlockTransactionCountByHash eth_getBlockTransactionCountByNumber eth_getFilterChanges "
    "eth_getFilterLogs eth_getLogs eth_getTransactionByHash eth_getTransactionReceipt "
    "eth_getUncleCountByBlockHash eth_getUncleCountByBlockNumber eth_newFilter "
    "eth_newPendingTransactionFilter eth_sendRawTransaction eth_sendTransaction eth_signTransaction "
    "eth_uninstallFilter eth_unsubscribe debug_getRawBlock debug_getRawHeader debug_getRawReceipts "
    "debug_getRawTransaction txpool_contentFrom web3_sha3 carat_getSeal carat_getRules"
)
_TWO = (
    "eth_getRawTransactionByBlockNumberAndIndex eth_getRawTransactionByBlockHashAndIndex "
    "eth_createAccessList eth_getBalance eth_getBlockByHash eth_getBlockByNumber eth_getCode "
    "eth_getStorageValues eth_getTransactionByBlockHashAndIndex eth_getTransactionByBlockNumberAndIndex "
    "eth_getTransactionCount eth_sign eth_simulateV1 eth_subscribe debug_traceBlockByHash "
    "debug_traceBlockByNumber debug_traceTransaction"
)
_THREE = "eth_feeHistory eth_getProof eth_getStorageAt debug_traceCall"
_FOUR = "eth_call eth_estimateGas"

MOST: dict[str, int] = {
    name: count for count, names in enumerate((_NONE, _ONE, _TWO, _THREE, _FOUR)) for name in names.split()
}


def check_count(method: str, params: list[Any]) -> None:
    """Refuse more parameters than the method reads; test methods aside: every tool calls them its way."""
    most = MOST.get(method)
    if most is not None and len(params) > most:
        raise InvalidParams(f"too many arguments, want at most {most}")
