"""The node starts without reading what this chain never runs, and what it put off still works."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def test_a_start_reads_neither_the_curves_tables_nor_the_clients_libraries() -> None:
    loaded = run(
        """
        import sys
        import chain.node.__main__
        names = (
            "py_ecc.optimized_bls12_381.optimized_pairing", "py_ecc.optimized_bn128.optimized_pairing",
            "eth_abi.abi", "web3", "eth_account", "aiohttp", "requests",
        )
        print([name for name in names if name in sys.modules])
        """
    )
    assert loaded == "[]"


def test_curve_precompiles_are_py_evm_s_own_when_they_run() -> None:
    added = run(
        """
        import chain.node
        from types import SimpleNamespace
        from eth.precompiles import bls12_g1_add, ecadd, ecpairing
        # the generator of G1 and the point at infinity: their sum is the generator
        x = 0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB
        y = 0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1
        point = x.to_bytes(64, "big") + y.to_bytes(64, "big")
        message = SimpleNamespace(data=point + bytes(128), data_as_bytes=point + bytes(128))
        computation = SimpleNamespace(msg=message, consume_gas=lambda *a, **k: None, output=b"")
        for _ in range(2):
            bls12_g1_add(computation)
            print(bytes(computation.output) == point)
        sum = (1).to_bytes(32, "big") + (2).to_bytes(32, "big") + bytes(64)
        message.data = message.data_as_bytes = sum
        for _ in range(2):
            ecadd(computation)
            print(bytes(computation.output) == sum[:64])
        message.data = message.data_as_bytes = b""
        ecpairing(computation)
        print(int.from_bytes(computation.output, "big") == 1)
        import eth.precompiles
        print(eth.precompiles.ecadd is ecadd, callable(eth.precompiles.ecpairing))
        """
    )
    assert added.split() == ["True"] * 7
