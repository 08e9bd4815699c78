"""What a JSON-RPC client may be answered instead of a result.

    RpcError
        ParseError          -32700  the body is not JSON
        InvalidRequest      -32600  JSON, but not a request
        MethodNotFound      -32601  no such method, or not without --test-methods
        InvalidParams       -32602  the method's parameters make no sense
        InternalError       -32603  our own bug
        ServerError         -32000  a refusal with its reason: a bad nonce, a lack of funds
        LimitExceeded       -32005  a cap of this node: steps, results, time
        ExecutionReverted   3       the contract refused; `data` is what it said

Codes follow JSON-RPC 2.0 section 5.1 and EIP-1474.
"""

from __future__ import annotations

from typing import Any


class RpcError(Exception):
    """A refusal with a JSON-RPC code; subclasses fix the code."""

    code = -32000

    def __init__(self, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """The `error` object of a JSON-RPC answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class ParseError(RpcError):
    """The body is not JSON."""

    code = -32700


class InvalidRequest(RpcError):
    """The body is JSON but not a JSON-RPC request."""

    code = -32600


class MethodNotFound(RpcError):
    """The method does not exist here."""

    code = -32601


class InvalidParams(RpcError):
    """The parameters do not fit the method."""

    code = -32602


class InternalError(RpcError):
    """A bug of ours; the log has the details."""

    code = -32603


class ServerError(RpcError):
    """A refusal with its reason."""

    code = -32000


class LimitExceeded(RpcError):
    """A cap of this node was reached."""

    code = -32005


class ExecutionReverted(RpcError):
    """The contract reverted; `data` holds the encoded error it gave."""

    code = 3
