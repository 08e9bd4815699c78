# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The binary gateway's hot loops, compiled: `filters.py` says what they do, and gives the same bytes."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t as u8, uint16_t as u16, uint32_t as u32, uint64_t as u64
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

include "../core/native/records.pxi"

assert sizeof(Command) == 64 and sizeof(Report) == 128

cdef enum:
    HEARTBEAT = 0
    TERMS = 12
    NEW = 13
    CANCEL = 14
    AMEND = 15
    MASS_CANCEL = 16

    TRADE = 3
    REJECTED = 10
    LISTED = 12
    UNCROSSED = 16
    TERMS_STAGED = 23

    MALFORMED = 1
    UNKNOWN_KIND = 2
    TERMS_MISMATCH = 3
    UNKNOWN_PARTICIPANT = 5
    NOT_TAKEN = 2

# Kinds that a member hears of whoever caused them: of its orders, its money, its kill switch.
cdef u32 TOLD = (1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9
                 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 26)


ctypedef struct Fault:
    u8 code
    u64 a
    u64 b


cdef inline Fault fault(u8 code, u64 a, u64 b) noexcept nogil:
    cdef Fault f
    f.code, f.a, f.b = code, a, b
    return f


cdef inline bint holds(u8 mask, u8 value) noexcept nogil:
    return value < 8 and (mask >> value) & 1


cdef Fault look(const Command *k, u32 participant) noexcept nogil:
    # What is wrong with a record, in the core's order: kind, layout, participant.
    cdef bint is_new = k.kind == NEW
    cdef bint is_terms = k.kind == TERMS
    cdef bint rests
    if k.kind < TERMS or k.kind > MASS_CANCEL:
        return fault(UNKNOWN_KIND, k.kind, 0)
    if not holds(0b110 if is_new else 1, k.side):
        return fault(MALFORMED, 1, k.side)
    if not holds(0b11110 if is_new else 1, k.type):
        return fault(MALFORMED, 2, k.type)
    if not holds(0b111110 if is_new else 1, k.tif):
        return fault(MALFORMED, 3, k.tif)
    if not holds(0b1111 if is_new else 1, k.flags):
        return fault(MALFORMED, 4, k.flags)
    if not holds(0b1111 if is_new else 1, k.stp):
        return fault(MALFORMED, 5, k.stp)
    if k.instrument and not (is_new or k.kind == MASS_CANCEL):
        return fault(MALFORMED, 6, k.instrument)
    if k.participant and is_terms:
        return fault(MALFORMED, 8, k.participant)
    if k.spare:
        return fault(MALFORMED, 12, k.spare)
    if ((k.id_low | k.id_high) == 0) != (k.kind == MASS_CANCEL):
        return fault(MALFORMED, 16, k.id_low)
    if k.quantity and (k.kind == CANCEL or k.kind == MASS_CANCEL):
        return fault(MALFORMED, 32, k.quantity)
    if k.price and (k.kind == CANCEL or k.kind == MASS_CANCEL):
        return fault(MALFORMED, 40, k.price)
    if k.extra and not is_terms:
        return fault(MALFORMED, 56, k.extra)
    if is_terms and (k.quantity | k.price | k.extra) == 0:
        return fault(MALFORMED, 32, 0)
    if is_new:
        rests = k.tif <= 3
        if k.type == 2 and k.tif != 4:
            return fault(MALFORMED, 3, k.tif)
        if k.type >= 3 and not rests:
            return fault(MALFORMED, 3, k.tif)
        if k.flags & 1 and not (k.type == 1 and rests):
            return fault(MALFORMED, 4, k.flags)
    if not is_terms and k.participant != participant:
        return fault(UNKNOWN_PARTICIPANT, k.participant, participant)
    return fault(0, 0, 0)


cdef inline void prepare(Command *to, const Command *record, u32 participant, u64 now_us) noexcept nogil:
    memcpy(to, record, sizeof(Command))
    to.at_us = now_us
    if to.participant == 0 and NEW <= to.kind <= MASS_CANCEL:
        to.participant = participant


cdef inline Fault look_at_terms(const Command *following, u32 participant, u64 now_us) noexcept nogil:
    # The order that terms are for comes directly after them, and goes to the core with them.
    cdef Command order
    if following != NULL and following.kind == NEW:
        prepare(&order, following, participant, now_us)
        if look(&order, participant).code == 0:
            return fault(0, 0, 0)
    return fault(TERMS_MISMATCH, NOT_TAKEN, 0)


cdef bytes refusal(const Command *k, Fault f):
    cdef Report r
    memset(&r, 0, sizeof(Report))
    r.id_low, r.id_high = k.id_low, k.id_high
    r.at_us = k.at_us
    if k.kind != HEARTBEAT:
        r.kind, r.code, r.side, r.type = REJECTED, f.code, k.side, k.kind
        r.instrument, r.participant = k.instrument, k.participant
        r.a_low, r.b_low = f.a, f.b
    return PyBytes_FromStringAndSize(<char *>&r, sizeof(Report))


