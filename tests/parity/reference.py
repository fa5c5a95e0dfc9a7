# SPDX-License-Identifier: MIT
"""Loads the official processor from a checkout of deepseek-ai/DeepSeek-VL2 without its model code (which wants xformers).

Used by tiles_check.py and prompt_check.py. Needs torch, torchvision, transformers and Pillow.
"""
import contextlib
import importlib
import io
import pathlib
import subprocess
import sys
import types


def load(checkout):
    """The module processing_deepseek_vl_v2 of the checkout."""
    models = pathlib.Path(checkout) / "deepseek_vl2" / "models"
    for name, path in (("deepseek_vl2", models.parent), ("deepseek_vl2.models", models)):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package
    return importlib.import_module("deepseek_vl2.models.processing_deepseek_vl_v2")


def commit(checkout):
    return subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()


def processor(module, tokenizer_dir, candidates, patch_size, downsample_ratio):
    from transformers import LlamaTokenizerFast
    with contextlib.redirect_stdout(io.StringIO()):
        return module.DeepseekVLV2Processor(
            tokenizer=LlamaTokenizerFast.from_pretrained(str(tokenizer_dir)), candidate_resolutions=candidates, patch_size=patch_size,
            downsample_ratio=downsample_ratio, image_mean=(0.5, 0.5, 0.5), image_std=(0.5, 0.5, 0.5), normalize=True)
