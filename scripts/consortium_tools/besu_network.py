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


def besu_network(
    folder: Path, senders: Sequence[str], count: int = 4, period_s: int = 1, chain_id: int = 20_260
) -> Network:
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
    for place, (authority, key) in enumerate(zip(authorities, keys, strict=True)):
        home = folder / authority.name
        home.mkdir(parents=True)
        key.save(home / "key")
        rpc_port = ports[2 * place + 1]
        places = besu_files.Places(
            settings=str(home),
            data=str(home / "data"),
            permissions=str(home),
            rpc_port=rpc_port,
            p2p_interface="127.0.0.1",
            metrics_port=None,
        )
        for name, text in besu_files.files(consortium, places).items():
            if not name.startswith("authority-") or name == f"{authority.name}.toml":
                (home / name).write_text(text, encoding="utf-8")
        nodes.append(BesuNode(home, authority, rpc_port, binary))
    # A block that QBFT has committed is final.
    return Network("besu-qbft", nodes, period_s, confirmations=0)
