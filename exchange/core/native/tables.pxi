# Tables from ids, addresses, units, transfers and (participant, instrument) to dense numbers; and heaps.

cdef inline u64 mix(u64 word) noexcept nogil:
    word = (word ^ (word >> 32)) * <u64>0xD6E8FEB86659FD93
    return word ^ (word >> 32)


cdef inline u32 tag_of(Core *c, u64 low, u64 high) noexcept nogil:
    # Of an id: its low bits say where it lies, all of them whether it may be it. Ids in a row (a client that
    # counts) lie side by side, 32 at a time; otherwise the secret seeds scatter them.
    cdef u128 product = mul((low >> 5) ^ c.seed, high ^ c.seed_high)
    return <u32>(((<u64>product ^ <u64>(product >> 64)) << 5) | (low & 31))


cdef void table_put(Table *t, u64 hashed, u32 tag, u32 number) noexcept nogil:
    # Put what is not in it; there is room.
    cdef u64 at = hashed & t.mask
    while t.buckets[at].number:
        at = (at + 1) & t.mask
    t.buckets[at].tag = tag
    t.buckets[at].number = number
    t.n += 1


cdef void table_clear(Table *t, u64 room) noexcept nogil:
    # Empty it, with room for `room` (a power of two) buckets.
    free(t.buckets)
    t.buckets = <Bucket *>grow(NULL, 0, room * sizeof(Bucket))
    t.mask = room - 1
    t.n = 0


cdef u64 room_for(u64 n) noexcept nogil:
    cdef u64 room = 64
    while room < n * 2:
        room *= 2
    return room


# --- ids of orders ---

cdef inline u32 probe(Table *t, u32 tag, u64 *ends) noexcept nogil:
    # The number at the first of four buckets with this tag, 0: none of them; and whether one of them is empty.
    cdef u64 mask = t.mask, at = tag
    cdef Bucket *one = &t.buckets[at & mask]
    cdef Bucket *two = &t.buckets[(at + 1) & mask]
    cdef Bucket *three = &t.buckets[(at + 2) & mask]
    cdef Bucket *four = &t.buckets[(at + 3) & mask]
    cdef u64 number = pick(four.tag == tag, four.number, 0)
    number = pick(three.tag == tag, three.number, number)
    number = pick(two.tag == tag, two.number, number)
    number = pick(one.tag == tag, one.number, number)
    ends[0] = (one.number == 0) | (two.number == 0) | (three.number == 0) | (four.number == 0)
    return <u32>number


cdef inline u32 find_entry(Core *c, u32 tag, u64 low, u64 high) noexcept nogil:
    # Almost always one of the first buckets answers, and which one is chance: so there is no branch about it.
    cdef Bucket *buckets = c.ids.buckets
    cdef u64 mask = c.ids.mask, at = tag & mask, ends
    cdef u32 number = probe(&c.ids, tag, &ends)
    cdef Entry *e
    if number:
        e = &c.entries[number]
        if likely(e.id_low == low and e.id_high == high):
            return number
    elif likely(ends):
        return 0
    while True:
        number = buckets[at].number
        if number == 0:
            return 0
        if buckets[at].tag == tag:
            e = &c.entries[number]
            if e.id_low == low and e.id_high == high:
                return number
        at = (at + 1) & mask


cdef void rebuild_ids(Core *c, u64 room) noexcept nogil:
    # From the entries: their numbers have changed.
    cdef u32 i, tag
    cdef Entry *e
    table_clear(&c.ids, room)
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        tag = tag_of(c, e.id_low, e.id_high)
        table_put(&c.ids, tag, tag, i)


cdef inline void ids_put(Table *t, u32 tag, u32 number) noexcept nogil:
    # Put what is not in it; there is room. Which bucket is empty is chance, too.
    cdef u64 mask = t.mask, at = tag & mask, after
    cdef u64 one = t.buckets[at].number
    cdef u64 two = t.buckets[(at + 1) & mask].number
    cdef u64 three = t.buckets[(at + 2) & mask].number
    after = pick(three == 0, 2, 3)
    after = pick(two == 0, 1, after)
    after = pick(one == 0, 0, after)
    at = (at + after) & mask
    while unlikely(t.buckets[at].number):
        at = (at + 1) & mask
    t.buckets[at].tag = tag
    t.buckets[at].number = number
    t.n += 1


cdef void widen_ids(Core *c) noexcept nogil:
    # Twice the room. A bucket's tag says where it goes, and neighbours stay neighbours: no entry is looked at.
    cdef Bucket *old = c.ids.buckets
    cdef Bucket some[64]
    cdef u64 i, at = 0, n, room = c.ids.mask + 1
    c.ids.buckets = NULL
    table_clear(&c.ids, room * 2)
    while at < room:
        n = 0
        for i in range(at, at + 64):
            some[n] = old[i]
            n += old[i].number != 0
        for i in range(n):
            ids_put(&c.ids, some[i].tag, some[i].number)
        at += 64
    free(old)


