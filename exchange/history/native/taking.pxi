# Reports to rows: see reference.py.

cdef void touch(Rec *c, const Order *o) noexcept nogil:
    # The level at which an order stands may show something else now.
    cdef u64 key
    cdef u32 at, i, room
    cdef Touch *t
    if o.price == 0 or o.status == PARKED or o.type == T_MARKET or o.type == T_STOP:
        return
    if unlikely(c.touched_used == c.touched_room):
        room = more_room(c.touched_room, 256)
        c.touched = <Touch *>grow(
            c.touched, <u64>c.touched_room * sizeof(Touch), <u64>room * sizeof(Touch)
        )
        c.touched_room = room
    if unlikely(c.touched_used * 2 >= c.touched_mask):
        free(c.touched_table)
        c.touched_mask = c.touched_mask * 2 + 1 if c.touched_mask else 1023
        c.touched_table = <u32 *>grow(NULL, 0, (<u64>c.touched_mask + 1) * sizeof(u32))
        for i in range(c.touched_used):
            t = &c.touched[i]
            at = <u32>mix(mix(t.price) ^ (t.instrument * 2 + t.side)) & c.touched_mask
            while c.touched_table[at]:
                at = (at + 1) & c.touched_mask
            c.touched_table[at] = i + 1
    at = <u32>mix(mix(o.price) ^ (<u64>o.instrument * 2 + o.side)) & c.touched_mask
    while c.touched_table[at]:
        t = &c.touched[c.touched_table[at] - 1]
        if t.price == o.price and t.instrument == o.instrument and t.side == o.side:
            return
        at = (at + 1) & c.touched_mask
    t = &c.touched[c.touched_used]
    t.price = o.price
    t.instrument = o.instrument
    t.side = o.side
    c.touched_used += 1
    c.touched_table[at] = c.touched_used


cdef inline void stand(Rec *c, Order *o, u32 number, u8 status, u8 reason) noexcept nogil:
    # Set where an order stands, and count it if that opens or closes it.
    cdef int by = <int>is_standing(status) - <int>is_standing(o.status)
    o.status = status
    o.reason = reason
    if number == c.entering:
        o.entry_status = status
        o.entry_reason = reason
    if by:
        chain_opened(&c.who[o.participant].orders, o.ordinal, by)


cdef inline void accepted(Rec *c, const Report *r) noexcept nogil:
    cdef u32 number = <u32>(c.orders_used + 1)
    cdef Order *o = &c.orders[c.orders_used]
    cdef Chain *l = &who_of(c, r.participant).orders
    put_order(c, r.id_low, r.id_high, number)
    c.orders_used += 1
    memset(o, 0, sizeof(Order))
    o.id_low = r.id_low
    o.id_high = r.id_high
    o.participant = r.participant
    o.previous = l.head
    o.instrument = r.instrument
    o.side = r.side
    o.type = r.type
    o.tif = r.tif
    o.at_us = r.at_us
    o.quantity = r.quantity
    o.price = r.price
    o.collector = c.collectors[r.instrument - 1] if r.instrument <= c.units_used else 0
    o.ordinal = chain_append(l, number)
    c.entering = number
    c.entering_sequence = r.sequence
    stand(c, o, number, r.code, 0)


cdef inline void fill(Order *o, u32 trade, u64 quantity, u128 value, u128 fee) noexcept nogil:
    if o.last_trade >= trade:
        return      # counted before the replay
    o.filled += quantity
    o.last_trade = trade
    o.filled_fen += value
    o.fees += fee


