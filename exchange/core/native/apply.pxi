# apply: the first look at a record (see the reference's `layout.py`), and one command after the other.

ctypedef struct Shape:
    # Bit v of a small field: it may hold v. A large field: whether it is used.
    u8 side
    u8 type
    u8 tif
    u8 flags
    u8 stp
    u8 instrument
    u8 participant
    u8 id           # 0: unused, 1: anything, 2: not all zeros
    u8 quantity
    u8 price
    u8 extra
    u8 known

cdef Shape[32] SHAPES


# kind: side, type, tif, flags, stp, instrument, participant, id, quantity, price, extra
for _kind, _shape in {
    1: (1, 1, 1, 1, 1, 0, 0, 2, 1, 1, 1),                       # LIST
    2: (1, 1, 1, 0b11, 1, 1, 1, 1, 1, 0, 0),                    # RULES
    3: (1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0),                       # REFERENCE
    4: (1, 0b11110, 1, 1, 1, 1, 0, 0, 0, 0, 0),                 # PHASE
    5: (1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0),                       # UNCROSS
    6: (1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0),                       # REGISTER
    7: (1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),                       # CREDIT
    8: (1, 1, 1, 0b11, 1, 1, 1, 0, 0, 0, 0),                    # DEBIT
    9: (1, 0b11, 1, 1, 1, 0, 1, 0, 0, 0, 0),                    # KILL
    10: (1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0),                      # ADVANCE
    11: (1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0),                      # DAY_END
    12: (1, 1, 1, 1, 1, 0, 0, 2, 1, 1, 1),                      # TERMS
    13: (0b110, 0b11110, 0b111110, 0b1111, 0b1111, 1, 1, 2, 1, 1, 0),  # NEW
    14: (1, 1, 1, 1, 1, 0, 1, 2, 0, 0, 0),                      # CANCEL
    15: (1, 1, 1, 1, 1, 0, 1, 2, 1, 1, 0),                      # AMEND
    16: (1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),                      # MASS_CANCEL
    17: (1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0),                      # EPOCH
}.items():
    SHAPES[<int>_kind] = dict(
        zip(
            (
                *("side", "type", "tif", "flags", "stp", "instrument", "participant"),
                *("id", "quantity", "price", "extra", "known"),
            ),
            (*_shape, 1),
        )
    )


cdef inline bint holds(u8 mask, u8 value) noexcept nogil:
    return value < 8 and (mask >> value) & 1


cdef bint reject_field(Core *c, const Command *k, u64 offset, u64 value) noexcept nogil:
    reject(c, k, X_MALFORMED, offset, value)
    return True


cdef inline bint is_malformed(Core *c, const Command *k) noexcept nogil:
    # Whether the record holds what its kind does not allow; then it was rejected.
    cdef Shape *s = &SHAPES[k.kind]
    cdef bint rests
    if unlikely(not holds(s.side, k.side)):
        return reject_field(c, k, 1, k.side)
    if unlikely(not holds(s.type, k.type)):
        return reject_field(c, k, 2, k.type)
    if unlikely(not holds(s.tif, k.tif)):
        return reject_field(c, k, 3, k.tif)
    if unlikely(not holds(s.flags, k.flags)):
        return reject_field(c, k, 4, k.flags)
    if unlikely(not holds(s.stp, k.stp)):
        return reject_field(c, k, 5, k.stp)
    if unlikely(k.instrument and not s.instrument):
        return reject_field(c, k, 6, k.instrument)
    if unlikely(k.participant and not s.participant):
        return reject_field(c, k, 8, k.participant)
    if unlikely(k.spare != 0):
        return reject_field(c, k, 12, k.spare)
    if k.kind == 7 or k.kind == 8:
        return False
    if unlikely((k.id_low | k.id_high) != 0 if s.id == 0 else (s.id == 2 and (k.id_low | k.id_high) == 0)):
        return reject_field(c, k, 16, k.id_low)
    if unlikely(k.kind == 2 and (k.id_high >> 32) != 0):
        return reject_field(c, k, 28, k.id_high >> 32)
    if unlikely(k.quantity and not s.quantity):
        return reject_field(c, k, 32, k.quantity)
    if unlikely(k.price and not s.price):
        return reject_field(c, k, 40, k.price)
    if unlikely(k.kind == 6 and (k.quantity >> 32) != 0):
        return reject_field(c, k, 32, k.quantity)
    if unlikely(k.at_us > INT63):
        return reject_field(c, k, 48, k.at_us)
    if unlikely(k.extra and not s.extra):
        return reject_field(c, k, 56, k.extra)
    if unlikely(k.kind == 12 and (k.quantity | k.price | k.extra) == 0):
        return reject_field(c, k, 32, 0)
    if k.kind == 13:
        rests = k.tif <= GTD
        if unlikely(k.type == T_MARKET and k.tif != IOC):
            return reject_field(c, k, 3, k.tif)
        if unlikely(k.type >= T_STOP and not rests):
            return reject_field(c, k, 3, k.tif)
        if unlikely((k.flags & F_POST_ONLY) != 0 and not (k.type == T_LIMIT and rests)):
            return reject_field(c, k, 4, k.flags)
    return False


