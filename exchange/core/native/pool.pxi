# The orders' slots: recycled, last freed first taken, so that few are touched. Slot 0 stands for none.

ctypedef struct Pool:
    Slot *slots
    u32 free        # head of the free list, linked by `next`
    u32 used        # slots ever taken, slot 0 included
    u32 room


cdef void pool_grow(Pool *p) noexcept nogil:
    cdef u32 room = more_room(p.room, 1024)
    p.slots = <Slot *>grow(p.slots, <size_t>p.room * sizeof(Slot), <size_t>room * sizeof(Slot))
    p.room = room
    if p.used == 0:
        p.used = 1


cdef inline u32 pool_take(Pool *p) noexcept nogil:
    # Return a slot. It may hold what it held before.
    cdef u32 slot = p.free
    if slot:
        p.free = p.slots[slot].next
        return slot
    if unlikely(p.used >= p.room):
        pool_grow(p)
    slot = p.used
    p.used += 1
    return slot


cdef inline void pool_give(Pool *p, u32 slot) noexcept nogil:
    p.slots[slot].next = p.free
    p.free = slot
