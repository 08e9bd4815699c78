# Trades of reports as they come: their tape's root and what they move, without any row. See tally.py.

cdef extern from "sha256_two.h":
    ctypedef void (*ShaTwo "carat_sha_two_blocks")(
        u32 *one, u32 *two, const u8 *first, const u8 *second, size_t blocks
    ) noexcept nogil
    ShaTwo sha_two_choice "carat_sha_two_choice" (int fast) noexcept nogil
    void sha_many "carat_sha_many" (
        ShaBlocks run, ShaTwo both, const u8 *messages, size_t count, size_t blocks, u8 *out, size_t out_step
    ) noexcept nogil

cdef enum:
    TREE_LEAVES = 256       # a power of two: so many leaves become one tree at a time
    UNNAMED = 4
    COLLECTOR_CHANGED = 5
    CLOSES = 6              # the next report closes the epoch

ctypedef struct Tally:
    Rec names               # only its accounts, units and collectors
    bint fast
    u64 trades              # all there were
    u64 epoch               # the open one's number
    u64 first               # number of its first trade
    u32 leaves_used
    u32 trees_used
    u64 trees               # how many of TREE_LEAVES there were
    u8 leaves[256][32]
    u8 waiting[64][32]      # trees, each larger than the next
    u8 names_of[256][192]   # messages, padded
    u8 leaf_of[256][128]
    u8 node_of[128][128]
    Net net


