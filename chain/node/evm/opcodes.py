"""Cancun's opcodes: py-evm's, and our own where py-evm does not do what the specification says.

What it does otherwise was found by random programs run here and on another node: `tests/chain/differential`.
"""

from __future__ import annotations

from typing import Any, Final, cast

from eth.abc import ComputationAPI, OpcodeAPI
from eth.exceptions import OutOfGas
from eth.vm import opcode_values
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.forks.shanghai.constants import MAX_INITCODE_SIZE
from eth.vm.opcode import Opcode
from eth.vm.stack import Stack

_SIZE_PLACE: Final = -3  # value, offset and size are on top, the value first


class LimitedCreate:
    """CREATE or CREATE2 that first of all fails its frame where the init code is too long (EIP-3860).

    py-evm looks first whether the creator can pay the value, and where it cannot goes on with a zero.
    """

    def __init__(self, create: OpcodeAPI) -> None:
        self._create = create
        self.mnemonic = create.mnemonic
        self.gas_cost = cast(Opcode, create).gas_cost

    def __call__(self, computation: ComputationAPI) -> None:
        """Run it.

        Raises
        ------
        OutOfGas :
            If the init code has more than MAX_INITCODE_SIZE bytes.
        """
        stack = cast(Stack, cast(Any, computation)._stack).values
        if len(stack) >= -_SIZE_PLACE and _number(stack[_SIZE_PLACE]) > MAX_INITCODE_SIZE:
            raise OutOfGas(f"init code has more than {MAX_INITCODE_SIZE} bytes")
        self._create(computation=computation)


def _number(word: int | bytes) -> int:
    return word if isinstance(word, int) else int.from_bytes(word, "big")


OPCODES: Final[dict[int, OpcodeAPI]] = {
    **CANCUN_OPCODES,
    # Without py-evm's warning each time: that a contract destroys itself is no mistake of this node's.
    opcode_values.SELFDESTRUCT: cast(Any, CANCUN_OPCODES[opcode_values.SELFDESTRUCT]).__wrapped__,
    opcode_values.CREATE: cast(OpcodeAPI, LimitedCreate(CANCUN_OPCODES[opcode_values.CREATE])),
    opcode_values.CREATE2: cast(OpcodeAPI, LimitedCreate(CANCUN_OPCODES[opcode_values.CREATE2])),
}
