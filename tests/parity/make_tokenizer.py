#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds tests/parity/tokenizer/: a small byte-level BPE of the component types that the published tokenizers use.

Needs the PyPI package `tokenizers`. The image, grounding and role tokens are left out on purpose: they are added by the rule
that the official processor follows at load.
"""
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

BOS, EOS, PAD = "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5c\u2581pad\u2581\uff5c>"
WORDS = ("the a red green blue yellow circle square star triangle ring cross largest smallest left right of above below is are "
         "there how many which what color shape text says picture image same first second and in no yes I see one two three four "
         "five 红色 绿色 蓝色 圆形 方形 星形 三角形 图片 里 有 几个 最大 的 是").split()


def corpus():
    rng = random.Random(5)
    for _ in range(4000):
        words = [rng.choice(WORDS) for _ in range(rng.randint(3, 12))]
        yield " ".join(words).capitalize() + rng.choice([".", "?", "!\n", ", "])
        yield "[[" + ", ".join(str(rng.randint(0, 999)) for _ in range(4)) + "]]"


def main():
    out = pathlib.Path(__file__).parent / "tokenizer"
    out.mkdir(exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
        pre_tokenizers.Split(Regex("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), "isolated"),
        pre_tokenizers.Split(Regex(r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    special = [AddedToken(t, normalized=False, special=True) for t in (BOS, EOS, PAD)]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.save(str(out / "tokenizer.json"))
    config = {"add_bos_token": True, "add_eos_token": False, "bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "unk_token": None,
              "clean_up_tokenization_spaces": False, "tokenizer_class": "LlamaTokenizerFast", "model_max_length": 4096}
    (out / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n")
    special_map = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    (out / "special_tokens_map.json").write_text(json.dumps(special_map, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
