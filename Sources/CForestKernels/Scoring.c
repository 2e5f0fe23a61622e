#include "Scoring.h"

// Counting a few thresholds one by one is faster than halving them: it does not wait for the step before.
enum { COUNTED = 64 };

static uint32_t rank(const double *thresholds, uint32_t count, double value) {
    uint32_t below = 0;
    while (count > COUNTED) {
        uint32_t half = count / 2;
        below += thresholds[below + half - 1] < value ? half : 0;
        count -= half;
    }
    const double *rest = thresholds + below;
    for (uint32_t i = 0; i < count; i++) below += rest[i] < value;
    return below;
}

static void fill_ranks(const struct cfk_forest *forest, const double *row, uint32_t *ranks) {
    for (size_t i = 0; i < forest->column_count; i++) {
        const struct cfk_ranked_column *column = &forest->columns[i];
        double value = row[column->column];
        int is_nan = value != value;
        // A NaN fails both comparisons.
        int is_zero = value >= -forest->zero_magnitude && value <= forest->zero_magnitude;
        if ((is_nan && column->nan_is_missing) || ((is_nan || is_zero) && column->zero_is_missing)) {
            ranks[i] = column->missing_rank;
        } else {
            ranks[i] = rank(column->thresholds, column->threshold_count, is_nan ? 0 : value);
        }
    }
}

static void walk(const struct cfk_forest *forest, const uint32_t *ranks, uint32_t *leaves) {
    const uint64_t column_mask = (1u << CFK_COLUMN_BITS) - 1, rank_mask = (1u << CFK_RANK_BITS) - 1;
    for (size_t group = 0; group < forest->group_count; group++) {
        const uint32_t *roots = forest->roots + group * CFK_GROUP;
        const uint32_t *positions = forest->positions + group * CFK_GROUP;
        uint32_t places[CFK_GROUP];
        for (int tree = 0; tree < CFK_GROUP; tree++) places[tree] = roots[tree];
        for (uint32_t step = forest->depths[group]; step > 0; step--) {
#pragma clang loop unroll(full)
            for (int tree = 0; tree < CFK_GROUP; tree++) {
                cfk_node node = forest->nodes[places[tree]];
                uint32_t bound = (node >> CFK_COLUMN_BITS) & rank_mask;
                places[tree] =
                    (uint32_t)(node >> (CFK_COLUMN_BITS + CFK_RANK_BITS)) + (ranks[node & column_mask] > bound);
            }
        }
        for (int tree = 0; tree < CFK_GROUP; tree++) leaves[positions[tree]] = places[tree];
    }
}

void cfk_score(
    const struct cfk_forest *forest, const double *rows, size_t row_count, size_t row_width, uint32_t *ranks,
    uint32_t *leaves, double *scores) {
    for (size_t row = 0; row < row_count; row++) {
        fill_ranks(forest, rows + row * row_width, ranks);
        walk(forest, ranks, leaves);
        double *sums = scores + row * forest->class_count;
        for (size_t i = 0; i < forest->class_count; i++) sums[i] = 0;
        size_t class = 0;
        for (size_t tree = 0; tree < forest->tree_count; tree++) {
            sums[class] += forest->leaf_values[leaves[tree]];
            class = class + 1 == forest->class_count ? 0 : class + 1;
        }
    }
}
