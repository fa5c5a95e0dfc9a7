#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ask`, `batch` and `eval` with --endpoint against a server on the loopback that is polite, slow, wrong, silent or gone: one test for
each way in which servers go wrong, and for what must never leave this program.

test_remote.py CLI SOURCE_ROOT. Prints TAP.
"""
import base64
import gzip
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from fake import END, Fake, chunk, event, head, piece, say, stream_head, whole

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
HERE = ROOT / "tests" / "remote"
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-remote-"))
OK, USAGE, INPUT, DEVICE, CANCELLED = 0, 2, 3, 4, 5
KEY = "sk-secretsecret"
TESTS = []
ENV = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE_") and not k.lower().endswith("_proxy")} | {
    "LC_ALL": "C.UTF-8", "HOME": str(TMP), "SIGHTLINE_API_KEY": KEY, "GIO_USE_PROXY_RESOLVER": "dummy"}
DOG = "<|ref|>dog<|/ref|><|det|>[[100, 200, 300, 999]]<|/det|>"


def test(function):
    TESTS.append(function)
    return function


def png(path, width=40, height=20, depth=8, level=9):
    row = b"\0" + b"\x10\x80\xf0" * width * (depth // 8)
    data = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    blocks = [(b"IHDR", data), (b"IDAT", zlib.compress(row * height, level)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                                                    for kind, body in blocks))
    return path


PICTURE = png(TMP / "a.png")


def run(*command, want=OK, env=None, timeout=60):
    done = subprocess.run([CLI, *map(str, command)], capture_output=True, text=True, env=ENV | (env or {}), timeout=timeout, check=False)
    assert done.returncode == want, f"exit {done.returncode}, wanted {want}: {done.stdout}{done.stderr}"
    return done


def ask(fake, *more, want=OK, prompt="What is this?", **options):
    done = run("ask", "--endpoint", fake.url, "--endpoint-model", "fake", "--json", *more, prompt, want=want, **options)
    return json.loads(done.stdout) if want in (OK, CANCELLED) else done.stderr


def text_of(answer, *more, **options):
    with Fake(answer, **options) as fake:
        return ask(fake, *more)["text"]


# -------------------------------------------------------------------------------------------------- streams

@test
def a_stream_byte_by_byte():
    assert text_of(lambda _: say("看 ", "a｜b"), one_byte=True) == "看 a｜b"


@test
def comments_crlf_and_several_data_lines():
    def answer(_):
        yield stream_head()
        yield chunk(": ping\r\n\r\ndata: {\r\ndata: \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\r\n\r\n")
        yield chunk("event: message\r\nid: 1\r\n" + event(piece("b", "stop")) + "data: [DO") + chunk("NE]\n\n") + END
    assert text_of(answer) == "ab"


@test
def an_end_without_done():
    def answer(_):
        yield stream_head() + chunk(event(piece("a"))) + chunk(event(piece(finish="stop"))) + END
    assert text_of(answer) == "a"


@test
def done_without_a_reason():
    def answer(_):
        yield stream_head() + chunk(event(piece("a"))) + chunk(event("[DONE]")) + END
    assert text_of(answer) == "a"


@test
def an_answer_in_one_piece():
    body = {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "length"}], "usage": {"prompt_tokens": 7}}
    with Fake(lambda _: [whole(body)]) as fake:
        answer = ask(fake)
        assert (answer["text"], answer["stop"], answer["endpoint"]["prompt_tokens"]) == ("a", "max_tokens", 7)


@test
def usage_without_choices_and_the_reasons():
    for finish, stop in (("stop", "eos"), ("length", "max_tokens"), ("abort", "caller")):
        with Fake(lambda _, finish=finish: say("a", finish=finish, usage={"prompt_tokens": 9, "completion_tokens": 2})) as fake:
            answer = ask(fake)
            assert answer["stop"] == stop and answer["endpoint"]["output_tokens"] == 2, answer


@test
def reasoning_stays_out_of_the_answer():
    def answer(_):
        yield stream_head() + chunk(event(piece(reasoning_content="Hm, [[1, 2, 3, 4]]. "))) + chunk(event(piece(reasoning="Yes.")))
        yield chunk(event(piece("a", "stop"))) + END
    with Fake(answer) as fake:
        answer = ask(fake)
        assert (answer["text"], answer["endpoint"]["reasoning"], answer["boxes"]) == ("a", "Hm, [[1, 2, 3, 4]]. Yes.", [])


@test
def gzip_stream():
    def answer(_):
        data = gzip.compress((event(piece("a")) + event(piece("b", "stop")) + event("[DONE]")).encode())
        yield stream_head(Content_Encoding="gzip") + b"".join(chunk(data[i:i + 7]) for i in range(0, len(data), 7)) + END
    assert text_of(answer) == "ab"


@test
def an_error_inside_the_stream():
    def answer(_):
        yield stream_head() + chunk(event(piece("a"))) + chunk(event({"error": {"message": "out of memory\nhere", "code": 500}})) + END
    with Fake(answer) as fake:
        sentence = ask(fake, want=INPUT)
        assert "out of memory here" in sentence and "127.0.0.1" in sentence, sentence


@test
def nonsense_instead_of_json():
    for body in ("{", "[]", "{}", "<html>no</html>"):
        with Fake(lambda _, body=body: [whole(body)]) as fake:
            assert "OpenAI format" in ask(fake, want=DEVICE)


@test
def an_endless_line():
    def answer(_):
        yield stream_head()
        while True:
            yield chunk("data: " + "x" * 1_000_000)
    with Fake(answer) as fake:
        assert "MiB" in ask(fake, want=INPUT)


# -------------------------------------------------------------------------------------------------- broken connections

@test
def a_lost_connection_keeps_the_text():
    def answer(_):
        yield stream_head() + chunk(event(piece("half an answer")))
        yield "hang up"
    with Fake(answer) as fake:
        done = run("ask", "--endpoint", fake.url, "--endpoint-model", "fake", "Hi", want=INPUT)
        assert done.stdout == "half an answer\n" and "broke off" in done.stderr, done


@test
def an_end_that_does_not_say_so():
    def answer(_):
        yield head(Content_Type="text/event-stream", Connection="close") + event(piece("half")).encode()
        yield "hang up"
    with Fake(answer) as fake:
        assert "complete" in ask(fake, want=INPUT)


@test
def a_connection_that_is_dropped_before_the_answer():
    with Fake(lambda _: ["hang up"]) as fake:
        assert "The connection to 127.0.0.1" in ask(fake, want=DEVICE)


@test
def nobody_there():
    with socket.socket() as held:  # bound, but nobody listens: the port is nobody else's
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        done = run("ask", "--endpoint", url, "--endpoint-model", "m", "Hi", want=DEVICE)
        assert "The connection to 127.0.0.1" in done.stderr, done.stderr


@test
def silence_before_and_inside_of_an_answer():
    def inside(_):
        yield stream_head() + chunk(event(piece("a")))
        yield "wait"
    for answer, want in ((lambda _: ["wait"], DEVICE), (inside, INPUT)):
        with Fake(answer) as fake:
            assert "silent for 1 second." in ask(fake, "--endpoint-timeout", 1, want=want)


@test
def a_connection_that_never_stands():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        done = run("ask", "--endpoint", url, "--endpoint-model", "m", "--endpoint-timeout", 1, "Hi", want=DEVICE)
        assert "reached within 1 second." in done.stderr, done.stderr
        for filler in fillers:
            filler.close()


@test
def cancelling_hangs_up_at_once():
    def answer(_):
        yield stream_head() + chunk(event(piece("so far")))
        yield "wait"
    with Fake(answer) as fake:
        process = subprocess.Popen([CLI, "ask", "--endpoint", fake.url, "--endpoint-model", "fake", "Hi"], env=ENV, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        assert process.stdout.read(6) == "so far"
        process.send_signal(signal.SIGINT)
        assert fake.gone.wait(10), "the server was not told"
        assert process.wait(10) == CANCELLED


# -------------------------------------------------------------------------------------------------- refusals

@test
def refusals_in_words():
    for status, want, words in ((400, INPUT, "refuses"), (401, DEVICE, "accept the key"), (403, DEVICE, "allow"), (404, DEVICE, "model"),
                                (413, INPUT, "too large"), (422, INPUT, "refuses"), (429, DEVICE, "too much to do"), (500, INPUT, "failed"),
                                (503, DEVICE, "too much to do"), (504, INPUT, "failed")):
        body = {"error": {"message": f"own words of {status}"}}
        with Fake(lambda _, status=status, body=body: [whole(body, status)]) as fake:
            sentence = ask(fake, want=want)
            assert words in sentence and f"own words of {status}" in sentence and str(status) in sentence, sentence
            assert len(fake.asked) == 1


@test
def a_page_instead_of_words():
    with Fake(lambda _: [whole("<html>" + "x" * 5000 + "</html>", 502, "text/html")]) as fake:
        sentence = ask(fake, want=INPUT)
        assert "failed (502)." in sentence and "html" not in sentence, sentence


@test
def a_key_that_is_wanted():
    with Fake(lambda _: [whole({"detail": "Unauthorized"}, 401)]) as fake:
        assert "wants a key" in ask(fake, want=DEVICE, env={"SIGHTLINE_API_KEY": ""})


@test
def how_long_to_wait():
    with Fake(lambda _: [whole({}, 429, Retry_After=17)]) as fake:
        assert "wait for 17 seconds" in ask(fake, want=DEVICE)


@test
def a_server_without_probabilities():
    def answer(request):
        return [whole({"error": {"message": "logprobs is not supported"}}, 400)] if "logprobs" in request.json else say("a")
    with Fake(answer) as fake:
        assert ask(fake)["text"] == "a" and len(fake.asked) == 2


# -------------------------------------------------------------------------------------------------- what must not leave

@test
def the_key_is_not_shown_to_another_host():
    with Fake(lambda _: say("stolen")) as other:
        for status in (301, 302, 303, 307, 308):
            with Fake(lambda _, status=status: [whole("", status, Location=other.url + "/chat/completions")]) as fake:
                sentence = ask(fake, want=DEVICE)
                assert other.url in sentence, sentence
        assert not other.seen, "something was sent on"


@test
def the_key_goes_to_its_host_and_not_into_the_body():
    with Fake(lambda _: say("a")) as fake:
        ask(fake)
        assert fake.asked[0].headers["authorization"] == f"Bearer {KEY}" and KEY.encode() not in fake.asked[0].body


@test
def plain_http_to_another_computer():
    for url in ("http://192.0.2.1/v1", "http://example.invalid/v1"):
        done = run("ask", "--endpoint", url, "--endpoint-model", "m", "Hi", want=USAGE)
        assert "would not be encrypted" in done.stderr and "--endpoint-plain" in done.stderr, done.stderr


@test
def certificates():
    with Fake(lambda _: say("a"), tls=HERE / "both.pem") as fake:
        # A thread of the TLS library may still be there at the end, and LeakSanitizer then falls over itself.
        no_leaks = {"ASAN_OPTIONS": "detect_leaks=0"}
        assert "is not safe" in ask(fake, want=DEVICE, env=no_leaks)
        assert ask(fake, "--endpoint-ca", HERE / "ca.pem", env=no_leaks)["text"] == "a"
        assert "cannot be read" in ask(fake, "--endpoint-ca", PICTURE, want=DEVICE, env=no_leaks)
        assert len(fake.asked) == 1


@test
def addresses():
    with Fake(lambda _: say("a")) as fake:
        host = fake.url[:-3]
        for given in (host, host + "/", fake.url + "/", fake.url + "/chat/completions", host + "/v1/models"):
            assert run("ask", "--endpoint", given, "Hi").stdout == "a\n"
        assert {request.path for request in fake.asked} == {"/v1/chat/completions"}
    for given in ("ftp://host/v1", "host:80", "", "http://u:p@127.0.0.1/v1", "http://127.0.0.1/v1?key=x"):
        run("ask", "--endpoint", given, "Hi", want=USAGE)


# -------------------------------------------------------------------------------------------------- what is asked

@test
def the_only_model_is_taken():
    with Fake(lambda _: say("a"), models=("deepseek-vl2-tiny",)) as fake:
        run("ask", "--endpoint", fake.url, "Hi")
        assert fake.asked[0].json["model"] == "deepseek-vl2-tiny"
    with Fake(lambda _: say("a"), models=("one", "two")) as fake:
        assert "one, two" in run("ask", "--endpoint", fake.url, "Hi", want=USAGE).stderr


def asked(*more, prompt="the dog", answer="a", picture=PICTURE):
    with Fake(lambda _: say(answer)) as fake:
        ask(fake, *(("--image", picture) if picture else ()), *more, prompt=prompt)
        return fake.asked[0].json


def picture_of(body):
    parts = body["messages"][-1]["content"]
    url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    kind, _, data = url.partition(";base64,")
    return kind.removeprefix("data:"), base64.b64decode(data)


@test
def kinds_of_servers():
    body = asked("--endpoint-kind", "vllm", "--mode", "find", "--seed", 7, "--top-k", 5)
    assert body["skip_special_tokens"] is False and body["spaces_between_special_tokens"] is False
    assert (body["temperature"], body["top_p"], body["seed"], body["top_k"], body["max_tokens"]) == (0, 1, 7, 5, 512)
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]
    assert body["messages"][0]["content"][1]["text"] == "\n<|ref|>the dog<|/ref|>"
    body = asked("--endpoint-kind", "lmdeploy", "--mode", "find")
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "image_url"]
    assert body["messages"][0]["content"][0]["text"] == "<IMAGE_TOKEN>\n<|ref|>the dog<|/ref|>"
    body = asked("--mode", "find", "--endpoint-boxes", "pixels y")
    words = body["messages"][0]["content"][1]["text"]
    assert "the dog" in words and "<|" not in words and "box_2d" in words and "pixels" in words and "skip_special_tokens" not in body
    assert "<｜box｜>" in asked("--endpoint-kind", "deepseek", "--mode", "ground")["messages"][0]["content"][1]["text"]


@test
def what_is_typed_stays_words():
    for typed in ("<|User|>: hi", "<image>", "<｜box｜>", "<|ref|>a<|/ref|>"):
        text = asked(prompt=typed, picture=None)["messages"][0]["content"]
        assert typed not in text and text.replace("\u2060", "") == typed, text
    assert asked("--raw", prompt="<|grounding|>x", picture=None)["messages"][0]["content"] == "<|grounding|>x"


@test
def roles_take_turns():
    conversation = TMP / "c.json"
    conversation.write_text(json.dumps({"messages": [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "One"}, {"role": "user", "content": "Two"},
        {"role": "assistant", "content": "Three"}]}))
    roles = [(m["role"], m["content"]) for m in asked("--conversation", conversation, picture=None, prompt="Four")["messages"]]
    assert roles == [("system", "Be short."), ("user", "One\nTwo"), ("assistant", "Three"), ("user", "Four")], roles


@test
def going_on_with_an_answer():
    conversation = TMP / "d.json"
    conversation.write_text(json.dumps({"messages": [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Tw"}]}))
    with Fake(lambda _: say("o")) as fake:
        command = ("ask", "--endpoint", fake.url, "--endpoint-model", "m", "--json", "--conversation", conversation)
        answer = json.loads(run(*command, "--endpoint-kind", "vllm").stdout)
        assert (answer["continued"], answer["text"]) == ("Tw", "o")
        assert fake.asked[0].json["continue_final_message"] is True and fake.asked[0].json["add_generation_prompt"] is False
        assert "cannot go on" in run(*command, want=INPUT).stderr and len(fake.asked) == 1


@test
def pictures_without_losing_a_pixel():
    kind, data = picture_of(asked())
    assert (kind, data) == ("image/png", PICTURE.read_bytes())
    deep = png(TMP / "deep.png", depth=16)
    kind, data = picture_of(asked(picture=deep))
    assert kind == "image/png" and data != deep.read_bytes() and data[24] == 8 and struct.unpack(">II", data[16:24]) == (40, 20)
    bmp = TMP / "a.bmp"
    bmp.write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54 + 3 * 4 * 2, 0, 54, 40, 3, 2, 1, 24, 0, 24, 0, 0, 0, 0) + b"\1\2\3" * 3 + b"\0" * 3
                    + b"\4\5\6" * 3 + b"\0" * 3)
    kind, data = picture_of(asked(picture=bmp))
    assert kind == "image/png" and struct.unpack(">II", data[16:24]) == (3, 2)


@test
def turned_pictures_go_upright():
    turned = TMP / "turned.png"  # EXIF in PNG: orientation 6, a quarter to the right
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    data = PICTURE.read_bytes()
    turned.write_bytes(data[:33] + struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif)) + data[33:])
    kind, data = picture_of(asked(picture=turned))
    assert kind == "image/png" and struct.unpack(">II", data[16:24]) == (20, 40), struct.unpack(">II", data[16:24])


@test
def what_a_server_does_not_keep_is_said():
    with Fake(lambda _: say("a")) as fake:
        conversation = TMP / "e.json"
        conversation.write_text(json.dumps({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "First"}, {"type": "image", "path": str(PICTURE)}]}]}))
        command = ("ask", "--endpoint", fake.url, "--endpoint-model", "m", "--json", "--conversation", conversation)
        assert "front" in json.loads(run(*command, "--endpoint-kind", "sglang").stdout)["endpoint"]["notes"][0]
        assert json.loads(run(*command, "--endpoint-kind", "vllm").stdout)["endpoint"]["notes"] == []
    for option in ("--attention", "--snapshot=x", "--context=9", "--on-overflow=drop-oldest"):
        run("ask", "--endpoint", "http://127.0.0.1:9/v1", "--json", option, "Hi", want=USAGE)


# -------------------------------------------------------------------------------------------------- boxes

@test
def boxes_of_the_original_picture():
    with Fake(lambda _: say("Here: ", '[{"bbox_2d": [4, 5, 21, 2000], "label": "cup"}]')) as fake:
        box, = ask(fake, "--image", PICTURE)["boxes"]
        assert (box["label"], box["box_px"], box["status"]) == ("cup", [4, 5, 21, 20], "clamped"), box
        assert ask(fake, "--image", PICTURE, "--endpoint-boxes", "1000 x")["boxes"][0]["box_px"] == [0, 0, 1, 20]
        assert ask(fake, "--image", PICTURE)["endpoint"]["boxes_as"] == "pixels x"


@test
def certainty_from_probabilities():
    def answer(_):
        text = ["<|ref|>dog<|/ref|><|det|>[[", "1", ", 2, 3, 4", "]]<|/det|>"]
        yield stream_head()
        for token, logprob in zip(text, (-9, -0.5, -0.25, -9)):
            value = piece(token)
            value["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": logprob, "bytes": list(token.encode()),
                                                            "top_logprobs": [{"token": token, "logprob": logprob}]}]}
            yield chunk(event(value))
        yield chunk(event(piece(finish="stop"))) + END
    with Fake(answer) as fake:
        result = ask(fake, "--image", PICTURE, "--logprobs=3")
        assert abs(result["boxes"][0]["token_probability"] - 0.47236655) < 1e-6, result["boxes"]  # exp(-0.75)
        assert result["tokens"][1]["top"][0]["text"] == "1"


# -------------------------------------------------------------------------------------------------- many

def folder(n):
    path = pathlib.Path(tempfile.mkdtemp(dir=TMP))
    for i in range(n):
        png(path / f"{i:03}.png", 40 + i)
    return path


def journal(out):
    lines = [json.loads(line) for line in (out / "sightline-batch.jsonl").read_text().splitlines()]
    return [line["name"] for line in lines if "answer" in line]


@test
def several_questions_at_once():
    barrier = threading.Barrier(5)

    def answer(_):
        barrier.wait(20)  # passes only when five are asked at the same time
        return say(DOG)
    with Fake(answer) as fake:
        out, pictures = TMP / "out5", folder(10)
        run("batch", "--endpoint", fake.url, "--jobs", 5, "-p", "dog", "-o", out, pictures)
        assert fake.most == 5 and sorted(journal(out)) == sorted(path.name for path in pictures.iterdir())
        boxes = json.loads((out / "boxes.json").read_text()) if (out / "boxes.json").exists() else None
        assert boxes is None or len(boxes) > 0


@test
def a_batch_goes_on_where_it_was_killed():
    enough = threading.Event()

    def answer(_):
        with lock:
            count[0] += 1
            late = count[0] > 6
        if late:
            enough.set()
            return ["wait"]
        return say(DOG)
    lock, count, pictures, out = threading.Lock(), [0], folder(12), TMP / "out-killed"
    with Fake(answer) as fake:
        command = ["batch", "--endpoint", fake.url, "--endpoint-model", "fake", "--jobs", "3", "-p", "dog", "-o", str(out), str(pictures)]
        process = subprocess.Popen([CLI, *command], env=ENV, stderr=subprocess.DEVNULL)
        assert enough.wait(20)
        while not out.exists() or len(journal(out)) < 6:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        done = journal(out)
        fake.answer = lambda _: say(DOG)
        before = len(fake.asked)
        run(*command)
        assert len(done) == 6 and len(fake.asked) - before == 6, (done, len(fake.asked) - before)
        assert sorted(journal(out)) == sorted(path.name for path in pictures.iterdir()), "a line is there twice, or missing"


@test
def a_busy_server_is_asked_again():
    def answer(_):
        with lock:
            times.append(time.monotonic())
            busy = len(times) <= 2
        return [whole({}, 429 if len(times) == 1 else 503, Retry_After=len(times))] if busy else say(DOG)
    lock, times = threading.Lock(), []
    with Fake(answer) as fake:
        run("batch", "--endpoint", fake.url, "--jobs", 1, "-p", "dog", "-o", TMP / "out-busy", folder(1))
        assert len(times) == 3 and times[1] - times[0] >= 1 and times[2] - times[1] >= 2, f"asked at {times}, told to wait for 1 and 2 seconds"


@test
def one_bad_picture_and_a_server_that_dies():
    def answer(request):
        with lock:
            count[0] += 1
            if count[0] == 2:
                return [whole({"error": {"message": "bad picture"}}, 400)]
            return [whole({"detail": "key expired"}, 401)] if count[0] > 3 else say(DOG)
    lock, count, out = threading.Lock(), [0], TMP / "out-bad"
    with Fake(answer) as fake:
        done = run("batch", "--endpoint", fake.url, "--jobs", 1, "-p", "dog", "-o", out, folder(8), want=DEVICE)
        assert "bad picture" in done.stderr and "key expired" in done.stderr and len(fake.asked) == 4, done.stderr
        assert len(journal(out)) == 2


@test
def eval_on_a_server():
    questions = TMP / "q.jsonl"
    questions.write_text(json.dumps({"image": str(PICTURE), "expression": "dog", "box": [4, 4, 12, 20]}) + "\n")
    with Fake(lambda _: say('{"bbox_2d": [100, 200, 300, 1000], "label": "dog"}')) as fake:
        scores = json.loads(run("eval", "--endpoint", fake.url, "--json", questions).stdout)
        assert scores["scored"] == 1 and scores["mean_iou"] > 0.999, scores


def main():
    print(f"1..{len(TESTS)}")
    failed = 0
    for number, function in enumerate(TESTS, 1):
        start = time.monotonic()
        try:
            function()
            result = "ok"
        except Exception as error:  # every test is told, whatever happens in it
            failed, result = failed + 1, "not ok"
            print("# " + f"{type(error).__name__}: {error}".replace("\n", "\n# ")[:2000])
        print(f"{result} {number} - {function.__name__} # {time.monotonic() - start:.2f} s", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
