"""A faster start: py-evm's precompiles of Prague are read only when somebody runs them.

py-evm imports every fork, and with Prague the pairing of BLS12-381 (EIP-2537), whose tables take a third of
the node's start. This chain runs Cancun, which has none of them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

_NAME: Final = "eth.precompiles.bls12_381"
_PRECOMPILES: Final = (
    "bls12_g1_add",
    "bls12_g1_msm",
    "bls12_map_fp_to_g1",
    "bls12_g2_add",
    "bls12_g2_msm",
    "bls12_map_fp2_to_g2",
    "bls12_pairing_check",
)


def put_off_prague() -> None:
    """Let a stand-in be imported in place of the package; it reads the package when it is first run."""
    if _NAME in sys.modules:
        return
    stand_in = ModuleType(_NAME)
    for name in _PRECOMPILES:
        setattr(stand_in, name, _later(name))
    sys.modules[_NAME] = stand_in


def _later(name: str) -> Callable[[Any], Any]:
    def precompile(computation: Any) -> Any:
        if isinstance(getattr(sys.modules.get(_NAME), "__file__", None), str):
            package = sys.modules[_NAME]
        else:
            sys.modules.pop(_NAME, None)
            package = importlib.import_module(_NAME)
        return getattr(package, name)(computation)

    precompile.__name__ = name
    return precompile
