#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/parity.md: what was compared with the official code, how far apart it is, and the command to see it again.

  report.py --build BUILD [--ref CHECKOUT] [--python PYTHON] SECTION[=LOG]…

Runs the check of each SECTION (or reads the output of an earlier run from LOG) and replaces that section; the others stay. Sections:
variants, sampling, tiles, pictures, tokenizer, prompts, tiny, small, base, bf16-cache, mutations. PYTHON has the packages that the checks name.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import re
import shlex
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "parity.md"
HEAD = """# Parity with the official code

What Sightline computes is compared with the official implementation of DeepSeek-VL2 (its own PyTorch code, eager attention, SDPA in place
of xformers) on checkpoints with random weights: no official weights are needed to show that the arithmetic is the same. Errors are
‖a − b‖₂ / ‖b‖₂ per token. Written by `tests/parity/report.py`; `CONTRIBUTING.md` says how to install what the commands need. Below, DIR is
a checkout of the official code and BUILD a build folder.
"""
FEATURES = [("use_mla", lambda c: "MLA" if c["use_mla"] else "MHA"), ("q_lora_rank", lambda c: c["q_lora_rank"] and "q_lora"),
            ("num_key_value_heads", lambda c: c["num_key_value_heads"] != c["num_attention_heads"] and "grouped heads"),
            ("attention_bias", lambda c: c.get("attention_bias") and "biases"),
            ("n_routed_experts", lambda c: f"{c['scoring_func']} {c['topk_method']}" if c["n_routed_experts"] else "no experts"),
            ("n_group", lambda c: c["n_routed_experts"] and c["n_group"] > 1 and f"{c['n_group']} groups"),
            ("norm_topk_prob", lambda c: c["norm_topk_prob"] and "normalised"),
            ("routed_scaling_factor", lambda c: c["routed_scaling_factor"] != 1 and f"× {c['routed_scaling_factor']}"),
            ("rope_scaling", lambda c: c.get("rope_scaling") and "rope " + c["rope_scaling"]["type"])]


def metadata(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))["__metadata__"]


def describe(name):
    import make_checkpoints
    spec = make_checkpoints.VARIANTS[name]
    language = make_checkpoints.LANGUAGE | spec.get("language", {})
    words = [text for _, feature in FEATURES if (text := feature(language))]
    words += [f"projector {k} {v}" for k, v in spec.get("projector", {}).items()]
    return ", ".join(words + [spec.get("dtype", "F32")] + (["view last"] if not spec.get("head", True) else []))


def variants(output, _args):
    """test-parity's lines → one row per variant."""
    worst, count, greedy, bad = (collections.defaultdict(float), collections.Counter(), collections.defaultdict(set), collections.Counter())
    name = None
    for line in output.splitlines():
        if found := re.match(r"(not )?ok \d+ - (\w+)[ :]", line):
            name = found[2]
            count[name] += 1
            bad[name] += bool(found[1])
            if ids := re.search(r"the same (\d+) greedy ids", line):
                greedy[name].add(int(ids[1]))
        elif found := re.match(r"# worst (\S+) at", line):
            worst[name] = max(worst[name], float(found[1]))
    made = {name: metadata(HERE / "fixtures" / name / "model.safetensors") for name in count}
    facts = {json.dumps(m, sort_keys=True) for m in made.values()}
    rows = ["| variant | what is special | comparisons | failed | worst error | greedy ids |", "|---|---|---|---|---|---|"]
    rows += [f"| {n} | {describe(n)} | {count[n]} | {bad[n]} | {worst[n]:.1e} | up to {max(greedy[n])} equal |" for n in sorted(count)]
    first = next(iter(made.values()))
    oracle = ", ".join(f"{k} {v[:12] if k in ('official_commit', 'scripts_sha256') else v}" for k, v in sorted(first.items()))
    same = "All fixtures have the same origin" if len(facts) == 1 else f"The fixtures have {len(facts)} origins, the first"
    size = sum(p.stat().st_size for p in (HERE / "fixtures").rglob("*") if p.is_file()) / 1e6
    return "\n".join(rows) + (f"\n\nEach with text alone, 1, 2 and 3 pictures (3: no tiling), history, system message, an answer under repetition penalty; "
                              "prompt ids, vision features, embeddings, every layer, logits and greedy ids; chunks of 1, 7, 64 and 512 tokens; every "
                              "instruction set level of the machine; bit-equal logits and sampled ids with 1, 2 and 3 threads. Routers: no token of the fixtures "
                              f"is nearer than 2e-5 to another choice (the generator refuses such a seed), so 0 tokens are left out. {same}: {oracle}. "
                              f"Committed fixtures: {size:.1f} MB.")


def sampling(output, _args):
    errors = [float(x) for x in re.findall(r"^# worst (\S+) at", output, re.M)]
    origin = json.loads((HERE / "fixtures" / "sampling.json").read_text())["made_by"]
    return (f"{len(errors)} distributions (vocabularies of 7 to 431 ids; penalty over ids that repeat, temperature 0.05 to 3, top-k, top-p, ties; every "
            f"instruction set level): largest difference of a probability {max(errors):.1e}, {len(re.findall('^not ok', output, re.M))} failed (limit 1e-6). The "
            f"probabilities are exact, not counted: a draw is monotone in one uniform number, and the generator behind it is run backwards. Oracle: transformers "
            f"{origin['transformers']}, torch {origin['torch']}, script {origin['script_sha256'][:12]}.")


