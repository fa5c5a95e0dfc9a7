/* SPDX-License-Identifier: MIT
 *
 * A look at a folder that shall hold a model, before anything is loaded: where its files are, what it is called, and what is
 * missing or is not what its name says. Public like engine/vl2.h; called by app/. Pure: any thread.
 */
#ifndef VL2_MODEL_FOLDER_H
#define VL2_MODEL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with a folder that shall hold a model. `file` names the thing within the folder. */
typedef enum {
    VL2_FOLDER_ABSENT,         /* the folder itself: it is not there */
    VL2_FOLDER_NO_FOLDER,      /* it is a file */
    VL2_FOLDER_NO_SNAPSHOT,    /* a hub's cache folder without a snapshot of the model */
    VL2_FOLDER_MANY_SNAPSHOTS, /* with several, none of which is the current one */
    VL2_FOLDER_MISSING,        /* file is not there */
    VL2_FOLDER_DANGLING,       /* file is a link to what is not there */
    VL2_FOLDER_EMPTY,          /* file has no bytes */
    VL2_FOLDER_POINTER,        /* file is a git-lfs pointer */
    VL2_FOLDER_PAGE,           /* file is what a server said in the place of the file: a page or a line of text */
    VL2_FOLDER_CUT,            /* file has `bytes` of `needed` bytes */
    VL2_FOLDER_UNFINISHED,     /* file is a download that has not ended */
    VL2_FOLDER_NO_INDEX,       /* file is one of several with weights, and no model.safetensors.index.json lists them */
    VL2_FOLDER_OTHER_NAME,     /* file holds what is looked for as `wanted` */
    VL2_FOLDER_GGUF,           /* the weights are a GGUF file */
    VL2_FOLDER_PICKLE,         /* they are in PyTorch's own form */
    VL2_FOLDER_ADAPTER,        /* they are a LoRA adapter */
    VL2_FOLDER_NO_WEIGHTS,     /* there are none */
    VL2_FOLDER_NO_MODEL        /* nor anything else of a model */
} vl2_folder_kind;

struct vl2_folder_problem {
    vl2_folder_kind kind;
    const char *file, *wanted; /* "" where they say nothing; borrowed */
    uint64_t bytes, needed;
};
typedef void (*vl2_folder_fn)(const struct vl2_folder_problem *problem, void *user);

struct vl2_folder {
    char dir[4096];      /* where the files are: the folder itself, or the snapshot in a hub's cache */
    char name[256];      /* what the model is called */
    char model_type[64]; /* of config.json, "" where it cannot be read */
    uint64_t weight_bytes;
};

/* Looks at a folder before anything is loaded: finds the snapshot of a hub's cache folder ("models--ORG--NAME", its
 * "snapshots"), tells everything that is missing or is not what its name says, and the cause where the folder shows it. Reads names and first
 * bytes, with `headers` also the whole header of each file of weights, which says how long the file must be. Returns the number
 * of problems; 0 does not promise that the model opens. problem may be NULL. */
size_t vl2_folder_look(const char *dir, bool headers, struct vl2_folder *out, vl2_folder_fn problem, void *user);

/* Where the files of the model in `dir` are: vl2_folder.dir, without a look at them. A name or two are read where it is a cache's. */
void vl2_folder_find(const char *dir, char *out, size_t size);

/* What the model in `dir` is called: the folder's name, but in a hub's cache that of the model and not of the snapshot. */
void vl2_folder_name(const char *dir, char *name, size_t size);

#endif
