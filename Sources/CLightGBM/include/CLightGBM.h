#pragma once

#include <stddef.h>
#include <stdint.h>

/// The functions of LightGBM's C API that the registry uses, bound at run time: programs start without the library.
///
/// Every function but `last_error` returns 0, or -1 with the reason in `last_error` (of the calling thread). Handles
/// are opaque; what `*_create*`, `dataset_get_subset` and `booster_load_*` give out is given back by `dataset_free`,
/// `booster_free`.
struct clgbm_functions {
    const char *_Nonnull (*_Nonnull last_error)(void);

    int (*_Nonnull dataset_create_from_mat)(
        const void *_Nonnull values, int value_type, int32_t row_count, int32_t column_count, int is_row_major,
        const char *_Nonnull parameters, const void *_Nullable reference, void *_Nullable *_Nonnull dataset);
    int (*_Nonnull dataset_get_subset)(
        const void *_Nonnull dataset, const int32_t *_Nonnull rows, int32_t row_count,
        const char *_Nonnull parameters, void *_Nullable *_Nonnull subset);
    int (*_Nonnull dataset_add_features_from)(void *_Nonnull target, void *_Nonnull source);
    int (*_Nonnull dataset_set_field)(
        void *_Nonnull dataset, const char *_Nonnull name, const void *_Nonnull values, int count, int value_type);
    int (*_Nonnull dataset_set_feature_names)(
        void *_Nonnull dataset, const char *_Nullable *_Nonnull names, int count);
    int (*_Nonnull dataset_get_feature_num_bin)(void *_Nonnull dataset, int feature, int *_Nonnull count);
    int (*_Nonnull dataset_free)(void *_Nonnull dataset);

    int (*_Nonnull booster_create)(
        const void *_Nonnull dataset, const char *_Nonnull parameters, void *_Nullable *_Nonnull booster);
    int (*_Nonnull booster_update_one_iter)(void *_Nonnull booster, int *_Nonnull is_finished);
    int (*_Nonnull booster_save_model_to_string)(
        void *_Nonnull booster, int start_iteration, int iteration_count, int importance_type, int64_t capacity,
        int64_t *_Nonnull length, char *_Nonnull text);
    int (*_Nonnull booster_load_model_from_string)(
        const char *_Nonnull text, int *_Nonnull iteration_count, void *_Nullable *_Nonnull booster);
    int (*_Nonnull booster_get_num_classes)(void *_Nonnull booster, int *_Nonnull count);
    int (*_Nonnull booster_get_num_feature)(void *_Nonnull booster, int *_Nonnull count);
    int (*_Nonnull booster_predict_for_mat)(
        void *_Nonnull booster, const void *_Nonnull values, int value_type, int32_t row_count, int32_t column_count,
        int is_row_major, int prediction_type, int start_iteration, int iteration_count,
        const char *_Nonnull parameters, int64_t *_Nonnull length, double *_Nonnull predictions);
    int (*_Nonnull booster_free)(void *_Nonnull booster);
};

/// Element types of arrays given to the library.
enum { CLGBM_FLOAT32 = 0, CLGBM_FLOAT64 = 1 };

/// What `booster_predict_for_mat` computes.
enum { CLGBM_PREDICT_PROBABILITY = 0, CLGBM_PREDICT_RAW_SCORE = 1 };

/// Loads a shared library and binds all functions; the library stays loaded until the process ends.
///
/// Returns null with a message in `error` (cut at `error_capacity`) when it cannot be loaded or lacks a function.
const struct clgbm_functions *_Nullable clgbm_load(
    const char *_Nonnull path, char *_Nonnull error, size_t error_capacity);
