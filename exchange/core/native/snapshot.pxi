# The canonical bytes of the state, as the reference's `snapshot.py` lays them out.

from libc.stdlib cimport qsort

ctypedef packed struct SnapHead:
    u8 magic[8]
    u64 sequence
    u64 now_us
    u64 trades
    u64 epochs
    u64 positions
    u64 transfers
    u64 orders
    u32 day
    u32 participants
    u32 instruments
    u32 fees
    u32 is_staged
    u8 cash_total[16]

ctypedef packed struct SnapWho:
    u8 address[20]
    u32 killed
    u8 available[16]
    u8 reserved[16]

ctypedef packed struct SnapInstrument:
    u64 unit_low
    u64 unit_high
    u64 tick
    u64 lot
    u64 quantity_max
    u64 position_limit
    u64 reference
    u64 last
    u32 fees
    u32 band_ppm
    u8 phase
    u8 bars_resale
    u8 zeros[6]
    u8 total[16]

ctypedef packed struct SnapPosition:
    u32 participant
    u32 instrument
    u8 amounts[64]

ctypedef packed struct SnapTransfer:
    u8 id[32]
    u32 participant
    u16 instrument
    u8 kind
    u8 flags
    u8 asked[16]
    u8 moved[16]

ctypedef packed struct SnapOrder:
    u64 id_low
    u64 id_high
    u64 digest
    u64 quantity
    u64 filled
    u64 entry_filled
    u32 participant
    u32 closed_day
    u16 instrument
    u8 status
    u8 reason
    u8 entry_status
    u8 entry_reason
    u8 side
    u8 type
    u8 tif
    u8 flags
    u8 zeros[6]

ctypedef packed struct SnapOpen:
    u64 id_low
    u64 id_high
    u64 price
    u64 shown
    u64 display
    u64 stop
    u64 expiry_us
    u32 fees
    u8 stp
    u8 zeros[3]

ctypedef struct Buffer:
    u8 *bytes
    u64 used
    u64 room

ctypedef struct Placed:
    u64 key
    u32 number


cdef u8 *put(Buffer *b, u64 n) noexcept nogil:
    # Room for n more bytes, all zeros.
    cdef u64 room
    if b.used + n > b.room:
        room = b.room * 2 + n + 4096
        b.bytes = <u8 *>grow(b.bytes, b.used, room)
        b.room = room
    b.used += n
    return b.bytes + b.used - n


cdef inline void wide_to(u8 *to, u128 number) noexcept nogil:
    memcpy(to, &number, 16)


cdef int by_key(const void *a, const void *b) noexcept nogil:
    cdef u64 x = (<const Placed *>a).key, y = (<const Placed *>b).key
    return (x > y) - (x < y)


cdef void dump_head(Core *c, Buffer *b, u64 positions) noexcept nogil:
    cdef SnapHead *h = <SnapHead *>put(b, sizeof(SnapHead))
    memcpy(h.magic, b"CARATS01", 8)
    h.sequence = c.sequence
    h.now_us = c.now_us
    h.trades = c.trades
    h.epochs = c.epochs_used
    h.positions = positions
    h.transfers = c.transfers_used - 1 if c.transfers_used else 0
    h.orders = c.entries_used - 1 if c.entries_used else 0
    h.day = c.day
    h.participants = c.participants
    h.instruments = c.listed
    h.fees = c.fees_used
    h.is_staged = c.is_staged
    wide_to(h.cash_total, c.cash_total)


cdef void dump_accounts(Core *c, Buffer *b) noexcept nogil:
    cdef u32 i
    cdef Who *w
    cdef SnapWho *sw
    cdef Instrument *m
    cdef SnapInstrument *sm
    cdef u32 *rates
    for i in range(1, c.participants + 1):
        w = &c.who[i]
        sw = <SnapWho *>put(b, sizeof(SnapWho))
        memcpy(sw.address, c.known[i].bytes, 20)
        sw.killed = w.killed
        wide_to(sw.available, w.available)
        wide_to(sw.reserved, w.reserved)
    for i in range(1, c.listed + 1):
        m = &c.instruments[i]
        sm = <SnapInstrument *>put(b, sizeof(SnapInstrument))
        sm.unit_low = m.unit_low
        sm.unit_high = m.unit_high
        sm.tick = m.tick
        sm.lot = m.lot
        sm.quantity_max = m.quantity_max
        sm.position_limit = m.position_limit
        sm.reference = m.reference
        sm.last = m.last
        sm.fees = m.fees
        sm.band_ppm = m.band_ppm
        sm.phase = m.phase
        sm.bars_resale = m.bars_resale
        wide_to(sm.total, m.total)
    for i in range(c.fees_used):
        rates = <u32 *>put(b, 16)
        rates[0] = c.fees[i].maker_ppm
        rates[1] = c.fees[i].taker_ppm
        rates[2] = c.fees[i].collector


