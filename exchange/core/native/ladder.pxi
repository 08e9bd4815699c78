# One side of a book: price levels in a window, found by their place, and a bit for each that is not empty, so that
# the best is found by counting zeros: two levels of words under a top one. What lies outside is in `far`.
#
# A level's key is its tick for bids and minus its tick for asks: the best key is the highest, for both.
# The window goes where the best price is, and grows, when enough orders have missed it to pay for the move.

ctypedef struct Ladder:
    i64 base        # key of the window's first level
    u64 size        # levels of the window, a power of two; 0 before the first order
    i64 top         # place of the window's best level; -1: none
    Level *levels
    u64 *words      # a bit a level
    u64 *sums       # a bit a word that is not 0
    u64 crown       # a bit a sum that is not 0
    u64 filled      # levels in the window
    u64 misses      # orders that fell outside since the window moved
    Far far


cdef inline i64 key_of(u32 side, i64 tick) noexcept nogil:
    return tick if side == 1 else -tick


cdef void ladder_allot(Ladder *l, u64 size) noexcept nogil:
    l.size = size
    l.levels = <Level *>grow(NULL, 0, size * sizeof(Level))
    l.words = <u64 *>grow(NULL, 0, (size >> 6) * sizeof(u64))
    l.sums = <u64 *>grow(NULL, 0, ((size >> 12) + 1) * sizeof(u64))
    l.crown = 0
    l.filled = 0
    l.top = -1


cdef void ladder_init(Ladder *l) noexcept nogil:
    memset(l, 0, sizeof(Ladder))
    l.top = -1


cdef void ladder_free(Ladder *l) noexcept nogil:
    free(l.levels)
    free(l.words)
    free(l.sums)
    far_free(&l.far)
    ladder_init(l)


cdef inline void ladder_mark(Ladder *l, u64 at) noexcept nogil:
    # There are orders at a level: it may be marked already.
    l.words[at >> 6] |= <u64>1 << (at & 63)
    l.sums[at >> 12] |= <u64>1 << ((at >> 6) & 63)
    l.crown |= <u64>1 << (at >> 12)
    l.top = <i64>at if <i64>at > l.top else l.top


cdef inline i64 ladder_seek(Ladder *l, u64 at) noexcept nogil:
    # The highest level that is not empty, strictly below the place `at`; -1: none.
    cdef u64 word, group
    word = l.words[at >> 6] & ((<u64>1 << (at & 63)) - 1)
    if word:
        return <i64>((at & ~<u64>63) | <u64>high_bit(word))
    group = at >> 12
    word = l.sums[group] & ((<u64>1 << ((at >> 6) & 63)) - 1)
    if word == 0:
        word = l.crown & ((<u64>1 << group) - 1)
        if word == 0:
            return -1
        group = <u64>high_bit(word)
        word = l.sums[group]
    at = (group << 6) | <u64>high_bit(word)
    return <i64>((at << 6) | <u64>high_bit(l.words[at]))


cdef inline i64 ladder_highest(Ladder *l) noexcept nogil:
    # The highest level that is not empty; -1: none. A zero word, met only where there is none, counts as its bit 0.
    cdef u64 group = <u64>high_bit(l.crown | 1)
    cdef u64 word = (group << 6) | <u64>high_bit(l.sums[group] | 1)
    cdef i64 at = <i64>((word << 6) | <u64>high_bit(l.words[word] | 1))
    return at if l.crown else -1


cdef inline void ladder_unmark(Ladder *l, u64 at, u64 empty) noexcept nogil:
    # A level lost an order: 1 if it became empty, else 0. No branch: whether it did is a coin's throw.
    cdef u64 word = l.words[at >> 6] & ~(empty << (at & 63))
    cdef u64 group = l.sums[at >> 12] & ~(<u64>(word == 0) << ((at >> 6) & 63))
    l.words[at >> 6] = word
    l.sums[at >> 12] = group
    l.crown &= ~(<u64>(group == 0) << (at >> 12))
    l.filled -= empty
    l.top = ladder_highest(l)


cdef inline bint ladder_best(Ladder *l, i64 *key) noexcept nogil:
    # The best key; returns whether there is one.
    cdef i64 best
    if likely(l.top >= 0):
        best = l.base + l.top
        if unlikely(l.far.levels != 0) and far_top(&l.far) > best:
            best = far_top(&l.far)
        key[0] = best
        return True
    if l.far.levels:
        key[0] = far_top(&l.far)
        return True
    return False


cdef inline Level *ladder_find(Ladder *l, i64 key) noexcept nogil:
    # The level at a key, which may be empty, or NULL.
    cdef u64 at = <u64>key - <u64>l.base
    if likely(at < l.size):
        return &l.levels[at]
    return far_find(&l.far, key)


cdef bint ladder_below(Ladder *l, i64 key, i64 *found) noexcept nogil:
    # The best key strictly worse than `key`; returns whether there is one.
    cdef u64 at = <u64>key - <u64>l.base
    cdef i64 inside = -1, outside = 0
    cdef bint is_outside = far_below(&l.far, key, &outside)
    if l.top >= 0:
        if at < l.size:
            inside = ladder_seek(l, at)
        elif key > l.base + l.top:
            inside = l.top
    if inside >= 0 and not (is_outside and outside > l.base + inside):
        found[0] = l.base + inside
        return True
    found[0] = outside
    return is_outside


