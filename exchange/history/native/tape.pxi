# The tape's root and what an epoch moves: see tape.py and netting.py.

cdef extern from "sha256.h":
    ctypedef void (*ShaBlocks "carat_sha_blocks")(u32 *state, const u8 *data, size_t blocks) noexcept nogil
    int sha_is_fast "carat_sha_is_fast" () noexcept nogil
    ShaBlocks sha_choice "carat_sha_choice" (int fast) noexcept nogil
    void sha_pad "carat_sha_pad" (u8 *message, size_t length, size_t blocks) noexcept nogil
    void sha_padded "carat_sha_padded" (ShaBlocks run, const u8 *message, size_t blocks, u8 *out) noexcept nogil

cdef extern from *:
    """
    static inline void carat_big64(uint8_t *at, uint64_t word) {
        word = __builtin_bswap64(word);
        memcpy(at, &word, 8);
    }
    static inline void carat_big128(uint8_t *at, carat_u128 number) {
        carat_big64(at, (uint64_t)(number >> 64));
        carat_big64(at + 8, (uint64_t)number);
    }
    """
    void put_big64 "carat_big64" (u8 *at, u64 word) noexcept nogil
    void put_big128 "carat_big128" (u8 *at, u128 number) noexcept nogil

cdef enum:
    NAMES_BYTES = 144
    NAMES_BLOCKS = 3
    LEAF_BYTES = 90         # a zero byte before it
    LEAF_BLOCKS = 2
    NODE_BYTES = 65
    NODE_BLOCKS = 2

cdef Account NOBODY
memset(&NOBODY, 0, sizeof(Account))


cdef inline const Account *account_of(const Rec *c, u32 participant) noexcept nogil:
    return &c.accounts[participant - 1] if participant else &NOBODY


cdef bint is_named(const Rec *c, u64 first, u64 n) noexcept nogil:
    # Whether all of these trades' participants and instruments are known.
    cdef u64 i
    cdef const Trade *t
    for i in range(first - 1, first - 1 + n):
        t = &c.trades[i]
        if t.taker > c.accounts_used or t.maker > c.accounts_used or t.instrument > c.units_used:
            return False
        if t.taker_collector > c.accounts_used or t.maker_collector > c.accounts_used:
            return False
    return True


cdef void root_of(const Rec *c, u64 first, u64 n, u64 epoch, bint fast, u8 *root) noexcept nogil:
    # The trees that the leaves so far make, each a power of two of them, wait in `waiting`, the largest first.
    cdef ShaBlocks run = sha_choice(fast)
    cdef u8 names[192]
    cdef u8 leaf[128]
    cdef u8 node[128]
    cdef u8 waiting[64][32]
    cdef u64 i, trees
    cdef u32 depth = 0
    cdef const Trade *t
    cdef bint buys
    sha_pad(names, NAMES_BYTES, NAMES_BLOCKS)
    sha_pad(leaf, LEAF_BYTES, LEAF_BLOCKS)
    sha_pad(node, NODE_BYTES, NODE_BLOCKS)
    leaf[0] = 0
    node[0] = 1
    for i in range(n):
        t = &c.trades[first - 1 + i]
        buys = t.taker_side == BUY
        memcpy(names, &t.maker_low, 16)
        memcpy(names + 16, &t.taker_low, 16)
        memcpy(names + (32 if buys else 52), account_of(c, t.taker), 20)
        memcpy(names + (52 if buys else 32), account_of(c, t.maker), 20)
        put_big128(names + (72 if buys else 88), t.taker_fee)
        put_big128(names + (88 if buys else 72), t.maker_fee)
        memcpy(names + (104 if buys else 124), account_of(c, t.taker_collector), 20)
        memcpy(names + (124 if buys else 104), account_of(c, t.maker_collector), 20)
        put_big64(leaf + 1, first + i)
        put_big64(leaf + 9, epoch)
        put_big128(leaf + 17, c.units[t.instrument - 1])
        put_big64(leaf + 33, t.price)
        put_big64(leaf + 41, t.quantity)
        put_big64(leaf + 49, t.at_us)
        leaf[57] = t.taker_side
        sha_padded(run, names, NAMES_BLOCKS, leaf + 58)
        sha_padded(run, leaf, LEAF_BLOCKS, waiting[depth])
        depth += 1
        trees = i + 1
        while trees & 1 == 0:
            depth -= 1
            join(run, node, waiting[depth - 1], waiting[depth])
            trees >>= 1
    while depth > 1:
        depth -= 1
        join(run, node, waiting[depth - 1], waiting[depth])
    memcpy(root, waiting[0], 32)


cdef inline void join(ShaBlocks run, u8 *node, u8 *left, const u8 *right) noexcept nogil:
    memcpy(node + 1, left, 32)
    memcpy(node + 33, right, 32)
    sha_padded(run, node, NODE_BLOCKS, left)


ctypedef struct Moved:
    u64 key                 # instrument and participant; 0: empty
    i128 tonnes
    i128 cash

ctypedef struct Net:
    Moved *moved
    u64 mask
    u64 n


cdef inline Moved *moved_at(Net *x, u64 key) noexcept nogil:
    cdef u64 at = mix(key) & x.mask
    while x.moved[at].key and x.moved[at].key != key:
        at = (at + 1) & x.mask
    return &x.moved[at]


cdef void grow_net(Net *x) noexcept nogil:
    cdef Moved *old = x.moved
    cdef u64 i, before = x.mask + 1 if old != NULL else 0
    cdef u64 room = before * 2 if before else 1024
    x.moved = <Moved *>grow(NULL, 0, room * sizeof(Moved))
    x.mask = room - 1
    for i in range(before):
        if old[i].key:
            moved_at(x, old[i].key)[0] = old[i]
    free(old)


cdef inline void move(Net *x, u32 instrument, u32 participant, i128 tonnes, i128 cash) noexcept nogil:
    cdef u64 key = (<u64>instrument << 32) | participant
    cdef Moved *m
    if unlikely(x.n * 2 >= x.mask):
        grow_net(x)
    m = moved_at(x, key)
    if m.key == 0:
        m.key = key
        x.n += 1
    m.tonnes += tonnes
    m.cash += cash


cdef void net_of(const Rec *c, u64 first, u64 n, Net *x) noexcept nogil:
    cdef u64 i
    cdef const Trade *t
    cdef i128 value, tonnes
    for i in range(first - 1, first - 1 + n):
        t = &c.trades[i]
        value = <i128>mul(t.price, t.quantity)
        tonnes = t.quantity
        if t.taker_side != BUY:
            value = -value
            tonnes = -tonnes
        move(x, t.instrument, t.taker, tonnes, -value - <i128>t.taker_fee)
        move(x, t.instrument, t.maker, -tonnes, value - <i128>t.maker_fee)
        if t.taker_fee:
            move(x, t.instrument, t.taker_collector, 0, <i128>t.taker_fee)
        if t.maker_fee:
            move(x, t.instrument, t.maker_collector, 0, <i128>t.maker_fee)
