"""Where the tools of the clients are: the project's own scripts install them and say so."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@cache
def _scripts() -> tuple[Any, Any]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import contract_tools  # noqa: PLC0415
        import node_tools  # noqa: PLC0415
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return contract_tools, node_tools


@cache
def _node_tools() -> Any:
    return _scripts()[1].node_tools()


def tool(name: str) -> Path:
    """Return `anvil`, `cast`, `node` or the folder `modules`; skips where npm has none for this machine."""
    try:
        found: Path = getattr(_node_tools(), name)
    except _scripts()[1].ToolMissing as missing:
        pytest.skip(str(missing))
    return found


@cache
def brownie_environment() -> tuple[Path, str]:
    """The environment that holds brownie, and a PATH with it and with Node."""
    contract_tools, _ = _scripts()
    contract_tools.node_modules()  # the compiler
    environment: Path = contract_tools.python_environment()
    return environment, f"{environment / 'bin'}:{contract_tools.tool_path()}"