cdef inline int traded(Rec *c, const Report *r) noexcept nogil:
    cdef u32 number = <u32>(c.trades_used + 1)
    cdef u32 taker_number, maker_number
    cdef Order *taker
    cdef Order *maker
    cdef Trade *t = &c.trades[c.trades_used]
    cdef Chain *l
    cdef u128 value = mul(r.price, r.quantity)
    cdef u128 taker_fee = wide(r.a_low, r.a_high), maker_fee = wide(r.b_low, r.b_high)
    if unlikely(r.number != number):
        return TRADE_MISSING
    # The maker first, so that the taker is the one that was looked for last.
    taker_number = c.recent if c.recent_low == r.id_low and c.recent_high == r.id_high else 0
    if taker_number == 0:
        taker_number = place_of(c, r.id_low, r.id_high, hash_id(c, r.id_low, r.id_high)).number
    maker_number = place_of(c, r.other_low, r.other_high, hash_id(c, r.other_low, r.other_high)).number
    if unlikely(taker_number == 0 or maker_number == 0):
        return UNKNOWN_ORDER
    taker = &c.orders[taker_number - 1]
    maker = &c.orders[maker_number - 1]
    if unlikely((taker_fee and taker.collector == 0) or (maker_fee and maker.collector == 0)):
        return NO_COLLECTOR
    c.trades_used += 1
    t.taker_low = r.id_low
    t.taker_high = r.id_high
    t.maker_low = r.other_low
    t.maker_high = r.other_high
    t.price = r.price
    t.quantity = r.quantity
    t.at_us = r.at_us
    t.taker = r.participant
    t.maker = r.other
    t.taker_fee = taker_fee
    t.maker_fee = maker_fee
    t.taker_collector = taker.collector if taker_fee else 0
    t.maker_collector = maker.collector if maker_fee else 0
    l = &who_of(c, r.participant).trades
    t.taker_previous = l.head
    chain_append(l, number)
    l = &who_of(c, r.other).trades
    t.maker_previous = l.head
    chain_append(l, number)
    l = tape_of(c, r.instrument)
    t.tape_previous = l.head
    chain_append(l, number)
    t.instrument = r.instrument
    t.taker_side = r.side
    t.is_auction = (r.flags & AUCTION) != 0
    t.zeros = 0
    fill(taker, number, r.quantity, value, taker_fee)
    fill(maker, number, r.quantity, value, maker_fee)
    if taker_number == c.entering:
        taker.entry_filled += r.quantity
        taker.entry_trades += 1
        if taker.entry_trade == 0:
            taker.entry_trade = number
    if r.left == 0:
        stand(c, maker, maker_number, FILLED, 0)
    if unlikely(c.watching):
        touch(c, maker)
        if r.flags & AUCTION:
            touch(c, taker)
    return OK


cdef inline int changed(Rec *c, const Report *r) noexcept nogil:
    cdef u32 number
    cdef Order *o
    if r.flags & REPEATED:
        return OK
    number = find_order(c, r.id_low, r.id_high)
    if unlikely(number == 0):
        return UNKNOWN_ORDER
    o = &c.orders[number - 1]
    if unlikely(c.watching) and r.kind != K_TRIGGERED and r.kind != K_FILLED:
        touch(c, o)     # where it stood, before it is given another price
    if r.kind == K_FILLED:
        stand(c, o, number, FILLED, r.code)
    elif r.kind == K_CANCELLED:
        stand(c, o, number, CANCELLED, r.code)
    elif r.kind == K_EXPIRED:
        stand(c, o, number, EXPIRED, r.code)
    elif r.kind == K_TRIGGERED:
        stand(c, o, number, OPEN, 0)
    elif r.kind == K_AMENDED or r.kind == K_REDUCED:
        o.quantity = r.quantity
        o.price = r.price
    return OK


cdef void need_account(Rec *c, u32 n) noexcept nogil:
    cdef u32 room
    if n > c.accounts_room:
        room = more_room(c.accounts_room, 64)
        room = room if room > n else n
        c.accounts = <Account *>grow(
            c.accounts, <u64>c.accounts_room * sizeof(Account), <u64>room * sizeof(Account)
        )
        c.accounts_room = room
    c.accounts_used = n if n > c.accounts_used else c.accounts_used


cdef void need_unit(Rec *c, u32 n) noexcept nogil:
    cdef u32 room
    if n > c.units_room:
        room = more_room(c.units_room, 16)
        room = room if room > n else n
        c.units = <u128 *>grow(c.units, <u64>c.units_room * 16, <u64>room * 16)
        c.collectors = <u32 *>grow(c.collectors, <u64>c.units_room * 4, <u64>room * 4)
        c.units_room = room
    c.units_used = n if n > c.units_used else c.units_used


