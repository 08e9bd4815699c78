"""From a request's body to its answer: parsing, finding the method, errors, batches.

Within a batch requests run in order. Transactions sent one after the other go into one block: it is built
when something else is asked, or the batch ends. A batch that takes long lets others in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from copy import copy
from typing import Any

import orjson

from chain.node.commit import Committer
from chain.node.errors import (
    InternalError,
    InvalidParams,
    InvalidRequest,
    LimitExceeded,
    MethodNotFound,
    ParseError,
    RpcError,
)
from chain.node.node import Node
from chain.node.rpc import carat, debug, eth, evm, net, polling, txpool
from chain.node.rpc.arity import check_count
from chain.node.rpc.sending import SENDING, SIGNING, Sent
from chain.node.rpc.table import Method

MAX_BATCH = 10_000
MAX_ANSWER_BYTES = 256 * 1024 * 1024
_TURN_SECONDS = 0.05
# Answered while a block is being built, as the chain was before it. All else has the block finished first.
READS = frozenset({
    "eth_blockNumber", "eth_call", "eth_chainId", "eth_gasPrice", "eth_getBalance", "eth_getBlockByHash",
    "eth_getBlockByNumber", "eth_getBlockReceipts", "eth_getCode", "eth_getLogs", "eth_getStorageAt",
    "eth_getTransactionReceipt", "net_version", "web3_clientVersion",
})  # fmt: skip

_log = logging.getLogger(__name__)


class Dispatcher:
    """Answers JSON-RPC bodies."""

    def __init__(self, node: Node, committer: Committer) -> None:
        self._node = node
        self._committer = committer
        self._methods: dict[str, Method] = {
            **eth.METHODS,
            **net.METHODS,
            **debug.METHODS,
            **carat.METHODS,
            **txpool.METHODS,
            **polling.methods(node),
        }
        self._sending = {"eth_sendRawTransaction": SENDING["eth_sendRawTransaction"]}
        if node.settings.test_methods:
            self._methods |= evm.METHODS | SIGNING
            self._sending = SENDING

    @property
    def methods(self) -> frozenset[str]:
        """The names of all methods."""
        return frozenset(self._methods) | frozenset(self._sending)

    def with_methods(self, methods: dict[str, Method]) -> Dispatcher:
        """The same, with filters and pool shared, and some methods more."""
        more = copy(self)
        more._methods = {**self._methods, **methods}
        return more

    async def answer(self, body: bytes) -> bytes:
        """The JSON answer to a JSON body, single or batch; empty if nothing is to be answered."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _dump(_failed(None, ParseError(f"parse error: {error}")))
        if not isinstance(request, list):
            answers = await self._run([request])
            return _dump(answers[0]) if answers else b""
        if not request:
            return _dump(_failed(None, InvalidRequest("empty batch")))
        if len(request) > MAX_BATCH:
            return _dump(
                _failed(None, InvalidRequest(f"batch of {len(request)} requests, limit {MAX_BATCH}"))
            )
        answers = await self._run(request)
        return _dump(answers) if answers else b""

    async def _run(self, requests: list[Any]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        waiting: list[tuple[int, Any, Sent]] = []
        size, turn = 0, time.monotonic()
        for request in requests:
            try:
                request_id, method, params = _read(request)
            except RpcError as error:
                answers.append(_failed(_id_of(request), error))
                continue
            send = self._sending.get(method)
            if send is None and waiting:
                await self._settle(waiting, answers)
            if not waiting and time.monotonic() - turn > _TURN_SECONDS:
                await asyncio.sleep(0)
                turn = time.monotonic()
            try:
                if size > MAX_ANSWER_BYTES:
                    raise LimitExceeded(f"the batch's answers are larger than {MAX_ANSWER_BYTES} bytes")
                check_count(method, params)
                if method not in READS:
                    self._node.finish_block()
                result = self._find(method)(self._node, params) if send is None else send(self._node, params)
                if isinstance(result, Sent):
                    waiting.append((len(answers), request_id, result))
                    result = None
                elif len(requests) > 1:
                    text = orjson.dumps(result)
                    size += len(text)
                    result = orjson.Fragment(text)
                answers.append({"jsonrpc": "2.0", "id": request_id, "result": result})
            except RpcError as error:
                answers.append(_failed(request_id, error))
            except Exception as error:  # whatever a client sends, the server goes on  # noqa: BLE001
                answers.append(_failed(request_id, _internal(method, error)))
        if waiting:
            await self._settle(waiting, answers)
        return [
            answer for answer, request in zip(answers, requests, strict=True) if not _is_notification(request)
        ]

    async def _settle(self, waiting: list[tuple[int, Any, Sent]], answers: list[dict[str, Any]]) -> None:
        problem: RpcError | None = None
        if any(sent.waits for _, _, sent in waiting):
            try:
                await self._committer.durable()
            except Exception as error:  # noqa: BLE001
                problem = _internal("building a block", error)
        for index, request_id, sent in waiting:
            try:
                if problem is not None and sent.waits:
                    raise problem
                answers[index]["result"] = sent.answer(self._node)
            except RpcError as error:
                answers[index] = _failed(request_id, error)
        waiting.clear()

    def _find(self, name: str) -> Method:
        method = self._methods.get(name)
        if method is None:
            raise MethodNotFound(f"the method {name[:80]} does not exist/is not available")
        return method


def _read(request: Any) -> tuple[Any, str, list[Any]]:
    if not isinstance(request, dict):
        raise InvalidRequest("a request is an object")
    request_id = request.get("id")
    if not _may_be_id(request_id):
        raise InvalidRequest("id: expected a string, a number or null")
    if request.get("jsonrpc", "2.0") != "2.0":
        raise InvalidRequest("jsonrpc: expected 2.0")
    method = request.get("method")
    if not isinstance(method, str):
        raise InvalidRequest("method: expected a string")
    params = request.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise InvalidParams("params: expected a list")
    return request_id, method, params


def _id_of(request: Any) -> Any:
    request_id = request.get("id") if isinstance(request, dict) else None
    return request_id if _may_be_id(request_id) else None


def _may_be_id(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _is_notification(request: Any) -> bool:
    return isinstance(request, dict) and "id" not in request and isinstance(request.get("method"), str)


def _failed(request_id: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}


def _internal(method: str, error: Exception) -> InternalError:
    _log.error("%s failed", method, exc_info=error)
    return InternalError(f"internal error: {type(error).__name__}")


def _dump(answer: Any) -> bytes:
    return orjson.dumps(answer)
