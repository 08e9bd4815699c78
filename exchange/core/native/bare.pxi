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
    cdef u64 i
    memset(b, 0, sizeof(Bare))
    ladder_init(&b.sides[0])
    ladder_init(&b.sides[1])
    b.resting = <u64 *>grow(NULL, 0, DIRECT_IDS // 8)
    b.slots_of = <u32 *>grow(NULL, 0, DIRECT_IDS * sizeof(u32))
    for i in range(YOUNG_IDS):
        b.young[i] = NO_YOUNG
    memset(b.resting, 0, DIRECT_IDS // 8)          # so that the pages are there
    memset(b.slots_of, 0, DIRECT_IDS * sizeof(u32))


cdef void bare_free(Bare *b) noexcept nogil:
    ladder_free(&b.sides[0])
    ladder_free(&b.sides[1])
    free(b.pool.slots)
    free(b.resting)
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


# Ids come in any order, and most orders leave soon. So the bit array alone is read for each new order, an eighth of
# a byte an id; the array of slots, too large for the near caches, only for orders that outlived a thousand others.

cdef inline bint is_resting(Bare *b, u64 order_id) noexcept nogil:
    if likely(order_id < DIRECT_IDS):
        return b.resting[order_id >> 6] >> (order_id & 63) & 1
    return b.named != NULL and b.named[named_place(b, order_id)].slot != 0


cdef inline u32 slot_of(Bare *b, u64 order_id) noexcept nogil:
    # The slot of a resting order; 0: it rests not.
    cdef u64 young
    if unlikely(not is_resting(b, order_id)):
        return 0
    if likely(order_id < DIRECT_IDS):
        young = b.young[order_id & (YOUNG_IDS - 1)]
        return <u32>young if likely(young >> 32 == order_id) else b.slots_of[order_id]
    return b.named[named_place(b, order_id)].slot


cdef inline void set_slot(Bare *b, u64 order_id, u32 slot) noexcept nogil:
    # Of an order that rests from now on.
    cdef u64 *young
    cdef u64 old
    if unlikely(order_id >= DIRECT_IDS):
        named_set(b, order_id, slot)
        return
    young = &b.young[order_id & (YOUNG_IDS - 1)]
    old = young[0]
    if <u32>old:
        b.slots_of[old >> 32] = <u32>old
    young[0] = order_id << 32 | slot
    b.resting[order_id >> 6] |= <u64>1 << (order_id & 63)


cdef inline void clear_slot(Bare *b, u64 order_id) noexcept nogil:
    cdef u64 *young
    if unlikely(order_id >= DIRECT_IDS):
        named_clear(b, order_id)
        return
    b.resting[order_id >> 6] &= ~(<u64>1 << (order_id & 63))
    young = &b.young[order_id & (YOUNG_IDS - 1)]
    if likely(young[0] >> 32 == order_id):
        young[0] = NO_YOUNG


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
    bare_write(bare_next(b), type_ | <u64>side << 8, sequence, order_id, price, quantity, 0, 0)


cdef inline i64 signed_by(u8 side, i64 value) noexcept nogil:
    # A bid's key is its price, an ask's minus its price; and back. Without a branch: sides come as they please.
    cdef i64 mask = -<i64>side
    return (value ^ mask) - mask


cdef u64 bare_take(Bare *b, u8 side, u64 sequence, u64 order_id, i64 worst, u64 left) noexcept nogil:
    # Trade against a side, down to the worst key; return what is left.
    cdef Ladder *l = &b.sides[side]
    cdef i64 key = 0
    cdef Level *level
    cdef Slot *s
    cdef u32 slot
    cdef u64 quantity, maker_id
    while left and ladder_best(l, &key) and key >= worst:
        level = ladder_find(l, key)
        slot = level.head
        s = &b.pool.slots[slot]
        quantity = left if left < s.left else s.left
        left -= quantity
        maker_id = id_of(s)
        bare_write(
            bare_next(b), BARE_TRADE, sequence, maker_id, signed_by(side, key), quantity, maker_id, order_id
        )
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
    cdef i64 key = signed_by(side, price), best = 0
    cdef u64 left = quantity
    cdef u32 slot
    cdef Slot *s
    if ladder_best(&b.sides[side ^ 1], &best) and unlikely(best >= -key):
        left = bare_take(b, side ^ 1, sequence, order_id, -key, left)
        if left == 0:
            return
    if unlikely(not rests):
        bare_tell(b, BARE_CANCEL_ACK, side, sequence, order_id, price, <u32>left)
        return
    slot = pool_take(&b.pool)
    s = &b.pool.slots[slot]
    s.left = left
    s.tick = key
    set_id(s, order_id, side)
    set_slot(b, order_id, slot)
    ladder_add(&b.sides[side], b.pool.slots, slot, key)


cdef inline void bare_remove(Bare *b, u32 slot, u8 side, u64 order_id) noexcept nogil:
    ladder_remove(&b.sides[side], b.pool.slots, slot, b.pool.slots[slot].tick)
    clear_slot(b, order_id)
    pool_give(&b.pool, slot)


cdef inline void bare_new(
    Bare *b, u64 sequence, u64 order_id, u8 side, i64 price, u32 quantity, bint rests
) noexcept nogil:
    side &= 1   # whatever is sent: it chooses between two ladders
    bare_tell(b, BARE_ACK, side, sequence, order_id, price, quantity)
    if unlikely(is_resting(b, order_id)):
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
    bare_tell(b, BARE_CANCEL_ACK, side, sequence, order_id, signed_by(side, s.tick), <u32>s.left)
    bare_remove(b, slot, side, order_id)


cdef inline void bare_modify(Bare *b, u64 sequence, u64 order_id, i64 price, u32 quantity) noexcept nogil:
    # A cancel and a new order of the same id: it loses its place.
    cdef u32 slot = slot_of(b, order_id)
    cdef u8 side
    if unlikely(slot == 0):
        bare_tell(b, BARE_MODIFY_REJECT, 0, sequence, order_id, 0, 0)
        return
    side = side_of(&b.pool.slots[slot])
    bare_tell(b, BARE_MODIFY_ACK, side, sequence, order_id, price, quantity)
    bare_remove(b, slot, side, order_id)
    bare_enter(b, sequence, order_id, side, price, quantity, True)
