"""A proxy before a node that does what wires, gateways and lagging nodes do: seeded, and counted.

    with faulty_proxy(node.url, seed=7, faults=ROUGH) as proxy:
        ChainRpc(proxy.url, timeout_s=2)

Every request meets at most one fault. `evm_` methods (a test's hold on the clock) pass untouched, and so does
everything while `proxy.faults` is empty.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

FAULTS: Final = (
    "drop before",  # the request never arrives
    "drop after",  # it arrives, the answer does not
    "deliver twice",  # the node gets it twice; the second answer comes back
    "answer twice",  # the answer comes twice on one connection
    "delay",
    "time out",  # the node has answered long ago, the client gives up
    "cut",  # the connection ends in the middle of the answer
    "429",
    "502",
    "502 after",  # the node has done it
    "garbage",  # a page in the place of JSON
    "shuffle",  # a batch's answers in another order
    "lag",  # a node that is some blocks behind answers
)
ROUGH: Final[Mapping[str, float]] = {
    **dict.fromkeys(FAULTS, 0.02),
    "time out": 0.004,
    "lag": 0.04,
    "shuffle": 0.06,
}
_BLOCK_TAGS: Final = {"latest", "pending", "safe", "finalized"}
_TAG_PLACE: Final = {
    "eth_call": 1,
    "eth_getTransactionCount": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
}
_CARDS: Final = 50
_UNKNOWN_BLOCK: Final = {"code": -32000, "message": "unknown block"}
_Answer = tuple[int, bytes]


class FaultyProxy:
    """Forwards JSON-RPC over HTTP to a node, with faults of given probabilities.

    Attributes
    ----------
    faults :
        Probability of each fault a request; a test may change it at any time.
    counts :
        How often each fault came, and "requests".
    hook :
        Sees each single call and may answer it itself: returns a JSON-RPC answer without id, or None.
    """

    def __init__(self, node_url: str, seed: int, faults: Mapping[str, float], time_out_s: float) -> None:
        self.node_url = node_url
        self.faults = dict(faults)
        self.counts: Counter[str] = Counter()
        self.hook: Callable[[str, list[Any]], dict[str, Any] | None] = lambda _method, _params: None
        self._time_out_s = time_out_s
        self._random = Random(seed)
        self._deck: list[str] = []
        self._dealt: dict[str, float] = {}
        self._lock = threading.Lock()
        self._node = urlsplit(node_url)
        self.url = ""

    def choose(self) -> tuple[str, Random]:
        """Return the next request's fault, or "", and randomness of its own."""
        with self._lock:
            self.counts["requests"] += 1
            own = Random(self._random.random())
            if self._dealt != self.faults or not self._deck:
                self._deal()
            fault = self._deck.pop()
            if fault:
                self.counts[fault] += 1
            return fault, own

    def _deal(self) -> None:
        """Shuffle a deck, so that a fault with a share of one card or more comes in every one."""
        self._dealt = dict(self.faults)
        faults = [
            fault
            for fault, share in self._dealt.items()
            for _ in range(int(share * _CARDS + self._random.random()))
        ]
        self._deck = faults + [""] * (_CARDS - len(faults))
        self._random.shuffle(self._deck)

    def forward(self, body: bytes) -> _Answer:
        """Return what the node answers."""
        connection = HTTPConnection(self._node.hostname or "", self._node.port, timeout=60)
        try:
            connection.request("POST", "/", body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def forward_hooked(self, body: bytes) -> _Answer:
        """The same, with the calls that the hook answers answered by it."""
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        answers: dict[int, Any] = {}
        rest = []
        for place, call in enumerate(calls):
            said = self.hook(call["method"], call.get("params", []))
            if said is None:
                rest.append((place, call))
            else:
                answers[place] = {"jsonrpc": "2.0", "id": call["id"], **said}
        if not answers:
            return self.forward(body)
        if rest:
            _, content = self.forward(json.dumps([call for _, call in rest]).encode())
            by_id = {answer["id"]: answer for answer in json.loads(content)}
            answers |= {place: by_id[call["id"]] for place, call in rest}
        ordered = [answers[place] for place in range(len(calls))]
        return 200, json.dumps(ordered if isinstance(request, list) else ordered[0]).encode()

    def lagging(self, body: bytes, blocks: int) -> _Answer:
        """Return what a node would answer that is so many blocks behind; sends pass on to the real one."""
        head = json.loads(self.forward(b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}')[1])
        known = max(0, int(head["result"], 16) - blocks)
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        sent = [_as_of(call, known) for call in calls]
        _, content = self.forward(json.dumps(sent).encode())
        by_id = {answer["id"]: answer for answer in json.loads(content)}
        answers = [_known_by(call, by_id[call["id"]], known) for call in calls]
        return 200, json.dumps(answers if isinstance(request, list) else answers[0]).encode()

    def answer(self, body: bytes, fault: str, own: Random) -> _Answer:
        """Return status and content for a fault that leaves the connection whole."""
        if fault in ("429", "502"):
            return int(fault), b"busy"
        if fault == "lag":
            return self.lagging(body, own.randint(1, 3))
        if fault == "deliver twice":
            self.forward_hooked(body)
        if fault == "delay":
            time.sleep(own.random() / 20)
        status, content = self.forward_hooked(body)
        if fault == "time out":
            time.sleep(self._time_out_s)
        if fault == "502 after":
            return 502, b"bad gateway"
        if fault == "garbage":
            return 200, b"<html>please wait</html>"
        if fault == "shuffle":
            answers = json.loads(content)
            if isinstance(answers, list):
                own.shuffle(answers)
                content = json.dumps(answers).encode()
        return status, content


def _as_of(call: dict[str, Any], known: int) -> dict[str, Any]:
    place = _TAG_PLACE.get(call["method"])
    params = list(call.get("params", []))
    if place is not None and place < len(params) and params[place] in _BLOCK_TAGS:
        params[place] = hex(known)
    return {**call, "params": params}


def _known_by(call: dict[str, Any], answer: dict[str, Any], known: int) -> dict[str, Any]:
    """Take out of an answer what a node does not know that has only the blocks up to `known`."""
    result = answer.get("result")
    if call["method"] == "eth_blockNumber":
        return {**answer, "result": hex(known)}
    if call["method"] == "eth_getBlockByNumber" and isinstance(result, dict):
        return {**answer, "result": result if int(result["number"], 16) <= known else None}
    if call["method"] in ("eth_getTransactionReceipt", "eth_getTransactionByHash") and isinstance(
        result, dict
    ):
        block = result.get("blockNumber")
        return {**answer, "result": result if block and int(block, 16) <= known else None}
    if call["method"] == "eth_getLogs" and isinstance(result, list):
        if "blockHash" in call["params"][0] and any(int(log["blockNumber"], 16) > known for log in result):
            return {"jsonrpc": "2.0", "id": answer["id"], "error": _UNKNOWN_BLOCK}  # EIP-234
        return {**answer, "result": [log for log in result if int(log["blockNumber"], 16) <= known]}
    return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy
    timeout = 30

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        fault, own = ("", Random(0)) if b'"evm_' in body else self.proxy.choose()
        if fault == "drop before":
            self.close_connection = True
            return
        with suppress(OSError):  # the client has given up
            status, content = self.proxy.answer(body, fault, own)
            if fault == "drop after":
                self.close_connection = True
            elif fault == "cut":
                self._write(status, content, len(content) // 2)
                self.close_connection = True
            else:
                for _ in range(2 if fault == "answer twice" else 1):
                    self._write(status, content, len(content))

    def _write(self, status: int, content: bytes, written: int) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:written])
        self.wfile.flush()

    def log_message(self, *_said: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_of: object) -> None:
        pass  # a client that went away


@contextmanager
def faulty_proxy(
    node_url: str, seed: int = 1, faults: Mapping[str, float] | None = None, time_out_s: float = 2.5
) -> Iterator[FaultyProxy]:
    """Run a proxy before the node; without `faults` it is a quiet one until a test gives it some."""
    proxy = FaultyProxy(node_url, seed, faults or {}, time_out_s)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
