"""Which open engines are compared with, and how the harness's own scripts build them.

Nothing of theirs is part of this project: each is cloned, or copied from a checkout, at the commit that the
harness pins, and built by the harness's own script.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HARNESS: Final = "flash1-dev/matching-engine-benchmark"
HARNESS_COMMIT: Final = "41656c885d98"


@dataclass(frozen=True)
class Peer:
    """One engine: its name in the harness, the command that builds it, and where its sources are.

    `sources` maps each repository to the variable by which the build script takes a checkout as it is, or
    to "" where the script must clone (it patches what it clones).
    """

    name: str
    build: tuple[str, ...]
    sources: dict[str, str]
    language: str

    @property
    def library(self) -> str:
        """The shared object that the build leaves in the harness's folder."""
        return f"{self.name}_adapter.so"


def _third_party(name: str, sources: dict[str, str], language: str) -> Peer:
    return Peer(name, ("bash", f"additional_references/{name}_adapter/build.sh"), sources, language)


def _baseline(name: str, sources: dict[str, str], language: str) -> Peer:
    return Peer(name, ("bash", "scripts/build_baselines.sh", name), sources, language)


PEERS: Final = (
    _third_party(
        "cpp_orderbook",
        {
            "geseq/cpp-orderbook": "ME_CPP_ORDERBOOK_SRC",
            "geseq/cpp-decimal": "ME_DECIMAL_SRC",
            "geseq/cpp-pool": "ME_POOL_SRC",
        },
        "C++",
    ),
    _third_party(
        "cpptrader",
        {"chronoxor/CppTrader": "ME_CPPTRADER_SRC", "chronoxor/CppCommon": "ME_CPPCOMMON_SRC"},
        "C++",
    ),
    _third_party("llc993", {"llc-993/matching-core": "ME_LLC993_SRC"}, "Rust"),
    _third_party("hroptatyr_clob", {"hroptatyr/clob": "ME_ENG_SRC"}, "C"),
    _baseline("liquibook", {"ObjectComputing/liquibook": "ME_LIQUIBOOK_SRC"}, "C++"),
    _baseline("quantcup", {"ajtulloch/quantcup-orderbook": ""}, "C++"),
    _baseline("exchange_core", {"exchange-core/exchange-core": "ME_EXCHANGE_CORE_SRC"}, "Java"),
)

# The repository moved; a checkout made under the old name is the same history.
FORMER_NAMES: Final = {"ObjectComputing/liquibook": ("enewhuis/liquibook",)}

# What the harness's edge cases and audit are judged by.
ORACLES: Final = ("cpp_orderbook", "llc993", "hroptatyr_clob", "liquibook", "quantcup")
