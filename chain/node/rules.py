"""The chain's own rules: who may deploy contracts, from which block on, sealed by the authority.

A rule record says from which block it holds, and until the next one does. It lies in the table `rules` under
that block's number, sealed like a block, and every header that was made under it carries its hash as
`extraData`. So a block names the rules it was made by, whoever verifies the chain can hold each creation
against them, and a change is part of the record like any transaction. A chain that never had a rule has an
empty `extraData`, and everybody may deploy.

The rule is about transactions that create. What a contract that is there creates (CREATE, CREATE2) it may:
whoever was let deploy a factory has let it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from chain.node.authority import Authority, sealer_of
from chain.node.codec import Malformed, decode, encode
from chain.node.errors import RpcError
from chain.node.formats import checksum, hex_bytes
from chain.node.hashing import keccak
from chain.node.transactions import Transaction

TABLE = b"rules"
_ANYONE, _LISTED = 0, 1
_ADDRESS_BYTES = 20


class RulesMalformed(ValueError):
    """The bytes are no rule record."""


class CreationNotPermitted(RpcError):
    """The sender may not deploy contracts. -32003: transaction rejected (EIP-1474)."""

    code = -32003

    def __init__(self, sender: bytes, since: int) -> None:
        super().__init__(
            f"contract creation not permitted: {checksum(sender)} is not among the deployers "
            f"in force since block {since}"
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may deploy from block `since` on: the addresses in `deployers`, or everybody where it is None."""

    chain_id: int
    since: int
    deployers: frozenset[bytes] | None

    def permit(self, transaction: Transaction) -> None:
        """Raise CreationNotPermitted for a creation by somebody else."""
        if transaction.to or self.deployers is None or transaction.sender in self.deployers:
            return
        raise CreationNotPermitted(transaction.sender, self.since)

    def encoded(self) -> bytes:
        """RLP of chain id, first block, kind and addresses in order."""
        kind = _ANYONE if self.deployers is None else _LISTED
        return encode([self.chain_id, self.since, kind, sorted(self.deployers or ())])

    @property
    def hash(self) -> bytes:
        """What headers carry: Keccak-256 of the encoding."""
        return keccak(self.encoded())

    def record(self, authority: Authority) -> bytes:
        """The encoding with the authority's seal of its hash, as it lies on disk."""
        return encode([self.encoded(), authority.seal(self.hash)])

    def as_json(self) -> dict[str, Any]:
        """The same for `carat_getRules`."""
        listed = None if self.deployers is None else [checksum(each) for each in sorted(self.deployers)]
        return {"since": hex(self.since), "deployers": listed, "hash": hex_bytes(self.hash)}


@dataclass(frozen=True, slots=True)
class SealedRules:
    """A rule record as it was read: the rules, and whose seal is on them (None: nobody's)."""

    rules: Rules
    sealer: bytes | None


def read(record: bytes) -> SealedRules:
    """Read a rule record.

    Raises
    ------
    RulesMalformed :
        If it is none, or not in its one canonical form.
    """
    try:
        encoded, seal = decode(record)
        chain_id, since, kind, addresses = decode(encoded)
        deployers = frozenset(addresses) if kind else None
        rules = Rules(int.from_bytes(chain_id, "big"), int.from_bytes(since, "big"), deployers)
        canonical = rules.encoded() == encoded and all(len(each) == _ADDRESS_BYTES for each in addresses)
    except (Malformed, ValueError, TypeError) as error:
        raise RulesMalformed(str(error)) from None
    if not canonical:
        raise RulesMalformed("not in its canonical form")
    return SealedRules(rules, sealer_of(rules.hash, seal))


class _Ranged(Protocol):
    def range(self, table: bytes, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]: ...


def stored_rules(store: _Ranged) -> list[Rules]:
    """Every rule record of a store, by the block from which it holds."""
    return [read(record).rules for _, record in store.range(TABLE, b"\x00" * 8, b"\xff" * 8)]


def in_force(rules: list[Rules], number: int) -> Rules | None:
    """The rules that block `number` is made by; None where there are none, and everybody may deploy."""
    held = [each for each in rules if each.since <= number]
    return held[-1] if held else None


def extra_data(rules: Rules | None) -> bytes:
    """What a header carries that is made under these rules."""
    return b"" if rules is None else rules.hash
