# New orders, cancels, amends. See the reference's `orders.py`: the same looks in the same order.

cdef inline bint reject_participant(Core *c, const Command *k) noexcept nogil:
    if likely(k.participant - 1 < c.participants):
        return False
    reject(c, k, X_UNKNOWN_PARTICIPANT, k.participant, c.participants)
    return True


cdef inline bint reject_instrument(Core *c, const Command *k) noexcept nogil:
    if likely(<u32>k.instrument - 1 < c.listed):
        return False
    reject(c, k, X_UNKNOWN_INSTRUMENT, k.instrument, c.listed)
    return True


cdef inline u64 digest_of(const Command *k, const Terms *t) noexcept nogil:
    cdef u64 words[2]
    cdef u64 sum_
    memcpy(words, k, 16)
    sum_ = words[0] * <u64>0x9E3779B97F4A7C15 + words[1] * <u64>0xBF58476D1CE4E5B9
    sum_ += k.quantity * <u64>0x94D049BB133111EB + k.price * <u64>0xD6E8FEB86659FD93
    if unlikely(t != NULL):
        sum_ += t.display * <u64>0xA0761D6478BD642F + t.stop * <u64>0xE7037ED1A0B428DB
        sum_ += t.expiry_us * <u64>0x8EBC6AF09C88C6E3
    return sum_


cdef bint reject_terms(Core *c, const Command *k, const Terms *t) noexcept nogil:
    # What the flag, the terms and the type do not agree on.
    cdef u64 fault = 0
    cdef bint flagged = (k.flags & F_TERMS) != 0
    cdef u64 stop = t.stop if t != NULL else 0
    cdef u64 expiry = t.expiry_us if t != NULL else 0
    cdef u64 display = t.display if t != NULL else 0
    if flagged and (t == NULL or t.id_low != k.id_low or t.id_high != k.id_high):
        fault = 1
    elif t != NULL and not flagged:
        fault = 2
    elif (stop != 0) != (k.type == T_STOP or k.type == T_STOP_LIMIT):
        fault = 3
    elif (expiry != 0) != (k.tif == GTD):
        fault = 4
    elif display and not may_rest(k.type, k.tif):
        fault = 5
    if fault == 0:
        return False
    reject(c, k, X_TERMS_MISMATCH, fault, 0)
    return True


cdef void answer_again(Core *c, const Command *k, Entry *e, u64 digest) noexcept nogil:
    cdef Report *r
    cdef Owner *owner
    if e.digest != digest:
        reject(c, k, X_ID_REUSED, e.status, 0)
        return
    owner = &c.owners[e.position]
    r = tell(c, K_DUPLICATE)
    r.code = e.entry_reason
    r.side = e.side
    r.instrument = <u16>owner.instrument
    r.type = e.entry_status
    r.tif = e.status
    r.id_low = e.id_low
    r.id_high = e.id_high
    r.participant = owner.participant
    r.price = k.price
    r.quantity = e.quantity
    r.left = e.quantity - e.filled
    r.a_low = e.entry_filled
    r.b_low = e.filled


cdef inline bint reject_size(Core *c, const Command *k, Instrument *m, u64 quantity) noexcept nogil:
    if unlikely(quantity - 1 >= m.quantity_max):
        reject(c, k, X_QUANTITY_OUT_OF_RANGE, quantity, m.quantity_max)
        return True
    if m.lot != 1 and quantity % m.lot:
        reject(c, k, X_WRONG_LOT, quantity, m.lot)
        return True
    return False


cdef bint reject_display(Core *c, const Command *k, Instrument *m, u64 display, u64 quantity) noexcept nogil:
    # Whole lots, and not so few that filling the order would take trades without end.
    if display % m.lot == 0 and mul(display, PARTS_MAX) >= quantity:
        return False
    reject(c, k, X_DISPLAY_OUT_OF_RANGE, display, quantity)
    return True


cdef inline bint reject_price(Core *c, const Command *k, Instrument *m, u64 price) noexcept nogil:
    if unlikely(price - 1 >= INT63):
        reject(c, k, X_PRICE_OUT_OF_RANGE, price, INT63)
        return True
    if m.tick != 1 and price % m.tick:
        reject(c, k, X_WRONG_TICK, price, m.tick)
        return True
    return False


