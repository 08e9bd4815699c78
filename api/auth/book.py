"""Which role an account has now: its kind in the ledger, else an operator's right on chain, else none.

Kinds are the registrar's to give; an operator's right is not. So an account of kind `regulator` or `bank` has
that role only with the role of the AccessManager, like every operator.
"""

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

# Operators need no account in the ledger, and one gives them nothing: their right is the AccessManager's.
_OPERATORS: Final = (
    (ChainRole.REGULATOR, Role.REGULATOR),
    (ChainRole.REGISTRAR, Role.REGISTRAR),
    (ChainRole.BANK, Role.BANK),
    (ChainRole.POINTS, Role.POINTS),
    (ChainRole.EXCHANGE, Role.EXCHANGE),
)
_REMEMBERED_S: Final = 30
_REMEMBERED_MAX: Final = 4_096
_KINDS: Final = (Role.FIRM, Role.VERIFIER, Role.PERSON, Role.DEVELOPER, Role.PROVIDER, Role.TRADER)
_ROLE_OF_KIND: Final = {role.value: role for role in _KINDS}


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
            if row is not None and row.kind in _ROLE_OF_KIND:
                return _ROLE_OF_KIND[row.kind]
        return self._operator_role(account, int(time.monotonic()) // _REMEMBERED_S)

    def _read_operator_role(self, account: str, _span: int) -> Role:
        for chain_role, role in _OPERATORS:
            held = self._transactor.read(Call("AccessManager", "hasRole", (int(chain_role), account)))
            if held["isMember"]:
                return role
        return Role.PUBLIC
