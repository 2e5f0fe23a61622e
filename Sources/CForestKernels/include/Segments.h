#pragma once

#include "CForestKernels.h"

/// Sums of Shapley values over segments of rows. They are linear in the values, so all that counts of a leaf is how
/// many of a segment's rows pass for each set of its players.

/// Rows of a plane come in words of 64; so many words, whole blocks, are looked at together.
enum { CFK_WORD_ROWS = 64, CFK_WORDS = 128, CFK_WORD_BLOCKS = CFK_WORDS * CFK_WORD_ROWS / CFK_ROWS };
/// Most players of a leaf that planes are given for.
enum { CFK_MOST_PLANES = 8 };
/// Most players of a leaf that is counted.
enum { CFK_MOST_COUNTED = 12 };

/// A row is within a bound when its bin is at most `last`.
struct cfk_bound {
    uint32_t column;
    uint8_t last;
};

/// Writes planes: bit r of word w of bound i, `planes[i * CFK_WORDS + w]`, says whether row 64 w + r is within it.
///
/// The bins of block b are at `bins + b * block_stride`, as `cfk_fill_bins` writes them.
void cfk_fill_planes(
    enum cfk_instructions instructions, const struct cfk_bound *_Nonnull bounds, size_t bound_count,
    const uint8_t *_Nonnull bins, size_t block_stride, size_t word_count, uint64_t *_Nonnull planes);

/// Rows of one segment, the first of them at the start of a word.
struct cfk_run {
    uint32_t segment;
    uint32_t first_word;
    uint32_t row_count;
};

/// What a leaf's players' tests are in planes. Entry p of the players passes where all its references
/// `starts[p] ..< starts[p + 1]` hold: reference 2 i is the plane of bound i, 2 i + 1 what is not in it.
struct cfk_planes {
    const uint64_t *_Nonnull words;
    const uint32_t *_Nonnull starts;
    const uint32_t *_Nullable references;
};

/// Adds one leaf's Shapley values over runs of rows to the sums of their segments, `sums[segment * stride + player]`.
///
/// In `table[j * max(16, 2^g) + s]` is what the rows in which at least the players s pass are worth to player j, as
/// `cfk_fill_contributions` writes it in the basis CFK_PASSING. Sets are counted by planes where there are few, by the
/// rows' masks otherwise; the counts are the same.
void cfk_add_segments(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t leaf,
    const struct cfk_planes *_Nonnull planes, const uint8_t *_Nonnull bins, size_t block_stride,
    const struct cfk_run *_Nonnull runs, size_t run_count, const double *_Nonnull table, double *_Nonnull sums,
    size_t stride);

/// The sum of some values, in an order of its own that is always the same.
double cfk_sum(enum cfk_instructions instructions, const double *_Nonnull values, size_t count);
