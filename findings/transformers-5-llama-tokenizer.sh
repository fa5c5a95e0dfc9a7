#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# transformers 5.24.0: LlamaTokenizerFast.from_pretrained cuts a text otherwise than the tokenizer.json that it was given says.
# Expected: the class that tokenizer_config.json names opens the folder as AutoTokenizer does; so it was in 4.38.2.
# Seen: the file's ByteLevel pre-tokenizer is replaced by Metaspace (and the decoder with it): other ids, and the text comes back without
# its blanks. AutoTokenizer sees that the file is of another kind, and takes it as it is.
# tokenizer_config.json of DeepSeek's models names LlamaTokenizerFast, and so do programs written for them. Sightline is compared with
# AutoTokenizer or with the tokenizers library, never with that class.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for version in 4.38.2 5.24.0; do
    python3 -m pip install -q --no-compile --root-user-action ignore --target "$root/$version" "transformers==$version" 'numpy<2' ||
        { echo "not on PyPI any more: transformers $version"; exit 77; }
done
cat >"$root/read.py" <<'PY'
import json, sys, transformers
from transformers import AutoTokenizer, LlamaTokenizerFast
folder, text, seen = sys.argv[1], "the red circle", {}
for name, opener in (("AutoTokenizer", AutoTokenizer), ("LlamaTokenizerFast", LlamaTokenizerFast)):
    tokenizer = opener.from_pretrained(folder)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    pre = json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"]["type"]
    seen[name] = (pre, tokenizer.decode(ids))
    print(f"transformers {transformers.__version__} {name}: {pre}, {ids}, back as {tokenizer.decode(ids)!r}")
assert seen["AutoTokenizer"] == ("ByteLevel", text)
assert seen["LlamaTokenizerFast"] == (("ByteLevel", text) if transformers.__version__ == "4.38.2" else ("Metaspace", "theredcircle"))
PY
PYTHONPATH=$root/4.38.2 python3 - "$root/model" <<'PY'
import json, os, sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer.train_from_iterator(["the red circle and the blue square"] * 50, trainers.BpeTrainer(
    vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"], show_progress=False))
os.mkdir(sys.argv[1])
tokenizer.save(sys.argv[1] + "/tokenizer.json")
with open(sys.argv[1] + "/tokenizer_config.json", "w") as file:
    json.dump({"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "LlamaTokenizerFast"}, file)
PY
for version in 4.38.2 5.24.0; do PYTHONPATH=$root/$version python3 "$root/read.py" "$root/model" 2>"$root/log" || { cat "$root/log"; exit 1; }; done
