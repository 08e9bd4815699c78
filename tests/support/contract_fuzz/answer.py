"""What a call gives, whatever machine runs the contracts: an EVM without a chain, or a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tests.support.contract_model.machine import Address

Log = tuple[Address, tuple[bytes, ...], bytes]  # whose, topics, data


class Halted(AssertionError):
    """The machine stopped otherwise than by an answer or a refusal: out of gas, a wrong opcode."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Done or refused, with the data of the result or of the refusal, and what was logged."""

    done: bool
    data: bytes
    logs: tuple[Log, ...] = ()


class Machine(Protocol):
    """Where the real contracts run."""

    def at(self, now: int) -> None:
        """Set the clock for the next call, Unix seconds."""

    def enrich(self, account: Address) -> None:
        """Give ether."""

    def deploy(self, deployer: Address, code: bytes) -> Address:
        """Make a contract; returns its address."""

    def call(self, caller: Address, to: Address, data: bytes, value: int = 0) -> Answer:
        """Make one transaction. Raises Halted."""

    def look(self, to: Address, data: bytes) -> Answer:
        """Make a call that must not change anything."""
