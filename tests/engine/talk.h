/* SPDX-License-Identifier: MIT
 *
 * Short conversations and temporary checkpoint folders for the engine's test programs.
 */
#ifndef TESTS_ENGINE_TALK_H
#define TESTS_ENGINE_TALK_H

#include "engine/vl2.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TALK_TURNS = 16, TALK_PARTS = 64 };

struct talk {
    vl2_message messages[TALK_TURNS];
    vl2_part parts[TALK_PARTS];
    size_t n_parts;
    vl2_conversation conversation;
};

/* Appends a message of some pictures followed by text. */
static inline void talk_add(struct talk *t, vl2_role role, const vl2_picture *const *pictures, size_t n_pictures, const char *text) {
    vl2_message *m = &t->messages[t->conversation.n_messages++];
    *m = (vl2_message){.role = role, .parts = &t->parts[t->n_parts], .n_parts = n_pictures + 1};
    for (size_t i = 0; i < n_pictures; i++)
        t->parts[t->n_parts++] = (vl2_part){.kind = VL2_PART_PICTURE, .picture = pictures[i]};
    t->parts[t->n_parts++] = (vl2_part){.kind = VL2_PART_TEXT, .text = text, .length = strlen(text), .markup = VL2_MARKUP_GROUNDING};
    t->conversation.messages = t->messages;
}

static inline void talk_user(struct talk *t, const vl2_picture *picture, const char *text) {
    talk_add(t, VL2_USER, &picture, picture ? 1 : 0, text);
}

static inline void talk_answer(struct talk *t, const char *text) {
    talk_add(t, VL2_ASSISTANT, NULL, 0, text);
}

/* A picture that differs with its seed; the pixels stay allocated until the program ends. */
static inline vl2_picture talk_picture(int width, int height, int seed) {
    static uint8_t *pixels[64];
    static size_t n_pixels;
    uint8_t *rgb = malloc((size_t) width * (size_t) height * 3);
    for (int i = 0; i < width * height * 3; i++)
        rgb[i] = (uint8_t) (i * (7 + seed) + i / 11 * seed);
    if (n_pixels < 64)
        pixels[n_pixels++] = rgb;
    return (vl2_picture){.width = width, .height = height, .stride = (size_t) width * 3, .rgb = pixels[n_pixels - 1]};
}

/* What a generation streamed. */
struct talk_text {
    char text[65536];
    size_t length, tokens, stop_after; /* stop_after 0 = never */
    int32_t ids[4096];
};

static inline bool talk_on_token(const struct vl2_token *token, void *user) {
    struct talk_text *t = user;
    if (t->length + token->length < sizeof t->text) {
        memcpy(t->text + t->length, token->text, token->length);
        t->length += token->length;
        t->text[t->length] = 0;
    }
    if (t->tokens < 4096)
        t->ids[t->tokens] = token->id;
    t->tokens++;
    return t->tokens != t->stop_after;
}

static inline struct vl2_generate_options talk_greedy(int32_t max_tokens) {
    return (struct vl2_generate_options){.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = max_tokens};
}

/* ------------------------------------------------------------------------------------------------ folders */

static inline void folder_make(char *path, size_t size) {
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/vl2-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        exit(1);
    }
}

/* Ends the program where a folder that the build makes is not there. */
static inline void folder_expect(const char *dir) {
    if (access(dir, R_OK | X_OK) != 0) {
        printf("Bail out! %s is not there; `ninja meson-test-prereq` makes it\n", dir);
        exit(1);
    }
}

static inline void folder_write(const char *dir, const char *name, const void *data, size_t size) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static inline void *folder_read_path(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t) st.st_size;
    char *data = calloc(1, *size + 1);
    if (fread(data, 1, *size, f) != *size) {
        perror(path);
        exit(1);
    }
    fclose(f);
    return data;
}

static inline void *folder_read(const char *dir, const char *name, size_t *size) {
    char path[5200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return folder_read_path(path, size);
}

/* Copies the files of a folder; those of the target that are not in the source stay. */
static inline void folder_copy(const char *from, const char *to) {
    DIR *d = opendir(from);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t size;
        if (e->d_name[0] == '.')
            continue;
        void *data = folder_read(from, e->d_name, &size);
        folder_write(to, e->d_name, data, size);
        free(data);
    }
    if (d)
        closedir(d);
}

static inline void folder_remove(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

#endif
