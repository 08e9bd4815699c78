"""Members' keys for the binary gateway: each account gets its own here, once it is signed in.

A key is made of the account and a secret of the keyring (docs/spec/09-binary-gateway.md 9.2); it is stored
nowhere and written into no log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from api.schemas.market import MemberKey
from chain.deployment import Deployment
from chain.refusals import Refusal
from exchange.binary import member_key


class BinaryGatewayClosed(Refusal):
    """The exchange has no binary gateway open; `carat up --binary-port` opens one."""


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """Makes members' keys. `note` is where a running gateway says where it listens."""

    deployment: Deployment
    note: Path
    secret: bytes = field(repr=False)

    def of(self, account: str) -> MemberKey:
        """Return an account's key and where to use it; raises BinaryGatewayClosed."""
        try:
            listens = json.loads(self.note.read_bytes())
            host, port = str(listens["host"]), int(listens["port"])
        except (OSError, ValueError, KeyError, TypeError):
            raise BinaryGatewayClosed() from None
        return MemberKey(
            account=account,
            key=member_key(self.secret, bytes.fromhex(account[2:])).hex(),
            host=host,
            port=port,
            chain_id=self.deployment.chain_id,
            clearing=self.deployment.addresses["Clearing"],
        )
