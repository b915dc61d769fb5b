/* The recurrence h(t) = tanh(drive(t) + W h(t-1)) as fast as one core does it in float32: the floor
   that the runtime's main network is held against. Only this; no input weights, no readout.

   What bounds it is the matrix, which every step reads once from the second-level cache. So it is
   stored in panels of columns of W transposed: a panel's loads are contiguous, and its sums stay in
   registers over all hidden units. Vectors are the compiler's own (GCC, Clang), as wide as the
   processor that it compiles for; there are no intrinsics that would bind it to one. */

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define SUMS_ONE 25 /* of 32 registers, and 25 vectors are the paper's 400 units */
#define SUMS_TWO 13
#elif defined(__AVX__)
#define LANES 8
#define SUMS_ONE 10 /* of 16 registers; 5 panels are 400 units */
#define SUMS_TWO 5
#else
#define LANES 4
#define SUMS_ONE 10
#define SUMS_TWO 5
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

int floor_lanes(void) { return LANES; }

/* Units of a panel; the matrix's columns are filled up with zeros to a multiple of it. */
int floor_panel(int n_sequences) { return LANES * (n_sequences == 2 ? SUMS_TWO : SUMS_ONE); }

static inline vec chosen(ivec where, vec yes, vec no) {
    return (vec)((where & (ivec)yes) | (~where & (ivec)no));
}

/* 1 - 2 / (exp(2x) + 1), with exp as a power of two: off by less than 2e-7. */
static inline vec tanh_of(vec x) {
    const vec zero = {0};
    const vec limit = zero + 9.0f; /* beyond, float32 has no number between tanh and 1 */
    const vec magic = zero + 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    x = chosen(x > limit, limit, x);
    x = chosen(x < -limit, -limit, x);
    vec power = x * 2.885390081777927f;
    vec whole = power + magic;
    vec part = power - (whole - magic);
    vec two_to = zero + 1.5403530393e-4f;
    two_to = two_to * part + 1.3333558146e-3f;
    two_to = two_to * part + 9.6181291076e-3f;
    two_to = two_to * part + 5.5504108664e-2f;
    two_to = two_to * part + 2.4022650696e-1f;
    two_to = two_to * part + 6.9314718056e-1f;
    two_to = two_to * part + 1.0f;
    ivec bits = (ivec)two_to + (((ivec)whole) << 23); /* the magic's own bits are shifted out */
    return 1.0f - 2.0f / ((vec)bits + 1.0f);
}

void floor_tanh(const float *x, float *y, long n) {
    for (long i = 0; i + LANES <= n; i += LANES) {
        vec v;
        memcpy(&v, x + i, sizeof v);
        v = tanh_of(v);
        memcpy(y + i, &v, sizeof v);
    }
}

#define RUN(NAME, SEQUENCES, SUMS)                                                                 \
    void NAME(const float *panels, const float *drive, float *hidden, long n_steps, int n_units,   \
              int width) {                                                                         \
        const long row = (long)SEQUENCES * width;                                                  \
        for (long step = 0; step < n_steps; step++) {                                              \
            const float *before = hidden + step * row; /* row 0 is the state before the run */    \
            float *after = hidden + (step + 1) * row;                                              \
            const float *now = drive + step * row;                                                 \
            const vec *matrix = (const vec *)panels;                                               \
            for (int first = 0; first < width; first += SUMS * LANES) {                            \
                vec sum[SEQUENCES][SUMS];                                                          \
                _Pragma("GCC unroll 2") for (int s = 0; s < SEQUENCES; s++)                        \
                    _Pragma("GCC unroll 32") for (int j = 0; j < SUMS; j++)                        \
                        sum[s][j] = *(const vec *)(now + s * width + first + j * LANES);           \
                for (int k = 0; k < n_units; k++, matrix += SUMS) {                                \
                    _Pragma("GCC unroll 32") for (int j = 0; j < SUMS; j++)                        \
                        _Pragma("GCC unroll 2") for (int s = 0; s < SEQUENCES; s++)                \
                            sum[s][j] += matrix[j] * before[s * width + k];                        \
                }                                                                                  \
                _Pragma("GCC unroll 2") for (int s = 0; s < SEQUENCES; s++)                        \
                    _Pragma("GCC unroll 32") for (int j = 0; j < SUMS; j++)                        \
                        *(vec *)(after + s * width + first + j * LANES) = tanh_of(sum[s][j]);      \
            }                                                                                      \
        }                                                                                          \
    }

/* hidden: (n_steps + 1, sequences, width), row 0 the first state; drive: (n_steps, sequences, width);
   all of them aligned to 64 bytes, width a multiple of the panel. */
RUN(floor_run_one, 1, SUMS_ONE)
RUN(floor_run_two, 2, SUMS_TWO)
