# What time and prices set off. See the reference's `triggers.py`.

cdef u64 expire(Core *c) noexcept nogil:
    # Take out orders whose date has come, earliest date first, then earliest accepted; return how many.
    cdef u64 n = 0
    cdef u32 entry
    while c.dates.n and <u64>c.dates.items[0].key <= c.now_us:
        entry = c.dates.items[0].entry
        heap_pop(&c.dates)
        if is_waiting(c, entry, False):
            withdraw(c, c.entries[entry].slot, EXPIRED, R_DATE)
            n += 1
    return n


cdef void rebuild_heaps(Core *c) noexcept nogil:
    # From the open orders: their numbers have changed.
    cdef u32 i
    cdef Entry *e
    cdef Instrument *m
    c.dates.n = 0
    for i in range(1, c.listed + 1):
        c.instruments[i].buy_stops.n = 0
        c.instruments[i].sell_stops.n = 0
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        if e.status > PARKED:
            continue
        if e.tif == GTD:
            heap_push(&c.dates, <i64>c.rares[extra_of(c, e.slot).rare].expiry_us, i)
        if e.status == PARKED:
            m = &c.instruments[extra_of(c, e.slot).instrument]
            wait_for_price(c, m, e.slot)


cdef void forget_ids(Core *c) noexcept nogil:
    # Forget the orders that were done before today; the others move up.
    cdef u32 i, n = 1
    cdef Entry *e
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        if e.status > PARKED and e.slot < c.day:
            continue
        if i != n:
            c.entries[n] = e[0]
            if e.status <= PARKED:
                extra_of(c, e.slot).entry = n
        n += 1
    if n == c.entries_used or c.entries_used == 0:
        return
    c.entries_used = n
    for i in range(1, c.participants + 1):
        c.who[i].own_used = 0
        c.who[i].own_open = 0
    for i in range(1, n):
        e = &c.entries[i]
        if e.status <= PARKED:
            extra_of(c, e.slot).is_listed = 0
            list_own(c, e.slot)
    rebuild_ids(c, room_for(n * <u64>2))
    rebuild_heaps(c)


cdef void end_day(Core *c, u64 expired) noexcept nogil:
    cdef u32 i
    cdef Report *r
    for i in range(1, c.entries_used):
        if c.entries[i].status <= PARKED and c.entries[i].tif == DAY:
            withdraw(c, c.entries[i].slot, EXPIRED, R_DAY)
            expired += 1
    for i in range(1, c.positions_used):
        c.positions[i].bought = 0
    forget_ids(c)
    r = tell(c, K_DAY_ENDED)
    r.number = expired
    r.left = c.day
    c.day += 1


cdef u32 next_stop(Core *c, Heap *h, i64 last) noexcept nogil:
    # The stop that the last price has reached, first by price, then by acceptance; 0: none.
    cdef u32 entry
    while h.n:
        entry = h.items[0].entry
        if c.entries[entry].status != PARKED:
            heap_pop(h)
            continue
        if h.items[0].key > last:
            return 0
        heap_pop(h)
        return c.entries[entry].slot
    return 0


cdef void release_stops(Core *c, Instrument *m) noexcept nogil:
    # Trigger the stops that the last price has reached, one at a time: each may move it.
    cdef u32 o
    cdef Slot *s
    cdef Entry *e
    cdef Level *level
    cdef Report *r
    while m.parked and m.phase == CONTINUOUS and m.last:
        o = next_stop(c, &m.buy_stops, <i64>m.last)
        if o == 0:
            o = next_stop(c, &m.sell_stops, -<i64>m.last)
        if o == 0:
            return
        unpark(c, m, o)
        s = &c.pool.slots[o]
        s.left = 0
        e = &c.entries[extra_of(c, o).entry]
        e.status = OPEN
        r = tell_of(c, K_TRIGGERED, o)
        r.price = m.last
        if may_rest(e.type, e.tif):
            level = ladder_find(own_side(m, s.side), key_at(s.side, s.tick))
            if level != NULL and level.shown + (e.quantity - e.filled) > INT63:
                cancel_rest(c, m, o, R_LEVEL_FULL)
                continue
        enter(c, m, o, s, e)
