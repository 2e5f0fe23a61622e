#include "Instructions.h"

/// For each point of the rule the product over all players, from which each player's own factor is divided out again:
/// all factors are positive, so nothing cancels.
CFK_INLINE void fill_contributions_loop(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t index,
    const struct cfk_quadrature *quadrature, enum cfk_basis basis, const uint8_t *masks, size_t mask_stride,
    size_t count, double *values, size_t stride) {
    (void)instructions;
    enum { LANES = 8, VECTORS = 8, KEPT = CFK_MOST_TABULATED };
    const struct cfk_leaf leaf = paths->leaves[index];
    const double *ratios = paths->cover_ratios + leaf.first_player;
    for (size_t player = 0; player < leaf.player_count; player++) {
        for (size_t m = 0; m < count; m += LANES) *(cfk_doubles *)(values + player * stride + m) = (cfk_doubles){0};
    }
    for (size_t first = 0; first < count; first += LANES * VECTORS) {
        const size_t vectors = count - first < LANES * VECTORS ? (count - first) / LANES : VECTORS;
        // Who passes is needed for every point.
        cfk_longs kept[KEPT][VECTORS];
        for (size_t player = 0; player < leaf.player_count && player < KEPT; player++) {
            for (size_t i = 0; i < vectors; i++) {
                kept[player][i] = CFK_PASSES(masks + first + i * LANES, mask_stride, player);
            }
        }
        for (size_t q = 0; q < quadrature->count; q++) {
            const double point = quadrature->points[q];
            cfk_doubles products[VECTORS];
            for (size_t i = 0; i < vectors; i++) products[i] = (cfk_doubles){0} + leaf.value * quadrature->weights[q];
            for (size_t player = 0; player < leaf.player_count; player++) {
                const double failing = (1 - point) * ratios[player];
                const double passing = basis == CFK_EXACT ? point + failing : point;
                for (size_t i = 0; i < vectors; i++) {
                    const cfk_longs passes = player < KEPT
                        ? kept[player][i] : CFK_PASSES(masks + first + i * LANES, mask_stride, player);
                    products[i] *= CFK_SELECT(passes, passing, failing);
                }
            }
            for (size_t player = 0; player < leaf.player_count; player++) {
                const double failing = (1 - point) * ratios[player];
                const double passing = basis == CFK_EXACT ? point + failing : point;
                const double of_failing = 1 / failing, of_passing = 1 / passing;
                double *own = values + player * stride + first;
                for (size_t i = 0; i < vectors; i++) {
                    const cfk_longs passes = player < KEPT
                        ? kept[player][i] : CFK_PASSES(masks + first + i * LANES, mask_stride, player);
                    *(cfk_doubles *)(own + i * LANES) += products[i] * CFK_SELECT(passes, of_passing, of_failing);
                }
            }
        }
    }
    for (size_t player = 0; player < leaf.player_count; player++) {
        const double gain = basis == CFK_EXACT ? 1 - ratios[player] : 1;
        for (size_t m = 0; m < count; m += LANES) {
            *(cfk_doubles *)(values + player * stride + m) *=
                CFK_SELECT(CFK_PASSES(masks + m, mask_stride, player), gain, -ratios[player]);
        }
    }
}

CFK_COMPILE(
    fill_contributions,
    (const struct cfk_paths *paths, size_t index, const struct cfk_quadrature *quadrature, enum cfk_basis basis,
     const uint8_t *masks, size_t mask_stride, size_t count, double *values, size_t stride),
    paths, index, quadrature, basis, masks, mask_stride, count, values, stride)

void cfk_fill_contributions(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t leaf,
    const struct cfk_quadrature *quadrature, enum cfk_basis basis, const uint8_t *masks, size_t mask_stride,
    size_t count, double *values, size_t stride) {
    CFK_CHOOSE(fill_contributions, instructions)
    (paths, leaf, quadrature, basis, masks, mask_stride, count, values, stride);
}