cdef void do_rare(Core *c, const Command *k, const Ahead *a, u64 expired) noexcept nogil:
    # Everything but new orders and cancels.
    cdef Report *r
    if k.kind == 1:
        list_instrument(c, k)
    elif k.kind == 2:
        set_rules(c, k)
    elif k.kind == 3:
        set_reference(c, k)
    elif k.kind == 4:
        set_phase(c, k)
    elif k.kind == 5:
        uncross(c, k)
    elif k.kind == 6:
        register(c, k)
    elif k.kind <= 8:
        transfer(c, k)
    elif k.kind == 9:
        turn_kill_switch(c, k)
    elif k.kind == 10:
        r = tell(c, K_ADVANCED)
        r.number = expired
    elif k.kind == 11:
        end_day(c, expired)
    elif k.kind == 12:
        c.is_staged = 1
        c.staged.id_low = k.id_low
        c.staged.id_high = k.id_high
        c.staged.display = k.quantity
        c.staged.stop = k.price
        c.staged.expiry_us = k.extra
        r = tell(c, K_TERMS_STAGED)
        r.id_low = k.id_low
        r.id_high = k.id_high
    elif k.kind == 15:
        amend_order(c, k, a)
    elif k.kind == 16:
        mass_cancel(c, k)
    else:
        close_epoch(c, k)


cdef inline u64 is_odd_new(const Command *k) noexcept nogil:
    # 0: surely well formed, as most are. Else `is_malformed` knows.
    return (
        <u64>(<u8>(k.side - 1) > 1) | (k.type != T_LIMIT) | (<u8>(k.tif - 1) > 4) | k.flags | (k.stp & ~3)
        | k.spare | k.extra | (k.at_us >> 63) | ((k.id_low | k.id_high) == 0)
    )


cdef inline u64 is_odd_cancel(const Command *k) noexcept nogil:
    cdef u64 first
    memcpy(&first, k, 8)
    return (
        (first >> 8) | k.spare | k.quantity | k.price | k.extra | (k.at_us >> 63) | ((k.id_low | k.id_high) == 0)
    )


cdef inline u64 begin(Core *c, const Command *k) noexcept nogil:
    # Time goes forward; return how many orders expired.
    if k.at_us > c.now_us:
        c.now_us = k.at_us
    if unlikely(c.dates.n != 0) and <u64>c.dates.items[0].key <= c.now_us:
        return expire(c)
    return 0


cdef void apply_other(Core *c, const Command *k, const Ahead *a) noexcept nogil:
    cdef u64 expired = 0
    if unlikely(k.kind >= 128):
        c.is_staged = 0
        return
    if unlikely(k.kind >= 32 or not SHAPES[k.kind].known):
        reject(c, k, X_UNKNOWN_KIND, k.kind, 0)
        return
    if is_malformed(c, k):
        return
    c.is_staged = 0
    if k.kind != 7 and k.kind != 8:
        expired = begin(c, k)
    c.touched = 0
    do_rare(c, k, a, expired)
    if c.touched and c.instruments[c.touched].parked:
        release_stops(c, &c.instruments[c.touched])


