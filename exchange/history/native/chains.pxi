# Chains: see chains.py.

cdef inline u32 chain_append(Chain *l, u32 number) noexcept nogil:
    # Add a number; return how many there were before.
    cdef u32 chunk = l.count // CHUNK, room
    if l.count % CHUNK == 0:
        if unlikely(chunk == l.room):
            room = l.room * 2 if l.room else 2
            l.chunks = <Chunk *>grow(l.chunks, l.room * sizeof(Chunk), room * sizeof(Chunk))
            l.room = room
        if chunk:
            l.chunks[chunk - 1].newest = l.head
        l.chunks[chunk].open = 0
    l.head = number
    l.count += 1
    return l.count - 1


cdef inline u32 chunks_of(const Chain *l) noexcept nogil:
    return l.count // CHUNK + (l.count % CHUNK != 0)


cdef inline u32 newest_of(const Chain *l, u32 chunk) noexcept nogil:
    return l.head if chunk + 1 == chunks_of(l) else l.chunks[chunk].newest


cdef inline void chain_opened(Chain *l, u32 ordinal, int by) noexcept nogil:
    l.chunks[ordinal // CHUNK].open += by
    l.open_all += by


cdef inline Who *who_of(Rec *c, u32 participant) noexcept nogil:
    # A participant's chains, made when needed.
    cdef u32 room
    if unlikely(participant >= c.who_room):
        room = more_room(c.who_room, 64)
        room = room if room > participant else participant + 1
        c.who = <Who *>grow(c.who, <u64>c.who_room * sizeof(Who), <u64>room * sizeof(Who))
        c.who_room = room
    return &c.who[participant]


cdef inline Chain *tape_of(Rec *c, u32 instrument) noexcept nogil:
    cdef u32 room
    if unlikely(instrument >= c.tapes_room):
        room = more_room(c.tapes_room, 16)
        room = room if room > instrument else instrument + 1
        c.tapes = <Chain *>grow(c.tapes, <u64>c.tapes_room * sizeof(Chain), <u64>room * sizeof(Chain))
        c.tapes_room = room
    return &c.tapes[instrument]


cdef void clear_chains(Rec *c) noexcept nogil:
    cdef u32 i
    for i in range(c.who_room):
        free(c.who[i].orders.chunks)
        free(c.who[i].trades.chunks)
    for i in range(c.tapes_room):
        free(c.tapes[i].chunks)
    free(c.who)
    free(c.tapes)
    c.who = NULL
    c.tapes = NULL
    c.who_room = c.tapes_room = 0


cdef u32 previous_of(const Rec *c, int kind, u32 key, u32 number) noexcept nogil:
    cdef const Trade *t
    if kind == 0:
        return c.orders[number - 1].previous
    t = &c.trades[number - 1]
    if kind == 2:
        return t.tape_previous
    return t.taker_previous if t.taker == key else t.maker_previous


cdef u32 walk(
    const Rec *c, const Chain *l, int kind, u32 key, u64 after, u32 limit, bint only_open, u32 *out
) noexcept nogil:
    # Write at most `limit` numbers above `after`, oldest first; `out` has room for a chunk more.
    cdef u32 found = 0, chunk, n, at, low = 0, high = chunks_of(l), middle, length, i
    while low < high:       # the first chunk whose newest number is above `after`
        middle = (low + high) // 2
        if newest_of(l, middle) > after:
            high = middle
        else:
            low = middle + 1
    for chunk in range(low, chunks_of(l)):
        if found >= limit:
            break
        if only_open and l.chunks[chunk].open == 0:
            continue
        length = l.count - chunk * CHUNK
        length = length if length < CHUNK else CHUNK
        at = newest_of(l, chunk)
        n = 0
        for i in range(length):
            if at <= after:
                break
            if not only_open or is_standing(c.orders[at - 1].status):
                out[found + n] = at
                n += 1
            at = previous_of(c, kind, key, at)
        for i in range(n // 2):
            at = out[found + i]
            out[found + i] = out[found + n - 1 - i]
            out[found + n - 1 - i] = at
        found += n
    return found if found < limit else limit


cdef inline bint is_standing(u8 status) noexcept nogil:
    return status == OPEN or status == PARKED
