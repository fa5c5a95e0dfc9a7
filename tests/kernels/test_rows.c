/* SPDX-License-Identifier: MIT
 *
 * Norms, embedding, patch embedding, unfold and the dtypes themselves against plain references, at every level.
 */
#include "tests/kernels/reference.h"

static const char *level;

static void check_norms(struct vlk_backend *be, vlk_dtype dtype, int n, int width)
{
    struct test_weight w = make_weight(be, dtype, 1, width, 1), b = make_weight(be, dtype, 1, width, 1);
    size_t size = (size_t)n * (size_t)width;
    float *x = random_floats(size, 3), *y = vlk_alloc(size, 4);
    double *rms = doubles(size), *layer = doubles(size);
    char name[96];

    for (int t = 0; t < n; t++) {
        double square = 0, mean = 0, variance = 0;

        for (int i = 0; i < width; i++) {
            x[t * width + i] += 5;
            square += (double)x[t * width + i] * (double)x[t * width + i] / width;
            mean += (double)x[t * width + i] / width;
        }
        for (int i = 0; i < width; i++)
            variance += pow((double)x[t * width + i] - mean, 2) / width;
        for (int i = 0; i < width; i++) {
            double v = (double)x[t * width + i];

            rms[t * width + i] = v / sqrt(square + 1e-3) * (double)w.values[i];
            layer[t * width + i] = (v - mean) / sqrt(variance + 1e-3) * (double)w.values[i] + (double)b.values[i];
        }
    }
    be->ops->rmsnorm(be, &(struct vlk_rmsnorm_args){ n, width, 1e-3f, w.w, x, y });
    snprintf(name, sizeof name, "%s rmsnorm %s %d of %d", level, vlk_dtype_name(dtype), n, width);
    close_to(y, rms, size, NMSE_F32, name);
    be->ops->layernorm(be, &(struct vlk_layernorm_args){ n, width, 1e-3f, w.w, b.w, x, y });
    snprintf(name, sizeof name, "%s layernorm %s %d of %d", level, vlk_dtype_name(dtype), n, width);
    close_to(y, layer, size, NMSE_F32, name);
    be->ops->rmsnorm(be, &(struct vlk_rmsnorm_args){ n, width, 1e-3f, w.w, x, x });
    close_to(x, rms, size, NMSE_F32, "rmsnorm in place");
    free_weight(be, &w);
    free_weight(be, &b);
    vlk_free(x);
    vlk_free(y);
    vlk_free(rms);
    vlk_free(layer);
}

static void check_embed(struct vlk_backend *be, vlk_dtype dtype, int width)
{
    static const int32_t ids[] = { 3, -1, 0, -3, 6, 6, -2 };
    struct test_weight table = make_weight(be, dtype, 7, width, 1);
    float *rows = random_floats((size_t)(3 * width), 1), *out = vlk_alloc((size_t)(7 * width), 4);
    int wrong = 0;

    be->ops->embed(be, &(struct vlk_embed_args){ 7, width, ids, table.w, rows, out });
    for (int i = 0; i < 7; i++)
        wrong += memcmp(out + i * width, ids[i] < 0 ? rows + (-1 - ids[i]) * width : table.values + ids[i] * width,
                        (size_t)width * 4) != 0;
    ok(wrong == 0, "%s embed %s of %d: exact rows of table and pictures", level, vlk_dtype_name(dtype), width);
    free_weight(be, &table);
    vlk_free(rows);
    vlk_free(out);
}

