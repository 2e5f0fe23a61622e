#include "Segments.h"

#include "Instructions.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint64_t cfk_eight_words __attribute__((vector_size(64), aligned(8), may_alias));

// MARK: Planes

CFK_INLINE const uint8_t *word_bins(const uint8_t *bins, size_t block_stride, uint32_t column, size_t word) {
    const size_t each = CFK_ROWS / CFK_WORD_ROWS;
    return bins + word / each * block_stride + (size_t)column * CFK_ROWS + word % each * CFK_WORD_ROWS;
}

static uint64_t plane_word_portable(const uint8_t *bins, uint8_t last) {
    uint64_t word = 0;
    for (size_t byte = 0; byte < 8; byte++) {
        const cfk_eight_bytes own = *(const cfk_eight_bytes *)(bins + 8 * byte);
        // Each byte that holds keeps its own bit, and the product gathers the bits in its highest byte.
        const uint64_t holds = (uint64_t)(own <= (cfk_eight_bytes){0} + last) & 0x8040201008040201;
        word |= holds * 0x0101010101010101 >> 56 << 8 * byte;
    }
    return word;
}

#if defined(__x86_64__)
CFK_FOR_AVX2 CFK_INLINE uint64_t plane_word_avx2(const uint8_t *bins, uint8_t last) {
    const __m256i bound = _mm256_set1_epi8((char)last);
    const __m256i low = _mm256_loadu_si256((const __m256i *)bins);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(bins + 32));
    const uint32_t low_bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(low, bound), low));
    const uint32_t high_bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(high, bound), high));
    return low_bits | (uint64_t)high_bits << 32;
}

CFK_FOR_AVX512 CFK_INLINE uint64_t plane_word_avx512(const uint8_t *bins, uint8_t last) {
    return _mm512_cmple_epu8_mask(_mm512_loadu_si512(bins), _mm512_set1_epi8((char)last));
}
#endif

#define FILL_PLANES(plane_word) \
    for (size_t index = 0; index < bound_count; index++) { \
        const struct cfk_bound bound = bounds[index]; \
        for (size_t word = 0; word < word_count; word++) { \
            planes[index * CFK_WORDS + word] = \
                plane_word(word_bins(bins, block_stride, bound.column, word), bound.last); \
        } \
    }

typedef void fill_planes_function(
    const struct cfk_bound *bounds, size_t bound_count, const uint8_t *bins, size_t block_stride, size_t word_count,
    uint64_t *planes);

static void fill_planes_portable(
    const struct cfk_bound *bounds, size_t bound_count, const uint8_t *bins, size_t block_stride, size_t word_count,
    uint64_t *planes) {
    FILL_PLANES(plane_word_portable)
}

#if defined(__x86_64__)
CFK_FOR_AVX2 static void fill_planes_avx2(
    const struct cfk_bound *bounds, size_t bound_count, const uint8_t *bins, size_t block_stride, size_t word_count,
    uint64_t *planes) {
    FILL_PLANES(plane_word_avx2)
}

CFK_FOR_AVX512 static void fill_planes_avx512(
    const struct cfk_bound *bounds, size_t bound_count, const uint8_t *bins, size_t block_stride, size_t word_count,
    uint64_t *planes) {
    FILL_PLANES(plane_word_avx512)
}
#endif

void cfk_fill_planes(
    enum cfk_instructions instructions, const struct cfk_bound *bounds, size_t bound_count, const uint8_t *bins,
    size_t block_stride, size_t word_count, uint64_t *planes) {
    fill_planes_function *const fill = CFK_CHOOSE(fill_planes, instructions);
    fill(bounds, bound_count, bins, block_stride, word_count, planes);
}

/// The plane of each of a leaf's players: a bound's own, or what several say together.
CFK_INLINE void find_player_planes_loop(
    enum cfk_instructions instructions, const struct cfk_planes *planes, struct cfk_leaf leaf, size_t word_count,
    uint64_t *room, const uint64_t **own) {
    (void)instructions;
    for (size_t player = 0; player < leaf.player_count; player++, room += CFK_WORDS) {
        const uint32_t *starts = planes->starts + leaf.first_player + player;
        const uint32_t *references = planes->references + starts[0];
        const size_t count = starts[1] - starts[0];
        if (count == 1 && references[0] % 2 == 0) {
            own[player] = planes->words + (size_t)references[0] / 2 * CFK_WORDS;
            continue;
        }
        for (size_t word = 0; word < word_count; word += 8) {
            cfk_eight_words passing = ~(cfk_eight_words){0};
            for (size_t i = 0; i < count; i++) {
                const uint64_t *plane = planes->words + (size_t)references[i] / 2 * CFK_WORDS + word;
                passing &= *(const cfk_eight_words *)plane ^ -(uint64_t)(references[i] % 2);
            }
            *(cfk_eight_words *)(room + word) = passing;
        }
        own[player] = room;
    }
}

