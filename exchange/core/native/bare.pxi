# Matching alone: the book of the engine without risk, fees, 128-bit ids, and order types beyond limit and
# immediate-or-cancel. For the public benchmark's interface (scripts/engines) and for measuring. Whoever includes
# this says first where a report goes: `bare_next`.

cdef enum:
    BARE_ACK = 0
    BARE_TRADE = 1
    BARE_CANCEL_ACK = 2
    BARE_MODIFY_ACK = 3
    BARE_CANCEL_REJECT = 4
    BARE_MODIFY_REJECT = 5

cdef void bare_init(Bare *b) noexcept nogil:
    memset(b, 0, sizeof(Bare))
    ladder_init(&b.bids)
    ladder_init(&b.asks)
    b.slots_of = <u32 *>grow(NULL, 0, DIRECT_IDS * sizeof(u32))
    memset(b.slots_of, 0, DIRECT_IDS * sizeof(u32))


cdef void bare_free(Bare *b) noexcept nogil:
    ladder_free(&b.bids)
    ladder_free(&b.asks)
    free(b.pool.slots)
    free(b.slots_of)
    free(b.named)
    memset(b, 0, sizeof(Bare))


# --- from order ids to slots ---

cdef u64 named_place(Bare *b, u64 order_id) noexcept nogil:
    # Where the id stands in the table, or the empty place where it would.
    cdef u64 at = (order_id * <u64>0x9E3779B97F4A7C15 >> 20) & b.named_mask
    while b.named[at].slot and b.named[at].id != order_id:
        at = (at + 1) & b.named_mask
    return at


cdef void named_set(Bare *b, u64 order_id, u32 slot) noexcept nogil:
    cdef Named *old = b.named
    cdef u64 i, room = (b.named_mask + 1) * 2 if b.named != NULL else 1024, at
    if old == NULL or b.named_used * 2 > b.named_mask:
        b.named = <Named *>grow(NULL, 0, room * sizeof(Named))
        i = b.named_mask + 1 if old != NULL else 0
        b.named_mask = room - 1
        while i:
            i -= 1
            if old[i].slot:
                b.named[named_place(b, old[i].id)] = old[i]
        free(old)
    at = named_place(b, order_id)
    if b.named[at].slot == 0:
        b.named_used += 1
    b.named[at].id = order_id
    b.named[at].slot = slot


cdef void named_clear(Bare *b, u64 order_id) noexcept nogil:
    # Take an id out, and close the gap that it leaves.
    cdef u64 hole = named_place(b, order_id), at = hole, home
    b.named_used -= 1
    while True:
        b.named[hole].slot = 0
        while True:
            at = (at + 1) & b.named_mask
            if b.named[at].slot == 0:
                return
            home = (b.named[at].id * <u64>0x9E3779B97F4A7C15 >> 20) & b.named_mask
            if ((at - home) & b.named_mask) >= ((at - hole) & b.named_mask):
                break
        b.named[hole] = b.named[at]
        hole = at


cdef inline u32 slot_of(Bare *b, u64 order_id) noexcept nogil:
    # The slot of a resting order; 0: it rests not.
    if likely(order_id < DIRECT_IDS):
        return b.slots_of[order_id]
    return b.named[named_place(b, order_id)].slot if b.named != NULL else 0


cdef inline void set_slot(Bare *b, u64 order_id, u32 slot) noexcept nogil:
    if likely(order_id < DIRECT_IDS):
        b.slots_of[order_id] = slot
    else:
        named_set(b, order_id, slot)


cdef inline void clear_slot(Bare *b, u64 order_id) noexcept nogil:
    if likely(order_id < DIRECT_IDS):
        b.slots_of[order_id] = 0
    else:
        named_clear(b, order_id)


# Of a slot's `owner` and `side`, which the book does not look at, the order's id (63 bits) and side are made.

cdef inline u64 id_of(const Slot *s) noexcept nogil:
    return (<u64>(s.side & 0x7FFFFFFF) << 32) | s.owner


cdef inline u8 side_of(const Slot *s) noexcept nogil:
    return <u8>(s.side >> 31)


cdef inline void set_id(Slot *s, u64 order_id, u8 side) noexcept nogil:
    s.owner = <u32>order_id
    s.side = <u32>(order_id >> 32) & 0x7FFFFFFF | (<u32>side << 31)


# --- matching ---