cdef inline bint reject_band(Core *c, const Command *k, Instrument *m, u64 price) noexcept nogil:
    if likely(not m.has_band) or price == 0 or (m.band_low <= price <= m.band_high):
        return False
    reject(c, k, X_PRICE_BAND, m.band_low, m.band_high)
    return True


cdef inline bint reject_level(
    Core *c, const Command *k, Instrument *m, u32 side, i64 tick, u64 quantity, u64 own
) noexcept nogil:
    # A level shows at most 2^63-1; `own` of what it shows is the order's itself.
    cdef Level *level = ladder_find(own_side(m, side), key_at(side, tick))
    cdef u64 shown
    if level == NULL:
        return False   # the quantity alone fits
    shown = level.shown - own
    if likely(shown + quantity <= INT63):
        return False
    reject(c, k, X_LEVEL_FULL, shown, quantity)
    return True


cdef inline bint reject_room(
    Core *c, const Command *k, Instrument *m, u32 side, Position *p, u64 quantity, u64 counted
) noexcept nogil:
    cdef u128 most
    if side != BUY or m.position_limit == 0:
        return False
    most = quantity
    if p != NULL:
        most = p.available + p.reserved + p.open_buys - counted + quantity
    if most <= m.position_limit:
        return False
    reject(c, k, X_POSITION_LIMIT, most, m.position_limit)
    return True


cdef inline bint reject_funds(
    Core *c, const Command *k, Instrument *m, u32 participant, u32 side, u8 type_, u32 fees, Position *p,
    u64 quantity, u64 price, u128 own, u128 *needs
) noexcept nogil:
    # Says besides what has to be set aside.
    cdef u128 available, needed
    if side == SELL:
        needs[0] = quantity
        available = own
        if p != NULL:
            available += tradable(p, m)
        if likely(available >= quantity):
            return False
        reject(c, k, X_INSUFFICIENT_UNITS, available, quantity)
        return True
    if not is_priced(type_):
        needs[0] = 0
        return False
    available = c.who[participant].available + own
    needed = cash_for(quantity, price, c.fees[fees].larger_ppm)
    needs[0] = needed
    if likely(available >= needed):
        return False
    reject(c, k, X_INSUFFICIENT_CASH, available, needed)
    return True


cdef inline bint reject_meeting(
    Core *c, const Command *k, Instrument *m, u32 participant, u32 side, i64 tick, u8 tif, u8 flags, u8 stp, u64 quantity
) noexcept nogil:
    # What the order would meet in the book.
    cdef i64 key = 0
    cdef u64 found
    if m.phase != CONTINUOUS:
        return False
    if flags & F_POST_ONLY:
        if ladder_best(opposite_side(m, side), &key) and key >= worst_key(m, side, tick):
            reject(c, k, X_POST_ONLY_WOULD_TRADE, <u64>(-key if side == BUY else key) * m.tick, 0)
            return True
    if tif == FOK:
        found = fillable(c, m, participant, side, tick, stp, quantity)
        if found < quantity:
            reject(c, k, X_FOK_UNFILLABLE, found, quantity)
            return True
    return False


cdef u32 take_rare(Core *c, const Terms *t) noexcept nogil:
    cdef u32 rare = c.rares_free, room
    if rare:
        c.rares_free = <u32>c.rares[rare].next_free
    else:
        if c.rares_used >= c.rares_room:
            room = c.rares_room * 2 if c.rares_room else 64
            c.rares = <Rare *>grow(c.rares, <size_t>c.rares_room * sizeof(Rare), <size_t>room * sizeof(Rare))
            c.rares_room = room
            if c.rares_used == 0:
                c.rares_used = 1
        rare = c.rares_used
        c.rares_used += 1
    c.rares[rare].display = t.display
    c.rares[rare].stop = t.stop
    c.rares[rare].expiry_us = t.expiry_us
    return rare


