#include "Instructions.h"

#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
/// 3 * 2^51: added to a small number it leaves the nearest integer in the low bits.
#define ROUNDING 6755399441055744.0

/// e^x for x <= 0: 2^n times the Taylor polynomial of degree 13 of what is left, at most ln 2 / 2 (error 5e-18).
CFK_INLINE void exponentials(cfk_doubles *numbers) {
    const cfk_doubles x = CFK_SELECT((cfk_longs)(*numbers > -700.0), *numbers, -700.0);
    const cfk_doubles shifted = x * 1.44269504088896338700 + ROUNDING;
    const cfk_doubles n = shifted - ROUNDING;
    const cfk_doubles r = (x - n * LN2_HIGH) - n * LN2_LOW;
    static const double inverse_factorials[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
        1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1.0,         1.0};
    cfk_doubles sum = {0};
    for (size_t i = 0; i < sizeof inverse_factorials / sizeof *inverse_factorials; i++) {
        sum = sum * r + inverse_factorials[i];
    }
    *numbers = (cfk_doubles)((cfk_longs)sum + ((cfk_longs)shifted << 52));
}

/// ln x for x >= 1: x = 2^e m with m within a factor sqrt 2 of one, and ln m = 2 artanh((m - 1) / (m + 1)), whose
/// argument is at most 0.172 (error of the series 1e-18).
CFK_INLINE void logarithms(cfk_doubles *numbers) {
    const int64_t one = 0x3ff0000000000000;
    const cfk_longs bits = (cfk_longs)*numbers;
    cfk_doubles m = (cfk_doubles)((bits & 0xfffffffffffff) | one);
    const cfk_longs is_large = (cfk_longs)(m > 1.41421356237309504880);
    m = CFK_SELECT(is_large, m * 0.5, m);
    // A comparison that holds is -1.
    const cfk_doubles e = __builtin_convertvector((bits >> 52) - 1023 - is_large, cfk_doubles);
    const cfk_doubles s = (m - 1) / (m + 1), square = s * s;
    cfk_doubles series = {0};
    for (int odd = 23; odd >= 1; odd -= 2) series = series * square + 1.0 / odd;
    *numbers = e * LN2_HIGH + (2 * s * series + e * LN2_LOW);
}

CFK_INLINE void fill_log_likelihoods_loop(
    enum cfk_instructions instructions, const double *scores, size_t class_count, size_t class_stride, size_t count,
    const int64_t *labels, double low, double high, double *log_likelihoods) {
    (void)instructions;
    const cfk_longs label = *(const cfk_longs *)labels;
    for (size_t game = 0; game < count; game += CFK_LANES) {
        const double *own = scores + game;
        cfk_doubles largest = *(const cfk_doubles *)own, of_label = largest, sum = {0};
        for (size_t k = 1; k < class_count; k++) {
            const cfk_doubles score = *(const cfk_doubles *)(own + k * class_stride);
            largest = CFK_SELECT((cfk_longs)(score > largest), score, largest);
            of_label = CFK_SELECT((cfk_longs)(label == (int64_t)k), score, of_label);
        }
        for (size_t k = 0; k < class_count; k++) {
            cfk_doubles term = *(const cfk_doubles *)(own + k * class_stride) - largest;
            exponentials(&term);
            sum += term;
        }
        logarithms(&sum);
        cfk_doubles result = (of_label - largest) - sum;
        result = CFK_SELECT((cfk_longs)(result < low), low, result);
        *(cfk_doubles *)(log_likelihoods + game) = CFK_SELECT((cfk_longs)(result > high), high, result);
    }
}

CFK_COMPILE(
    fill_log_likelihoods,
    (const double *scores, size_t class_count, size_t class_stride, size_t count, const int64_t *labels, double low,
     double high, double *log_likelihoods),
    scores, class_count, class_stride, count, labels, low, high, log_likelihoods)

void cfk_fill_log_likelihoods(
    enum cfk_instructions instructions, const double *scores, size_t class_count, size_t class_stride, size_t count,
    const int64_t *labels, double low, double high, double *log_likelihoods) {
    CFK_CHOOSE(fill_log_likelihoods, instructions)
    (scores, class_count, class_stride, count, labels, low, high, log_likelihoods);
}
