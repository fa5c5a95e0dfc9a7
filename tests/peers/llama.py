#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Speed beside llama.cpp on this machine, with the same shape and bits: `llama.py CLI [--work DIR] [--arch deepseek|deepseek2] …`.

llama.cpp's source comes in the sdist of llama-cpp-python and is built with native flags; nothing of it is kept but in DIR, and a second run
uses what is there. It reads a file of noise that this script writes: `deepseek` has the shape of tiny's language model (all layers or
--layers), `deepseek2` small's (all 27: the peer knows that shape by their number). Both sides hold routed experts in 4.5 bits per weight
(Q4_0 there) and everything else in 8.5 (Q8_0). The peer runs at its best: every combination of threads, batch and flash attention
below, and the fastest sample of the fastest one counts, as the fastest run of `sightline-cli bench` does. The weights of both are
noise, so that a step chooses its experts anew. `./dev peers speed` calls this; only the standard library and NumPy are needed.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cli"))
import published  # noqa: E402

F32, Q4_0, Q8_0 = 0, 2, 8
BLOCK = {F32: (1, 4), Q4_0: (32, 18), Q8_0: (32, 34)}  # weights, bytes
ALIGN, NOISE_ROWS = 32, 509
ARCHES = {"deepseek": "tiny", "deepseek2": "small"}
PREFILL, DECODE, DEPTHS = 512, 64, (0, 1024)


# ---------------------------------------------------------------------------------------------- the peer's program

