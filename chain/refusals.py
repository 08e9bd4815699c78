"""The root of everything that CARAT refuses.

A refusal is an expected answer, not a fault: it has a code, the numbers behind it, and it changes nothing.

    Refusal
    ├── NamedRefusal             given by somebody else, under the name that it has there
    │   └── ContractRefusal      a contract's typed error, decoded
    ├── TransactionMalformed     bytes that are no signed transaction of this chain
    ├── TransactionRejected      the node will not take the transaction
    │   ├── NonceTaken           another transaction of this account was mined in its place
    │   ├── FeeTooLow            the network asks for more than what was signed
    │   └── FundsInsufficient    the account cannot pay for the gas
    ├── ChainUnreachable         the chain does not answer; the same call may succeed later
    │   ├── ChainBehind          an older state answers than one seen before
    │   └── TransactionUnmined   it was sent, and no block holds it yet
    ├── ChainMismatch            another chain answers than the one deployed to
    ├── ChainUrlMalformed        no JSON-RPC address
    ├── FinalityUnknown          the chain cannot say which block is final in this way
    ├── UnitMalformed            (chain.units)
    └── KeyringLocked            (chain.keys)
    (registry, exchange and api add their own)
"""

from __future__ import annotations

from collections.abc import Mapping

Fact = int | str | bool | None


class Refusal(Exception):
    """The act is refused; nothing was changed."""

    def __init__(self, **facts: Fact) -> None:
        self.facts: dict[str, Fact] = facts
        super().__init__(facts)

    @property
    def code(self) -> str:
        """The refusal's name: stable, for machines."""
        return type(self).__name__

    @property
    def title(self) -> str:
        """One sentence for people."""
        return (type(self).__doc__ or self.code).strip().splitlines()[0]

    def __str__(self) -> str:
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.code}: {facts}" if facts else self.code

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by their args; facts are keywords.
        return (_restore, (type(self), self.facts))


def _restore(kind: type[Refusal], facts: Mapping[str, Fact]) -> Refusal:
    refusal = kind.__new__(kind)
    Refusal.__init__(refusal, **facts)
    return refusal


class NamedRefusal(Refusal):
    """A refusal that somebody else gave, under the name that it has there."""

    def __init__(self, name: str, facts: Mapping[str, Fact]) -> None:
        super().__init__(**facts)
        self._name = name

    @property
    def code(self) -> str:
        """The name under which it was given."""
        return self._name

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self._name, self.facts))


class ContractRefusal(NamedRefusal):
    """A contract refused the act."""


class TransactionMalformed(Refusal):
    """These bytes are no signed transaction of this chain."""


class TransactionRejected(Refusal):
    """The node does not take this transaction."""


class NonceTaken(TransactionRejected):
    """Another transaction of this account was mined with this nonce; this one never will be."""


class FeeTooLow(TransactionRejected):
    """The network asks for a higher fee than what was signed; sign the act again."""


class FundsInsufficient(TransactionRejected):
    """The account cannot pay for the gas that the network charges."""


class ChainUnreachable(Refusal):
    """The chain does not answer now; the same act may be sent again."""


class ChainBehind(ChainUnreachable):
    """The node that answers is behind a block that was seen before; ask again."""


class TransactionUnmined(ChainUnreachable):
    """The act was sent, but no block holds it for good yet; send the same act again."""


class ChainMismatch(Refusal):
    """Another chain answers than the one that the contracts were deployed to."""


class ChainUrlMalformed(Refusal):
    """The chain's address is one http or https URL, or several with commas between them."""


class FinalityUnknown(Refusal):
    """The chain does not say which block is final in the way that was asked for."""
