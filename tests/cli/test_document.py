#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sightline-cli document: usage, pages of a PDF and a picture, resuming at a page, a page that fails, what is written.

test_document.py CLI CHECKPOINTS SOURCE_ROOT. Prints TAP. The models are those that tests/parity generates: what they answer is noise,
which is read all the same; what real answers become is tested in tests/app/document.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tap  # noqa: E402

CLI, CHECKPOINTS, ROOT = sys.argv[1:4]
MODEL = os.path.join(CHECKPOINTS, "document_ocr")
SAMPLE = os.path.join(ROOT, "data", "samples", "shapes-1.png")
TMP = pathlib.Path(tempfile.mkdtemp(prefix="sightline-document-"))
USAGE, INPUT = 2, 3


def make_pdf(path, pages):
    """Pages of (text, width, height)."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text, width, height in pages:
        stream = b"BT /F1 18 Tf 40 40 Td (%s) Tj ET" % text.encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
                       % (width, height, len(objects)))
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    out, places = b"%PDF-1.4\n", []
    for i, body in enumerate(objects):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (i + 1, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    path.write_bytes(out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return str(path)


def run(*args, want=0):
    env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(TMP), "XDG_DATA_HOME": str(TMP), "XDG_CONFIG_HOME": str(TMP)}
    result = subprocess.run([CLI, "document", *map(str, args)], capture_output=True, timeout=100, env=env)
    assert result.returncode == want, f"{args}: exit {result.returncode}, wanted {want}: {result.stderr.decode(errors='replace')}"
    return result


def read(*args, out, want=0, model=MODEL):
    result = run("--model", model, "--out", TMP / out, "--max-tokens", 8, "--view", "tiny", "--json", *args, want=want)
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


def takes_pdf():
    result = subprocess.run([CLI, "document", "--model", MODEL, "--out", str(TMP / "probe"), "--max-tokens", "1", PDF], capture_output=True)
    return b"cannot read" not in result.stderr


PDF = make_pdf(TMP / "three.pdf", [("First page", 300, 400), ("Second page", 400, 300), ("Third page", 300, 300)])


@tap.test
def usage_is_checked():
    for args, words in (((SAMPLE,), "--out is missing"), (("--out", TMP / "x"), "no files"), (("--out", TMP / "x", "-f", "docx", SAMPLE), "--format"),
                        (("--out", TMP / "x", "--view", "huge", SAMPLE), "--view"), (("--out", TMP / "x", "--task", "sing", SAMPLE), "--task"),
                        (("--out", TMP / "x", "--task", "locate:", SAMPLE), "--task"), (("--out", TMP / "x", "--pages", "3-1", SAMPLE), "--pages"),
                        (("--out", TMP / "x", "--task", "ocr", "-p", "x", SAMPLE), "exclude each other")):
        stderr = run(*args, want=USAGE).stderr.decode()
        assert stderr.startswith("sightline-cli: ") and words in stderr, (args, stderr)


@tap.test
def other_models_are_refused():
    stderr = run("--model", os.path.join(ROOT, "data", "demo-model"), "--out", TMP / "demo", SAMPLE, want=INPUT).stderr.decode()
    assert "does not read documents" in stderr and not (TMP / "demo").exists(), stderr
    stderr = run("--model", os.path.join(CHECKPOINTS, "document_ring"), "--out", TMP / "ring", "--task", "ocr", SAMPLE, want=USAGE).stderr.decode()
    assert "Unlimited-OCR knows the task markdown alone" in stderr, stderr
    assert read(SAMPLE, out="ring", model=os.path.join(CHECKPOINTS, "document_ring"))[-1]["read"] == 1


@tap.test
def a_picture_in_every_view_and_format():
    """Every view and format of a picture; the second file of a name gets another."""
    twin = TMP / "twin" / "shapes-1.png"
    twin.parent.mkdir()
    shutil.copy(SAMPLE, twin)
    lines = read("--format", "md,html,txt,json,hocr,alto,pdf,coco,csv", SAMPLE, twin, out="all")
    names = sorted(path.name for path in (TMP / "all").iterdir())
    endings = ("alto.xml", "coco.json", "hocr", "html", "json", "md", "pdf", "txt")
    assert lines[-1] == {"read": 1, "kept": 1, "failed": 0}, lines  # the same bytes are read once
    assert names == sorted(["sightline-batch.jsonl"] + [f"shapes-1{n}.{e}" for n in ("", "-2") for e in endings] +
                           [f"shapes-1{n}_pages" for n in ("", "-2")]), names
    page = json.loads((TMP / "all" / "shapes-1.json").read_text())["pages"][0]
    assert page["source"] == "shapes-1.png" and page["page"] == 1 and page["stop"] in ("eos", "max_tokens"), page
    coco = json.loads((TMP / "all" / "shapes-1.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["shapes-1_pages/1.png"], coco["images"]
    assert (TMP / "all" / "shapes-1_pages" / "1.png").read_bytes().startswith(b"\x89PNG")
    placed = [block for block in page["blocks"] if block["box_px"]]
    assert len(coco["annotations"]) == len(placed) and {c["name"] for c in coco["categories"]} == {b["type"] for b in placed}, coco
    for ending in ("alto.xml", "hocr"):
        xml.etree.ElementTree.parse(TMP / "all" / f"shapes-1.{ending}")
    assert (TMP / "all" / "shapes-1.pdf").read_bytes().startswith(b"%PDF-")
    for view in ("gundam", "small", "base", "large"):
        assert read(SAMPLE, "--view", view, out=view)[-1]["read"] == 1


@tap.test
def pages_are_kept_and_a_bad_one_stops_nothing():
    if not takes_pdf():
        return
    assert [line.get("page") for line in read("--pages", "2-3", PDF, out="pages")] == [2, 3, None]
    assert read("--pages", "1-", "-f", "txt", PDF, out="pages")[-1] == {"read": 1, "kept": 2, "failed": 0}
    assert len((TMP / "pages" / "three.txt").read_text().split("\f")) == 3
    run("--model", MODEL, "--out", TMP / "pages", "--max-tokens", 9, "--view", "tiny", PDF, want=USAGE)  # other work
    bad = pathlib.Path(make_pdf(TMP / "bad.pdf", [("one", 300, 300), ("two", 300, 300), ("three", 300, 300)]))
    data = bad.read_bytes()
    first, end = data.index(b"7 0 obj"), data.index(b"endobj", data.index(b"7 0 obj"))
    bad.write_bytes(data[:first] + b"7 0 obj\nnull".ljust(end - first) + data[end:])  # the reader misses a page, and counts it
    lines = read(bad, SAMPLE, out="bad", want=INPUT)
    assert sum("error" in line for line in lines) == 1 and lines[-1] == {"read": 3, "kept": 0, "failed": 1}, lines


@tap.test
def pages_are_read_together():
    """In one context, by the model that can: what it wrote is the first page's, and the others are missed by name."""
    if not takes_pdf():
        return
    ring = os.path.join(CHECKPOINTS, "document_ring")
    assert "--together is for" in run("--model", MODEL, "--out", TMP / "no", "--together", PDF, want=USAGE).stderr.decode()
    lines = read("--together", "--pages", "1-2", PDF, out="together", model=ring, want=INPUT)
    assert [line.get("page") for line in lines] == [1, 2, None] and "before this page" in lines[1]["error"], lines
    assert lines[-1] == {"read": 1, "kept": 0, "failed": 1}, lines


@tap.test
def what_cannot_be_read_stops_nothing():
    """A file that is none is named, and the others are read; nothing that was there is replaced without being asked."""
    torn = TMP / "torn.pdf"
    torn.write_bytes(b"%PDF-1.4\n garbage")
    result = run("--model", MODEL, "--out", TMP / "torn", "--max-tokens", 4, torn, TMP / "absent.png", SAMPLE, want=INPUT)
    stderr = result.stderr.decode()
    assert "torn.pdf" in stderr and "absent.png" in stderr and re.search("1 pages read, 0 from an earlier run, 2 failed", stderr), stderr
    (TMP / "kept").mkdir()
    (TMP / "kept" / "shapes-1.md").write_text("mine")
    assert "--force" in run("--model", MODEL, "--out", TMP / "kept", "--max-tokens", 4, SAMPLE, want=INPUT).stderr.decode()
    assert (TMP / "kept" / "shapes-1.md").read_text() == "mine"


tap.run(TMP)