cdef inline void bare_tell(
    Bare *b, u8 type_, u8 side, u64 sequence, u64 order_id, i64 price, u32 quantity
) noexcept nogil:
    cdef BareReport *r = bare_next(b)
    r.type = type_
    r.side = side
    r.sequence_number = sequence
    r.order_id = order_id
    r.price_ticks = price
    r.quantity = quantity


cdef inline u64 bare_take(Bare *b, Ladder *l, u64 sequence, u64 order_id, i64 worst, i64 sign, u64 left) noexcept nogil:
    # Trade against a side, down to the worst key; return what is left. `sign` turns a key into a price.
    cdef i64 key = 0
    cdef Level *level
    cdef Slot *s
    cdef u32 slot
    cdef u64 quantity, maker_id
    cdef BareReport *r
    while left and ladder_best(l, &key) and key >= worst:
        level = ladder_find(l, key)
        slot = level.head
        s = &b.pool.slots[slot]
        quantity = left if left < s.left else s.left
        left -= quantity
        maker_id = id_of(s)
        r = bare_next(b)
        r.type = BARE_TRADE
        r.side = 0
        r.sequence_number = sequence
        r.order_id = maker_id
        r.price_ticks = sign * key
        r.quantity = <u32>quantity
        r.maker_order_id = maker_id
        r.taker_order_id = order_id
        if quantity < s.left:
            s.left -= quantity
            level.shown -= quantity
        else:
            ladder_remove(l, b.pool.slots, slot, key)
            clear_slot(b, maker_id)
            pool_give(&b.pool, slot)
    return left


cdef inline void bare_enter(Bare *b, u64 sequence, u64 order_id, u8 side, i64 price, u32 quantity, bint rests) noexcept nogil:
    # Trade what trades; rest what is left, or say that it is cancelled.
    cdef u64 left
    cdef u32 slot
    cdef Slot *s
    if side == 0:
        left = bare_take(b, &b.asks, sequence, order_id, -price, -1, quantity)
    else:
        left = bare_take(b, &b.bids, sequence, order_id, price, 1, quantity)
    if left == 0:
        return
    if unlikely(not rests):
        bare_tell(b, BARE_CANCEL_ACK, side, sequence, order_id, price, <u32>left)
        return
    slot = pool_take(&b.pool)
    s = &b.pool.slots[slot]
    s.left = left
    s.tick = -price if side else price   # here the key
    set_id(s, order_id, side)
    set_slot(b, order_id, slot)
    if side == 0:
        ladder_add(&b.bids, b.pool.slots, slot, price)
    else:
        ladder_add(&b.asks, b.pool.slots, slot, -price)


cdef inline void bare_remove(Bare *b, u32 slot, u8 side) noexcept nogil:
    cdef Slot *s = &b.pool.slots[slot]
    ladder_remove(&b.asks if side else &b.bids, b.pool.slots, slot, s.tick)
    clear_slot(b, id_of(s))
    pool_give(&b.pool, slot)


cdef inline void bare_new(
    Bare *b, u64 sequence, u64 order_id, u8 side, i64 price, u32 quantity, bint rests
) noexcept nogil:
    bare_tell(b, BARE_ACK, side, sequence, order_id, price, quantity)
    if unlikely(slot_of(b, order_id) != 0):
        return   # an id that rests already
    bare_enter(b, sequence, order_id, side, price, quantity, rests)


cdef inline void bare_cancel(Bare *b, u64 sequence, u64 order_id) noexcept nogil:
    cdef u32 slot = slot_of(b, order_id)
    cdef Slot *s
    cdef u8 side
    if unlikely(slot == 0):
        bare_tell(b, BARE_CANCEL_REJECT, 0, sequence, order_id, 0, 0)
        return
    s = &b.pool.slots[slot]
    side = side_of(s)
    bare_tell(b, BARE_CANCEL_ACK, side, sequence, order_id, -s.tick if side else s.tick, <u32>s.left)
    bare_remove(b, slot, side)


cdef inline void bare_modify(Bare *b, u64 sequence, u64 order_id, i64 price, u32 quantity) noexcept nogil:
    # A cancel and a new order of the same id: it loses its place.
    cdef u32 slot = slot_of(b, order_id)
    cdef u8 side
    if unlikely(slot == 0):
        bare_tell(b, BARE_MODIFY_REJECT, 0, sequence, order_id, 0, 0)
        return
    side = side_of(&b.pool.slots[slot])
    bare_tell(b, BARE_MODIFY_ACK, side, sequence, order_id, price, quantity)
    bare_remove(b, slot, side)
    bare_enter(b, sequence, order_id, side, price, quantity, True)
