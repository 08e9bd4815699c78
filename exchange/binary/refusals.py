"""What a client of the binary gateway is refused, each with its numbers.

Refusal
├── GatewayRefused    the gateway ended the connection, and said why
├── ServerUnproven    what answers on this port does not know the member's key, or is no gateway
├── OtherExchange     the exchange is not the one that the client was told to trade on
└── ConnectionEnded   the line broke without a word
"""

from __future__ import annotations

from chain.refusals import Refusal
from exchange.binary.wire import Code, read_refused


class GatewayRefused(Refusal):
    """The binary gateway ended the connection."""

    @classmethod
    def of(cls, record: bytes) -> GatewayRefused:
        """Return what the record says."""
        code, a, b = read_refused(record)
        name = Code(code).name if code in Code.__members__.values() else str(code)
        return cls(reason=name, a=a, b=b)


class ServerUnproven(Refusal):
    """What answers here does not know the member's key: it is not the exchange."""


class OtherExchange(Refusal):
    """This exchange settles on another chain or in another contract than the client was told."""


class ConnectionEnded(Refusal):
    """The connection ended without a word; retrying the ids tells what was done."""
