#pragma once

#include "CForestKernels.h"

// Doubles are added and multiplied as written, on every instruction set: sums must have the same bits everywhere.
#pragma STDC FP_CONTRACT OFF

#define CFK_INLINE static inline __attribute__((always_inline))

// Loops are written once, over vectors of 64 bytes that the compiler splits into what the instruction set has, and
// compiled for each instruction set: CFK_COMPILE(f, parameters, arguments) makes f_portable, f_avx2 and f_avx512 out of
// f_loop, whose first argument is the instruction set (a constant), and CFK_CHOOSE calls one of them.
#if defined(__x86_64__)
#define CFK_FOR_AVX2 __attribute__((target("avx2,popcnt")))
#define CFK_FOR_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define CFK_UNPACK(...) __VA_ARGS__
#define CFK_COMPILE(name, parameters, ...) \
    static void name##_portable parameters { name##_loop(CFK_PORTABLE, __VA_ARGS__); } \
    CFK_FOR_AVX2 static void name##_avx2 parameters { name##_loop(CFK_AVX2, __VA_ARGS__); } \
    CFK_FOR_AVX512 static void name##_avx512 parameters { name##_loop(CFK_AVX512, __VA_ARGS__); }
#define CFK_CHOOSE(name, instructions) \
    ((instructions) == CFK_AVX512 ? name##_avx512 : (instructions) == CFK_AVX2 ? name##_avx2 : name##_portable)
#else
#define CFK_COMPILE(name, parameters, ...) \
    static void name##_portable parameters { name##_loop(CFK_PORTABLE, __VA_ARGS__); }
#define CFK_CHOOSE(name, instructions) ((void)(instructions), name##_portable)
#endif

// Vectors of 64 bytes, and of 8 bytes, at any address.
typedef uint8_t cfk_bytes __attribute__((vector_size(64), aligned(1), may_alias));
typedef double cfk_doubles __attribute__((vector_size(64), aligned(8), may_alias));
typedef int64_t cfk_longs __attribute__((vector_size(64), aligned(8), may_alias));
typedef int32_t cfk_ints __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint8_t cfk_eight_bytes __attribute__((vector_size(8), aligned(1), may_alias));

// One vector's lanes where the condition's are all ones, the other's where they are zero.
#define CFK_SELECT(condition, yes, no) \
    ((cfk_doubles)(((condition) & (cfk_longs)((cfk_doubles){0} + (yes))) \
                   | (~(condition) & (cfk_longs)((cfk_doubles){0} + (no)))))

// Whether a player passes in eight masks.
#define CFK_PASSES(masks, mask_stride, player) \
    ((cfk_longs)((__builtin_convertvector( \
                      *(const cfk_eight_bytes *)((masks) + (player) / 8 * (mask_stride)), cfk_longs) \
                  & ((int64_t)1 << (player) % 8)) \
                 != 0))

/// Whether the tables of a leaf's players are kept as four planes of bytes, the lowest first: with AVX-512 VBMI one
/// permutation looks up 64 rows in as many as 128 bytes.
CFK_INLINE int cfk_splits_tables(enum cfk_instructions instructions, size_t player_count) {
    return player_count >= 6 && player_count <= cfk_most_split_players(instructions);
}

/// The number of bytes of a mask of g players.
CFK_INLINE size_t cfk_mask_bytes(size_t player_count) { return (player_count + 7) / 8; }

/// `cfk_fill_masks`, to be compiled into other loops. Some vectors at a time, as many as there are registers for.
CFK_INLINE void cfk_fill_masks_loop(
    enum cfk_instructions instructions, const struct cfk_paths *paths, size_t leaf, const uint8_t *bins,
    uint8_t *masks) {
    enum { SIZE = sizeof(cfk_bytes), MOST = 4 };
    const size_t vectors = instructions == CFK_AVX512 ? MOST : instructions == CFK_AVX2 ? 2 : 1;
    const size_t player_count = paths->leaves[leaf].player_count;
    const uint32_t *starts = paths->test_starts + paths->leaves[leaf].first_player;
    for (size_t byte = 0; byte < cfk_mask_bytes(player_count); byte++) {
        const size_t end = player_count < 8 * byte + 8 ? player_count : 8 * byte + 8;
        for (size_t row = 0; row < CFK_ROWS; row += vectors * SIZE) {
            cfk_bytes mask[MOST] = {0};
            for (size_t player = 8 * byte; player < end; player++) {
                cfk_bytes holds[MOST];
                for (size_t i = 0; i < vectors; i++) holds[i] = (cfk_bytes){0} + (uint8_t)(1u << (player - 8 * byte));
                for (size_t index = starts[player]; index < starts[player + 1]; index++) {
                    const struct cfk_test test = paths->tests[index];
                    const uint8_t *column = bins + (size_t)test.column * CFK_ROWS + row;
                    for (size_t i = 0; i < vectors; i++) {
                        const cfk_bytes bin = *(const cfk_bytes *)(column + i * SIZE);
                        holds[i] &= (cfk_bytes)(bin - test.low <= (cfk_bytes){0} + test.width);
                    }
                }
                for (size_t i = 0; i < vectors; i++) mask[i] |= holds[i];
            }
            for (size_t i = 0; i < vectors; i++) *(cfk_bytes *)(masks + byte * CFK_ROWS + row + i * SIZE) = mask[i];
        }
    }
}
