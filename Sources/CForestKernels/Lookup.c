#include "Instructions.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Adds the entries of a leaf's tables at a block's masks to its players' sums.
typedef void add_fixed_function(
    const int32_t *restrict table, size_t player_count, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums);

/// Numbers in the table of one of g players.
CFK_INLINE size_t table_size(size_t player_count) { return player_count > 4 ? (size_t)1 << player_count : 16; }

CFK_INLINE size_t mask_at(const uint8_t *masks, size_t player_count, size_t row) {
    return player_count > 8 ? masks[row] | (size_t)masks[CFK_ROWS + row] << 8 : masks[row];
}

// Sums may wrap on the way: the caller's scale makes the last ones fit.
static void add_fixed_portable(
    const int32_t *restrict table, size_t player_count, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    for (size_t position = 0; position < player_count; position++, table += table_size(player_count)) {
        uint32_t *restrict own = (uint32_t *)sums + (size_t)players[position] * CFK_ROWS;
        if (player_count > 8) {
            for (size_t row = 0; row < CFK_ROWS; row++) own[row] += (uint32_t)table[mask_at(masks, 9, row)];
        } else {
            for (size_t row = 0; row < CFK_ROWS; row++) own[row] += (uint32_t)table[masks[row]];
        }
    }
}

#if defined(__x86_64__)
#define INLINE_AVX2 CFK_FOR_AVX2 CFK_INLINE
#define INLINE_AVX512 CFK_FOR_AVX512 CFK_INLINE

// Tables of 8 numbers are looked up by one permutation, larger ones by choosing between the halves' results.
INLINE_AVX2 __m256i look8(const int32_t *table, __m256i masks) {
    return _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)table), masks);
}

INLINE_AVX2 __m256i choose8(__m256i masks, int bit, __m256i low, __m256i high) {
    // The bit that chooses is moved to the sign, which the blend goes by.
    const __m256 sign = _mm256_castsi256_ps(_mm256_slli_epi32(masks, 31 - bit));
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), sign));
}

INLINE_AVX2 __m256i look16(const int32_t *table, __m256i masks) {
    return choose8(masks, 3, look8(table, masks), look8(table + 8, masks));
}

INLINE_AVX2 __m256i look32(const int32_t *table, __m256i masks) {
    return choose8(masks, 4, look16(table, masks), look16(table + 16, masks));
}

INLINE_AVX2 __m256i look64(const int32_t *table, __m256i masks) {
    return choose8(masks, 5, look32(table, masks), look32(table + 32, masks));
}

INLINE_AVX2 __m256i gather8(const int32_t *table, __m256i masks) { return _mm256_i32gather_epi32(table, masks, 4); }

INLINE_AVX2 __m256i one_byte8(const uint8_t *masks) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)masks));
}

INLINE_AVX2 __m256i two_bytes8(const uint8_t *masks) {
    return _mm256_or_si256(one_byte8(masks), _mm256_slli_epi32(one_byte8(masks + CFK_ROWS), 8));
}

#define EACH_PLAYER_AND_8_ROWS(load, look) \
    for (size_t position = 0; position < player_count; position++, table += table_size(player_count)) { \
        int32_t *restrict own = sums + (size_t)players[position] * CFK_ROWS; \
        for (size_t row = 0; row < CFK_ROWS; row += 8) { \
            __m256i *sum = (__m256i *)(own + row); \
            _mm256_storeu_si256(sum, _mm256_add_epi32(_mm256_loadu_si256(sum), look(table, load(masks + row)))); \
        } \
    }

CFK_FOR_AVX2 static void add_fixed_avx2(
    const int32_t *restrict table, size_t player_count, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    switch (player_count) {
    case 0: case 1: case 2: case 3: EACH_PLAYER_AND_8_ROWS(one_byte8, look8) break;
    case 4: EACH_PLAYER_AND_8_ROWS(one_byte8, look16) break;
    case 5: EACH_PLAYER_AND_8_ROWS(one_byte8, look32) break;
    case 6: EACH_PLAYER_AND_8_ROWS(one_byte8, look64) break;
    case 7: case 8: EACH_PLAYER_AND_8_ROWS(one_byte8, gather8) break;
    default: EACH_PLAYER_AND_8_ROWS(two_bytes8, gather8)
    }
}

// The same with permutations of 16 and 32 numbers.
INLINE_AVX512 __m512i permute16(const int32_t *table, __m512i masks) {
    return _mm512_permutexvar_epi32(masks, _mm512_loadu_si512(table));
}

INLINE_AVX512 __m512i permute32(const int32_t *table, __m512i masks) {
    return _mm512_permutex2var_epi32(_mm512_loadu_si512(table), masks, _mm512_loadu_si512(table + 16));
}

INLINE_AVX512 __m512i choose16(__m512i masks, int bit, __m512i low, __m512i high) {
    return _mm512_mask_blend_epi32(_mm512_test_epi32_mask(masks, _mm512_set1_epi32(1 << bit)), low, high);
}

