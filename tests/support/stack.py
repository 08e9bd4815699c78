"""A running stack for tests: node, contracts, exchange as processes, the API served from this one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings
from chain.deployment import deploy
from chain.keys import Keyring
from chain.rpc import ChainRpc
from tests.support.actors import Actor
from tests.support.processes import running, running_node

PASSPHRASE = "only for tests"


@dataclass
class Stack:
    """A running stack, and everybody who has signed in."""

    app: FastAPI
    url: str
    http: httpx.Client
    keyring: Keyring
    rpc: ChainRpc
    data: Path
    _actors: dict[str, Actor] = field(default_factory=dict)

    def actor(self, label: str) -> Actor:
        """Return the signed-in owner of a key."""
        if label not in self._actors:
            self._actors[label] = Actor(self.http, self.keyring.signer(label))
        return self._actors[label]

    def open_account(self, label: str, kind: str) -> Actor:
        """Open an account through the registrar and sign its owner in."""
        body = (
            {"kind": kind, "commitment": "0x" + "11" * 32}
            if kind == "person"
            else {"kind": kind, "name": label}
        )
        self.actor("registrar").done(f"/accounts/{self.keyring.signer(label).address}", body)
        return self.actor(label)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application from a thread, on a port of its own, and give its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, name="test-api")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def running_stack(data: Path) -> Iterator[Stack]:
    """Run everything on a fresh chain, without any account."""
    keyring = Keyring.create(data / "keys.json", PASSPHRASE)
    with running_node(data / "chain") as node:
        rpc = ChainRpc(node.url)
        deploy(rpc, keyring).save(data / "deployment.json")
        arguments = ["exchange", "--data", str(data), "--port", "0", "--chain-url", node.url]
        arguments += ["--binary-port", "0"]
        with running(arguments, {"CARAT_PASSPHRASE": PASSPHRASE}) as exchange:
            settings = Settings.model_validate(
                {
                    "data_dir": data,
                    "passphrase": PASSPHRASE,
                    "chain_url": node.url,
                    "exchange_url": exchange.url,
                    "public_url": "http://testserver",
                    "indexer_interval_s": 0.05,
                }
            )
            app = create_app(settings)
            with serving(app) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
                yield Stack(app, url, http, keyring, rpc, data)
