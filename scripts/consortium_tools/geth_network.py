"""Four (or more) geth nodes that seal Clique blocks in turn, on this machine.

geth has no accounts' permissions: anyone who reaches a node may deploy. It is here to prove that the product
runs on an engine that is not ours; deploy/consortium holds the network for use.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from eth_account import Account

from consortium_tools import geth_binary
from consortium_tools.errors import NetworkFailed
from consortium_tools.genesis import clique_genesis
from consortium_tools.keys import AuthorityKey
from consortium_tools.network import AuthorityNode, Network, free_ports

_PASSWORD = "local"  # noqa: S105 - of a key made for one run, in a folder of its own
# The suggested tip starts from the miner's price, which the command line cannot make 0; it stays what it was
# while blocks hold nothing that pays.
_CONFIG = """\
[Eth.GPO]
Default = 0

[Node.P2P]
MaxPeers = 25
NoDiscovery = true
StaticNodes = [{peers}]
TrustedNodes = [{peers}]
"""


class GethNode(AuthorityNode):
    """One Clique signer."""

    def __init__(
        self, name: str, folder: Path, key: AuthorityKey, ports: Sequence[int], binary: Path
    ) -> None:
        self.rpc_port, self.p2p_port, self.engine_port = ports
        super().__init__(name, folder, self.rpc_port)
        self.key = key
        self._binary = binary
        # A Unix socket's path may have 107 bytes, less than some temporary folders.
        self._ipc = Path(tempfile.mkdtemp(prefix="geth-")) / "ipc"

    def prepare(self, genesis: Path, peers: Sequence[str], chain_id: int) -> None:
        """Write key and settings and make the first block."""
        self._chain_id = chain_id
        self.key.save(self.folder / "nodekey")
        keystore = self.folder / "keystore"
        keystore.mkdir()
        # A weak derivation: the secret stands beside it in the clear, and the key is of this run.
        sealed = Account.encrypt(self.key.private.to_bytes(), _PASSWORD, kdf="pbkdf2", iterations=1)
        (keystore / "authority.json").write_text(json.dumps(sealed), encoding="ascii")
        (self.folder / "password").write_text(_PASSWORD, encoding="ascii")
        named = ", ".join(f'"{peer}"' for peer in peers)
        (self.folder / "config.toml").write_text(_CONFIG.format(peers=named), encoding="ascii")
        done = subprocess.run(
            [self._binary, "--datadir", self.folder, "--state.scheme", "hash", "init", genesis],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NetworkFailed(f"geth init: {done.stderr.strip()[-2_000:]}")

    def command(self) -> Sequence[str | Path]:
        """Return the command: nothing but JSON-RPC for reading and sending is open, and only here."""
        address = self.key.address
        return [
            self._binary,
            "--config", "config.toml", "--datadir", self.folder, "--networkid", str(self._chain_id),
            "--nodekey", "nodekey", "--keystore", "keystore",
            "--nat", "none", "--nodiscover", "--port", str(self.p2p_port),
            "--http", "--http.addr", "127.0.0.1", "--http.port", str(self.rpc_port),
            "--http.api", "eth,net,web3,clique,txpool,debug",
            "--authrpc.addr", "127.0.0.1", "--authrpc.port", str(self.engine_port),
            "--ipcpath", self._ipc,
            # Every state is kept and written with its block, so that a kill loses none.
            "--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash",
            "--miner.etherbase", address, "--miner.gasprice", "1",
            "--miner.gaslimit", str(2_000_000_000), "--miner.recommit", "1s",
            "--unlock", address, "--password", "password", "--allow-insecure-unlock",
            "--txpool.pricelimit", "1", "--txpool.accountslots", "4096", "--txpool.accountqueue", "4096",
            "--txpool.globalslots", "65536", "--txpool.globalqueue", "65536",
            "--rpc.gascap", "0", "--rpc.txfeecap", "0",
            "--cache", "64", "--verbosity", "3",
        ]  # fmt: skip

    def after_start(self) -> None:
        """Take transactions that pay nothing: the command line cannot say 0, the miner's own method can."""
        self._ask_locally("miner_setGasPrice", "0x0")

    def begin(self) -> None:
        """Seal from now on.

        Not at the start: signers that do not know each other yet each seal first blocks of their own, and two
        branches of equal weight on which everybody has signed recently go on for ever side by side.
        """
        self._ask_locally("miner_start")

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._ipc.parent, ignore_errors=True)

    def _ask_locally(self, method: str, *params: str) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        until = time.monotonic() + 30
        while not self._ipc.exists() and time.monotonic() < until:
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(30)
            line.connect(str(self._ipc))
            line.sendall(body)
            answer = json.loads(line.makefile().readline())
        if "error" in answer or answer.get("result") is False:
            raise NetworkFailed(f"{self.name}: {method}: {answer}")


def geth_network(folder: Path, count: int = 4, period_s: int = 1, chain_id: int = 20_260) -> Network:
    """Prepare a Clique network below a folder; run it as a `with` block.

    Raises
    ------
    EngineMissing, NetworkFailed
    """
    binary = geth_binary.find_or_build()
    ports = free_ports(3 * count)
    nodes = []
    for place in range(count):
        name = f"authority-{place + 1}"
        home = folder / name
        home.mkdir(parents=True)
        nodes.append(GethNode(name, home, AuthorityKey.create(), ports[3 * place : 3 * place + 3], binary))
    # A minute back: the first blocks are due at once.
    genesis = clique_genesis(chain_id, [node.key.address for node in nodes], period_s, int(time.time()) - 60)
    (folder / "genesis.json").write_text(json.dumps(genesis, indent=2) + "\n", encoding="ascii")
    enodes = {node.name: node.key.enode("127.0.0.1", node.p2p_port) for node in nodes}
    for node in nodes:
        others = [enode for name, enode in enodes.items() if name != node.name]
        node.prepare(folder / "genesis.json", others, chain_id)
    # With N signers, a block that N // 2 + 1 of them have built on cannot be outvoted by honest ones.
    return Network("geth-clique", nodes, period_s, confirmations=count // 2 + 1)
