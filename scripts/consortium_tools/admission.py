"""Who may send, kept in step with the register of accounts: an account that the registrar opens on chain may.

Besu's list of permitted accounts is each node's own. Each authority runs this beside its node; all read the
same chain, so all come to the same list, and no authority has to be told by another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eth_utils.address import is_hex_address

from chain.deployment import Deployment
from chain.events import EventReader
from chain.rpc import ChainRpc, RpcError
from consortium_tools.errors import ConsortiumError

_ADDRESSES_A_REQUEST: Final = 500


class Admission:
    """Adds accounts to one node's list of permitted senders; takes none away.

    Parameters
    ----------
    rpc :
        The authority's own node, with Besu's PERM methods.
    """

    def __init__(self, rpc: ChainRpc) -> None:
        self._rpc = rpc
        self._next_block = 0

    def permitted(self) -> set[str]:
        """Return who may send, in small letters; raises ConsortiumError where the node keeps no list."""
        try:
            return {each.lower() for each in self._rpc.call("perm_getAccountsAllowlist")}
        except RpcError as error:
            raise ConsortiumError(f"{self._rpc.url} keeps no list of accounts: {error.message}") from None

    def admit(self, accounts: Iterable[str]) -> list[str]:
        """Let these accounts send; returns those that could not before.

        Raises
        ------
        ConsortiumError :
            One is no address (nothing is done then), or the node refuses.
        """
        wanted = {each.lower() for each in accounts}
        malformed = sorted(each for each in wanted if not is_hex_address(each))
        if malformed:
            raise ConsortiumError(f"no address: {', '.join(malformed)}")
        new = sorted(wanted - self.permitted())
        for start in range(0, len(new), _ADDRESSES_A_REQUEST):
            part = new[start : start + _ADDRESSES_A_REQUEST]
            try:
                answer = self._rpc.call("perm_addAccountsToAllowlist", part)
            except RpcError as error:
                raise ConsortiumError(f"{self._rpc.url} refuses accounts: {error.message}") from None
            if answer != "Success":
                raise ConsortiumError(f"{self._rpc.url} refuses accounts: {answer}")
        return new

    def admit_opened(self, deployment: Deployment) -> list[str]:
        """Let every account send that the register opened since the last call."""
        reader = EventReader(self._rpc, deployment, ("CarbonLedger",))
        head = reader.head()
        opened = {
            event.args["account"]
            for event in reader.read(self._next_block, head)
            if event.name == "AccountOpened"
        }
        admitted = self.admit(opened) if opened else []
        self._next_block = head + 1
        return admitted
