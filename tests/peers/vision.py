#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The vision tower beside OpenVINO and ONNX Runtime: blocks of so400m/14-384's shape, with random weights, in turn in one run.

    vision.py BENCH_OPS [--blocks 2] [--rounds 5] [--levels avx512bf16,avx512vnni,avx2]

BENCH_OPS is build/tests/kernels/bench-ops. Writes the blocks as ONNX, as the official tower's blocks are (siglip_vit.py: Block), has NNCF
round them to int8 (transformer preset, smoothing of activations, one scale per row of weights), and runs every peer and every level
with one thread on two tiles, one after the other, round by round. The clock is the process's own processor time, which a busy
machine changes least. Prints milliseconds per tile and block, the best of the rounds, and, for the peers, how far what the blocks add is
from OpenVINO's in f32, as normalised squared error; tests/kernels/test_vit.c has ours. Two channels of the tiles are far from the
others, as towers have it.
"""
import argparse
import os
import re
import subprocess
import tempfile
import time

import numpy as np

TILES, TOKENS, WIDTH, HEADS, MLP = 2, 729, 1152, 16, 4304
FLOP = TILES * (2 * TOKENS * WIDTH * (4 * WIDTH + 2 * MLP) + 4 * TOKENS * TOKENS * WIDTH)


def write_blocks(path, blocks):
    """x [n][tokens][width] → the same shape behind so many blocks."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random, nodes, weights = np.random.default_rng(1), [], []

    def weight(name, value):
        weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def linear(x, name, rows, cols):
        w = weight(f"{name}.w", (random.standard_normal((cols, rows)) / cols ** 0.5).astype(np.float32))
        return node("Add", [node("MatMul", [x, w], f"{name}.product"), weight(f"{name}.b", np.zeros(rows, np.float32))], name)

    def norm(x, name):
        return node("LayerNormalization", [x, weight(f"{name}.w", np.ones(WIDTH, np.float32)),
                                           weight(f"{name}.b", np.zeros(WIDTH, np.float32))], name, axis=-1, epsilon=1e-6)

    def heads_of(x, name, order):
        x = node("Reshape", [x, weight(f"{name}.shape", np.array([0, TOKENS, HEADS, WIDTH // HEADS], np.int64))], f"{name}.heads")
        return node("Transpose", [x], name, perm=order)

    x = "x"
    for i in range(blocks):
        qkv = linear(norm(x, f"{i}.norm1"), f"{i}.qkv", 3 * WIDTH, WIDTH)
        parts = [f"{i}.q", f"{i}.k", f"{i}.v"]
        nodes.append(helper.make_node("Split", [qkv, weight(f"{i}.split", np.array([WIDTH] * 3, np.int64))], parts, name=f"{i}.parts", axis=2))
        q, k, v = heads_of(parts[0], f"{i}.qh", [0, 2, 1, 3]), heads_of(parts[1], f"{i}.kh", [0, 2, 3, 1]), heads_of(parts[2], f"{i}.vh", [0, 2, 1, 3])
        q = node("Mul", [q, weight(f"{i}.scale", np.float32((WIDTH // HEADS) ** -0.5))], f"{i}.scaled")
        p = node("Softmax", [node("MatMul", [q, k], f"{i}.scores")], f"{i}.p", axis=-1)
        o = node("Transpose", [node("MatMul", [p, v], f"{i}.o")], f"{i}.turned", perm=[0, 2, 1, 3])
        o = node("Reshape", [o, weight(f"{i}.back", np.array([0, TOKENS, WIDTH], np.int64))], f"{i}.joined")
        x = node("Add", [x, linear(o, f"{i}.proj", WIDTH, WIDTH)], f"{i}.attended")
        h = node("Gelu", [linear(norm(x, f"{i}.norm2"), f"{i}.fc1", MLP, WIDTH)], f"{i}.gelu", approximate="tanh")
        x = node("Add", [x, linear(h, f"{i}.fc2", WIDTH, MLP)], f"{i}.out")
    shape = ["n", TOKENS, WIDTH]
    graph = helper.make_graph(nodes, "blocks", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def peers_of(path):
    """Name → a function that runs all blocks once."""
    import onnxruntime
    import nncf
    import openvino

    x = np.random.default_rng(2).standard_normal((TILES, TOKENS, WIDTH)).astype(np.float32)
    x[:, :, 3], x[:, ::2, 700], x[:, 1::2, 700] = 60, 30, -100
    core, out = openvino.Core(), {}
    print(f"OpenVINO {openvino.__version__} on {core.get_property('CPU', 'FULL_DEVICE_NAME')}, ONNX Runtime {onnxruntime.__version__}, "
          f"NNCF {nncf.__version__}")
    model = core.read_model(path)
    rounded = nncf.quantize(model, nncf.Dataset([x[:1]]), subset_size=1, model_type=nncf.ModelType.TRANSFORMER,
                            preset=nncf.QuantizationPreset.MIXED)

    def add(name, which, hint):
        compiled = core.compile_model(which, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint})
        request = compiled.create_infer_request()
        out[name] = lambda: request.infer({0: x})[0] - x

    add("OpenVINO f32", model, "f32")
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        add("OpenVINO bf16", model, "bf16")
    add("OpenVINO int8 (NNCF)", rounded, "f32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    out["ONNX Runtime f32"] = lambda: session.run(None, {"x": x})[0] - x
    return out


def ours(bench, level):
    """Milliseconds of a block of both tiles, by what its matrices are."""
    text = subprocess.run([bench, level, "1", "block"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return {kind: float(ms) for kind, ms in re.findall(r"^block (\w+) +([\d.]+) ms", text, re.M)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--levels", default="avx512bf16,avx512vnni,avx2")
    options = parser.parse_args()
    best, errors = {}, {}

    def note(name, ms):
        best[name] = min(best.get(name, ms), ms)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "blocks.onnx")
        write_blocks(path, options.blocks)
        peers = peers_of(path)
        exact = peers["OpenVINO f32"]().astype(np.float64)
        for name, run in peers.items():
            errors[name] = f"{((run() - exact) ** 2).sum() / (exact ** 2).sum():.1e}"
        for _ in range(options.rounds):
            for name, run in peers.items():
                start = time.process_time()
                run()
                note(name, (time.process_time() - start) * 1e3 / options.blocks)
            for level in options.levels.split(","):
                for kind, ms in ours(options.bench, level).items():
                    note(f"Sightline {kind}, {level}", ms)
    print("| one thread | ms per tile and block | GFLOP/s | error |\n|---|---|---|---|")
    for name, ms in best.items():
        print(f"| {name} | {ms / TILES:.1f} | {FLOP / ms / 1e6:.0f} | {errors.get(name, '')} |")


if __name__ == "__main__":
    main()
