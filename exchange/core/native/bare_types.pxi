# Matching alone: what it keeps, and what it reports (64 bytes, as the public benchmark lays it out).

cdef enum:
    DIRECT_IDS = 4194304     # ids below this go by arrays: a bit each, and 4 bytes; the others by a table
    YOUNG_IDS = 1024         # and the youngest of those by a small array, which stays in the nearest cache: 8 KB

ctypedef struct BareReport:
    u8 type
    u8 side
    u8 unused_1[6]
    u64 sequence_number
    u64 order_id
    i64 price_ticks
    u32 quantity
    u32 unused_2
    u64 maker_order_id
    u64 taker_order_id
    u64 unused_3

ctypedef struct Named:
    u64 id
    u32 slot            # 0: empty
    u32 unused

ctypedef struct Bare:
    Ladder sides[2]     # bids, asks
    Pool pool
    u64 *resting        # a bit for each id below DIRECT_IDS: an order of this id rests
    u64 young[YOUNG_IDS]   # by the last bits of an id that rests, or did: the id << 32 | its slot
    u32 *slots_of       # the slots of ids that rest and are not in `young`; anything for others
    Named *named        # the others: open addressing
    u64 named_mask
    u64 named_used

cdef extern from *:
    """
    #define CARAT_NO_YOUNG 0xFFFFFFFF00000000ull

    /* A report in one go. Where CARAT_STREAM is defined it goes past the caches, a line at a time: who writes for
       another core to read has no use for the lines it wrote last time round. Then a fence comes before publishing. */
    #if defined(CARAT_STREAM) && defined(__AVX512F__)
    #include <immintrin.h>
    static inline void carat_report(void *at, uint64_t head, uint64_t sequence, uint64_t id, int64_t price,
                                    uint64_t quantity, uint64_t maker, uint64_t taker) {
        _mm512_stream_si512((__m512i *)at, _mm512_set_epi64(0, (long long)taker, (long long)maker,
            (long long)quantity, price, (long long)id, (long long)sequence, (long long)head));
    }
    static inline void carat_fence(void) { _mm_sfence(); }
    #else
    static inline void carat_report(void *at, uint64_t head, uint64_t sequence, uint64_t id, int64_t price,
                                    uint64_t quantity, uint64_t maker, uint64_t taker) {
        const uint64_t words[8] = {head, sequence, id, (uint64_t)price, quantity, maker, taker, 0};
        memcpy(at, words, sizeof words);
    }
    static inline void carat_fence(void) { }
    #endif
    """
    const u64 NO_YOUNG "CARAT_NO_YOUNG"
    void bare_write "carat_report" (
        BareReport *at, u64 head, u64 sequence, u64 order_id, i64 price, u64 quantity, u64 maker, u64 taker
    ) noexcept nogil
    void bare_fence "carat_fence" () noexcept nogil
