# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
# distutils: include_dirs = exchange/history
# distutils: depends = exchange/history/sha256.h
"""The compiled recorder: the reference's rows (reference.py), byte for byte."""

include "../core/native/types.pxi"
include "../core/native/records.pxi"
include "native/rows.pxi"
include "native/ids.pxi"
include "native/chains.pxi"
include "native/taking.pxi"
include "native/tape.pxi"

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize

import os
from hashlib import sha256

from exchange.history.refusals import HistoryFull, HistoryIncomplete
from exchange.history.recorder import named
from exchange.history.rows import ORDERS_MAX, TRADES_MAX, read_trade
from exchange.netting import Delta

assert sizeof(Report) == 128 and sizeof(Order) == 128 and sizeof(Trade) == 128
assert sizeof(Place) == 8 and sizeof(Chunk) == 8 and sizeof(Who) == 64

cdef tuple FAILURES = ("", "a report of an unknown order", "a trade is missing", "a fee that nobody collects")


cdef object signed_wide(i128 number):
    return (int(<i64>(number >> 64)) << 64) | int(<u64>number)


cdef object unsigned_wide(u128 number):
    return (int(<u64>(number >> 64)) << 64) | int(<u64>number)


def sha256_padded(bytes message not None, bint fast):
    """Hash a message as the tape does, with the processor's instructions or without, for the tests."""
    cdef size_t n = len(message), blocks = (n + 9 + 63) // 64
    cdef bytearray padded = bytearray(blocks * 64)
    cdef u8 *at = <u8 *><char *>padded
    cdef u8 out[32]
    memcpy(at, <const char *>message, n)
    sha_pad(at, n, blocks)
    sha_padded(sha_choice(fast), at, blocks, out)
    return PyBytes_FromStringAndSize(<const char *>out, 32)


def sha256_is_fast():
    """Whether the processor has instructions for SHA-256 that are used here."""
    return bool(sha_is_fast())


# In a struct the collector does not see them: it would clear a ring's memoryviews while they are held.
cdef struct Held:
    Py_buffer orders
    Py_buffer trades


