#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# transformers 5.24.0 cannot open a tokenizer whose special_tokens_map.json has objects in additional_special_tokens, which is how older
# versions wrote it.
# Expected: {"content": "<image>", "lstrip": false, …} is read as it was for years (4.38.2 reads it and writes it), or the sentence names
# the file.
# Seen: "TypeError: Input must be a List[Union[str, AddedToken]]" where tokenizer_config.json has no added_tokens_decoder, as those that were
# saved before 4.34; the same objects as bos_token do no harm. With added_tokens_decoder the map is not looked at.
# The tokenizer files that come with Sightline have plain texts, which every version reads.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for version in 4.38.2 5.24.0; do
    python3 -m pip install -q --no-compile --root-user-action ignore --target "$root/$version" "transformers==$version" 'numpy<2' ||
        { echo "not on PyPI any more: transformers $version"; exit 77; }
done
PYTHONPATH=$root/4.38.2 python3 - "$root" 2>"$root/log" <<'PY'
import json, os, shutil, sys
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
root = sys.argv[1]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer.train_from_iterator(["the red circle"] * 50, trainers.BpeTrainer(
    vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"], show_progress=False))
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=AddedToken("<s>", special=True, normalized=False), eos_token="</s>")
fast.add_special_tokens({"additional_special_tokens": [AddedToken("<image>", special=True, normalized=False)]})
fast.save_pretrained(root + "/new")
names = json.load(open(root + "/new/special_tokens_map.json"))
print("4.38.2 writes", names["additional_special_tokens"])
assert isinstance(names["additional_special_tokens"][0], dict)
for name in ("objects", "texts"):  # as before 4.34: the settings without the table of added tokens
    shutil.copytree(root + "/new", f"{root}/{name}")
    config = json.load(open(root + "/new/tokenizer_config.json"))
    del config["added_tokens_decoder"], config["additional_special_tokens"]
    json.dump(config, open(f"{root}/{name}/tokenizer_config.json", "w"))
json.dump({**names, "additional_special_tokens": ["<image>"]}, open(root + "/texts/special_tokens_map.json", "w"))
PY
cat >"$root/read.py" <<'PY'
import sys, transformers
from transformers import AutoTokenizer
seen = {}
for name in ("new", "objects", "texts"):
    try:
        seen[name] = str(AutoTokenizer.from_pretrained(f"{sys.argv[1]}/{name}")("the <image> red").input_ids)
    except TypeError as error:
        seen[name] = f"TypeError: {error}"
    print(f"transformers {transformers.__version__}, {name}: {seen[name]}")
assert seen["new"] == seen["texts"] and seen["new"][0] == "["
old = transformers.__version__ == "4.38.2"
assert seen["objects"] == (seen["texts"] if old else "TypeError: Input must be a List[Union[str, AddedToken]]")
PY
for version in 4.38.2 5.24.0; do PYTHONPATH=$root/$version python3 "$root/read.py" "$root" 2>"$root/log" || { cat "$root/log"; exit 1; }; done
