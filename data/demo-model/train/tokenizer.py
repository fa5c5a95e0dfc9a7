# SPDX-License-Identifier: MIT
"""Builds tokenizer.json: a byte-level BPE with the component types of DeepSeek-V3's file, merges learnt from the demo world's sentences,
every number 0..999 as one token (so that one coordinate is one token) and the special tokens of DeepSeek-VL2.

tokenizer.py --out DIR      Needs: tokenizers, and a few scenes (rendered descriptions only).
"""
import argparse
import json
import os
import re

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

import render as R
import tasks

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
TAIL = ["<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"]
WORDS_AND_SPACE = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|"""
                   r"""\s+(?!\S)|\s+""")
SPLITS = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", WORDS_AND_SPACE]
LEARNT = 640


def corpus():
    """Sentences of every task, cut at digits, printed words and Chinese particles, so that no merge crosses them."""
    rng = np.random.default_rng(11)
    lines = []
    scenes = [R.sample_scene(R.scene_rng(9, i), marker=i % 4 == 0) for i in range(1500)]
    for s in scenes:
        for o in s["objects"]:
            o.setdefault("box", [o.get("x", 0), o.get("y", 0), o.get("x", 0) + 9, o.get("y", 0) + 9])
    for i, s in enumerate(scenes):
        for _ in range(8):
            x = tasks.ask(s, rng)
            lines += [x["user"], x["answer"]]
        for lang in (tasks.EN, tasks.ZH):
            x = tasks.compare([s, scenes[i - 1]], rng, lang)
            lines += [x["user"], x["answer"]]
            x = tasks.outside(s, rng, lang)
            lines += [x["user"], x["answer"]]
            if "marker" in s:
                x = tasks.in_context(s, scenes[i - 1], rng, lang)
                lines += [x["user"], x["answer"]]
    lines += ["This is image_: ", "\n\n", ": \n"] * 50
    lines = [re.sub(r"<\|[^|]*\|>|[A-Z]{2,}|[0-9]+", " \n", line) for line in lines]
    return [re.sub("(图中没有|图中有|所有|的|个|最|边|面|是|在|张|有)", r"\n\1\n", line) for line in lines]


def build():
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in SPLITS] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=256 + LEARNT, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    merges = [m for m in merges if not re.search("[0-9]", "".join(m))]
    vocab = {BOS: 0, EOS: 1, PAD: 2}
    for token in sorted(t for t in model["vocab"] if len(t) == 1) + ["".join(m) for m in merges]:
        vocab.setdefault(token, len(vocab))
    numbers = [(str(v)[0], str(v)[1]) for v in range(10, 100)]
    for v in range(100, 1000):
        s = str(v)
        numbers.append((s[:2], s[2]))
        if s[1] != "0":
            numbers.append((s[0], s[1:]))
    for m in numbers:
        vocab.setdefault("".join(m), len(vocab))
    added = [(BOS, 0), (EOS, 1), (PAD, 2)] + [(t, len(vocab) + i) for i, t in enumerate(TAIL)]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                         for t, i in added],
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False} for p in SPLITS] + [
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": [" ".join(m) for m in merges + numbers]},
    }


def write(folder):
    data = build()
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(data, f, ensure_ascii=False, indent=1)
    # Plain texts, as in the published files: transformers 5 refuses objects that do not say that they are an AddedToken.
    config = {"add_bos_token": True, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS, "pad_token": PAD,
              "clean_up_tokenization_spaces": False, "legacy": True, "model_max_length": 4096, "tokenizer_class": "LlamaTokenizerFast",
              "sp_model_kwargs": {}, "unk_token": None, "use_default_system_prompt": False}
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "additional_special_tokens": TAIL}
    for file, content in (("tokenizer_config.json", config), ("special_tokens_map.json", names)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            json.dump(content, f, ensure_ascii=False, indent=2)
            f.write("\n")
    return data


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    made = write(ap.parse_args().out)
    print(len(made["model"]["vocab"]) + len(TAIL), "tokens")