cdef class CompiledRecorder:
    """The recorder, compiled. The reference says what it does."""

    is_compiled = True
    cdef Rec c
    cdef Held held
    cdef object order_store
    cdef object trade_store
    cdef bint is_held
    cdef bint fast

    def __init__(self, orders, trades):
        assert self.order_store is None, "made once"
        self.order_store = orders
        self.trade_store = trades
        self.fast = sha_is_fast()
        self.c.seed = int.from_bytes(os.urandom(8), "little")
        begin_ids(&self.c)
        self.hold()

    def __dealloc__(self):
        cdef Rec *c = &self.c
        self.let_go()
        clear_ids(c)
        clear_chains(c)
        free(c.accounts)
        free(c.units)
        free(c.collectors)
        free(c.touched)
        free(c.touched_table)
        free(c.closed)

    cdef int hold(self) except -1:
        # Have the stores' rows at hand, until they are to be grown or cut.
        PyObject_GetBuffer(self.order_store.view(), &self.held.orders, PyBUF_WRITABLE)
        try:
            PyObject_GetBuffer(self.trade_store.view(), &self.held.trades, PyBUF_WRITABLE)
        except BaseException:
            PyBuffer_Release(&self.held.orders)
            raise
        self.c.orders = <Order *>self.held.orders.buf
        self.c.trades = <Trade *>self.held.trades.buf
        self.is_held = True
        return 0

    cdef void let_go(self):
        if self.is_held:
            PyBuffer_Release(&self.held.orders)
            PyBuffer_Release(&self.held.trades)
            self.is_held = False

    @property
    def orders(self):
        """How many orders there are."""
        return self.c.orders_used

    @property
    def trades(self):
        """How many trades there are."""
        return self.c.trades_used

    @property
    def watching(self):
        """Whether touched levels are collected."""
        return bool(self.c.watching)

    @watching.setter
    def watching(self, bint watching):
        self.c.watching = watching

    def seed(self, accounts, units, collectors):
        """Say who the participants are, what the instruments, and who collects their fees."""
        cdef Rec *c = &self.c
        cdef u32 i
        cdef bytes account
        c.accounts_used = c.units_used = 0
        need_account(c, len(accounts))
        need_unit(c, len(units))
        for i, account in enumerate(accounts):
            assert len(account) == sizeof(Account)
            memcpy(&c.accounts[i], <const char *>account, sizeof(Account))
        for i, unit in enumerate(units):
            c.units[i] = (<u128><u64>(unit >> 64) << 64) | <u64>(unit & 0xFFFFFFFFFFFFFFFF)
        for i, collector in enumerate(collectors):
            c.collectors[i] = collector

    # --- taking ---

    def take(self, reports not None):
        """Take reports in; return the epochs that they close."""
        cdef Py_buffer run
        cdef const Report *r
        cdef u64 n, i, orders, trades
        cdef int failed
        PyObject_GetBuffer(reports, &run, PyBUF_SIMPLE)
        try:
            r = <const Report *>run.buf
            n = <u64>run.len // sizeof(Report)
            orders = self.c.orders_used
            trades = self.c.trades_used
            # At most so many; where that does not fit, they are counted.
            if orders + n > <u64>self.held.orders.len // sizeof(Order) or (
                trades + n > <u64>self.held.trades.len // sizeof(Trade)
            ):
                for i in range(n):
                    orders += r[i].kind == K_ACCEPTED
                    trades += r[i].kind == K_TRADE
                self.reserve(orders, trades)
            self.c.closed_used = 0
            with nogil:
                failed = take_run(&self.c, r, n)
        finally:
            PyBuffer_Release(&run)
        if failed:
            raise AssertionError(FAILURES[failed])
        if self.c.closed_used == 0:
            return []
        return [
            (self.c.closed[i].number, self.c.closed[i].first, self.c.closed[i].trades)
            for i in range(self.c.closed_used)
        ]

    cdef int reserve(self, u64 orders, u64 trades) except -1:
        if orders > <u64>ORDERS_MAX or trades > <u64>TRADES_MAX:
            raise HistoryFull(orders=orders, trades=trades)
        if orders * sizeof(Order) > <u64>self.held.orders.len or trades * sizeof(Trade) > <u64>self.held.trades.len:
            self.let_go()
            try:
                self.order_store.reserve(orders)
                self.trade_store.reserve(trades)
            finally:
                self.hold()
        if orders * sizeof(Order) > <u64>self.held.orders.len or trades * sizeof(Trade) > <u64>self.held.trades.len:
            raise MemoryError("a store did not grow as it was asked to")
        return 0

    def rewind(self, u64 orders, u64 trades):
        """Keep so many rows of each, and find them again."""
        cdef Rec *c = &self.c
        cdef u64 i = 0
        while i < orders and i < <u64>self.held.orders.len // sizeof(Order) and c.orders[i].participant:
            i += 1
        if i < orders:
            raise HistoryIncomplete(kind="orders", found=i, needed=orders)
        i = 0
        while i < trades and i < <u64>self.held.trades.len // sizeof(Trade) and c.trades[i].taker:
            i += 1
        if i < trades:
            raise HistoryIncomplete(kind="trades", found=i, needed=trades)
        self.let_go()
        try:
            self.order_store.cut(orders)
            self.trade_store.cut(trades)
        finally:
            self.hold()
        c.entering = 0
        self.drain()
        with nogil:
            begin_ids(c)
            clear_chains(c)
            find_rows(c, orders, trades)

    # --- finding ---

    def find(self, bytes order_id not None):
        """Return the newest order of this id."""
        cdef u64 halves[2]
        if len(order_id) != 16:
            return 0
        memcpy(halves, <const char *>order_id, 16)
        return find_order(&self.c, halves[0], halves[1])

    def numbers(self, int kind, key, after, limit, *, bint only_open=False):
        """Return numbers of a chain."""
        cdef Rec *c = &self.c
        cdef Chain *l
        cdef u32 *out
        cdef u32 n, most, above, i
        if key <= 0 or key >= (c.tapes_room if kind == 2 else c.who_room) or limit <= 0 or after > TRADES_MAX:
            return []
        l = &c.tapes[<u32>key] if kind == 2 else &c.who[<u32>key].orders if kind == 0 else &c.who[<u32>key].trades
        above = after
        most = min(limit, l.count)
        out = <u32 *>grow(NULL, 0, (<u64>most + CHUNK) * sizeof(u32))
        try:
            n = walk(c, l, kind, key, above, most, only_open, out)
            return [out[i] for i in range(n)]
        finally:
            free(out)

    def open_orders(self, participant):
        """Return how many of its orders stand in a book or wait."""
        return self.c.who[<u32>participant].orders.open_all if 0 < participant < self.c.who_room else 0

    def last_trade(self, instrument):
        """Return the number of an instrument's last trade; 0: none."""
        return self.c.tapes[<u32>instrument].head if 0 < instrument < self.c.tapes_room else 0

    def drain(self):
        """Return the levels touched since the last call."""
        cdef Rec *c = &self.c
        cdef u32 i
        if c.touched_used == 0:
            return []
        touched = [(c.touched[i].instrument, c.touched[i].side, c.touched[i].price) for i in range(c.touched_used)]
        c.touched_used = 0
        memset(c.touched_table, 0, (<u64>c.touched_mask + 1) * sizeof(u32))
        return touched

    def views(self):
        """Return the rows of both, to read."""
        return self.order_store.view(), self.trade_store.view()

    def close(self):
        """Let go of the stores."""
        self.let_go()

    # --- the tape ---

    def _account(self, u32 participant):
        assert participant <= self.c.accounts_used, "a trade without names"
        return <bytes>(<const char *>account_of(&self.c, participant))[:20]

    def tape(self, u64 first, u64 trades, epoch):
        """Return trades with names."""
        cdef u64 n
        assert is_named(&self.c, first, trades), "a trade without names"
        with self.trade_store.view() as rows:
            found = [read_trade(rows, first + n) for n in range(trades)]
        return [
            named(each, epoch, unsigned_wide(self.c.units[<u32>each.instrument - 1]), self._account) for each in found
        ]

    def root(self, u64 first, u64 trades, u64 epoch):
        """Return the tape root of trades."""
        cdef u8 root[32]
        cdef bint all_named
        if trades == 0:
            return sha256().digest()
        with nogil:
            all_named = is_named(&self.c, first, trades)
            if all_named:
                root_of(&self.c, first, trades, epoch, self.fast, root)
        assert all_named, "a trade without names"
        return PyBytes_FromStringAndSize(<const char *>root, 32)

    def net(self, u64 first, u64 trades):
        """Return what trades move."""
        cdef Net x
        cdef u64 i
        cdef Moved *m
        cdef bint all_named
        memset(&x, 0, sizeof(Net))
        with nogil:
            all_named = is_named(&self.c, first, trades)
            if all_named:
                net_of(&self.c, first, trades, &x)
        assert all_named, "a trade without names"
        try:
            found = []
            for i in range(x.mask + 1 if x.moved != NULL else 0):
                m = &x.moved[i]
                if m.key and (m.tonnes or m.cash):
                    unit = unsigned_wide(self.c.units[<u32>(m.key >> 32) - 1])
                    account = self._account(<u32>m.key)
                    found.append((unit, account, signed_wide(m.tonnes), signed_wide(m.cash)))
        finally:
            free(x.moved)
        found.sort()
        return [Delta(account, unit, tonnes, cash) for unit, account, tonnes, cash in found]
