# SPDX-License-Identifier: MIT
"""A model hub on the loopback, polite or not: /api/models/REPO/{revision,tree} and /REPO/resolve/COMMIT/FILE, with redirects to a
content host of its own. `Hub(files)` serves names → bytes; `faults` says what goes wrong; `seen` remembers every request.
`Hub(files, certificate=PEM)` speaks TLS."""
import hashlib
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drop(self, reset=False):
        """Ends the connection too early: what was sent arrives, or with a reset, as after a crash, not even all of that."""
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_GET(self):
        hub = self.server.hub
        url = urllib.parse.urlsplit(self.path)
        with hub.lock:
            hub.seen.append((self.server.role, url.path, dict(self.headers)))
        try:
            for fault in list(hub.faults):
                if fault(self, url.path):
                    return
            if self.server.role == "content":
                self.content(hub, urllib.parse.unquote(url.path[1:]))
            elif url.path == "/api/models":
                words = urllib.parse.parse_qs(url.query).get("search", [""])[0]
                self.reply(200, json.dumps([hit for hit in hub.catalogue if words in str(hit)]).encode())
            elif re.fullmatch(rf"/api/models/{hub.repo}/revision/.+", url.path):
                siblings = [{"rfilename": name} for name in hub.files]
                self.reply(200, json.dumps({"id": hub.repo, "sha": COMMIT, "siblings": siblings}).encode())
            elif url.path == f"/api/models/{hub.repo}/tree/{COMMIT}":
                self.tree(hub, urllib.parse.parse_qs(url.query))
            elif url.path.startswith(f"/{hub.repo}/resolve/{COMMIT}/"):
                name = urllib.parse.unquote(url.path.split("/", 5)[5])
                if hub.redirect:
                    self.reply(302, b"", [("Location", f"{hub.content_url}/{urllib.parse.quote(name)}")])
                else:
                    self.content(hub, name)
            else:
                self.reply(404, b"not here")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_HEAD(self):
        """Of a file, as Hugging Face's client asks before it fetches one."""
        hub = self.server.hub
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.split("/", 5)[-1])
        data = hub.files.get(name)
        if data is None:
            self.reply(404)
            return
        weights = name.endswith(".safetensors")
        self.send_response(302 if weights else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{git_blob(data)}"')
        if weights:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("Location", f"{hub.content_url}/{urllib.parse.quote(name)}")
        self.send_header("Content-Length", "0" if weights else str(len(data)))
        self.end_headers()

    def tree(self, hub, query):
        entries = hub.entries()
        at, page = int(query.get("at", ["0"])[0]), hub.page or len(entries)
        headers = []
        if at + page < len(entries):
            headers = [("Link", f'<{hub.url}/api/models/{hub.repo}/tree/{COMMIT}?recursive=1&at={at + page}>; rel="next"')]
        self.reply(200, json.dumps(entries[at:at + page]).encode(), headers)

    def content(self, hub, name):
        data = hub.files.get(name)
        if data is None:
            self.reply(404, b"no such file")
            return
        etag = '"' + hashlib.sha256(data).hexdigest()[:20] + '"'
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match and self.headers.get("If-Range", etag) != etag:
            match = None
        first = int(match[1]) if match else 0
        last = min(int(match[2]) if match and match[2] else len(data) - 1, len(data) - 1)
        if match and hub.ranges:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            first, last = 0, len(data) - 1
            self.send_response(200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("ETag", etag)
        self.end_headers()
        for at in range(first, last + 1, 65536):
            if hub.between and hub.between(self, name, at):
                return
            self.wfile.write(data[at:min(at + 65536, last + 1)])
            with hub.lock:
                hub.sent += min(65536, last + 1 - at)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


class Hub:
    def __init__(self, files, repo="owner/model", certificate=None):
        self.files, self.repo, self.certificate = dict(files), repo, certificate
        self.redirect, self.ranges, self.page = True, True, 0
        self.faults, self.between = [], None
        self.catalogue = [{"id": repo, "downloads": 7, "likes": 3}]
        self.seen, self.sent, self.lock = [], 0, threading.Lock()
        self.servers = [self.start("hub"), self.start("content")]
        scheme = "https" if certificate else "http"
        self.url, self.content_url = (f"{scheme}://127.0.0.1:{server.server_address[1]}" for server in self.servers)

    def start(self, role):
        server = Server(("127.0.0.1", 0), Handler)
        server.hub, server.role = self, role
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def entries(self):
        """As the hub lists them: small JSON files by git's hash, everything else by SHA-256."""
        listed = []
        for name, data in self.files.items():
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_blob(data)}
            if name.endswith(".safetensors"):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            listed.append(entry)
        return listed

    def asked(self, role, part):
        with self.lock:
            return [headers for where, path, headers in self.seen if where == role and part in path]

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