cdef void grow_entries(Core *c) noexcept nogil:
    cdef u32 room = more_room(c.entries_room, 1024)
    c.entries = <Entry *>grow(c.entries, <size_t>c.entries_room * sizeof(Entry), <size_t>room * sizeof(Entry))
    c.entries_room = room
    if c.entries_used == 0:
        c.entries_used = 1


cdef inline u32 new_entry(Core *c, u32 tag, u64 low, u64 high) noexcept nogil:
    # Remember an id; the caller fills the rest in.
    cdef u32 number
    if unlikely(c.entries_used >= c.entries_room):
        grow_entries(c)
    number = c.entries_used
    c.entries[number].id_low = low
    c.entries[number].id_high = high
    c.entries_used += 1
    if unlikely(c.ids.n * 2 >= c.ids.mask):
        widen_ids(c)
    ids_put(&c.ids, tag, number)
    return number


# --- positions ---

cdef inline u64 hash_position(u32 participant, u32 instrument) noexcept nogil:
    return participant + instrument * <u64>0x9E3779B97F4A7C15


cdef u32 find_position(Core *c, u32 participant, u32 instrument) noexcept nogil:
    # 0: there is none.
    cdef u64 at
    cdef u32 number
    if c.position_table.n == 0:
        return 0
    at = hash_position(participant, instrument) & c.position_table.mask
    while True:
        number = c.position_table.buckets[at].number
        if number == 0 or (
            c.owners[number].participant == participant and c.owners[number].instrument == instrument
        ):
            return number
        at = (at + 1) & c.position_table.mask


cdef void grow_positions(Core *c) noexcept nogil:
    cdef u32 room = more_room(c.positions_room, 64)
    c.positions = <Position *>grow(
        c.positions, <size_t>c.positions_room * sizeof(Position), <size_t>room * sizeof(Position)
    )
    c.owners = <Owner *>grow(c.owners, <size_t>c.positions_room * sizeof(Owner), <size_t>room * sizeof(Owner))
    c.positions_room = room
    if c.positions_used == 0:
        c.positions_used = 1


cdef u32 make_position(Core *c, u32 participant, u32 instrument) noexcept nogil:
    cdef u32 i
    if c.positions_used >= c.positions_room:
        grow_positions(c)
    i = c.positions_used
    c.positions_used += 1
    c.owners[i].participant = participant
    c.owners[i].instrument = instrument
    memset(&c.positions[i], 0, sizeof(Position))
    if c.position_table.n * 2 >= c.position_table.mask:
        table_clear(&c.position_table, room_for(c.positions_used * <u64>2))
        for i in range(1, c.positions_used):
            table_put(&c.position_table, hash_position(c.owners[i].participant, c.owners[i].instrument), 0, i)
    else:
        table_put(&c.position_table, hash_position(participant, instrument), 0, i)
    return c.positions_used - 1


cdef inline u32 position_of(Core *c, u32 participant, u32 instrument) noexcept nogil:
    # Of a participant that there is: most ask for the same again. 0: there is none.
    cdef Who *w = &c.who[participant]
    cdef u32 number
    if likely(w.instrument == instrument):
        return w.position
    number = find_position(c, participant, instrument)
    if number:
        w.position = number
        w.instrument = instrument
    return number


cdef inline u32 need_position(Core *c, u32 participant, u32 instrument) noexcept nogil:
    cdef u32 number = position_of(c, participant, instrument)
    return number if likely(number != 0) else make_position(c, participant, instrument)


# --- addresses, units, transfers: rarely asked for ---

cdef u64 hash_bytes(Core *c, const u8 *bytes_, u64 n, u64 start) noexcept nogil:
    cdef u64 word, hashed = c.seed ^ start, at = 0
    while at < n:
        word = 0
        memcpy(&word, bytes_ + at, 8 if n - at >= 8 else n - at)
        hashed = mix(hashed ^ word) + at
        at += 8
    return mix(hashed)


cdef u32 find_address(Core *c, const u8 *address) noexcept nogil:
    cdef u64 at
    cdef u32 number
    if c.addresses.n == 0:
        return 0
    at = hash_bytes(c, address, 20, 0) & c.addresses.mask
    while True:
        number = c.addresses.buckets[at].number
        if number == 0 or memcmp(c.known[number].bytes, address, 20) == 0:
            return number
        at = (at + 1) & c.addresses.mask


cdef void grow_who(Core *c) noexcept nogil:
    cdef u32 room = more_room(c.who_room, 64)
    c.who = <Who *>grow(c.who, <size_t>c.who_room * sizeof(Who), <size_t>room * sizeof(Who))
    c.known = <Address *>grow(c.known, <size_t>c.who_room * sizeof(Address), <size_t>room * sizeof(Address))
    c.who_room = room


cdef u32 add_participant(Core *c, const u8 *address) noexcept nogil:
    cdef u32 i
    if c.participants + 1 >= c.who_room:
        grow_who(c)
    c.participants += 1
    memset(&c.who[c.participants], 0, sizeof(Who))
    memcpy(c.known[c.participants].bytes, address, 20)
    if c.addresses.n * 2 >= c.addresses.mask:
        table_clear(&c.addresses, room_for(c.participants * <u64>2 + 2))
        for i in range(1, c.participants + 1):
            table_put(&c.addresses, hash_bytes(c, c.known[i].bytes, 20, 0), 0, i)
    else:
        table_put(&c.addresses, hash_bytes(c, address, 20, 0), 0, c.participants)
    return c.participants


