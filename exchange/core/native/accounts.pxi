# Participants, instruments, transfers, epochs. See the reference's `accounts.py` and `instruments.py`.

cdef u128 AMOUNT_MAX_ = (<u128>INT63 << 64) | <u64>0xFFFFFFFFFFFFFFFF


cdef void register(Core *c, const Command *k) noexcept nogil:
    cdef const u8 *address = <const u8 *>k + 16
    cdef u32 number = find_address(c, address)
    cdef bint known = number != 0
    cdef Report *r
    if not known:
        if c.participants == 0x7FFFFFFF:
            reject(c, k, X_PARTICIPANTS_FULL, c.participants, 0)
            return
        number = add_participant(c, address)
    r = tell(c, K_REGISTERED)
    r.flags = REPEATED if known else 0
    r.participant = number
    r.id_low = k.id_low
    r.id_high = k.id_high
    r.other_low = k.quantity


cdef bint is_idle(Instrument *m) noexcept nogil:
    # Whether it has no open order.
    cdef i64 key = 0
    return not (ladder_best(&m.bids, &key) or ladder_best(&m.asks, &key) or m.parked)


cdef void list_instrument(Core *c, const Command *k) noexcept nogil:
    cdef u32 number = find_unit(c, k.id_low, k.id_high)
    cdef bint known = number != 0, repeated = False
    cdef bint fits = 0 < k.extra <= k.quantity <= INT63 and 0 < k.price <= INT63
    cdef Instrument *m
    cdef Report *r
    if not known:
        if not fits:
            reject(c, k, X_INSTRUMENT_INVALID, k.extra, k.quantity)
            return
        if c.listed == 0xFFFF:
            reject(c, k, X_INSTRUMENTS_FULL, c.listed, 0)
            return
        number = add_instrument(c, k.id_low, k.id_high)
        m = &c.instruments[number]
        m.tick = k.price
        m.lot = k.extra
        m.quantity_max = k.quantity
        m.phase = CONTINUOUS
    else:
        m = &c.instruments[number]
        repeated = m.tick == k.price and m.lot == k.extra and m.quantity_max == k.quantity
        if not repeated:
            if not fits or m.phase != CLOSED or not is_idle(m):
                reject(c, k, X_INSTRUMENT_DIFFERS, number, 0)
                return
            m.tick = k.price
            m.lot = k.extra
            m.quantity_max = k.quantity
    r = tell(c, K_LISTED)
    r.instrument = <u16>number
    r.flags = REPEATED if repeated else 0
    r.id_low = k.id_low
    r.id_high = k.id_high
    r.price = k.price
    r.quantity = k.quantity
    r.left = k.extra


cdef void set_band(Instrument *m) noexcept nogil:
    # Work out the lowest and the highest price allowed.
    cdef u128 width = mul(m.reference, m.band_ppm) // <u64>PPM
    m.has_band = m.reference != 0 and m.band_ppm != 0
    m.band_low = <u64>(m.reference - width) if width < m.reference else 0
    m.band_high = <u64>(m.reference + width) if m.reference + width < INT63 else INT63


cdef u32 fees_number(Core *c, u32 maker_ppm, u32 taker_ppm, u32 collector) noexcept nogil:
    cdef u32 i, room
    cdef Fees *f
    for i in range(c.fees_used):
        f = &c.fees[i]
        if f.maker_ppm == maker_ppm and f.taker_ppm == taker_ppm and f.collector == collector:
            return i
    if c.fees_used == c.fees_room:
        room = c.fees_room * 2 if c.fees_room else 16
        c.fees = <Fees *>grow(c.fees, <size_t>c.fees_room * sizeof(Fees), <size_t>room * sizeof(Fees))
        c.fees_room = room
    f = &c.fees[c.fees_used]
    f.maker_ppm = maker_ppm
    f.taker_ppm = taker_ppm
    f.collector = collector
    f.larger_ppm = maker_ppm if maker_ppm > taker_ppm else taker_ppm
    c.fees_used += 1
    return c.fees_used - 1


cdef void set_rules(Core *c, const Command *k) noexcept nogil:
    cdef u32 maker_ppm = <u32>k.id_low, taker_ppm = <u32>(k.id_low >> 32), band_ppm = <u32>k.id_high
    cdef u32 larger = maker_ppm if maker_ppm > taker_ppm else taker_ppm
    cdef Instrument *m
    cdef Report *r
    if (k.participant and reject_participant(c, k)) or reject_instrument(c, k):
        return
    if larger > PPM or (larger and not k.participant):
        reject(c, k, X_FEES_INVALID, maker_ppm, taker_ppm)
        return
    m = &c.instruments[k.instrument]
    m.fees = fees_number(c, maker_ppm, taker_ppm, k.participant)
    m.band_ppm = band_ppm
    m.position_limit = k.quantity
    m.bars_resale = k.flags & 1
    set_band(m)
    r = tell(c, K_RULES_SET)
    r.instrument = k.instrument
    r.participant = k.participant
    r.a_low = maker_ppm
    r.b_low = taker_ppm


cdef void set_reference(Core *c, const Command *k) noexcept nogil:
    cdef Report *r
    if reject_instrument(c, k):
        return
    if k.price > INT63:
        reject(c, k, X_PRICE_OUT_OF_RANGE, k.price, INT63)
        return
    c.instruments[k.instrument].reference = k.price
    set_band(&c.instruments[k.instrument])
    r = tell(c, K_REFERENCE_SET)
    r.instrument = k.instrument
    r.price = k.price


