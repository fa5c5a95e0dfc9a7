/* SPDX-License-Identifier: MIT
 *
 * A loaded model: opening it, what it is, GPUs, checking and quantising a folder. Part of engine/vl2.h, whose conventions of threads
 * and errors hold.
 */
#ifndef VL2_PUBLIC_ENGINE_H
#define VL2_PUBLIC_ENGINE_H

#include "engine/vl2_status.h"

typedef struct vl2_engine vl2_engine;

struct vl2_engine_options {
    const char *device;  /* NULL or "auto", "cpu", "cuda", "cuda:1" (a GPU as vl2_gpus() counts) */
    const char *isa;     /* CPU ISA level, NULL = best */
    int threads;         /* CPU threads, 0 = physical cores */
    vl2_progress_fn progress;
    void *progress_user;
    const vl2_cancel *cancel;
    bool headers_only;     /* no weights and no device: what is pure works (plans, prompts, tiles); sessions are refused */
    uint64_t memory_limit; /* bytes that model and session may take: 0 = what the system can give, UINT64_MAX = not checked */
    int32_t host_layers;   /* on a GPU: of at least so many last layers the routed experts stay in the computer's own memory; more of
                              them where they would not fit into the GPU's */
};

/* Opens a checkpoint directory in the published layout. On failure *out is NULL and err says why. What would not fit into
 * memory is refused before a weight is touched: VL2_ERR_MEMORY with the numbers. */
vl2_status vl2_engine_open(const char *dir, const struct vl2_engine_options *options, vl2_engine **out, vl2_error *err);
void vl2_engine_close(vl2_engine *engine); /* NULL is allowed; all sessions must be closed first */

/* The GPUs that the driver shows. Takes up to a second: the driver is started and each GPU asked. Any thread, one at a time. */
struct vl2_gpu {
    char name[96];
    int capability;                   /* 90 for compute capability 9.0 */
    uint64_t free_bytes, total_bytes;
    char problem[256];                /* one sentence why it cannot be used, "" = it can */
};
/* Fills at most `room` and returns how many; 0 + err: why there is none, and what helps. */
int vl2_gpus(struct vl2_gpu *out, int room, vl2_error *err);

/* What a user may want to know about a loaded model. Strings live as long as the engine. */
struct vl2_info {
    const char *dir, *device; /* device: "cpu", "cuda"; headers_only: device and isa are "none" */
    const char *isa;          /* what of it computes: "avx512", "NVIDIA H100 80GB HBM3 (sm_90)" */
    const char *family;       /* "DeepSeek-VL2", or a document model: "DeepSeek-OCR", "Unlimited-OCR" */
    bool document;            /* reads pages: one instruction, no turns (vl2_text.h: vl2_detail) */
    const char *architecture; /* "MHA" or "MLA" */
    const char *router;       /* "softmax greedy", "sigmoid noaux_tc", … */
    uint64_t parameters;      /* of the tensors in use */
    uint64_t weight_bytes;
    int32_t layers, hidden, heads, vocab, experts, experts_per_token, context;
    int32_t vision_layers, vision_width, tile_side, patch, tokens_per_tile;
    int32_t n_candidates;
    const int32_t (*candidates)[2]; /* width, height in pixels */
    int32_t threads;                /* 0: on a GPU */
    int32_t host_layers;            /* layers whose routed experts a GPU reads from the computer's memory */
    uint64_t host_bytes;            /* of those experts */
    const char *fallback;           /* why "auto" computes on the CPU although there is a GPU; "": it does not */
    const char *weight_dtype;       /* of the largest part: "bf16", "f32", … */
};
const struct vl2_info *vl2_engine_info(const vl2_engine *engine); /* pure */
/* What the model is, wherever its folder lies and whatever it is called: a hash of its settings, its tokenizer, and of every
 * tensor's name, shape and a page of its data. "xxh3-128:" and 32 digits; reads that much of the files. */
void vl2_engine_identity(const vl2_engine *engine, char out[48]);