static void check_patches(struct vlk_backend *be, int n, int side, int patch, int width, vlk_dtype dtype)
{
    const int grid = side / patch, cells = grid * grid, cols = 3 * patch * patch;
    struct test_weight w = make_weight(be, dtype, width, cols, 0.1), b = make_weight(be, dtype, 1, width, 1);
    struct test_weight pos = make_weight(be, dtype, cells, width, 1);
    size_t size = (size_t)(n * cells * width);
    uint8_t *tiles = vlk_alloc((size_t)(n * 3 * side * side), 1);
    float *out = vlk_alloc(size, 4);
    double *want = doubles(size);
    char name[96];

    for (int i = 0; i < n * 3 * side * side; i++)
        tiles[i] = (uint8_t)(uniform_double() * 256);
    for (int t = 0; t < n * cells; t++) {
        for (int r = 0; r < width; r++) {
            double sum = (double)b.values[r] + (double)pos.values[t % cells * width + r];

            for (int i = 0; i < cols; i++) {
                int c = i / (patch * patch), y = t % cells / grid * patch + i / patch % patch, x = t % grid * patch + i % patch;

                sum += (double)w.values[r * cols + i] * (tiles[((t / cells * 3 + c) * side + y) * side + x] / 127.5 - 1);
            }
            want[t * width + r] = sum;
        }
    }
    be->ops->patch_embed(be, &(struct vlk_patch_embed_args){ n, side, patch, width, w.w, b.w, pos.w, tiles, out });
    snprintf(name, sizeof name, "%s patch embed %d tiles of %d, patch %d, width %d", level, n, side, patch, width);
    close_to(out, want, size, NMSE_F32, name);
    free_weight(be, &w);
    free_weight(be, &b);
    free_weight(be, &pos);
    vlk_free(tiles);
    vlk_free(out);
    vlk_free(want);
}

static void check_unfold(struct vlk_backend *be, int n, int grid, int width, int r, int stride, int pad)
{
    const int g = vlk_unfolded(grid, r, stride, pad);
    size_t size = (size_t)(n * g * g * width * r * r);
    float *x = random_floats((size_t)(n * grid * grid * width), 1), *out = random_floats(size, 1);
    int wrong = 0;

    be->ops->unfold(be, &(struct vlk_unfold_args){ n, grid, width, r, stride, pad, x, out });
    for (int cell = 0; cell < n * g * g; cell++) {
        for (int i = 0; i < width * r * r; i++) {
            const int y = cell / g % g * stride - pad + i / r % r, z = cell % g * stride - pad + i % r;
            const bool inside = y >= 0 && z >= 0 && y < grid && z < grid;

            wrong += out[cell * width * r * r + i] != (inside ? x[((cell / (g * g) * grid + y) * grid + z) * width + i / (r * r)] : 0);
        }
    }
    ok(wrong == 0, "%s unfold grid %d by %d every %d less %d, width %d", level, grid, r, stride, pad, width);
    vlk_free(x);
    vlk_free(out);
}

/* Every bit pattern of the half types, through a vectorised path (embed) and against the format's definition. */
static void check_all_halves(struct vlk_backend *be)
{
    uint16_t *bits = vlk_alloc(65536, 2);
    float *out = vlk_alloc(65536, 4);
    int32_t id = 0;

    for (int i = 0; i < 65536; i++)
        bits[i] = (uint16_t)i;
    for (int dtype = VLK_BF16; dtype <= VLK_F16; dtype++) {
        struct vlk_weight w = be->ops->weight_import(be, (vlk_dtype)dtype, 1, 65536, bits, VLK_PLACE_DEVICE);
        int wrong = 0;

        be->ops->embed(be, &(struct vlk_embed_args){ 1, 65536, &id, w, NULL, out });
        for (int i = 0; i < 65536; i++) {
            uint32_t wide = (uint32_t)i << 16;
            float want;

            memcpy(&want, &wide, 4);
            if (dtype == VLK_F16)
                want = (float)f16_value(bits[i]);
            wrong += isnan(want) ? !isnan(out[i]) : memcmp(&want, &out[i], 4) != 0;
        }
        ok(wrong == 0, "%s all 65536 values of %s are exact", level, vlk_dtype_name((vlk_dtype)dtype));
    }
    vlk_free(bits);
    vlk_free(out);
}

