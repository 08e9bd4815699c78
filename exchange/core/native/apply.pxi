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


cdef void do_rare(Core *c, const Command *k, u64 expired) noexcept nogil:
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
        amend_order(c, k)
    elif k.kind == 16:
        mass_cancel(c, k)
    else:
        close_epoch(c, k)


cdef inline void apply_one(Core *c, const Command *k) noexcept nogil:
    cdef Terms staged
    cdef bint is_staged
    cdef u64 expired = 0
    c.sequence += 1
    if unlikely(k.kind >= 128):
        c.is_staged = 0
        return
    if unlikely(k.kind >= 32 or not SHAPES[k.kind].known):
        reject(c, k, X_UNKNOWN_KIND, k.kind, 0)
        return
    if is_malformed(c, k):
        return
    is_staged = c.is_staged
    if unlikely(is_staged):
        staged = c.staged
        c.is_staged = 0
    if k.kind != 7 and k.kind != 8:
        if k.at_us > c.now_us:
            c.now_us = k.at_us
        if unlikely(c.dates.n != 0) and <u64>c.dates.items[0].key <= c.now_us:
            expired = expire(c)
    c.touched = 0
    if likely(k.kind == 13):
        new_order(c, k, &staged if is_staged else NULL)
    elif likely(k.kind == 14):
        cancel_order(c, k)
    else:
        do_rare(c, k, expired)
    if c.touched and c.instruments[c.touched].parked:
        release_stops(c, &c.instruments[c.touched])


cdef inline void foresee(Core *c, const Command *k) noexcept nogil:
    # Fetch early what a command some places ahead will look up: its id's bucket.
    if likely(c.ids.mask != 0) and 13 <= k.kind <= 15:
        prefetch(&c.ids.buckets[hash_id(c, k.id_low, k.id_high) & c.ids.mask])


cdef inline Entry *foreseen(Core *c, const Command *k) noexcept nogil:
    # The entry that a cancel or an amend will most likely find, or NULL.
    cdef u32 number
    if not 14 <= k.kind <= 15 or unlikely(c.ids.mask == 0):
        return NULL
    number = c.ids.buckets[hash_id(c, k.id_low, k.id_high) & c.ids.mask].number
    return &c.entries[number] if number else NULL


cdef inline void foresee_place(Core *c, const Command *k) noexcept nogil:
    # A few places on: where the order stands.
    cdef Entry *e = foreseen(c, k)
    if e != NULL and e.status <= PARKED and e.slot < c.pool.used:
        prefetch(&c.pool.slots[e.slot])
        prefetch(&c.extras[e.slot])


cdef inline void foresee_neighbours(Core *c, const Command *k) noexcept nogil:
    # And who stands beside it, in the book and in its participant's list.
    cdef Entry *e = foreseen(c, k)
    cdef Slot *s
    cdef Extra *x
    if e != NULL and e.status == OPEN and e.slot < c.pool.used:
        s = &c.pool.slots[e.slot]
        x = &c.extras[e.slot]
        prefetch(&c.pool.slots[s.next])
        prefetch(&c.pool.slots[s.prev])
        prefetch(&c.extras[x.own_next])
        prefetch(&c.extras[x.own_prev])


cdef void apply_run(Core *c, const Command *commands, u64 n) noexcept nogil:
    cdef u64 i
    cdef Entry *e
    for i in range(n):
        if i + 20 < n:
            foresee(c, &commands[i + 20])
        if i + 14 < n:
            e = foreseen(c, &commands[i + 14])
            if e != NULL:
                prefetch(e)
        if i + 9 < n:
            foresee_place(c, &commands[i + 9])
        if i + 4 < n:
            foresee_neighbours(c, &commands[i + 4])
        apply_one(c, &commands[i])
