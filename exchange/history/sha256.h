/* SHA-256 (FIPS 180-4) for the tape: whole blocks, the caller pads. Uses the processor's own instructions where it
   has them, which is looked up once at run time; tests hold both ways against hashlib. */

#ifndef CARAT_SHA256_H
#define CARAT_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define CARAT_SHA_NI 1
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t CARAT_SHA_FIRST[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t CARAT_SHA_K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t carat_sha_turn(uint32_t x, int by) { return (x >> by) | (x << (32 - by)); }

static void carat_sha_plain(uint32_t state[8], const uint8_t *data, size_t blocks) {
    uint32_t w[64];
    for (; blocks; blocks--, data += 64) {
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8 |
                   data[4 * i + 3];
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = carat_sha_turn(w[i - 15], 7) ^ carat_sha_turn(w[i - 15], 18) ^ (w[i - 15] >> 3);
            uint32_t s1 = carat_sha_turn(w[i - 2], 17) ^ carat_sha_turn(w[i - 2], 19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t s1 = carat_sha_turn(e, 6) ^ carat_sha_turn(e, 11) ^ carat_sha_turn(e, 25);
            uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + CARAT_SHA_K[i] + w[i];
            uint32_t s0 = carat_sha_turn(a, 2) ^ carat_sha_turn(a, 13) ^ carat_sha_turn(a, 22);
            uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(CARAT_SHA_NI)
/* Everything has a name of its own, none is an element of an array: so that all of it stays in registers. */
#define CARAT_SHA_LOAD(state, abef, cdgh)                                                     \
    do {                                                                                      \
        __m128i words_ = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state)), 0xB1);  \
        cdgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)((state) + 4)), 0x1B);      \
        abef = _mm_alignr_epi8(words_, cdgh, 8);                                              \
        cdgh = _mm_blend_epi16(cdgh, words_, 0xF0);                                           \
    } while (0)

#define CARAT_SHA_STORE(state, abef, cdgh)                                                    \
    do {                                                                                      \
        __m128i words_ = _mm_shuffle_epi32(abef, 0x1B);                                       \
        __m128i other_ = _mm_shuffle_epi32(cdgh, 0xB1);                                       \
        _mm_storeu_si128((__m128i *)(state), _mm_blend_epi16(words_, other_, 0xF0));          \
        _mm_storeu_si128((__m128i *)((state) + 4), _mm_alignr_epi8(other_, words_, 8));       \
    } while (0)

#define CARAT_SHA_WORDS(data, i) _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data) + (i)), swap)

/* Four rounds with the words of w0; */
#define CARAT_SHA_FOUR(i, abef, cdgh, w0)                                                     \
    do {                                                                                      \
        __m128i round_ = _mm_add_epi32(w0, _mm_load_si128((const __m128i *)CARAT_SHA_K + (i)));   \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, round_);                                     \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(round_, 0x0E));            \
    } while (0)

/* and the words that come four steps later in their place. */
#define CARAT_SHA_NEXT(w0, w1, w2, w3)                                                        \
    w0 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3)

#define CARAT_SHA_STEP(i, abef, cdgh, w0, w1, w2, w3)                                         \
    do {                                                                                      \
        CARAT_SHA_FOUR(i, abef, cdgh, w0);                                                    \
        CARAT_SHA_NEXT(w0, w1, w2, w3);                                                       \
    } while (0)

__attribute__((target("sha,sse4.1,ssse3")))
static void carat_sha_ni(uint32_t state[8], const uint8_t *data, size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef, cdgh; /* the instructions want the eight words so */
    CARAT_SHA_LOAD(state, abef, cdgh);
    for (; blocks; blocks--, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w0 = CARAT_SHA_WORDS(data, 0), w1 = CARAT_SHA_WORDS(data, 1);
        __m128i w2 = CARAT_SHA_WORDS(data, 2), w3 = CARAT_SHA_WORDS(data, 3);
#define CARAT_SHA_ROW(i)                                \
    CARAT_SHA_STEP(i, abef, cdgh, w0, w1, w2, w3);      \
    CARAT_SHA_STEP((i) + 1, abef, cdgh, w1, w2, w3, w0); \
    CARAT_SHA_STEP((i) + 2, abef, cdgh, w2, w3, w0, w1); \
    CARAT_SHA_STEP((i) + 3, abef, cdgh, w3, w0, w1, w2)
        CARAT_SHA_ROW(0);
        CARAT_SHA_ROW(4);
        CARAT_SHA_ROW(8);
#undef CARAT_SHA_ROW
        CARAT_SHA_FOUR(12, abef, cdgh, w0);
        CARAT_SHA_FOUR(13, abef, cdgh, w1);
        CARAT_SHA_FOUR(14, abef, cdgh, w2);
        CARAT_SHA_FOUR(15, abef, cdgh, w3);
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    CARAT_SHA_STORE(state, abef, cdgh);
}
#endif

typedef void (*carat_sha_blocks)(uint32_t state[8], const uint8_t *data, size_t blocks);

/* Whether the processor has instructions for it that are used here. */
static int carat_sha_is_fast(void) {
#if defined(CARAT_SHA_NI)
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 19 & 1) || !(c >> 9 & 1)) return 0; /* SSE4.1, SSSE3 */
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
#else
    return 0;
#endif
}

static carat_sha_blocks carat_sha_choice(int fast) {
#if defined(CARAT_SHA_NI)
    if (fast) return carat_sha_ni;
#endif
    (void)fast;
    return carat_sha_plain;
}

/* Write the tail that FIPS 180-4 asks for behind `length` bytes of a message: into the last of its `blocks`. */
static void carat_sha_pad(uint8_t *message, size_t length, size_t blocks) {
    uint64_t bits = (uint64_t)length * 8;
    memset(message + length, 0, blocks * 64 - length);
    message[length] = 0x80;
    for (int i = 0; i < 8; i++) message[blocks * 64 - 1 - i] = (uint8_t)(bits >> 8 * i);
}

static inline void carat_sha_padded(carat_sha_blocks run, const uint8_t *message, size_t blocks, uint8_t out[32]) {
    uint32_t state[8];
    memcpy(state, CARAT_SHA_FIRST, sizeof state);
    run(state, message, blocks);
    for (int i = 0; i < 8; i++) {
        uint32_t word = __builtin_bswap32(state[i]);
        memcpy(out + 4 * i, &word, 4);
    }
}

#endif
