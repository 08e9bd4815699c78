"""What the benchmarks compare with, set up once: eth-tester in .build/bench-venv, anvil from node_modules.

Both are locked: requirements/bench.txt, package-lock.json. Running CARAT needs neither.
"""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from contract_tools import BUILD, ROOT, node_modules

ENVIRONMENT = BUILD / "bench-venv"
REQUIREMENTS = ROOT / "requirements" / "bench.txt"


class NotHere(Exception):
    """A peer cannot be had on this machine."""


def bench_python() -> Path:
    """Return the Python of the benchmarks' environment; makes it if it is missing or stale.

    Raises NotHere.
    """
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / ".locked"
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest() + str(ROOT)
    if stamp.exists() and stamp.read_text() == key:
        return python
    print("Installing eth-tester and matplotlib into .build/bench-venv ...", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)])
    uv = ROOT / ".venv" / "bin" / "uv"
    locked = ["--require-hashes", "-r", str(REQUIREMENTS)]
    environ = dict(os.environ)
    index = environ.get("PIP_INDEX_URL") or _pip_index(python)
    if index and not environ.get("UV_INDEX_URL"):
        environ.setdefault("UV_DEFAULT_INDEX", index)
    by_uv = [str(uv), "pip", "install", "--quiet", "--python", str(python), *locked]
    if not (uv.exists() and subprocess.run(by_uv, env=environ, check=False).returncode == 0):
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *locked])
    stamp.write_text(key)
    return python


def anvil() -> Path:
    """Return the anvil binary that package-lock.json pins; raises NotHere."""
    try:
        modules = node_modules()
    except SystemExit as failed:
        raise NotHere(f"npm: {failed}") from None
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = modules / "@foundry-rs" / f"anvil-{platform.system().lower()}-{machine}" / "bin" / "anvil"
    if not binary.exists():
        raise NotHere(f"npm has no anvil for {platform.system()} {platform.machine()}")
    return binary


def version_of(command: list[str]) -> str:
    """Return the first line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0]


def _pip_index(python: Path) -> str:
    return version_of([str(python), "-m", "pip", "config", "get", "global.index-url"])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise NotHere(f"{Path(command[0]).name} {' '.join(command[1:4])}: exit {done.returncode}")
