/* SPDX-License-Identifier: MIT
 *
 * Answers that are written together: each is, token for token and logarithm for logarithm, bit for bit what it is alone, whoever comes
 * and goes beside it, in every form of attention, router and weights; and one that ends, is stopped or fails leaves the others be.
 *   test_together CHECKPOINTS   (of tests/parity/make_checkpoints.py)
 */
#include "engine/session/session_parts.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

enum { MANY = 19, ANSWER = 24 }; /* more than go into one pass */

static const char *const models[] = {"tiny_style", "small_style", "base_style", "mha_grouped_bias", "q_lora_bias", "noaux_groups"};
static vl2_picture pictures[MANY];
static vl2_error err;

struct written { /* one answer */
    int32_t ids[ANSWER];
    float logprobs[ANSWER];
    size_t n;
    vl2_stop stop;
};

static bool note(const struct vl2_token *token, void *user) {
    struct written *w = user;
    w->ids[w->n] = token->id;
    w->logprobs[w->n++] = token->logprob;
    return true;
}

static struct vl2_generate_options options_of(int i) {
    struct vl2_generate_options o = {.sampling = {.top_p = 1, .repetition_penalty = i % 4 == 1 ? 1.1f : 1}, .max_tokens = 4 + i % 7 * 3};
    if (i % 3 == 2) { /* what is drawn depends on the own seed alone */
        o.sampling.temperature = 1;
        o.sampling.top_p = 0.9f;
        o.sampling.seed = (uint64_t)i;
    }
    o.coordinates = i % 2 == 0;
    o.attention_cells = i == 5 ? 8 : 0;
    return o;
}

static vl2_session *read_question(vl2_engine *engine, int i) {
    static const char *const questions[] = {"Where?", "What is this, and what stands beside it?", "a", "Name every colour that you see."};
    struct talk t = {0};
    vl2_session *s = NULL;
    talk_user(&t, i % 2 ? &pictures[i] : NULL, questions[i % 4]);
    if (vl2_session_open(engine, NULL, &s, &err) != VL2_OK || vl2_session_sync(s, &t.conversation, NULL, NULL, &err) != VL2_OK)
        printf("# %s\n", err.text);
    return s;
}

static bool write_alone(vl2_engine *engine, int i, struct written *out) {
    struct vl2_generate_options options = options_of(i);
    struct vl2_generation generation = {0};
    vl2_session *s = read_question(engine, i);
    bool good = s && vl2_session_generate(s, &options, NULL, note, out, &generation, &err) == VL2_OK;
    out->stop = generation.stop;
    vl2_session_close(s);
    return good;
}

/* Everybody begins some tokens after the one before. */
static bool write_together(vl2_engine *engine, struct written out[MANY]) {
    vl2_session *sessions[MANY] = {0};
    vl2_writing *writings[MANY] = {0}, *going[MANY];
    struct vl2_generate_options options[MANY];
    int begun = 0, ended = 0;
    bool good = true;
    for (int round = 0; good && ended < MANY && round < 1000; round++) {
        if (begun < MANY && round % 2 == 0) {
            sessions[begun] = read_question(engine, begun);
            options[begun] = options_of(begun);
            good = sessions[begun] &&
                   vl2_writing_begin(sessions[begun], &options[begun], NULL, note, &out[begun], &writings[begun], &err) == VL2_OK;
            begun += good;
        }
        size_t n = 0;
        for (int i = 0; i < begun; i++)
            if (writings[i])
                going[n++] = writings[i];
        good = good && vl2_writings_advance(going, n, &err) == VL2_OK;
        for (int i = 0; i < begun; i++) {
            struct vl2_generation generation;
            if (!writings[i] || !vl2_writing_is_over(writings[i]))
                continue;
            vl2_writing_end(writings[i], &generation);
            writings[i] = NULL;
            out[i].stop = generation.stop;
            ended++;
        }
    }
    for (int i = 0; i < MANY; i++) {
        if (writings[i])
            vl2_writing_end(writings[i], NULL);
        vl2_session_close(sessions[i]);
    }
    return good && ended == MANY;
}

static void test_model(const char *root, const char *name) {
    char dir[1024];
    vl2_engine *engine = NULL;
    struct written alone[MANY] = {0}, together[MANY] = {0};
    snprintf(dir, sizeof dir, "%s/%s", root, name);
    if (vl2_engine_open(dir, NULL, &engine, &err) != VL2_OK) {
        ok(false, "%s opens: %s", name, err.text);
        return;
    }
    bool good = true, same = true;
    size_t tokens = 0;
    for (int i = 0; good && i < MANY; i++)
        good = write_alone(engine, i, &alone[i]);
    good = good && write_together(engine, together);
    for (int i = 0; i < MANY; i++) {
        tokens += alone[i].n;
        if (memcmp(&alone[i], &together[i], sizeof alone[i]) != 0) {
            printf("# %s: answer %d has %zu tokens alone and %zu in company\n", name, i, alone[i].n, together[i].n);
            same = false;
        }
    }
    ok(good && same && tokens > 2 * MANY, "%s: %d answers at once are what they are alone (%zu tokens)", name, MANY, tokens);
    vl2_engine_close(engine);
}

