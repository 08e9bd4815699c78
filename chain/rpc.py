"""JSON-RPC to any EVM node, one call or many at once; one node, or several of the same chain.

One error tree, thread-safe, and nothing is repeated on the same node: what may be repeated is decided by who
calls. Where several addresses are given, a node that does not answer is left for the next one, which must not
be behind what was seen before (`chain.height`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import orjson
import requests

from chain.height import Height
from chain.refusals import ChainBehind, ChainUnreachable, ChainUrlMalformed

_CONNECT_S_MAX: Final = 5.0
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}
# requests raises both; the last two when an answer is no JSON-RPC.
_TRANSPORT_ERRORS: Final = (requests.RequestException, OSError, ValueError, TypeError)
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}

T = TypeVar("T")


class RpcError(Exception):
    """The node's own "no": a JSON-RPC error with its code and data."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method, self.code, self.message, self.data = method, code, message, data


def chain_urls(text: str) -> list[str]:
    """Return the addresses in a setting, commas between them; raises ChainUrlMalformed."""
    urls = [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(url.split()) != 1:
            raise ChainUrlMalformed(given=url[:200])
    if not urls:
        raise ChainUrlMalformed(given=text[:200])
    return urls


class ChainRpc:
    """Calls to one chain.

    Parameters
    ----------
    url :
        The node's address, or those of several nodes of the same chain, commas between them.
    timeout_s :
        How long one request may take.
    """

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        self.url = url
        self.height = Height()
        self._nodes = [_Node(each, timeout_s) for each in chain_urls(url)]
        self._used = 0
        self._switching = threading.Lock()

    @property
    def several(self) -> bool:
        """Whether more than one node may answer."""
        return len(self._nodes) > 1

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises
        ------
        RpcError :
            The node answered with an error.
        ChainUnreachable :
            No answer came, from any node.
        """
        return _result(method, self._ask(lambda node: node.one(method, params)))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of many calls sent as one request; a failed one gives its RpcError in place."""
        if not calls:
            return []
        answers = self._ask(lambda node: node.many(calls))
        return [_outcome(method, answer) for (method, _), answer in zip(calls, answers, strict=True)]

    def batch_at_head(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The same, from a node that is not behind a block seen before; raises ChainBehind."""
        if not calls:
            return []
        head, *answers = self.batch([("eth_blockNumber", ()), *calls])
        if not isinstance(head, RpcError):
            self.height.require(int(head, 16))
        return answers

    def at_head(self, method: str, *params: Any) -> Any:
        """Return the result of one call, from a node that is not behind a block seen before."""
        (answer,) = self.batch_at_head([(method, params)])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def head(self) -> int:
        """Return the newest block's number; raises ChainBehind if it was seen to be higher before."""
        block = int(self.call("eth_blockNumber"), 16)
        self.height.require(block)
        return block

    def _ask(self, ask: Callable[[_Node], T]) -> T:
        failures: list[ChainUnreachable] = []
        for attempt in range(len(self._nodes)):
            place = self._used
            node = self._nodes[place]
            try:
                if attempt:
                    self._require_not_behind(node)
                return node.ask(ask)
            except ChainBehind as refusal:
                failures.append(refusal)
            except _TRANSPORT_ERRORS as error:
                reason = str(error)[:200] if isinstance(error, _AnswerMalformed) else type(error).__name__
                failures.append(ChainUnreachable(url=node.url, reason=reason))
            self._leave(place)
        # That all are away weighs more than that one is behind.
        raise next((each for each in failures if not isinstance(each, ChainBehind)), failures[0])

    def _require_not_behind(self, node: _Node) -> None:
        if self.height.newest >= 0:
            head = node.ask(lambda each: each.one("eth_blockNumber", ()))
            self.height.require(int(_result("eth_blockNumber", head), 16))

    def _leave(self, place: int) -> None:
        with self._switching:
            if self._used == place:  # nobody else has left it meanwhile
                self._used = (place + 1) % len(self._nodes)


class _AnswerMalformed(ValueError):
    """An answer that is none to what was asked."""


class _Node:
    """One address: a connection a thread, and each answer held against the request by its id."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self._timeout_s = (min(_CONNECT_S_MAX, timeout_s), timeout_s)
        self._ids = itertools.count(1)
        self._here = threading.local()

    def ask(self, ask: Callable[[_Node], T]) -> T:
        """Ask on this thread's connection; one on which anything went wrong may hold a stray answer."""
        try:
            return ask(self)
        except BaseException:
            self._hang_up()
            raise

    def one(self, method: str, params: Sequence[Any]) -> Mapping[str, Any]:
        request_id = next(self._ids)
        answer = self._post({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        # An error before the request was understood carries no id.
        if not isinstance(answer, dict) or answer.get("id", request_id) not in (request_id, None):
            raise _AnswerMalformed("another request was answered")
        return answer

    def many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Mapping[str, Any]]:
        first = next(self._ids) << 24  # no id of another request, so that a stray answer is noticed
        ids = range(first, first + len(calls))
        answers = self._post(
            [
                {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
                for request_id, (method, params) in zip(ids, calls, strict=True)
            ]
        )
        if isinstance(answers, dict) and answers.get("error") is not None:  # the whole batch was refused
            return [answers] * len(calls)
        if not isinstance(answers, list):
            raise _AnswerMalformed("one call was answered, not a batch")
        if len(answers) != len(calls):
            raise _AnswerMalformed(f"{len(answers)} answers to {len(calls)} calls")
        found = {answer["id"]: answer for answer in answers if isinstance(answer, dict) and "id" in answer}
        if any(request_id not in found for request_id in ids):
            raise _AnswerMalformed("other requests were answered")
        return [found[request_id] for request_id in ids]

    def _post(self, body: Any) -> Any:
        response = self._session().post(
            self.url, data=orjson.dumps(body), timeout=self._timeout_s, allow_redirects=False
        )
        response.raise_for_status()
        return orjson.loads(response.content)

    def _hang_up(self) -> None:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is not None:
            session.close()
            self._here.session = None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = self._here.session = requests.Session()
            session.headers.update(_HEADERS)
            session.trust_env = urlsplit(self.url).hostname not in _LOOPBACK
        return session


def _result(method: str, response: Mapping[str, Any]) -> Any:
    error = response.get("error")
    if error is not None:
        raise RpcError(method, error.get("code", 0), error.get("message", ""), error.get("data"))
    return response.get("result")


def _outcome(method: str, response: Mapping[str, Any]) -> Any:
    try:
        return _result(method, response)
    except RpcError as error:
        return error
