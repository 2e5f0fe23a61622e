#pragma once

#include <stddef.h>
#include <stdint.h>

#include "Scoring.h"

/// Inner loops over rows for Shapley values of forests. Nothing is allocated and nothing is checked here: the caller
/// gives sizes that fit.
///
/// Every function gives the same bits with every instruction set: what is summed are integers, or doubles in a fixed
/// order that are never contracted to fused operations.

/// Instruction sets that the loops are compiled for; on other machines than x86-64 only the portable one.
enum cfk_instructions { CFK_PORTABLE = 0, CFK_AVX2 = 1, CFK_AVX512 = 2 };

/// The widest instruction set that this machine has.
enum cfk_instructions cfk_widest(void);

/// Rows come in blocks of so many, the last one padded.
enum { CFK_ROWS = 256 };
/// Most players of a leaf whose contributions are looked up: their masks have two bytes.
enum { CFK_MOST_TABULATED = 16 };

/// What a column's splits take for missing.
enum cfk_missing { CFK_MISSING_NONE = 0, CFK_MISSING_ZERO = 1, CFK_MISSING_NAN = 2 };

/// A column whose values are replaced by the number of thresholds below them, their bin: then every test of a path is
/// a range of bytes.
struct cfk_column {
    /// Up to 255 thresholds, ascending, padded to 255 with infinity.
    const double *_Nonnull thresholds;
    /// Place among a row's values.
    uint32_t column;
    /// An `enum cfk_missing`. NaN is zero where it is not missing.
    uint8_t missing;
    /// The bin of what is missing: 0 where it goes left at every threshold, 255 where it goes right.
    uint8_t missing_bin;
};

/// Writes the bins of up to `CFK_ROWS` rows, `bins[column * CFK_ROWS + row]`. Values up to `zero_magnitude` are zero.
void cfk_fill_bins(
    const double *_Nonnull rows, size_t row_count, size_t row_width, double zero_magnitude,
    const struct cfk_column *_Nonnull columns, size_t column_count, uint8_t *_Nonnull bins);

/// A row passes when its bin is in `low ... low + width`.
struct cfk_test {
    uint32_t column;
    uint8_t low;
    uint8_t width;
};

struct cfk_leaf {
    double value;
    /// Its entries in the arrays of players.
    uint32_t first_player;
    uint32_t player_count;
};

/// The leaves of a forest. Entry p of the players has the tests `test_starts[p] ..< test_starts[p + 1]`; where no tree
/// splits there are none.
struct cfk_paths {
    const struct cfk_leaf *_Nonnull leaves;
    const uint32_t *_Nullable players;
    const double *_Nullable cover_ratios;
    const uint32_t *_Nonnull test_starts;
    const struct cfk_test *_Nullable tests;
};

/// Writes one leaf's masks of a block. Bit j % 8 of `masks[j / 8 * CFK_ROWS + row]` says whether the row passes all
/// tests of the leaf's player j.
void cfk_fill_masks(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t leaf,
    const uint8_t *_Nonnull bins, uint8_t *_Nonnull masks);

/// A Gauss-Legendre rule on [0, 1].
struct cfk_quadrature {
    const double *_Nonnull points;
    const double *_Nonnull weights;
    size_t count;
};

/// What a leaf's contributions are given for: a row of each mask, or all rows in which at least a mask's players pass.
enum cfk_basis { CFK_EXACT = 0, CFK_PASSING = 1 };

/// Writes the Shapley values of one leaf's players for `count` masks (a multiple of 8), `values[j * stride + m]`.
///
/// Player j is worth `w (o_j - z_j) * integral over t in [0, 1] of product over i != j of (t o_i + (1 - t) z_i)`, w
/// being the leaf's value, z the cover ratios and o the bits of the mask; the rule must be exact for polynomials of
/// degree g - 1. In the basis CFK_PASSING the values are the coefficients of the products of the o_i of the mask's
/// players instead. Byte j / 8 of mask m is `masks[j / 8 * mask_stride + m]`.
void cfk_fill_contributions(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t leaf,
    const struct cfk_quadrature *_Nonnull quadrature, enum cfk_basis basis, const uint8_t *_Nonnull masks,
    size_t mask_stride, size_t count, double *_Nonnull values, size_t stride);

/// Rounds `scale` times `count` values (a multiple of 8, products below 2^51) to integers modulo 2^32, ties to even.
void cfk_round(
    enum cfk_instructions instructions, const double *_Nonnull values, size_t count, double scale,
    int32_t *_Nonnull rounded);

/// Makes a table of the contributions of a leaf's players, `values[j * count + m]` for all `count` masks, in fixed
/// point as by `cfk_round`. It is laid out as `cfk_add_fixed` looks it up with the same instructions.
void cfk_round_table(
    enum cfk_instructions instructions, const double *_Nonnull values, size_t count, size_t player_count, double scale,
    int32_t *_Nonnull table);

/// The most players of a leaf whose table is looked up fast in an order of its own; 0 where none is.
size_t cfk_most_split_players(enum cfk_instructions instructions);