cdef inline u32 take_slot(Core *c) noexcept nogil:
    # An even number: the next one's place is the order's `Extra`.
    cdef u32 slot = c.pool.free
    if slot:
        c.pool.free = c.pool.slots[slot].next
        return slot
    while unlikely(c.pool.used + 1 >= c.pool.room):
        pool_grow(&c.pool)
    slot = (c.pool.used + 1) & ~<u32>1
    c.pool.used = slot + 2
    return slot


cdef bint is_waiting(Core *c, u32 entry, bint parked) noexcept nogil:
    # Whether a heap's item still stands for something.
    cdef u8 status = c.entries[entry].status
    return status == PARKED or (status == OPEN and not parked)


cdef void heap_add(Core *c, Heap *h, i64 key, u32 entry, bint parked, u32 living) noexcept nogil:
    # Push; where most items stand for orders that left, clear these out first.
    cdef u32 i, n
    if h.n > 64 and h.n // 4 > living:
        n = h.n
        h.n = 0
        for i in range(n):
            if is_waiting(c, h.items[i].entry, parked):
                heap_push(h, h.items[i].key, h.items[i].entry)
    heap_push(h, key, entry)


cdef void wait_for_price(Core *c, Instrument *m, u32 o) noexcept nogil:
    # Put a stop among those that wait.
    cdef u32 entry = extra_of(c, o).entry
    cdef i64 stop = <i64>c.rares[extra_of(c, o).rare].stop
    if c.pool.slots[o].side == BUY:
        heap_add(c, &m.buy_stops, stop, entry, True, m.parked)
    else:
        heap_add(c, &m.sell_stops, -stop, entry, True, m.parked)


cdef void park(Core *c, Instrument *m, u32 o) noexcept nogil:
    cdef Slot *s = &c.pool.slots[o]
    s.next = 0
    s.prev = m.parked_tail
    if m.parked_tail:
        c.pool.slots[m.parked_tail].next = o
    else:
        m.parked_head = o
    m.parked_tail = o
    m.parked += 1
    list_own(c, o)
    wait_for_price(c, m, o)


