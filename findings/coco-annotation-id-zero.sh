#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pycocotools 2.0.11 and faster-coco-eval 1.8.0: an annotation whose id is 0 counts as never found.
# Expected: an id is a name; results that are the truth itself score AP 1 whatever the ids are.
# Seen: one box with id 0, found exactly: AP 0. Two with ids 0 and 1: 0.252. With ids from 1: 1. Matches are kept as the id of the
# annotation, and 0 stands for "no match" there; faster-coco-eval says so in a warning.
# COCO itself counts from 1; many converters count from 0 and are told by these scorers that a perfect detector misses boxes.
# Sightline's ids count from 1, and ./dev peers scores its exports against themselves.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install pycocotools==2.0.11 faster-coco-eval==1.8.0 || { echo "not on PyPI any more"; exit 77; }
cat >"$root/score.py" <<'PY'
import contextlib, io, json, sys, tempfile
import faster_coco_eval, pycocotools.coco, pycocotools.cocoeval

def score(read, evaluate, ids):
    boxes = [[10 + 40 * n, 10, 30, 30] for n in range(len(ids))]
    truth = {"images": [{"id": 1, "file_name": "a.png", "width": 200, "height": 100}], "categories": [{"id": 1, "name": "thing"}],
             "annotations": [{"id": n, "image_id": 1, "category_id": 1, "bbox": box, "area": 900, "iscrowd": 0} for n, box in zip(ids, boxes)]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file, contextlib.redirect_stdout(io.StringIO()):
        json.dump(truth, file)
        file.flush()
        coco = read(file.name)
        found = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9 - n / 10} for n, box in enumerate(boxes)]
        scorer = evaluate(coco, coco.loadRes(found), "bbox")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return round(float(scorer.stats[0]), 3)

for name, read, evaluate in (("pycocotools", pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
                             ("faster-coco-eval", faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster)):
    seen = {str(ids): score(read, evaluate, ids) for ids in ([0], [0, 1], [1], [1, 2])}
    print(name, seen)
    assert seen["[0]"] == 0 and 0.2 < seen["[0, 1]"] < 0.3 and seen["[1]"] == seen["[1, 2]"] == 1, "changed"
PY
"$root/venv/bin/python" "$root/score.py"
