#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the sampling distributions of Hugging Face transformers: `sampling_fixture.py > tests/parity/fixtures/sampling.json`.

Each case is a row of logits, the ids so far and the settings; the answer is the probability of every id after transformers' own
processors, in the order that generate() calls them: repetition penalty, temperature, top-k, top-p. test_sampling.c compares them with
what the engine draws. Cases whose top-p border is nearer than BORDER to a cumulated probability are left out: there rounding decides.
Needs torch and transformers 4.38.2.
"""
import hashlib
import json
import pathlib
import sys

import torch
import transformers
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

BORDER = 1e-5
# temperature, top_k, top_p, penalty: the official programs' settings first.
SETTINGS = [(0.4, 50, 0.9, 1.1), (0.1, 50, 0.9, 1.1), (0.1, 0, 0.9, 1.1), (1.0, 0, 1.0, 1.0), (0.7, 0, 1.0, 1.3), (1.0, 7, 1.0, 1.0),
            (1.0, 1, 1.0, 1.0), (1.0, 0, 0.8, 1.0), (1.0, 0, 0.999, 1.0), (1.0, 0, 0.001, 1.0), (1.5, 12, 0.9, 1.2), (0.05, 0, 0.95, 1.05),
            (3.0, 40, 0.5, 0.8), (2.0, 200, 0.97, 1.0)]
SHAPES = [(40, 2.0), (97, 6.0), (431, 3.0)]  # vocabulary, standard deviation of the logits


def processors(temperature, top_k, top_p, penalty):
    chain = LogitsProcessorList()
    if penalty != 1:
        chain.append(RepetitionPenaltyLogitsProcessor(penalty))
    if temperature != 1:
        chain.append(TemperatureLogitsWarper(temperature))
    if top_k:
        chain.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        chain.append(TopPLogitsWarper(top_p))
    return chain


def near_border(setting, ids, logits):
    temperature, top_k, top_p, penalty = setting
    if top_p == 1:
        return False
    before = processors(temperature, top_k, 1.0, penalty)(ids, logits.clone()).double().softmax(-1).sort(-1).values.cumsum(-1)
    return (before - (1 - top_p)).abs().min().item() < BORDER


def case(setting, vocab, spread, seed):
    rng = torch.Generator().manual_seed(seed)
    while True:
        logits = torch.randn(1, vocab, generator=rng) * spread
        # Ids repeat, as in a conversation; the penalty counts each once.
        ids = torch.randint(0, vocab, (1, 1 + vocab // 3), generator=rng)
        if not near_border(setting, ids, logits):
            break
    scores = processors(*setting)(ids, logits.clone())
    return {"temperature": setting[0], "top_k": setting[1], "top_p": setting[2], "penalty": setting[3], "ids": ids[0].tolist(),
            "logits": logits[0].tolist(), "p": [[i, p] for i, p in enumerate(scores[0].double().softmax(-1).tolist()) if p > 0]}


def ties():
    """Equal logits at the border of top-k: transformers keeps them all."""
    logits = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0, 2.0, -1.0]])
    scores = TopKLogitsWarper(2)(None, logits.clone())
    return {"temperature": 1.0, "top_k": 2, "top_p": 1.0, "penalty": 1.0, "ids": [], "logits": logits[0].tolist(),
            "p": [[i, p] for i, p in enumerate(scores[0].double().softmax(-1).tolist()) if p > 0]}


def close():
    """Large logits that lie close together, at a low temperature: how the division rounds is seen in the probabilities."""
    rng = torch.Generator().manual_seed(9)
    logits = 31 - torch.rand(1, 30, generator=rng) / 4
    scores = TemperatureLogitsWarper(0.07)(None, logits.clone())
    return {"temperature": 0.07, "top_k": 0, "top_p": 1.0, "penalty": 1.0, "ids": [], "logits": logits[0].tolist(),
            "p": [[i, p] for i, p in enumerate(scores[0].double().softmax(-1).tolist()) if p > 0]}


def main():
    cases = [case(setting, vocab, spread, 100 * i + j) for i, setting in enumerate(SETTINGS) for j, (vocab, spread) in enumerate(SHAPES)]
    cases += [ties(), close()]
    made_by = {"script": "tests/parity/sampling_fixture.py", "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
               "torch": torch.__version__, "transformers": transformers.__version__}
    text = json.dumps({"made_by": made_by, "cases": cases}, separators=(",", ":"))
    sys.stdout.write(text.replace('{"temperature"', '\n{"temperature"') + "\n")


if __name__ == "__main__":
    main()
