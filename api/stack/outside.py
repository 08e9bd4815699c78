"""A chain that others run: where it is found, and how acts are delivered there.

Given on the command line or in the environment, and kept in the data directory (`chain.json`), so that every
later command on that directory works on the same chain and starts no node of its own.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Final, Self

from api.stack.paths import DataDirectory, read_json, write_json
from chain.delivery import Manner
from chain.fees import Fees
from chain.finality import Finality
from chain.patience import with_patience
from chain.refusals import ChainUnreachable, Refusal
from chain.rpc import ChainRpc, RpcError, chain_urls

CONFIRMATIONS: Final = "12"
"""Blocks on top before an act counts, unless told otherwise. Public proof-of-work chains settled on as many;
a consortium's engine with finality (QBFT) needs 0, one without (Clique) half its authorities and one."""

URL_VARIABLE: Final = "CARAT_CHAIN_URL"
CONFIRMATIONS_VARIABLE: Final = "CARAT_CHAIN_CONFIRMATIONS"
TIP_VARIABLE: Final = "CARAT_CHAIN_TIP_WEI"
_PATIENCE_S: Final = 120.0
_GREETING_S: Final = 5.0


class TipMalformed(Refusal):
    """The least tip is a whole number of wei."""


class ChainsDiffer(Refusal):
    """The addresses given are not all of one chain."""


@dataclass(frozen=True, slots=True)
class OutsideChain:
    """Addresses of the chain's nodes (with commas), `chain.finality` as text, the least tip in wei."""

    urls: str
    confirmations: str = CONFIRMATIONS
    tip_wei: int = 0

    @classmethod
    def of(cls, url: str | None = None, confirmations: str | None = None) -> Self | None:
        """Return the chain that options or the environment name; None where neither does.

        Raises
        ------
        ChainUrlMalformed, FinalityUnknown, TipMalformed
        """
        urls = url or os.environ.get(URL_VARIABLE, "")
        if not urls:
            return None
        depth = confirmations or os.environ.get(CONFIRMATIONS_VARIABLE, "") or CONFIRMATIONS
        tip = os.environ.get(TIP_VARIABLE, "") or "0"
        if not (tip.isascii() and tip.isdigit()):
            raise TipMalformed(given=tip[:40])
        return cls(",".join(chain_urls(urls)), str(Finality.parse(depth)), int(tip))

    @classmethod
    def kept(cls, data: DataDirectory) -> Self | None:
        """Return the chain that this directory was set up for; None for the embedded one."""
        known = read_json(data.outside_chain)
        if not known:
            return None
        return cls(known["urls"], known["confirmations"], known["tip_wei"])

    def keep(self, data: DataDirectory) -> None:
        """Write down that this directory works on this chain."""
        data.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(data.outside_chain, asdict(self))

    def greet(self) -> None:
        """Make sure that somebody answers there, before anything is made for it.

        Raises
        ------
        ChainUnreachable :
            Nobody does within a few seconds, or what answers is no chain. Later the same waits for minutes.
        ChainsDiffer :
            Two of the addresses are of different chains.
        """
        chain_ids = with_patience(self._chain_ids, _GREETING_S)
        if len(set(chain_ids.values())) > 1:
            raise ChainsDiffer(chain_ids=", ".join(f"{url} {found}" for url, found in chain_ids.items()))

    def _chain_ids(self) -> dict[str, str]:
        found: dict[str, str] = {}
        refusal: ChainUnreachable | None = None
        for url in chain_urls(self.urls):
            try:
                found[url] = str(ChainRpc(url, timeout_s=_GREETING_S).call("eth_chainId"))
            except ChainUnreachable as error:
                refusal = error
            except RpcError as error:
                refusal = ChainUnreachable(url=url, reason=error.message[:200])
        if refusal is not None and not found:
            raise refusal
        return found

    @property
    def manner(self) -> Manner:
        """How acts are delivered there."""
        return Manner(finality=Finality.parse(self.confirmations), patience_s=_PATIENCE_S)

    def fees(self, rpc: ChainRpc) -> Fees:
        """Return what the network charges."""
        return Fees(rpc, self.tip_wei)

    def environment(self) -> dict[str, str]:
        """Return what the API process has to know of it."""
        return {
            URL_VARIABLE: self.urls,
            CONFIRMATIONS_VARIABLE: self.confirmations,
            TIP_VARIABLE: str(self.tip_wei),
        }