/* Squared error of a round trip, relative to the weights. */
static double round_trip(vlk_dtype dtype, const float *x, int cols, double *worst)
{
    uint8_t row[4096];
    float y[2048];
    double error = 0, energy = 0;

    ok(vlk_quantise(dtype, x, cols, row), "%s quantises %d columns", vlk_dtype_name(dtype), cols);
    vlk_dequantise(dtype, row, cols, 0, cols, y);
    *worst = 0;
    for (int i = 0; i < cols; i++) {
        double e = (double)y[i] - (double)x[i];

        error += e * e;
        energy += (double)x[i] * (double)x[i];
        *worst = fmax(*worst, fabs(e));
    }
    return error / energy;
}

/* The width of a row changes its last group alone: the same columns in a narrower row give the same weights. */
static void test_short_group(vlk_dtype dtype, const float *x, int cols)
{
    uint8_t row[4096], longer[4096];
    float y[2048], z[2048], padded[2048] = { 0 };
    int wide = (cols + 31) / 32 * 32;

    memcpy(padded, x, (size_t)cols * sizeof *x);
    vlk_quantise(dtype, x, cols, row);
    vlk_quantise(dtype, padded, wide, longer);
    vlk_dequantise(dtype, row, cols, 0, cols, y);
    vlk_dequantise(dtype, longer, wide, 0, cols, z);
    is_int((int64_t)vlk_row_bytes(dtype, cols), (int64_t)vlk_row_bytes(dtype, wide), "a short group is stored whole");
    /* zeros have no share in an int8 group's scale; int4 has no zero, so that they do in its */
    ok(memcmp(y, z, (size_t)(dtype == VLK_I8G ? cols : cols / 32 * 32) * sizeof *y) == 0, "%s: %d columns as in a row of %d",
       vlk_dtype_name(dtype), cols, wide);
}

/* Magnitudes whose scale has no finite reciprocal. */
static void test_tiny(vlk_dtype dtype)
{
    float x[32], y[32], most = 0;
    uint8_t row[64];

    for (int i = 0; i < 32; i++)
        x[i] = i % 3 ? 0 : 1e-38f;
    vlk_quantise(dtype, x, 32, row);
    vlk_dequantise(dtype, row, 32, 0, 32, y);
    for (int i = 0; i < 32; i++)
        most = fabsf(y[i]) > most || y[i] != y[i] ? fabsf(y[i]) : most;
    ok(most < 1e-30f, "%s: what is too small for a scale is nothing", vlk_dtype_name(dtype));
}

static void test_formats(void)
{
    static const int widths[] = { 896, 1408, 6848 % 2048, 10944 % 2048, 4304 % 2048, 136, 72, 33, 1 };
    float x[2048];
    double worst, peak = 0;

    test_tiny(VLK_I8G);
    test_tiny(VLK_I4G);
    for (int i = 0; i < 2048; i++) {
        x[i] = normal();
        peak = fmax(peak, fabs((double)x[i]));
    }
    /* half a step of peak/127, and up to 127 times the scale's bf16 rounding of 2^-9 */
    round_trip(VLK_I8G, x, 2048, &worst);
    ok(worst <= peak * (0.5 / 127 + 0x1p-9), "int8: half a step of the scale at most (%.3g)", worst);
    /* 64 groups of normal numbers: 0.0053 expected, 0.0066 for the best linear codes; the spread over 64 groups is 2 % */
    ok(round_trip(VLK_I4G, x, 2048, &worst) < 0.0058, "int4: less error than linear codes could have");
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        ok(round_trip(VLK_I8G, x, widths[i], &worst) < 1e-4, "int8: %d columns", widths[i]);
        ok(round_trip(VLK_I4G, x, widths[i], &worst) < 0.009, "int4: %d columns", widths[i]);
        test_short_group(VLK_I8G, x, widths[i]);
        test_short_group(VLK_I4G, x, widths[i]);
    }
}

