"""The binary gateway: the fast way in for trading members, beside HTTP. Fixed records over TCP.

    wire              records of the handshake, keys and proofs
    filters, hot      what passes between member and sequencer (`_native.pyx`: the same, compiled)
    session, gateway  one connection; all of them, `serve`
    client, load      for members; for measuring

docs/spec/09-binary-gateway.md is the protocol.
"""

from __future__ import annotations

from exchange.binary.client import AsyncBinaryClient, BinaryClient
from exchange.binary.gateway import Gateway, Limits, serve
from exchange.binary.wire import member_key

MEMBERS_LABEL = "exchange-members"
"""Names the keyring's secret that members' keys are made from: not the one that the API shares with HTTP."""

__all__ = ["MEMBERS_LABEL", "AsyncBinaryClient", "BinaryClient", "Gateway", "Limits", "member_key", "serve"]
