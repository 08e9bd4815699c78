# Answers out: reports to JSON.

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


cdef inline void put_uuid(Out *o, const u64 *halves) noexcept:
    cdef const u8 *sixteen = <const u8 *>halves
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
    put_uuid(o, &r.id_low)
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
    put_uuid(o, &r.other_low)
    put(o, b'","taker_order":"')
    put_uuid(o, &r.id_low)
    put(o, b'","buyer":"')
    if not put_name(o, accounts, r.participant if r.side == BUY else r.other):
        return False
    put(o, b'","seller":"')
    if not put_name(o, accounts, r.other if r.side == BUY else r.participant):
        return False
    put(o, b'","taker_fee_fen":')
    put_wide(o, &r.a_low)
    put(o, b',"maker_fee_fen":')
    put_wide(o, &r.b_low)
    put(o, b'}')
    return True


cdef bint put_cancelled(Out *o, const Report *r) noexcept:
    put(o, b'{"report":"OrderCancelled","order_id":"')
    put_uuid(o, &r.id_low)
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
        if r.id_low != first.id_low or r.id_high != first.id_high:
            return False
        if r != first:
            put(o, b',')
        if r.kind == TRADE:
            written = r.number >= first_open and put_trade(o, r, epoch, accounts, units)
        elif r.kind == RESTED:
            put(o, b'{"report":"OrderRested","order_id":"')
            put_uuid(o, &r.id_low)
            put(o, b'","remaining_t":')
            put_u64(o, r.left)
            put(o, b'}')
            written = True
        elif r.kind == FILLED:
            put(o, b'{"report":"OrderFilled","order_id":"')
            put_uuid(o, &r.id_low)
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