CFK_COMPILE(
    find_player_planes,
    (const struct cfk_planes *planes, struct cfk_leaf leaf, size_t word_count, uint64_t *room, const uint64_t **own),
    planes, leaf, word_count, room, own)

// MARK: Counts

/// Writes for each set of a leaf's players how many rows of a run pass at least for them.
typedef void count_sets_function(
    const uint64_t *const *own, size_t player_count, size_t first_word, size_t row_count, double *counts);

/// The planes of the players beyond the first few that are in a set.
CFK_INLINE size_t choose(const uint64_t *const *own, size_t set, size_t first_word, const uint64_t **chosen) {
    size_t count = 0;
    for (; set > 0; set >>= 1, own++) {
        if (set & 1) chosen[count++] = *own + first_word;
    }
    return count;
}

/// Word by word, the sets of the first three players side by side.
CFK_INLINE void count_sets_loop(
    enum cfk_instructions instructions, const uint64_t *const *own, size_t player_count, size_t first_word,
    size_t row_count, double *counts) {
    (void)instructions;
    const uint64_t *first = own[0] + first_word, *second = own[1] + first_word, *third = own[2] + first_word;
    const size_t set_count = player_count > 3 ? (size_t)1 << (player_count - 3) : 1;
    for (size_t set = 0; set < set_count; set++, counts += 8) {
        const uint64_t *chosen[CFK_MOST_PLANES];
        const size_t chosen_count = choose(own + 3, set, first_word, chosen);
        uint64_t sums[8] = {0};
        for (size_t word = 0, left = row_count; left > 0; word++) {
            uint64_t rows = left < CFK_WORD_ROWS ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
            left -= left < CFK_WORD_ROWS ? left : CFK_WORD_ROWS;
            for (size_t i = 0; i < chosen_count; i++) rows &= chosen[i][word];
            const uint64_t one = rows & first[word], two = rows & second[word], both = one & second[word];
            sums[0] += (uint64_t)__builtin_popcountll(rows);
            sums[1] += (uint64_t)__builtin_popcountll(one);
            sums[2] += (uint64_t)__builtin_popcountll(two);
            sums[3] += (uint64_t)__builtin_popcountll(both);
            sums[4] += (uint64_t)__builtin_popcountll(rows & third[word]);
            sums[5] += (uint64_t)__builtin_popcountll(one & third[word]);
            sums[6] += (uint64_t)__builtin_popcountll(two & third[word]);
            sums[7] += (uint64_t)__builtin_popcountll(both & third[word]);
        }
        for (size_t i = 0; i < 8; i++) counts[i] = (double)(int64_t)sums[i];
    }
}

CFK_COMPILE(
    count_sets,
    (const uint64_t *const *own, size_t player_count, size_t first_word, size_t row_count, double *counts),
    own, player_count, first_word, row_count, counts)

#if defined(__x86_64__)
#define FOR_VECTOR_COUNTS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))

/// The sums of eight vectors' lanes.
FOR_VECTOR_COUNTS CFK_INLINE __m512i sums_of_lanes(const __m512i *vectors) {
    __m512i pairs[4], fours[2];
    for (size_t i = 0; i < 4; i++) {
        const __m512i even = vectors[2 * i], odd = vectors[2 * i + 1];
        pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
    }
    for (size_t i = 0; i < 2; i++) {
        const __m512i low = pairs[2 * i], high = pairs[2 * i + 1];
        fours[i] = _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88), _mm512_shuffle_i64x2(low, high, 0xdd));
    }
    return _mm512_add_epi64(
        _mm512_shuffle_i64x2(fours[0], fours[1], 0x88), _mm512_shuffle_i64x2(fours[0], fours[1], 0xdd));
}

