"""Besu nodes that agree on blocks by QBFT, on this machine, from the same files that a consortium gets.

Besu is a Java program that its makers publish on GitHub and as a container image. No package registry (Maven
Central, npm, PyPI, Debian) holds it, and its build asks for native libraries from a repository of its own. So
it is not installed here: who has it names it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from consortium_tools import besu_files
from consortium_tools.authorities import Authority, Consortium
from consortium_tools.errors import EngineMissing
from consortium_tools.keys import AuthorityKey
from consortium_tools.network import AuthorityNode, Network, free_ports

MISSING = (
    "Besu is not here: no package registry holds it (Maven Central has no org.hyperledger.besu; npm, PyPI, "
    "Debian no besu). Unpack a release of github.com/besu-eth/besu, have Java 21 or newer, and put "
    "`besu` on the PATH or name it by CARAT_BESU"
)


class BesuNode(AuthorityNode):
    """One QBFT validator."""

    def __init__(self, folder: Path, authority: Authority, rpc_port: int, binary: str) -> None:
        super().__init__(authority.name, folder, rpc_port)
        self.authority = authority
        self._binary = binary

    def command(self) -> Sequence[str | Path]:
        """Return the command: everything else is in the settings."""
        return [self._binary, f"--config-file={self.folder / self.name}.toml"]


def find() -> str:
    """Return the besu command; raises EngineMissing."""
    named = os.environ.get("CARAT_BESU") or shutil.which("besu")
    if not named:
        raise EngineMissing(MISSING)
    said = version_of(named)
    oldest = tuple(map(int, besu_files.BESU_OLDEST.split(".")[:2]))
    if said is None or said < oldest:
        shown = ".".join(map(str, said)) if said else "unknown"
        raise EngineMissing(f"{named} is Besu {shown}; {besu_files.BESU_OLDEST} or newer is needed")
    return named


def version_of(binary: str) -> tuple[int, int] | None:
    """Return year and month of a Besu, as its version says; None where it does not run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"besu/v(\d+)\.(\d+)", done.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else None


class BesuNetwork(Network):
    """Besu validators below one folder."""

    def __init__(self, folder: Path, binary: str, consortium: Consortium, nodes: Sequence[BesuNode]) -> None:
        # A block that QBFT has committed is final.
        super().__init__("besu-qbft", nodes, consortium.period_s, confirmations=0)
        self.consortium = consortium
        self._folder = folder
        self._binary = binary

    def newcomer(self, name: str) -> BesuNode:
        """Prepare one more node on the same genesis: it knows the others, and is no authority yet."""
        key, (p2p_port, rpc_port) = AuthorityKey.create(), free_ports(2)
        authority = Authority(name, "127.0.0.1", p2p_port, key.public_hex)
        joined = replace(self.consortium, authorities=(*self.consortium.authorities, authority))
        texts = _files(joined, authority, self._folder / name, rpc_port)
        texts["genesis.json"] = besu_files.files(self.consortium)["genesis.json"]
        return _prepare(self._folder / name, authority, key, rpc_port, texts, self._binary)


def besu_network(
    folder: Path, senders: Sequence[str], count: int = 4, period_s: int = 1, chain_id: int = 20_260
) -> BesuNetwork:
    """Prepare a QBFT network below a folder; run it as a `with` block.

    Parameters
    ----------
    senders :
        The accounts that may send transactions.

    Raises
    ------
    EngineMissing, NetworkFailed
    """
    binary = find()
    ports = free_ports(2 * count)
    keys = [AuthorityKey.create() for _ in range(count)]
    authorities = tuple(
        Authority(f"authority-{place + 1}", "127.0.0.1", ports[2 * place], key.public_hex)
        for place, key in enumerate(keys)
    )
    consortium = Consortium(chain_id, period_s, int(time.time()) - 60, authorities, tuple(senders))
    consortium.check()
    nodes = []
    for authority, key, rpc_port in zip(authorities, keys, ports[1::2], strict=True):
        home = folder / authority.name
        texts = _files(consortium, authority, home, rpc_port)
        nodes.append(_prepare(home, authority, key, rpc_port, texts, binary))
    return BesuNetwork(folder, binary, consortium, nodes)


def _files(consortium: Consortium, authority: Authority, home: Path, rpc_port: int) -> dict[str, str]:
    places = besu_files.Places(
        settings=str(home),
        data=str(home / "data"),
        permissions=str(home),
        rpc_port=rpc_port,
        p2p_interface="127.0.0.1",
        metrics_port=None,
    )
    others = {f"{each.name}.toml" for each in consortium.authorities if each is not authority}
    texts = besu_files.files(consortium, places)
    return {name: text for name, text in texts.items() if name not in others}


def _prepare(
    home: Path, authority: Authority, key: AuthorityKey, rpc_port: int, texts: dict[str, str], binary: str
) -> BesuNode:
    home.mkdir(parents=True)
    key.save(home / "key")
    for name, text in texts.items():
        (home / name).write_text(text, encoding="utf-8")
    return BesuNode(home, authority, rpc_port, binary)
