"""Accounts and storage as a block's transactions see them: plain dictionaries with a log to undo by.

Takes the place of py-evm's `AccountDB`, whose journals are dictionaries upon dictionaries. What has been
read once stays in memory for the next block and the next call, as long as the world stands at the head.

Undoing: every change appends what was there before to one log; a checkpoint is a length of that log.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from eth.abc import AccountDatabaseAPI, AtomicDatabaseAPI, MetaWitnessAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.witness import MetaWitness
from eth.typing import JournalDBCheckpoint
from eth_typing import Address, Hash32

from chain.node.codec import decode, encode
from chain.node.hashing import keccak
from chain.node.trie import Trie

MAX_KEPT = 1_000_000
_UINT256 = 2**256


class Record(NamedTuple):
    """An account as the state trie holds it."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


class Changes(NamedTuple):
    """What a block has changed: the new root, accounts, storage roots, and slots of storage.

    `wiped` names whose storage was emptied before the slots were written.
    """

    root: bytes
    accounts: dict[bytes, Record | None]
    storage_roots: dict[bytes, bytes]
    slots: dict[bytes, dict[int, int]]
    wiped: frozenset[bytes]


_NOBODY = Record(0, 0, BLANK_ROOT_HASH, EMPTY_SHA3)
_checkpoints = itertools.count(1)
_Undo = tuple[Callable[..., None], tuple[Any, ...]]


