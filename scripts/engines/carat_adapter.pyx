# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The core's book behind the C interface of the public matching benchmark.

The same parts as in `exchange/core/_compiled.pyx`: pool, window of levels, bits, runs outside it, and matching
alone (`bare.pxi`). No Python runs here: the build (scripts/engines/build.py) links the interpreter's names to nothing.

Reports go straight into a ring in shared memory that the drainer reads; it learns of them at the end of each
call, or every 128 reports.
"""

include "types.pxi"
include "pool.pxi"
include "far.pxi"
include "ladder.pxi"

cdef extern from *:
    """
    #define CARAT_STREAM 1
    """

include "bare_types.pxi"

cdef extern from "matching_engine_api.h":
    ctypedef struct new_order_t:
        u64 order_id
        u64 sequence_number
        i64 price_ticks
        u32 quantity
        u8 side
        u8 ioc

    ctypedef struct cancel_t:
        u64 order_id
        u64 sequence_number

    ctypedef struct modify_t:
        u64 order_id
        u64 sequence_number
        i64 new_price_ticks
        u32 new_quantity
        u8 side

    ctypedef struct me_msg_t:
        u8 type
        new_order_t no
        cancel_t c
        modify_t md

    ctypedef struct me_report_t:
        u8 type
        u8 side
        u64 sequence_number
        u64 order_id
        i64 price_ticks
        u32 quantity
        u64 maker_order_id
        u64 taker_order_id

    ctypedef struct me_transport_t:
        void *(*create)(u32 capacity) noexcept nogil
        int (*push)(void *handle, const me_report_t *report) noexcept nogil
        u32 (*drain)(void *handle, me_report_t *out, u32 most) noexcept nogil
        void (*flush)(void *handle) noexcept nogil
        void (*destroy)(void *handle) noexcept nogil

cdef extern from *:
    """
    static inline uint64_t carat_acquire(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void carat_publish(uint64_t *at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
    #if defined(__x86_64__)
    static inline void carat_pause(void) { __builtin_ia32_pause(); }
    #else
    static inline void carat_pause(void) { }
    #endif
    """
    u64 acquire "carat_acquire" (const u64 *at) noexcept nogil
    void publish "carat_publish" (u64 *at, u64 value) noexcept nogil
    void pause "carat_pause" () noexcept nogil

cdef enum:
    PUBLISHED_EVERY = 128

    BLOCK_BITS = 12          # reports to a block: 4,096, 256 KB

ctypedef struct Ring:
    # The queue of reports: one writer, one reader. It holds what is asked for and more, in blocks; the block read
    # last is written next, so that a reader who keeps up leaves only two or three of them in use, in the caches.
    # What one side writes and the other reads stands on cache lines of its own.
    u64 head            # reports published
    u64 unused_1[7]
    u64 tail            # reports read
    u64 unused_2[7]
    u64 given_back      # blocks that the reader is done with
    u64 unused_3[7]
    u64 next            # the writer's own: reports written,
    u64 taken_back      # blocks of those given back that it has seen,
    u64 free_blocks     # and how many are on its pile
    me_report_t *at     # where the next report goes, and the end of its block
    me_report_t *end
    u64 unused_4[3]
    u64 blocks          # a power of two
    me_report_t *reports
    u32 *order          # which block comes how many-th
    u32 *returned       # the blocks given back
    u32 *pile
    u64 unused_5[3]

cdef Ring *ring
cdef const me_transport_t *foreign   # a transport that is not ours, or NULL
cdef void *foreign_sink


# --- the ring ---

cdef inline void ring_publish(Ring *r) noexcept nogil:
    bare_fence()
    publish(&r.head, r.next)


cdef void *ring_create(u32 capacity) noexcept nogil:
    cdef u64 blocks = 4
    cdef Ring *r = <Ring *>grow(NULL, 0, sizeof(Ring))
    cdef u64 i
    while (blocks << BLOCK_BITS) < capacity:
        blocks *= 2
    r.reports = <me_report_t *>grow(NULL, 0, (blocks << BLOCK_BITS) * sizeof(me_report_t))
    r.order = <u32 *>grow(NULL, 0, blocks * sizeof(u32))
    r.returned = <u32 *>grow(NULL, 0, blocks * sizeof(u32))
    r.pile = <u32 *>grow(NULL, 0, blocks * sizeof(u32))
    memset(r.reports, 0, (blocks << BLOCK_BITS) * sizeof(me_report_t))   # so that the pages are there
    r.blocks = blocks
    for i in range(blocks):
        r.pile[i] = <u32>(blocks - 1 - i)
    r.free_blocks = blocks
    return r


cdef void ring_destroy(void *handle) noexcept nogil:
    cdef Ring *r = <Ring *>handle
    free(r.reports)
    free(r.order)
    free(r.returned)
    free(r.pile)
    free(r)


cdef void deliver() noexcept nogil:
    # To a transport that is not ours: push what was written.
    cdef me_report_t report
    while ring_drain(ring, &report, 1):
        while foreign.push(foreign_sink, &report) == 0:
            pause()


cdef void ring_block(Ring *r) noexcept nogil:
    # The writer begins a block: the one given back last.
    cdef u64 back
    cdef u32 block
    ring_publish(r)
    while True:
        back = acquire(&r.given_back)
        while r.taken_back < back:
            r.pile[r.free_blocks] = r.returned[r.taken_back & (r.blocks - 1)]
            r.free_blocks += 1
            r.taken_back += 1
        if r.free_blocks:
            break
        if foreign != NULL:
            deliver()
        pause()
    r.free_blocks -= 1
    block = r.pile[r.free_blocks]
    r.order[(r.next >> BLOCK_BITS) & (r.blocks - 1)] = block
    r.at = &r.reports[<u64>block << BLOCK_BITS]
    r.end = r.at + (1 << BLOCK_BITS)


cdef inline me_report_t *ring_next(Ring *r) noexcept nogil:
    # Where the next report goes. Bytes that its kind does not use may be an earlier one's: nobody reads them.
    cdef me_report_t *report
    if unlikely(r.at == r.end):
        ring_block(r)
    elif unlikely((r.next & (PUBLISHED_EVERY - 1)) == 0):
        ring_publish(r)
    report = r.at
    r.at += 1
    r.next += 1
    return report


cdef inline void publish_all() noexcept nogil:
    ring_publish(ring)
    if unlikely(foreign != NULL):
        deliver()


cdef int ring_push(void *handle, const me_report_t *report) noexcept nogil:
    cdef Ring *r = <Ring *>handle
    ring_next(r)[0] = report[0]
    ring_publish(r)
    return 1


cdef void ring_flush(void *handle) noexcept nogil:
    cdef Ring *r = <Ring *>handle
    ring_publish(r)


cdef u32 ring_drain(void *handle, me_report_t *out, u32 most) noexcept nogil:
    # Up to the end of a block at a time.
    cdef Ring *r = <Ring *>handle
    cdef u64 tail = r.tail, n = acquire(&r.head) - tail, inside, to_end
    cdef u32 block
    if n == 0:
        return 0
    inside = tail & ((1 << BLOCK_BITS) - 1)
    to_end = (1 << BLOCK_BITS) - inside
    if n > to_end:
        n = to_end
    if n > most:
        n = most
    block = r.order[(tail >> BLOCK_BITS) & (r.blocks - 1)]
    memcpy(out, &r.reports[(<u64>block << BLOCK_BITS) + inside], n * sizeof(me_report_t))
    r.tail = tail + n
    if n == to_end:
        r.returned[r.given_back & (r.blocks - 1)] = block
        publish(&r.given_back, r.given_back + 1)
    return <u32>n


cdef me_transport_t transport_table


cdef inline BareReport *bare_next(Bare *b) noexcept nogil:
    return <BareReport *>ring_next(ring)


include "bare.pxi"

cdef Bare bare


# --- the interface ---

cdef inline void on_new(const new_order_t *o) noexcept nogil:
    bare_new(&bare, o.sequence_number, o.order_id, o.side, o.price_ticks, o.quantity, o.ioc == 0)


cdef inline void on_cancel(const cancel_t *o) noexcept nogil:
    bare_cancel(&bare, o.sequence_number, o.order_id)


cdef inline void on_modify(const modify_t *o) noexcept nogil:
    bare_modify(&bare, o.sequence_number, o.order_id, o.new_price_ticks, o.new_quantity)



cdef public void engine_init(u64 seed, const me_transport_t *transport, void *sink) noexcept nogil:
    global ring, foreign, foreign_sink
    foreign = NULL
    ring = <Ring *>sink
    if transport.push != ring_push:
        foreign = transport
        foreign_sink = sink
        ring = <Ring *>ring_create(1 << 16)
    bare_init(&bare)


cdef public void engine_shutdown() noexcept nogil:
    if foreign != NULL:
        ring_destroy(ring)
    bare_free(&bare)


cdef public const me_transport_t *engine_get_transport() noexcept nogil:
    transport_table.create = ring_create
    transport_table.push = ring_push
    transport_table.drain = ring_drain
    transport_table.flush = ring_flush
    transport_table.destroy = ring_destroy
    return &transport_table


cdef public void engine_on_new_order(const new_order_t *order) noexcept nogil:
    on_new(order)
    publish_all()


cdef public void engine_on_cancel(const cancel_t *order) noexcept nogil:
    on_cancel(order)
    publish_all()


cdef public void engine_on_modify(const modify_t *order) noexcept nogil:
    on_modify(order)
    publish_all()


cdef public void engine_on_batch(const me_msg_t *messages, u32 n) noexcept nogil:
    # One after the other, none looked at before its turn.
    cdef u32 i
    for i in range(n):
        if messages[i].type == 0:
            on_new(&messages[i].no)
        elif messages[i].type == 1:
            on_cancel(&messages[i].c)
        else:
            on_modify(&messages[i].md)
    publish_all()


cdef public void engine_flush() noexcept nogil:
    publish_all()


cdef public i64 engine_query_best_bid() noexcept nogil:
    cdef i64 key = 0
    return key if ladder_best(&bare.sides[0], &key) else -<i64>INT63 - 1


cdef public i64 engine_query_best_ask() noexcept nogil:
    cdef i64 key = 0
    return -key if ladder_best(&bare.sides[1], &key) else <i64>INT63


cdef public u64 engine_query_depth_at(i64 price, u8 side) noexcept nogil:
    cdef Level *level = ladder_find(&bare.sides[side & 1], -price if side else price)
    return level.shown if level != NULL else 0
