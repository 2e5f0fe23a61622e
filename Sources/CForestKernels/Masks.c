#include "Instructions.h"

enum cfk_instructions cfk_widest(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl")) {
        return CFK_AVX512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")) return CFK_AVX2;
#endif
    return CFK_PORTABLE;
}

size_t cfk_most_split_players(enum cfk_instructions instructions) {
#if defined(__x86_64__)
    if (instructions == CFK_AVX512 && __builtin_cpu_supports("avx512vbmi")) return 9;
#endif
    (void)instructions;
    return 0;
}

void cfk_fill_bins(
    const double *rows, size_t row_count, size_t row_width, double zero_magnitude, const struct cfk_column *columns,
    size_t column_count, uint8_t *bins) {
    for (size_t index = 0; index < column_count; index++) {
        const struct cfk_column column = columns[index];
        const double *thresholds = column.thresholds;
        for (size_t row = 0; row < row_count; row++) {
            double value = rows[row * row_width + column.column];
            int missing = value != value;
            if (column.missing == CFK_MISSING_NONE) {
                value = missing ? 0 : value;
                missing = 0;
            } else if (column.missing == CFK_MISSING_ZERO) {
                missing |= __builtin_fabs(value) <= zero_magnitude;
            }
            // A binary search without branches.
            size_t below = 0;
            for (size_t step = 128; step > 0; step /= 2) below += thresholds[below + step - 1] < value ? step : 0;
            bins[index * CFK_ROWS + row] = missing ? column.missing_bin : (uint8_t)below;
        }
    }
}

CFK_COMPILE(
    cfk_fill_masks, (const struct cfk_paths *paths, size_t leaf, const uint8_t *bins, uint8_t *masks),
    paths, leaf, bins, masks)

void cfk_fill_masks(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t leaf, const uint8_t *bins,
    uint8_t *masks) {
    CFK_CHOOSE(cfk_fill_masks, instructions)(paths, leaf, bins, masks);
}
