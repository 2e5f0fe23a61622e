#pragma once

#include <stddef.h>
#include <stdint.h>

/// Scores of forests. Nothing is allocated and nothing is checked here: the caller gives sizes that fit.

/// A column with one treatment of missing values, whose values are replaced by ranks: the number of thresholds below.
/// Every test is then a comparison of integers, missing values included.
struct cfk_ranked_column {
    /// Ascending.
    const double *_Nullable thresholds;
    uint32_t threshold_count;
    /// Place among a row's values.
    uint32_t column;
    /// The rank of what is missing.
    uint32_t missing_rank;
    /// Whether NaN is missing; it is zero where it is not.
    uint8_t nan_is_missing;
    /// Whether zero is missing.
    uint8_t zero_is_missing;
};

/// A node of 64 bits: a column in bits 0 to 21, a rank in bits 22 to 43, a place in bits 44 to 63. A row of a rank up
/// to it in that column goes to the node at the place, any other to the one after it. A leaf leads to itself.
typedef uint64_t cfk_node;
enum { CFK_COLUMN_BITS = 22, CFK_RANK_BITS = 22, CFK_PLACE_BITS = 20 };

/// Trees are walked in groups of so many: each step waits for memory, and those of a group wait together.
enum { CFK_GROUP = 16 };

struct cfk_forest {
    const struct cfk_ranked_column *_Nullable columns;
    size_t column_count;
    const cfk_node *_Nonnull nodes;
    /// By place; of leaves.
    const double *_Nonnull leaf_values;
    /// Root of each tree in the order of walking, padded to whole groups.
    const uint32_t *_Nonnull roots;
    /// Place of each of these trees in the order of summation; that of padding is `tree_count` and above.
    const uint32_t *_Nonnull positions;
    /// Most steps from a root to a leaf in each group.
    const uint32_t *_Nonnull depths;
    size_t group_count;
    size_t tree_count;
    size_t class_count;
    /// Values up to this magnitude are zero.
    double zero_magnitude;
};

/// Writes raw scores of rows, `class_count` a row: the sum of the leaf values of every `class_count`th tree, in the
/// order of the trees, so that a row's score has the same bits in every batch.
///
/// `ranks` has room for `column_count` numbers, `leaves` for `group_count * CFK_GROUP`.
void cfk_score(
    const struct cfk_forest *_Nonnull forest, const double *_Nonnull rows, size_t row_count, size_t row_width,
    uint32_t *_Nonnull ranks, uint32_t *_Nonnull leaves, double *_Nonnull scores);