cdef void dump_positions(Core *c, Buffer *b, Placed *placed, u64 n) noexcept nogil:
    cdef u64 i
    cdef Position *p
    cdef SnapPosition *s
    for i in range(n):
        p = &c.positions[placed[i].number]
        s = <SnapPosition *>put(b, sizeof(SnapPosition))
        s.participant = c.owners[placed[i].number].participant
        s.instrument = c.owners[placed[i].number].instrument
        wide_to(&s.amounts[0], p.available)
        wide_to(&s.amounts[16], p.reserved)
        wide_to(&s.amounts[32], p.bought)
        wide_to(&s.amounts[48], p.open_buys)


cdef void dump_histories(Core *c, Buffer *b) noexcept nogil:
    cdef u32 i
    cdef Transfer *t
    cdef SnapTransfer *st
    cdef Entry *e
    cdef SnapOrder *s
    if c.epochs_used:
        memcpy(put(b, c.epochs_used * sizeof(Epoch)), c.epochs, c.epochs_used * sizeof(Epoch))
    for i in range(1, c.transfers_used):
        t = &c.transfers[i]
        st = <SnapTransfer *>put(b, sizeof(SnapTransfer))
        memcpy(st.id, t.id, 32)
        st.participant = t.participant
        st.instrument = t.instrument
        st.kind = t.kind
        st.flags = t.flags
        wide_to(st.asked, t.asked)
        wide_to(st.moved, t.moved)
    for i in range(1, c.entries_used):
        e = &c.entries[i]
        s = <SnapOrder *>put(b, sizeof(SnapOrder))
        memcpy(s, e, 48)
        s.participant = c.owners[e.position].participant
        s.closed_day = e.slot if e.status > PARKED else 0
        s.instrument = <u16>c.owners[e.position].instrument
        s.status = e.status
        s.reason = e.reason
        s.entry_status = e.entry_status
        s.entry_reason = e.entry_reason
        s.side = e.side
        s.type = e.type
        s.tif = e.tif
        s.flags = e.flags


cdef void dump_open(Core *c, Buffer *b, Instrument *m, u32 o, bint parked) noexcept nogil:
    cdef Slot *s = &c.pool.slots[o]
    cdef Extra *x = extra_of(c, o)
    cdef SnapOpen *d = <SnapOpen *>put(b, sizeof(SnapOpen))
    d.id_low = c.entries[x.entry].id_low
    d.id_high = c.entries[x.entry].id_high
    d.price = <u64>s.tick * m.tick
    d.shown = 0 if parked else s.left
    if x.rare:
        d.display = c.rares[x.rare].display
        d.stop = c.rares[x.rare].stop
        d.expiry_us = c.rares[x.rare].expiry_us
    d.fees = x.fees
    d.stp = x.stp


cdef u64 dump_side(Core *c, Buffer *b, Instrument *m, Ladder *l) noexcept nogil:
    cdef u64 n = 0
    cdef u32 o
    cdef i64 key = 0
    if not ladder_best(l, &key):
        return 0
    while True:
        o = ladder_find(l, key).head
        while o:
            dump_open(c, b, m, o, False)
            n += 1
            o = c.pool.slots[o].next
        if not ladder_below(l, key, &key):
            return n


cdef void dump_books(Core *c, Buffer *b) noexcept nogil:
    cdef u32 i, o
    cdef u64 at, n_bids, n_asks
    cdef u64 *counts
    cdef Instrument *m
    for i in range(1, c.listed + 1):
        m = &c.instruments[i]
        put(b, 24)
        at = b.used - 24
        n_bids = dump_side(c, b, m, &m.bids)
        n_asks = dump_side(c, b, m, &m.asks)
        o = m.parked_head
        while o:
            dump_open(c, b, m, o, True)
            o = c.pool.slots[o].next
        counts = <u64 *>(b.bytes + at)
        counts[0] = n_bids
        counts[1] = n_asks
        counts[2] = m.parked


cdef void dump(Core *c, Buffer *b) noexcept nogil:
    cdef u64 n = 0
    cdef u32 i
    cdef Position *p
    cdef Placed *placed = <Placed *>grow(NULL, 0, (<u64>c.positions_used + 1) * sizeof(Placed))
    for i in range(1, c.positions_used):
        p = &c.positions[i]
        if p.available or p.reserved or p.bought or p.open_buys:
            placed[n].key = (<u64>c.owners[i].participant << 32) | c.owners[i].instrument
            placed[n].number = i
            n += 1
    qsort(placed, n, sizeof(Placed), by_key)
    dump_head(c, b, n)
    dump_accounts(c, b)
    dump_positions(c, b, placed, n)
    free(placed)
    dump_histories(c, b)
    dump_books(c, b)
    if c.is_staged:
        memcpy(put(b, 40), &c.staged, 40)


