# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
"""The compiled core: the reference's semantics, its reports and its snapshots, byte for byte.

One C translation unit of small parts, one subject each, in `native/`; none of them touches Python. The benchmark's
adapter (scripts/engines) takes the book from the same parts.
"""

include "native/types.pxi"
include "native/pool.pxi"
include "native/far.pxi"
include "native/ladder.pxi"
include "native/records.pxi"
include "native/state.pxi"
include "native/tables.pxi"
include "native/risk.pxi"
include "native/matching.pxi"
include "native/orders.pxi"
include "native/triggers.pxi"
include "native/auction.pxi"
include "native/accounts.pxi"
include "native/apply.pxi"
include "native/keeping.pxi"
include "native/snapshot.pxi"
include "native/invariants.pxi"
include "native/bare_types.pxi"


ctypedef packed struct BareMessage:
    # As the public benchmark's generator writes it: 40 bytes.
    u8 type             # 0 new, 1 cancel, 2 modify
    u8 side             # 0 buy, 1 sell
    u8 ioc
    u8 unused
    u32 quantity
    u64 sequence_number
    u64 order_id
    i64 price_ticks
    u64 unused_2


ctypedef struct BareOut:
    Bare book
    BareReport *reports
    u64 used
    u64 room


cdef inline BareReport *bare_next(Bare *b) noexcept nogil:
    # Where matching alone puts its next report: `b` is the first field of a `BareOut`.
    cdef BareOut *out = <BareOut *>b
    cdef u64 room
    if unlikely(out.used == out.room):
        room = out.room * 2 if out.room else 4096
        out.reports = <BareReport *>grow(out.reports, out.used * sizeof(BareReport), room * sizeof(BareReport))
        out.room = room
    out.used += 1
    return &out.reports[out.used - 1]


include "native/bare.pxi"

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport PyObject

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize" (const char *, Py_ssize_t) except NULL
    char *bytes_of "PyBytes_AS_STRING" (PyObject *)
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    void Py_XDECREF(PyObject *)

cdef enum:
    LENT_MIN = 16       # reports: for fewer a copy costs less


import os
from hashlib import blake2b

from exchange.core.api import NO_RULES, CashBalance, LevelView, OrderView, RulesView, TonnesBalance

assert sizeof(Command) == 64 and sizeof(Report) == 128
assert sizeof(Slot) == 32 and sizeof(Extra) == 32 and sizeof(Who) == 64 and sizeof(Entry) == 64 and sizeof(Position) == 64
assert sizeof(SnapHead) == 100 and sizeof(SnapOrder) == 72 and sizeof(SnapOpen) == 64


keep_blocks()


cdef void core_init(Core *c, u64 seed, u64 seed_high) noexcept nogil:
    memset(c, 0, sizeof(Core))
    c.day = 1
    c.seed = seed
    c.seed_high = seed_high
    # Number 0 of each stands for none: it is looked at, never changed.
    grow_out(c)
    grow_entries(c)
    table_clear(&c.ids, room_for(c.entries_room))
    pool_grow(&c.pool)
    grow_positions(c)
    grow_who(c)
    grow_instruments(c)
    fees_number(c, 0, 0, 0)


cdef void core_free(Core *c) noexcept nogil:
    cdef u32 i
    for i in range(1, c.listed + 1):
        ladder_free(&c.instruments[i].bids)
        ladder_free(&c.instruments[i].asks)
        free(c.instruments[i].buy_stops.items)
        free(c.instruments[i].sell_stops.items)
    free(c.pool.slots)
    free(c.rares)
    free(c.entries)
    free(c.ids.buckets)
    free(c.positions)
    free(c.owners)
    free(c.position_table.buckets)
    for i in range(1, c.participants + 1):
        free(c.who[i].own)
    free(c.who)
    free(c.known)
    free(c.addresses.buckets)
    free(c.instruments)
    free(c.units.buckets)
    free(c.fees)
    free(c.transfers)
    free(c.transfer_table.buckets)
    free(c.epochs)
    free(c.dates.items)
    free(c.own_out)
    memset(c, 0, sizeof(Core))


