"""Where npm's tools are: the project's own script installs them and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@cache
def _found() -> dict[str, str | None]:
    command = [sys.executable, str(ROOT / "scripts" / "node_tools.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def tool(name: str) -> Path:
    """Return `anvil`, `cast`, `node` or the folder `modules`; skips where npm has none for this machine."""
    path = _found()[name]
    if path is None:
        pytest.skip(f"npm has no {name} for this kind of machine")
    return Path(path)
