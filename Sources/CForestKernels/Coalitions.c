#include "Instructions.h"

_Static_assert(sizeof(cfk_doubles) == CFK_LANES * sizeof(double), "a vector has one number for each lane");

#define VECTOR(numbers, index) (((cfk_doubles *)(numbers))[index])
#define CONSTANT_VECTOR(numbers, index) (((const cfk_doubles *)(numbers))[index])

CFK_INLINE void add_coefficients_loop(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const struct cfk_masks *masks, size_t row, const uint16_t *coalitions, const uint32_t *coalition_starts,
    double *scratch, double *coefficients) {
    (void)instructions;
    for (size_t index = first; index < first + count; index++) {
        const struct cfk_leaf leaf = paths->leaves[index];
        const uint8_t *own = masks->bytes + (size_t)masks->starts[index] * CFK_ROWS + row;
        size_t size = 1;
        VECTOR(scratch, 0) = (cfk_doubles){0} + leaf.value;
        for (size_t player = 0; player < leaf.player_count; player++) {
            const double ratio = paths->cover_ratios[leaf.first_player + player];
            const cfk_doubles gain = CFK_SELECT(CFK_PASSES(own, CFK_ROWS, player), 1 - ratio, -ratio);
            for (size_t subset = 0; subset < size; subset++) {
                VECTOR(scratch, size + subset) = VECTOR(scratch, subset) * gain;
                VECTOR(scratch, subset) *= ratio;
            }
            size *= 2;
        }
        const uint16_t *own_coalitions = coalitions + coalition_starts[index];
        for (size_t subset = 0; subset < size; subset++) {
            VECTOR(coefficients, own_coalitions[subset]) += VECTOR(scratch, subset);
        }
    }
}

CFK_COMPILE(
    add_coefficients,
    (const struct cfk_paths *paths, size_t first, size_t count, const struct cfk_masks *masks, size_t row,
     const uint16_t *coalitions, const uint32_t *coalition_starts, double *scratch, double *coefficients),
    paths, first, count, masks, row, coalitions, coalition_starts, scratch, coefficients)

void cfk_add_coefficients(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const struct cfk_masks *masks, size_t row, const uint16_t *coalitions, const uint32_t *coalition_starts,
    double *scratch, double *coefficients) {
    CFK_CHOOSE(add_coefficients, instructions)
    (paths, first, count, masks, row, coalitions, coalition_starts, scratch, coefficients);
}

CFK_INLINE void sum_over_subsets_loop(enum cfk_instructions instructions, size_t player_count, double *values) {
    (void)instructions;
    const size_t count = (size_t)1 << player_count;
    for (size_t bit = 1; bit < count; bit *= 2) {
        for (size_t without = 0; without < count; without += 2 * bit) {
            for (size_t i = without; i < without + bit; i++) VECTOR(values, i + bit) += VECTOR(values, i);
        }
    }
}

CFK_COMPILE(sum_over_subsets, (size_t player_count, double *values), player_count, values)

void cfk_sum_over_subsets(enum cfk_instructions instructions, size_t player_count, double *values) {
    CFK_CHOOSE(sum_over_subsets, instructions)(player_count, values);
}

CFK_INLINE void fill_shapley_values_loop(
    enum cfk_instructions instructions, size_t player_count, const double *weights, const double *values,
    double *shapley_values) {
    (void)instructions;
    const size_t count = (size_t)1 << player_count;
    for (size_t player = 0; player < player_count; player++) {
        const size_t bit = (size_t)1 << player;
        cfk_doubles sum = {0};
        for (size_t without = 0; without < count; without += 2 * bit) {
            for (size_t i = without; i < without + bit; i++) {
                const double weight = weights[__builtin_popcountll(i)];
                sum += (CONSTANT_VECTOR(values, i + bit) - CONSTANT_VECTOR(values, i)) * weight;
            }
        }
        VECTOR(shapley_values, player) = sum;
    }
}

CFK_COMPILE(
    fill_shapley_values,
    (size_t player_count, const double *weights, const double *values, double *shapley_values),
    player_count, weights, values, shapley_values)

void cfk_fill_shapley_values(
    enum cfk_instructions instructions, size_t player_count, const double *weights, const double *values,
    double *shapley_values) {
    CFK_CHOOSE(fill_shapley_values, instructions)(player_count, weights, values, shapley_values);
}

/// Player p's arrival changes a leaf's term from `z_p * rest` to `o_p * rest`, where in the rest those who arrived
/// earlier count as they pass and those who come later by their cover ratios.
CFK_INLINE void add_arrivals_loop(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const struct cfk_masks *masks, size_t row, const int64_t *arrivals, double *changes) {
    (void)instructions;
    enum { VECTORS = CFK_ORDERS / CFK_LANES };
    for (size_t index = first; index < first + count; index++) {
        const struct cfk_leaf leaf = paths->leaves[index];
        const uint8_t *own = masks->bytes + (size_t)masks->starts[index] * CFK_ROWS + row;
        const double *ratios = paths->cover_ratios + leaf.first_player;
        const uint32_t *players = paths->players + leaf.first_player;
        for (size_t player = 0; player < leaf.player_count; player++) {
            const int64_t *arrival = arrivals + (size_t)players[player] * CFK_ORDERS;
            const int passes = own[player / 8 * CFK_ROWS] >> player % 8 & 1;
            double terms[CFK_ORDERS];
            for (size_t i = 0; i < VECTORS; i++) {
                const cfk_longs arrives = ((const cfk_longs *)arrival)[i];
                cfk_doubles term = (cfk_doubles){0} + leaf.value * (passes - ratios[player]);
                for (size_t other = 0; other < leaf.player_count; other++) {
                    if (other == player) continue;
                    const cfk_longs others = ((const cfk_longs *)(arrivals + (size_t)players[other] * CFK_ORDERS))[i];
                    const double other_passes = own[other / 8 * CFK_ROWS] >> other % 8 & 1;
                    term *= CFK_SELECT((cfk_longs)(others > arrives), ratios[other], other_passes);
                }
                VECTOR(terms, i) = term;
            }
            for (size_t i = 0; i < CFK_ORDERS; i++) changes[(size_t)arrival[i] * CFK_ORDERS + i] += terms[i];
        }
    }
}

CFK_COMPILE(
    add_arrivals,
    (const struct cfk_paths *paths, size_t first, size_t count, const struct cfk_masks *masks, size_t row,
     const int64_t *arrivals, double *changes),
    paths, first, count, masks, row, arrivals, changes)

void cfk_add_arrivals(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t first, size_t count,
    const struct cfk_masks *masks, size_t row, const int64_t *arrivals, double *changes) {
    CFK_CHOOSE(add_arrivals, instructions)(paths, first, count, masks, row, arrivals, changes);
}
