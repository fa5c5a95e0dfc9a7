#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the engine on purpose, one line at a time, and asks whether the parity tests notice.

  mutate.py SOURCE_ROOT [WORK_DIR]

Copies the committed sources, builds the parity tests there, applies one mutation after the other, and prints for each how many
comparisons failed. Exit status 1 when one went unnoticed or does not apply any more. Called by `./dev peers`.
"""
import pathlib
import subprocess
import sys
import tempfile

# What is broken, file, text, replacement, variants of test_parity that are asked ("tiles", "sampling", "cache": those tests).
MUTATIONS = [
    ("a decoder layer is left out", "engine/model/decoder.c", "    rmsnorm(be, n, l->input_norm",
     "    if (layer == 1)\n        return;\n    rmsnorm(be, n, l->input_norm", "tiny_style base_style"),
    ("the last vision layer is left out", "engine/model/vision.c", "i < c->vision.layers; i++", "i < c->vision.layers - 1; i++", "tiny_style"),
    ("RoPE halves and interleaved pairs are swapped", "engine/loading/engine.c", ".interleaved = e->config.lm.mla", ".interleaved = !e->config.lm.mla",
     "tiny_style small_style"),
    ("vision MLP: erf GELU for tanh GELU", "kernels/vit_block.h", "VLK_ACT_GELU_TANH", "VLK_ACT_GELU_ERF", "tiny_style"),
    ("projector: tanh GELU for erf GELU", "engine/model/vision.c", "VLK_ACT_NONE : VLK_ACT_GELU_ERF", "VLK_ACT_NONE : VLK_ACT_GELU_TANH", "tiny_style"),
    ("tiles are ordered from right to left", "engine/picture/tiles.c", "(size_t)(view_y / side) * (size_t)columns + (size_t)(view_x / side)",
     "(size_t)(view_y / side) * (size_t)columns + (size_t)(columns - 1 - view_x / side)", "tiles"),
    ("padding is 128 instead of 127", "engine/picture/tiles.c", "#define GREY 127", "#define GREY 128", "tiles"),
    ("bicubic kernel with a = -0.75", "engine/picture/resize.c", "a = -0.5", "a = -0.75", "tiles"),
    ("the newline is the separator", "engine/model/vision.c", "e->weights.newline, row", "e->weights.separator, row", "tiny_style"),
    ("the separator is the newline", "engine/model/vision.c", "e->weights.separator, row", "e->weights.newline, row", "tiny_style"),
    ("global and local views change places", "engine/checkpoint/config.c", 'strcmp(vl2_section_string(root, "global_view_pos", "head"), "head") == 0',
     'strcmp(vl2_section_string(root, "global_view_pos", "head"), "head") != 0', "tiny_style base_style"),
    ("yarn: the softmax scale without mscale²", "engine/model/rope.c", "c->lm.rope_scaling.score_scale / sqrt(", "1 / sqrt(", "yarn"),
    ("yarn: cosines without mscale", "engine/model/rope.c", "cos((double)angle) * scale", "cos((double)angle)", "yarn"),
    ("yarn: no ramp between the frequencies", "engine/model/rope.c", "float keep = 1.0f - ramp", "float keep = 1.0f - ramp * 0", "yarn yarn_defaults"),
    ("linear scaling of positions is left out", "engine/model/rope.c", "float t = (float)p / divisor", "float t = (float)p", "linear_mla linear_mha"),
    ("the router's bias is left out", "kernels/cpu/moe.c", "job->bias ? scores[e] + job->bias[e] : scores[e]", "scores[e]", "base_style noaux_groups"),
    ("experts of every group are chosen", "kernels/cpu/moe.c", "a->n_group > 1)", "a->n_group > 99)", "noaux_groups q_lora_bias"),
    ("three pictures are tiled like two", "engine/session/prompt.c", "p->crop = b->total_pictures <= VL2_MAX_TILED_PICTURES &&", "p->crop =", "tiny_style"),
    ("routed_scaling_factor is left out", "engine/model/decoder.c", ".scaling = c->lm.routed_scaling", ".scaling = 1", "base_style norm_one"),
    ("norm_topk_prob is left out", "engine/model/decoder.c", ".norm_topk = c->lm.norm_topk", ".norm_topk = false", "base_style"),
    ("the shared experts are left out", "engine/model/decoder.c", ".shared_gate = l->gate,", ".shared_gate = {0},", "small_style"),
    ("kv_a_layernorm with rms_norm_eps", "engine/model/decoder.c", "lora_norm_eps = 1e-6f", "lora_norm_eps = 1e-3f", "small_style q_lora_bias"),
    ("the penalty counts the answer alone", "engine/session/generate.c", "s->seen_host[s->ids[i]] = 1", "s->seen_host[s->ids[i]] = 0", "tiny_style"),
    ("the penalty subtracts instead of dividing", "kernels/cpu/sample.c", "x > 0 ? x / penalty : x * penalty", "x > 0 ? x - penalty : x + penalty", "sampling"),
    ("top-k keeps one id more", "kernels/cpu/sample.c", "kth_largest(values, a->vocab, heap, a->top_k)", "kth_largest(values, a->vocab, heap, a->top_k + 1)", "sampling"),
    ("the bf16 cache is cut off, not rounded", "kernels/cpu/isa_dot.c", "dst[i] = vlk_f32_to_bf16(src[i])", "dst[i] = (uint16_t)(*(const uint32_t *)(src + i) >> 16)", "cache"),
    ("the bf16 cache is one of f32", "engine/session/session.c", "traits->half_cache ? VLK_BF16 :", "traits->half_cache && context < 0 ? VLK_BF16 :", "cache"),
]
PROGRAMS = {"tiles": "tests/engine/test_tiles", "sampling": "tests/parity/test-sampling", "cache": "tests/parity/test-cache"}


def run(*command, cwd=None):
    return subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)


def build(work, asked):
    done = run("ninja", "-C", work / "build", "-j1", "tests/parity/checkpoints.stamp", PROGRAMS.get(asked, "tests/parity/test-parity"))
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr)


def failures(work, asked):
    """Failed and all comparisons. A crash counts as one failure more."""
    parity, tests = work / "build" / "tests" / "parity", work / "tests"
    if asked == "tiles":
        command = [work / "build" / "tests" / "engine" / "test_tiles", tests / "engine" / "fixtures" / "tiles.txt"]
    elif asked == "sampling":
        command = [parity / "test-sampling", tests / "parity" / "fixtures" / "sampling.json"]
    elif asked == "cache":
        command = [parity / "test-cache", parity / "checkpoints", "tiny_style", "base_style", "mha_grouped_bias"]
    else:
        command = [parity / "test-parity", parity / "checkpoints", tests / "parity" / "fixtures", tests / "parity" / "conversations.json", *asked.split()]
    done = run(*command)
    lines = done.stdout.splitlines()
    bad, good = sum(x.startswith("not ok") for x in lines), sum(x.startswith("ok") for x in lines)
    return bad + (done.returncode < 0), bad + good


def main(source, work):
    archive = subprocess.run(["git", "-C", source, "archive", "HEAD"], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "x", "-C", str(work)], input=archive, check=True)
    setup = run("meson", "setup", "-Dui=false", "build", cwd=work)
    if setup.returncode:
        sys.exit(setup.stdout[-3000:])
    for asked in sorted({m[4] for m in MUTATIONS}):
        build(work, asked)
        bad, count = failures(work, asked)
        if bad or not count:
            sys.exit(f"{asked}: {bad} of {count} comparisons fail before anything is broken")
    print("| what is broken | file | failed comparisons |\n|---|---|---|", flush=True)
    unnoticed = 0
    for name, file, old, new, asked in MUTATIONS:
        path = work / file
        text = path.read_text()
        if text.count(old) < 1:
            print(f"| {name} | {file} | does not apply any more |", flush=True)
            unnoticed += 1
            continue
        path.write_text(text.replace(old, new, 1))
        build(work, asked)
        bad, count = failures(work, asked)
        path.write_text(text)
        unnoticed += not bad
        print(f"| {name} | {file} | {bad} of {count} |", flush=True)
    return unnoticed > 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        pathlib.Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
        sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2]).resolve()))
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(main(sys.argv[1], pathlib.Path(scratch)))
