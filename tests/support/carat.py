"""The `carat` command as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CARAT = [sys.executable, "-c", "from api.cli import main; main()"]
TIMEOUT_S = 280


@dataclass(frozen=True, slots=True)
class Answer:
    """What the command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on standard output."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


def carat(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Answer:
    """Run `carat` and wait for its end."""
    process = subprocess.run(
        [*CARAT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return Answer(process.returncode, process.stdout, process.stderr)


def real_data(folder: str) -> Path:
    """Return a folder of real data, or skip the test and say why.

    The data may not ship with the project. CARAT_REAL_DATA names the folder that holds it; otherwise it is
    looked for in `shared/data` beside the checkout.
    """
    beside = Path(__file__).parents[3] / "shared" / "data"
    found = Path(os.environ.get("CARAT_REAL_DATA", beside)) / folder
    if not found.is_dir():
        pytest.skip(f"real data {folder!r} is not here: set CARAT_REAL_DATA to the folder that holds it")
    return found
