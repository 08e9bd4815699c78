"""State and block overrides: a call that sees another world, or another block, than there is.

The words are those of eth_simulateV1's schema; what geth's eth_call has named otherwise is read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eth.abc import ExecutionContextAPI, SignedTransactionAPI
from eth.vm.execution_context import ExecutionContext
from eth_typing import Address, BlockNumber, Hash32

from chain.node.errors import InvalidParams, RpcError, ServerError
from chain.node.fork import CallState, NodeComputation
from chain.node.formats import (
    UINT64_MAX,
    checksum,
    read_address,
    read_bytes,
    read_hash,
    read_int,
    read_object,
)
from chain.node.world import World

MAX_ACCOUNTS = 1_024
MAX_SLOTS = 16_384
Precompiles = dict[Address, Any]


class MovedOntoItself(RpcError):
    """A precompile is to move to where it is."""

    code = -38022


class MovedOntoAnother(RpcError):
    """A precompile is to move to an address that is moved to, or overridden, already."""

    code = -38023


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """What an account is to hold; None for what stays. `state` takes the place of its whole storage."""

    nonce: int | None = None
    balance: int | None = None
    code: bytes | None = None
    move_to: bytes | None = None
    state: Mapping[int, int] | None = None
    diff: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockOverrides:
    """What the block says of itself; None for what stays."""

    number: int | None = None
    time_utc: int | None = None
    gas_limit: int | None = None
    coinbase: bytes | None = None
    randao: bytes | None = None
    base_fee: int | None = None
    blob_base_fee: int | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """Both."""

    accounts: Mapping[bytes, AccountOverride] = field(default_factory=dict)
    block: BlockOverrides = field(default_factory=BlockOverrides)

    def __bool__(self) -> bool:
        return bool(self.accounts) or self.block != BlockOverrides()


NONE = Overrides()


class OverriddenState(CallState):
    """A call's world under overrides. `blob_fee` takes the place of the blob base fee, if given."""

    blob_fee: int | None = None

    @property
    def blob_base_fee(self) -> int:
        """Wei a unit of blob gas."""
        return super().blob_base_fee if self.blob_fee is None else self.blob_fee

    def get_tip(self, transaction: SignedTransactionAPI) -> int:
        """What the coinbase gets: a call without a fee owes it nothing, whatever the base fee."""
        return max(0, super().get_tip(transaction))

    def is_address_warm(self, address: Address) -> bool:
        """Precompiles are warm where they belong (EIP-2929), not where they were moved to."""
        return self.world.is_address_warm(address) or address in NodeComputation._precompiles

    def set_precompiles(self, precompiles: Precompiles) -> None:
        """Let the precompiles be at these addresses."""
        self.computation_class = type("Moved", (NodeComputation,), {"_precompiles": precompiles})


def read_overrides(accounts: Any, block: Any = None) -> Overrides:
    """The overrides that a request's parameters say; null for none.

    Raises
    ------
    InvalidParams :
        If they make no sense, or are too many.
    """
    return Overrides(read_accounts(accounts), read_block(block))


def read_accounts(value: Any) -> dict[bytes, AccountOverride]:
    """State overrides: accounts by address."""
    fields = read_object({} if value is None else value, "state overrides")
    if len(fields) > MAX_ACCOUNTS:
        raise InvalidParams(f"state overrides: {len(fields)} accounts, limit {MAX_ACCOUNTS}")
    return {read_address(name): _account(each) for name, each in fields.items()}


def read_block(value: Any) -> BlockOverrides:
    """Block overrides."""
    fields = read_object({} if value is None else value, "block overrides")

    def number(*names: str, maximum: int = UINT64_MAX) -> int | None:
        return next((read_int(fields[n], n, maximum) for n in names if fields.get(n) is not None), None)

    coinbase = fields.get("feeRecipient", fields.get("coinbase"))
    randao = fields.get("prevRandao", fields.get("random"))
    return BlockOverrides(
        number=number("number"),
        time_utc=number("time", "timestamp"),
        gas_limit=number("gasLimit"),
        coinbase=None if coinbase is None else read_address(coinbase, "feeRecipient"),
        randao=None if randao is None else read_int(randao, "prevRandao").to_bytes(32, "big"),
        base_fee=number("baseFeePerGas", "baseFee", maximum=2**256 - 1),
        blob_base_fee=number("blobBaseFee"),
    )


