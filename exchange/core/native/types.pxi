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
    /* a or b, without a branch: for what no one can predict. */
    static inline uint64_t carat_pick(int which, uint64_t a, uint64_t b) {
        uint64_t mask = -(uint64_t)(which != 0);
        __asm__("" : "+r"(mask));
        return (a & mask) | (b & ~mask);
    }

    /* glibc maps large blocks, which costs a page fault a page, until it has seen one as large given back. Reports
       come in blocks of some hundred kB, call after call: show it one. Elsewhere this does nothing. */
    static void carat_keep_blocks(void) {
        void *volatile block = malloc((size_t)16 << 20);
        free(block);
    }

    /* 128 zeros. Left to itself, memset asks how they lie, and loops. */
    static inline void carat_zero_128(void *at) {
        typedef long long carat_two __attribute__((vector_size(16), may_alias));
        carat_two *to = (carat_two *)__builtin_assume_aligned(at, 16);
        carat_two zero = {0, 0};
        to[0] = zero; to[1] = zero; to[2] = zero; to[3] = zero;
        to[4] = zero; to[5] = zero; to[6] = zero; to[7] = zero;
    }

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
    enum { CARAT_HEAD = 64, CARAT_MAPPED = 1 << 20, CARAT_HUGE = 1 << 21 };

    #if defined(__linux__)
    static void *carat_aligned(size_t bytes) {
        /* Where huge pages fit: a block that begins between two of them, or is moved there, gets small ones. */
        char *found = mmap(NULL, bytes + CARAT_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if ((void *)found == MAP_FAILED) abort();
        size_t before = -(uintptr_t)found & (CARAT_HUGE - 1);
        if (before) munmap(found, before);
        if (before != CARAT_HUGE) munmap(found + before + bytes, CARAT_HUGE - before);
        return found + before;
    }
    #endif

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
            mapped = (new_bytes + CARAT_HEAD + CARAT_HUGE - 1) & ~(size_t)(CARAT_HUGE - 1);
            if (old) memcpy(&before, (char *)old - CARAT_HEAD, sizeof before);
            void *found = MAP_FAILED;
            if (before) found = mremap((char *)old - CARAT_HEAD, before, mapped, 0);
            if (found == MAP_FAILED) {
                found = carat_aligned(mapped);
                if (before) found = mremap((char *)old - CARAT_HEAD, before, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, found);
            }
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
    u64 pick "carat_pick" (bint which, u64 a, u64 b) noexcept nogil
    void keep_blocks "carat_keep_blocks" () noexcept nogil
    void zero_128 "carat_zero_128" (void *at) noexcept nogil
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
