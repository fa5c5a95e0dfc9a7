#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`serve` on the loopback, with the demo model: what the protocol's clients get, and what comes of requests that are wrong, too large,
too many, half or broken off.

test_serve.py CLI SOURCE_ROOT. Prints TAP. Uses no display and nothing outside a temporary folder and the loopback.
"""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path[:0] = [str(ROOT / "tests")]
import tap  # noqa: E402

TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-serve-"))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_")} | {"LC_ALL": "C.UTF-8", "HOME": str(TMP), "XDG_DATA_HOME": str(TMP)}
SAMPLE = ROOT / "data" / "samples" / "shapes-1.png"
DATA_URL = "data:image/png;base64," + base64.b64encode(SAMPLE.read_bytes()).decode()
KEYS = ["first-key-of-the-test", "second-key-of-the-test"]
QUESTION = "<|ref|>red circle<|/ref|>"


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([CLI, "serve", "--port", "0", "--json", "--model", ROOT / "data" / "demo-model", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.port = int(json.loads(line)["address"].split(":")[2].split("/")[0])

    def open(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None, key=None, headers=None):
        connection = self.open()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        connection.request(method, path, body if isinstance(body, (bytes, str)) or body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def chat(self, body, key=None, want=200):
        answer, text = self.request("POST", "/v1/chat/completions", body, key)
        assert answer.status == want, f"status {answer.status}, wanted {want}: {text[:300]}"
        return json.loads(text)

    def metric(self, name):
        text = self.request("GET", "/metrics")[1]
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"sightline_{name} ")))

    def wait_for(self, name, value):
        for _ in range(2000):
            if self.metric(name) == value:
                return
            time.sleep(0.005)  # polls a counter; what it waits for has been caused already
        raise AssertionError(f"{name} is {self.metric(name)}, wanted {value}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        errors = self.process.stderr.read()
        assert status == 0 and errors == "", f"exit {status}: {errors}"


@contextlib.contextmanager
def serving(*options):
    server = Server(*options)
    try:
        yield server
        server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def ask(text=QUESTION, picture=DATA_URL, **more):
    parts = ([{"type": "image_url", "image_url": {"url": picture}}] if picture else []) + [{"type": "text", "text": text}]
    return {"messages": [{"role": "user", "content": parts}], "temperature": 0, "max_tokens": 60, **more}


def events(text):
    return [line[6:] for line in text.splitlines() if line.startswith("data: ")]


@tap.test
def what_a_client_gets():
    with serving() as server:
        models = json.loads(server.request("GET", "/v1/models")[1])
        assert models["data"][0]["id"] == "demo-model" and models["data"][0]["max_model_len"] > 0, models
        assert json.loads(server.request("GET", "/health")[1]) == {"status": "ok"}
        whole = server.chat(ask(model="demo-model", logprobs=True, top_logprobs=2, skip_special_tokens=False))
        choice = whole["choices"][0]
        done = subprocess.run([CLI, "ask", "--model", ROOT / "data" / "demo-model", "--json", "--greedy", "--mode", "chat", "--raw", "--image",
                               SAMPLE, "--max-tokens", "60", QUESTION], capture_output=True, text=True, env=ENV, timeout=120, check=True)
        asked = json.loads(done.stdout)
        assert choice["message"]["content"] == asked["text"], (choice["message"]["content"], asked["text"])
        box, other = choice["message"]["boxes"][0], asked["boxes"][0]
        assert box["box"] == other["box_999"] and box["pixels"] == other["box_px"] and box["picture"] == 0 and box["label"] == other["label"]
        assert abs(box["expected_overlap"] - other["expected_overlap"]) < 1e-4, (box, other)
        done = subprocess.run([CLI, "ask", "--endpoint", f"http://127.0.0.1:{server.port}/v1", "--endpoint-kind", "sightline", "--json", "--greedy",
                               "--mode", "chat", "--raw", "--image", SAMPLE, "--max-tokens", "60", "--logprobs", "2", QUESTION],
                              capture_output=True, text=True, env=ENV, timeout=120, check=True)
        through = json.loads(done.stdout)
        assert through["text"] == asked["text"] and through["boxes"][0]["box_px"] == box["pixels"], through
        assert abs(through["boxes"][0]["expected_overlap"] - box["expected_overlap"]) < 1e-8, (through["boxes"], box)
        assert [[c["expected"], c["deviation"]] for c in through["boxes"][0]["coordinates"]] == [[c["expected"], c["deviation"]] for c in
                                                                                             box["coordinates"]], through["boxes"]
        tokens = choice["logprobs"]["content"]
        assert "".join(t["token"] for t in tokens) == asked["text"] and all(len(t["top_logprobs"]) == 2 for t in tokens)
        assert whole["usage"]["completion_tokens"] == len(tokens) and choice["finish_reason"] == "stop"
        plain = server.chat(ask())["choices"][0]["message"]["content"]
        assert plain == asked["text"].replace("<|ref|>", "").replace("<|/ref|>", "").replace("<|det|>", "").replace("<|/det|>", "")


@tap.test
def a_stream_says_what_the_whole_says():
    with serving() as server:
        whole = server.chat(ask(stop=["]]"]))
        answer, text = server.request("POST", "/v1/chat/completions", ask(stop=["]]"], stream=True, stream_options={"include_usage": True}))
        assert answer.getheader("Content-Type").startswith("text/event-stream") and events(text)[-1] == "[DONE]"
        chunks = [json.loads(e) for e in events(text)[:-1]]
        content = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
        assert content == whole["choices"][0]["message"]["content"] and content and "]]" not in content, content
        assert chunks[-1]["usage"]["total_tokens"] == whole["usage"]["total_tokens"] and chunks[-1]["choices"] == [], chunks[-1]
        assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "stop"
        short = server.chat(ask(max_tokens=3))
        assert short["choices"][0]["finish_reason"] == "length" and short["usage"]["completion_tokens"] == 3


ROWS = [  # name, body, status, param
    ("no JSON", "{", 400, None),
    ("a list", "[]", 400, None),
    ("no messages", {}, 400, "messages"),
    ("no message", {"messages": []}, 400, "messages"),
    ("a key twice", '{"messages": [], "messages": []}', 400, None),
    ("deep", "[" * 100000, 400, None),
    ("not UTF-8", b'{"messages": [{"role": "user", "content": "\xff"}]}', 400, None),
    ("a NUL", '{"messages": [{"role": "user", "content": "\\u0000"}]}', 400, None),
    ("an unknown role", {"messages": [{"role": "tool", "content": "a"}]}, 400, "messages[0].role"),
    ("a late system message", {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "a"}]}, 400, "messages[1].role"),
    ("content of a number", {"messages": [{"role": "user", "content": 1}]}, 400, "messages[0].content"),
    ("an unknown part", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, 400, "messages[0].content[0]"),
    ("http", ask(picture="http://127.0.0.1:1/a.png"), 400, "messages[0].content[0]"),
    ("https", ask(picture="https://localhost/a.png"), 400, "messages[0].content[0]"),
    ("a file", ask(picture="file:///etc/passwd"), 400, "messages[0].content[0]"),
    ("no base64", ask(picture="data:image/png;base64,!!!!"), 400, "messages[0].content[0]"),
    ("no picture", ask(picture="data:image/png;base64,AAAA"), 400, "image_url 1"),
    ("half a picture", ask(picture="data:image/png;base64," + base64.b64encode(SAMPLE.read_bytes()[:500]).decode()), 400, "image_url 1"),
    ("pictures in an answer", {"messages": [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": DATA_URL}}]}]}, 400,
     "messages[0].content[0]"),
    ("seventeen pictures", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA_URL}}] * 17}]}, 400,
     "messages[0].content[16]"),
    ("two answers", ask(n=2), 400, "n"),
    ("tools", ask(tools=[{"type": "function"}]), 400, "tools"),
    ("JSON", ask(response_format={"type": "json_object"}), 400, "response_format"),
    ("a penalty", ask(frequency_penalty=1), 400, "frequency_penalty"),
    ("a text as temperature", ask(temperature="hot"), 400, "temperature"),
    ("a negative temperature", ask(temperature=-1), 400, "temperature"),
    ("top_p over 1", ask(top_p=1.5), 400, "top_p"),
    ("no tokens", ask(max_tokens=0), 400, "max_tokens"),
    ("alternatives without log-probabilities", ask(top_logprobs=2), 400, "top_logprobs"),
    ("too many alternatives", ask(logprobs=True, top_logprobs=21), 400, "top_logprobs"),
    ("an empty stop", ask(stop=""), 400, "stop"),
    ("seventeen stops", ask(stop=["a"] * 17), 400, "stop"),
    ("another model", ask(model="gpt-4o"), 404, "model"),
    ("longer than the context", ask("word " * 20000, picture=None), 400, "messages"),
]


@tap.test
def hostile_rows():
    with serving() as server:
        for name, body, status, param in ROWS:
            answer, text = server.request("POST", "/v1/chat/completions", body)
            assert answer.status == status, f"{name}: status {answer.status}, wanted {status}: {text[:200]}"
            error = json.loads(text)["error"]
            assert error["param"] == param and error["message"].endswith(".") or name == "no JSON", f"{name}: {error}"
            assert error["type"] == "invalid_request_error", f"{name}: {error}"
        for method, path, status in (("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("GET", "/", 404), ("GET", "/v1/x", 404)):
            answer, text = server.request(method, path, "{}" if method == "POST" else None)
            assert answer.status == status and json.loads(text)["error"]["message"], (path, answer.status, text)
        for headers, status in (({"Content-Type": "text/plain"}, 415), ({"Origin": "http://evil.example"}, 403), ({"Host": "evil.example"}, 403)):
            answer, text = server.request("POST", "/v1/chat/completions", ask(), headers=headers)
            assert answer.status == status, (headers, answer.status, text)
        assert server.chat(ask())["choices"][0]["message"]["boxes"], "it answers as before"


@tap.test
def a_body_has_a_limit():
    with serving() as server:
        connection = server.open()  # in chunks, so that no header says how much will come
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        piece = b"x" * (1 << 20)
        for _ in range(49):
            connection.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.getresponse().status == 413
        answer, _ = server.request("POST", "/v1/chat/completions", b"x" * (49 << 20))
        assert answer.status == 413, answer.status


@tap.test
def keys_are_asked_for():
    keys = TMP / "keys"
    keys.write_text("\n".join(KEYS) + "\n")
    with serving("--key-file", str(keys)) as server:
        for key in (None, "wrong", KEYS[0][:-1], KEYS[0] + "x", ""):
            answer, text = server.request("POST", "/v1/chat/completions", ask(), key)
            assert answer.status == 401 and answer.getheader("WWW-Authenticate") == "Bearer", (key, answer.status)
            assert json.loads(text)["error"]["code"] == "invalid_api_key"
        first, again, other = (server.chat(ask(), key) for key in (KEYS[0], KEYS[0], KEYS[1]))
        assert first["choices"] == again["choices"] == other["choices"]
        cached = [a["usage"]["prompt_tokens_details"]["cached_tokens"] for a in (first, again, other)]
        assert cached[0] == 0 and cached[1] > 0 and cached[2] == 0, f"what one key has read serves another: {cached}"
    for options, status in ((("--host", "0.0.0.0"), 3), (("--host", "nowhere"), 3), (("--port", "70000"), 2), (("--at-once", "0"), 2)):
        done = subprocess.run([CLI, "serve", "--port", "0", *options], capture_output=True, text=True, env=ENV, timeout=60, check=False)
        assert done.returncode == status and done.stderr.count("\n") == 1, (options, done.returncode, done.stderr)


@tap.test
def files_of_a_folder_that_was_named():
    (TMP / "in").mkdir()
    (TMP / "in" / "a.png").write_bytes(SAMPLE.read_bytes())
    (TMP / "in" / "out.png").symlink_to(SAMPLE)
    with serving("--picture-dir", str(TMP / "in")) as server:
        assert server.chat(ask(picture=(TMP / "in" / "a.png").as_uri()))["choices"][0]["message"]["boxes"]
        for path in (SAMPLE, TMP / "in" / "out.png", TMP / "in" / ".." / "in2" / "a.png", TMP / "in"):
            server.chat(ask(picture=f"file://{path}"), want=400)


@tap.test
def many_at_once_are_what_they_are_alone():
    questions = [ask(f"<|ref|>{word}<|/ref|>", skip_special_tokens=False) for word in
                 ("red circle", "blue square", "green triangle", "circle", "square", "yellow star", "red", "blue circle")]
    with serving() as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        alone = [server.chat(q)["choices"] for q in questions]
        together = list(pool.map(lambda q: server.chat(q)["choices"], questions * 2))
        assert together == alone * 2
        assert server.metric("answers_going") == 0 and server.metric("answers_total") == 24


@tap.test
def a_full_queue_says_so():
    with serving("--at-once", "1", "--queue", "1") as server, concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.request("POST", "/v1/chat/completions", ask("word " * 200, max_tokens=200, stop=["\x01"])),
                                range(12)))
        statuses = [a.status for a, _ in answers]
        assert set(statuses) == {200, 429}, statuses
        assert all(int(a.getheader("Retry-After")) > 0 and json.loads(t)["error"]["code"] == "rate_limit_exceeded" for a, t in answers if a.status == 429)
        assert server.metric("requests_busy_total") == statuses.count(429)
    keys = TMP / "keys-busy"
    keys.write_text("\n".join(KEYS) + "\n")
    with serving("--at-once", "1", "--queue", "0", "--key-file", str(keys)) as server:
        client = begin(server, ask("word " * 100, picture=None, stream=True, max_tokens=100000, temperature=2, seed=1), KEYS[0])
        client.recv(15)
        answer, text = server.request("POST", "/v1/chat/completions", ask(), KEYS[1])
        assert answer.status == 503 and answer.getheader("Retry-After") and json.loads(text)["error"]["code"] == "overloaded", text
        client.close()


def begin(server, body, key="none", read_bytes=None):
    """read_bytes: how much the kernel takes for the client ahead of its reading."""
    body = json.dumps(body).encode()
    client = socket.socket()
    client.settimeout(60)
    if read_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_bytes)
    client.connect(("127.0.0.1", server.port))
    client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
                   b"Content-Length: %d\r\n\r\n" % (key.encode(), len(body)) + body)
    return client


def read_all(client):
    text = b""
    while piece := client.recv(65536):
        text += piece
    return text


@tap.test
def what_clients_of_others_send():
    """Requests as openai, langchain-openai, litellm and curl made them (tests/peers/serve.py --record): the answer that everybody gets."""
    with serving() as server:
        want = server.chat(ask("<|ref|>the red circle<|/ref|>", max_tokens=400))["choices"][0]["message"]["content"]
        files = sorted((ROOT / "tests" / "cli" / "clients").glob("*.http"))
        assert len(files) >= 7, files
        for file in files:
            head, body = file.read_text().replace("@PICTURE@", DATA_URL).split("\n\n", 1)
            head = head.replace("@HOST@", f"127.0.0.1:{server.port}").replace("@LENGTH@", str(len(body.encode())))
            with socket.create_connection(("127.0.0.1", server.port), 60) as client:
                client.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode())
                status, _, text = read_all(client).decode().partition("\r\n\r\n")
            assert status.startswith("HTTP/1.1 200"), (file.name, status, text[:200])
            if "stream" in file.name:
                said = events(text)
                assert said[-1] == "[DONE]", (file.name, said[-1])
                deltas = [json.loads(e)["choices"] for e in said[:-1]]
                got = "".join(c[0]["delta"].get("content") or "" for c in deltas if c)
            else:
                got = json.loads(text)["choices"][0]["message"]["content"]
            assert got == want and got, (file.name, got, want)


def huge_png(side):
    """Few bytes that claim many pixels."""
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + part(
        b"IDAT", zlib.compress(b"\0" * 1000)) + part(b"IEND", b"")


@tap.test
def pixels_and_time_have_limits():
    with serving("--time-limit", "1") as server:
        url = "data:image/png;base64," + base64.b64encode(huge_png(20000)).decode()
        answer, text = server.request("POST", "/v1/chat/completions", ask(picture=url))
        assert answer.status == 413 and json.loads(text)["error"]["param"] == "image_url 1", (answer.status, text)
        endless = ask("word " * 100, picture=None, max_tokens=100000, temperature=100, seed=1, logprobs=True,
                      top_logprobs=20)
        answer, text = server.request("POST", "/v1/chat/completions", endless)
        assert answer.status == 504 and json.loads(text)["error"]["code"] == "timeout", (answer.status, text[:200])
        server.wait_for("answers_going", 0)
        _, text = server.request("POST", "/v1/chat/completions", endless | {"stream": True})
        assert json.loads(events(text)[-1])["error"]["code"] == "timeout" and "[DONE]" not in text, text[-300:]


@tap.test
def who_reads_slowly_is_left():
    """For a client that does not read, a quarter of a megabyte waits in the kernel, one here; then its answer is given up."""
    with serving() as server:
        body = ask("word " * 100, picture=None, stream=True, max_tokens=100000, temperature=100, seed=1, logprobs=True, top_logprobs=20)
        client = begin(server, body, read_bytes=4096)
        server.wait_for("answers_cancelled_total", 1)
        server.wait_for("answers_going", 0)
        assert server.metric("answers_total") == 0, "all of it was made for nobody"
        assert server.chat(ask())["choices"][0]["message"]["boxes"], "others are answered"
        client.close()


@tap.test
def who_leaves_is_not_answered():
    with serving() as server:
        for stream in (True, False):
            cancelled = server.metric("answers_cancelled_total")
            client = begin(server, ask("word " * 100, picture=None, stream=stream, max_tokens=100000, temperature=2, seed=1))
            server.wait_for("answers_going", 1)
            client.close()
            server.wait_for("answers_cancelled_total", cancelled + 1)
            server.wait_for("answers_going", 0)


@tap.test
def what_one_reads_serves_another_at_once():
    """While a question about the picture is being answered, another connection's is read from where they differ; and says what it says alone."""
    with serving() as server:
        alone = server.chat(ask("<|ref|>blue square<|/ref|>"))
    with serving() as server:
        client = begin(server, ask("word " * 100, stream=True, max_tokens=100000, temperature=2, seed=1))
        server.wait_for("answers_going", 1)
        beside = server.chat(ask("<|ref|>blue square<|/ref|>"))
        client.close()
        assert beside["usage"]["prompt_tokens_details"]["cached_tokens"] > 0 == alone["usage"]["prompt_tokens_details"]["cached_tokens"], beside
        assert beside["choices"] == alone["choices"]


@tap.test
def a_signal_lets_answers_end():
    server = Server()
    client = begin(server, ask(stream=True))
    text = client.recv(65536)
    server.process.send_signal(signal.SIGTERM)
    while piece := client.recv(65536):
        text += piece
        if b"[DONE]" in text:
            break
    assert b"[DONE]" in text and b"200 OK" in text, text
    client.close()
    assert server.process.wait(30) == 0 and server.process.stderr.read() == ""


tap.run(TMP)
