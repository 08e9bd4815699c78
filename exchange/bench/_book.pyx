# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The core's order book without accounts, fees and ids: what matching alone costs.

The same pool, window of levels, bits and runs as in `exchange/core/_compiled.pyx`, from the same files. An order's
number leads to its slot through an array. Every message has its reports; they stand in a buffer until the next call.
"""

include "../core/native/types.pxi"
include "../core/native/pool.pxi"
include "../core/native/far.pxi"
include "../core/native/ladder.pxi"

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef enum:
    ENTER = 0
    CANCEL = 1
    CHANGE = 2

    ENTERED = 1
    TRADED = 2
    CANCELLED = 3
    CHANGED = 4
    REFUSED = 5

    WHOLE = 0x3FFFFFFF      # in a slot's `side`: the order's whole quantity; above it the side

ctypedef struct Message:
    u8 kind
    u8 side
    u16 unused
    u32 quantity
    u64 number
    i64 price

ctypedef struct Told:
    u64 sequence
    u64 number
    u64 maker
    i64 price
    u32 quantity
    u8 kind
    u8 side
    u16 unused

assert sizeof(Message) == 24 and sizeof(Told) == 40


cdef class Book:
    """A book for orders numbered 1 to `orders_max`, of up to 2^30-1 each."""

    cdef Ladder bids
    cdef Ladder asks
    cdef Pool pool
    cdef u32 *slots_of
    cdef u64 orders_max
    cdef u64 sequence
    cdef Told *out
    cdef u64 used
    cdef u64 room
    cdef readonly u64 trades
    """Trades so far."""
    cdef readonly u64 traded
    """Quantity traded so far."""
    cdef readonly u64 value
    """The sum of price times quantity over the trades, modulo 2^64."""
    cdef readonly u64 open_orders
    """Orders in the book."""

    def __cinit__(self, u64 orders_max):
        ladder_init(&self.bids)
        ladder_init(&self.asks)
        memset(&self.pool, 0, sizeof(Pool))
        self.orders_max = orders_max
        self.slots_of = <u32 *>grow(NULL, 0, (orders_max + 1) * sizeof(u32))

    def __dealloc__(self):
        ladder_free(&self.bids)
        ladder_free(&self.asks)
        free(self.pool.slots)
        free(self.slots_of)
        free(self.out)

    def apply(self, messages not None):
        """Do a run of 24-byte messages; return how many reports they had."""
        cdef Py_buffer run
        cdef u64 i, n
        cdef const Message *m
        PyObject_GetBuffer(messages, &run, PyBUF_SIMPLE)
        n = <u64>run.len // sizeof(Message)
        m = <const Message *>run.buf
        self.used = 0
        with nogil:
            for i in range(n):
                self.do(&m[i])
        PyBuffer_Release(&run)
        return self.used

    def one(self, bytes message not None):
        """Do one message; return how many reports it had."""
        if PyBytes_GET_SIZE(message) != sizeof(Message):
            raise ValueError("not one message")
        self.used = 0
        self.do(<const Message *>PyBytes_AS_STRING(message))
        return self.used

    def reports(self):
        """Return the reports of the last call, 40 bytes each."""
        return PyBytes_FromStringAndSize(<const char *>self.out, <Py_ssize_t>(self.used * sizeof(Told)))

    def depth(self, u32 side):
        """Return all levels of a side, best first: price, quantity, orders."""
        cdef Ladder *l = &self.bids if side == 1 else &self.asks
        cdef i64 key = 0
        cdef Level *level
        cdef u32 o, n
        found = []
        if not ladder_best(l, &key):
            return found
        while True:
            level = ladder_find(l, key)
            n = 0
            o = level.head
            while o:
                n += 1
                o = self.pool.slots[o].next
            found.append((key if side == 1 else -key, level.shown, n))
            if not ladder_below(l, key, &key):
                return found

    cdef inline Told *tell(self, u8 kind, const Message *m, i64 price, u64 quantity) noexcept nogil:
        cdef Told *told
        cdef u64 room
        if unlikely(self.used == self.room):
            room = self.room * 2 if self.room else 4096
            self.out = <Told *>grow(self.out, self.room * sizeof(Told), room * sizeof(Told))
            self.room = room
        told = &self.out[self.used]
        self.used += 1
        told.sequence = self.sequence
        told.number = m.number
        told.maker = 0
        told.price = price
        told.quantity = <u32>quantity
        told.kind = kind
        told.side = m.side
        told.unused = 0
        return told

    cdef inline void do(self, const Message *m) noexcept nogil:
        cdef u32 slot
        cdef Slot *s
        self.sequence += 1
        if unlikely(m.number == 0 or m.number > self.orders_max):
            self.tell(REFUSED, m, m.price, m.quantity)
            return
        slot = self.slots_of[m.number]
        if m.kind == ENTER:
            if unlikely(slot != 0 or m.quantity == 0 or m.quantity > WHOLE):
                self.tell(REFUSED, m, m.price, m.quantity)
                return
            self.tell(ENTERED, m, m.price, m.quantity)
            self.enter(m, m.side, m.quantity, m.quantity)
            return
        if unlikely(slot == 0):
            self.tell(REFUSED, m, m.price, m.quantity)
            return
        s = &self.pool.slots[slot]
        if m.kind == CANCEL:
            self.tell(CANCELLED, m, s.tick, s.left)
            self.remove(slot, s)
        else:
            self.change(m, slot, s)

    cdef inline void change(self, const Message *m, u32 slot, Slot *s) noexcept nogil:
        # Down at the same price stays where it stands; else the order comes in again.
        cdef u64 whole = s.side & WHOLE, filled = whole - s.left
        cdef u8 side = <u8>(s.side >> 30)
        if m.quantity <= filled or m.quantity > WHOLE:
            self.tell(REFUSED, m, m.price, m.quantity)
            return
        self.tell(CHANGED, m, m.price, m.quantity)
        if m.price == s.tick and m.quantity <= whole:
            ladder_find(self.ladder(side), key_of(side, s.tick)).shown -= whole - m.quantity
            s.left = m.quantity - filled
            s.side = (<u32>side << 30) | m.quantity
            return
        self.remove(slot, s)
        self.enter(m, side, m.quantity, m.quantity - filled)

    cdef inline Ladder *ladder(self, u8 side) noexcept nogil:
        return &self.bids if side == 1 else &self.asks

    cdef inline void remove(self, u32 slot, Slot *s) noexcept nogil:
        cdef u8 side = <u8>(s.side >> 30)
        ladder_remove(self.ladder(side), self.pool.slots, slot, key_of(side, s.tick))
        self.slots_of[s.owner] = 0
        pool_give(&self.pool, slot)
        self.open_orders -= 1

    cdef inline void enter(self, const Message *m, u8 side, u64 whole, u64 left) noexcept nogil:
        # Trade what trades, and let the rest stand.
        cdef Ladder *other = self.ladder(3 - side)
        cdef i64 worst = key_of(3 - side, m.price), key = 0
        cdef Level *level
        cdef Slot *s
        cdef u32 slot
        cdef u64 quantity
        while left and ladder_best(other, &key) and key >= worst:
            level = ladder_find(other, key)
            slot = level.head
            s = &self.pool.slots[slot]
            quantity = left if left < s.left else s.left
            left -= quantity
            self.tell(TRADED, m, s.tick, quantity).maker = s.owner
            self.trades += 1
            self.traded += quantity
            self.value += quantity * <u64>s.tick
            if quantity < s.left:
                s.left -= quantity
                level.shown -= quantity
            else:
                self.remove(slot, s)
        if left == 0:
            return
        slot = pool_take(&self.pool)
        s = &self.pool.slots[slot]
        s.left = left
        s.tick = m.price
        s.owner = <u32>m.number
        s.side = (<u32>side << 30) | <u32>whole
        self.slots_of[m.number] = slot
        ladder_add(self.ladder(side), self.pool.slots, slot, key_of(side, m.price))
        self.open_orders += 1