def screen(run, u32 participant, u64 now_us):
    cdef Py_buffer view
    cdef u64 count, i, kept = 0
    cdef const Command *records
    cdef Command *out
    cdef Fault f
    cdef list refused = []
    PyObject_GetBuffer(run, &view, PyBUF_SIMPLE)
    try:
        if view.len % sizeof(Command):
            raise ValueError(f"{view.len} bytes are no whole records")
        count = view.len // sizeof(Command)
        records = <const Command *>view.buf
        clean = PyBytes_FromStringAndSize(NULL, view.len)
        out = <Command *>PyBytes_AS_STRING(clean)
        for i in range(count):
            prepare(&out[kept], &records[i], participant, now_us)
            f = look(&out[kept], participant)
            if f.code == 0 and out[kept].kind == TERMS:
                f = look_at_terms(&records[i + 1] if i + 1 < count else NULL, participant, now_us)
            if f.code:
                refused.append((kept, refusal(&out[kept], f)))
            else:
                kept += 1
    finally:
        PyBuffer_Release(&view)
    return (clean if kept == count else clean[: kept * sizeof(Command)]), refused


cdef inline void put(Report *to, const Report *r, u32 participant) noexcept nogil:
    # A report as this member sees it: of a trade not who the other was, what he paid and what he has left.
    memcpy(to, r, sizeof(Report))
    if r.kind == TRADE and r.participant != r.other:
        if r.participant == participant:
            to.other_low = to.other_high = to.left = to.b_low = to.b_high = 0
            to.other = 0
        else:
            to.id_low = to.id_high = to.a_low = to.a_high = 0
            to.participant = 0


def answer(bytes reports, u32 participant, list refused):
    cdef u64 count = <u64>len(reports) // sizeof(Report), i, used = 0, first = 0
    cdef u64 waiting = <u64>len(refused), told = 0, position = 0
    cdef const Report *r = <const Report *>PyBytes_AS_STRING(reports)
    cdef Report *to
    cdef bytes made
    out = PyBytes_FromStringAndSize(NULL, (count + waiting) * sizeof(Report))
    to = <Report *>PyBytes_AS_STRING(out)
    if count:
        first = r.sequence
    if waiting:
        position = refused[0][0]
    for i in range(count):
        while told < waiting and r[i].sequence - first >= position:
            made = refused[told][1]
            memcpy(&to[used], PyBytes_AS_STRING(made), sizeof(Report))
            used += 1
            told += 1
            if told < waiting:
                position = refused[told][0]
        if r[i].participant == participant or r[i].kind == TERMS_STAGED or (
            r[i].kind == TRADE and r[i].other == participant
        ):
            put(&to[used], &r[i], participant)
            used += 1
    while told < waiting:
        made = refused[told][1]
        memcpy(&to[used], PyBytes_AS_STRING(made), sizeof(Report))
        used += 1
        told += 1
    return out if used == count + waiting else out[: used * sizeof(Report)]


ctypedef struct Member:
    u32 participant     # 0: an empty place of the table
    u32 reports
    Report *to


cdef inline Member *find(Member *table, u32 mask, u32 participant) noexcept nogil:
    # The member's place, or the empty one where it would be.
    cdef u32 at = (participant * <u32>0x9E3779B1) >> 7 & mask
    while table[at].participant and table[at].participant != participant:
        at = (at + 1) & mask
    return &table[at]


cdef inline bint is_told(u8 kind) noexcept nogil:
    return kind < 32 and (TOLD >> kind) & 1


cdef u32 count_reports(const Report *r, u64 count, Member *table, u32 mask) noexcept nogil:
    cdef u64 i
    cdef u32 public = 0
    for i in range(count):
        if LISTED <= r[i].kind <= UNCROSSED:
            public += 1
        elif is_told(r[i].kind):
            find(table, mask, r[i].participant).reports += 1
            if r[i].kind == TRADE and r[i].other != r[i].participant:
                find(table, mask, r[i].other).reports += 1
    return public


cdef void hand_out(const Report *r, u64 count, Member *table, u32 mask, bint any_public) noexcept nogil:
    cdef u64 i
    cdef u32 at
    cdef Member *member
    for i in range(count):
        if LISTED <= r[i].kind <= UNCROSSED:
            for at in range(mask + 1 if any_public else 0):
                if table[at].participant:
                    memcpy(table[at].to, &r[i], sizeof(Report))
                    table[at].to += 1
        elif is_told(r[i].kind):
            member = find(table, mask, r[i].participant)
            if member.participant:
                put(member.to, &r[i], r[i].participant)
                member.to += 1
            if r[i].kind == TRADE and r[i].other != r[i].participant:
                member = find(table, mask, r[i].other)
                if member.participant:
                    put(member.to, &r[i], r[i].other)
                    member.to += 1


def for_others(bytes reports, tuple participants):
    cdef u64 count = <u64>len(reports) // sizeof(Report)
    cdef const Report *r = <const Report *>PyBytes_AS_STRING(reports)
    cdef u32 size = 8, public, at, participant, mine
    cdef Member *table
    cdef Member *member
    cdef dict told = {}
    if not participants or not count:
        return told
    while size < 2 * <u32>len(participants):
        size *= 2
    table = <Member *>calloc(size, sizeof(Member))
    if table == NULL:
        raise MemoryError
    try:
        for participant in participants:
            if participant:
                find(table, size - 1, participant).participant = participant
        public = count_reports(r, count, table, size - 1)
        for at in range(size):
            member = &table[at]
            mine = member.reports + public
            if member.participant and mine:
                made = PyBytes_FromStringAndSize(NULL, mine * sizeof(Report))
                member.to = <Report *>PyBytes_AS_STRING(made)
                told[member.participant] = made
        hand_out(r, count, table, size - 1, public > 0)
    finally:
        free(table)
    return told
