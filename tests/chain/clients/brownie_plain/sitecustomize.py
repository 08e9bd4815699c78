"""Lets brownie's coverage report be its plain Python, which it ships beside the compiled form.

The compiled form of brownie 1.22.2 ends every run with --coverage by "TypeError: dict object expected; got
list", on whatever chain. Python imports this module by itself where its folder is in PYTHONPATH.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

PLAIN = ("brownie.test.coverage", "brownie.test.output")


class PlainFinder:
    """Finds the `.py` of the modules in PLAIN, and nothing else."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """As the import system asks; None lets the next finder try."""
        if name not in PLAIN:
            return None
        files = (Path(folder) / f"{name.rpartition('.')[2]}.py" for folder in path or ())
        return next((spec_from_file_location(name, file) for file in files if file.exists()), None)


sys.meta_path.insert(0, PlainFinder)  # type: ignore[arg-type]