def cache(output, _args):
    """test-cache's lines → one row per variant."""
    rows = ["| variant | median, allowed | worst, allowed | tokens that meet other experts |", "|---|---|---|---|"]
    for line in re.findall(r"^# cache (.*)$", output, re.M):
        w = line.split()
        rows.append(f"| {w[0]} | {w[2]}, {w[4]} | {w[6]}, {w[8]} | {w[10]} of {w[12]} |")
    return "\n".join(rows) + (
        "\n\nAgainst the f32 cache, which is compared with the official code above. Rounding to bf16 moves a number by at most 2⁻⁸ of itself, by 0.4 of that in "
        "the root mean square, and each layer rounds keys and values: allowed are 2 · layers · 2⁻⁸ for every token and 0.4 · √(2 · layers) · 2⁻⁸ for half of them, "
        "up to the first token whose router chooses other experts. A GPU keeps its cache in bf16, and so does the "
        "CPU beside quantised weights and where one of f32 would take more than 512 MiB.")


def tail(pattern):
    """The lines of a check's output that match."""
    def write(output, _args):
        lines = [line.strip() for line in output.splitlines() if re.search(pattern, line)]
        return "```\n" + "\n".join(lines) + "\n```"
    return write


def as_is(output, _args):
    return output.strip()


FULL = "{python} tests/parity/full_size.py generate {key} FOLDER{layers} && {python} tests/parity/full_size.py compare FOLDER --ref {ref} --cli {build}/app/sightline-cli"
SECTIONS = {
    "variants": ("Every variant of the architecture", "{build}/tests/parity/test-parity {build}/tests/parity/checkpoints tests/parity/fixtures "
                 "tests/parity/conversations.json {variants}", variants),
    "sampling": ("Sampling", "{build}/tests/parity/test-sampling tests/parity/fixtures/sampling.json", sampling),
    "tiles": ("Tiles, bit by bit", "{python} tests/parity/tiles_check.py --tool {build}/tests/parity/tiles_tool --reference {ref}", tail("pictures|differs")),
    "pictures": ("Picture files", "{python} tests/parity/pictures_check.py --ref {ref} --cli {build}/app/sightline-cli", as_is),
    "tokenizer": ("Tokenizer", "{python} tests/parity/tokenizer_check.py --tool {build}/tests/parity/tokenizer_tool --count 25000", tail("strings")),
    "prompts": ("Conversations to tokens", "{python} tests/parity/prompt_check.py --reference {ref} --tokenizers tests/engine/fixtures/tokenizer "
                "--test {build}/tests/engine/test_prompt --count 3000", tail("conversations|not ok")),
    "tiny": ("The tiny model at full size", FULL.replace("{key}", "tiny").replace("{layers}", "") + " --image PICTURE", as_is),
    "small": ("The small model at full width", FULL.replace("{key}", "small").replace("{layers}", " --layers 2"), as_is),
    "base": ("The base model at full width", FULL.replace("{key}", "base").replace("{layers}", " --layers 2"), as_is),
    "bf16-cache": ("A cache of bf16", "{build}/tests/parity/test-cache {build}/tests/parity/checkpoints {variants}", cache),
    "mutations": ("Mutations", "{python} tests/parity/mutate.py .", as_is),
}


def machine():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")]
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{names[0] if names else 'unknown processor'}; commit {commit}; report {hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]}"


def section(key, log, args):
    title, command, write = SECTIONS[key]
    import make_checkpoints
    values = {"build": args.build, "ref": args.ref, "python": args.python, "variants": " ".join(sorted(make_checkpoints.VARIANTS))}
    shown = command.format(build="BUILD", ref="DIR", python="python3", variants="NAME…")
    if log:
        output = pathlib.Path(log).read_text(encoding="utf-8")
    else:
        done = subprocess.run(shlex.split(command.format(**values)), cwd=ROOT, capture_output=True, text=True, check=False)
        output = done.stdout
        print(f"{key}: exit status {done.returncode}", file=sys.stderr)
    return f"<!-- {key} -->\n## {title}\n\n`{shown}`\n\n{write(output, args)}\n\n{machine()}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--ref", default="DIR")
    parser.add_argument("--python", default="python3")
    parser.add_argument("sections", nargs="+")
    args = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else HEAD
    parts = dict(re.findall(r"(?s)<!-- ([\w-]+) -->\n(.*?)(?=<!-- [\w-]+ -->|\Z)", page))
    parts = {key: f"<!-- {key} -->\n{text.rstrip()}\n" for key, text in parts.items()}
    for wanted in args.sections:
        key, _, log = wanted.partition("=")
        parts[key] = section(key, log, args)
    PAGE.write_text(HEAD + "\n" + "\n".join(parts[key] for key in SECTIONS if key in parts), encoding="utf-8")


if __name__ == "__main__":
    main()