# --- load ---

cdef inline const u8 *taken(const u8 **at, const u8 *end, u64 n) noexcept nogil:
    # The next n bytes, or NULL where the snapshot ends before.
    cdef const u8 *here = at[0]
    if <u64>(end - here) < n:
        return NULL
    at[0] = here + n
    return here


cdef inline u128 wide_at(const u8 *at) noexcept nogil:
    cdef u128 number
    memcpy(&number, at, 16)
    return number


cdef bint load_accounts(Core *c, const SnapHead *h, const u8 **at, const u8 *end) noexcept nogil:
    cdef u64 i
    cdef u32 number
    cdef const SnapWho *sw
    cdef const SnapInstrument *sm
    cdef const u32 *rates
    cdef Instrument *m
    for i in range(h.participants):
        sw = <const SnapWho *>taken(at, end, sizeof(SnapWho))
        if sw == NULL:
            return False
        number = add_participant(c, sw.address)
        c.who[number].killed = sw.killed
        c.who[number].available = wide_at(sw.available)
        c.who[number].reserved = wide_at(sw.reserved)
    for i in range(h.instruments):
        sm = <const SnapInstrument *>taken(at, end, sizeof(SnapInstrument))
        if sm == NULL or sm.tick == 0 or sm.lot == 0 or sm.fees >= h.fees:
            return False
        number = add_instrument(c, sm.unit_low, sm.unit_high)   # first: it may move them
        m = &c.instruments[number]
        m.tick = sm.tick
        m.lot = sm.lot
        m.quantity_max = sm.quantity_max
        m.position_limit = sm.position_limit
        m.reference = sm.reference
        m.last = sm.last
        m.fees = sm.fees
        m.band_ppm = sm.band_ppm
        m.phase = sm.phase
        m.bars_resale = sm.bars_resale
        m.total = wide_at(sm.total)
        set_band(m)
    c.fees_used = 0
    for i in range(h.fees):
        rates = <const u32 *>taken(at, end, 16)
        if rates == NULL or rates[2] > h.participants:
            return False
        fees_number(c, rates[0], rates[1], rates[2])
    return c.fees_used == h.fees


cdef bint load_histories(Core *c, const SnapHead *h, const u8 **at, const u8 *end) noexcept nogil:
    cdef u64 i
    cdef u32 number, tag
    cdef const SnapPosition *sp
    cdef const SnapTransfer *st
    cdef const SnapOrder *s
    cdef const u8 *epochs
    cdef Position *p
    cdef Transfer *t
    cdef Entry *e
    for i in range(h.positions):
        sp = <const SnapPosition *>taken(at, end, sizeof(SnapPosition))
        if sp == NULL or sp.participant - 1 >= h.participants or sp.instrument - 1 >= h.instruments:
            return False
        number = need_position(c, sp.participant, sp.instrument)
        p = &c.positions[number]
        p.available = wide_at(&sp.amounts[0])
        p.reserved = wide_at(&sp.amounts[16])
        p.bought = wide_at(&sp.amounts[32])
        p.open_buys = wide_at(&sp.amounts[48])
    if h.epochs > <u64>(end - at[0]) // sizeof(Epoch):
        return False
    if h.epochs:
        epochs = taken(at, end, h.epochs * sizeof(Epoch))
        c.epochs = <Epoch *>grow(NULL, 0, h.epochs * sizeof(Epoch))
        memcpy(c.epochs, epochs, h.epochs * sizeof(Epoch))
        c.epochs_used = h.epochs
        c.epochs_room = h.epochs
    for i in range(h.transfers):
        st = <const SnapTransfer *>taken(at, end, sizeof(SnapTransfer))
        if st == NULL or st.participant - 1 >= h.participants or st.instrument > h.instruments:
            return False
        t = add_transfer(c, st.participant, st.id)
        t.kind = st.kind
        t.flags = st.flags
        t.instrument = st.instrument
        t.asked = wide_at(st.asked)
        t.moved = wide_at(st.moved)
    for i in range(h.orders):
        s = <const SnapOrder *>taken(at, end, sizeof(SnapOrder))
        if s == NULL or s.participant - 1 >= h.participants or <u32>s.instrument - 1 >= h.instruments:
            return False
        tag = tag_of(c, s.id_low, s.id_high)
        if s.status == 0 or s.filled > s.quantity or find_entry(c, tag, s.id_low, s.id_high):
            return False
        number = new_entry(c, tag, s.id_low, s.id_high)
        e = &c.entries[number]
        e.digest = s.digest
        e.quantity = s.quantity
        e.filled = s.filled
        e.entry_filled = s.entry_filled
        e.position = need_position(c, s.participant, s.instrument)
        e.slot = s.closed_day
        e.status = s.status
        e.reason = s.reason
        e.entry_status = s.entry_status
        e.entry_reason = s.entry_reason
        e.side = s.side
        e.type = s.type
        e.tif = s.tif
        e.flags = s.flags
        if e.status <= PARKED:
            if s.closed_day or not 1 <= s.side <= 2:
                return False
            c.open_orders += 1
            if e.tif == GTD:
                c.dated += 1
    return True