/// Eight words at a time, the sets of the first `low` players (3 or 4, a constant) side by side in registers.
FOR_VECTOR_COUNTS CFK_INLINE void count_sets_of(
    size_t low, const uint64_t *const *own, const uint64_t *const *chosen, size_t chosen_count, size_t first_word,
    size_t row_count, double *counts) {
    __m512i sums[16];
    for (size_t i = 0; i < (size_t)1 << low; i++) sums[i] = _mm512_setzero_si512();
    const __m512i starts = _mm512_set_epi64(448, 384, 320, 256, 192, 128, 64, 0);
    for (size_t first = 0; first < row_count; first += 8 * CFK_WORD_ROWS) {
        const size_t word = first / CFK_WORD_ROWS, words = (row_count - first + CFK_WORD_ROWS - 1) / CFK_WORD_ROWS;
        const __mmask8 present = words < 8 ? (__mmask8)((1u << words) - 1) : 0xff;
        // A word with r rows keeps its lowest r bits.
        const __m512i left = _mm512_sub_epi64(_mm512_set1_epi64((int64_t)(row_count - first)), starts);
        const __m512i empty = _mm512_max_epi64(
            _mm512_sub_epi64(_mm512_set1_epi64(CFK_WORD_ROWS), left), _mm512_setzero_si512());
        __m512i rows[16];
        rows[0] = _mm512_srlv_epi64(_mm512_set1_epi64(-1), empty);
        for (size_t i = 0; i < chosen_count; i++) {
            rows[0] = _mm512_and_si512(rows[0], _mm512_maskz_loadu_epi64(present, chosen[i] + word));
        }
        sums[0] = _mm512_add_epi64(sums[0], _mm512_popcnt_epi64(rows[0]));
        for (size_t player = 0; player < low; player++) {
            const __m512i plane = _mm512_maskz_loadu_epi64(present, own[player] + first_word + word);
            const size_t size = (size_t)1 << player;
            for (size_t i = 0; i < size; i++) {
                rows[size + i] = _mm512_and_si512(rows[i], plane);
                sums[size + i] = _mm512_add_epi64(sums[size + i], _mm512_popcnt_epi64(rows[size + i]));
            }
        }
    }
    for (size_t i = 0; i < (size_t)1 << low; i += 8) {
        _mm512_storeu_pd(counts + i, _mm512_cvtepi64_pd(sums_of_lanes(sums + i)));
    }
}

FOR_VECTOR_COUNTS static void count_sets_by_vectors(
    const uint64_t *const *own, size_t player_count, size_t first_word, size_t row_count, double *counts) {
    if (player_count <= 3) return count_sets_of(3, own, NULL, 0, first_word, row_count, counts);
    for (size_t set = 0; set < (size_t)1 << (player_count - 4); set++) {
        const uint64_t *chosen[CFK_MOST_PLANES];
        const size_t chosen_count = choose(own + 4, set, first_word, chosen);
        count_sets_of(4, own, chosen, chosen_count, first_word, row_count, counts + 16 * set);
    }
}
#endif

/// How sets are counted by planes, and the most players for which that is faster than by masks.
struct counting {
    count_sets_function *count;
    size_t most_players;
};

static struct counting counting_for(enum cfk_instructions instructions) {
#if defined(__x86_64__)
    if (instructions == CFK_AVX512 && __builtin_cpu_supports("avx512vpopcntdq")) {
        return (struct counting){count_sets_by_vectors, 8};
    }
#endif
    return (struct counting){CFK_CHOOSE(count_sets, instructions), instructions == CFK_PORTABLE ? 5 : 6};
}

/// Writes the same counts from the masks of a leaf's rows, those of block b at `masks + b * 2 * CFK_ROWS`.
CFK_INLINE void count_masks_loop(
    enum cfk_instructions instructions, const uint8_t *masks, size_t player_count, size_t first_row, size_t row_count,
    double *counts) {
    (void)instructions;
    enum { TALLIES = 1 << CFK_MOST_COUNTED, WAYS = 4 };
    uint32_t tallies[TALLIES];
    const size_t size = (size_t)1 << player_count;
    for (size_t i = 0; i < (player_count > 8 ? size : WAYS * size); i++) tallies[i] = 0;
    for (size_t row = first_row; row < first_row + row_count;) {
        const size_t in_block = row % CFK_ROWS, left = first_row + row_count - row;
        const size_t count = left < CFK_ROWS - in_block ? left : CFK_ROWS - in_block;
        const uint8_t *own = masks + row / CFK_ROWS * 2 * CFK_ROWS + in_block;
        if (player_count > 8) {
            for (size_t i = 0; i < count; i++) tallies[own[i] | (size_t)own[CFK_ROWS + i] << 8]++;
        } else {
            // Rows often have the same mask: what follows on an addition to a tally would wait for it.
            for (size_t i = 0; i < count; i++) tallies[i % WAYS * size + own[i]]++;
        }
        row += count;
    }
    for (size_t way = 1; way < WAYS && player_count <= 8; way++) {
        for (size_t i = 0; i < size; i++) tallies[i] += tallies[way * size + i];
    }
    // A set's count is that of all masks which contain it.
    for (size_t bit = 1; bit < size; bit *= 2) {
        for (size_t without = 0; without < size; without += 2 * bit) {
            for (size_t i = without; i < without + bit; i++) tallies[i] += tallies[i + bit];
        }
    }
    for (size_t i = 0; i < size; i++) counts[i] = (double)(int32_t)tallies[i];
}

