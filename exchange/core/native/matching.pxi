# Trades. See the reference's `matching.py`: the same functions in the same order.

cdef inline Ladder *own_side(Instrument *m, u32 side) noexcept nogil:
    return &m.bids if side == BUY else &m.asks


cdef inline Ladder *opposite_side(Instrument *m, u32 side) noexcept nogil:
    return &m.asks if side == BUY else &m.bids


cdef inline i64 worst_key(Instrument *m, u32 side, i64 tick) noexcept nogil:
    # The worst key of the opposite side that an order with this limit (0: none) takes.
    if likely(tick != 0):
        return -tick if side == BUY else tick
    if not m.has_band:
        return -<i64>INT63 - 1
    if side == BUY:
        return -<i64>(m.band_high // m.tick)
    return <i64>((m.band_low + m.tick - 1) // m.tick)


cdef inline void link_own(Core *c, u32 o) noexcept nogil:
    # Put an order into its participant's list, behind those accepted before.
    cdef Extra *x = &c.extras[o]
    cdef Who *w = &c.who[c.pool.slots[o].owner]
    if x.is_linked:
        return
    x.is_linked = 1
    x.own_next = 0
    x.own_prev = w.own_tail
    if w.own_tail:
        c.extras[w.own_tail].own_next = o
    else:
        w.own_head = o
    w.own_tail = o


cdef inline void close(Core *c, u32 o, u8 status, u8 reason) noexcept nogil:
    # Mark an order as done and give its slot back.
    cdef Extra *x = &c.extras[o]
    cdef Entry *e = &c.entries[x.entry]
    cdef Who *w
    e.status = status
    e.reason = reason
    e.slot = c.day
    c.open_orders -= 1
    if unlikely(e.tif == GTD):
        c.dated -= 1
    if x.is_linked:
        w = &c.who[c.pool.slots[o].owner]
        if x.own_prev:
            c.extras[x.own_prev].own_next = x.own_next
        else:
            w.own_head = x.own_next
        if x.own_next:
            c.extras[x.own_next].own_prev = x.own_prev
        else:
            w.own_tail = x.own_prev
    if unlikely(x.rare != 0):
        c.rares[x.rare].next_free = c.rares_free
        c.rares_free = x.rare
    pool_give(&c.pool, o)


cdef inline void rest(Core *c, Instrument *m, u32 o) noexcept nogil:
    # Put what is left of an order into the book.
    cdef Slot *s = &c.pool.slots[o]
    cdef Extra *x = &c.extras[o]
    cdef u64 left = left_of(c, o), display
    cdef Report *r = tell_of(c, K_RESTED, o)
    r.price = <u64>s.tick * m.tick
    r.left = left
    if unlikely(x.rare != 0):
        display = c.rares[x.rare].display
        if display and display < left:
            left = display
    s = &c.pool.slots[o]
    s.left = left
    link_own(c, o)
    ladder_add(own_side(m, s.side), c.pool.slots, o, key_of(s.side, s.tick))


cdef void cancel_rest(Core *c, Instrument *m, u32 o, u8 reason) noexcept nogil:
    # Cancel what is left of an order that is in no book.
    cdef u64 left = left_of(c, o)
    cdef Report *r = tell_of(c, K_CANCELLED, o)
    r.code = reason
    r.price = <u64>c.pool.slots[o].tick * m.tick
    r.left = left
    release(c, m, o, left)
    close(c, o, CANCELLED, reason)


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
    cdef Extra *x = &c.extras[o]
    cdef Entry *e = &c.entries[x.entry]
    cdef Instrument *m = &c.instruments[x.instrument]
    cdef u64 left = e.quantity - e.filled
    cdef Report *r = tell_of(c, K_EXPIRED if status == EXPIRED else K_CANCELLED, o)
    r.code = reason
    r.price = <u64>s.tick * m.tick
    r.left = left
    if unlikely(e.status == PARKED):
        unpark(c, m, o)
    else:
        ladder_remove(own_side(m, s.side), c.pool.slots, o, key_of(s.side, s.tick))
    release(c, m, o, left)
    close(c, o, status, reason)


cdef inline void after_fill(Core *c, Instrument *m, u32 o, u64 quantity, bint tells_filled) noexcept nogil:
    # Take off what traded; a filled order leaves, an iceberg shows its next part at the end of its level.
    cdef Slot *s = &c.pool.slots[o]
    cdef Ladder *l = own_side(m, s.side)
    cdef i64 key = key_of(s.side, s.tick)
    cdef Level *level = ladder_find(l, key)
    cdef u64 left
    cdef Report *r
    s.left -= quantity
    level.shown -= quantity
    if s.left:
        return
    ladder_remove(l, c.pool.slots, o, key)
    left = left_of(c, o)
    if likely(left == 0):
        if unlikely(tells_filled):
            r = tell_of(c, K_FILLED, o)
            r.quantity = c.entries[c.extras[o].entry].quantity
        close(c, o, FILLED, R_NONE)
        return
    s.left = c.rares[c.extras[o].rare].display
    if s.left > left:
        s.left = left
    ladder_add(l, c.pool.slots, o, key)
    r = tell_of(c, K_REPLENISHED, o)
    r.price = <u64>s.tick * m.tick
    r.quantity = s.left
    r.left = left


cdef inline void trade(
    Core *c, Instrument *m, u32 maker, u32 taker, u64 quantity, u64 price, bint auction
) noexcept nogil:
    # Do one trade with a resting maker. In an auction the taker rests, too.
    cdef Extra *mx = &c.extras[maker]
    cdef Extra *tx = &c.extras[taker]
    cdef Entry *me = &c.entries[mx.entry]
    cdef Entry *te = &c.entries[tx.entry]
    cdef u32 taker_ppm = c.fees[tx.fees].maker_ppm if auction else c.fees[tx.fees].taker_ppm
    cdef u128 value = mul(quantity, price)
    cdef u128 maker_fee = fee_on(value, c.fees[mx.fees].maker_ppm)
    cdef u128 taker_fee = fee_on(value, taker_ppm)
    cdef Report *r
    if c.pool.slots[taker].side == BUY:
        move(c, m, taker, maker, quantity, value, taker_fee, maker_fee)
    else:
        move(c, m, maker, taker, quantity, value, maker_fee, taker_fee)
    te.filled += quantity
    me.filled += quantity
    c.trades += 1
    m.last = price
    r = tell_of(c, K_TRADE, taker)
    r.flags = OF_AUCTION if auction else 0
    r.other_low = me.id_low
    r.other_high = me.id_high
    r.other = c.pool.slots[maker].owner
    r.price = price
    r.quantity = quantity
    r.left = me.quantity - me.filled
    r.number = c.trades
    r.a_low = <u64>taker_fee
    r.a_high = <u64>(taker_fee >> 64)
    r.b_low = <u64>maker_fee
    r.b_high = <u64>(maker_fee >> 64)
    after_fill(c, m, maker, quantity, False)
    if auction:
        after_fill(c, m, taker, quantity, True)


cdef void shrink(Core *c, Instrument *m, u32 o, u64 by) noexcept nogil:
    # Make an order smaller where it stands, what is hidden first. A taker stands nowhere yet: it shows 0.
    cdef Slot *s = &c.pool.slots[o]
    cdef Entry *e = &c.entries[c.extras[o].entry]
    cdef u64 left
    cdef Level *level
    release(c, m, o, by)
    e.quantity -= by
    left = e.quantity - e.filled
    if s.left > left:
        level = ladder_find(own_side(m, s.side), key_of(s.side, s.tick))
        level.shown -= s.left - left
        s.left = left


cdef void tell_sized(Core *c, Instrument *m, u8 kind, u8 flags, u32 o) noexcept nogil:
    # AMENDED or REDUCED.
    cdef Entry *e = &c.entries[c.extras[o].entry]
    cdef Report *r = tell_of(c, kind, o)
    r.flags = flags
    r.price = <u64>c.pool.slots[o].tick * m.tick
    r.quantity = e.quantity
    r.left = e.quantity - e.filled


cdef bint prevent_self_trade(Core *c, Instrument *m, u32 maker, u32 taker) noexcept nogil:
    # Do what the taker says; return whether it goes on.
    cdef u8 stp = c.extras[taker].stp
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
    cdef Entry *e = &c.entries[c.extras[o].entry]
    cdef Slot *other
    cdef Ladder *l = opposite_side(m, s.side)
    cdef i64 worst = worst_key(m, s.side, s.tick), key = 0
    cdef bint pays_freely = s.side == BUY and not is_priced(e.type)
    # Fixed at its entry: what its own trades bring in (fees that it collects) does not prolong it.
    cdef u128 budget = c.who[s.owner].available
    cdef u32 ppm = c.fees[c.extras[o].fees].taker_ppm
    cdef u32 maker
    cdef u64 quantity, price, left
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


cdef inline void enter(Core *c, Instrument *m, u32 o) noexcept nogil:
    # Let an order meet the book: trade what trades, then rest it, or cancel what is left.
    cdef u8 reason = match(c, m, o)
    cdef Entry *e = &c.entries[c.extras[o].entry]
    cdef Report *r
    if e.quantity == e.filled:
        r = tell_of(c, K_FILLED, o)
        r.quantity = e.quantity
        close(c, o, FILLED, R_NONE)
    elif reason == R_NONE:
        rest(c, m, o)
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