cdef void set_phase(Core *c, const Command *k) noexcept nogil:
    cdef Instrument *m
    cdef Report *r
    cdef i64 bid = 0, ask = 0
    if reject_instrument(c, k):
        return
    m = &c.instruments[k.instrument]
    if k.type == CONTINUOUS and ladder_best(&m.bids, &bid) and ladder_best(&m.asks, &ask) and bid >= -ask:
        reject(c, k, X_BOOK_CROSSED, <u64>bid * m.tick, <u64>(-ask) * m.tick)
        return
    m.phase = k.type
    c.touched = k.instrument
    r = tell(c, K_PHASE_SET)
    r.instrument = k.instrument
    r.code = k.type


cdef bint do_credit(Core *c, const Command *k, u128 asked) noexcept nogil:
    # Returns whether it was done; else it was rejected.
    cdef u128 held
    cdef u32 position
    if reject_participant(c, k) or (k.instrument and reject_instrument(c, k)):
        return False
    held = c.instruments[k.instrument].total if k.instrument else c.cash_total
    if asked == 0 or asked > AMOUNT_MAX_ - held:
        reject(c, k, X_AMOUNT_OUT_OF_RANGE, held, asked)
        return False
    if k.instrument:
        c.instruments[k.instrument].total += asked
        position = need_position(c, k.participant, k.instrument)   # first: it may move them
        c.positions[position].available += asked
    else:
        c.cash_total += asked
        c.who[k.participant].available += asked
    return True


cdef bint do_debit(Core *c, const Command *k, u128 asked, u128 *moved) noexcept nogil:
    cdef u128 held, available, may
    cdef u32 position
    cdef Instrument *m = NULL
    cdef Position *p = NULL
    if reject_participant(c, k) or (k.instrument and reject_instrument(c, k)):
        return False
    if k.instrument:
        m = &c.instruments[k.instrument]
        held = m.total
        position = need_position(c, k.participant, k.instrument)
        p = &c.positions[position]
        available = p.available
        may = tradable(p, m)
    else:
        held = c.cash_total
        available = c.who[k.participant].available
        may = available
    if asked == 0 or asked > AMOUNT_MAX_:
        reject(c, k, X_AMOUNT_OUT_OF_RANGE, held, asked)
        return False
    moved[0] = asked
    if k.flags:
        if available < asked:
            moved[0] = available
    elif may < asked:
        reject(c, k, X_INSUFFICIENT_UNITS if k.instrument else X_INSUFFICIENT_CASH, may, asked)
        return False
    if k.instrument:
        m.total -= moved[0]
        p.available -= moved[0]
    else:
        c.cash_total -= moved[0]
        c.who[k.participant].available -= moved[0]
    return True


cdef void transfer(Core *c, const Command *k) noexcept nogil:
    # Credit or debit once.
    cdef const u8 *name = <const u8 *>k + 16
    cdef u32 number = find_transfer(c, k.participant, name)
    cdef u128 asked = (<u128>k.extra << 64) | k.at_us, moved = asked
    cdef Transfer *t
    cdef Report *r
    if number:
        t = &c.transfers[number]
        if t.kind != k.kind or t.flags != k.flags or t.instrument != k.instrument or t.asked != asked:
            reject(c, k, X_ID_REUSED, 0, 0)
            return
    else:
        if k.kind == 7:
            if not do_credit(c, k, asked):
                return
        elif not do_debit(c, k, asked, &moved):
            return
        t = add_transfer(c, k.participant, name)
        t.kind = k.kind
        t.flags = k.flags
        t.instrument = k.instrument
        t.asked = asked
        t.moved = moved
    r = tell(c, K_CREDITED if t.kind == 7 else K_DEBITED)
    r.flags = REPEATED if number else 0
    r.participant = t.participant
    r.instrument = t.instrument
    memcpy(&r.id_low, name, 32)
    r.a_low = <u64>t.moved
    r.a_high = <u64>(t.moved >> 64)
    r.b_low = <u64>t.asked
    r.b_high = <u64>(t.asked >> 64)


cdef void close_epoch(Core *c, const Command *k) noexcept nogil:
    cdef u64 open_ = c.epochs_used + 1, committed = 0, room
    cdef Report *r
    cdef Epoch *e
    if k.quantity == 0 or k.quantity > open_:
        reject(c, k, X_EPOCH_OUT_OF_ORDER, k.quantity, open_)
        return
    if k.quantity == open_:
        if c.epochs_used:
            e = &c.epochs[c.epochs_used - 1]
            committed = e.first + e.trades - 1
        if c.trades == committed:
            reject(c, k, X_EPOCH_EMPTY, k.quantity, 0)
            return
        if c.epochs_used == c.epochs_room:
            room = c.epochs_room * 2 if c.epochs_room else 64
            c.epochs = <Epoch *>grow(c.epochs, c.epochs_room * sizeof(Epoch), room * sizeof(Epoch))
            c.epochs_room = room
        c.epochs[c.epochs_used].first = committed + 1
        c.epochs[c.epochs_used].trades = c.trades - committed
        c.epochs_used += 1
    e = &c.epochs[k.quantity - 1]
    r = tell(c, K_EPOCH_CLOSED)
    r.flags = REPEATED if k.quantity < open_ else 0
    r.number = k.quantity
    r.quantity = e.trades
    r.left = e.first
