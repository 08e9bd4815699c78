"""The gateway: the exchange over loopback HTTP, for the API alone.

    app        the routes
    commands   POST /commands: a list of commands, done in order
    wire       JSON to the core's records, and its reports to JSON
    _fast      the frequent ones of both, compiled
    rendering  what readers see
    streaming  what changes, to everyone who listens
    requests   reading requests, writing answers

docs/spec/04-exchange.md, 4.20 to 4.23, says what can be asked and what is answered.
"""

from exchange.gateway.app import create_app
from exchange.gateway.requests import BODY_BYTES_MAX
from exchange.gateway.streaming import Stream

__all__ = ["BODY_BYTES_MAX", "Stream", "create_app"]
