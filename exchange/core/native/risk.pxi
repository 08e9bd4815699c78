# What orders set aside and what trades move; reports. See the reference's `risk.py` and `state.py`.

cdef enum:
    BUY = 1
    SELL = 2

    T_LIMIT = 1
    T_MARKET = 2
    T_STOP = 3
    T_STOP_LIMIT = 4

    GTC = 1
    DAY = 2
    GTD = 3
    IOC = 4
    FOK = 5

    OPEN = 1
    PARKED = 2
    FILLED = 3
    CANCELLED = 4
    EXPIRED = 5

    CONTINUOUS = 1
    HALTED = 2
    AUCTION = 3
    CLOSED = 4

    F_POST_ONLY = 1
    F_TERMS = 2

    R_NONE = 0
    R_CLIENT = 1
    R_UNFILLED = 2
    R_CASH_EXHAUSTED = 3
    R_SELF_TRADE = 4
    R_MASS = 5
    R_KILLED = 6
    R_LEVEL_FULL = 7
    R_DAY = 8
    R_DATE = 9

    K_ACCEPTED = 1
    K_RESTED = 2
    K_TRADE = 3
    K_FILLED = 4
    K_CANCELLED = 5
    K_AMENDED = 6
    K_EXPIRED = 7
    K_TRIGGERED = 8
    K_REPLENISHED = 9
    K_REJECTED = 10
    K_DUPLICATE = 11
    K_LISTED = 12
    K_RULES_SET = 13
    K_REFERENCE_SET = 14
    K_PHASE_SET = 15
    K_UNCROSSED = 16
    K_REGISTERED = 17
    K_CREDITED = 18
    K_DEBITED = 19
    K_KILL_SET = 20
    K_ADVANCED = 21
    K_DAY_ENDED = 22
    K_TERMS_STAGED = 23
    K_MASS_CANCELLED = 24
    K_EPOCH_CLOSED = 25
    K_REDUCED = 26

    REPEATED = 1
    OF_AUCTION = 2
    KEPT_PRIORITY = 4

    X_MALFORMED = 1
    X_UNKNOWN_KIND = 2
    X_TERMS_MISMATCH = 3
    X_ID_REUSED = 4
    X_UNKNOWN_PARTICIPANT = 5
    X_UNKNOWN_INSTRUMENT = 6
    X_ORDER_UNKNOWN = 7
    X_ORDER_NOT_OPEN = 8
    X_STOP_NOT_AMENDABLE = 9
    X_PARTICIPANT_KILLED = 10
    X_PHASE_FORBIDS = 11
    X_QUANTITY_OUT_OF_RANGE = 12
    X_WRONG_LOT = 13
    X_AMEND_FILLED = 14
    X_DISPLAY_OUT_OF_RANGE = 15
    X_PRICE_OUT_OF_RANGE = 16
    X_WRONG_TICK = 17
    X_EXPIRY_PASSED = 18
    X_PRICE_BAND = 19
    X_LEVEL_FULL = 20
    X_POSITION_LIMIT = 21
    X_INSUFFICIENT_CASH = 22
    X_INSUFFICIENT_UNITS = 23
    X_POST_ONLY_WOULD_TRADE = 24
    X_FOK_UNFILLABLE = 25
    X_AMOUNT_OUT_OF_RANGE = 26
    X_INSTRUMENT_INVALID = 27
    X_INSTRUMENT_DIFFERS = 28
    X_INSTRUMENTS_FULL = 29
    X_PARTICIPANTS_FULL = 30
    X_FEES_INVALID = 31
    X_BOOK_CROSSED = 32
    X_EPOCH_OUT_OF_ORDER = 33
    X_EPOCH_EMPTY = 34

    PPM = 1000000
    PARTS_MAX = 1000


cdef inline Extra *extra_of(Core *c, u32 o) noexcept nogil:
    return <Extra *>&c.pool.slots[o + 1]


cdef inline Extra *extra_at(Slot *s) noexcept nogil:
    return <Extra *>(s + 1)


cdef void grow_out(Core *c) noexcept nogil:
    cdef bint lent = c.out != c.own_out
    cdef u64 room = c.out_room * 2 if c.out_room else 64
    if room > c.own_room:
        c.own_out = <Report *>grow(c.own_out, c.own_room * sizeof(Report), room * sizeof(Report))
        c.own_room = room
    if lent:
        memcpy(c.own_out, c.out, c.out_used * sizeof(Report))
    c.out = c.own_out
    c.out_room = c.own_room


cdef inline Report *tell(Core *c, u8 kind) noexcept nogil:
    # A new report, all zeros but kind, sequence and time. The pointer holds until the next one.
    cdef Report *r
    if unlikely((c.out_used & c.out_kept) == c.out_room):
        grow_out(c)
    r = &c.out[c.out_used & c.out_kept]
    c.out_used += 1
    zero_128(r)
    r.kind = kind
    r.sequence = c.sequence
    r.at_us = c.now_us
    return r


cdef inline Report *tell_about(Core *c, u8 kind, Slot *s, Entry *e) noexcept nogil:
    # A new report about an open order.
    cdef u64 low = e.id_low, high = e.id_high
    cdef u32 owner = s.owner, side = s.side
    cdef u16 instrument = extra_at(s).instrument
    cdef Report *r = tell(c, kind)
    r.side = <u8>side
    r.instrument = instrument
    r.id_low = low
    r.id_high = high
    r.participant = owner
    return r