cdef void tally_init(Tally *y, bint fast) noexcept nogil:
    cdef u32 i
    y.fast = fast
    y.epoch = 1
    y.first = 1
    for i in range(TREE_LEAVES):
        sha_pad(y.names_of[i], NAMES_BYTES, NAMES_BLOCKS)
        sha_pad(y.leaf_of[i], LEAF_BYTES, LEAF_BLOCKS)
        y.leaf_of[i][0] = 0
    for i in range(TREE_LEAVES // 2):
        sha_pad(y.node_of[i], NODE_BYTES, NODE_BLOCKS)
        y.node_of[i][0] = 1


cdef inline int tally_trade(Tally *y, const Report *r, u32 at) noexcept nogil:
    # Write a trade's messages, and count what it moves.
    cdef Rec *c = &y.names
    cdef u8 *names = y.names_of[at]
    cdef u8 *leaf = y.leaf_of[at]
    cdef bint buys = r.side == BUY
    cdef u32 collector
    cdef i128 value = <i128>mul(r.price, r.quantity), tonnes = r.quantity
    cdef u128 taker_fee = wide(r.a_low, r.a_high), maker_fee = wide(r.b_low, r.b_high)
    if unlikely(r.number != y.trades + 1):
        return TRADE_MISSING
    if unlikely(
        r.participant > c.accounts_used or r.other > c.accounts_used or r.instrument == 0
        or r.instrument > c.units_used or r.participant == 0 or r.other == 0
    ):
        return UNNAMED
    collector = c.collectors[r.instrument - 1]
    if unlikely((taker_fee or maker_fee) and collector == 0):
        return NO_COLLECTOR
    if unlikely(collector > c.accounts_used):
        return UNNAMED
    y.trades += 1
    memcpy(names, &r.other_low, 16)
    memcpy(names + 16, &r.id_low, 16)
    memcpy(names + (32 if buys else 52), account_of(c, r.participant), 20)
    memcpy(names + (52 if buys else 32), account_of(c, r.other), 20)
    put_big128(names + (72 if buys else 88), taker_fee)
    put_big128(names + (88 if buys else 72), maker_fee)
    memcpy(names + (104 if buys else 124), account_of(c, collector if taker_fee else 0), 20)
    memcpy(names + (124 if buys else 104), account_of(c, collector if maker_fee else 0), 20)
    put_big64(leaf + 1, r.number)
    put_big64(leaf + 9, y.epoch)
    put_big128(leaf + 17, c.units[r.instrument - 1])
    put_big64(leaf + 33, r.price)
    put_big64(leaf + 41, r.quantity)
    put_big64(leaf + 49, r.at_us)
    leaf[57] = r.side
    if not buys:
        value = -value
        tonnes = -tonnes
    move(&y.net, r.instrument, r.participant, tonnes, -value - <i128>taker_fee)
    move(&y.net, r.instrument, r.other, -tonnes, value - <i128>maker_fee)
    if taker_fee or maker_fee:
        move(&y.net, r.instrument, collector, 0, <i128>(taker_fee + maker_fee))
    return OK


cdef void hash_leaves(Tally *y, u32 before) noexcept nogil:
    # Of the messages from `before` to `leaves_used`.
    cdef ShaBlocks run = sha_choice(y.fast)
    cdef ShaTwo both = sha_two_choice(y.fast)
    cdef u32 n = y.leaves_used - before
    sha_many(run, both, y.names_of[before], n, NAMES_BLOCKS, y.leaf_of[before] + 58, 128)
    sha_many(run, both, y.leaf_of[before], n, LEAF_BLOCKS, y.leaves[before], 32)


cdef void join_leaves(Tally *y, u8 *root) noexcept nogil:
    # The tree over the leaves at hand, one at least: neighbours are paired, an odd last one moves up as it is.
    cdef ShaBlocks run = sha_choice(y.fast)
    cdef ShaTwo both = sha_two_choice(y.fast)
    cdef u32 n = y.leaves_used, i, pairs
    while n > 1:
        pairs = n // 2
        for i in range(pairs):
            memcpy(y.node_of[i] + 1, y.leaves[2 * i], 64)
        if n & 1:
            memcpy(y.leaves[pairs], y.leaves[n - 1], 32)
        sha_many(run, both, y.node_of[0], pairs, NODE_BLOCKS, y.leaves[0], 32)
        n = pairs + (n & 1)
    memcpy(root, y.leaves[0], 32)


cdef void plant(Tally *y) noexcept nogil:
    # All leaves are there: make them a tree, and join trees of one size.
    cdef u64 trees
    join_leaves(y, y.waiting[y.trees_used])
    y.leaves_used = 0
    y.trees_used += 1
    y.trees += 1
    trees = y.trees
    while trees & 1 == 0:
        y.trees_used -= 1
        join(sha_choice(y.fast), y.node_of[0], y.waiting[y.trees_used - 1], y.waiting[y.trees_used])
        trees >>= 1


cdef void tally_root(const Tally *x, u8 *root) noexcept nogil:
    # Of the open epoch's trades so far, one at least; changes nothing. The leaves are joined in a copy.
    cdef Tally y = x[0]
    cdef u32 i
    if y.leaves_used:
        join_leaves(&y, root)
    else:
        y.trees_used -= 1
        memcpy(root, y.waiting[y.trees_used], 32)
    for i in range(y.trees_used, 0, -1):
        join(sha_choice(y.fast), y.node_of[0], y.waiting[i - 1], root)
        memcpy(root, y.waiting[i - 1], 32)


cdef inline int tally_rules(Tally *y, const Report *r) noexcept nogil:
    # An order pays whoever collected at its entry, and here nobody knows orders: so there may be only one.
    cdef Rec *c = &y.names
    cdef u32 *collector
    need_unit(c, r.instrument)
    collector = &c.collectors[r.instrument - 1]
    if r.participant and collector[0] and collector[0] != r.participant:
        return COLLECTOR_CHANGED
    collector[0] = r.participant if r.participant else collector[0]
    return OK


cdef int tally_run(Tally *y, const Report *r, u64 n, u64 *done) noexcept nogil:
    # Take reports up to the first that closes an epoch or cannot be taken; `done` says how many were.
    cdef u64 i
    cdef u32 fresh = y.leaves_used
    cdef int found = OK
    for i in range(n):
        if r[i].kind == K_TRADE:
            found = tally_trade(y, &r[i], y.leaves_used)
            if found == OK:
                y.leaves_used += 1
                if y.leaves_used == TREE_LEAVES:
                    hash_leaves(y, fresh)
                    plant(y)
                    fresh = 0
        elif r[i].kind == K_RULES_SET:
            found = tally_rules(y, &r[i])
        elif r[i].kind == K_EPOCH_CLOSED:
            found = CLOSES if not r[i].flags & REPEATED else OK
        elif r[i].kind == K_LISTED or r[i].kind == K_REGISTERED:
            told_once(&y.names, &r[i])
        if unlikely(found):
            break
    else:
        i = n
    done[0] = i
    hash_leaves(y, fresh)
    return found