cdef object wide(u128 number):
    return (int(<u64>(number >> 64)) << 64) | int(<u64>number)


cdef class CompiledEngine:
    """The engine, compiled. The reference says what it does."""

    is_compiled = True
    cdef Core core

    def __cinit__(self):
        # Which ids share a bucket must not be known to who makes ids; it shows in no report and no hash.
        core_init(&self.core, int.from_bytes(os.urandom(8), "little"), int.from_bytes(os.urandom(8), "little"))

    def __dealloc__(self):
        core_free(&self.core)

    def apply(self, commands not None):
        """Do a run of commands and return the run of their reports; ValueError on a broken length."""
        cdef Py_buffer run
        cdef Core *c = &self.core
        cdef PyObject *made = NULL
        cdef u64 room
        PyObject_GetBuffer(commands, &run, PyBUF_SIMPLE)
        try:
            room = <u64>run.len // sizeof(Command) * 2
            if room >= LENT_MIN:
                # Reports are written where they will be read; where two a command are too few, beside and copied.
                made = new_bytes(NULL, <Py_ssize_t>(room * sizeof(Report)))
                c.out = <Report *>bytes_of(made)
                c.out_room = room
            self._apply(&run, False)
            room = c.out_used * sizeof(Report)
            if c.out == c.own_out:
                return PyBytes_FromStringAndSize(<const char *>c.out, <Py_ssize_t>room)
            _PyBytes_Resize(&made, <Py_ssize_t>room)
            return <object>made
        finally:
            Py_XDECREF(made)
            c.out = c.own_out
            c.out_room = c.own_room
            PyBuffer_Release(&run)

    def apply_unreported(self, commands not None):
        """Do a run of commands, for whoever needs only the state; return how many reports there were."""
        cdef Py_buffer run
        PyObject_GetBuffer(commands, &run, PyBUF_SIMPLE)
        try:
            return self._apply(&run, True)
        finally:
            PyBuffer_Release(&run)

    def apply_only(self, commands not None, u64 kinds):
        """Do a run of commands and return the run of their reports of some kinds: bit n is kind n."""
        cdef Py_buffer run
        cdef u64 n
        PyObject_GetBuffer(commands, &run, PyBUF_SIMPLE)
        try:
            n = <u64>run.len
            if n % sizeof(Command):
                raise ValueError(f"{n} bytes are no run of {sizeof(Command)}-byte commands")
            with nogil:
                apply_keeping(&self.core, <const Command *>run.buf, n // sizeof(Command), kinds)
        finally:
            PyBuffer_Release(&run)
        return PyBytes_FromStringAndSize(
            <const char *>self.core.out, <Py_ssize_t>(self.core.out_used * sizeof(Report))
        )

    cdef u64 _apply(self, Py_buffer *run, bint drops) except? 0xFFFFFFFF:
        # Do the run; reports are kept, or only counted.
        cdef u64 n = <u64>run.len
        cdef const Command *k
        cdef Ahead alone
        if n % sizeof(Command):
            raise ValueError(f"{n} bytes are no run of {sizeof(Command)}-byte commands")
        n //= sizeof(Command)
        self.core.out_used = 0
        self.core.out_kept = 0 if drops else ~<u64>0
        if n == 1:
            k = <const Command *>run.buf
            alone.tag = tag_of(&self.core, k.id_low, k.id_high)
            alone.number = 0
            apply_one(&self.core, k, &alone)
        else:
            with nogil:
                apply_run(&self.core, <const Command *>run.buf, n)
        return self.core.out_used

    def snapshot(self):
        """Return the canonical bytes of the state."""
        cdef Buffer buffer
        memset(&buffer, 0, sizeof(Buffer))
        with nogil:
            dump(&self.core, &buffer)
        try:
            return PyBytes_FromStringAndSize(<const char *>buffer.bytes, <Py_ssize_t>buffer.used)
        finally:
            free(buffer.bytes)

    @classmethod
    def load(cls, bytes snapshot not None):
        """Return the engine that gave this snapshot; ValueError when it is none."""
        cdef CompiledEngine engine = cls()
        cdef const u8 *start = <const u8 *><const char *>snapshot
        cdef u64 n = <u64>len(snapshot)
        cdef bint loaded
        with nogil:
            loaded = load(&engine.core, start, n)
        if not loaded:
            raise ValueError(f"{n} bytes are no snapshot of this kind")
        return engine

    def state_hash(self):
        """Return the BLAKE2b-256 of the snapshot."""
        cdef Buffer buffer
        memset(&buffer, 0, sizeof(Buffer))
        with nogil:
            dump(&self.core, &buffer)
        try:
            return blake2b(<const u8[:buffer.used]>buffer.bytes, digest_size=32).digest()
        finally:
            free(buffer.bytes)

    def check(self):
        """Assert every invariant; AssertionError names the broken one."""
        cdef const char *broken
        with nogil:
            broken = check(&self.core)
        if broken != NULL:
            raise AssertionError(broken.decode())

    def counters(self):
        """Return how far it is and how much there is."""
        cdef Core *c = &self.core
        return {
            "sequence": c.sequence,
            "now_us": c.now_us,
            "day": c.day,
            "trades": c.trades,
            "open_epoch": c.epochs_used + 1,
            "participants": c.participants,
            "instruments": c.listed,
            "orders": c.entries_used - 1 if c.entries_used else 0,
            "open_orders": c.open_orders,
        }

    def participant(self, bytes address not None):
        """Return an address's number, 0 if it has none."""
        return find_address(&self.core, <const u8 *><const char *>address) if len(address) == 20 else 0

    def instrument(self, unit):
        """Return a unit's number, 0 if it has none."""
        return find_unit(&self.core, unit & 0xFFFFFFFFFFFFFFFF, unit >> 64)

    def cash(self, u32 participant):
        """Return a participant's cash."""
        cdef Core *c = &self.core
        if not 0 < participant <= c.participants:
            return CashBalance(0, 0)
        return CashBalance(wide(c.who[participant].available), wide(c.who[participant].reserved))

    def tonnes(self, u32 participant, u32 instrument):
        """Return a participant's tonnes of an instrument."""
        cdef Core *c = &self.core
        cdef u32 number = find_position(c, participant, instrument)
        cdef Position *p
        if number == 0 or not 0 < instrument <= c.listed:
            return TonnesBalance(0, 0, 0, 0)
        p = &c.positions[number]
        may = wide(tradable(p, &c.instruments[instrument]))
        return TonnesBalance(wide(p.available), wide(p.reserved), may, wide(p.open_buys))

    def rules(self, instrument):
        """Return an instrument's rules, phase and prices."""
        cdef Core *c = &self.core
        cdef Instrument *m
        cdef Fees *fees
        if not 0 < instrument <= c.listed:
            return NO_RULES
        m = &c.instruments[<u32>instrument]
        fees = &c.fees[m.fees]
        return RulesView(
            fees.maker_ppm, fees.taker_ppm, fees.collector, m.band_ppm, m.position_limit, m.bars_resale != 0,
            m.reference, m.phase, m.last,
        )

    def is_killed(self, participant):
        """Return whether a participant's kill switch is on."""
        cdef Core *c = &self.core
        return 0 < participant <= c.participants and c.who[<u32>participant].killed != 0

    def order(self, bytes order_id not None):
        """Return a remembered order."""
        cdef Core *c = &self.core
        cdef u64 halves_[2]
        cdef u32 number
        cdef Entry *e
        cdef u64 price = 0, shown = 0
        if len(order_id) != 16:
            return None
        memcpy(halves_, <const char *>order_id, 16)
        number = find_entry(c, tag_of(c, halves_[0], halves_[1]), halves_[0], halves_[1])
        if number == 0:
            return None
        e = &c.entries[number]
        if e.status <= PARKED:
            price = <u64>c.pool.slots[e.slot].tick * c.instruments[extra_of(c, e.slot).instrument].tick
            shown = c.pool.slots[e.slot].left if e.status == OPEN else 0
        return OrderView(
            c.owners[e.position].participant, c.owners[e.position].instrument, e.side, e.status, e.reason,
            e.quantity, e.filled, price, shown,
        )

    def depth(self, u32 instrument, u32 side, int levels):
        """Return the best levels of a side, best first."""
        cdef Core *c = &self.core
        cdef Ladder *l
        cdef Level *level
        cdef i64 key = 0
        cdef u32 o, n
        found = []
        if not 0 < instrument <= c.listed or levels <= 0:
            return found
        l = own_side(&c.instruments[instrument], side)
        if not ladder_best(l, &key):
            return found
        while len(found) < levels:
            level = ladder_find(l, key)
            n = 0
            o = level.head
            while o:
                n += 1
                o = c.pool.slots[o].next
            price = <u64>(key if side == BUY else -key) * c.instruments[instrument].tick
            found.append(LevelView(price, level.shown, n))
            if not ladder_below(l, key, &key):
                break
        return found

    def memory_bytes(self):
        """Return what is reserved for orders, their ids and price levels."""
        cdef Core *c = &self.core
        cdef Ladder *l
        cdef u32 i, side
        cdef u64 total = (
            c.pool.room * sizeof(Slot) + c.rares_room * sizeof(Rare)
            + c.entries_room * sizeof(Entry) + (c.ids.mask + 1) * sizeof(Bucket)
        )
        for i in range(1, c.participants + 1):
            total += c.who[i].own_room * sizeof(u32)
        for i in range(1, c.listed + 1):
            for side in range(1, 3):
                l = own_side(&c.instruments[i], side)
                total += l.size * sizeof(Level) + l.far.n * sizeof(Run) + l.far.room * sizeof(void *)
        return total


cdef class BareBook:
    """Matching alone, for measuring: one instrument, no risk, ids of 63 bits. Messages of 40 bytes, as the public
    benchmark's generator writes them (`BareMessage`); reports of 64, as its interface has them (`BareReport`)."""

    cdef BareOut out

    def __cinit__(self):
        memset(&self.out, 0, sizeof(BareOut))
        bare_init(&self.out.book)

    def __dealloc__(self):
        bare_free(&self.out.book)
        free(self.out.reports)

    def apply(self, messages not None):
        """Do a run of messages; return how many reports they made: `reports` has them until the next call."""
        cdef Py_buffer run
        cdef Bare *b = &self.out.book
        cdef const BareMessage *m
        cdef u64 i, n
        PyObject_GetBuffer(messages, &run, PyBUF_SIMPLE)
        try:
            n = <u64>run.len // sizeof(BareMessage)
            m = <const BareMessage *>run.buf
            self.out.used = 0
            with nogil:
                for i in range(n):
                    if m.type == 0:
                        bare_new(b, m.sequence_number, m.order_id, m.side, m.price_ticks, m.quantity, m.ioc == 0)
                    elif m.type == 1:
                        bare_cancel(b, m.sequence_number, m.order_id)
                    else:
                        bare_modify(b, m.sequence_number, m.order_id, m.price_ticks, m.quantity)
                    m += 1
            return self.out.used
        finally:
            PyBuffer_Release(&run)

    def reports(self):
        """Return the last call's reports."""
        return PyBytes_FromStringAndSize(
            <const char *>self.out.reports, <Py_ssize_t>(self.out.used * sizeof(BareReport))
        )
