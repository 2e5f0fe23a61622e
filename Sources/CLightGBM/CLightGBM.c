#include "CLightGBM.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct clgbm_functions *clgbm_load(const char *path, char *error, size_t error_capacity) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(error, error_capacity, "%s", reason ? reason : "unknown reason");
        return NULL;
    }
    struct clgbm_functions functions;
    const struct {
        const char *name;
        void *slot;
    } bindings[] = {
        {"LGBM_GetLastError", &functions.last_error},
        {"LGBM_DatasetCreateFromMat", &functions.dataset_create_from_mat},
        {"LGBM_DatasetGetSubset", &functions.dataset_get_subset},
        {"LGBM_DatasetAddFeaturesFrom", &functions.dataset_add_features_from},
        {"LGBM_DatasetSetField", &functions.dataset_set_field},
        {"LGBM_DatasetSetFeatureNames", &functions.dataset_set_feature_names},
        {"LGBM_DatasetGetFeatureNumBin", &functions.dataset_get_feature_num_bin},
        {"LGBM_DatasetFree", &functions.dataset_free},
        {"LGBM_BoosterCreate", &functions.booster_create},
        {"LGBM_BoosterUpdateOneIter", &functions.booster_update_one_iter},
        {"LGBM_BoosterSaveModelToString", &functions.booster_save_model_to_string},
        {"LGBM_BoosterLoadModelFromString", &functions.booster_load_model_from_string},
        {"LGBM_BoosterGetNumClasses", &functions.booster_get_num_classes},
        {"LGBM_BoosterGetNumFeature", &functions.booster_get_num_feature},
        {"LGBM_BoosterPredictForMat", &functions.booster_predict_for_mat},
        {"LGBM_BoosterFree", &functions.booster_free},
    };
    const size_t count = sizeof bindings / sizeof bindings[0];
    _Static_assert(sizeof functions == sizeof bindings / sizeof bindings[0] * sizeof(void *), "one binding each");
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(library, bindings[i].name);
        if (!symbol) {
            snprintf(error, error_capacity, "it has no function %s", bindings[i].name);
            // Not closed: a library that has started threads of its own must stay mapped.
            return NULL;
        }
        memcpy(bindings[i].slot, &symbol, sizeof symbol);
    }
    struct clgbm_functions *bound = malloc(sizeof functions);
    if (!bound) {
        snprintf(error, error_capacity, "out of memory");
        return NULL;
    }
    *bound = functions;
    return bound;
}