cdef inline void new_order(Core *c, const Command *k, u32 tag, const Terms *t) noexcept nogil:
    # Take an order, or answer its retry.
    cdef Instrument *m
    cdef Position *p
    cdef Entry *e
    cdef Slot *s
    cdef Extra *x
    cdef Report *r
    cdef u64 digest
    cdef u128 needs = 0
    cdef u32 known, position, o, number
    cdef i64 tick
    cdef bint rests = may_rest(k.type, k.tif)
    cdef bint waits = k.type == T_STOP or k.type == T_STOP_LIMIT
    if unlikely(t != NULL or (k.flags & F_TERMS) or waits or k.tif == GTD) and reject_terms(c, k, t):
        return
    digest = digest_of(k, t)
    known = find_entry(c, tag, k.id_low, k.id_high)
    if unlikely(known != 0):
        answer_again(c, k, &c.entries[known], digest)
        return
    if reject_participant(c, k) or reject_instrument(c, k):
        return
    m = &c.instruments[k.instrument]
    if unlikely(c.who[k.participant].killed):
        reject(c, k, X_PARTICIPANT_KILLED, k.participant, 0)
        return
    if unlikely(m.phase != CONTINUOUS):
        if m.phase != AUCTION or not (waits or (rests and not (k.flags & F_POST_ONLY))):
            reject(c, k, X_PHASE_FORBIDS, m.phase, 0)
            return
    if reject_size(c, k, m, k.quantity):
        return
    if unlikely(t != NULL) and t.display and reject_display(c, k, m, t.display, k.quantity):
        return
    if unlikely(t != NULL) and t.display > k.quantity:
        reject(c, k, X_DISPLAY_OUT_OF_RANGE, t.display, k.quantity)
        return
    if (k.price or is_priced(k.type)) and reject_price(c, k, m, k.price):
        return
    if unlikely(t != NULL):
        if t.stop and reject_price(c, k, m, t.stop):
            return
        if k.tif == GTD and not (c.now_us < t.expiry_us <= INT63):
            reject(c, k, X_EXPIRY_PASSED, t.expiry_us, c.now_us)
            return
    if reject_band(c, k, m, k.price):
        return
    tick = <i64>(k.price if m.tick == 1 else k.price // m.tick)
    if rests and reject_level(c, k, m, k.side, tick, k.quantity, 0):
        return
    position = position_of(c, k.participant, k.instrument)
    p = &c.positions[position] if position else NULL
    if reject_room(c, k, m, k.side, p, k.quantity, 0):
        return
    if reject_funds(c, k, m, k.participant, k.side, k.type, m.fees, p, k.quantity, k.price, 0, &needs):
        return
    if (k.flags & F_POST_ONLY or k.tif == FOK) and reject_meeting(
        c, k, m, k.participant, k.side, tick, k.tif, k.flags, k.stp, k.quantity
    ):
        return

    if unlikely(position == 0):
        position = make_position(c, k.participant, k.instrument)
    number = new_entry(c, tag, k.id_low, k.id_high)
    o = take_slot(c)
    s = &c.pool.slots[o]
    s.left = 0
    s.tick = tick
    s.owner = k.participant
    s.side = k.side
    x = extra_of(c, o)
    x.entry = number
    x.position = position
    x.fees = m.fees
    x.rare = take_rare(c, t) if unlikely(t != NULL) else 0
    x.instrument = k.instrument
    x.stp = k.stp
    x.is_listed = 0
    e = &c.entries[number]
    e.digest = digest
    e.quantity = k.quantity
    e.filled = 0
    e.position = position
    e.slot = o
    e.status = PARKED if waits else OPEN
    e.reason = 0
    e.side = k.side
    e.type = k.type
    e.tif = k.tif
    e.flags = k.flags
    c.open_orders += 1
    if unlikely(k.tif == GTD):
        c.dated += 1
        heap_add(c, &c.dates, <i64>t.expiry_us, number, False, c.dated)
    set_aside(c, s, needs, k.quantity)
    r = tell_about(c, K_ACCEPTED, s, e)
    r.code = e.status
    r.type = k.type
    r.tif = k.tif
    r.price = k.price
    r.quantity = k.quantity
    if unlikely(waits):
        park(c, m, o)
    elif unlikely(m.phase == AUCTION):
        rest(c, m, o, s, e)
    else:
        enter(c, m, o, s, e)
    e.entry_status = e.status
    e.entry_reason = e.reason
    e.entry_filled = e.filled
    if unlikely(m.parked != 0):
        release_stops(c, m)


cdef inline Entry *order_of(Core *c, const Command *k, const Ahead *a) noexcept nogil:
    # The entry of the order that the command names, if it is the participant's; else it is rejected: NULL.
    cdef u32 number = a.number
    cdef Entry *e = &c.entries[number]
    if unlikely(number == 0 or number >= c.entries_used or e.id_low != k.id_low or e.id_high != k.id_high):
        number = find_entry(c, a.tag, k.id_low, k.id_high)
        e = &c.entries[number]
    if likely(number != 0) and c.owners[e.position].participant == k.participant:
        return e
    reject(c, k, X_ORDER_UNKNOWN, 0, 0)
    return NULL


cdef inline void cancel_order(Core *c, const Command *k, const Ahead *a) noexcept nogil:
    cdef Entry *e = order_of(c, k, a)
    cdef Report *r
    cdef Owner *owner
    if e == NULL:
        return
    if likely(e.status <= PARKED):
        withdraw(c, e.slot, CANCELLED, R_CLIENT)
    elif e.reason == R_CLIENT:
        owner = &c.owners[e.position]
        r = tell(c, K_CANCELLED)
        r.code = R_CLIENT
        r.flags = REPEATED
        r.side = e.side
        r.instrument = <u16>owner.instrument
        r.id_low = e.id_low
        r.id_high = e.id_high
        r.participant = owner.participant
        r.left = e.quantity - e.filled
    else:
        reject(c, k, X_ORDER_NOT_OPEN, e.status, e.filled)


cdef void amend_order(Core *c, const Command *k, const Ahead *a) noexcept nogil:
    cdef Entry *e = order_of(c, k, a)
    cdef Instrument *m
    cdef Slot *s
    cdef Extra *x
    cdef u32 o
    cdef u64 price, left, old_left, own = 0
    cdef u128 needs = 0
    cdef i64 tick
    cdef bint stays
    if e == NULL:
        return
    if e.status == PARKED:
        reject(c, k, X_STOP_NOT_AMENDABLE, 0, 0)
        return
    if e.status != OPEN:
        reject(c, k, X_ORDER_NOT_OPEN, e.status, e.filled)
        return
    o = e.slot
    s = &c.pool.slots[o]
    x = extra_of(c, o)
    m = &c.instruments[x.instrument]
    price = k.price if k.price else <u64>s.tick * m.tick
    stays = price == <u64>s.tick * m.tick and k.quantity <= e.quantity
    if not stays and m.phase != CONTINUOUS and m.phase != AUCTION:
        reject(c, k, X_PHASE_FORBIDS, m.phase, 0)
        return
    if reject_size(c, k, m, k.quantity):
        return
    if k.quantity <= e.filled:
        reject(c, k, X_AMEND_FILLED, e.filled, k.quantity)
        return
    if x.rare and c.rares[x.rare].display and reject_display(c, k, m, c.rares[x.rare].display, k.quantity):
        return
    if stays:
        shrink(c, m, o, e.quantity - k.quantity)
        tell_sized(c, m, K_AMENDED, KEPT_PRIORITY, o)
        return
    left = k.quantity - e.filled
    old_left = e.quantity - e.filled
    if reject_price(c, k, m, price) or reject_band(c, k, m, price):
        return
    tick = <i64>(price // m.tick)
    if tick == s.tick:
        own = s.left
    if reject_level(c, k, m, s.side, tick, left, own):
        return
    if reject_room(c, k, m, s.side, &c.positions[x.position], left, old_left):
        return
    if reject_funds(
        c, k, m, s.owner, s.side, e.type, x.fees, &c.positions[x.position], left, price,
        aside(c, m, s, e.type, old_left), &needs
    ):
        return
    if reject_meeting(c, k, m, s.owner, s.side, tick, e.tif, e.flags, x.stp, left):
        return

    ladder_remove(own_side(m, s.side), c.pool.slots, o, key_at(s.side, s.tick))
    release(c, m, s, e, old_left)
    e.quantity = k.quantity
    s.tick = tick
    s.left = 0
    set_aside(c, s, needs, left)
    tell_sized(c, m, K_AMENDED, 0, o)
    c.touched = x.instrument
    if m.phase == AUCTION:
        rest(c, m, o, s, e)
    else:
        enter(c, m, o, s, e)


cdef u64 withdraw_all(Core *c, u32 participant, u32 instrument, u8 reason) noexcept nogil:
    # Cancel a participant's open orders, as they were accepted; return how many. Instrument 0 is all.
    cdef Who *w = &c.who[participant]
    cdef Entry *e
    cdef u64 n = 0
    cdef u32 i, kept = 0
    for i in range(w.own_used):
        e = &c.entries[w.own[i]]
        if e.status > PARKED:
            continue
        if instrument == 0 or extra_of(c, e.slot).instrument == instrument:
            withdraw(c, e.slot, CANCELLED, reason)
            n += 1
        else:
            w.own[kept] = w.own[i]
            kept += 1
    w.own_used = kept
    return n


cdef void mass_cancel(Core *c, const Command *k) noexcept nogil:
    cdef Report *r
    cdef u64 n
    if reject_participant(c, k) or (k.instrument and reject_instrument(c, k)):
        return
    n = withdraw_all(c, k.participant, k.instrument, R_MASS)
    r = tell(c, K_MASS_CANCELLED)
    r.participant = k.participant
    r.instrument = k.instrument
    r.number = n


cdef void turn_kill_switch(Core *c, const Command *k) noexcept nogil:
    cdef Report *r
    cdef u64 n = 0
    if reject_participant(c, k):
        return
    c.who[k.participant].killed = k.type
    if k.type:
        n = withdraw_all(c, k.participant, 0, R_KILLED)
    r = tell(c, K_KILL_SET)
    r.participant = k.participant
    r.code = k.type
    r.number = n