cdef bint load_open(Core *c, u32 instrument, const SnapOpen *d, u32 side) noexcept nogil:
    # One order of a book (side 1 or 2), or one that waits (0).
    cdef Instrument *m = &c.instruments[instrument]
    cdef u32 number = find_entry(c, tag_of(c, d.id_low, d.id_high), d.id_low, d.id_high), o
    cdef Entry *e
    cdef Slot *s
    cdef Extra *x
    cdef Terms terms
    if number == 0 or d.fees >= c.fees_used or d.price > INT63:
        return False
    e = &c.entries[number]
    if e.slot or e.status != (OPEN if side else PARKED) or c.owners[e.position].instrument != instrument:
        return False
    if side and (e.side != side or d.price == 0 or d.shown == 0 or d.shown > e.quantity - e.filled):
        return False
    o = take_slot(c)
    e.slot = o
    s = &c.pool.slots[o]
    s.left = d.shown
    s.tick = <i64>(d.price // m.tick)
    s.owner = c.owners[e.position].participant
    s.side = e.side
    x = extra_of(c, o)
    memset(x, 0, sizeof(Extra))
    x.entry = number
    x.position = e.position
    x.fees = d.fees
    x.instrument = <u16>instrument
    x.stp = d.stp
    if d.display or d.stop or d.expiry_us:
        terms.display = d.display
        terms.stop = d.stop
        terms.expiry_us = d.expiry_us
        x.rare = take_rare(c, &terms)
    if side:
        ladder_add(own_side(m, side), c.pool.slots, o, key_of(side, s.tick))
        return True
    if x.rare == 0:
        return False
    s.next = 0
    s.prev = m.parked_tail
    if m.parked_tail:
        c.pool.slots[m.parked_tail].next = o
    else:
        m.parked_head = o
    m.parked_tail = o
    m.parked += 1
    return True


cdef bint load_books(Core *c, const u8 **at, const u8 *end) noexcept nogil:
    cdef u32 i, side
    cdef u64 n, total, counts[3]
    cdef const u8 *here
    cdef const SnapOpen *d
    for i in range(1, c.listed + 1):
        here = taken(at, end, 24)
        if here == NULL:
            return False
        memcpy(counts, here, 24)
        for side in range(1, 4):
            for n in range(counts[side - 1]):
                d = <const SnapOpen *>taken(at, end, sizeof(SnapOpen))
                if d == NULL or not load_open(c, i, d, side if side < 3 else 0):
                    return False
    for i in range(1, c.entries_used):
        if c.entries[i].status > PARKED:
            continue
        if c.entries[i].slot == 0 or (c.entries[i].tif == GTD and extra_of(c, c.entries[i].slot).rare == 0):
            return False
        list_own(c, c.entries[i].slot)
    rebuild_heaps(c)
    return True


cdef bint load(Core *c, const u8 *at, u64 n) noexcept nogil:
    # Fill an empty core; returns whether the bytes are a snapshot.
    cdef const u8 *end = at + n
    cdef const u8 *rest_
    cdef const SnapHead *h = <const SnapHead *>taken(&at, end, sizeof(SnapHead))
    if h == NULL or memcmp(h.magic, b"CARATS01", 8) != 0:
        return False
    if h.participants > n or h.instruments > 0xFFFF or h.fees == 0 or h.fees > n or h.orders > n:
        return False
    c.sequence = h.sequence
    c.now_us = h.now_us
    c.trades = h.trades
    c.day = h.day
    c.is_staged = h.is_staged
    c.cash_total = wide_at(h.cash_total)
    if not load_accounts(c, h, &at, end) or not load_histories(c, h, &at, end) or not load_books(c, &at, end):
        return False
    if c.is_staged:
        rest_ = taken(&at, end, 40)
        if rest_ == NULL:
            return False
        memcpy(&c.staged, rest_, 40)
    return at == end
