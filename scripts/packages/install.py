"""The packages' own environments, made once: .build/engines-venv and .build/engines-npm, locked by hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from contract_tools import BUILD, ROOT, tool_path

REQUIREMENTS = ROOT / "requirements" / "engines.txt"
PYTHON = BUILD / "engines-venv"
NPM = BUILD / "engines-npm"
HERE = Path(__file__).resolve().parent


class NotHere(Exception):
    """The packages cannot be had on this machine."""


def engines_python() -> Path:
    """Return the Python that has the packages of PyPI; raises NotHere."""
    python, stamp = PYTHON / "bin" / "python", PYTHON / ".locked"
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest() + str(ROOT)
    if stamp.exists() and stamp.read_text() == key:
        return python
    _say("Installing order books from PyPI into .build/engines-venv ...")
    _run([sys.executable, "-m", "venv", "--clear", str(PYTHON)])
    locked = ["--require-hashes", "-r", str(REQUIREMENTS)]
    uv = ROOT / ".venv" / "bin" / "uv"
    if uv.exists():
        by_uv = [str(uv), "pip", "install", "--quiet", "--python", str(python), *locked]
        done = subprocess.run(by_uv, env=_with_index(python), stdout=sys.stderr, check=False).returncode == 0
    else:
        done = False
    if not done:
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *locked])
    stamp.write_text(key)
    return python


def engines_node() -> tuple[str, Path]:
    """Return `node` and the folder of modules that has the package of npm; raises NotHere."""
    try:
        path = tool_path()
    except SystemExit as failed:
        raise NotHere(f"node: {failed}") from None
    node, stamp = shutil.which("node", path=path), NPM / ".locked"
    if node is None:
        raise NotHere("there is no node")
    key = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == key):
        _say("Installing nodejs-order-book into .build/engines-npm ...")
        shutil.rmtree(NPM, ignore_errors=True)
        NPM.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, NPM / name)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(["npm", "ci", *quiet], cwd=NPM, env={**os.environ, "PATH": path})
        stamp.write_text(key)
    return node, NPM / "node_modules"


def _with_index(python: Path) -> dict[str, str]:
    """Let uv use the index that pip is told to use."""
    environ = dict(os.environ)
    asked = [str(python), "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    index = environ.get("PIP_INDEX_URL") or told
    if index and not environ.get("UV_INDEX_URL"):
        environ.setdefault("UV_DEFAULT_INDEX", index)
    return environ


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, stdout=sys.stderr, cwd=cwd, env=env, check=False)
    except OSError as missing:
        raise NotHere(str(missing)) from None
    if done.returncode != 0:
        raise NotHere(f"{Path(command[0]).name} {' '.join(command[1:4])}: exit {done.returncode}")
