/* CRC-32 (as zlib has it) and SHA-256 of a journal's frames: two frames at a time, with the processor's own
   instructions where it has them. Everything hashed is whole blocks of 64 bytes. */

#ifndef CARAT_FRAME_CHECKS_H
#define CARAT_FRAME_CHECKS_H

#include "sha256_two.h"

static uint32_t carat_crc_table[8][256];

static void carat_crc_prepare(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t word = i;
        for (int k = 0; k < 8; k++) word = word >> 1 ^ (word & 1 ? 0xEDB88320u : 0);
        carat_crc_table[0][i] = word;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            carat_crc_table[k][i] = carat_crc_table[k - 1][i] >> 8 ^ carat_crc_table[0][carat_crc_table[k - 1][i] & 255];
}

static uint32_t carat_crc_plain(const uint8_t *data, size_t bytes) {
    uint32_t crc = ~0u;
    for (; bytes; bytes -= 8, data += 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= crc;
        crc = carat_crc_table[7][low & 255] ^ carat_crc_table[6][low >> 8 & 255] ^ carat_crc_table[5][low >> 16 & 255] ^
              carat_crc_table[4][low >> 24] ^ carat_crc_table[3][high & 255] ^ carat_crc_table[2][high >> 8 & 255] ^
              carat_crc_table[1][high >> 16 & 255] ^ carat_crc_table[0][high >> 24];
    }
    return ~crc;
}

#if defined(CARAT_SHA_NI)
/* "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009): 64 bytes are folded at
   a time; the constants are the paper's for this polynomial. */
#define CARAT_FOLD(x, k, next)                                                                     \
    _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next)

__attribute__((target("pclmul,sse4.1")))
static uint32_t carat_crc_folded(const uint8_t *data, size_t bytes) {
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_4 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i polynomial = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i *at = (const __m128i *)data;
    __m128i x1 = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128(-1));
    __m128i x2 = _mm_loadu_si128(at + 1), x3 = _mm_loadu_si128(at + 2), x4 = _mm_loadu_si128(at + 3);
    for (bytes -= 64, at += 4; bytes >= 64; bytes -= 64, at += 4) {
        x1 = CARAT_FOLD(x1, by_64, _mm_loadu_si128(at));
        x2 = CARAT_FOLD(x2, by_64, _mm_loadu_si128(at + 1));
        x3 = CARAT_FOLD(x3, by_64, _mm_loadu_si128(at + 2));
        x4 = CARAT_FOLD(x4, by_64, _mm_loadu_si128(at + 3));
    }
    x1 = CARAT_FOLD(x1, by_16, x2);
    x1 = CARAT_FOLD(x1, by_16, x3);
    x1 = CARAT_FOLD(x1, by_16, x4);
    x2 = _mm_clmulepi64_si128(x1, by_16, 0x10);
    x1 = _mm_xor_si128(_mm_srli_si128(x1, 8), x2);
    x2 = _mm_srli_si128(x1, 4);
    x1 = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(x1, low), by_4, 0x00), x2);
    x2 = _mm_clmulepi64_si128(_mm_and_si128(x1, low), polynomial, 0x10);
    x2 = _mm_clmulepi64_si128(_mm_and_si128(x2, low), polynomial, 0x00);
    return ~(uint32_t)_mm_extract_epi32(_mm_xor_si128(x1, x2), 1);
}
#endif

/* Whether the processor has both instructions that are used here. */
static int carat_checks_are_fast(void) {
#if defined(CARAT_SHA_NI)
    unsigned a, b, c, d;
    return carat_sha_is_fast() && __get_cpuid(1, &a, &b, &c, &d) && (c >> 1 & 1);
#else
    return 0;
#endif
}

/* Of whole blocks of 64 bytes, one at least. */
static uint32_t carat_crc(const uint8_t *data, size_t bytes, int fast) {
#if defined(CARAT_SHA_NI)
    if (fast) return carat_crc_folded(data, bytes);
#endif
    (void)fast;
    return carat_crc_plain(data, bytes);
}

static void carat_sha_out(const uint32_t state[8], uint8_t out[32]) {
    for (int i = 0; i < 8; i++) {
        uint32_t word = __builtin_bswap32(state[i]);
        memcpy(out + 4 * i, &word, 4);
    }
}

/* SHA-256 of two messages of whole blocks; the second may be NULL. */
static void carat_sha_pair(const uint8_t *one, size_t one_blocks, const uint8_t *two, size_t two_blocks, int fast,
                           uint8_t *out_one, uint8_t *out_two) {
    carat_sha_blocks run = carat_sha_choice(fast);
    uint32_t state[2][8];
    uint8_t end[2][64];
    size_t both = two == NULL ? 0 : one_blocks < two_blocks ? one_blocks : two_blocks;
    memcpy(state[0], CARAT_SHA_FIRST, sizeof state[0]);
    memcpy(state[1], CARAT_SHA_FIRST, sizeof state[1]);
    if (both) carat_sha_two_choice(fast)(state[0], state[1], one, two, both);
    run(state[0], one + both * 64, one_blocks - both);
    if (two != NULL) run(state[1], two + both * 64, two_blocks - both);
    for (int k = 0; k < 2; k++) {
        uint64_t bits = (uint64_t)(k ? two_blocks : one_blocks) * 512;
        memset(end[k], 0, 64);
        end[k][0] = 0x80;
        for (int i = 0; i < 8; i++) end[k][63 - i] = (uint8_t)(bits >> 8 * i);
    }
    run(state[0], end[0], 1);
    carat_sha_out(state[0], out_one);
    if (two == NULL) return;
    run(state[1], end[1], 1);
    carat_sha_out(state[1], out_two);
}

#endif