cdef inline Report *tell_of(Core *c, u8 kind, u32 o) noexcept nogil:
    cdef Slot *s = &c.pool.slots[o]
    return tell_about(c, kind, s, &c.entries[extra_at(s).entry])


cdef void reject(Core *c, const Command *k, u8 code, u128 a, u128 b) noexcept nogil:
    cdef Report *r = tell(c, K_REJECTED)
    r.code = code
    r.side = k.side
    r.instrument = k.instrument
    r.type = k.kind
    r.id_low = k.id_low
    r.id_high = k.id_high
    r.participant = k.participant
    r.a_low = <u64>a
    r.a_high = <u64>(a >> 64)
    r.b_low = <u64>b
    r.b_high = <u64>(b >> 64)


cdef inline u64 left_of(Core *c, u32 o) noexcept nogil:
    cdef Entry *e = &c.entries[extra_of(c, o).entry]
    return e.quantity - e.filled


cdef inline bint is_priced(u8 type_) noexcept nogil:
    return type_ == T_LIMIT or type_ == T_STOP_LIMIT


cdef inline bint may_rest(u8 type_, u8 tif) noexcept nogil:
    return is_priced(type_) and tif <= GTD


cdef inline u128 cash_for(u64 quantity, u64 price, u32 ppm) noexcept nogil:
    # A trade's value and the fee on it; with the larger fee: what a buy at a limit sets aside.
    cdef u128 value = mul(quantity, price)
    return value + fee_on(value, ppm)


cdef inline u128 tradable(Position *p, Instrument *m) noexcept nogil:
    if likely(not m.bars_resale):
        return p.available
    return p.available - p.bought if p.available > p.bought else <u128>0


cdef inline u64 price_of(Instrument *m, u32 side, i64 tick) noexcept nogil:
    return <u64>tick * m.tick


cdef inline u128 aside(Core *c, Instrument *m, Slot *s, u8 type_, u64 left) noexcept nogil:
    # What an order with so much left has set aside: fen of a buy with a limit, tonnes of a sale.
    if s.side == SELL:
        return left
    if not is_priced(type_):
        return 0
    return cash_for(left, <u64>s.tick * m.tick, c.fees[extra_at(s).fees].larger_ppm)


cdef inline void set_aside(Core *c, Slot *s, u128 amount, u64 left) noexcept nogil:
    cdef Position *p = &c.positions[extra_at(s).position]
    if s.side == BUY:
        c.who[s.owner].available -= amount
        c.who[s.owner].reserved += amount
        p.open_buys += left
    else:
        p.available -= amount
        p.reserved += amount


cdef inline void release(Core *c, Instrument *m, Slot *s, Entry *e, u64 quantity) noexcept nogil:
    # Give back what so much of the order, which will not trade, had set aside; before it shrinks.
    cdef Position *p = &c.positions[extra_at(s).position]
    cdef u64 left = e.quantity - e.filled
    cdef u128 amount = aside(c, m, s, e.type, left)
    if left != quantity:
        amount -= aside(c, m, s, e.type, left - quantity)
    if s.side == BUY:
        c.who[s.owner].available += amount
        c.who[s.owner].reserved -= amount
        p.open_buys -= quantity
    else:
        p.available += amount
        p.reserved -= amount


cdef inline void move(
    Core *c, Instrument *m, Slot *b, Slot *s, u64 quantity, u128 value, u128 buy_fee, u128 sell_fee
) noexcept nogil:
    # Move cash and tonnes of a trade from seller to buyer and back; before the orders' fills are counted.
    cdef Extra *bx = extra_at(b)
    cdef Extra *sx = extra_at(s)
    cdef Entry *e = &c.entries[bx.entry]
    cdef Who *buyer = &c.who[b.owner]
    cdef Who *seller = &c.who[s.owner]
    cdef Position *p = &c.positions[bx.position]
    cdef u32 larger = c.fees[bx.fees].larger_ppm
    cdef u64 left = e.quantity - e.filled
    cdef u64 limit
    cdef u128 set_free = 0
    if is_priced(e.type):
        limit = <u64>b.tick * m.tick
        if larger == 0:
            set_free = mul(quantity, limit)
        else:
            set_free = cash_for(left, limit, larger)
            if left != quantity:
                set_free -= cash_for(left - quantity, limit, larger)
        buyer.reserved -= set_free
    buyer.available += set_free - value - buy_fee
    seller.available += value - sell_fee
    if buy_fee:
        c.who[c.fees[bx.fees].collector].available += buy_fee
    if sell_fee:
        c.who[c.fees[sx.fees].collector].available += sell_fee
    p.available += quantity
    p.bought += quantity
    p.open_buys -= quantity
    c.positions[sx.position].reserved -= quantity


cdef u64 affordable(u128 budget, u32 ppm, u64 price, u64 most, u64 lot) noexcept nogil:
    # How much of `most` a budget pays for with this fee, in whole lots.
    cdef u64 low = 0, high = most // lot, middle
    while low < high:
        middle = low + (high - low + 1) // 2
        if cash_for(middle * lot, price, ppm) <= budget:
            low = middle
        else:
            high = middle - 1
    return low * lot
