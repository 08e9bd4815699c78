# The call auction. See the reference's `auction.py`.

ctypedef struct Stack:
    # What stands at a price in an auction, hidden parts included.
    i64 tick
    u128 quantity

ctypedef struct Rank:
    u128 volume
    u128 imbalance
    u64 distance
    i64 tick


cdef u128 standing(Core *c, Level *level) noexcept nogil:
    cdef u128 total = 0
    cdef u32 o = level.head
    while o:
        total += left_of(c, o)
        o = c.pool.slots[o].next
    return total


cdef u64 collect(Core *c, Ladder *l, u32 side, i64 end, Stack **stacks) noexcept nogil:
    # The levels of a side from the best to the key `end`; return how many. The caller frees them.
    cdef u64 n = 0, room = 0
    cdef i64 key = 0
    stacks[0] = NULL
    if not ladder_best(l, &key):
        return 0
    while key >= end:
        if n == room:
            stacks[0] = <Stack *>grow(stacks[0], room * sizeof(Stack), (room * 2 + 16) * sizeof(Stack))
            room = room * 2 + 16
        stacks[0][n].tick = key if side == BUY else -key
        stacks[0][n].quantity = standing(c, ladder_find(l, key))
        n += 1
        if not ladder_below(l, key, &key):
            break
    return n


cdef void consider(Rank *best, Instrument *m, u64 near, u128 demand, u128 supply, i64 tick) noexcept nogil:
    # Keep the price of most volume, then least imbalance, then nearest, then lowest. Ticks come in rising order.
    cdef u128 volume = demand if demand < supply else supply
    cdef u128 imbalance = demand - supply if demand > supply else supply - demand
    cdef u64 price = <u64>tick * m.tick
    cdef u64 distance = 0
    if near:
        distance = price - near if price > near else near - price
    if best.tick:
        if volume < best.volume:
            return
        if volume == best.volume:
            if imbalance > best.imbalance:
                return
            if imbalance == best.imbalance and distance >= best.distance:
                return
    best.volume = volume
    best.imbalance = imbalance
    best.distance = distance
    best.tick = tick


cdef i64 clearing_tick(Core *c, Instrument *m) noexcept nogil:
    # 0: nothing crosses.
    cdef Stack *bids
    cdef Stack *asks
    cdef u64 n_bids, n_asks, ask = 0, i
    cdef i64 bid, bid_key = 0, ask_key = 0, tick, after, near_tick
    cdef u64 near = m.reference if m.reference else m.last
    cdef u128 demand = 0, supply = 0
    cdef Rank best
    if not ladder_best(&m.bids, &bid_key) or not ladder_best(&m.asks, &ask_key) or bid_key < -ask_key:
        return 0
    memset(&best, 0, sizeof(Rank))
    n_bids = collect(c, &m.bids, BUY, -ask_key, &bids)
    n_asks = collect(c, &m.asks, SELL, -bid_key, &asks)
    for i in range(n_bids):
        demand += bids[i].quantity
    bid = <i64>n_bids - 1
    near_tick = <i64>(near // m.tick)
    while ask < n_asks or bid >= 0:
        if bid < 0 or (ask < n_asks and asks[ask].tick <= bids[bid].tick):
            tick = asks[ask].tick
        else:
            tick = bids[bid].tick
        if ask < n_asks and asks[ask].tick == tick:
            supply += asks[ask].quantity
            ask += 1
        consider(&best, m, near, demand, supply, tick)
        if bid >= 0 and bids[bid].tick == tick:
            demand -= bids[bid].quantity
            bid -= 1
        if ask < n_asks and (bid < 0 or asks[ask].tick <= bids[bid].tick):
            after = asks[ask].tick
        elif bid >= 0:
            after = bids[bid].tick
        else:
            break
        # Between two limits nothing changes: the ends, and what is nearest, stand for all.
        if tick + 1 < after:
            consider(&best, m, near, demand, supply, tick + 1)
            if tick + 1 < near_tick < after - 1:
                consider(&best, m, near, demand, supply, near_tick)
            if tick < near_tick < after - 2:
                consider(&best, m, near, demand, supply, near_tick + 1)
            if tick + 1 < after - 1:
                consider(&best, m, near, demand, supply, after - 1)
    free(bids)
    free(asks)
    return best.tick


cdef u128 trade_at(Core *c, Instrument *m, i64 tick) noexcept nogil:
    # Pair the best bids with the best asks at this price; return the volume.
    cdef u128 volume = 0
    cdef u64 quantity
    cdef i64 bid_key = 0, ask_key = 0
    cdef u32 maker, taker, swap
    while True:
        if not ladder_best(&m.bids, &bid_key) or not ladder_best(&m.asks, &ask_key):
            return volume
        if bid_key < tick or -ask_key > tick:
            return volume
        maker = ladder_find(&m.bids, bid_key).head
        taker = ladder_find(&m.asks, ask_key).head
        if extra_of(c, maker).entry > extra_of(c, taker).entry:
            swap = maker
            maker = taker
            taker = swap
        if c.pool.slots[maker].owner == c.pool.slots[taker].owner:
            withdraw(c, taker, CANCELLED, R_SELF_TRADE)
            continue
        quantity = c.pool.slots[maker].left
        if c.pool.slots[taker].left < quantity:
            quantity = c.pool.slots[taker].left
        trade(c, m, maker, taker, quantity, <u64>tick * m.tick, True)
        volume += quantity


cdef void uncross(Core *c, const Command *k) noexcept nogil:
    cdef Instrument *m
    cdef Report *r
    cdef u64 first = c.trades
    cdef u128 volume = 0
    cdef i64 tick
    if reject_instrument(c, k):
        return
    m = &c.instruments[k.instrument]
    if m.phase != AUCTION:
        reject(c, k, X_PHASE_FORBIDS, m.phase, 0)
        return
    tick = clearing_tick(c, m)
    if tick:
        volume = trade_at(c, m, tick)
    r = tell(c, K_UNCROSSED)
    r.instrument = k.instrument
    r.price = <u64>tick * m.tick
    r.a_low = <u64>volume
    r.a_high = <u64>(volume >> 64)
    r.number = c.trades - first