CFK_COMPILE(
    count_masks,
    (const uint8_t *masks, size_t player_count, size_t first_row, size_t row_count, double *counts),
    masks, player_count, first_row, row_count, counts)

// MARK: Sums

CFK_INLINE double sum_of_eight(const cfk_doubles *numbers) {
    const double *n = (const double *)numbers;
    return ((n[0] + n[4]) + (n[2] + n[6])) + ((n[1] + n[5]) + (n[3] + n[7]));
}

CFK_INLINE void add_products_loop(
    enum cfk_instructions instructions, const double *counts, const double *table, size_t player_count,
    const uint32_t *players, double *sums) {
    (void)instructions;
    const size_t size = player_count > 3 ? (size_t)1 << player_count : 8, stride = player_count > 3 ? size : 16;
    for (size_t player = 0; player < player_count; player++, table += stride) {
        cfk_doubles sum = {0};
        for (size_t i = 0; i < size; i += 8) {
            sum += *(const cfk_doubles *)(counts + i) * *(const cfk_doubles *)(table + i);
        }
        sums[players[player]] += sum_of_eight(&sum);
    }
}

CFK_COMPILE(
    add_products,
    (const double *counts, const double *table, size_t player_count, const uint32_t *players, double *sums),
    counts, table, player_count, players, sums)

void cfk_add_segments(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t leaf_index,
    const struct cfk_planes *planes, const uint8_t *bins, size_t block_stride, const struct cfk_run *runs,
    size_t run_count, const double *table, double *sums, size_t stride) {
    if (run_count == 0) return;
    const struct cfk_leaf leaf = paths->leaves[leaf_index];
    const struct cfk_run last = runs[run_count - 1];
    const size_t word_count = last.first_word + (last.row_count + CFK_WORD_ROWS - 1) / CFK_WORD_ROWS;
    const struct counting counting = counting_for(instructions);
    const int by_planes = leaf.player_count <= counting.most_players;

    static const uint64_t nobody[CFK_WORDS];
    uint64_t room[CFK_MOST_PLANES * CFK_WORDS];
    const uint64_t *own[CFK_MOST_PLANES];
    uint8_t masks[2 * CFK_ROWS * CFK_WORD_BLOCKS];
    if (by_planes) {
        CFK_CHOOSE(find_player_planes, instructions)(planes, leaf, word_count, room, own);
        for (size_t player = leaf.player_count; player < 3; player++) own[player] = nobody;
    } else {
        for (size_t block = 0; block * CFK_ROWS < word_count * CFK_WORD_ROWS; block++) {
            cfk_fill_masks(instructions, paths, leaf_index, bins + block * block_stride, masks + block * 2 * CFK_ROWS);
        }
    }
    double counts[1 << CFK_MOST_COUNTED];
    for (size_t index = 0; index < run_count; index++) {
        const struct cfk_run run = runs[index];
        if (by_planes) {
            counting.count(own, leaf.player_count, run.first_word, run.row_count, counts);
        } else {
            CFK_CHOOSE(count_masks, instructions)
            (masks, leaf.player_count, (size_t)run.first_word * CFK_WORD_ROWS, run.row_count, counts);
        }
        CFK_CHOOSE(add_products, instructions)
        (counts, table, leaf.player_count, paths->players + leaf.first_player, sums + run.segment * stride);
    }
}

CFK_INLINE void add_up_loop(enum cfk_instructions instructions, const double *values, size_t count, double *total) {
    (void)instructions;
    cfk_doubles sum = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8) sum += *(const cfk_doubles *)(values + i);
    for (size_t lane = 0; i + lane < count; lane++) sum[lane] += values[i + lane];
    *total = sum_of_eight(&sum);
}

CFK_COMPILE(add_up, (const double *values, size_t count, double *total), values, count, total)

double cfk_sum(enum cfk_instructions instructions, const double *values, size_t count) {
    double total = 0;
    CFK_CHOOSE(add_up, instructions)(values, count, &total);
    return total;
}