INLINE_AVX512 __m512i permute64(const int32_t *table, __m512i masks) {
    return choose16(masks, 5, permute32(table, masks), permute32(table + 32, masks));
}

INLINE_AVX512 __m512i permute128(const int32_t *table, __m512i masks) {
    return choose16(masks, 6, permute64(table, masks), permute64(table + 64, masks));
}

INLINE_AVX512 __m512i permute256(const int32_t *table, __m512i masks) {
    return choose16(masks, 7, permute128(table, masks), permute128(table + 128, masks));
}

INLINE_AVX512 __m512i gather16(const int32_t *table, __m512i masks) { return _mm512_i32gather_epi32(masks, table, 4); }

INLINE_AVX512 __m512i one_byte16(const uint8_t *masks) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)masks));
}

INLINE_AVX512 __m512i two_bytes16(const uint8_t *masks) {
    return _mm512_or_si512(one_byte16(masks), _mm512_slli_epi32(one_byte16(masks + CFK_ROWS), 8));
}

#define EACH_PLAYER_AND_16_ROWS(load, look) \
    for (size_t position = 0; position < player_count; position++, table += table_size(player_count)) { \
        int32_t *restrict own = sums + (size_t)players[position] * CFK_ROWS; \
        for (size_t row = 0; row < CFK_ROWS; row += 16) { \
            int32_t *sum = own + row; \
            _mm512_storeu_si512(sum, _mm512_add_epi32(_mm512_loadu_si512(sum), look(table, load(masks + row)))); \
        } \
    }

CFK_FOR_AVX512 static void add_fixed_avx512(
    const int32_t *restrict table, size_t player_count, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    switch (player_count) {
    case 0: case 1: case 2: case 3: case 4: EACH_PLAYER_AND_16_ROWS(one_byte16, permute16) break;
    case 5: EACH_PLAYER_AND_16_ROWS(one_byte16, permute32) break;
    case 6: EACH_PLAYER_AND_16_ROWS(one_byte16, permute64) break;
    case 7: EACH_PLAYER_AND_16_ROWS(one_byte16, permute128) break;
    case 8: EACH_PLAYER_AND_16_ROWS(one_byte16, permute256) break;
    default: EACH_PLAYER_AND_16_ROWS(two_bytes16, gather16)
    }
}
#endif

#if defined(__x86_64__)
#define FOR_BYTES __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))

// One byte of the entries at 64 masks, given in a low and a high byte.
FOR_BYTES CFK_INLINE __m512i bytes64(const uint8_t *plane, __m512i low, __m512i high) {
    (void)high;
    return _mm512_permutexvar_epi8(low, _mm512_loadu_si512(plane));
}

FOR_BYTES CFK_INLINE __m512i bytes128(const uint8_t *plane, __m512i low, __m512i high) {
    (void)high;
    return _mm512_permutex2var_epi8(_mm512_loadu_si512(plane), low, _mm512_loadu_si512(plane + 64));
}

FOR_BYTES CFK_INLINE __m512i bytes256(const uint8_t *plane, __m512i low, __m512i high) {
    return _mm512_mask_blend_epi8(
        _mm512_movepi8_mask(low), bytes128(plane, low, high), bytes128(plane + 128, low, high));
}

FOR_BYTES CFK_INLINE __m512i bytes512(const uint8_t *plane, __m512i low, __m512i high) {
    return _mm512_mask_blend_epi8(
        _mm512_test_epi8_mask(high, _mm512_set1_epi8(1)), bytes256(plane, low, high),
        bytes256(plane + 256, low, high));
}

FOR_BYTES CFK_INLINE __m512i look_up_bytes(size_t player_count, const uint8_t *plane, __m512i low, __m512i high) {
    return player_count == 6   ? bytes64(plane, low, high)
           : player_count == 7 ? bytes128(plane, low, high)
           : player_count == 8 ? bytes256(plane, low, high)
                               : bytes512(plane, low, high);
}

