#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a made-up tokenizer of the published size and form: `make_tokenizer.py v3|llm DIR [TEXT_FILE MEGABYTES]`.

Byte-level BPE with as many tokens and merges as the published files have (v3: 128,815 entries and the control tokens after them, as
tiny and base; llm: 100,000, as small), their pre-tokenizers and their ids of control tokens; the words are invented. With TEXT_FILE it
also writes mixed English and Chinese text to encode. Standard library only, the same bytes everywhere. Used by `./dev bench` and by
tests/cli/test_check.py, which need files of that size without downloading them.
"""
import json
import pathlib
import random
import sys

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
GROUNDING = ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>"]
ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr pl pr sh sl sp st str th tr".split()
NUCLEI = "a e i o u ai ea ee ie oo ou".split()
CODAS = ["", "", "", "n", "r", "s", "t", "l", "ck", "nd", "ng", "st", "tion", "ing", "er", "ly"]


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
FAMILIES = {
    "v3": [split("\\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"),
           split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                 " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"), BYTES],
    "llm": [split("[\r\n]"), split("\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽΆΈ-Ͽ]+"), split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            split("\\s+$"), split("[一-龥ࠀ-一가-퟿]+"), {"type": "Digits", "individual_digits": True}, BYTES]}


def alphabet():
    """The characters that stand for bytes 0…255.   GPT-2's table, which byte-level tokenizers share"""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def word(rng):
    return "".join(rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS) for _ in range(rng.choice([1, 1, 2, 2, 3])))


def han(rng):
    return "".join(chr(0x4E00 + rng.randrange(3000)) for _ in range(rng.choice([1, 2, 2, 3])))


class Bpe:
    def __init__(self, first):
        self.chars = alphabet()
        self.vocab = {t: i for i, t in enumerate(first + self.chars)}
        self.merges = []

    def add(self, text, size):
        """Every beginning of the text becomes a token, made from the one before it."""
        parts = [self.chars[b] for b in text.encode()]
        for k in range(1, len(parts)):
            whole = "".join(parts[:k + 1])
            if whole not in self.vocab and len(self.vocab) < size:
                self.vocab[whole] = len(self.vocab)
                self.merges.append("".join(parts[:k]) + " " + parts[k])


def added(text, number):
    return {"id": number, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def make(family):
    rng = random.Random(5)
    first, size = ([BOS, EOS, PAD], 128000) if family == "v3" else ([], 100000)
    bpe = Bpe(first)
    for number in range(1000):
        bpe.add(str(number), size)
    while len(bpe.vocab) < size:
        bpe.add(rng.choice(["", " ", " ", " "]) + word(rng) if rng.random() < 0.7 else han(rng), size)
    tokens = [added(t, i) for i, t in enumerate(first)]
    tokens += ([added(f"<｜place▁holder▁no▁{i}｜>", i) for i in range(size, 128815)] if family == "v3" else [added(BOS, size), added(EOS, size + 1)])
    if family == "v3":
        tokens += [added(t, 128815 + i) for i, t in enumerate(["<image>"] + GROUNDING)]
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": {"type": "Sequence", "normalizers": []},
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": FAMILIES[family]},
                 "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                 "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                           "fuse_unk": False, "byte_fallback": False, "vocab": bpe.vocab, "merges": bpe.merges}}
    config = {"add_bos_token": False, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS, "tokenizer_class": "LlamaTokenizerFast"}
    return tokenizer, config | ({"pad_token": PAD} if family == "v3" else {})


def write(family, folder):
    tokenizer, config = make(family)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")


def write_text(path, megabytes):
    rng = random.Random(6)
    words, phrases = [word(rng) for _ in range(4000)], [han(rng) for _ in range(1500)]
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < megabytes << 20:
            for _ in range(200):
                file.write(" ".join(rng.choice(words) for _ in range(12)).capitalize() + f", {rng.randrange(5000)}. ")
            file.write("\n" + "，".join("".join(rng.choice(phrases) for _ in range(5)) for _ in range(40)) + "。\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5) or sys.argv[1] not in FAMILIES:
        sys.exit(__doc__.splitlines()[0])
    write(sys.argv[1], sys.argv[2])
    if len(sys.argv) == 5:
        write_text(sys.argv[3], int(sys.argv[4]))
