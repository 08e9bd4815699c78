"""The least that still differs: first the block's transactions, then the pieces of the one that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.chain.differential.assembly import Program, assemble
from tests.chain.differential.compare import Difference, apply
from tests.chain.differential.peers import Peer
from tests.chain.differential.sending import ADDRESSES, Sending
from tests.chain.differential.stream import BlockOfSendings

_Item = TypeVar("_Item")


def smallest(items: Sequence[_Item], fails: Callable[[Sequence[_Item]], bool]) -> list[_Item]:
    """Items of which none can be left out without `fails` turning false; halves first, then smaller parts."""
    kept, part = list(items), max(1, len(items) // 2)
    while part:
        at = 0
        while at < len(kept):
            without = kept[:at] + kept[at + part :]
            if fails(without):
                kept = without
            else:
                at += part
        part //= 2
    return kept


class Minimiser:
    """Tries smaller blocks on both nodes, each from where the chains were before the block that differs.

    `programs` holds the pieces of the programs that are sent as init code.
    """

    def __init__(self, ours: Peer, theirs: Peer, programs: dict[bytes, Program]) -> None:
        self._peers = (ours, theirs)
        self._programs = programs
        self._snapshots = [peer.get("evm_snapshot") for peer in self._peers]
        calls = [("eth_getTransactionCount", [f"0x{address.hex()}", "latest"]) for address in ADDRESSES]
        self._nonces = [int(nonce, 16) for nonce in ours.get_all(calls)]

    def differences(self, block: BlockOfSendings) -> list[Difference]:
        """What the block makes different, its nonces counted anew; afterwards it is undone."""
        found = apply(*self._peers, replace(block, sendings=self._numbered(block.sendings)))
        for place, peer in enumerate(self._peers):
            assert peer.get("evm_revert", self._snapshots[place])
            self._snapshots[place] = peer.get("evm_snapshot")
        return found

    def smallest_block(self, block: BlockOfSendings) -> BlockOfSendings:
        """The fewest transactions that differ, and the last of them with as little in it as may be."""

        def differs(sendings: Sequence[Sending]) -> bool:
            return bool(self.differences(replace(block, sendings=tuple(sendings), refused=())))

        if not differs(block.sendings):
            return self._smallest_refused(block)
        *before, last = smallest(block.sendings, differs)
        if program := self._programs.get(last.data):

            def differs_with(pieces: Sequence[object]) -> bool:
                return differs([*before, last.with_data(assemble(tuple(pieces)))])  # type: ignore[arg-type]

            last = last.with_data(assemble(tuple(smallest(program, differs_with))))
        elif last.to and last.data:

            def differs_with_data(data: Sequence[int]) -> bool:
                return differs([*before, last.with_data(bytes(data))])

            last = last.with_data(bytes(smallest(last.data, differs_with_data)))
        return replace(block, sendings=self._numbered((*before, last)), refused=())

    def _smallest_refused(self, block: BlockOfSendings) -> BlockOfSendings:
        """Where it is not what is sent that differs, then one of those that both should have refused."""
        for refused in block.refused:
            alone = replace(block, sendings=(), refused=(refused,))
            if self.differences(alone):
                return alone
        return block

    def _numbered(self, sendings: Sequence[Sending]) -> tuple[Sending, ...]:
        nonces, numbered = list(self._nonces), []
        for sending in sendings:
            numbered.append(replace(sending, nonce=nonces[sending.sender]))
            nonces[sending.sender] += 1
        return tuple(numbered)