cdef inline void apply_one(Core *c, const Command *k, const Ahead *a) noexcept nogil:
    cdef Terms staged
    c.sequence += 1
    if k.kind == 13:
        if unlikely(is_odd_new(k) != 0) and is_malformed(c, k):
            return
        begin(c, k)
        if unlikely(c.is_staged):
            staged = c.staged
            c.is_staged = 0
            new_order(c, k, a.tag, &staged)
        else:
            new_order(c, k, a.tag, NULL)
    elif k.kind == 14:
        if unlikely(is_odd_cancel(k) != 0) and is_malformed(c, k):
            return
        begin(c, k)
        c.is_staged = 0
        cancel_order(c, k, a)
    else:
        apply_other(c, k, a)


# --- looking ahead ---
#
# Memory answers late: what a command will touch is fetched while those before it are done, a step of the way at a
# time, each step where the one before has come in by then. All of it is guesses: nothing but the time depends on it.

cdef enum:
    AHEAD = 32          # commands, a power of two above the first step's distance
    STEP = 4

cdef inline void foresee_id(Core *c, const Command *k, Ahead *a) noexcept nogil:
    a.tag = tag_of(c, k.id_low, k.id_high)
    prefetch(&c.ids.buckets[a.tag & c.ids.mask])
    prefetch(&c.who[k.participant if k.participant <= c.participants else 0])


cdef inline void foresee_entry(Core *c, const Command *k, Ahead *a) noexcept nogil:
    cdef u64 ends
    cdef u32 number = probe(&c.ids, a.tag, &ends)
    cdef Who *w = &c.who[k.participant if k.participant <= c.participants else 0]
    a.number = number
    prefetch(&c.entries[number])
    prefetch(&c.positions[w.position])
    prefetch(w.own + w.own_used)


cdef inline void foresee_place(Core *c, Ahead *a) noexcept nogil:
    cdef Entry *e = &c.entries[a.number]
    a.slot = <u32>pick(e.status <= PARKED, e.slot, 0)
    prefetch(&c.pool.slots[a.slot])


cdef inline void foresee_neighbours(Core *c, const Command *k, Ahead *a) noexcept nogil:
    # Who stands beside an order that leaves, and before one that comes.
    cdef Slot *s = &c.pool.slots[a.slot]
    cdef Slot *slots = c.pool.slots
    cdef u64 instrument = pick(k.kind == 13, k.instrument, extra_of(c, a.slot).instrument)
    cdef u64 side = pick(k.kind == 13, k.side, s.side)
    cdef Instrument *m = &c.instruments[pick(instrument <= c.listed, instrument, 0)]
    cdef Ladder *l = own_side(m, side & 3)
    cdef i64 tick = <i64>(k.price if likely(m.tick <= 1) else k.price // m.tick)
    cdef u64 at = <u64>key_at(side & 3, tick) - <u64>l.base
    prefetch(&slots[s.next])
    prefetch(&slots[s.prev])
    at = pick(at < l.size, at, 0)
    if likely(l.size):
        prefetch(&slots[l.levels[at].tail])


cdef void apply_run(Core *c, const Command *commands, u64 n) noexcept nogil:
    # Before the first command the numbers wrap around: they are not below n.
    cdef Ahead ring[AHEAD]
    cdef u64 i
    for i in range(n + 4 * STEP):
        if i < n:
            prefetch(&commands[i + 4 * STEP])
            foresee_id(c, &commands[i], &ring[i % AHEAD])
        if i - STEP < n:
            foresee_entry(c, &commands[i - STEP], &ring[(i - STEP) % AHEAD])
        if i - 2 * STEP < n:
            foresee_place(c, &ring[(i - 2 * STEP) % AHEAD])
        if i - 3 * STEP < n:
            foresee_neighbours(c, &commands[i - 3 * STEP], &ring[(i - 3 * STEP) % AHEAD])
        if i - 4 * STEP < n:
            apply_one(c, &commands[i - 4 * STEP], &ring[(i - 4 * STEP) % AHEAD])
