"""Which instructions a chain's machine has, and the contracts' code for it.

The committed code is for Cancun. Engines that stop at London (Clique in every geth) get the same sources
compiled for London; the interface, the events and the errors are the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Any, Final

from chain.abi import ARTIFACTS, abi_of
from chain.refusals import Refusal
from chain.rpc import ChainRpc, RpcError


class ChainForkTooOld(Refusal):
    """This chain's machine lacks instructions that the contracts need; London is the oldest that will do."""


class Fork(StrEnum):
    """The forks that there is code for."""

    CANCUN = "cancun"
    LONDON = "london"


# Programs that end well only where their instruction is known: MCOPY of no bytes; BASEFEE.
_PROBES: Final = ((Fork.CANCUN, "0x6000600060005e00"), (Fork.LONDON, "0x4800"))


def fork_of(rpc: ChainRpc) -> Fork:
    """Ask a chain which of the two codes it runs, by calls that change nothing.

    Raises
    ------
    ChainForkTooOld, ChainUnreachable
    """
    reasons = {}
    for fork, program in _PROBES:
        try:
            rpc.call("eth_call", {"data": program, "gas": hex(100_000)}, "latest")
        except RpcError as error:
            reasons[fork.value] = error.message
        else:
            return fork
    raise ChainForkTooOld(**reasons)


@cache
def bytecode(contract: str, fork: Fork) -> bytes:
    """Return the code that creates a contract, without its constructor's arguments."""
    if fork is Fork.CANCUN:
        return abi_of(contract).bytecode
    artifact = json.loads((ARTIFACTS / fork.value / f"{contract}.json").read_text(encoding="utf-8"))
    return bytes.fromhex(artifact["bytecode"].removeprefix("0x"))


def creation_code(contract: str, args: Sequence[Any], fork: Fork) -> bytes:
    """Return the code that creates a contract with these arguments on a chain of this fork."""
    abi = abi_of(contract)
    return bytecode(contract, fork) + abi.encode_constructor(args)[len(abi.bytecode) :]