/* What is not as it should be in a checkpoint folder. */
typedef enum {
    VL2_FINDING_MISSING, /* a tensor that config.json asks for, or that the published model has */
    VL2_FINDING_EXTRA,   /* a tensor that it does not */
    VL2_FINDING_SHAPE,
    VL2_FINDING_DTYPE,
    VL2_FINDING_CONFIG, /* a setting other than the published model's */
    VL2_FINDING_TOKEN   /* a control token with another id than in the published model, or outside the vocabulary */
} vl2_finding;
typedef void (*vl2_finding_fn)(vl2_finding kind, const char *sentence, void *user); /* the sentence is borrowed */

struct vl2_inspection {
    const char *published;    /* "tiny", "small" or "base" (static), NULL: none of the published models */
    uint64_t tensors, bytes, parameters; /* of all tensors in the files */
    size_t findings;
    struct { /* ids of the control tokens, -1 = none */
        int32_t bos, eos, pad, image, ref, ref_end, det, det_end, grounding, user, assistant;
    } tokens;
};
/* Compares a checkpoint folder with what its config.json describes and, where that is one of the three published models, with
 * what was published: settings, tensors with shapes and element types, token ids. Tells every difference through `finding`
 * (may be NULL). Reads headers only, so the size of the model does not matter. Fails where a file cannot be read at all. */
vl2_status vl2_inspect(const char *dir, vl2_finding_fn finding, void *user, struct vl2_inspection *out, vl2_error *err);

/* ------------------------------------------------------------------------------------------------- quantised weights */

/* How many bits the weights of the language model take. MIX: routed experts 4.5, all other matrices 8.5. */
typedef enum { VL2_FORMAT_MIX, VL2_FORMAT_INT8, VL2_FORMAT_INT4, VL2_FORMAT_BF16 /* of generated weights only */ } vl2_format;
bool vl2_format_from_name(const char *name, vl2_format *out); /* "mix", "int8", "int4", "bf16" */
const char *vl2_format_name(vl2_format format);
/* The smallest format that costs the model in `dir` at most a point of any task (docs/quantisation.md): MIX, but INT8 where experts
 * are narrower than 512, as the demo model's are. Reads its config only. */
vl2_status vl2_format_for(const char *dir, vl2_format *out, vl2_error *err);

typedef enum {
    VL2_OF_VISION,
    VL2_OF_PROJECTOR,
    VL2_OF_EMBEDDINGS,
    VL2_OF_ATTENTION,
    VL2_OF_DENSE,
    VL2_OF_SHARED,
    VL2_OF_EXPERTS,
    VL2_OF_ROUTER,
    VL2_OF_NORMS,
    VL2_OF_HEAD,
    VL2_OF_COUNT
} vl2_part_of;
const char *vl2_part_name(vl2_part_of part); /* static, in English */

/* What a checkpoint folder's tensors are made of; headers only, no data is read. */
struct vl2_contents {
    struct {
        uint64_t tensors, parameters, bytes;
        const char *dtype; /* of most of its bytes: "bf16", "i4g", …; NULL when there is none */
    } parts[VL2_OF_COUNT];
    char quantisation[16], source[64], content[64]; /* "" where the checkpoint is not quantised; hashes as "xxh3-128:…" */
};
vl2_status vl2_contents_read(const char *dir, struct vl2_contents *out, vl2_error *err);

/* Reads all of a quantised checkpoint's data and compares its hash with the one that it carries. */
vl2_status vl2_contents_verify(const char *dir, const struct vl2_watch *watch, vl2_error *err);

struct vl2_quantise_options {
    vl2_format format;       /* not BF16 */
    bool vision_int8;        /* the vision tower's and the projector's matrices too */
    int threads;             /* 0 = as many as there are processors */
    const char *program;     /* name and version, for the note of change in the file */
    const struct vl2_watch *watch; /* VL2_STAGE_LOAD in bytes of the source; may be NULL */
};
struct vl2_quantise_report {
    uint64_t source_bytes, bytes; /* of tensors */
    char source[64];              /* hash of the source's tensors */
};

/* Writes the checkpoint of `dir` as one quantised safetensors file to `path`, which must not exist. Reads and writes piece by
 * piece. On failure the file may be there and is worthless: its header is written last. */
vl2_status vl2_quantise(const char *dir, const char *path, const struct vl2_quantise_options *options,
                        struct vl2_quantise_report *report, vl2_error *err);

#endif
