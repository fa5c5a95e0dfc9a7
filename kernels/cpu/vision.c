/* SPDX-License-Identifier: MIT
 *
 * What turns ids and pixels into rows on the CPU: embedding lookup, patch embedding, and the projector's unfold.
 * Called on the backend's thread.
 */
#include "kernels/cpu/cpu.h"

#include <string.h>

#define PATCHES_PER_PASS 1024

struct embed_job {
    struct vlk_cpu *cpu;
    const struct vlk_embed_args *a;
};

static void embed_item(void *ctx, int64_t i, int worker)
{
    const struct embed_job *job = ctx;
    const struct vlk_embed_args *a = job->a;
    float *out = a->out + i * a->width;
    int32_t id = a->ids[i];

    if (id < 0)
        memcpy(out, a->rows + (size_t)(-1 - id) * (size_t)a->width, (size_t)a->width * sizeof *out);
    else
        job->cpu->isa->unpack(a->table.dtype,
                              (const char *)a->table.data + (size_t)id * vlk_row_bytes(a->table.dtype, a->table.cols),
                              a->width, 0, a->width, out);
}

void vlk_cpu_embed(struct vlk_backend *be, const struct vlk_embed_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct embed_job job = { cpu, a };

    if (vlk_cpu_poisoned(cpu))
        return;
    for (int32_t i = 0; i < a->n; i++) {
        if (a->ids[i] >= a->table.rows || (a->ids[i] < 0 && !a->rows)) {
            vlk_cpu_poison(cpu, VLK_ERR_DEVICE, "Token id %d is outside the embedding table of %d rows.", a->ids[i],
                           a->table.rows);
            return;
        }
    }
    vlk_pool_run(cpu->pool, a->n, embed_item, &job);
}

/* ------------------------------------------------------------------------------------------------ patches */

struct patch_job {
    const struct vlk_patch_embed_args *a;
    int64_t from; /* first patch of this pass */
    int32_t grid;
    float *patches;
    const float *values; /* [256] f32 of a byte */
    const struct vlk_isa *isa;
};

/* One patch in conv order (c, y, x). */
static void patch_item(void *ctx, int64_t item, int worker)
{
    const struct patch_job *job = ctx;
    const struct vlk_patch_embed_args *a = job->a;
    const int64_t side = a->side, patch = a->patch, cells = (int64_t)job->grid * job->grid;
    int64_t at = job->from + item, tile = at / cells, cell = at % cells;
    const uint8_t *corner = a->tiles + tile * 3 * side * side + cell / job->grid * patch * side + cell % job->grid * patch;
    float *dst = job->patches + item * a->w.cols;

    for (int64_t c = 0; c < 3; c++)
        for (int64_t y = 0; y < patch; y++)
            for (int64_t x = 0; x < patch; x++)
                *dst++ = job->values[corner[(c * side + y) * side + x]];
}

static void add_position(void *ctx, int64_t item, int worker)
{
    const struct patch_job *job = ctx;
    const struct vlk_patch_embed_args *a = job->a;
    int64_t at = job->from + item, cell = at % ((int64_t)job->grid * job->grid);
    float *out = a->out + at * a->width, *pos = job->patches + item * a->width;

    job->isa->unpack(a->pos.dtype, (const char *)a->pos.data + (size_t)cell * vlk_row_bytes(a->pos.dtype, a->width), a->width,
                     0, a->width, pos);
    job->isa->add(out, pos, a->width);
}

void vlk_cpu_patch_embed(struct vlk_backend *be, const struct vlk_patch_embed_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const int32_t row = a->w.cols > a->width ? a->w.cols : a->width;
    struct patch_job job = { .a = a, .grid = a->patch > 0 ? a->side / a->patch : 0, .isa = cpu->isa };
    const int64_t patches = (int64_t)a->n * job.grid * job.grid;
    float values[256];

    for (int i = 0; i < 256; i++)
        values[i] = (float)i / 127.5f - 1.0f;
    job.values = values;
    for (; job.from < patches && !vlk_cpu_poisoned(cpu); job.from += PATCHES_PER_PASS) {
        int32_t n = (int32_t)(patches - job.from < PATCHES_PER_PASS ? patches - job.from : PATCHES_PER_PASS);

        job.patches = vlk_scratch(cpu, VLK_SLOT_QUERY, (size_t)n * (size_t)row * sizeof(float));
        if (!job.patches)
            return;
        vlk_pool_run(cpu->pool, n, patch_item, &job);
        vlk_cpu_linear(be, &(struct vlk_linear_args){ .n = n, .w = a->w, .b = a->b, .x = job.patches,
                                                      .y = a->out + job.from * a->width });
        if (a->pos.rows && !vlk_cpu_poisoned(cpu))
            vlk_pool_run(cpu->pool, n, add_position, &job);
    }
}

/* ------------------------------------------------------------------------------------------------ unfold */

struct unfold_job {
    const struct vlk_unfold_args *a;
    int32_t out_grid;
};

static void unfold_item(void *ctx, int64_t cell, int worker)
{
    const struct unfold_job *job = ctx;
    const struct vlk_unfold_args *a = job->a;
    const int64_t g = job->out_grid, r = a->r, tile = cell / (g * g);
    const int64_t cy = cell / g % g * a->stride - a->pad, cx = cell % g * a->stride - a->pad;
    float *out = a->out + cell * a->width * r * r;

    for (int64_t dy = 0; dy < r; dy++) {
        for (int64_t dx = 0; dx < r; dx++) {
            const int64_t y = cy + dy, x = cx + dx;
            const bool inside = y >= 0 && y < a->grid && x >= 0 && x < a->grid;
            const float *from = a->x + (inside ? (tile * a->grid + y) * a->grid + x : 0) * a->width;

            for (int64_t c = 0; c < a->width; c++)
                out[c * r * r + dy * r + dx] = inside ? from[c] : 0;
        }
    }
}

void vlk_cpu_unfold(struct vlk_backend *be, const struct vlk_unfold_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct unfold_job job = { a, vlk_unfolded(a->grid, a->r, a->stride, a->pad) };

    if (!vlk_cpu_poisoned(cpu))
        vlk_pool_run(cpu->pool, (int64_t)a->n * job.out_grid * job.out_grid, unfold_item, &job);
}
