/* SPDX-License-Identifier: MIT
 *
 * The CPU backend's life: thread pool, memory, weights, scratch, errors, and its op table.
 * Called by engine/ on its inference thread. Knows no op's mathematics.
 */
#include "kernels/cpu/cpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ errors and scratch */

void vlk_cpu_poison(struct vlk_cpu *cpu, vlk_status code, const char *format, ...)
{
    va_list args;

    if (cpu->error.code)
        return;
    cpu->error.code = code;
    va_start(args, format);
    vsnprintf(cpu->error.text, sizeof cpu->error.text, format, args);
    va_end(args);
}

bool vlk_cpu_poisoned(const struct vlk_cpu *cpu)
{
    return cpu->error.code != VLK_OK;
}

void *vlk_scratch(struct vlk_cpu *cpu, enum vlk_slot slot, size_t bytes)
{
    size_t grown = bytes + bytes / 4;

    if (grown > VLK_HUGE_PAGE / 8)
        grown = (grown + VLK_HUGE_PAGE - 1) / VLK_HUGE_PAGE * VLK_HUGE_PAGE;
    if (cpu->slots[slot].bytes >= bytes && cpu->slots[slot].data)
        return cpu->slots[slot].data;
    vlk_free(cpu->slots[slot].data);
    cpu->slots[slot].bytes = 0;
    cpu->slots[slot].data = vlk_alloc(grown, 1);
    if (!cpu->slots[slot].data) {
        vlk_cpu_poison(cpu, VLK_ERR_MEMORY, "Not enough memory for %zu MB of working space.", (grown >> 20) + 1);
        return NULL;
    }
    cpu->slots[slot].bytes = grown;
    return cpu->slots[slot].data;
}

float *vlk_vector_scratch(struct vlk_cpu *cpu, int parts, int width)
{
    return vlk_scratch(cpu, VLK_SLOT_VECTOR, (size_t)parts * (size_t)width * sizeof(float));
}

void vlk_unpack_vector(struct vlk_cpu *cpu, const struct vlk_weight *w, float *dst)
{
    cpu->isa->unpack(w->dtype, w->data, w->cols, 0, w->cols, dst);
}

/* ------------------------------------------------------------------------------------------------ memory and weights */

static void *mem_alloc(struct vlk_backend *be, size_t bytes)
{
    return vlk_alloc(bytes, 1);
}

static void mem_free(struct vlk_backend *be, void *p)
{
    vlk_free(p);
}

static void mem_move(struct vlk_backend *be, void *dst, const void *src, size_t bytes)
{
    if (bytes && !vlk_cpu_poisoned(vlk_cpu_of(be)))
        memmove(dst, src, bytes);
}

static void mem_zero(struct vlk_backend *be, void *dst, size_t bytes)
{
    if (bytes && !vlk_cpu_poisoned(vlk_cpu_of(be)))
        memset(dst, 0, bytes);
}

/* Stands in front of the data of a weight that had to be copied, so that close() finds what was not released. */
struct vlk_copy {
    _Alignas(64) struct vlk_copy *next;
    struct vlk_copy **link; /* what points here */
};

/* In place, or nearly: the mapped file is what it takes. */
static void weight_room(struct vlk_backend *be, struct vlk_room *room, vlk_dtype dtype, int32_t rows, int32_t cols)
{
    room->bytes += (uint64_t)rows * vlk_row_bytes(dtype, cols);
}

static struct vlk_weight weight_import(struct vlk_backend *be, vlk_dtype dtype, int32_t rows, int32_t cols, const void *host,
                                       vlk_place place)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    struct vlk_weight w = { dtype, rows, cols, NULL, false };
    size_t row = vlk_row_bytes(dtype, cols), align = dtype == VLK_F32 ? 4 : 2, bytes;
    struct vlk_copy *copy;

    if (rows <= 0 || !row || !host || __builtin_mul_overflow(row, (size_t)rows, &bytes))
        return w;
    if ((uintptr_t)host % align == 0) {
        w.data = host;
        return w;
    }
    copy = bytes <= SIZE_MAX - sizeof *copy ? vlk_alloc(bytes + sizeof *copy, 1) : NULL;
    if (!copy)
        return w;
    copy->next = cpu->copies;
    copy->link = &cpu->copies;
    if (copy->next)
        copy->next->link = &copy->next;
    cpu->copies = copy;
    memcpy(copy + 1, host, bytes);
    w.data = copy + 1;
    w.owned = true;
    return w;
}

static void weight_release(struct vlk_backend *be, struct vlk_weight *w)
{
    if (w->owned) {
        struct vlk_copy *copy = (struct vlk_copy *)w->data - 1;

        *copy->link = copy->next;
        if (copy->next)
            copy->next->link = copy->link;
        vlk_free(copy);
    }
    *w = (struct vlk_weight){ 0 };
}

