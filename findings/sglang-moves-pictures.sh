#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SGLang 0.5.23, chat template "deepseek-vl2": every picture of a message is moved to its front, and texts are joined without a blank.
# Expected: text and pictures in the order in which the request gives them, as the official code and vLLM have them; in-context
# questions depend on it.
# Seen: "Find it in" PICTURE "as marked in" PICTURE "." becomes two places for pictures, then "Find it inas marked in.". The word
# "User:" in an answer stops it.
# Only the template's own module is taken out of the wheel and run, with the types that it imports from the rest left empty.
# A question whose order matters cannot be asked there through the template; compare prompt token counts before comparing answers.
set -euo pipefail
package=sglang==0.5.23
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
python3 -m pip download -q --no-deps --only-binary :all: "$package" || { echo "not on PyPI any more: $package"; exit 77; }
python3 -m zipfile -e sglang-*.whl wheel

cat >show.py <<'PY'
import importlib.util, sys, types
from types import SimpleNamespace as Object

class Empty(types.ModuleType):
    def __getattr__(self, name):
        return type(name, (), {"__init__": lambda self, *given, **named: None})

for name in ("typing_extensions", "sglang", "sglang.srt", "sglang.srt.entrypoints", "sglang.srt.entrypoints.openai",
             "sglang.srt.entrypoints.openai.protocol", "sglang.srt.utils"):
    sys.modules[name] = Empty(name)
import typing
sys.modules["typing_extensions"].Literal = typing.Literal
spec = importlib.util.spec_from_file_location("conversation", "wheel/sglang/srt/parser/conversation.py")
conversation = importlib.util.module_from_spec(spec)
sys.modules["conversation"] = conversation
spec.loader.exec_module(conversation)

def text(words):
    return Object(type="text", text=words)

def picture(url):
    return Object(type="image_url", modalities=None, image_url=Object(url=url, detail="auto"))

content = [text("Find it in"), picture("file:///a.png"), text("as marked in"), picture("file:///b.png"), text(".")]
made = conversation.generate_chat_conv(Object(messages=[Object(role="user", content=content)]), "deepseek-vl2")
prompt = made.get_prompt()
print(repr(prompt))
print("stops at", made.stop_str)
assert prompt.count("<image>") == 2 and prompt.rindex("<image>") < prompt.index("Find it inas marked in.")
assert "User:" in made.stop_str
PY
python3 show.py