static void test_quantisation(void)
{
    float x[64], y[64];
    uint8_t row[128];

    for (int i = 0; i < 64; i++)
        x[i] = normal() * (i < 32 ? 1 : 100);
    is_int((int64_t)vlk_row_bytes(VLK_I8G, 64), 68, "int8: 8.5 bits per weight");
    is_int((int64_t)vlk_row_bytes(VLK_I4G, 64), 36, "int4: 4.5 bits per weight");
    is_int((int64_t)vlk_row_bytes(VLK_I4G, 72), 54, "int4: three groups for 72 columns");
    is_int((int64_t)vlk_row_bytes(VLK_I8G, -32), 0, "a negative width is refused");
    for (int i = 1; i < 16; i++)
        ok(vlk_i4_codes[i] > vlk_i4_codes[i - 1], "the codes ascend");
    x[40] = INFINITY;
    ok(!vlk_quantise(VLK_I4G, x, 64, row), "infinity is refused");
    memset(x, 0, sizeof x);
    ok(vlk_quantise(VLK_I8G, x, 64, row), "zeros quantise");
    vlk_dequantise(VLK_I8G, row, 64, 0, 64, y);
    ok(y[0] == 0 && y[63] == 0, "zeros stay zeros in int8");
    ok(vlk_quantise(VLK_I4G, x, 64, row), "zeros quantise to int4");
    vlk_dequantise(VLK_I4G, row, 64, 0, 64, y);
    ok(y[0] == 0 && y[63] == 0, "zeros stay zeros in int4");
    is_int(vlk_f32_to_bf16(1.00390625f), 0x3f80, "bf16 ties go to even (down)");
    is_int(vlk_f32_to_bf16(1.01171875f), 0x3f82, "bf16 ties go to even (up)");
    is_int(vlk_f32_to_bf16(3.4e38f), 0x7f80, "bf16 overflows to infinity");
    ok((vlk_f32_to_bf16(NAN) & 0x7f) != 0, "bf16 keeps NaN");
}

int main(void)
{
    test_quantisation();
    test_formats();
    for (const char *const *isa = vlk_cpu_isa_available(); *isa; isa++) {
        struct vlk_error err;
        struct vlk_backend *be = vlk_cpu_open(&(struct vlk_cpu_options){ .threads = 2, .isa = *isa }, &err);

        level = *isa;
        if (!ok(be != NULL, "open %s", level))
            continue;
        check_norms(be, VLK_BF16, 1, 77);
        check_norms(be, VLK_F32, 3, 20);
        check_norms(be, VLK_F16, 17, 896);
        check_norms(be, VLK_F32, 2, 1);
        check_embed(be, VLK_BF16, 77);
        check_embed(be, VLK_F32, 20);
        check_embed(be, VLK_F16, 9);
        check_embed(be, VLK_I8G, 96);
        check_embed(be, VLK_I4G, 96);
        check_embed(be, VLK_I8G, 136);
        check_embed(be, VLK_I4G, 72);
        check_patches(be, 2, 126, 14, 20, VLK_BF16);
        check_patches(be, 1, 384, 14, 36, VLK_F32);
        check_patches(be, 3, 23, 5, 72, VLK_F16);
        check_unfold(be, 2, 9, 20, 2, 2, 0);
        check_unfold(be, 1, 27, 72, 2, 2, 0);
        check_unfold(be, 1, 8, 3, 3, 3, 0);
        check_unfold(be, 2, 5, 7, 1, 1, 0);
        check_unfold(be, 2, 7, 5, 3, 1, 1);
        check_unfold(be, 1, 10, 6, 3, 2, 1);
        check_unfold(be, 1, 5, 4, 3, 2, 1);
        check_all_halves(be);
        is_int(be->ops->wait(be, &err), VLK_OK, "no error");
        be->ops->close(be);
    }
    return tap_done();
}
