"""The whole chain behind one object, without any network: what JSON-RPC methods work on.

Nothing here is asynchronous and nothing is shared between threads: the server calls it from its event
loop, so every method sees one consistent head.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from eth.abc import AtomicDatabaseAPI, ExecutionContextAPI
from eth_typing import Address, Hash32

from chain.node.accounts import TEST_BALANCE_WEI, Unlocked
from chain.node.authority import Authority, AuthorityChanged
from chain.node.blocks import Block
from chain.node.builder import Unexecutable, build
from chain.node.building import Building
from chain.node.clock import Clock
from chain.node.errors import RpcError, ServerError
from chain.node.fork import BLOCK_GAS_LIMIT, CallState, NodeState, execution_context
from chain.node.formats import checksum
from chain.node.history import History
from chain.node.mempool import Mempool
from chain.node.modes import Mining
from chain.node.pruning import Kept
from chain.node.quota import Quota, QuotaRule
from chain.node.remembered import Remembered
from chain.node.rules import Rules, extra_data
from chain.node.store import Store
from chain.node.transactions import Transaction, check, decode
from chain.node.world import MAX_KEPT, World

DEFAULT_CHAIN_ID = 7_327
_KEPT_REFUSALS = 10_000

_log = logging.getLogger(__name__)


def genesis_root(db: AtomicDatabaseAPI, unlocked: Unlocked) -> Hash32:
    """The root of a new chain's state: nobody holds anything but a test chain's unlocked accounts."""
    world = World(db)
    for address in unlocked.addresses():
        world.set_balance(Address(address), TEST_BALANCE_WEI)
    return world.make_state_root()


class StateUnavailable(ServerError):
    """The state after this block was pruned, in geth's words. `carat chain verify` computes it again."""

    def __init__(self, block: Block, first_kept: int) -> None:
        root = "0x" + block.header.state_root.hex()
        super().__init__(
            f"missing trie node {root} (path ) state {root} is not available: states before block "
            f"{first_kept} are pruned, asked for block {block.number}"
        )


