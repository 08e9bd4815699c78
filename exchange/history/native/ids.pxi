# Order ids to numbers: extendible hashing. A directory finds a segment by a hash's first bits, the last bits a
# place in it. A full segment is split, which moves a few thousand places and reads no row: nothing ever stops to
# move all. A place has 8 bytes, and between a third and two thirds of them are taken.

cdef inline u64 mix(u64 word) noexcept nogil:
    word = (word ^ (word >> 32)) * <u64>0xD6E8FEB86659FD93
    return word ^ (word >> 32)


cdef inline u32 hash_id(const Rec *c, u64 low, u64 high) noexcept nogil:
    # Seeded: which ids meet must not be known to who makes them.
    return <u32>(mix(mix(high ^ c.seed) ^ low) >> 32)


cdef inline Segment *segment_of(const Rec *c, u32 hashed) noexcept nogil:
    return c.segments[<u64>hashed >> (32 - c.depth)]


cdef inline Place *place_of(Rec *c, u64 low, u64 high, u32 hashed) noexcept nogil:
    # The id's place, or the empty one where it would come.
    cdef Segment *s = segment_of(c, hashed)
    cdef u32 at = hashed & (SEGMENT - 1)
    cdef Place *place
    cdef Order *o
    while True:
        place = &s.places[at]
        if place.number == 0:
            return place
        if place.hash == hashed:
            o = &c.orders[place.number - 1]
            if o.id_low == low and o.id_high == high:
                return place
        at = (at + 1) & (SEGMENT - 1)


cdef inline u32 find_order(Rec *c, u64 low, u64 high) noexcept nogil:
    # The newest order of the id; 0: none.
    if c.recent and c.recent_low == low and c.recent_high == high:
        return c.recent
    cdef u32 number = place_of(c, low, high, hash_id(c, low, high)).number
    if number:
        c.recent = number
        c.recent_low = low
        c.recent_high = high
    return number


cdef void put_place(Segment *s, Place place) noexcept nogil:
    cdef u32 at = place.hash & (SEGMENT - 1)
    while s.places[at].number:
        at = (at + 1) & (SEGMENT - 1)
    s.places[at] = place
    s.used += 1


cdef void split(Rec *c, u32 hashed) noexcept nogil:
    # Give half of a segment's places to a new one.
    cdef Segment *old = segment_of(c, hashed)
    cdef Segment *low
    cdef Segment *high
    cdef Segment **wider
    cdef u64 i, first, count
    if old.depth == c.depth:
        wider = <Segment **>grow(NULL, 0, (<u64>2 << c.depth) * sizeof(void *))
        for i in range(<u64>1 << c.depth):
            wider[2 * i] = c.segments[i]
            wider[2 * i + 1] = c.segments[i]
        free(c.segments)
        c.segments = wider
        c.depth += 1
    low = <Segment *>grow(NULL, 0, sizeof(Segment))
    high = <Segment *>grow(NULL, 0, sizeof(Segment))
    low.depth = high.depth = old.depth + 1
    for i in range(<u64>SEGMENT):
        if old.places[i].number:
            put_place(high if (old.places[i].hash >> (31 - old.depth)) & 1 else low, old.places[i])
    count = <u64>1 << (c.depth - old.depth)
    first = (<u64>hashed >> (32 - c.depth)) & ~(count - 1)
    for i in range(count):
        c.segments[first + i] = low if i < count // 2 else high
    free(old)


cdef inline void put_order(Rec *c, u64 low, u64 high, u32 number) noexcept nogil:
    # Let the id stand for this order from now on; the row need not be written yet.
    cdef u32 hashed = hash_id(c, low, high)
    cdef Place *place = place_of(c, low, high, hashed)
    cdef Segment *s
    if place.number == 0:
        s = segment_of(c, hashed)
        if unlikely(s.used >= SEGMENT_FULL and s.depth < DEPTH_MAX):
            split(c, hashed)
            place = place_of(c, low, high, hashed)
            s = segment_of(c, hashed)
        s.used += 1
    place.hash = hashed
    place.number = number
    c.recent = number
    c.recent_low = low
    c.recent_high = high


cdef void clear_ids(Rec *c) noexcept nogil:
    cdef u64 i = 0
    cdef Segment *s
    if c.segments != NULL:
        while i < <u64>1 << c.depth:
            s = c.segments[i]
            i += <u64>1 << (c.depth - s.depth)
            free(s)
        free(c.segments)
    c.segments = NULL
    c.depth = 0
    c.recent = 0


cdef void begin_ids(Rec *c) noexcept nogil:
    clear_ids(c)
    c.segments = <Segment **>grow(NULL, 0, sizeof(void *))
    c.segments[0] = <Segment *>grow(NULL, 0, sizeof(Segment))
