/* Two messages hashed at a time: the processor's instructions for SHA-256 wait for their own results, and one
   message fills the other one's waits. */

#ifndef CARAT_SHA256_TWO_H
#define CARAT_SHA256_TWO_H

#include "sha256.h"

typedef void (*carat_sha_two_blocks)(uint32_t one[8], uint32_t two[8], const uint8_t *first, const uint8_t *second,
                                     size_t blocks);

static void carat_sha_two_plain(uint32_t one[8], uint32_t two[8], const uint8_t *first, const uint8_t *second,
                                size_t blocks) {
    carat_sha_plain(one, first, blocks);
    carat_sha_plain(two, second, blocks);
}

#if defined(CARAT_SHA_NI)
__attribute__((target("sha,sse4.1,ssse3")))
static void carat_sha_two_ni(uint32_t one[8], uint32_t two[8], const uint8_t *first, const uint8_t *second,
                             size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef, cdgh, abef_2, cdgh_2;
    CARAT_SHA_LOAD(one, abef, cdgh);
    CARAT_SHA_LOAD(two, abef_2, cdgh_2);
    for (; blocks; blocks--, first += 64, second += 64) {
        const __m128i before[4] = {abef, cdgh, abef_2, cdgh_2};
        __m128i w0 = CARAT_SHA_WORDS(first, 0), v0 = CARAT_SHA_WORDS(second, 0);
        __m128i w1 = CARAT_SHA_WORDS(first, 1), v1 = CARAT_SHA_WORDS(second, 1);
        __m128i w2 = CARAT_SHA_WORDS(first, 2), v2 = CARAT_SHA_WORDS(second, 2);
        __m128i w3 = CARAT_SHA_WORDS(first, 3), v3 = CARAT_SHA_WORDS(second, 3);
#define CARAT_SHA_BOTH(i, a, b, c, d)                          \
    CARAT_SHA_STEP(i, abef, cdgh, w##a, w##b, w##c, w##d);     \
    CARAT_SHA_STEP(i, abef_2, cdgh_2, v##a, v##b, v##c, v##d)
#define CARAT_SHA_LAST(i, a)                  \
    CARAT_SHA_FOUR(i, abef, cdgh, w##a);      \
    CARAT_SHA_FOUR(i, abef_2, cdgh_2, v##a)
        CARAT_SHA_BOTH(0, 0, 1, 2, 3);
        CARAT_SHA_BOTH(1, 1, 2, 3, 0);
        CARAT_SHA_BOTH(2, 2, 3, 0, 1);
        CARAT_SHA_BOTH(3, 3, 0, 1, 2);
        CARAT_SHA_BOTH(4, 0, 1, 2, 3);
        CARAT_SHA_BOTH(5, 1, 2, 3, 0);
        CARAT_SHA_BOTH(6, 2, 3, 0, 1);
        CARAT_SHA_BOTH(7, 3, 0, 1, 2);
        CARAT_SHA_BOTH(8, 0, 1, 2, 3);
        CARAT_SHA_BOTH(9, 1, 2, 3, 0);
        CARAT_SHA_BOTH(10, 2, 3, 0, 1);
        CARAT_SHA_BOTH(11, 3, 0, 1, 2);
        CARAT_SHA_LAST(12, 0);
        CARAT_SHA_LAST(13, 1);
        CARAT_SHA_LAST(14, 2);
        CARAT_SHA_LAST(15, 3);
#undef CARAT_SHA_BOTH
#undef CARAT_SHA_LAST
        abef = _mm_add_epi32(abef, before[0]);
        cdgh = _mm_add_epi32(cdgh, before[1]);
        abef_2 = _mm_add_epi32(abef_2, before[2]);
        cdgh_2 = _mm_add_epi32(cdgh_2, before[3]);
    }
    CARAT_SHA_STORE(one, abef, cdgh);
    CARAT_SHA_STORE(two, abef_2, cdgh_2);
}
#endif

static carat_sha_two_blocks carat_sha_two_choice(int fast) {
#if defined(CARAT_SHA_NI)
    if (fast) return carat_sha_two_ni;
#endif
    (void)fast;
    return carat_sha_two_plain;
}

/* Hash `count` padded messages of `blocks` each, one behind the other, into as many hashes. */
static void carat_sha_many(carat_sha_blocks run, carat_sha_two_blocks both, const uint8_t *messages, size_t count,
                           size_t blocks, uint8_t *out, size_t out_step) {
    size_t i = 0, bytes = blocks * 64;
    for (; i + 2 <= count; i += 2) {
        uint32_t state[2][8];
        memcpy(state[0], CARAT_SHA_FIRST, sizeof state[0]);
        memcpy(state[1], CARAT_SHA_FIRST, sizeof state[1]);
        both(state[0], state[1], messages + i * bytes, messages + (i + 1) * bytes, blocks);
        for (int k = 0; k < 2; k++)
            for (int j = 0; j < 8; j++) {
                uint32_t word = __builtin_bswap32(state[k][j]);
                memcpy(out + (i + k) * out_step + 4 * j, &word, 4);
            }
    }
    if (i < count) carat_sha_padded(run, messages + i * bytes, blocks, out + i * out_step);
}

#endif