cdef u32 find_unit(Core *c, u64 low, u64 high) noexcept nogil:
    cdef u64 at
    cdef u32 number
    if c.units.n == 0:
        return 0
    at = tag_of(c, low, high) & c.units.mask
    while True:
        number = c.units.buckets[at].number
        if number == 0 or (c.instruments[number].unit_low == low and c.instruments[number].unit_high == high):
            return number
        at = (at + 1) & c.units.mask


cdef void grow_instruments(Core *c) noexcept nogil:
    cdef u32 room = more_room(c.instruments_room, 16)
    c.instruments = <Instrument *>grow(
        c.instruments, <size_t>c.instruments_room * sizeof(Instrument), <size_t>room * sizeof(Instrument)
    )
    c.instruments_room = room


cdef u32 add_instrument(Core *c, u64 low, u64 high) noexcept nogil:
    cdef u32 i
    cdef Instrument *m
    if c.listed + 1 >= c.instruments_room:
        grow_instruments(c)
    c.listed += 1
    m = &c.instruments[c.listed]
    memset(m, 0, sizeof(Instrument))
    m.unit_low = low
    m.unit_high = high
    ladder_init(&m.bids)
    ladder_init(&m.asks)
    if c.units.n * 2 >= c.units.mask:
        table_clear(&c.units, room_for(c.listed * <u64>2 + 2))
        for i in range(1, c.listed + 1):
            table_put(&c.units, tag_of(c, c.instruments[i].unit_low, c.instruments[i].unit_high), 0, i)
    else:
        table_put(&c.units, tag_of(c, low, high), 0, c.listed)
    return c.listed


cdef u32 find_transfer(Core *c, u32 participant, const u8 *name) noexcept nogil:
    cdef u64 at
    cdef u32 number
    cdef Transfer *t
    if c.transfer_table.n == 0:
        return 0
    at = hash_bytes(c, name, 32, participant) & c.transfer_table.mask
    while True:
        number = c.transfer_table.buckets[at].number
        if number == 0:
            return 0
        t = &c.transfers[number]
        if t.participant == participant and memcmp(t.id, name, 32) == 0:
            return number
        at = (at + 1) & c.transfer_table.mask


cdef Transfer *add_transfer(Core *c, u32 participant, const u8 *name) noexcept nogil:
    cdef u32 room, i
    cdef Transfer *t
    if c.transfers_used >= c.transfers_room:
        room = more_room(c.transfers_room, 256)
        c.transfers = <Transfer *>grow(
            c.transfers, <size_t>c.transfers_room * sizeof(Transfer), <size_t>room * sizeof(Transfer)
        )
        c.transfers_room = room
        if c.transfers_used == 0:
            c.transfers_used = 1
    t = &c.transfers[c.transfers_used]
    memset(t, 0, sizeof(Transfer))
    t.participant = participant
    memcpy(t.id, name, 32)
    c.transfers_used += 1
    if c.transfer_table.n * 2 >= c.transfer_table.mask:
        table_clear(&c.transfer_table, room_for(c.transfers_used * <u64>2))
        for i in range(1, c.transfers_used):
            table_put(
                &c.transfer_table, hash_bytes(c, c.transfers[i].id, 32, c.transfers[i].participant), 0, i
            )
    else:
        table_put(&c.transfer_table, hash_bytes(c, name, 32, participant), 0, c.transfers_used - 1)
    return t


# --- heaps of waiting orders ---

cdef inline bint heap_less(HeapItem *a, HeapItem *b) noexcept nogil:
    return a.key < b.key or (a.key == b.key and a.entry < b.entry)


cdef void heap_push(Heap *h, i64 key, u32 entry) noexcept nogil:
    cdef u32 room, at, parent
    cdef HeapItem item
    if h.n == h.room:
        room = h.room * 2 if h.room else 16
        h.items = <HeapItem *>grow(h.items, <size_t>h.room * sizeof(HeapItem), <size_t>room * sizeof(HeapItem))
        h.room = room
    item.key = key
    item.entry = entry
    item.unused = 0
    at = h.n
    h.n += 1
    while at:
        parent = (at - 1) // 2
        if not heap_less(&item, &h.items[parent]):
            break
        h.items[at] = h.items[parent]
        at = parent
    h.items[at] = item


cdef void heap_pop(Heap *h) noexcept nogil:
    cdef HeapItem item
    cdef u32 at = 0, child
    h.n -= 1
    item = h.items[h.n]
    while True:
        child = at * 2 + 1
        if child >= h.n:
            break
        if child + 1 < h.n and heap_less(&h.items[child + 1], &h.items[child]):
            child += 1
        if not heap_less(&h.items[child], &item):
            break
        h.items[at] = h.items[child]
        at = child
    h.items[at] = item