/// How the sums of many players are kept for leaves with many players: row by row, so that one mask adds all of them.
struct cfk_wide {
    /// The fewest players of a leaf whose table is wide.
    size_t least_players;
    /// Numbers for each row, a multiple of 16 and at least `player_count`.
    size_t width;
    /// Players in the game. Their wide sums follow the others, `player_count * CFK_ROWS` of them.
    size_t player_count;
};

/// Adds consecutive leaves' contributions, looked up by mask, to a block's sums.
///
/// The contributions of leaf `first + i` are at `tables + starts[i]`, as `cfk_round_table` makes them, and are added to
/// `sums[player * CFK_ROWS + row]`. Where the table is wide, made by `cfk_round_wide`, it has `width` numbers for each
/// mask, one for each player in the game, which are added to the row's wide sums.
void cfk_add_fixed(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t first, size_t count,
    const int32_t *_Nonnull tables, const uint32_t *_Nonnull starts, const uint8_t *_Nonnull bins,
    struct cfk_wide wide, int32_t *_Nonnull sums);

/// Makes a wide table of the contributions of a leaf's players, `values[j * stride + m]` for `count` masks, in fixed
/// point as by `cfk_round`.
void cfk_round_wide(
    enum cfk_instructions instructions, const double *_Nonnull values, size_t stride, size_t count, double scale,
    const uint32_t *_Nonnull players, size_t player_count, size_t width, int32_t *_Nonnull table);

/// Adds a block's wide sums to its others.
void cfk_add_wide_sums(struct cfk_wide wide, int32_t *_Nonnull sums);

/// Adds contributions in double precision, leaves in their order, none of them wide.
void cfk_add_double(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t first, size_t count,
    const double *_Nonnull tables, const uint32_t *_Nonnull starts, const uint8_t *_Nonnull bins,
    double *_Nonnull sums);

/// The sum of the magnitudes of some numbers.
int64_t cfk_sum_of_magnitudes(
    enum cfk_instructions instructions, const int32_t *_Nonnull numbers, size_t count);

/// Masks of a block for all leaves; leaf i has those at `bytes + starts[i] * CFK_ROWS`, as `cfk_fill_masks` writes them.
struct cfk_masks {
    const uint8_t *_Nonnull bytes;
    const uint32_t *_Nonnull starts;
};

/// Rows that play all coalitions together, side by side: number i of row r is at `i * CFK_LANES + r`.
enum { CFK_LANES = 8 };

/// Adds what consecutive leaves bring to the values of coalitions, for the eight rows of a block from `row`.
///
/// A leaf's `w * product over players j of (z_j + [j in S] (o_j - z_j))` has one coefficient for each subset of its
/// players, which is added to `coefficients` at the subset's coalition and counts for every coalition that contains it.
/// Leaf i's subsets, the bits of player 0 lowest, have the coalitions `coalitions[coalition_starts[i] ...]`; `scratch`
/// has room for 2^g * CFK_LANES numbers.
void cfk_add_coefficients(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t first, size_t count,
    const struct cfk_masks *_Nonnull masks, size_t row, const uint16_t *_Nonnull coalitions,
    const uint32_t *_Nonnull coalition_starts, double *_Nonnull scratch, double *_Nonnull coefficients);

/// Turns the coefficients of all coalitions of some players into values: every number becomes the sum of its subsets'.
void cfk_sum_over_subsets(
    enum cfk_instructions instructions, size_t player_count, double *_Nonnull values);

/// Writes the players' Shapley values in the game given by the values of all coalitions; a coalition of r others has
/// weight `weights[r]`.
void cfk_fill_shapley_values(
    enum cfk_instructions instructions, size_t player_count, const double *_Nonnull weights,
    const double *_Nonnull values, double *_Nonnull shapley_values);

/// Orders in which a row's players arrive, side by side: number i of order r is at `i * CFK_ORDERS + r`.
enum { CFK_ORDERS = 16 };

/// Adds by how much consecutive leaves change the score at each arrival, for one row of a block and all its orders.
///
/// `arrivals[player]` is the number of players who arrive before; an arrival after p others is added to `changes[p]`.
void cfk_add_arrivals(
    enum cfk_instructions instructions, const struct cfk_paths *_Nonnull paths, size_t first, size_t count,
    const struct cfk_masks *_Nonnull masks, size_t row, const int64_t *_Nonnull arrivals, double *_Nonnull changes);

/// Writes `count` (a multiple of CFK_LANES) logarithms of the softmax probability of a label, held in `low ... high`.
///
/// The score of class k of game i is `scores[k * class_stride + i]`, its label `labels[i % CFK_LANES]`. The exponential
/// and the logarithm are the kernel's own (2e-16), the same everywhere.
void cfk_fill_log_likelihoods(
    enum cfk_instructions instructions, const double *_Nonnull scores, size_t class_count, size_t class_stride,
    size_t count, const int64_t *_Nonnull labels, double low, double high, double *_Nonnull log_likelihoods);

#include "Segments.h"
