#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes random-weight checkpoints whose vocabularies cut boxes into tokens in different ways, for the box grammar's tests.

make_vocabularies.py --out DIR --stamp FILE. Standard library only; weights and layout come from tests/parity/make_checkpoints.py.
  digits    every byte is its own token, so a number is up to three of them
  numbers   0 … 999 are one token each, and the punctuation between them is merged, as in the published vocabularies
  circle    as digits, but the next token depends on the last one alone: greedy, that sooner or later runs in a circle
  messy     merges that end one thing and begin another, tokens that no box can hold, two spellings of everything
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import make_checkpoints  # noqa: E402

SPACE = "\u0120"  # a space in the byte-level alphabet
NUMBERS = [str(n) for n in range(10, 1000)]
MERGES = [f"{n // 10} {n % 10}" for n in range(10, 1000)]
VOCABULARIES = {
    "digits": dict(pieces=[], merges=[], base="tiny_style"),
    "circle": dict(pieces=[], merges=[], base="tiny_style"),
    "numbers": dict(pieces=NUMBERS + ["[[", "]]", "," + SPACE, "],", "]," + SPACE, "]," + SPACE + "["],
                    merges=MERGES + ["[ [", "] ]", ", " + SPACE, "] ,", "], " + SPACE, f"],{SPACE} ["], base="small_style"),
    "messy": dict(pieces=["," + "1", "12,", "]],[[", "0]", SPACE + "9", "[[1", "00", "007", "1234", "," + SPACE + ",", "]]]", "[" + SPACE + "[",
                          "5," + SPACE + "6", "99]," + SPACE + "[", "]],", "]]", "[[", "88", "888", "8,8,8", "[1,2,3,4]", "1,2,3,4,5",
                          "9]]", "]," + SPACE + "[0", SPACE, SPACE + SPACE, "," + SPACE + SPACE, "[[0,0,0,0]]", "-1", "1.5"],
                  merges=[], base="base_style"),
}


class Blind(make_checkpoints.Weights):
    """What attention finds is thrown away."""

    def linear(self, name, rows, cols, bias=False, gain=1.0):
        super().linear(name, rows, cols, bias, 0.0 if name.endswith("o_proj") else gain)


def write(out, name, spec):
    tokenizer = json.loads((HERE.parent / "parity" / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    model = tokenizer["model"]
    vocab = {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    for piece in [p for p in model["vocab"] if len(p) == 1] + spec["pieces"]:
        vocab.setdefault(piece, len(vocab))
    model["vocab"], model["merges"] = vocab, spec["merges"]
    base = make_checkpoints.VARIANTS[spec["base"]]
    language = dict(base.get("language", {}), vocab_size=len(vocab) + 8 + 5, num_hidden_layers=2)
    make_checkpoints.VARIANTS[name] = dict(base, language=language)
    make_checkpoints.write_checkpoint(out / name, name)
    (out / name / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--stamp", type=pathlib.Path)
    args = parser.parse_args()
    seeing = make_checkpoints.Weights
    for name, spec in VOCABULARIES.items():
        make_checkpoints.Weights = Blind if name == "circle" else seeing
        write(args.out, name, spec)
    if args.stamp:
        args.stamp.touch()


if __name__ == "__main__":
    main()
