/* SPDX-License-Identifier: MIT
 *
 * Weights on their way to the GPU, and the tables of experts that kernels find them by. Called through the op table while a model is
 * opened, on the inference thread; large pieces are read from the mapped file by a few threads at a time.
 */
#include "kernels/cuda/backend.cuh"

#include <pthread.h>

enum { READERS = 4 };

struct vlk_expert_table {
    struct vlk_expert_table *next;
    int32_t experts;
    struct vlk_weight *source;  /* [3 * experts]: gate, up, down as they were given */
    struct vlk_matrix *device;  /* [3 * experts] */
};

/* ------------------------------------------------------------------------------------------------ reading */

struct reader {
    pthread_t thread;
    unsigned char *to;
    const unsigned char *from;
    size_t bytes;
    bool runs;
};

static void *read_part(void *user)
{
    const struct reader *r = (const struct reader *)user;

    memcpy(r->to, r->from, r->bytes);
    return NULL;
}

/* One thread copies out of a mapped file at a fraction of the memory's rate, and of a fast disk's where it is cold. */
static void copy_parts(void *to, const void *from, size_t bytes)
{
    const size_t least = (size_t)1 << 20, part = (bytes / READERS + 4095) / 4096 * 4096;
    struct reader readers[READERS];

    if (bytes < READERS * least) {
        memcpy(to, from, bytes);
        return;
    }
    for (size_t i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];

        r->to = (unsigned char *)to + i * part;
        r->from = (const unsigned char *)from + i * part;
        r->bytes = i + 1 < READERS ? part : bytes - i * part;
        r->runs = i + 1 < READERS && pthread_create(&r->thread, NULL, read_part, r) == 0;
        if (!r->runs)
            read_part(r);
    }
    for (size_t i = 0; i < READERS; i++)
        if (readers[i].runs)
            pthread_join(readers[i].thread, NULL);
}

/* ------------------------------------------------------------------------------------------------ weights */

/* Rows as files have them → rows as kernels read them (weights.cuh); each in turns through pinned and device staging, so that
 * reading the file, the bus and the rearranging overlap. */
static bool upload_rows(struct vlk_cuda *cuda, vlk_dtype dtype, int32_t rows, int32_t cols, const char *host, char *dst)
{
    const size_t row = vlk_row_bytes(dtype, cols), stride = vlk_device_stride(dtype, cols);
    const bool plain = vlk_block_groups(dtype) == 0 && row == stride;
    const int32_t most = row <= VLK_CUDA_UPLOAD ? (int32_t)(VLK_CUDA_UPLOAD / row) : 0;

    for (int32_t at = 0; at < rows && most; at += most) {
        const int32_t n = rows - at < most ? rows - at : most;
        const int half = cuda->upload.half ^= 1;
        void *to = plain ? dst + (size_t)at * stride : (char *)cuda->upload.raw[half];

        if (vlk_cuda_failed(cuda, cudaEventSynchronize(cuda->upload.free[half]), "uploading weights"))
            return false;
        copy_parts(cuda->upload.pinned[half], host + (size_t)at * row, (size_t)n * row);
        if (vlk_cuda_failed(cuda, cudaMemcpyAsync(to, cuda->upload.pinned[half], (size_t)n * row, cudaMemcpyDefault, cuda->stream),
                            "uploading weights"))
            return false;
        if (!plain)
            vlk_cuda_import_rows(cuda, dtype, cols, n, to, dst + (size_t)at * stride);
        if (vlk_cuda_failed(cuda, cudaEventRecord(cuda->upload.free[half], cuda->stream), "uploading weights"))
            return false;
    }
    return most > 0;
}

struct vlk_weight vlk_cuda_weight_import(struct vlk_backend *be, vlk_dtype dtype, int32_t rows, int32_t cols, const void *host,
                                         vlk_place place)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    struct vlk_weight w = {dtype, rows, cols, NULL, false};
    void *p;

    if (rows <= 0 || !vlk_row_bytes(dtype, cols) || !host || vlk_cuda_poisoned(cuda))
        return w;
    const size_t bytes = (size_t)rows * vlk_device_stride(dtype, cols);

    p = vlk_cuda_take_piece(cuda, bytes, place);
    if (!p)
        return w;
    if (!upload_rows(cuda, dtype, rows, cols, (const char *)host, (char *)p)) {
        vlk_cuda_give_piece(cuda, p);
        return w;
    }
    cuda->submitted = true;
    w.owned = true;
    w.data = p;
    return w;
}

void vlk_cuda_weight_release(struct vlk_backend *be, struct vlk_weight *w)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (w->owned) {
        if (cuda->list.count || cuda->submitted)
            vlk_cuda_finish(cuda, "computing");
        vlk_cuda_give_piece(cuda, w->data);
    }
    memset(w, 0, sizeof *w);
}

static void forget_table(struct vlk_expert_table *t)
{
    cudaFree(t->device);
    vlk_free(t->source);
    vlk_free(t);
}

static struct vlk_expert_table *make_table(struct vlk_cuda *cuda, const struct vlk_moe_args *a)
{
    const size_t n = (size_t)a->experts;
    vlk_cuda_enter(cuda);
    struct vlk_expert_table *t = (struct vlk_expert_table *)vlk_alloc(1, sizeof *t);
    struct vlk_matrix *host = (struct vlk_matrix *)vlk_alloc(3 * n, sizeof *host);
    const struct vlk_weight *parts[3] = {a->gate, a->up, a->down};

    if (t)
        t->source = (struct vlk_weight *)vlk_alloc(3 * n, sizeof *t->source);
    if (!t || !host || !t->source || cudaMalloc((void **)&t->device, 3 * n * sizeof *host) != cudaSuccess) {
        vlk_cuda_poison(cuda, VLK_ERR_MEMORY, "There is not enough memory for the table of %d experts.", a->experts);
        vlk_free(host);
        if (t)
            forget_table(t);
        return NULL;
    }
    t->experts = a->experts;
    for (size_t p = 0; p < 3; p++) {
        memcpy(t->source + p * n, parts[p], n * sizeof *t->source);
        for (size_t e = 0; e < n; e++)
            host[p * n + e] = vlk_matrix_of(&parts[p][e]);
    }
    vlk_cuda_failed(cuda, cudaMemcpyAsync(t->device, host, 3 * n * sizeof *host, cudaMemcpyHostToDevice, cuda->stream), "uploading");
    vlk_cuda_failed(cuda, cudaStreamSynchronize(cuda->stream), "uploading");
    vlk_free(host);
    t->next = cuda->tables;
    cuda->tables = t;
    return t;
}

void vlk_cuda_forget_tables(struct vlk_cuda *cuda)
{
    while (cuda->tables) {
        struct vlk_expert_table *next = cuda->tables->next;

        forget_table(cuda->tables);
        cuda->tables = next;
    }
}

bool vlk_cuda_experts(struct vlk_cuda *cuda, const struct vlk_moe_args *a, struct vlk_experts *out)
{
    const size_t n = (size_t)a->experts, bytes = n * sizeof *a->gate;
    struct vlk_expert_table *t = cuda->tables;

    while (t && (t->experts != a->experts || memcmp(t->source, a->gate, bytes) || memcmp(t->source + n, a->up, bytes) ||
                 memcmp(t->source + 2 * n, a->down, bytes)))
        t = t->next;
    if (!t)
        t = make_table(cuda, a);
    if (!t)
        return false;
    out->gate = t->device;
    out->up = t->device + n;
    out->down = t->device + 2 * n;
    return true;
}
