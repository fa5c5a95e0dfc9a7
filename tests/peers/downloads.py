#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Downloads beside those of others: `downloads.py CLI [--gigabytes N] [--runs N]`.

The same tree is fetched from one server with Hugging Face's own client and with ours: the same files with the same hashes. The cache that
the client leaves is a model of our library, verified and opened where it is. Then one large file over the loopback, curl and ours in
turn: rates, and how much of our memory is resident. Needs the packages of requirements-downloads.txt, curl, and the bundled model, so it
runs in `./dev peers downloads` only.
"""
import argparse
import hashlib
import http.server
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "hub"))
import hub as hubs  # noqa: E402

DEMO = ROOT / "data" / "demo-model"


def environment(home, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGHTLINE_", "HF_", "HUGGINGFACE_"))}
    return kept | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_CONFIG_HOME": str(home / "config"), "LC_ALL": "C.UTF-8",
                   "no_proxy": "*", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"} | more


def ours(cli, env, *arguments):
    done = subprocess.run([cli, "models", *arguments, "--json"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return json.loads(done.stdout)


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "sightline-download.json"}


def same_files(cli, folder):
    files = {path.name: path.read_bytes() for path in DEMO.iterdir() if path.is_file() and path.name != "demo.json"}
    hub = hubs.Hub(files, repo="org/some-model")
    env = environment(folder, HF_ENDPOINT=hub.url, HF_HUB_CACHE=str(folder / "cache"))
    script = "import huggingface_hub as h; print(h.snapshot_download('org/some-model')); print(h.__version__)"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs, version = done.stdout.split()
    told = ours(cli, env, "download", "org/some-model", "--dir", str(folder / "ours"), "--accept-licence")
    assert hashes(pathlib.Path(theirs)) == hashes(folder / "ours"), "the same files"
    print(f"huggingface_hub {version}: {told['files']} files, {told['bytes']} bytes, the same hashes")
    (listed,) = ours(cli, env, "list")["models"]
    assert (listed["name"], listed["place"], listed["complete"]) == ("some-model", "cache", True), listed
    assert ours(cli, env, "verify", "some-model")["good"]
    subprocess.run([cli, "info", "--model", "some-model"], env=env, check=True, capture_output=True)
    trees = list((folder / "cache" / "models--org--some-model" / "trees").glob("*.json"))
    print(f"its cache is verified and opened in place ({'with' if trees else 'without'} a list in trees/)")
    victim = pathlib.Path(theirs) / "tokenizer.json"
    victim.resolve().write_bytes(victim.read_bytes()[:-1])
    assert not ours(cli, env, "list")["models"][0]["complete"], "a file that is too short"
    hub.close()


class Sender(http.server.BaseHTTPRequestHandler):
    """A hub with one large file, sent by the kernel, so that the server costs no more than it must."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        large = self.server.large
        if "/revision/" in self.path:
            self.answer(json.dumps({"sha": hubs.COMMIT}).encode())
        elif "/tree/" in self.path:
            self.answer(json.dumps(self.server.listing).encode())
        elif self.path.endswith("config.json"):
            self.answer(b"{}")
        else:
            size = large.stat().st_size
            first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            first, last = int(first), int(last or size - 1)
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            self.wfile.flush()
            with open(large, "rb") as file:
                while first <= last:
                    first += os.sendfile(self.connection.fileno(), file.fileno(), first, min(last + 1 - first, 1 << 24))


def serve(large):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sender)
    server.daemon_threads, server.large = True, large
    digest = hashlib.sha256()
    with open(large, "rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    size = large.stat().st_size
    server.listing = [{"type": "file", "path": "config.json", "size": 2, "oid": hubs.git_blob(b"{}")},
                      {"type": "file", "path": "model.safetensors", "size": size, "oid": "0" * 40,
                       "lfs": {"oid": digest.hexdigest(), "size": size}}]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def resident(process):
    """The most so far. Not wait4()'s number, which begins with the program that started this one."""
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def timed(command, env):
    """Seconds, seconds of a processor, and the most that was resident, in bytes."""
    start, most = time.monotonic(), 0
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (done := os.wait4(process.pid, os.WNOHANG))[0]:
        most = max(most, resident(process.pid))
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(done[1])
    assert process.returncode == 0, command
    return time.monotonic() - start, done[2].ru_utime + done[2].ru_stime, most


def throughput(cli, folder, gigabytes, runs):
    large = folder / "large"
    with open(large, "wb") as file:
        block = os.urandom(1 << 24)
        for number in range(int(gigabytes * 1e9 / len(block))):
            file.write(number.to_bytes(8, "big") + block[8:])
    size, (server, url), env = large.stat().st_size, serve(large), environment(folder)
    rates, work, memory = {"curl": [], "ours": []}, {"curl": [], "ours": []}, 0
    for _ in range(runs):
        seconds, busy, _ = timed(["curl", "-s", "-o", str(folder / "curled"), f"{url}/org/large/resolve/main/model.safetensors"], env)
        (folder / "curled").unlink()
        rates["curl"].append(size / seconds)
        work["curl"].append(busy)
        seconds, busy, most = timed([cli, "models", "download", "org/large", "--endpoint", url, "--dir", str(folder / "made"), "--accept-licence"],
                                  env)
        shutil.rmtree(folder / "made")
        rates["ours"].append(size / seconds)
        work["ours"].append(busy)
        memory = max(memory, most)
    server.shutdown()
    ratios = [mine / theirs for mine, theirs in zip(rates["ours"], rates["curl"])]
    median = {name: statistics.median(values) / 1e6 for name, values in rates.items()}
    print(f"{size / 1e9:.1f} GB over the loopback, {runs} runs in turn: curl {median['curl']:.0f} MB/s, "
          f"ours with SHA-256 {median['ours']:.0f} MB/s, "
          f"ratio median {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}), at most {memory / 1e6:.1f} MB resident; "
          f"of a processor {statistics.median(work['curl']) / size * 1e9:.2f} and {statistics.median(work['ours']) / size * 1e9:.2f} s a GB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cli", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    cli = str(options.cli.resolve())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="sightline-downloads-") as name:
        same_files(cli, pathlib.Path(name))
    with tempfile.TemporaryDirectory(prefix="sightline-downloads-") as name:
        throughput(cli, pathlib.Path(name), options.gigabytes, options.runs)


if __name__ == "__main__":
    main()