cdef void ladder_place(Ladder *l, i64 base, u64 size) noexcept nogil:
    # Move the window: what it leaves goes to `far`, what it now covers comes from there.
    cdef Ladder old = l[0]
    cdef Level *level
    cdef i64 at = old.top, key = 0
    cdef u64 place
    ladder_allot(l, size)
    l.base = base
    l.misses = 0
    while at >= 0:
        key = old.base + at
        place = <u64>key - <u64>base
        if place < size:
            l.levels[place] = old.levels[at]
            l.filled += 1
            ladder_mark(l, place)
        else:
            level = far_need(&l.far, key)
            level[0] = old.levels[at]
        at = ladder_seek(&old, <u64>at)
    free(old.levels)
    free(old.words)
    free(old.sums)
    key = <i64>(<u64>base + size - 1)
    level = far_find(&l.far, key)
    while level != NULL or (far_below(&l.far, key, &key) and <u64>key - <u64>base < size):
        if level == NULL:
            level = far_find(&l.far, key)
        place = <u64>key - <u64>base
        l.levels[place] = level[0]
        l.filled += 1
        ladder_mark(l, place)
        far_drop(&l.far, key)
        level = NULL


cdef i64 ladder_base(i64 best, u64 size) noexcept nogil:
    # Where a window for this best key begins: most of it lies below. It never wraps around the numbers' ends.
    if best < -<i64>INT63 + <i64>size:
        return -<i64>INT63
    if best > <i64>INT63 - <i64>size:
        return <i64>INT63 - <i64>size + 1
    return best - <i64>(size // 4 * 3)


cdef void ladder_miss(Ladder *l, i64 key) noexcept nogil:
    # An order falls outside the window: see whether it should move, and how large it should be.
    cdef i64 best = key
    cdef u64 size = l.size if l.size else WINDOW_MIN, away
    l.misses += 1
    if l.size and l.top < 0 and l.far.levels == 0:
        l.base = ladder_base(key, l.size)   # nothing stands: it just goes there
        return
    if l.size and l.misses < 16 + l.filled + l.far.levels:
        return
    if ladder_best(l, &best) and key > best:
        best = key
    away = <u64>best - <u64>key
    if away < WINDOW_MAX:
        while size < WINDOW_MAX and size // 2 <= away:
            size *= 2
    if l.size == size and away >= size // 2 and <u64>best - <u64>l.base < size:
        l.misses = 0                        # it stands well: this order is just far away
        return
    ladder_place(l, ladder_base(best, size), size)


cdef void ladder_add_far(Ladder *l, Slot *slots, u32 slot, i64 key) noexcept nogil:
    # The same outside the window, which may move for it.
    cdef Level *level
    ladder_miss(l, key)
    if <u64>key - <u64>l.base < l.size:
        ladder_add(l, slots, slot, key)
        return
    level = far_need(&l.far, key)
    level_add(level, slots, slot)


cdef inline void level_add(Level *level, Slot *slots, u32 slot) noexcept nogil:
    # Without branches; of slot 0, which stands for none, nobody reads the links.
    cdef u32 head = level.head, tail = level.tail
    slots[slot].next = 0
    slots[slot].prev = tail
    slots[tail].next = slot
    level.head = head if head else slot
    level.tail = slot
    level.shown += slots[slot].left


cdef inline u32 level_remove(Level *level, Slot *slots, u32 slot) noexcept nogil:
    # Return the first order that is left, 0 if none is.
    cdef u32 next_ = slots[slot].next, prev = slots[slot].prev, head = level.head, tail = level.tail
    slots[next_].prev = prev
    slots[prev].next = next_
    head = head if prev else next_
    level.head = head
    level.tail = tail if next_ else prev
    level.shown -= slots[slot].left
    return head


cdef inline void ladder_add(Ladder *l, Slot *slots, u32 slot, i64 key) noexcept nogil:
    # Put an order behind all others of its price.
    cdef u64 at = <u64>key - <u64>l.base
    if unlikely(at >= l.size):
        ladder_add_far(l, slots, slot, key)
        return
    l.filled += l.levels[at].head == 0
    level_add(&l.levels[at], slots, slot)
    ladder_mark(l, at)


cdef void ladder_remove_far(Ladder *l, Slot *slots, u32 slot, i64 key) noexcept nogil:
    if level_remove(far_find(&l.far, key), slots, slot) == 0:
        far_drop(&l.far, key)


cdef inline void ladder_remove(Ladder *l, Slot *slots, u32 slot, i64 key) noexcept nogil:
    # Take an order out, wherever it stands.
    cdef u64 at = <u64>key - <u64>l.base
    if unlikely(at >= l.size):
        ladder_remove_far(l, slots, slot, key)
        return
    ladder_unmark(l, at, level_remove(&l.levels[at], slots, slot) == 0)
