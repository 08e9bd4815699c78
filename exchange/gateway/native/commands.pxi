# Commands in: JSON's dicts to records.

cdef str COMMAND = "command"
cdef str ORDER_ID = "order_id"
cdef str ACCOUNT = "account"
cdef str UNIT = "unit"
cdef str SIDE = "side"
cdef str KIND = "kind"
cdef str QUANTITY = "quantity_t"
cdef str PRICE = "price_fen"


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
    return read_uuid(PyDict_GetItem(body, ORDER_ID), <u8 *>&c.id_low)


cdef bint read_cancel(dict body, dict accounts, Command *c) noexcept:
    cdef u64 number = 0
    if not read_known(PyDict_GetItem(body, ACCOUNT), accounts, &number):
        return False
    c.participant = <u32>number
    c.kind = CANCEL
    return read_uuid(PyDict_GetItem(body, ORDER_ID), <u8 *>&c.id_low)


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
