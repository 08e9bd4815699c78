"""Which role an account has now: its kind in the ledger, else an operator's right on chain, else none."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

from api.auth.roles import Role
from chain.abi import Call
from chain.roles import Role as ChainRole
from chain.transactor import Transactor
from registry.projection.store import Projection
from registry.projection.tables import Account

# Operators need no account in the ledger: their right is a role of the AccessManager.
_OPERATORS: Final = (
    (ChainRole.REGULATOR, Role.REGULATOR),
    (ChainRole.REGISTRAR, Role.REGISTRAR),
    (ChainRole.BANK, Role.BANK),
    (ChainRole.POINTS, Role.POINTS),
    (ChainRole.EXCHANGE, Role.EXCHANGE),
)
_REMEMBERED_S: Final = 30
_REMEMBERED_MAX: Final = 4_096
_KINDS: Final = frozenset(role.value for role in Role)


class RoleBook:
    """Looks roles up; an operator's right is remembered for half a minute."""

    def __init__(self, projection: Projection, transactor: Transactor) -> None:
        self._projection = projection
        self._transactor = transactor
        self._operator_role = lru_cache(maxsize=_REMEMBERED_MAX)(self._read_operator_role)

    def role_of(self, account: str) -> Role:
        """Return the role of an account; raises ChainUnreachable."""
        with self._projection.session() as session:
            row = session.get(Account, account)
            if row is not None and row.kind in _KINDS:
                return Role(row.kind)
        return self._operator_role(account, int(time.monotonic()) // _REMEMBERED_S)

    def _read_operator_role(self, account: str, _span: int) -> Role:
        for chain_role, role in _OPERATORS:
            held = self._transactor.read(Call("AccessManager", "hasRole", (int(chain_role), account)))
            if held["isMember"]:
                return role
        return Role.PUBLIC
