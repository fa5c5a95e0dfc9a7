#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`serve` under load on the loopback: many clients that ask as soon as they are answered, then connections that send a byte a second.

serve_load.py CLI SOURCE_ROOT [CLIENTS [SECONDS [CONNECTIONS]]]. A measurement, not a test; the figures are in docs/server.md.
"""
import asyncio
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
CLIENTS, SECONDS, CONNECTIONS = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((3, 200), (4, 60), (5, 1000)))


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


async def ask(port, number):
    body = json.dumps({"messages": [{"role": "user", "content": f"How many shapes are there, {number}?"}], "temperature": 0, "max_tokens": 16}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.read()
    writer.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status == 200 and b"content" in text or status in (429, 503) and b"Retry-After" in head, (status, answer[:200])
    return status


async def client(port, number, until, times, counts, served):
    while time.monotonic() < until:
        start = time.monotonic()
        status = await ask(port, number)
        counts[status] = counts.get(status, 0) + 1
        if status == 200:
            times.append(time.monotonic() - start)
            served[number] = served.get(number, 0) + 1
        else:
            await asyncio.sleep(0.5)


async def drip(port, until):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waiting = asyncio.ensure_future(reader.read(1))
    line = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1000
    for at in range(len(line)):
        try:
            writer.write(line[at:at + 1])
            await writer.drain()
        except ConnectionError:
            return "closed"
        if (await asyncio.wait([waiting], timeout=1))[0]:
            return "closed"
        if time.monotonic() > until:
            break
    waiting.cancel()
    return "open"


async def main(process, port):
    times, counts, served = [], {}, {}
    before = resident(process.pid)
    until = time.monotonic() + SECONDS
    await asyncio.gather(*(client(port, i, until, times, counts, served) for i in range(CLIENTS)))
    middle = resident(process.pid)
    times.sort()
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99) - 1]
    print(f"{CLIENTS} clients, {SECONDS} s: {counts}, {len(served)} of {CLIENTS} clients served ({min(served.values())} to {max(served.values())} times), "
          f"p50 {p50:.2f} s, p99 {p99:.2f} s, ratio {p99 / p50:.1f}; resident {before:.0f} MiB before, {middle:.0f} after")
    drops = [asyncio.ensure_future(drip(port, time.monotonic() + 40)) for _ in range(CONNECTIONS)]
    await asyncio.sleep(5)
    start = time.monotonic()
    status = await ask(port, 0)
    print(f"{CONNECTIONS} connections that send a byte a second: an answer beside them takes {time.monotonic() - start:.2f} s (status {status}); "
          f"resident {resident(process.pid):.0f} MiB")
    ends = await asyncio.gather(*drops)
    print(f"after 40 s {ends.count('closed')} of them were closed; resident {resident(process.pid):.0f} MiB")


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server = subprocess.Popen([CLI, "serve", "--port", "0", "--json", "--queue", "256", "--model", ROOT / "data" / "demo-model"], stdout=subprocess.PIPE, text=True)
try:
    asyncio.run(main(server, int(json.loads(server.stdout.readline())["address"].split(":")[2].split("/")[0])))
finally:
    server.terminate()
    server.wait()
