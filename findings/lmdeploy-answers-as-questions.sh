#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# LMDeploy 0.18.0, DeepSeek-VL2: earlier answers go to the model as further questions of the user, and of a question's texts the first.
# Expected: the answer of a turn as "<|Assistant|>: …" and the end of a sentence behind it, as its own template does it when it is
# given the same talk without pictures; all texts of a message, in their order.
# Seen: "<|User|>: A red circle." and no end of a sentence; the second text of the last question is not there. The vision model of
# this family builds the messages anew, with the role "user" for each.
# Only the two modules that make the prompt are taken out of the wheel and run, with the types that they import left empty.
# Whoever talks in turns asks another question there than elsewhere: compare prompt token counts before comparing answers.
set -euo pipefail
package=lmdeploy==0.18.0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
python3 -m pip download -q --no-deps --only-binary :all: --python-version 3.11 --platform manylinux_2_28_x86_64 "$package" ||
    { echo "not on PyPI any more: $package"; exit 77; }
python3 -m zipfile -e lmdeploy-*.whl wheel

cat >show.py <<'PY'
import importlib.util, sys, types, unittest.mock

class Empty(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return unittest.mock.MagicMock()

class Registry:
    def __init__(self, *given, **named):
        self.known = {}

    def register_module(self, name=None, **named):
        def keep(kind):
            self.known.update((each, kind) for each in ([name] if isinstance(name, str) else name or [kind.__name__]))
            return kind
        return keep

def take(name, path):
    spec = importlib.util.spec_from_file_location(name, "wheel/lmdeploy/" + path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

for name in ("torch", "transformers", "mmengine", "lmdeploy", "lmdeploy.utils", "lmdeploy.archs", "lmdeploy.vl", "lmdeploy.vl.model",
             "lmdeploy.vl.model.base"):
    sys.modules[name] = Empty(name)
sys.modules["torch"].no_grad = lambda: lambda function: function
sys.modules["mmengine"].Registry = Registry
sys.modules["lmdeploy.vl.model.base"].VISION_MODELS = Registry()
sys.modules["lmdeploy.vl.model.base"].VisionModel = object
vision = take("vision", "vl/model/deepseek_vl2.py").DeepSeek2VisionModel
template = take("model", "model.py").MODELS.known["deepseek-vl2"]()

def text(words):
    return {"type": "text", "text": words}

talk = [{"role": "user", "content": [text("<IMAGE_TOKEN>What is it?"), {"type": "image"}]},
        {"role": "assistant", "content": [text("A red circle.")]},
        {"role": "user", "content": [text("And where?"), text("Say left or right.")]}]
prompt, _ = vision.proc_messages(talk, template)
print("with pictures:   ", repr(prompt))
plain = [{"role": m["role"], "content": " ".join(t["text"] for t in m["content"] if t["type"] == "text")} for m in talk]
wanted = template.messages2prompt(plain)
print("without pictures:", repr(wanted))
assert "<|Assistant|>: A red circle.<｜end▁of▁sentence｜>" in wanted and "Say left or right." in wanted
assert "<|User|>: A red circle.\n\n" in prompt and "<｜end▁of▁sentence｜>" not in prompt and "Say left" not in prompt
PY
python3 show.py
