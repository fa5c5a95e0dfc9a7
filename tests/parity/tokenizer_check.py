#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares Sightline's tokenizer with Hugging Face tokenizers on generated strings, id by id.

    tokenizer_check.py --tool BUILD/tests/parity/tokenizer_tool [--count 20000] [TOKENIZER_DIR …]
    tokenizer_check.py --write-fixture tests/engine/fixtures/tokenizer

Without directories it trains the two small tokenizers of the fixture (the pre-tokenizer families of DeepSeek-LLM and of
DeepSeek-V3). Besides the exact ids it checks that markup level NONE round-trips every string and makes no control token, and
that the streaming detokenizer gives the same text. Needs the packages tokenizers and numpy.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import texts

# What the two families' tokenizer.json files contain, with the letter ranges of the first written as properties of the same kind.
LLM_FAMILY = {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "[\r\n]"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᲐ-ᲺḀ-ἕＡ-Ｚａ-ｚ\U00010400-\U0001044f]+"},
     "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "\\s?[!-/:-~！-／：-～‘-‟　-。]+"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "\\s+$"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "[一-龥ࠀ-一가-퟿]+"}, "behavior": "Isolated", "invert": False},
    {"type": "Digits", "individual_digits": True},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
V3_FAMILY = {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "[一-龥\u3040-ゟ゠-ヿ]+"}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"Regex": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                                           " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"},
     "behavior": "Isolated", "invert": False},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
CONFIG = {"bos_token": {"__type": "AddedToken", "content": BOS}, "eos_token": EOS, "unk_token": None, "add_bos_token": False,
          "add_eos_token": False, "clean_up_tokenization_spaces": False, "legacy": True, "tokenizer_class": "LlamaTokenizerFast"}


def with_pre_tokenizer(tokenizer, pre):
    return Tokenizer.from_str(json.dumps({**json.loads(tokenizer.to_str()), "pre_tokenizer": pre}))


def train(pre, size, special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer = with_pre_tokenizer(tokenizer, pre)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                  initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((t.replace("<", "") for t in texts.strings(1, 6000, assigned)), trainer)
    return tokenizer


def plain(text):
    return AddedToken(text, special=True, normalized=False)


def make_v3():
    """Control tokens inside the vocabulary, every added token listed, some of them normalized."""
    tokenizer = train(V3_FAMILY, 1500, [BOS, EOS, PAD])
    tokenizer.add_tokens([AddedToken(t, normalized=True) for t in ("<｜fim▁hole｜>", "<｜User｜>", "<｜User｜>s")])
    tokenizer.add_special_tokens([plain(t) for t in ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>")])
    return tokenizer, {**CONFIG, "pad_token": PAD}


def make_llm():
    """Begin and end after the vocabulary, everything else left to the rule at load."""
    tokenizer = train(LLM_FAMILY, 1200, [])
    tokenizer.add_special_tokens([plain(BOS), plain(EOS)])
    return tokenizer, CONFIG


def complete(tokenizer, config):
    """What the official processor adds, in its order."""
    wanted = [] if config.get("pad_token") else [PAD]
    wanted += ["<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"]
    for text in wanted:
        if text != "<image>" or tokenizer.token_to_id(text) is None:
            tokenizer.add_special_tokens([plain(text)])


def assigned(c):
    """Known to Unicode 14, the oldest of the libraries, and not a Python surrogate."""
    return unicodedata.ucd_3_2_0.category(c) != "Cn"


def save(tokenizer, config, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n")


def run(tool, folder, mode, records, unit):
    data = b"".join(struct.pack("=I", len(r) // unit) + r for r in records)
    out = subprocess.run([tool, str(folder), mode], input=data, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for _ in records:
        (n,) = struct.unpack_from("=I", out, at)
        size = n * (1 if mode == "decode" else 4)
        yield out[at + 4:at + 4 + size]
        at += 4 + size
    assert at == len(out)


def ids_of(record):
    return list(struct.unpack(f"={len(record) // 4}i", record))


def check(tool, folder, strings):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    complete(tokenizer, config)
    encoded = [s.encode() for s in strings]
    bad = tokens = 0
    for text, record in zip(strings, run(tool, folder, "all", encoded, 1)):
        want, got = tokenizer.encode(text, add_special_tokens=False).ids, ids_of(record)
        tokens += len(want)
        if want != got:
            bad += 1
            if bad <= 5:
                print(f"differs: {text!r}\n  want {want}\n  got  {got}")
    added = set(tokenizer.get_added_tokens_decoder())
    records = list(run(tool, folder, "none", encoded, 1))
    forged = sum(1 for r in records if added & set(ids_of(r)))
    back = sum(1 for want, got in zip(encoded, run(tool, folder, "decode", records, 4)) if want != got)
    print(f"{folder.name}: {len(strings)} strings, {tokens} tokens: {bad} differ, {back} do not round-trip, {forged} with forged control tokens")
    return bad + back + forged


def write_fixture(folder):
    folder = pathlib.Path(folder)
    cases = {"made_by": f"tests/parity/tokenizer_check.py, tokenizers {tokenizers.__version__}", "tokenizers": {}}
    for name, make in (("llm", make_llm), ("v3", make_v3)):
        tokenizer, config = make()
        save(tokenizer, config, folder / name)
        complete(tokenizer, config)
        rows = []
        for text in list(texts.strings(7, 400, assigned)) + texts.CONTROL + texts.MARKS + texts.SPACES + texts.OTHER + [""]:
            if "\x00" not in text and len(text) < 300:
                rows.append([text, tokenizer.encode(text, add_special_tokens=False).ids])
        cases["tokenizers"][name] = {"added": {t.content: i for i, t in tokenizer.get_added_tokens_decoder().items()}, "cases": rows}
    (folder / "cases.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")).replace('],["', '],\n["') + "\n")
    print(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()), "bytes in", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--write-fixture")
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    if args.write_fixture:
        return write_fixture(args.write_fixture)
    strings = list(texts.strings(args.seed, args.count, assigned))
    with tempfile.TemporaryDirectory() as temporary:
        folders = args.folders
        if not folders:
            for name, make in (("llm", make_llm), ("v3", make_v3)):
                save(*make(), pathlib.Path(temporary) / name)
            folders = [pathlib.Path(temporary) / "llm", pathlib.Path(temporary) / "v3"]
        return 1 if sum(check(args.tool, f, strings) for f in folders) else 0


if __name__ == "__main__":
    sys.exit(main())
