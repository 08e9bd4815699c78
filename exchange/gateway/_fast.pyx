# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
"""The frequent commands and their answers, without an object for each: JSON's dicts to records, reports to JSON.

Whatever is not frequent, or not right, is left to who calls: `exchange.gateway.wire` reads and writes everything.
What is done here is done to the same bytes as there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_GetItem, PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset, strlen

ctypedef uint8_t u8
ctypedef uint16_t u16
ctypedef uint32_t u32
ctypedef uint64_t u64

cdef extern from *:
    """
    typedef unsigned __int128 carat_u128;
    """
    ctypedef unsigned long long u128 "carat_u128"

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)
    bint PyLong_CheckExact(object number)
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1


ctypedef struct Command:
    u8 kind
    u8 side
    u8 type
    u8 tif
    u8 flags
    u8 stp
    u16 instrument
    u32 participant
    u32 spare
    u8 id[16]
    u64 quantity
    u64 price
    u64 at_us
    u64 extra


ctypedef struct Report:
    u8 kind
    u8 code
    u8 side
    u8 flags
    u16 instrument
    u8 type
    u8 tif
    u64 sequence
    u8 id[16]
    u8 other_id[16]
    u64 price
    u64 quantity
    u64 left
    u64 number
    u32 participant
    u32 other
    u64 at_us
    u64 a[2]
    u64 b[2]


assert sizeof(Command) == 64 and sizeof(Report) == 128

# Numbers of exchange.core.codes.
cdef enum:
    NEW = 13
    CANCEL = 14
    ACCEPTED = 1
    RESTED = 2
    TRADE = 3
    FILLED = 4
    CANCELLED = 5
    BUY = 1
    SELL = 2
    LIMIT = 1
    MARKET = 2
    GTC = 1
    IOC = 4
    FOK = 5
    PARKED = 2
    BY_CLIENT = 1
    UNFILLED = 2
    CASH_EXHAUSTED = 3
    SELF_TRADE = 4

    ROOM = 1024  # more than any report comes to


# --- commands in ---

cdef str COMMAND = "command"
cdef str ORDER_ID = "order_id"
cdef str ACCOUNT = "account"
cdef str UNIT = "unit"
cdef str SIDE = "side"
cdef str KIND = "kind"
cdef str QUANTITY = "quantity_t"
cdef str PRICE = "price_fen"

cdef int8_t NIBBLES[256]
cdef char HEX_PAIRS[512]
cdef char DIGIT_PAIRS[200]


cdef void fill_tables() noexcept:
    cdef int i
    cdef const char *digits = b"0123456789abcdef"
    for i in range(256):
        NIBBLES[i] = -1
        HEX_PAIRS[2 * i] = digits[i >> 4]
        HEX_PAIRS[2 * i + 1] = digits[i & 15]
    for i in range(10):
        NIBBLES[48 + i] = <int8_t>i
    for i in range(6):
        NIBBLES[97 + i] = NIBBLES[65 + i] = <int8_t>(10 + i)
    for i in range(100):
        DIGIT_PAIRS[2 * i] = <char>(48 + i // 10)
        DIGIT_PAIRS[2 * i + 1] = <char>(48 + i % 10)


fill_tables()


cdef inline bint says(PyObject *text, const char *word) noexcept:
    # Whether a value is this text.
    cdef Py_ssize_t n = <Py_ssize_t>strlen(word)
    if text == NULL or not PyUnicode_CheckExact(<object>text) or PyUnicode_GET_LENGTH(<object>text) != n:
        return False
    if not PyUnicode_IS_COMPACT_ASCII(<object>text):
        return False
    return memcmp(PyUnicode_DATA(<object>text), word, n) == 0


cdef inline bint read_uuid(PyObject *text, u8 *out) noexcept:
    # Read a UUID's text that is not nil.
    cdef const u8 *at
    cdef int i, high, low
    cdef u8 seen = 0
    if text == NULL or not PyUnicode_CheckExact(<object>text) or PyUnicode_GET_LENGTH(<object>text) != 36:
        return False
    if not PyUnicode_IS_COMPACT_ASCII(<object>text):
        return False
    at = <const u8 *>PyUnicode_DATA(<object>text)
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            if at[0] != 45:
                return False
            at += 1
        high = NIBBLES[at[0]]
        low = NIBBLES[at[1]]
        if (high | low) < 0:
            return False
        out[i] = <u8>(high << 4 | low)
        seen |= out[i]
        at += 2
    return seen != 0


cdef inline bint read_number(PyObject *number, u64 *out) noexcept:
    # Read a whole number from 0 to 2^63-1.
    cdef int overflow = 0
    cdef long long value
    if number == NULL or not PyLong_CheckExact(<object>number):
        return False
    value = PyLong_AsLongLongAndOverflow(<object>number, &overflow)
    if overflow or value < 0:
        return False
    out[0] = <u64>value
    return True


cdef inline bint read_known(PyObject *text, dict known, u64 *out) noexcept:
    # Read a text that has a number.
    cdef PyObject *number
    if text == NULL or not PyUnicode_CheckExact(<object>text):
        return False
    number = PyDict_GetItem(known, <object>text)
    return number != NULL and read_number(number, out)


cdef inline bint read_kind(PyObject *text, Command *c) noexcept:
    c.type = LIMIT
    if says(text, b"limit"):
        c.tif = GTC
    elif says(text, b"ioc"):
        c.tif = IOC
    elif says(text, b"fok"):
        c.tif = FOK
    elif says(text, b"market"):
        c.type = MARKET
        c.tif = IOC
    else:
        return False
    return True


cdef bint read_order(dict body, dict accounts, dict units, Command *c) noexcept:
    cdef PyObject *side = PyDict_GetItem(body, SIDE)
    cdef PyObject *price = PyDict_GetItem(body, PRICE)
    cdef u64 number = 0
    if not read_known(PyDict_GetItem(body, ACCOUNT), accounts, &number):
        return False
    c.participant = <u32>number
    if not read_known(PyDict_GetItem(body, UNIT), units, &number):
        return False
    c.instrument = <u16>number
    if says(side, b"buy"):
        c.side = BUY
    elif says(side, b"sell"):
        c.side = SELL
    else:
        return False
    if not read_kind(PyDict_GetItem(body, KIND), c):
        return False
    if not read_number(PyDict_GetItem(body, QUANTITY), &c.quantity):
        return False
    if price == NULL:
        return False
    if <object>price is None:
        if c.type != MARKET:
            return False
    elif not read_number(price, &c.price):
        return False
    c.kind = NEW
    return read_uuid(PyDict_GetItem(body, ORDER_ID), c.id)


cdef bint read_cancel(dict body, dict accounts, Command *c) noexcept:
    cdef u64 number = 0
    if not read_known(PyDict_GetItem(body, ACCOUNT), accounts, &number):
        return False
    c.participant = <u32>number
    c.kind = CANCEL
    return read_uuid(PyDict_GetItem(body, ORDER_ID), c.id)


def pack(list bodies not None, Py_ssize_t start, dict accounts not None, dict units not None, u64 at_us):
    """Return a record for each body from `start` on, and which bodies were left (their records are zeros)."""
    cdef Py_ssize_t n = PyList_GET_SIZE(bodies) - start, i
    cdef bytes records = PyBytes_FromStringAndSize(NULL, n * sizeof(Command))
    cdef Command *c = <Command *>PyBytes_AS_STRING(records)
    cdef list left = []
    cdef PyObject *name
    cdef dict body
    cdef object item
    cdef bint done
    memset(c, 0, n * sizeof(Command))
    for i in range(n):
        item = <object>PyList_GET_ITEM(bodies, start + i)
        done = False
        if PyDict_CheckExact(item):
            body = <dict>item
            name = PyDict_GetItem(body, COMMAND)
            if PyDict_Size(body) == 8:
                done = says(name, b"PlaceOrder") and read_order(body, accounts, units, c)
            elif PyDict_Size(body) == 3:
                done = says(name, b"CancelOrder") and read_cancel(body, accounts, c)
        if done:
            c.at_us = at_us
        else:
            memset(c, 0, sizeof(Command))
            left.append(start + i)
        c += 1
    return records, left


# --- answers out ---

ctypedef struct Out:
    char *start
    char *at
    char *end


cdef bint make_room(Out *o, Py_ssize_t n) noexcept:
    cdef Py_ssize_t used = o.at - o.start
    cdef Py_ssize_t room = o.end - o.start
    cdef char *moved
    if o.end - o.at >= n:
        return True
    while room - used < n:
        room *= 2
    moved = <char *>realloc(o.start, room)
    if moved == NULL:
        return False
    o.start = moved
    o.at = moved + used
    o.end = moved + room
    return True


cdef inline void put_some(Out *o, const char *text, Py_ssize_t n) noexcept:
    memcpy(o.at, text, n)
    o.at += n


cdef inline void put(Out *o, const char *text) noexcept:
    put_some(o, text, <Py_ssize_t>strlen(text))  # of a literal: the compiler counts


cdef inline void put_bytes(Out *o, bytes text) noexcept:
    put_some(o, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef inline void put_u64(Out *o, u64 number) noexcept:
    cdef char digits[20]
    cdef int i = 20
    while number >= 100:
        i -= 2
        memcpy(digits + i, DIGIT_PAIRS + 2 * (number % 100), 2)
        number //= 100
    if number >= 10:
        i -= 2
        memcpy(digits + i, DIGIT_PAIRS + 2 * number, 2)
    else:
        i -= 1
        digits[i] = <char>(48 + number)
    put_some(o, digits + i, 20 - i)


cdef void put_wide(Out *o, const u64 *halves) noexcept:
    cdef u128 number
    cdef char digits[40]
    cdef int i = 40
    if halves[1] == 0:
        put_u64(o, halves[0])
        return
    number = (<u128>halves[1] << 64) | halves[0]
    while number:
        i -= 1
        digits[i] = <char>(48 + <int>(number % 10))
        number = number // 10
    put_some(o, digits + i, 40 - i)


cdef inline void put_uuid(Out *o, const u8 *sixteen) noexcept:
    cdef char *at = o.at
    cdef int i
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            at[0] = 45
            at += 1
        memcpy(at, HEX_PAIRS + 2 * sixteen[i], 2)
        at += 2
    o.at = at


cdef inline bint put_name(Out *o, list texts, u32 number) noexcept:
    # Write a text that was needed before.
    cdef object text
    if <Py_ssize_t>number >= PyList_GET_SIZE(texts):
        return False
    text = <object>PyList_GET_ITEM(texts, number)
    if text is None:
        return False
    put_bytes(o, <bytes>text)
    return True


cdef bint put_accepted(Out *o, const Report *r, list accounts, list units) noexcept:
    put(o, b'{"report":"OrderAccepted","order_id":"')
    put_uuid(o, r.id)
    put(o, b'","account":"')
    if not put_name(o, accounts, r.participant):
        return False
    put(o, b'","unit":"')
    if not put_name(o, units, r.instrument):
        return False
    if r.side == BUY:
        put(o, b'","side":"buy","kind":"')
    else:
        put(o, b'","side":"sell","kind":"')
    if r.type == LIMIT:
        if r.tif == GTC:
            put(o, b'limit","quantity_t":')
        elif r.tif == IOC:
            put(o, b'ioc","quantity_t":')
        elif r.tif == FOK:
            put(o, b'fok","quantity_t":')
        else:
            return False
    elif r.type == MARKET:
        put(o, b'market","quantity_t":')
    else:
        return False
    put_u64(o, r.quantity)
    put(o, b',"price_fen":')
    put_u64(o, r.price)
    put(o, b',"at_us":')
    put_u64(o, r.at_us)
    if r.tif == GTC:
        put(o, b',"time_in_force":"gtc","parked":false}')
    elif r.tif == IOC:
        put(o, b',"time_in_force":"ioc","parked":false}')
    else:
        put(o, b',"time_in_force":"fok","parked":false}')
    return True


cdef bint put_trade(Out *o, const Report *r, u64 epoch, list accounts, list units) noexcept:
    put(o, b'{"report":"Trade","number":')
    put_u64(o, r.number)
    put(o, b',"epoch":')
    put_u64(o, epoch)
    put(o, b',"unit":"')
    if not put_name(o, units, r.instrument):
        return False
    put(o, b'","price_fen":')
    put_u64(o, r.price)
    put(o, b',"quantity_t":')
    put_u64(o, r.quantity)
    put(o, b',"at_us":')
    put_u64(o, r.at_us)
    if r.side == BUY:
        put(o, b',"taker_side":"buy","maker_order":"')
    else:
        put(o, b',"taker_side":"sell","maker_order":"')
    put_uuid(o, r.other_id)
    put(o, b'","taker_order":"')
    put_uuid(o, r.id)
    put(o, b'","buyer":"')
    if not put_name(o, accounts, r.participant if r.side == BUY else r.other):
        return False
    put(o, b'","seller":"')
    if not put_name(o, accounts, r.other if r.side == BUY else r.participant):
        return False
    put(o, b'","taker_fee_fen":')
    put_wide(o, r.a)
    put(o, b',"maker_fee_fen":')
    put_wide(o, r.b)
    put(o, b'}')
    return True


cdef bint put_cancelled(Out *o, const Report *r) noexcept:
    put(o, b'{"report":"OrderCancelled","order_id":"')
    put_uuid(o, r.id)
    put(o, b'","remaining_t":')
    put_u64(o, r.left)
    if r.code == BY_CLIENT:
        put(o, b',"reason":"client"}')
    elif r.code == UNFILLED:
        put(o, b',"reason":"unfilled"}')
    elif r.code == CASH_EXHAUSTED:
        put(o, b',"reason":"cash_exhausted"}')
    elif r.code == SELF_TRADE:
        put(o, b',"reason":"self_trade"}')
    else:
        return False
    return True


cdef bint put_reports(
    Out *o, const Report *r, const Report *last, u64 epoch, u64 first_open, list accounts, list units
) except -1:
    # Write the answer of one order or cancel; False where it holds anything else.
    cdef const Report *first = r
    cdef bint written
    if r.kind != ACCEPTED and not (r.kind == CANCELLED and r + 1 == last):
        return False
    if r.kind == ACCEPTED and r.code == PARKED:
        return False
    put(o, b'{"reports":[')
    while r < last:
        if not make_room(o, 2 * ROOM):
            raise MemoryError
        if memcmp(r.id, first.id, 16) != 0:
            return False
        if r != first:
            put(o, b',')
        if r.kind == TRADE:
            written = r.number >= first_open and put_trade(o, r, epoch, accounts, units)
        elif r.kind == RESTED:
            put(o, b'{"report":"OrderRested","order_id":"')
            put_uuid(o, r.id)
            put(o, b'","remaining_t":')
            put_u64(o, r.left)
            put(o, b'}')
            written = True
        elif r.kind == FILLED:
            put(o, b'{"report":"OrderFilled","order_id":"')
            put_uuid(o, r.id)
            put(o, b'"}')
            written = True
        elif r.kind == CANCELLED:
            written = put_cancelled(o, r)
        elif r.kind == ACCEPTED:
            written = r == first and put_accepted(o, r, accounts, units)
        else:
            written = False
        if not written:
            return False
        r += 1
    put(o, b']}')
    return True


def write(
    bytes reports not None,
    bytes counts not None,
    list accounts not None,
    list units not None,
    u64 epoch,
    u64 first_open,
    uncommon,
):
    """Write the answers of a run, with commas between.

    `counts` says of each command how many records it had. Trades from `first_open` on are of `epoch`.
    `uncommon(i, first, last)` writes the answer of command `i`, whose reports are those bytes.
    """
    cdef Py_ssize_t n = PyBytes_GET_SIZE(counts), i, mark
    cdef const u8 *count = <const u8 *>PyBytes_AS_STRING(counts)
    cdef const Report *start = <const Report *>PyBytes_AS_STRING(reports)
    cdef const Report *end = start + PyBytes_GET_SIZE(reports) // <Py_ssize_t>sizeof(Report)
    cdef const Report *r = start
    cdef const Report *last
    cdef u64 sequence = r.sequence if r < end else 0
    cdef bytes text
    cdef Out o
    o.start = <char *>malloc(8 * ROOM + 512 * n)
    if o.start == NULL:
        raise MemoryError
    o.at = o.start
    o.end = o.start + 8 * ROOM + 512 * n
    try:
        for i in range(n):
            sequence += count[i]
            last = r
            while last < end and last.sequence < sequence:
                last += 1
            if not make_room(&o, 2 * ROOM):
                raise MemoryError
            if i:
                put(&o, b',')
            mark = o.at - o.start
            if count[i] != 1 or r == last or not put_reports(
                &o, r, last, epoch, first_open, accounts, units
            ):
                o.at = o.start + mark
                text = uncommon(i, (r - start) * sizeof(Report), (last - start) * sizeof(Report))
                if not make_room(&o, PyBytes_GET_SIZE(text) + 2 * ROOM):
                    raise MemoryError
                put_bytes(&o, text)
            r = last
        return PyBytes_FromStringAndSize(o.start, o.at - o.start)
    finally:
        free(o.start)
