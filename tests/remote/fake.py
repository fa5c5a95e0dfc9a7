# SPDX-License-Identifier: MIT
"""A server on the loopback that speaks the OpenAI chat format, politely or not. `Fake(answer)` calls answer(request) for each POST and
sends what it yields: bytes as they are, or a Reply. `seen` remembers every request, `gone` is set when a client hangs up."""
import json
import socket
import ssl
import threading


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.json = json.loads(body) if body else None


def head(status=200, **headers):
    lines = [f"HTTP/1.1 {status} X"] + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def whole(body, status=200, content_type="application/json", **headers):
    body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return head(status, Content_Type=content_type, Content_Length=len(body), **headers) + body


def stream_head(**headers):
    return head(Content_Type="text/event-stream; charset=utf-8", Transfer_Encoding="chunked", **headers)


def chunk(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def piece(text=None, finish=None, **more):
    delta = {} if text is None else {"content": text}
    return {"object": "chat.completion.chunk", "model": "fake", "choices": [{"index": 0, "delta": delta | more, "finish_reason": finish}]}


def event(value):
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n"


def say(*texts, finish="stop", usage=None):
    """A polite stream."""
    yield stream_head()
    for text in texts:
        yield chunk(event(piece(text)))
    yield chunk(event(piece(finish=finish)))
    if usage:
        yield chunk(event({"choices": [], "usage": usage}))
    yield chunk(event("[DONE]")) + END


class Fake:
    def __init__(self, answer, models=("fake",), tls=None, one_byte=False):
        self.answer, self.models, self.one_byte = answer, models, one_byte
        self.seen, self.gone, self.lock, self.most, self.now = [], threading.Event(), threading.Lock(), 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                while request := self.read(lines):
                    with self.lock:
                        self.seen.append(request)
                        self.now += 1
                        self.most = max(self.most, self.now)
                    try:
                        self.reply(connection, request)
                    finally:
                        with self.lock:
                            self.now -= 1
        except (OSError, ssl.SSLError):
            pass

    @staticmethod
    def read(lines):
        first = lines.readline().split()
        if len(first) < 2:
            return None
        headers = {}
        while (line := lines.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = lines.read(int(headers.get("content-length", 0)))
        return Request(first[0].decode(), first[1].decode(), headers, body)

    def reply(self, connection, request):
        if request.path == "/v1/models" and self.models is not None:
            connection.sendall(whole({"data": [{"id": name} for name in self.models]}))
            return
        for part in self.answer(request):
            if part == "hang up":
                connection.shutdown(socket.SHUT_RDWR)
                raise OSError
            if part == "wait":  # until the client goes
                self.gone.clear()
                if connection.recv(1) == b"":
                    self.gone.set()
                raise OSError
            for at in range(0, len(part), 1 if self.one_byte else len(part)):
                connection.sendall(part[at:at + (1 if self.one_byte else len(part))])

    @property
    def asked(self):
        return [request for request in self.seen if request.method == "POST"]