/* ------------------------------------------------------------------------------------------------ life */

static void step_advance(struct vlk_backend *be, struct vlk_step *step, int32_t n)
{
    if (!vlk_cpu_poisoned(vlk_cpu_of(be)))
        step->pos += n;
}

static vlk_status submit(struct vlk_backend *be)
{
    return vlk_cpu_of(be)->error.code;
}

/* Memory that was short a moment ago may be there the next time; everything else is for good. */
static vlk_status wait(struct vlk_backend *be, struct vlk_error *err)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const struct vlk_error found = cpu->error;

    if (found.code == VLK_ERR_MEMORY)
        cpu->error = (struct vlk_error){ 0 };
    if (err)
        *err = found;
    return found.code;
}

static void close_backend(struct vlk_backend *be)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);

    vlk_pool_free(cpu->pool);
    while (cpu->copies) {
        struct vlk_copy *next = cpu->copies->next;

        vlk_free(cpu->copies);
        cpu->copies = next;
    }
    for (int i = 0; i < VLK_SLOT_COUNT; i++)
        vlk_free(cpu->slots[i].data);
    vlk_free(cpu);
}

static const char *describe(const struct vlk_backend *be)
{
    return vlk_cpu_isa(be);
}

/* The kernel knows better than the C library, and the engine asks it (vl2_memory_available). */
static uint64_t memory_left(const struct vlk_backend *be)
{
    return UINT64_MAX;
}

static const struct vlk_ops cpu_ops = {
    .name = "cpu",
    .describe = describe,
    .memory_left = memory_left,
    .mem_alloc = mem_alloc,
    .mem_free = mem_free,
    .mem_write = mem_move,
    .mem_read = mem_move,
    .mem_copy = mem_move,
    .mem_zero = mem_zero,
    .weight_room = weight_room,
    .weight_import = weight_import,
    .weight_release = weight_release,
    .embed = vlk_cpu_embed,
    .rmsnorm = vlk_cpu_rmsnorm,
    .layernorm = vlk_cpu_layernorm,
    .linear = vlk_cpu_linear,
    .mha_write = vlk_cpu_mha_write,
    .mha_attend = vlk_cpu_mha_attend,
    .mla_write = vlk_cpu_mla_write,
    .mla_attend = vlk_cpu_mla_attend,
    .router = vlk_cpu_router,
    .mlp = vlk_cpu_mlp,
    .moe = vlk_cpu_moe,
    .patch_embed = vlk_cpu_patch_embed,
    .vit_attend = vlk_cpu_vit_attend,
    .window_attend = vlk_cpu_window_attend,
    .vit_block = vlk_cpu_vit_block,
    .unfold = vlk_cpu_unfold,
    .sample = vlk_cpu_sample,
    .step_advance = step_advance,
    .submit = submit,
    .wait = wait,
    .close = close_backend,
};

static struct vlk_backend *refuse(struct vlk_cpu *cpu, struct vlk_error *err, vlk_status code, const char *text,
                                  const char *name)
{
    if (err) {
        err->code = code;
        snprintf(err->text, sizeof err->text, text, name);
    }
    if (cpu)
        close_backend(&cpu->base);
    return NULL;
}

struct vlk_backend *vlk_cpu_open(const struct vlk_cpu_options *options, struct vlk_error *err)
{
    const char *wanted = getenv("SL_CPU");
    int threads = options ? options->threads : 0;
    struct vlk_cpu *cpu = vlk_alloc(1, sizeof *cpu);

    if (!wanted || !*wanted)
        wanted = options ? options->isa : NULL;
    if (!cpu)
        return refuse(NULL, err, VLK_ERR_MEMORY, "Not enough memory to start the CPU backend%s.", "");
    cpu->base.ops = &cpu_ops;
    cpu->base.traits.together = VLK_MAX_APART;
    cpu->base.traits.same_rows = VLK_FEW_ROWS;
    cpu->isa = vlk_choose_isa(wanted);
    if (!cpu->isa)
        return refuse(cpu, err, VLK_ERR_UNSUPPORTED, "The instruction set “%s” is unknown or not available on this CPU.",
                      wanted);
    cpu->pool = vlk_pool_new(threads > 0 ? threads : vlk_physical_cores());
    if (!cpu->pool)
        return refuse(cpu, err, VLK_ERR_MEMORY, "The CPU backend's threads could not be started%s.", "");
    cpu->threads = vlk_pool_threads(cpu->pool);
    if (err)
        *err = (struct vlk_error){ 0 };
    return &cpu->base;
}

const char *vlk_cpu_isa(const struct vlk_backend *be)
{
    return ((const struct vlk_cpu *)be)->isa->name;
}

int vlk_cpu_threads(const struct vlk_backend *be)
{
    return ((const struct vlk_cpu *)be)->threads;
}
