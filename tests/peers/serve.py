#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of others against `sightline-cli serve`: the official openai package, langchain-openai, litellm and curl, on the loopback.

serve.py CLI SOURCE_ROOT [--record]. Run by `./dev peers serve` in an environment with requirements-serve.txt. Prints a line per client.
--record writes what the clients send to tests/cli/clients/, which tests/cli/test_serve.py replays without them.
"""
import base64
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # litellm fetches a list of prices otherwise

import langchain_openai  # noqa: E402  pylint: disable=wrong-import-position
import litellm  # noqa: E402  pylint: disable=wrong-import-position
import openai  # noqa: E402  pylint: disable=wrong-import-position

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
PICTURE = "data:image/png;base64," + base64.b64encode((ROOT / "data" / "samples" / "shapes-1.png").read_bytes()).decode()
CONTENT = [{"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "text", "text": "<|ref|>the red circle<|/ref|>"}]
MESSAGES = [{"role": "user", "content": CONTENT}]


class Recorder:
    """Passes connections on to the server, and keeps the question of each under the name that is set."""

    def __init__(self, port):
        self.to, self.name, self.kept = port, None, {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            question = b""
            while b"\r\n\r\n" not in question:
                question += client.recv(65536)
            length = re.search(rb"content-length: *(\d+)", question, re.I)
            while length and len(question) < question.index(b"\r\n\r\n") + 4 + int(length[1]):
                question += client.recv(65536)
            if self.name:
                self.kept[self.name] = question
            server.sendall(question)
            while answer := server.recv(65536):
                client.sendall(answer)

    def write(self, folder):
        """Without the picture, the port, and what names this machine."""
        folder.mkdir(exist_ok=True)
        for name, question in self.kept.items():
            text = question.decode().replace(PICTURE, "@PICTURE@").replace("\r\n", "\n")
            text = re.sub(r"(?im)^host:.*$", "Host: @HOST@", re.sub(r"(?im)^content-length:.*$", "Content-Length: @LENGTH@", text))
            (folder / f"{name}.http").write_text(re.sub(r"(?im)^x-stainless-(os|arch|runtime[a-z-]*|async|lang[a-z-]*):.*\n", "", text))


def check(client, answers, what):
    assert answers, f"{client}: {what}"
    print(f"{client}: {what}")


def official(address, recorder):
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == ["demo-model"]
    recorder.name = "openai"
    whole = client.chat.completions.create(model="demo-model", messages=MESSAGES, temperature=0, logprobs=True, top_logprobs=2)
    message = whole.choices[0].message
    check(f"openai {openai.__version__}", message.boxes[0]["box"], f"answers {message.content!r} and boxes {[b['box'] for b in message.boxes]}")
    check("openai", len(whole.choices[0].logprobs.content) == whole.usage.completion_tokens, "a log-probability for each token")
    recorder.name = "openai-stream"
    with client.chat.completions.create(model="demo-model", messages=MESSAGES, temperature=0, stream=True,
                                        stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    check("openai", text == message.content and chunks[-1].usage.total_tokens == whole.usage.total_tokens, "the stream says what the whole says")
    recorder.name = None
    for wrong, kind in (({"temperature": -1}, openai.BadRequestError), ({"model": "gpt-4o"}, openai.NotFoundError)):
        try:
            client.chat.completions.create(**({"model": "demo-model", "messages": MESSAGES} | wrong))
            raise AssertionError(wrong)
        except kind as error:
            check("openai", error.param, f"{kind.__name__}: {error.body['message']}")
    return message.content


def langchain(address, recorder, text):
    chat = langchain_openai.ChatOpenAI(base_url=address, api_key="none", model="demo-model", temperature=0, max_retries=0)
    recorder.name = "langchain-openai"
    check("langchain-openai", chat.invoke([("user", CONTENT)]).content == text, "the same answer")
    recorder.name = "langchain-openai-stream"
    check("langchain-openai", "".join(c.content for c in chat.stream([("user", CONTENT)])) == text, "the same stream")


def lite(address, recorder, text):
    ask = {"model": "openai/demo-model", "api_base": address, "api_key": "none", "messages": MESSAGES, "temperature": 0, "max_retries": 0}
    recorder.name = "litellm"
    check("litellm", litellm.completion(**ask).choices[0].message.content == text, "the same answer")
    recorder.name = "litellm-stream"
    check("litellm", "".join(c.choices[0].delta.content or "" for c in litellm.completion(**ask, stream=True)) == text, "the same stream")


def curl(address, recorder, text):
    body = json.dumps({"messages": MESSAGES, "temperature": 0})
    recorder.name = "curl"
    done = subprocess.run(["curl", "-sS", f"{address}/chat/completions", "-H", "Content-Type: application/json", "-d", "@-"], input=body, text=True,
                          capture_output=True, check=True)
    check("curl", json.loads(done.stdout)["choices"][0]["message"]["content"] == text, "the same answer")


def main():
    with subprocess.Popen([CLI, "serve", "--port", "0", "--json", "--model", ROOT / "data" / "demo-model"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            recorder = Recorder(int(json.loads(server.stdout.readline())["address"].split(":")[2].split("/")[0]))
            text = official(recorder.address, recorder)
            for client in (langchain, lite, curl):
                client(recorder.address, recorder, text)
            if "--record" in sys.argv:
                recorder.write(ROOT / "tests" / "cli" / "clients")
        finally:
            server.terminate()
        assert server.wait(60) == 0, "it ends when it is told to"
    print("serve: all clients agree")


main()