@dataclass(frozen=True, slots=True)
class Deployers:
    """Who may deploy contracts from now on: the listed addresses, or everybody where it is None."""

    listed: frozenset[bytes] | None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node runs. `genesis_utc` sets the clock of a new chain; an old chain keeps its own.

    `authority_key` is the file of the key that seals blocks, by default one in the data directory, which is
    made with a new chain; `passphrase` opens it. `deployers` changes the chain's rules, None leaves them.
    `quota` rations what each sender but `operators` may ask for, None for no quota. `keep_states` is of how
    many blocks the states stay readable, None for all.
    """

    chain_id: int = DEFAULT_CHAIN_ID
    test_methods: bool = False
    genesis_utc: int | None = None
    unlocked: int = 0
    fsync: bool = True
    authority_key: Path | None = None
    passphrase: str = field(default="", repr=False)
    mining: Mining = field(default_factory=Mining)
    deployers: Deployers | None = None
    quota: QuotaRule | None = None
    operators: frozenset[bytes] = frozenset()
    keep_states: int | None = None


class Node:
    """One chain: its store, history, pool and clock."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(directory, fsync=settings.fsync)
        try:
            self.history = History(self.store)
            self.authority = self._authority(directory)
            self.clock = Clock()
            self._world: World | None = None
            self._reading: World | None = None
            self.remembered = Remembered()
            self._building: Building | None = None
            self.unlocked = Unlocked(settings.unlocked if settings.test_methods else 0)
            self._snapshots: dict[str, dict[str, Any]] = self.store.meta("snapshots") or {}
            self._snapshot_count: int = self.store.meta("snapshot_count") or 0
            if self.history.is_new:
                self._begin()
            else:
                self._resume()
            if settings.keep_states is not None:
                self.store.keep_only(self._kept)
        except BaseException:
            self.store.close()
            raise
        self.mining = replace(settings.mining)
        self.quota = Quota(settings.quota, settings.operators)
        self.pool = Mempool(self._mined_nonce, self._mined_balance, settings.operators, self._dropped)
        self._left_some = False
        self.refusals: dict[bytes, RpcError] = {}
        self.on_block: list[Callable[[Block], None]] = []
        self.on_pending: list[Callable[[Transaction], None]] = []

    @property
    def head(self) -> Block:
        """The last block."""
        return self.history.head

    # Transactions

    def admit(self, raw: bytes) -> tuple[bytes, bool]:
        """Take a signed transaction into the pool; its hash, and whether a block is to be waited for.

        One that is mined or waiting already is answered like the first time, so a client may send again
        whatever it is not sure of.

        Raises
        ------
        RpcError :
            If it can never be mined, may not deploy, is more than its sender's quota, or there is no room.
        """
        transaction = decode(raw, self.settings.chain_id)
        if self.history.find(transaction.hash) is not None:
            return transaction.hash, False
        if self.pool.get(transaction.hash) is None:
            self._take_in(transaction)
        return transaction.hash, self.mining.automine and self.pool.is_ready(transaction)

    def _take_in(self, transaction: Transaction) -> None:
        check(transaction, BLOCK_GAS_LIMIT)
        rules = self.history.rules_at(self.head.number + 1)
        if rules is not None:
            rules.permit(transaction)
        self._require_funds(transaction)
        self.quota.reserve(transaction, newcomer=not self._mined_nonce(transaction.sender))
        try:
            self.pool.add(transaction)
        except RpcError:
            self.quota.release(transaction, 0)
            raise
        self.refusals.pop(transaction.hash, None)
        for hear in self.on_pending:
            hear(transaction)

    def _require_funds(self, transaction: Transaction) -> None:
        """Refuse now what no block could take, as every node does: a block made for it would be empty."""
        sender, cost = transaction.sender, transaction.value + transaction.gas * transaction.max_fee_per_gas
        if cost and transaction.nonce >= self._mined_nonce(sender):
            balance = self._mined_balance(sender)
            if balance < cost:
                raise ServerError(
                    f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"
                )

    def _dropped(self, transaction: Transaction, reason: RpcError, work_ms: int = 0) -> None:
        """The pool let go of a transaction that it had taken."""
        self.quota.release(transaction, transaction.intrinsic_gas, work_ms)
        self._refuse(transaction, reason)

    def mine_ready(self) -> None:
        """Build blocks until nothing is ready; what could not run is in `refusals`, by its hash."""
        while self.pool.has_ready():
            self.mine_block()

    def mine_block(self) -> Block:
        """Build one block from what is ready, empty or not, and write it."""
        return self.begin_block().block()

    def begin_block(self) -> Building:
        """Begin one block from what is ready, empty or not; it is written when it is advanced to its end."""
        self.finish_block()
        self._building = Building(self._block_steps())
        return self._building

    def finish_block(self) -> None:
        """Have the block that is under way, if there is one, written now: something is going to change."""
        if self._building is not None:
            self._building.finish()

    def _block_steps(self) -> Generator[None, None, Block]:
        try:
            while True:
                try:
                    return (yield from self._mine_block())
                except Unexecutable as problem:
                    _log.exception("left out of the block")
                    self._dropped(problem.transaction, problem.refusal, problem.work_ms)
                    self.pool.settle([], [problem.transaction])
        finally:
            self._building = None

    def _mine_block(self) -> Generator[None, None, Block]:
        clock = self.clock.state()
        timestamp = self.clock.take(self.head.header.timestamp)
        number = self.head.number + 1
        self._world = world = self._world or self._world_of(self.head)
        state = NodeState(world, self._context(number, timestamp))
        under = extra_data(self.history.rules_at(number))
        self._drop_overdrawn()
        waiting = self.pool.take_ready(by_turns=self._left_some)
        try:
            built = yield from build(state, self.head, timestamp, waiting, under)
            self.history.append(built.block, {"clock": self.clock.state()}, self.authority)
        except BaseException:
            self._drop_world()
            self.clock.restore(clock)
            raise
        if self._reading is not None and world.changes is not None:
            self._reading.follow(world.changes)
        if world.kept > MAX_KEPT:
            self._drop_world()
        self._left_some = built.left > 0
        done = zip(built.block.transactions, built.block.receipts, built.work_ms, strict=True)
        for transaction, receipt, work_ms in done:
            self.quota.release(transaction, receipt.gas_used, work_ms)
        for transaction, error in built.refused:
            self._dropped(transaction, error)
        self.pool.settle(list(built.block.transactions), [transaction for transaction, _ in built.refused])
        for hear in self.on_block:
            hear(built.block)
        return built.block

    def _drop_overdrawn(self) -> None:
        """Refuse what senders wait for whose earlier transactions have taken more time than they may take."""
        if not self.quota.in_debt:
            return
        for transaction in self.pool:
            refusal = self.quota.overdrawn(transaction)
            if refusal is not None:
                self.pool.drop(transaction, refusal)

    def _refuse(self, transaction: Transaction, error: RpcError) -> None:
        self.refusals[transaction.hash] = error
        if len(self.refusals) > _KEPT_REFUSALS:
            del self.refusals[next(iter(self.refusals))]

    # State

    def state_after(self, block: Block) -> NodeState:
        """The world after `block`, to read accounts from."""
        world = self._head_world() if block is self.head else self._world_of(block)
        return NodeState(world, self._context(block.number, block.header.timestamp))

    @contextmanager
    def calling(self, block: Block) -> Iterator[CallState]:
        """The world as a call on top of `block` sees it; whatever the call does is forgotten."""
        timestamp = self.clock.peek(block.header.timestamp) if block is self.head else block.header.timestamp
        number = block.number + 1 if block is self.head else block.number
        world = self._head_world() if block is self.head else self._world_of(block)
        try:
            yield CallState(world, self._context(number, timestamp))
        finally:
            world.undo_transaction()
            if world.kept > MAX_KEPT:
                self._forget(world)

    def state_before(self, block: Block) -> NodeState:
        """The world in which the first transaction of `block` ran."""
        parent = self.history.at(block.number - 1)
        assert parent is not None
        return NodeState(self._world_of(parent), self._context(block.number, block.header.timestamp))

    # Time travel and snapshots

    def save_clock(self) -> None:
        """Keep a moved clock over a restart."""
        self.store.commit({}, {"clock": self.clock.state()})

    def snapshot(self) -> str:
        """Remember head and clock; the id is never used again."""
        self._snapshot_count += 1
        name = hex(self._snapshot_count)
        self._snapshots[name] = {"height": self.head.number, "clock": self.clock.state()}
        self.store.commit({}, self._snapshot_meta())
        return name

    def revert(self, name: str) -> bool:
        """Go back to a snapshot, which is then used up with every later one; False if there is none."""
        if name not in self._snapshots:
            return False
        snapshot = self._snapshots[name]
        self._snapshots = {
            other: kept for other, kept in self._snapshots.items() if int(other, 16) < int(name, 16)
        }
        self.clock.restore(snapshot["clock"])
        height = snapshot["height"]
        meta = {"clock": self.clock.state(), "first_kept": min(self.first_kept, height)}
        self.history.rewind(height, {**self._snapshot_meta(), **meta})
        self.pool.clear()
        self.quota.clear()
        self._drop_world()
        return True

    # Pruned states

    @property
    def first_kept(self) -> int:
        """The first block whose state, and that of all after it, can be read."""
        return self.store.first_kept

    def require_state(self, block: Block) -> None:
        """Raise StateUnavailable if the state after `block` was pruned."""
        if block.number < self.first_kept and block.number not in self._snapshot_heights():
            raise StateUnavailable(block, self.first_kept)

    def _kept(self) -> Kept:
        assert self.settings.keep_states is not None
        head = self.head.number
        first = max(self.first_kept, head + 1 - self.settings.keep_states, 0)
        heights = [height for height in self._snapshot_heights() if height < first]
        older = (root for height in heights for root in self.history.state_roots(height, height))
        return Kept(first, chain(self.history.state_roots(first, head), older))

    def _snapshot_heights(self) -> set[int]:
        return {int(kept["height"]) for kept in self._snapshots.values()}

    def close(self) -> None:
        """Let go of the data directory."""
        self.store.close()

    def _authority(self, directory: Path) -> Authority:
        path, passphrase = self.settings.authority_key, self.settings.passphrase
        if path is None:
            path = directory / "authority.json"
            if self.history.is_new and not path.exists():
                return Authority.create(path, passphrase)
        return Authority.open(path, passphrase)

    def _begin(self) -> None:
        if self.settings.genesis_utc is not None:
            self.clock.set_now(self.settings.genesis_utc)
        root = genesis_root(self.store.state, self.unlocked)
        meta = {
            "clock": self.clock.state(),
            "chain_id": self.settings.chain_id,
            "authority": checksum(self.authority.address),
            "unlocked": len(self.unlocked.addresses()),
        }
        rules = None if self.settings.deployers is None else self._new_rules(0, self.settings.deployers)
        self.history.begin(self.clock.now_utc(), meta, self.authority, root, rules)

    def _resume(self) -> None:
        sealed_by, given = self.store.meta("authority"), checksum(self.authority.address)
        if sealed_by != given:
            raise AuthorityChanged(sealed_by=sealed_by, given=given)
        chain_id = self.store.meta("chain_id")
        if chain_id != self.settings.chain_id:
            raise ValueError(f"the data directory holds chain {chain_id}, not {self.settings.chain_id}")
        self.clock.restore(self.store.meta("clock"))
        if self.settings.deployers is not None:
            self._change_rules(self.settings.deployers)

    def _change_rules(self, deployers: Deployers) -> None:
        number = self.head.number + 1
        held = self.history.rules_at(number)
        if (None if held is None else held.deployers) != deployers.listed:
            self.history.set_rules(self._new_rules(number, deployers), self.authority)

    def _new_rules(self, number: int, deployers: Deployers) -> Rules:
        return Rules(self.settings.chain_id, number, deployers.listed)

    def _head_world(self) -> World:
        """The world at the head; while a block is built in one, another that stands still."""
        if self._building is not None:
            if self._reading is None:
                self._reading = self._world_of(self.head)
            return self._reading
        if self._world is None:
            self._world = self._world_of(self.head)
        return self._world

    def _drop_world(self) -> None:
        self._world = self._reading = None
        self.store.state.pending.clear()

    def _forget(self, world: World) -> None:
        """Let go of what a world has in memory; never of one that a block is built in."""
        if world is self._reading:
            self._reading = None
        elif world is self._world:
            self._drop_world()

    def _world_of(self, block: Block) -> World:
        self.require_state(block)
        return World(self.store.state, Hash32(block.header.state_root))

    def _context(self, number: int, timestamp_utc: int) -> ExecutionContextAPI:
        return execution_context(
            number, timestamp_utc, self.settings.chain_id, self.history.hashes_before(number)
        )

    def _mined_nonce(self, sender: bytes) -> int:
        return self._head_world().get_nonce(Address(sender))

    def _mined_balance(self, sender: bytes) -> int:
        return self._head_world().get_balance(Address(sender))

    def _snapshot_meta(self) -> dict[str, Any]:
        return {"snapshots": self._snapshots, "snapshot_count": self._snapshot_count}
