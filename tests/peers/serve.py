#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of others against `sightline-cli serve`: the official openai package, langchain-openai and curl, on the loopback.

serve.py CLI SOURCE_ROOT. Run by `./dev peers serve` in an environment with requirements-serve.txt. Prints a line per client.
"""
import base64
import json
import pathlib
import subprocess
import sys

import langchain_openai
import openai

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
PICTURE = "data:image/png;base64," + base64.b64encode((ROOT / "data" / "samples" / "shapes-1.png").read_bytes()).decode()
CONTENT = [{"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "text", "text": "<|ref|>the red circle<|/ref|>"}]
MESSAGES = [{"role": "user", "content": CONTENT}]


def check(client, answers, what):
    assert answers, f"{client}: {what}"
    print(f"{client}: {what}")


def official(address):
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == ["demo-model"]
    whole = client.chat.completions.create(model="demo-model", messages=MESSAGES, temperature=0, logprobs=True, top_logprobs=2)
    message = whole.choices[0].message
    check(f"openai {openai.__version__}", message.boxes[0]["box"], f"answers {message.content!r} and boxes {message.boxes}")
    check("openai", len(whole.choices[0].logprobs.content) == whole.usage.completion_tokens, "a log-probability for each token")
    with client.chat.completions.create(model="demo-model", messages=MESSAGES, temperature=0, stream=True,
                                        stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    check("openai", text == message.content and chunks[-1].usage.total_tokens == whole.usage.total_tokens, "the stream says what the whole says")
    for wrong, kind in (({"temperature": -1}, openai.BadRequestError), ({"model": "gpt-4o"}, openai.NotFoundError)):
        try:
            client.chat.completions.create(**({"model": "demo-model", "messages": MESSAGES} | wrong))
            raise AssertionError(wrong)
        except kind as error:
            check("openai", error.param, f"{kind.__name__}: {error.body['message']}")
    return message.content


def langchain(address, text):
    chat = langchain_openai.ChatOpenAI(base_url=address, api_key="none", model="demo-model", temperature=0, max_retries=0)
    check("langchain-openai", chat.invoke([("user", CONTENT)]).content == text, "the same answer")
    check("langchain-openai", "".join(c.content for c in chat.stream([("user", CONTENT)])) == text, "the same stream")


def curl(address, text):
    body = json.dumps({"messages": MESSAGES, "temperature": 0})
    done = subprocess.run(["curl", "-sS", f"{address}/chat/completions", "-H", "Content-Type: application/json", "-d", "@-"], input=body, text=True,
                          capture_output=True, check=True)
    check("curl", json.loads(done.stdout)["choices"][0]["message"]["content"] == text, "the same answer")


def main():
    with subprocess.Popen([CLI, "serve", "--port", "0", "--json", "--model", ROOT / "data" / "demo-model"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            address = json.loads(server.stdout.readline())["address"]
            text = official(address)
            langchain(address, text)
            curl(address, text)
        finally:
            server.terminate()
        assert server.wait(60) == 0, "it ends when it is told to"
    print("serve: all clients agree")


main()
