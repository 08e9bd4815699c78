"""What a node's "no" to a transaction means.

JSON-RPC has one code for all of them (-32000); what they are is in the words, and each engine has its own:
geth (core/txpool/errors.go, core/error.go), Besu (TransactionInvalidReason), anvil and the embedded node.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from chain.rpc import RpcError


class Answer(Enum):
    """What to do about it."""

    WAITS = auto()  # the node holds these very bytes; the receipt is still to come
    NONCE_USED = auto()  # mined already: this one, one of its replacements, or somebody else's
    OTHER_WAITS = auto()  # another transaction waits under this nonce, and this one does not outbid it
    FEE_TOO_LOW = auto()  # the network asks for more
    NO_FUNDS = auto()  # the account cannot pay
    LATER = auto()  # the node cannot take it now
    NEVER = auto()  # or unknown words


_WORDS: Final = (
    # The first that fits: an underpriced replacement is no underpriced transaction.
    (Answer.WAITS, ("already known", "known transaction", "alreadyknown", "already imported")),
    (Answer.OTHER_WAITS, ("replacement transaction", "already waiting", "replacement_underpriced")),
    (Answer.NONCE_USED, ("nonce too low", "nonce is too low", "nonce_too_low", "nonce has already")),
    (
        Answer.FEE_TOO_LOW,
        (
            "underpriced", "less than block base fee", "max fee per gas", "gas price below",
            "basefee exceeds", "maxfeepergas", "gas price too low", "gas price is below", "fee cap less than",
        ),
    ),
    (Answer.NO_FUNDS, ("insufficient funds", "upfront cost exceeds", "insufficient balance")),
    (
        Answer.LATER,
        (
            "pool is full", "nonce too high", "nonce too distant", "too many", "limit exceeded", "rate limit",
            "quota exceeded", "try again", "timeout", "timed out", "syncing", "not ready", "in progress",
            "header not found", "missing trie node",
        ),
    ),
)  # fmt: skip
_INTERNAL_ERROR: Final = -32603
_LIMIT_EXCEEDED: Final = -32005


def meaning(error: RpcError) -> Answer:
    """Return what to do about a node's answer to `eth_sendRawTransaction`."""
    said = error.message.lower()
    for answer, words in _WORDS:
        if any(word in said for word in words):
            return answer
    return Answer.LATER if error.code in (_INTERNAL_ERROR, _LIMIT_EXCEEDED) else Answer.NEVER
