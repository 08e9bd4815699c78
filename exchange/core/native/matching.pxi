# Trades. See the reference's `matching.py`: the same functions in the same order.

cdef inline Ladder *own_side(Instrument *m, u32 side) noexcept nogil:
    # They lie in a row.
    return &m.bids + (side != BUY)


cdef inline Ladder *opposite_side(Instrument *m, u32 side) noexcept nogil:
    return &m.bids + (side == BUY)


cdef inline i64 key_at(u32 side, i64 tick) noexcept nogil:
    # `key_of` without a branch: sides come as they please.
    cdef i64 flips = -<i64>(side != BUY)
    return (tick ^ flips) - flips


cdef inline i64 worst_key(Instrument *m, u32 side, i64 tick) noexcept nogil:
    # The worst key of the opposite side that an order with this limit (0: none) takes.
    if likely(tick != 0):
        return -tick if side == BUY else tick
    if not m.has_band:
        return -<i64>INT63 - 1
    if side == BUY:
        return -<i64>(m.band_high // m.tick)
    return <i64>((m.band_low + m.tick - 1) // m.tick)


cdef void tidy_own(Core *c, Who *w) noexcept nogil:
    # A participant's list is full: drop what is done, and make room for twice what is left.
    cdef u32 i, n = 0, room = w.own_room if w.own_room else 16
    for i in range(w.own_used):
        w.own[n] = w.own[i]
        n += c.entries[w.own[i]].status <= PARKED
    w.own_used = n
    while room < n * 2:
        room *= 2
    if room != w.own_room:
        w.own = <u32 *>grow(w.own, n * sizeof(u32), room * sizeof(u32))
        w.own_room = room


cdef inline void list_own(Core *c, u32 o) noexcept nogil:
    # Put an order into its participant's list, behind those accepted before. It stays there when it is done, until
    # the list is tidied: so what leaves the book touches no other order.
    cdef Extra *x = extra_of(c, o)
    cdef Who *w = &c.who[c.pool.slots[o].owner]
    if x.is_listed:
        return
    x.is_listed = 1
    if unlikely(w.own_used == w.own_room):
        tidy_own(c, w)
    w.own[w.own_used] = x.entry
    w.own_used += 1
    w.own_open += 1


cdef inline void close(Core *c, u32 o, Slot *s, Entry *e, u8 status, u8 reason) noexcept nogil:
    # Mark an order as done and give its slot back.
    cdef Extra *x = extra_at(s)
    e.status = status
    e.reason = reason
    e.slot = c.day
    c.open_orders -= 1
    if unlikely(e.tif == GTD):
        c.dated -= 1
    c.who[s.owner].own_open -= x.is_listed
    if unlikely(x.rare != 0):
        c.rares[x.rare].next_free = c.rares_free
        c.rares_free = x.rare
    pool_give(&c.pool, o)


cdef inline void rest(Core *c, Instrument *m, u32 o, Slot *s, Entry *e) noexcept nogil:
    # Put what is left of an order into the book.
    cdef Extra *x = extra_at(s)
    cdef u64 left = e.quantity - e.filled, display
    cdef Report *r = tell_about(c, K_RESTED, s, e)
    r.price = <u64>s.tick * m.tick
    r.left = left
    if unlikely(x.rare != 0):
        display = c.rares[x.rare].display
        if display and display < left:
            left = display
    s.left = left
    list_own(c, o)
    ladder_add(own_side(m, s.side), c.pool.slots, o, key_at(s.side, s.tick))


cdef void cancel_rest(Core *c, Instrument *m, u32 o, u8 reason) noexcept nogil:
    # Cancel what is left of an order that is in no book.
    cdef Slot *s = &c.pool.slots[o]
    cdef Entry *e = &c.entries[extra_at(s).entry]
    cdef u64 left = e.quantity - e.filled
    cdef Report *r = tell_about(c, K_CANCELLED, s, e)
    r.code = reason
    r.price = <u64>s.tick * m.tick
    r.left = left
    release(c, m, s, e, left)
    close(c, o, s, e, CANCELLED, reason)


cdef void unpark(Core *c, Instrument *m, u32 o) noexcept nogil:
    # Take a stop out of those that wait. Its heap finds out when it comes up.
    cdef Slot *s = &c.pool.slots[o]
    if s.prev:
        c.pool.slots[s.prev].next = s.next
    else:
        m.parked_head = s.next
    if s.next:
        c.pool.slots[s.next].prev = s.prev
    else:
        m.parked_tail = s.prev
    m.parked -= 1


cdef inline void withdraw(Core *c, u32 o, u8 status, u8 reason) noexcept nogil:
    # Take an open order out, of its book or from the stops that wait, and give back what it set aside.
    cdef Slot *s = &c.pool.slots[o]
    cdef Entry *e = &c.entries[extra_at(s).entry]
    cdef Instrument *m = &c.instruments[extra_at(s).instrument]
    cdef u64 left = e.quantity - e.filled
    cdef Report *r = tell_about(c, K_EXPIRED if status == EXPIRED else K_CANCELLED, s, e)
    r.code = reason
    r.price = <u64>s.tick * m.tick
    r.left = left
    if unlikely(e.status == PARKED):
        unpark(c, m, o)
    else:
        ladder_remove(own_side(m, s.side), c.pool.slots, o, key_at(s.side, s.tick))
    release(c, m, s, e, left)
    close(c, o, s, e, status, reason)


cdef inline void after_fill(
    Core *c, Instrument *m, u32 o, Slot *s, Entry *e, u64 quantity, bint tells_filled
) noexcept nogil:
    # Take off what traded; a filled order leaves, an iceberg shows its next part at the end of its level.
    cdef Ladder *l = own_side(m, s.side)
    cdef i64 key = key_at(s.side, s.tick)
    cdef Level *level = ladder_find(l, key)
    cdef u64 left
    cdef Report *r
    s.left -= quantity
    level.shown -= quantity
    if s.left:
        return
    ladder_remove(l, c.pool.slots, o, key)
    left = e.quantity - e.filled
    if likely(left == 0):
        if unlikely(tells_filled):
            r = tell_about(c, K_FILLED, s, e)
            r.quantity = e.quantity
        close(c, o, s, e, FILLED, R_NONE)
        return
    s.left = c.rares[extra_at(s).rare].display
    if s.left > left:
        s.left = left
    ladder_add(l, c.pool.slots, o, key)
    r = tell_about(c, K_REPLENISHED, s, e)
    r.price = <u64>s.tick * m.tick
    r.quantity = s.left
    r.left = left


cdef inline void trade(
    Core *c, Instrument *m, u32 maker, u32 taker, u64 quantity, u64 price, bint auction
) noexcept nogil:
    # Do one trade with a resting maker. In an auction the taker rests, too.
    cdef Slot *ms = &c.pool.slots[maker]
    cdef Slot *ts = &c.pool.slots[taker]
    cdef Extra *mx = extra_at(ms)
    cdef Extra *tx = extra_at(ts)
    cdef Entry *me = &c.entries[mx.entry]
    cdef Entry *te = &c.entries[tx.entry]
    cdef u32 taker_ppm = c.fees[tx.fees].maker_ppm if auction else c.fees[tx.fees].taker_ppm
    cdef u128 value = mul(quantity, price)
    cdef u128 maker_fee = fee_on(value, c.fees[mx.fees].maker_ppm)
    cdef u128 taker_fee = fee_on(value, taker_ppm)
    cdef Report *r
    cdef bint buys = ts.side == BUY
    move(
        c, m, ts if buys else ms, ms if buys else ts, quantity, value,
        taker_fee if buys else maker_fee, maker_fee if buys else taker_fee,
    )
    te.filled += quantity
    me.filled += quantity
    c.trades += 1
    m.last = price
    r = tell_about(c, K_TRADE, ts, te)
    r.flags = OF_AUCTION if auction else 0
    r.other_low = me.id_low
    r.other_high = me.id_high
    r.other = ms.owner
    r.price = price
    r.quantity = quantity
    r.left = me.quantity - me.filled
    r.number = c.trades
    r.a_low = <u64>taker_fee
    r.a_high = <u64>(taker_fee >> 64)
    r.b_low = <u64>maker_fee
    r.b_high = <u64>(maker_fee >> 64)
    after_fill(c, m, maker, ms, me, quantity, False)
    if auction:
        after_fill(c, m, taker, ts, te, quantity, True)


cdef void shrink(Core *c, Instrument *m, u32 o, u64 by) noexcept nogil:
    # Make an order smaller where it stands, what is hidden first. A taker stands nowhere yet: it shows 0.
    cdef Slot *s = &c.pool.slots[o]
    cdef Entry *e = &c.entries[extra_of(c, o).entry]
    cdef u64 left
    cdef Level *level
    release(c, m, s, e, by)
    e.quantity -= by
    left = e.quantity - e.filled
    if s.left > left:
        level = ladder_find(own_side(m, s.side), key_at(s.side, s.tick))
        level.shown -= s.left - left
        s.left = left


cdef void tell_sized(Core *c, Instrument *m, u8 kind, u8 flags, u32 o) noexcept nogil:
    # AMENDED or REDUCED.
    cdef Entry *e = &c.entries[extra_of(c, o).entry]
    cdef Report *r = tell_of(c, kind, o)
    r.flags = flags
    r.price = <u64>c.pool.slots[o].tick * m.tick
    r.quantity = e.quantity
    r.left = e.quantity - e.filled


cdef bint prevent_self_trade(Core *c, Instrument *m, u32 maker, u32 taker) noexcept nogil:
    # Do what the taker says; return whether it goes on.
    cdef u8 stp = extra_of(c, taker).stp
    cdef u64 maker_left, taker_left, amount
    if stp == 0:
        return False
    maker_left = left_of(c, maker)
    taker_left = left_of(c, taker)
    amount = maker_left if maker_left < taker_left else taker_left
    if stp == 3 and maker_left > amount:
        shrink(c, m, maker, amount)
        tell_sized(c, m, K_REDUCED, 0, maker)
        return False
    withdraw(c, maker, CANCELLED, R_SELF_TRADE)
    if stp == 1:
        return True
    if stp == 2 or taker_left == amount:
        return False
    shrink(c, m, taker, amount)
    tell_sized(c, m, K_REDUCED, 0, taker)
    return True


cdef u8 match(Core *c, Instrument *m, u32 o) noexcept nogil:
    # Trade the order against the book; return why what is left may not rest, 0 when it may or nothing is left.
    cdef Slot *s = &c.pool.slots[o]
    cdef Entry *e = &c.entries[extra_of(c, o).entry]
    cdef Slot *other
    cdef Ladder *l = opposite_side(m, s.side)
    cdef i64 worst = worst_key(m, s.side, s.tick), key = 0
    cdef bint pays_freely = s.side == BUY and not is_priced(e.type)
    cdef u128 budget = 0
    cdef u32 ppm = 0, maker
    cdef u64 quantity, price, left
    if unlikely(pays_freely):
        # Fixed at its entry: what its own trades bring in (fees that it collects) does not prolong it.
        budget = c.who[s.owner].available
        ppm = c.fees[extra_at(s).fees].taker_ppm
    while True:
        left = e.quantity - e.filled
        if left == 0:
            return R_NONE
        if not ladder_best(l, &key) or key < worst:
            return R_NONE if may_rest(e.type, e.tif) else R_UNFILLED
        maker = ladder_find(l, key).head
        other = &c.pool.slots[maker]
        if unlikely(other.owner == s.owner):
            if not prevent_self_trade(c, m, maker, o):
                return R_SELF_TRADE
            continue
        quantity = left if left < other.left else other.left
        price = <u64>(-key if s.side == BUY else key) * m.tick
        if unlikely(pays_freely):
            quantity = affordable(budget, ppm, price, quantity, m.lot)
            if quantity == 0:
                return R_CASH_EXHAUSTED
            budget -= cash_for(quantity, price, ppm)
        trade(c, m, maker, o, quantity, price, False)


cdef inline void enter(Core *c, Instrument *m, u32 o, Slot *s, Entry *e) noexcept nogil:
    # Let an order meet the book: trade what trades, then rest it, or cancel what is left.
    cdef u8 reason
    cdef Report *r
    cdef i64 key = 0
    if may_rest(e.type, e.tif) and (
        not ladder_best(opposite_side(m, s.side), &key) or key < worst_key(m, s.side, s.tick)
    ):
        rest(c, m, o, s, e)   # most orders meet nobody
        return
    reason = match(c, m, o)
    if e.quantity == e.filled:
        r = tell_about(c, K_FILLED, s, e)
        r.quantity = e.quantity
        close(c, o, s, e, FILLED, R_NONE)
    elif reason == R_NONE:
        rest(c, m, o, s, e)
    else:
        cancel_rest(c, m, o, reason)


cdef u64 fillable(Core *c, Instrument *m, u32 participant, u32 side, i64 tick, u8 stp, u64 quantity) noexcept nogil:
    # How much of a fill-or-kill order would trade now, at most its quantity.
    cdef Ladder *l = opposite_side(m, side)
    cdef i64 worst = worst_key(m, side, tick), key = 0
    cdef u128 found = 0, hidden
    cdef u32 o
    cdef Slot *s
    if not ladder_best(l, &key):
        return 0
    while key >= worst:
        hidden = 0
        o = ladder_find(l, key).head
        while o:
            s = &c.pool.slots[o]
            if s.owner != participant:
                found += s.left
                hidden += left_of(c, o) - s.left
            elif stp != 1:
                return <u64>found if found < quantity else quantity
            o = s.next
            if found >= quantity:
                return quantity   # an own order further back changes nothing: all of it is shown before
        found += hidden           # comes after all that is shown at this price
        if found >= quantity:
            return quantity
        if not ladder_below(l, key, &key):
            break
    return <u64>found
