#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# supervision 0.31.2: the labels of each answer of DeepSeek-VL2 are numbered for themselves, so that class 0 is a cat here and a dog there.
# Expected: merged detections have one number for one label; suppression within a class leaves boxes of other classes alone.
# Seen: two answers about one picture, a cat and a dog that overlap, merged: both are class 0, named "cat" and "dog". Suppression within
# classes removes the dog, and as COCO or YOLO both would be class 0. With classes=["cat", "dog"] given to each call both stay.
# Sightline numbers labels over all answers of an export, or by a list (--classes).
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python3 -m venv "$root/venv"
"$root/venv/bin/pip" -q install supervision==0.31.2 || { echo "not on PyPI any more: supervision"; exit 77; }
cat >"$root/show.py" <<'PY'
import numpy as np
import supervision as sv

def answer(label, box):
    return f"<|ref|>{label}<|/ref|><|det|>[[{', '.join(map(str, box))}]]<|/det|>"

def merged(**options):
    found = [sv.Detections.from_vlm(sv.VLM.DEEPSEEK_VL_2, text, resolution_wh=(999, 999), **options)
             for text in (answer("cat", (100, 100, 500, 500)), answer("dog", (110, 100, 510, 500)))]
    both = sv.Detections.merge(found)
    both.confidence = np.array([0.9, 0.8])
    left = both.with_nms(threshold=0.5, class_agnostic=False)
    return list(zip(both.class_id.tolist(), both["class_name"].tolist())), left["class_name"].tolist()

seen = {"as it is": merged(), "with classes": merged(classes=["cat", "dog"])}
for name, (classes, left) in seen.items():
    print(f"{name}: {classes}, after suppression within classes {left}")
assert seen["as it is"] == ([(0, "cat"), (0, "dog")], ["cat"])
assert seen["with classes"] == ([(0, "cat"), (1, "dog")], ["cat", "dog"])
PY
"$root/venv/bin/python" "$root/show.py" 2>/dev/null
