"""JSON-RPC to any EVM node, one call or many at once.

A thin coat over web3's HTTP provider: batches, one error tree, thread-safe, safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from chain.refusals import ChainUnreachable

_TRANSPORT_ERRORS: Final = (requests.RequestException, ConnectionError, TimeoutError, ValueError)


class RpcError(Exception):
    """The node's own "no": a JSON-RPC error with its code and data."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method, self.code, self.message, self.data = method, code, message, data


class ChainRpc:
    """Calls to one node."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        self.url = url
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_s},
            exception_retry_configuration=None,  # what may be repeated is decided by who calls
        )

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises
        ------
        RpcError :
            The node answered with an error.
        ChainUnreachable :
            No answer came.
        """
        try:
            response = self._provider.make_request(RPCEndpoint(method), list(params))
        except _TRANSPORT_ERRORS as error:
            raise ChainUnreachable(url=self.url, reason=type(error).__name__) from error
        return _result(method, response)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of many calls sent as one request; a failed one gives its RpcError in place."""
        if not calls:
            return []
        try:
            responses = self._provider.make_batch_request(
                [(RPCEndpoint(method), list(params)) for method, params in calls]
            )
        except _TRANSPORT_ERRORS as error:
            raise ChainUnreachable(url=self.url, reason=type(error).__name__) from error
        if not isinstance(responses, list):  # the whole batch was refused
            return [_outcome("batch", responses)] * len(calls)
        if len(responses) != len(calls):
            raise ChainUnreachable(url=self.url, reason=f"{len(responses)} answers to {len(calls)} calls")
        return [_outcome(method, answer) for (method, _), answer in zip(calls, responses, strict=True)]


def _result(method: str, response: Any) -> Any:
    error = response.get("error")
    if error is not None:
        raise RpcError(method, error.get("code", 0), error.get("message", ""), error.get("data"))
    return response.get("result")


def _outcome(method: str, response: Any) -> Any:
    try:
        return _result(method, response)
    except RpcError as error:
        return error