def apply_accounts(world: World, accounts: Mapping[bytes, AccountOverride]) -> Precompiles:
    """Change the world; the answer is where the precompiles are then. An overridden one is none any more.

    Raises
    ------
    ServerError, MovedOntoItself, MovedOntoAnother :
        If what is to move is no precompile, or where it is to go is not free.
    """
    known = NodeComputation._precompiles
    precompiles: Precompiles = {a: run for a, run in known.items() if a not in accounts}
    moved: set[bytes] = set()
    for name, wanted in accounts.items():
        address = Address(name)
        if wanted.move_to is not None:
            target = Address(wanted.move_to)
            if address not in known:
                raise ServerError(f"account {checksum(address)} is not a precompile")
            if target == address:
                raise MovedOntoItself(f"precompile {checksum(address)} is to move onto itself")
            if target in accounts or target in moved:
                raise MovedOntoAnother(f"account {checksum(target)} is already overridden")
            precompiles[target] = known[address]
            moved.add(target)
        _apply(world, address, wanted)
    world.lock_changes()
    return precompiles


def overridden_context(context: ExecutionContextAPI, wanted: BlockOverrides) -> ExecutionContext:
    """The context with what the overrides say."""

    def either(override: Any, value: Any) -> Any:
        return value if override is None else override

    return ExecutionContext(
        coinbase=Address(either(wanted.coinbase, context.coinbase)),
        timestamp=either(wanted.time_utc, context.timestamp),
        block_number=BlockNumber(either(wanted.number, context.block_number)),
        difficulty=0,
        mix_hash=Hash32(either(wanted.randao, context.mix_hash)),
        gas_limit=either(wanted.gas_limit, context.gas_limit),
        prev_hashes=context.prev_hashes,
        chain_id=context.chain_id,
        base_fee_per_gas=either(wanted.base_fee, context.base_fee_per_gas),
        excess_blob_gas=0,
    )


def _apply(world: World, address: Address, wanted: AccountOverride) -> None:
    if wanted.nonce is not None:
        world.set_nonce(address, wanted.nonce)
    if wanted.balance is not None:
        world.set_balance(address, wanted.balance)
    if wanted.code is not None:
        world.set_code(address, wanted.code)
    if wanted.state is not None:
        world.delete_storage(address)
    for slot, value in (wanted.diff if wanted.state is None else wanted.state).items():
        world.set_storage(address, slot, value)


def _account(value: Any) -> AccountOverride:
    fields = read_object(value, "account override")
    state, diff = fields.get("state"), fields.get("stateDiff")
    if state is not None and diff is not None:
        raise InvalidParams("account override: both state and stateDiff")
    code, move_to = fields.get("code"), fields.get("movePrecompileToAddress")
    balance, nonce = fields.get("balance"), fields.get("nonce")
    return AccountOverride(
        nonce=None if nonce is None else read_int(nonce, "nonce", UINT64_MAX),
        balance=None if balance is None else read_int(balance, "balance"),
        code=None if code is None else read_bytes(code, "code"),
        move_to=None if move_to is None else read_address(move_to, "movePrecompileToAddress"),
        state=None if state is None else _storage(state),
        diff={} if diff is None else _storage(diff),
    )


def _storage(value: Any) -> dict[int, int]:
    fields = read_object(value, "storage override")
    if len(fields) > MAX_SLOTS:
        raise InvalidParams(f"storage override: {len(fields)} slots, limit {MAX_SLOTS}")

    def word(text: Any) -> int:
        return int.from_bytes(read_hash(text, "storage override"), "big")

    return {word(slot): word(held) for slot, held in fields.items()}