cdef void told_once(Rec *c, const Report *r) noexcept nogil:
    # What is seldom: who takes part, what is listed, who collects, an epoch's end.
    cdef u32 room
    if r.kind == K_REGISTERED:
        need_account(c, r.participant)
        memcpy(&c.accounts[r.participant - 1], &r.id_low, sizeof(Account))
    elif r.kind == K_LISTED:
        need_unit(c, r.instrument)
        c.units[r.instrument - 1] = (<u128>r.id_high << 64) | r.id_low
    elif r.kind == K_RULES_SET:
        need_unit(c, r.instrument)
        c.collectors[r.instrument - 1] = r.participant
    elif r.kind == K_EPOCH_CLOSED:
        if c.closed_used == c.closed_room:
            room = more_room(c.closed_room, 16)
            c.closed = <Closed *>grow(c.closed, c.closed_room * sizeof(Closed), room * sizeof(Closed))
            c.closed_room = room
        c.closed[c.closed_used].number = r.number
        c.closed[c.closed_used].first = r.left
        c.closed[c.closed_used].trades = r.quantity
        c.closed_used += 1


cdef inline int take_one(Rec *c, const Report *r) noexcept nogil:
    if c.entering and (r.sequence != c.entering_sequence or r.kind == K_TRIGGERED):
        c.entering = 0      # what comes now is no longer of the order's entry
    if r.kind == K_ACCEPTED:
        accepted(c, r)
    elif r.kind == K_TRADE:
        return traded(c, r)
    elif r.kind <= K_REPLENISHED or r.kind == K_REDUCED:
        if r.kind == K_RESTED and likely(not c.watching):
            return OK
        return changed(c, r)
    else:
        told_once(c, r)
    return OK


cdef enum:
    # How many reports ahead a place in the table, and then an order, is asked of the memory.
    AHEAD_PLACE = 40
    AHEAD_ORDER = 20


cdef inline void prefetch_place(const Rec *c, u64 low, u64 high) noexcept nogil:
    cdef u32 hashed = hash_id(c, low, high)
    prefetch(&segment_of(c, hashed).places[hashed & (SEGMENT - 1)])


cdef inline void prefetch_order(const Rec *c, u64 low, u64 high) noexcept nogil:
    cdef u32 hashed = hash_id(c, low, high), at = hashed & (SEGMENT - 1), tries
    cdef const Segment *s = segment_of(c, hashed)
    for tries in range(8):
        if s.places[at].number == 0:
            return
        if s.places[at].hash == hashed:
            prefetch(&c.orders[s.places[at].number - 1])
            prefetch(<const char *>&c.orders[s.places[at].number - 1] + 64)
            return
        at = (at + 1) & (SEGMENT - 1)


cdef inline void prefetch_who(const Rec *c, u32 participant) noexcept nogil:
    if participant < c.who_room:
        prefetch(&c.who[participant])


cdef int take_run(Rec *c, const Report *r, u64 n) noexcept nogil:
    # Take reports; return what is wrong with the first that cannot be.
    cdef u64 i
    cdef int failed
    cdef const Report *later
    for i in range(n):
        if i + AHEAD_PLACE < n:
            later = &r[i + AHEAD_PLACE]
            if later.kind <= K_REPLENISHED:
                prefetch_place(c, later.id_low, later.id_high)
                prefetch_who(c, later.participant)
                if later.kind == K_TRADE:
                    prefetch_place(c, later.other_low, later.other_high)
                    prefetch_who(c, later.other)
        if i + AHEAD_ORDER < n:
            later = &r[i + AHEAD_ORDER]
            if later.kind == K_TRADE:
                prefetch_order(c, later.other_low, later.other_high)
            elif later.kind >= K_FILLED and later.kind <= K_REPLENISHED:
                prefetch_order(c, later.id_low, later.id_high)
        failed = take_one(c, &r[i])
        if unlikely(failed):
            return failed
    return OK


cdef void find_rows(Rec *c, u64 orders, u64 trades) noexcept nogil:
    # Find again all that the rows hold.
    cdef u64 i
    cdef Order *o
    cdef Trade *t
    for i in range(orders):
        if i + AHEAD_PLACE < orders:
            prefetch_place(c, c.orders[i + AHEAD_PLACE].id_low, c.orders[i + AHEAD_PLACE].id_high)
        o = &c.orders[i]
        put_order(c, o.id_low, o.id_high, <u32>(i + 1))
        chain_append(&who_of(c, o.participant).orders, <u32>(i + 1))
        if is_standing(o.status):
            chain_opened(&c.who[o.participant].orders, o.ordinal, 1)
    for i in range(trades):
        t = &c.trades[i]
        chain_append(&who_of(c, t.taker).trades, <u32>(i + 1))
        chain_append(&who_of(c, t.maker).trades, <u32>(i + 1))
        chain_append(tape_of(c, t.instrument), <u32>(i + 1))
    c.orders_used = orders
    c.trades_used = trades