class World(AccountDatabaseAPI):
    """The state at a root, and changes on top of it that a block will keep or drop."""

    def __init__(self, db: AtomicDatabaseAPI, state_root: Hash32 = BLANK_ROOT_HASH) -> None:
        self._db = db
        self._trie = trie_over(db)
        self._root = state_root
        self._accounts: dict[bytes, Record | None] = {}
        self._slots: dict[bytes, dict[int, int]] = {}
        # The storage trie that unread slots are looked up in; blank once storage was wiped.
        self._storage_roots: dict[bytes, bytes] = {}
        self._codes: dict[bytes, bytes] = {}
        self._new_codes: dict[bytes, bytes] = {}
        self._transient: dict[tuple[bytes, int], bytes] = {}
        self._warm: set[Any] = set()
        self._before_transaction: dict[tuple[bytes, int], int] = {}
        self._changed_accounts: set[bytes] = set()
        self._changed_slots: dict[bytes, set[int]] = {}
        self._undo: list[_Undo] = []
        self._checkpoints: list[tuple[int, int]] = []
        self._wiped: set[bytes] = set()
        self._kept = 0
        self.changes: Changes | None = None
        """What the last `make_state_root` wrote."""

    # Roots

    @property
    def state_root(self) -> Hash32:
        """The root at the last `make_state_root`."""
        return self._root

    @state_root.setter
    def state_root(self, value: Hash32) -> None:
        assert value == self._root, "a world does not move to another root"

    @property
    def kept(self) -> int:
        """How many accounts and slots are in memory."""
        return self._kept

    def has_root(self, state_root: bytes) -> bool:
        """Whether this state can be read."""
        return state_root == BLANK_ROOT_HASH or state_root in self._db

    # Storage

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """A storage word; without `from_journal` the one before the current transaction."""
        if not from_journal:
            before = self._before_transaction.get((address, slot))
            if before is not None:
                return before
        slots = self._slots.get(address)
        if slots is None:
            slots = self._slots[address] = {}
        value = slots.get(slot)
        if value is None:
            value = slots[slot] = self._read_slot(address, slot)
            self._kept += 1
        return value

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Write a storage word."""
        old = self.get_storage(address, slot)
        if old == value:
            return
        self._before_transaction.setdefault((address, slot), old)
        slots = self._slots[address]
        self._undo.append((slots.__setitem__, (slot, old)))
        slots[slot] = value
        self._changed_slots.setdefault(address, set()).add(slot)

    def delete_storage(self, address: Address) -> None:
        """Empty an account's storage."""
        root = self._storage_root(address)
        self._undo.append((self._put_storage, (address, self._slots.get(address, {}), root)))
        self._put_storage(address, {}, BLANK_ROOT_HASH)
        self._changed_slots.setdefault(address, set())
        self._changed_accounts.add(address)
        self._wiped.add(address)

    def _put_storage(self, address: bytes, slots: dict[int, int], root: bytes) -> None:
        self._slots[address] = slots
        self._storage_roots[address] = root

    def _storage_root(self, address: Address) -> bytes:
        root = self._storage_roots.get(address)
        if root is None:
            root = self._storage_roots[address] = self._get(address).storage_root
        return root

    def _read_slot(self, address: Address, slot: int) -> int:
        root = self._storage_root(address)
        if root == BLANK_ROOT_HASH:
            return 0
        encoded = self._trie.get(root, _slot_key(slot))
        return int.from_bytes(decode(encoded), "big") if encoded else 0

    # Accounts

    def _find(self, address: Address) -> Record | None:
        try:
            return self._accounts[address]
        except KeyError:
            encoded = self._trie.get(self._root, _address_key(address))
            record = _read_record(encoded) if encoded else None
            self._accounts[address] = record
            self._kept += 1
            return record

    def _get(self, address: Address) -> Record:
        record = self._find(address)
        return _NOBODY if record is None else record

    def _set(self, address: Address, record: Record | None) -> None:
        self._undo.append((self._accounts.__setitem__, (address, self._find(address))))
        self._accounts[address] = record
        self._changed_accounts.add(address)

    def get_balance(self, address: Address) -> int:
        """Wei."""
        return self._get(address).balance

    def set_balance(self, address: Address, balance: int) -> None:
        """Wei."""
        assert 0 <= balance < _UINT256, "a balance fits a word"
        self._set(address, self._get(address)._replace(balance=balance))

    def get_nonce(self, address: Address) -> int:
        """Transactions sent, or contracts made."""
        return self._get(address).nonce

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Transactions sent, or contracts made."""
        self._set(address, self._get(address)._replace(nonce=nonce))

    def increment_nonce(self, address: Address) -> None:
        """One more."""
        record = self._get(address)
        self._set(address, record._replace(nonce=record.nonce + 1))

    def set_code(self, address: Address, code: bytes) -> None:
        """Give an account code."""
        code_hash = keccak(code)
        self._codes[code_hash] = self._new_codes[code_hash] = code
        self._set(address, self._get(address)._replace(code_hash=code_hash))

    def get_code(self, address: Address) -> bytes:
        """The account's code; the same object each time, so that what is known of it can be kept."""
        code_hash = self._get(address).code_hash
        if code_hash == EMPTY_SHA3:
            return b""
        code = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = self._db[code_hash]
        return code

    def get_code_hash(self, address: Address) -> Hash32:
        """Keccak-256 of the code."""
        return Hash32(self._get(address).code_hash)

    def delete_code(self, address: Address) -> None:
        """Take an account's code away."""
        self._set(address, self._get(address)._replace(code_hash=EMPTY_SHA3))

    def account_has_code_or_nonce(self, address: Address) -> bool:
        """Whether a contract may not be made here."""
        record = self._get(address)
        return record.nonce != 0 or record.code_hash != EMPTY_SHA3

    def delete_account(self, address: Address) -> None:
        """Remove account and storage."""
        if self._find(address) is None and not self._slots.get(address):
            return
        self.delete_storage(address)
        self._set(address, None)

    def account_exists(self, address: Address) -> bool:
        """Whether the account is there, be it empty."""
        return self._find(address) is not None

    def touch_account(self, address: Address) -> None:
        """Let the account be there."""
        if self._find(address) is None:
            self._set(address, _NOBODY)

    def account_is_empty(self, address: Address) -> bool:
        """No nonce, no balance, no code (EIP-161)."""
        record = self._get(address)
        return not record.nonce and not record.balance and record.code_hash == EMPTY_SHA3

    # What this transaction has touched (EIP-2929), and transient storage (EIP-1153)

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """Whether the slot was read in this transaction."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Note that the slot was read."""
        self._mark_warm((address, slot))

    def is_address_warm(self, address: Address) -> bool:
        """Whether the account was read in this transaction."""
        return address in self._warm

    def mark_address_warm(self, address: Address) -> None:
        """Note that the account was read."""
        self._mark_warm(address)

    def touched(self) -> frozenset[Any]:
        """Addresses, and pairs of address and slot, that the transaction has read or written so far."""
        return frozenset(self._warm)

    def _mark_warm(self, key: Any) -> None:
        if key not in self._warm:
            self._warm.add(key)
            self._undo.append((self._warm.discard, (key,)))

    def get_transient(self, address: Address, slot: int) -> bytes:
        """A word that lives as long as the transaction."""
        return self._transient.get((address, slot), b"")

    def set_transient(self, address: Address, slot: int, value: bytes) -> None:
        """Write a word that lives as long as the transaction."""
        key = (address, slot)
        self._undo.append((self._transient.__setitem__, (key, self._transient.get(key, b""))))
        self._transient[key] = value

    def clear_transient(self) -> None:
        """The transaction is over."""
        self._transient.clear()

    # Checkpoints

    def record(self) -> JournalDBCheckpoint:
        """A point to come back to."""
        checkpoint = next(_checkpoints)
        self._checkpoints.append((checkpoint, len(self._undo)))
        return JournalDBCheckpoint(checkpoint)

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Undo everything since the checkpoint."""
        length = self._forget(checkpoint)
        for put, arguments in reversed(self._undo[length:]):
            put(*arguments)
        del self._undo[length:]

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Keep everything since the checkpoint, as far as an outer one allows."""
        self._forget(checkpoint)

    def undo_transaction(self) -> None:
        """Undo everything since `lock_changes`: a call leaves no trace."""
        for put, arguments in reversed(self._undo):
            put(*arguments)
        self.lock_changes()
        self._transient.clear()

    def _forget(self, checkpoint: JournalDBCheckpoint) -> int:
        while True:
            last, length = self._checkpoints.pop()
            if last == checkpoint:
                return length

    def lock_changes(self) -> None:
        """A transaction begins: what was done so far is not undone any more."""
        self._undo.clear()
        self._checkpoints.clear()
        self._warm.clear()
        self._before_transaction.clear()

    # Writing

    def make_state_root(self) -> Hash32:
        """Put what has changed into the tries; the new root."""
        for address, changed in self._changed_slots.items():
            slots = self._slots[address]
            words = {_slot_key(slot): _word(slots[slot]) for slot in changed if slot in slots}
            root = self._trie.update(self._storage_roots[address], words)
            self._storage_roots[address] = root
            holder = self._get(Address(address))
            if holder.storage_root != root:
                self._accounts[address] = holder._replace(storage_root=root)
                self._changed_accounts.add(address)
        changes: dict[bytes, bytes] = {}
        for address in self._changed_accounts:
            record = self._accounts[address]
            changes[_address_key(address)] = b"" if record is None else encode(record)
            if record is not None and record.code_hash in self._new_codes:
                self._db[record.code_hash] = self._new_codes[record.code_hash]
        self._root = Hash32(self._trie.update(self._root, changes))
        self.changes = self._what_changed()
        self._wiped.clear()
        self._changed_slots.clear()
        self._changed_accounts.clear()
        self._new_codes.clear()
        self.lock_changes()
        return self._root

    def _what_changed(self) -> Changes:
        return Changes(
            self._root,
            {address: self._accounts[address] for address in self._changed_accounts},
            {address: self._storage_roots[address] for address in self._changed_slots},
            {
                address: {slot: known[slot] for slot in slots if slot in known}
                for address, slots in self._changed_slots.items()
                for known in (self._slots[address],)
            },
            frozenset(self._wiped),
        )

    def follow(self, changes: Changes) -> None:
        """Stand where another world stands that was at the same root and has made these changes.

        What this world has read stays in memory, as it is now; what it has not read is not taken over.
        """
        assert not self._undo, "nothing of its own is under way"
        self._root = Hash32(changes.root)
        for address, record in changes.accounts.items():
            if address in self._accounts:
                self._accounts[address] = record
        for address, root in changes.storage_roots.items():
            if address in self._storage_roots:
                self._storage_roots[address] = root
        for address in changes.wiped:
            self._slots.pop(address, None)
        for address, slots in changes.slots.items():
            known = self._slots.get(address, {})
            known.update((slot, value) for slot, value in slots.items() if slot in known)

    def persist(self) -> MetaWitnessAPI:
        """The same; the nodes are in the database then."""
        self.make_state_root()
        return MetaWitness(set(), {})


def trie_over(db: AtomicDatabaseAPI) -> Trie:
    """The trie over a database, with one cache of nodes for all that read it."""
    trie: Trie | None = getattr(db, "trie", None)
    return Trie(db) if trie is None else trie


@lru_cache(maxsize=262_144)
def _slot_key(slot: int) -> bytes:
    return keccak(slot.to_bytes(32, "big"))


@lru_cache(maxsize=262_144)
def _address_key(address: bytes) -> bytes:
    return keccak(address)


def _word(value: int) -> bytes:
    return encode(value) if value else b""


def _read_record(encoded: bytes) -> Record:
    nonce, balance, storage_root, code_hash = decode(encoded)
    return Record(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)