/// Adding 3 * 2^51 leaves the rounded number in the low bits.
CFK_INLINE void round_loop(
    enum cfk_instructions instructions, const double *values, size_t count, double scale, int32_t *rounded) {
    (void)instructions;
    for (size_t i = 0; i < count; i += 8) {
        const cfk_doubles shifted = *(const cfk_doubles *)(values + i) * scale + 6755399441055744.0;
        *(cfk_ints *)(rounded + i) = __builtin_convertvector((cfk_longs)shifted, cfk_ints);
    }
}

CFK_COMPILE(
    round, (const double *values, size_t count, double scale, int32_t *rounded), values, count, scale, rounded)

void cfk_round(
    enum cfk_instructions instructions, const double *values, size_t count, double scale, int32_t *rounded) {
    CFK_CHOOSE(round, instructions)(values, count, scale, rounded);
}

CFK_INLINE void round_table_loop(
    enum cfk_instructions instructions, const double *values, size_t count, size_t player_count, double scale,
    int32_t *table) {
    if (!cfk_splits_tables(instructions, player_count)) {
        return round_loop(instructions, values, player_count * count, scale, table);
    }
    for (size_t player = 0; player < player_count; player++) {
        uint8_t *planes = (uint8_t *)(table + player * count);
        for (size_t m = 0; m < count; m += 8) {
            int32_t rounded[8];
            round_loop(instructions, values + player * count + m, 8, scale, rounded);
            for (size_t byte = 0; byte < 4; byte++) {
                for (size_t i = 0; i < 8; i++) {
                    planes[byte * count + m + i] = (uint8_t)((uint32_t)rounded[i] >> 8 * byte);
                }
            }
        }
    }
}

CFK_COMPILE(
    round_table,
    (const double *values, size_t count, size_t player_count, double scale, int32_t *table),
    values, count, player_count, scale, table)

void cfk_round_table(
    enum cfk_instructions instructions, const double *values, size_t count, size_t player_count, double scale,
    int32_t *table) {
    CFK_CHOOSE(round_table, instructions)(values, count, player_count, scale, table);
}

CFK_INLINE void round_wide_loop(
    enum cfk_instructions instructions, const double *values, size_t stride, size_t count, double scale,
    const uint32_t *players, size_t player_count, size_t width, int32_t *table) {
    for (size_t i = 0; i < count * width; i++) table[i] = 0;
    for (size_t player = 0; player < player_count; player++) {
        for (size_t m = 0; m < count; m += 8) {
            int32_t rounded[8];
            round_loop(instructions, values + player * stride + m, 8, scale, rounded);
            for (size_t i = 0; i < 8; i++) table[(m + i) * width + players[player]] = rounded[i];
        }
    }
}

CFK_COMPILE(
    round_wide,
    (const double *values, size_t stride, size_t count, double scale, const uint32_t *players, size_t player_count,
     size_t width, int32_t *table),
    values, stride, count, scale, players, player_count, width, table)

void cfk_round_wide(
    enum cfk_instructions instructions, const double *values, size_t stride, size_t count, double scale,
    const uint32_t *players, size_t player_count, size_t width, int32_t *table) {
    CFK_CHOOSE(round_wide, instructions)(values, stride, count, scale, players, player_count, width, table);
}

CFK_INLINE void sum_of_magnitudes_loop(
    enum cfk_instructions instructions, const int32_t *numbers, size_t count, int64_t *sum) {
    (void)instructions;
    cfk_longs sums = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const cfk_longs wide = __builtin_convertvector(*(const cfk_ints *)(numbers + i), cfk_longs);
        sums += (wide ^ wide >> 63) - (wide >> 63);
    }
    for (size_t lane = 0; lane < 8; lane++) *sum += sums[lane];
    for (; i < count; i++) *sum += numbers[i] < 0 ? -(int64_t)numbers[i] : numbers[i];
}

CFK_COMPILE(sum_of_magnitudes, (const int32_t *numbers, size_t count, int64_t *sum), numbers, count, sum)

int64_t cfk_sum_of_magnitudes(enum cfk_instructions instructions, const int32_t *numbers, size_t count) {
    int64_t sum = 0;
    CFK_CHOOSE(sum_of_magnitudes, instructions)(numbers, count, &sum);
    return sum;
}