/* One that is stopped, and one whose caller has had enough. */
static void test_leaving(const char *root) {
    char dir[1024];
    vl2_engine *engine = NULL;
    vl2_cancel cancel = false;
    struct talk_text text = {.stop_after = 3};
    struct written kept = {0}, alone = {0};
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = ANSWER};
    struct vl2_generation ends[3];
    snprintf(dir, sizeof dir, "%s/linear_mha", root);
    bool good = vl2_engine_open(dir, NULL, &engine, &err) == VL2_OK;
    vl2_session *sessions[3] = {read_question(engine, 0), read_question(engine, 1), read_question(engine, 2)}, *other = read_question(engine, 2);
    vl2_writing *writings[3];
    good = good && vl2_writing_begin(sessions[0], &options, &cancel, NULL, NULL, &writings[0], &err) == VL2_OK &&
           vl2_writing_begin(sessions[1], &options, NULL, talk_on_token, &text, &writings[1], &err) == VL2_OK &&
           vl2_writing_begin(sessions[2], &options, NULL, note, &kept, &writings[2], &err) == VL2_OK;
    for (int round = 0; good && round < ANSWER + 1; round++) {
        atomic_store(&cancel, round >= 1);
        good = vl2_writings_advance(writings, 3, &err) == VL2_OK;
    }
    for (int i = 0; good && i < 3; i++)
        vl2_writing_end(writings[i], &ends[i]);
    good = good && vl2_session_generate(other, &options, NULL, note, &alone, NULL, &err) == VL2_OK;
    ok(good && ends[0].stop == VL2_STOP_CANCELLED && ends[0].tokens == 2, "one that is stopped ends within a token");
    ok(good && ends[1].stop == VL2_STOP_CALLER && text.tokens == 3, "one whose caller has had enough ends there");
    ok(good && kept.n == alone.n && memcmp(kept.ids, alone.ids, sizeof kept.ids) == 0, "the third goes on as if it were alone");
    for (int i = 0; i < 3; i++)
        vl2_session_close(sessions[i]);
    vl2_session_close(other);
    vl2_engine_close(engine);
}

/* A question after a long beginning with a picture, in chunks of 16 tokens. */
static vl2_session *read_shared(vl2_engine *engine, vl2_session *other, const char *end, bool repeatable, struct vl2_sync_report *report) {
    const struct vl2_session_options options = {.chunk_size = 16, .repeatable = repeatable};
    char text[512];
    struct talk t = {0};
    vl2_session *s = NULL;
    snprintf(text, sizeof text, "Here is a long beginning that everybody has in common, word for word, whoever asks what about it. %s", end);
    talk_user(&t, &pictures[3], text);
    if (vl2_session_open(engine, &options, &s, &err) != VL2_OK)
        return NULL;
    vl2_session_look_at(s, &other, other != NULL);
    if (vl2_session_sync(s, &t.conversation, NULL, report, &err) != VL2_OK)
        printf("# %s\n", err.text);
    return s;
}

/* What another session has read is copied, while that one answers, and changes no bit of what is answered; not so where an answer may
 * depend on who read what. */
static void test_sharing(const char *root, const char *name) {
    char dir[1024];
    vl2_engine *engine = NULL;
    struct vl2_sync_report first, copied, alone, apart;
    struct written answers[2] = {0};
    struct vl2_generate_options options = {.sampling = {.top_p = 1, .repetition_penalty = 1}, .max_tokens = ANSWER};
    vl2_writing *writing = NULL;
    snprintf(dir, sizeof dir, "%s/%s", root, name);
    bool good = vl2_engine_open(dir, NULL, &engine, &err) == VL2_OK;
    vl2_session *one = good ? read_shared(engine, NULL, "Where is it?", true, &first) : NULL;
    good = one && vl2_writing_begin(one, &options, NULL, NULL, NULL, &writing, &err) == VL2_OK;
    for (int i = 0; good && i < 5; i++)
        good = vl2_writings_advance(&writing, 1, &err) == VL2_OK;
    vl2_session *two = good ? read_shared(engine, one, "What is it?", true, &copied) : NULL;
    vl2_session *fresh = good ? read_shared(engine, NULL, "What is it?", true, &alone) : NULL;
    vl2_session *loose = good ? read_shared(engine, one, "What is it?", false, &apart) : NULL;
    good = good && vl2_session_generate(two, &options, NULL, note, &answers[0], NULL, &err) == VL2_OK &&
           vl2_session_generate(fresh, &options, NULL, note, &answers[1], NULL, &err) == VL2_OK;
    ok(good && copied.reused_tokens > 16 && copied.reused_tokens % 16 == 0 && copied.pictures_reused == 1,
       "%s: %zu of %zu tokens and a picture are another session's", name, copied.reused_tokens, copied.prompt_tokens);
    ok(good && alone.reused_tokens == 0 && memcmp(&answers[0], &answers[1], sizeof answers[0]) == 0, "%s: they change no bit of the answer", name);
    ok(good && apart.reused_tokens == 0 && apart.pictures_reused == 0, "%s: a session that is not repeatable takes none", name);
    if (writing)
        vl2_writing_end(writing, NULL);
    vl2_session_close(one);
    vl2_session_close(two);
    vl2_session_close(fresh);
    vl2_session_close(loose);
    vl2_engine_close(engine);
}

int main(int argc, char **argv) {
    (void)argc;
    folder_expect(argv[1]);
    for (int i = 0; i < MANY; i++)
        pictures[i] = talk_picture(40 + i, 32, i);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        test_model(argv[1], models[i]);
    test_leaving(argv[1]);
    for (size_t i = 0; i < 4; i++)
        test_sharing(argv[1], models[i]);
    return tap_done();
}
