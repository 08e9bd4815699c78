# Numbers, records and memory of the compiled core. Little-endian machines only (setup.py looks).

from libc.stdint cimport int64_t as i64, uint8_t as u8, uint16_t as u16, uint32_t as u32, uint64_t as u64
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    typedef unsigned __int128 carat_u128;
    typedef __int128 carat_i128;
    #define CARAT_INT63 0x7FFFFFFFFFFFFFFFull
    #define CARAT_LIKELY(x) __builtin_expect(!!(x), 1)
    #define CARAT_UNLIKELY(x) __builtin_expect(!!(x), 0)

    static inline void carat_prefetch(const void *at) { __builtin_prefetch(at, 1, 3); }
    static inline int carat_high_bit(uint64_t word) { return 63 - __builtin_clzll(word); }
    static inline carat_u128 carat_mul(uint64_t a, uint64_t b) { return (carat_u128)a * b; }

    /* floor(value * ppm / 10^6), for values of up to 126 bits: split, so that nothing overflows. */
    static inline carat_u128 carat_fee(carat_u128 value, uint32_t ppm) {
        if (ppm == 0) return 0;
        if (CARAT_LIKELY((value >> 44) == 0)) return (uint64_t)value * ppm / 1000000u;
        return value / 1000000u * ppm + value % 1000000u * ppm / 1000000u;
    }

    /* Memory that begins on a cache line, zeros beyond what it held before. Large blocks are mapped: they grow
       without a copy, on huge pages. Before each block stands what is mapped for it, 0 if nothing is.
       An engine that runs out of memory stops at once: the journal has what was acknowledged. */
    enum { CARAT_HEAD = 64, CARAT_MAPPED = 1 << 20 };

    static void carat_free(void *block) {
        if (block == NULL) return;
        char *base = (char *)block - CARAT_HEAD;
    #if defined(__linux__)
        size_t mapped;
        memcpy(&mapped, base, sizeof mapped);
        if (mapped) { munmap(base, mapped); return; }
    #endif
        free(base);
    }

    static void *carat_grow(void *old, size_t old_bytes, size_t new_bytes) {
        char *base = NULL;
        size_t mapped = 0;
    #if defined(__linux__)
        size_t before = 0;
        if (new_bytes >= CARAT_MAPPED) {
            mapped = (new_bytes + CARAT_HEAD + 4095) & ~(size_t)4095;
            if (old) memcpy(&before, (char *)old - CARAT_HEAD, sizeof before);
            void *found = before ? mremap((char *)old - CARAT_HEAD, before, mapped, MREMAP_MAYMOVE)
                                 : mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (found == MAP_FAILED) abort();
            base = (char *)found;
    #if defined(MADV_HUGEPAGE)
            madvise(base, mapped, MADV_HUGEPAGE);
    #endif
            memcpy(base, &mapped, sizeof mapped);
            if (before) return base + CARAT_HEAD;
        }
    #endif
        if (base == NULL) {
            void *found = NULL;
            if (posix_memalign(&found, 64, new_bytes + CARAT_HEAD)) abort();
            base = (char *)found;
            memset(base, 0, new_bytes + CARAT_HEAD);
        }
        if (old_bytes) memcpy(base + CARAT_HEAD, old, old_bytes);
        carat_free(old);
        return base + CARAT_HEAD;
    }
    """
    ctypedef unsigned long long u128 "carat_u128"
    ctypedef long long i128 "carat_i128"
    const u64 INT63 "CARAT_INT63"
    bint likely "CARAT_LIKELY" (bint) noexcept nogil
    bint unlikely "CARAT_UNLIKELY" (bint) noexcept nogil
    void prefetch "carat_prefetch" (const void *at) noexcept nogil
    int high_bit "carat_high_bit" (u64 word) noexcept nogil
    u128 mul "carat_mul" (u64 a, u64 b) noexcept nogil
    u128 fee_on "carat_fee" (u128 value, u32 ppm) noexcept nogil
    void *grow "carat_grow" (void *old, size_t old_bytes, size_t new_bytes) noexcept nogil
    void free "carat_free" (void *block) noexcept nogil

cdef enum:
    # 2^18 levels are the most that three words of bits find their way in.
    WINDOW_MIN = 256
    WINDOW_MAX = 131072
    RUN_ITEMS = 128

cdef inline u32 more_room(u32 room, u32 first) noexcept nogil:
    # How many items an array has room for next: large ones grow by a quarter, which costs no copy.
    if room == 0:
        return first
    return room * 2 if room < 65536 else room + room // 4


ctypedef struct Slot:
    # What the book knows of an order: 32 bytes, two to a cache line, recycled, so that the book stays dense.
    u64 left        # what it shows
    i64 tick        # its price, in ticks
    u32 next        # the order behind it at its price; 0: none
    u32 prev        # the order before it; 0: none
    u32 owner       # participant (the benchmark's adapter: order id)
    u32 side        # 1 buy, 2 sell

ctypedef struct Level:
    # The orders at one price.
    u32 head
    u32 tail
    u64 shown
