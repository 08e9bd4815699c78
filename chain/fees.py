"""Fees: what a transaction must offer, read from the chain.

Free gas is a setting of a chain, not of ours: the embedded one charges nothing, and a consortium may do the
same. Where the network charges, a transaction offers twice the base fee of the newest block (it rises by an
eighth a block at most, EIP-1559) and the tip that the node suggests.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc, RpcError

_GOOD_FOR_S: Final = 3.0
_BUMP_PERCENT: Final = 25
"""Nodes ask for 10 % more before they replace a transaction (geth, Besu); 25 % gets there in fewer steps."""


@dataclass(frozen=True, slots=True)
class Fee:
    """Wei a unit of gas: at most `max_wei`, of which at most `tip_wei` above the base fee (EIP-1559)."""

    max_wei: int = 0
    tip_wei: int = 0

    def bumped(self, asked: Fee) -> Fee:
        """Return the fee of a replacement: what is asked now, and enough above this one to be taken."""
        return Fee(max(asked.max_wei, _more(self.max_wei)), max(asked.tip_wei, _more(self.tip_wei)))

    def covers(self, asked: Fee) -> bool:
        """Whether the network takes this, as far as one knows."""
        return self.max_wei >= asked.max_wei and self.tip_wei >= asked.tip_wei


FREE: Final = Fee()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the chain asks of the next transaction: a fee, and no more gas than a block holds."""

    fee: Fee
    block_gas: int | None = None

    def gas(self, wanted: int) -> int:
        """Return the gas limit to sign for what would like to have `wanted`."""
        return wanted if self.block_gas is None else min(wanted, self.block_gas)


class Fees:
    """The terms of one chain, asked anew every few seconds.

    Parameters
    ----------
    rpc :
        The chain; None for one that is known to be free and to set no bounds: the embedded one.
    tip_wei_min :
        The least tip to offer, for networks whose nodes suggest less than they pass on.
    """

    def __init__(self, rpc: ChainRpc | None, tip_wei_min: int = 0) -> None:
        self._rpc = rpc
        self._tip_wei_min = tip_wei_min
        self._terms = Terms(FREE)
        self._until_s = 0.0
        self._lock = threading.Lock()

    def terms(self) -> Terms:
        """Return what the chain asks now; raises ChainUnreachable."""
        if self._rpc is None:
            return self._terms
        with self._lock:
            if time.monotonic() >= self._until_s:
                self._terms = self._ask(self._rpc)
                self._until_s = time.monotonic() + _GOOD_FOR_S
            return self._terms

    def _ask(self, rpc: ChainRpc) -> Terms:
        head, tip, price = rpc.batch(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_maxPriorityFeePerGas", []),
                ("eth_gasPrice", []),
            ]
        )
        if not isinstance(head, dict):
            raise ChainUnreachable(reason=f"no newest block: {head}"[:200])
        base_wei = int(head.get("baseFeePerGas") or "0x0", 16)
        tip_wei = max(self._tip_wei(tip, price, base_wei), self._tip_wei_min)
        return Terms(Fee(2 * base_wei + tip_wei, tip_wei), int(head["gasLimit"], 16))

    def _tip_wei(self, tip: Any, price: Any, base_wei: int) -> int:
        """Return the tip that the node suggests; one without that method tells it by its gas price."""
        if not isinstance(tip, RpcError):
            return int(tip, 16)
        return 0 if isinstance(price, RpcError) else max(0, int(price, 16) - base_wei)


def _more(wei: int) -> int:
    return wei + max(1, wei * _BUMP_PERCENT // 100)
