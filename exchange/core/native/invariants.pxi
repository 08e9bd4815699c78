# What holds after every command. See the reference's `invariants.py`. NULL: all holds; else what does not.

ctypedef struct Sums:
    # Per participant or position: what the open orders need.
    u128 aside
    u128 buys


cdef const char *check_side(Core *c, Instrument *m, u32 instrument, u32 side, u64 *orders) noexcept nogil:
    cdef Ladder *l = own_side(m, side)
    cdef i64 key = 0, before = 0
    cdef u64 levels = 0
    cdef u128 shown
    cdef u32 o, prev
    cdef Level *level
    cdef Slot *s
    cdef Entry *e
    if not ladder_best(l, &key):
        if l.filled == 0 and l.far.levels == 0:
            return NULL
        return "levels are hidden"
    while True:
        level = ladder_find(l, key)
        if level == NULL or level.head == 0:
            return "a level is empty"
        if levels and key >= before:
            return "levels out of order"
        levels += 1
        shown = 0
        prev = 0
        o = level.head
        while o:
            s = &c.pool.slots[o]
            e = &c.entries[extra_of(c, o).entry]
            if key_of(side, s.tick) != key or s.side != side or extra_of(c, o).instrument != instrument:
                return "an order at a wrong place"
            if s.prev != prev or e.status != OPEN or e.slot != o:
                return "the book does not hold exactly the open orders"
            if s.left == 0 or s.left > e.quantity - e.filled:
                return "an order shows nothing, or more than is left"
            if s.left != e.quantity - e.filled and (
                extra_of(c, o).rare == 0 or c.rares[extra_of(c, o).rare].display == 0
            ):
                return "an order hides what it should show"
            shown += s.left
            orders[0] += 1
            prev = o
            o = s.next
        if level.tail != prev:
            return "a level's last order is another"
        if shown != level.shown:
            return "a level does not show the sum of its orders"
        before = key
        if not ladder_below(l, key, &key):
            break
    if levels == l.filled + l.far.levels:
        return NULL
    return "levels are hidden"


cdef const char *check_books(Core *c) noexcept nogil:
    cdef u32 i, o
    cdef u64 orders = 0, parked
    cdef i64 bid = 0, ask = 0
    cdef Instrument *m
    cdef const char *broken
    cdef i64 stop
    for i in range(1, c.listed + 1):
        m = &c.instruments[i]
        broken = check_side(c, m, i, BUY, &orders)
        if broken == NULL:
            broken = check_side(c, m, i, SELL, &orders)
        if broken != NULL:
            return broken
        parked = 0
        o = m.parked_head
        while o:
            if c.entries[extra_of(c, o).entry].status != PARKED or extra_of(c, o).instrument != i:
                return "what waits is no waiting stop"
            parked += 1
            stop = <i64>c.rares[extra_of(c, o).rare].stop
            if m.phase == CONTINUOUS and m.last:
                if (stop <= <i64>m.last) if c.pool.slots[o].side == BUY else (stop >= <i64>m.last):
                    return "a stop is overdue"
            o = c.pool.slots[o].next
        if parked != m.parked:
            return "stops that wait are hidden"
        orders += parked
        if m.phase == CONTINUOUS and ladder_best(&m.bids, &bid) and ladder_best(&m.asks, &ask) and bid >= -ask:
            return "a book is crossed"
    if orders == c.open_orders:
        return NULL
    return "the books do not hold exactly the open orders"


cdef const char *check_money(Core *c) noexcept nogil:
    # Conserved: what came in is what all have. Set aside: what the open orders need.
    cdef u128 *held = <u128 *>grow(NULL, 0, (<u64>c.listed + 1) * sizeof(u128))
    cdef u128 *moved = <u128 *>grow(NULL, 0, (<u64>c.listed + 1) * sizeof(u128))
    cdef u128 *cash = <u128 *>grow(NULL, 0, (<u64>c.participants + 1) * sizeof(u128))
    cdef Sums *sums = <Sums *>grow(NULL, 0, (<u64>c.positions_used + 1) * sizeof(Sums))
    cdef const char *broken = NULL
    cdef u32 i
    cdef u64 dated = 0, left
    cdef Entry *e
    cdef Position *p
    cdef Transfer *t
    for i in range(1, c.transfers_used):
        t = &c.transfers[i]
        moved[t.instrument] += t.moved if t.kind == 7 else 0 - t.moved
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        left = e.quantity - e.filled
        if e.filled > e.quantity or (e.status == FILLED) != (left == 0):
            broken = "filled or not filled"
        if e.status > PARKED:
            continue
        if e.tif == GTD:
            dated += 1
        if e.side == BUY:
            sums[e.position].buys += left
            cash[c.owners[e.position].participant] += aside(
                c, &c.instruments[c.owners[e.position].instrument], &c.pool.slots[e.slot], e.type, left
            )
        else:
            sums[e.position].aside += left
    if dated != c.dated or c.dates.n < dated:
        broken = "dates are lost"
    for i in range(1, c.positions_used):
        p = &c.positions[i]
        held[c.owners[i].instrument] += p.available + p.reserved
        if (p.available | p.reserved | p.bought | p.open_buys) >> 127:
            broken = "tonnes below zero"
        if p.reserved != sums[i].aside or p.open_buys != sums[i].buys:
            broken = "tonnes set aside are not what the open orders need"
    for i in range(1, c.participants + 1):
        held[0] += c.who[i].available + c.who[i].reserved
        if (c.who[i].available | c.who[i].reserved) >> 127:
            broken = "cash below zero"
        if c.who[i].reserved != cash[i]:
            broken = "cash set aside is not what the open orders need"
    if held[0] != moved[0] or held[0] != c.cash_total:
        broken = "cash is not conserved"
    for i in range(1, c.listed + 1):
        if held[i] != moved[i] or held[i] != c.instruments[i].total:
            broken = "tonnes are not conserved"
    free(held)
    free(moved)
    free(cash)
    free(sums)
    return broken


cdef const char *check_lists(Core *c) noexcept nogil:
    # Every participant's list has its open orders, as accepted; the ids lead to them; epochs follow each other.
    cdef u32 i, j, prev, open_
    cdef u64 n = 0, committed = 0
    cdef Entry *e
    cdef Who *w
    for i in range(1, c.participants + 1):
        w = &c.who[i]
        prev = 0
        open_ = 0
        for j in range(w.own_used):
            if w.own[j] <= prev or w.own[j] >= c.entries_used:
                return "a list out of order"
            prev = w.own[j]
            if c.entries[prev].status <= PARKED:
                open_ += 1
                if c.pool.slots[c.entries[prev].slot].owner != i:
                    return "an order in a wrong list"
        if open_ != w.own_open:
            return "a list counts its open orders wrongly"
        n += open_
    if n != c.open_orders:
        return "the lists do not hold exactly the open orders"
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        if find_entry(c, tag_of(c, e.id_low, e.id_high), e.id_low, e.id_high) != i:
            return "an id leads elsewhere"
        if e.status <= PARKED and extra_of(c, e.slot).entry != i:
            return "an open order is another's"
    for n in range(c.epochs_used):
        if c.epochs[n].first != committed + 1 or c.epochs[n].trades == 0:
            return "a gap between epochs"
        committed += c.epochs[n].trades
    if committed <= c.trades:
        return NULL
    return "an epoch of trades that were not"


cdef const char *check(Core *c) noexcept nogil:
    cdef const char *broken = check_lists(c)
    if broken == NULL:
        broken = check_books(c)
    if broken == NULL:
        broken = check_money(c)
    return broken