/// For 6 to 9 players (a constant).
FOR_BYTES CFK_INLINE void add_bytes(
    size_t player_count, const int32_t *restrict table, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    enum { VECTORS = CFK_ROWS / 64 };
    // Bytes are put together within lanes of 16; rows are so ordered that the numbers then are in their order.
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    __m512i low[VECTORS], high[VECTORS];
    for (size_t i = 0; i < VECTORS; i++) {
        low[i] = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(masks + 64 * i));
        high[i] = player_count > 8 ? _mm512_permutexvar_epi32(order, _mm512_loadu_si512(masks + CFK_ROWS + 64 * i))
                                   : low[i];
    }
    const size_t size = (size_t)1 << player_count;
    for (size_t position = 0; position < player_count; position++, table += size) {
        const uint8_t *planes = (const uint8_t *)table;
        int32_t *restrict own = sums + (size_t)players[position] * CFK_ROWS;
        for (size_t i = 0; i < VECTORS; i++) {
            __m512i bytes[4];
            for (size_t byte = 0; byte < 4; byte++) {
                bytes[byte] = look_up_bytes(player_count, planes + byte * size, low[i], high[i]);
            }
            const __m512i halves[4] = {
                _mm512_unpacklo_epi8(bytes[0], bytes[1]), _mm512_unpacklo_epi8(bytes[2], bytes[3]),
                _mm512_unpackhi_epi8(bytes[0], bytes[1]), _mm512_unpackhi_epi8(bytes[2], bytes[3])};
            for (size_t half = 0; half < 2; half++) {
                __m512i *sum = (__m512i *)(own + 64 * i + 32 * half);
                const __m512i first = _mm512_unpacklo_epi16(halves[2 * half], halves[2 * half + 1]);
                const __m512i second = _mm512_unpackhi_epi16(halves[2 * half], halves[2 * half + 1]);
                _mm512_storeu_si512(sum, _mm512_add_epi32(_mm512_loadu_si512(sum), first));
                _mm512_storeu_si512(sum + 1, _mm512_add_epi32(_mm512_loadu_si512(sum + 1), second));
            }
        }
    }
}

FOR_BYTES static void add_fixed_bytes(
    const int32_t *restrict table, size_t player_count, const uint32_t *restrict players,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    switch (player_count) {
    case 6: return add_bytes(6, table, players, masks, sums);
    case 7: return add_bytes(7, table, players, masks, sums);
    case 8: return add_bytes(8, table, players, masks, sums);
    default: return add_bytes(9, table, players, masks, sums);
    }
}
#else
static add_fixed_function *const add_fixed_bytes = add_fixed_portable;
#endif

typedef uint32_t cfk_sixteen __attribute__((vector_size(64), aligned(4), may_alias));

CFK_INLINE void add_wide_loop(
    enum cfk_instructions instructions, const int32_t *restrict table, size_t player_count, size_t width,
    const uint8_t *restrict masks, int32_t *restrict sums) {
    (void)instructions;
    for (size_t row = 0; row < CFK_ROWS; row++, sums += width) {
        const int32_t *entries = table + mask_at(masks, player_count, row) * width;
        for (size_t i = 0; i < width; i += 16) *(cfk_sixteen *)(sums + i) += *(const cfk_sixteen *)(entries + i);
    }
}

CFK_COMPILE(
    add_wide,
    (const int32_t *restrict table, size_t player_count, size_t width, const uint8_t *restrict masks,
     int32_t *restrict sums),
    table, player_count, width, masks, sums)

void cfk_add_fixed(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const int32_t *tables, const uint32_t *starts, const uint8_t *bins, struct cfk_wide wide, int32_t *sums) {
    add_fixed_function *const add = CFK_CHOOSE(add_fixed, instructions);
    int32_t *wide_sums = sums + wide.player_count * CFK_ROWS;
    uint8_t masks[CFK_MOST_TABULATED / 8 * CFK_ROWS];
    for (size_t index = 0; index < count; index++) {
        const struct cfk_leaf leaf = paths->leaves[first + index];
        const int32_t *table = tables + starts[index];
        cfk_fill_masks(instructions, paths, first + index, bins, masks);
        if (leaf.player_count >= wide.least_players) {
            CFK_CHOOSE(add_wide, instructions)(table, leaf.player_count, wide.width, masks, wide_sums);
        } else {
            add_fixed_function *const own = cfk_splits_tables(instructions, leaf.player_count) ? add_fixed_bytes : add;
            own(table, leaf.player_count, paths->players + leaf.first_player, masks, sums);
        }
    }
}

void cfk_add_wide_sums(struct cfk_wide wide, int32_t *sums) {
    const int32_t *wide_sums = sums + wide.player_count * CFK_ROWS;
    for (size_t row = 0; row < CFK_ROWS && wide.width > 0; row++) {
        for (size_t player = 0; player < wide.player_count; player++) {
            uint32_t *sum = (uint32_t *)sums + player * CFK_ROWS + row;
            *sum += (uint32_t)wide_sums[row * wide.width + player];
        }
    }
}

void cfk_add_double(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const double *tables, const uint32_t *starts, const uint8_t *bins, double *sums) {
    uint8_t masks[CFK_MOST_TABULATED / 8 * CFK_ROWS];
    for (size_t index = 0; index < count; index++) {
        const struct cfk_leaf leaf = paths->leaves[first + index];
        const double *restrict table = tables + starts[index];
        cfk_fill_masks(instructions, paths, first + index, bins, masks);
        for (size_t position = 0; position < leaf.player_count; position++, table += table_size(leaf.player_count)) {
            double *restrict own = sums + (size_t)paths->players[leaf.first_player + position] * CFK_ROWS;
            if (leaf.player_count > 8) {
                for (size_t row = 0; row < CFK_ROWS; row++) own[row] += table[mask_at(masks, 9, row)];
            } else {
                for (size_t row = 0; row < CFK_ROWS; row++) own[row] += table[masks[row]];
            }
        }
    }
}