def build(work):
    program = work / "build" / "bin" / "llama-bench"
    if program.exists():
        return program
    if not list(work.glob("llama_cpp_python-*.tar.gz")):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python", "llama-cpp-python",
                        "-d", str(work)], check=True)
    (archive,) = work.glob("llama_cpp_python-*.tar.gz")
    source = work / archive.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp"
    if not source.exists():
        # Not with tarfile: its filter against paths that leave the folder came with Python 3.11.4, and Debian 12 has 3.11.2.
        subprocess.run(["tar", "-x", "--no-same-owner", "-C", work, "-f", archive], check=True)
    if not (work / "build" / "build.ninja").exists():
        subprocess.run(["cmake", "-G", "Ninja", "-S", source, "-B", work / "build", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON",
                        "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF",
                        "-DBUILD_SHARED_LIBS=OFF"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["nice", "-n", "10", "ninja", "-C", work / "build", "llama-bench"], check=True, stdout=subprocess.DEVNULL)
    return program


def version(work):
    (archive,) = work.glob("llama_cpp_python-*.tar.gz")
    return archive.name.removesuffix(".tar.gz").replace("_", "-")


# ---------------------------------------------------------------------------------------------- the peer's file

def settings(arch, layers):
    """The file's metadata, from the published config.json of the model."""
    c = {**published.DEFAULTS, **published.COMMON, **published.LANGUAGE[ARCHES[arch]]}
    heads, mla = c["num_attention_heads"], arch == "deepseek2"
    out = {"general.architecture": arch, "general.name": f"noise of the shape {arch}", "tokenizer.ggml.model": "none"}
    own = {"block_count": layers or c["num_hidden_layers"], "context_length": 4096, "vocab_size": c["vocab_size"],
           "embedding_length": c["hidden_size"], "feed_forward_length": c["intermediate_size"],
           "expert_feed_forward_length": c["moe_intermediate_size"], "expert_count": c["n_routed_experts"],
           "expert_used_count": c["num_experts_per_tok"], "expert_shared_count": c["n_shared_experts"], "expert_weights_scale": 1.0,
           "leading_dense_block_count": c["first_k_dense_replace"], "attention.head_count": heads,
           "attention.head_count_kv": 1 if mla else heads, "attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 10000.0,
           "rope.dimension_count": 64 if mla else 128}
    if mla:
        own |= {"attention.kv_lora_rank": 512, "attention.key_length": 576, "attention.value_length": 512,
                "attention.key_length_mla": 192, "attention.value_length_mla": 128}
    return out | {f"{arch}.{key}": value for key, value in own.items()}


def tensors(meta, arch):
    """name → (type, shape); a shape's last number is the length of a row."""
    def of(key):
        return meta[f"{arch}.{key}"]

    hidden, heads, inter, experts = (of(k) for k in ("embedding_length", "attention.head_count", "expert_feed_forward_length", "expert_count"))
    out = {"token_embd.weight": (Q8_0, (of("vocab_size"), hidden)), "output.weight": (Q8_0, (of("vocab_size"), hidden)),
           "output_norm.weight": (F32, (hidden,))}
    for i in range(of("block_count")):
        b = f"blk.{i}."
        out[b + "attn_norm.weight"] = out[b + "ffn_norm.weight"] = (F32, (hidden,))
        if arch == "deepseek2":
            out |= {b + "attn_q.weight": (Q8_0, (heads * 192, hidden)), b + "attn_kv_a_mqa.weight": (Q8_0, (576, hidden)),
                    b + "attn_kv_a_norm.weight": (F32, (512,)), b + "attn_k_b.weight": (Q8_0, (heads, 512, 128)),
                    b + "attn_v_b.weight": (Q8_0, (heads, 128, 512)), b + "attn_output.weight": (Q8_0, (hidden, heads * 128))}
        else:
            out |= {f"{b}attn_{part}.weight": (Q8_0, (hidden, hidden)) for part in ("q", "k", "v", "output")}
        if i < of("leading_dense_block_count"):
            wide = of("feed_forward_length")
            out |= {b + "ffn_gate.weight": (Q8_0, (wide, hidden)), b + "ffn_up.weight": (Q8_0, (wide, hidden)),
                    b + "ffn_down.weight": (Q8_0, (hidden, wide))}
            continue
        shared = of("expert_shared_count") * inter
        out |= {b + "ffn_gate_inp.weight": (F32, (experts, hidden)),
                b + "ffn_gate_exps.weight": (Q4_0, (experts, inter, hidden)), b + "ffn_up_exps.weight": (Q4_0, (experts, inter, hidden)),
                b + "ffn_down_exps.weight": (Q4_0, (experts, hidden, inter)), b + "ffn_gate_shexp.weight": (Q8_0, (shared, hidden)),
                b + "ffn_up_shexp.weight": (Q8_0, (shared, hidden)), b + "ffn_down_shexp.weight": (Q8_0, (hidden, shared))}
    return out


def value_bytes(value):
    if isinstance(value, str):
        text = value.encode()
        return struct.pack("<IQ", 8, len(text)) + text
    return struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<II", 4, value)


def name_bytes(name):
    return struct.pack("<Q", len(name.encode())) + name.encode()


def size_of(kind, shape):
    weights, size = BLOCK[kind]
    return int(numpy.prod(shape)) // weights * size


def noise_rows(kind, cols, rng):
    """Rows whose values have the variance 1 / cols, which keeps the length of what passes through them."""
    if kind == F32:
        return (rng.standard_normal((NOISE_ROWS, cols), numpy.float32) * numpy.float32(cols ** -0.5)).view(numpy.uint8)
    blocks, size = cols // 32, BLOCK[kind][1]
    deviation = 73.9 if kind == Q8_0 else 4.61  # of the codes -128 … 127, and 0 … 15 less 8
    rows = rng.integers(0, 256, (NOISE_ROWS, blocks, size), numpy.uint8)
    rows[:, :, :2] = numpy.array([cols ** -0.5 / deviation], numpy.float16).view(numpy.uint8)
    return rows.reshape(NOISE_ROWS, -1)


def fill(kind, shape, number, blocks, rng):
    """The tensor's bytes, piece by piece; rows are taken from a block of noise at a start that differs from tensor to tensor."""
    if len(shape) == 1:
        yield numpy.ones(shape, numpy.float32).tobytes()
        return
    cols, rows = shape[-1], int(numpy.prod(shape[:-1]))
    if (kind, cols) not in blocks:
        blocks[kind, cols] = noise_rows(kind, cols, rng)
    block = numpy.roll(blocks[kind, cols], 61 * number, axis=0)
    for first in range(0, rows, NOISE_ROWS):
        yield block[:min(NOISE_ROWS, rows - first)].tobytes()


def write_model(path, arch, layers):
    meta = settings(arch, layers)
    entries, at, rng, blocks = tensors(meta, arch), 0, numpy.random.default_rng(1), {}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(meta)) + b"".join(name_bytes(k) + value_bytes(v) for k, v in meta.items())
    for name, (kind, shape) in entries.items():
        head += name_bytes(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, at)
        at += -(-size_of(kind, shape) // ALIGN) * ALIGN
    with open(path.with_suffix(".part"), "wb") as file:
        file.write(head + bytes(-len(head) % ALIGN))
        for number, (kind, shape) in enumerate(entries.values()):
            for piece in fill(kind, shape, number, blocks, rng):
                file.write(piece)
            file.write(bytes(-size_of(kind, shape) % ALIGN))
    path.with_suffix(".part").rename(path)


# ---------------------------------------------------------------------------------------------- measuring

def run_peer(program, model, options):
    """(tokens, context) → (tokens per second, how)."""
    best = {}
    prefill = ["-p", str(PREFILL), "-n", "0", "-ub", "128,256,512"]
    decode = ["-p", "0", "-n", str(DECODE), "-d", ",".join(map(str, DEPTHS))]
    for what in (prefill, decode):
        done = subprocess.run([program, "-m", model, "-t", options.peer_threads, "-fa", "0,1", "-r", str(options.repeats), "-o", "json", *what],
                              stdout=subprocess.PIPE, check=True)
        for row in json.loads(done.stdout):
            key = (row["n_prompt"] or 1, row.get("n_depth", 0))
            rate = max(row["samples_ts"])
            how = f"{row['n_threads']} threads, batch {row['n_ubatch']}, flash attention {'on' if row['flash_attn'] else 'off'}"
            best[key] = max(best.get(key, (0, "")), (rate, how))
    return best


def run_own(cli, arch, layers, threads):
    command = [cli, "bench", "--json", "--shape", ARCHES[arch], "--format", "mix", "--threads", str(threads)]
    done = subprocess.run([*command, *(["--layers", str(layers)] if layers else [])], stdout=subprocess.PIPE, check=True)
    report = json.loads(done.stdout)
    rates = {(row["tokens"], row["context"]): row["per_second"] for row in report["rows"] if row["kind"] in ("prefill", "decode")}
    return rates, report["decode_bandwidth_ratio"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cli")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "sightline" / "llama")
    parser.add_argument("--arch", choices=ARCHES, default="deepseek")
    parser.add_argument("--layers", type=int, default=0, help="of deepseek; all where not given")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer-threads", default="", help="a list, of which the best counts; 1 to --threads where not given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write-only", action="store_true", help="write the peer's file and print its name")
    options = parser.parse_args()
    if options.layers and options.arch == "deepseek2":
        parser.error("deepseek2 has all layers: the peer knows the shape by their number")
    options.peer_threads = options.peer_threads or ",".join(str(n) for n in {max(1, options.threads // 2), options.threads})
    options.work.mkdir(parents=True, exist_ok=True)
    model = options.work / f"{options.arch}-{options.layers or 'all'}.gguf"
    if not model.exists():
        write_model(model, options.arch, options.layers)
    if options.write_only:
        print(model)
        return
    program = build(options.work)
    peer = run_peer(program, model, options)
    own, bandwidth = run_own(options.cli, options.arch, options.layers, options.threads)
    print(f"{ARCHES[options.arch]}'s language model, {options.layers or 'all'} layers, experts 4.5 bits and the rest 8.5; {options.threads} threads; "
          f"peer: {version(options.work)}\n")
    print("| what | Sightline | llama.cpp | ratio | llama.cpp at its best with |\n|---|---|---|---|---|")
    for tokens, context in ((PREFILL, 0), *((1, depth) for depth in DEPTHS)):
        name = f"prefill {tokens}, tokens/s" if tokens > 1 else f"decode @{context}, tokens/s"
        rate, how = peer[tokens, context]
        print(f"| {name} | {own[tokens, context]:.1f} | {rate:.1f} | {own[tokens, context] / rate:.2f} | {how} |")
    print(f"\nSightline's decode @0 is at {100 * bandwidth:.0f} % of the read bandwidth that the same run measured.")


if __name__ == "__main__":
    main()
