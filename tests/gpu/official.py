#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The official PyTorch code on the same checkpoint, picture and question as tests/gpu/drive.c: first token, decode rate, text.

official.py CODE MODEL [--device cuda|cpu] [--size WxH] [--tokens N]. CODE is a clone of deepseek-ai/DeepSeek-VL2; prints one CSV line.
Weights are loaded with torch_dtype=bfloat16, never cast afterwards: a cast would round the rotary table too. Needs torch, transformers
4.38, timm and einops; on a machine with other versions, wheels of transformers==4.38.2, tokenizers 0.15 and huggingface_hub below 1.0
in a folder of their own on PYTHONPATH.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))


def draw(width, height):
    """The picture that drive.c draws."""
    import numpy
    from PIL import Image
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.int64)
    r = 2 * min(width, height)
    disc = (10 * x - 7 * width) ** 2 + (10 * y - 3 * height) ** 2 < r * r
    bar = (10 * y > 7 * height) & (10 * y < 8 * height) & (10 * x > width) & (10 * x < 6 * width)
    rgb = numpy.full((height, width, 3), 255, numpy.uint8)
    rgb[bar] = (30, 60, 200)
    rgb[disc] = (220, 30, 30)
    return Image.fromarray(rgb)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("code")
    parser.add_argument("model")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="1152x1152")
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    import make_fixtures
    make_fixtures.install_shims()
    sys.path.insert(0, options.code)
    import torch
    from deepseek_vl2.models import DeepseekVLV2Processor, DeepseekVLV2ForCausalLM

    processor = DeepseekVLV2Processor.from_pretrained(options.model)
    model = DeepseekVLV2ForCausalLM.from_pretrained(options.model, torch_dtype=torch.bfloat16).to(options.device).eval()
    talk = [{"role": "<|User|>", "content": "<image>\n<|ref|>the red circle<|/ref|>", "images": []}, {"role": "<|Assistant|>", "content": ""}]
    picture = draw(*map(int, options.size.split("x")))
    inputs = processor(conversations=talk, images=[picture], force_batchify=True, system_prompt="").to(options.device, dtype=torch.bfloat16)

    on_gpu = options.device.startswith("cuda")
    wait = torch.cuda.synchronize if on_gpu else lambda: None

    def answer(tokens):
        wait()
        start = time.perf_counter()
        with torch.inference_mode():
            embeds = model.prepare_inputs_embeds(**inputs)
            out = model.language.generate(inputs_embeds=embeds, attention_mask=inputs.attention_mask, max_new_tokens=tokens,
                                          min_new_tokens=tokens, do_sample=False, use_cache=True)
        wait()
        return time.perf_counter() - start, out[0].tolist()

    answer(2)
    first = min(answer(1)[0] for _ in range(3))
    total, ids = min(answer(options.tokens) for _ in range(3))
    print("what,gpu,prompt tokens,first token ms,decode tokens/s,ids")
    print(f'official,"{torch.cuda.get_device_name() if on_gpu else "CPU"}",{inputs.input_ids.shape[1]},{first * 1e3:.1f},'
          f'{(options.tokens - 1) / (total - first):.1f},"{" ".join(map(str, ids))}"')


main()
