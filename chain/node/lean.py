"""A faster start: precompiles whose tables take long to compute are read when somebody runs one.

py-evm imports every fork with all its precompiles, and their curves' tables are two fifths of the start:
BLS12-381 (EIP-2537), which this chain, at Cancun, does not have, and BN254 (EIP-196, EIP-197), which few use.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Final

_PUT_OFF: Final = {
    "eth.precompiles.bls12_381": (
        "bls12_g1_add",
        "bls12_g1_msm",
        "bls12_map_fp_to_g1",
        "bls12_g2_add",
        "bls12_g2_msm",
        "bls12_map_fp2_to_g2",
        "bls12_pairing_check",
    ),
    "eth.precompiles.ecadd": ("ecadd",),
    "eth.precompiles.ecmul": ("ecmul",),
    "eth.precompiles.ecpairing": ("ecpairing",),
}


def put_off_curves() -> None:
    """Let stand-ins be imported in place of these modules; each reads its module when it is first run."""
    for module, names in _PUT_OFF.items():
        if module not in sys.modules:
            stand_in = ModuleType(module)
            for name in names:
                setattr(stand_in, name, _later(module, name))
            sys.modules[module] = stand_in


def _later(module: str, name: str) -> Callable[..., Any]:
    def precompile(computation: Any = None, **settings: Any) -> Any:
        if computation is None:  # as py-evm's own: given its gas prices now, run later
            return partial(precompile, **settings)
        return _read(module, name)(computation, **settings)

    precompile.__name__ = name
    return precompile


def _read(module: str, name: str) -> Callable[..., Any]:
    found = sys.modules.get(module)
    if found is None or not hasattr(found, "__file__"):
        package, _, last = module.rpartition(".")
        # Importing a module also sets it in its package, where a function of the same name is.
        before = getattr(sys.modules[package], last, None)
        sys.modules.pop(module, None)
        found = importlib.import_module(module)
        if callable(before):
            setattr(sys.modules[package], last, before)
    function: Callable[..., Any] = getattr(found, name)
    return function
