#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Opens Sightline's exports with the programs that they are meant for: `readers.py MAKE_EXPORT SOURCE_ROOT [--write]`.
Needs pycocotools, labelme, label-studio-sdk and Pillow, so it runs in `./dev peers` only. What the readers saw is compared
with exports.json beside this file (--write: becomes it), together with the hash of each file that they read; ./dev test
replays that: the same hashes mean that the readers still agree.
"""
import contextlib
import hashlib
import importlib.metadata
import io
import json
import pathlib
import subprocess
import sys
import tempfile

TRANSCRIPT = pathlib.Path(__file__).with_name("exports.json")
TEXT = {".json", ".txt", ".xml", ".yaml", ".csv"}


def read_coco(folder):
    from pycocotools.coco import COCO
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "annotations.json"))
    boxes = []
    for annotation in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(annotation["image_id"])[0]
        mask = coco.annToMask(annotation)
        (label,) = [c["name"] for c in coco.loadCats([annotation["category_id"]])]
        x, y, width, height = annotation["bbox"]
        assert (folder / "images" / image["file_name"]).exists(), image
        assert mask.shape == (image["height"], image["width"]) and int(mask.sum()) == width * height == annotation["area"]
        boxes.append([image["file_name"], label, [x, y, x + width, y + height]])
    return boxes


def read_labelme(folder):
    from labelme.label_file import LabelFile
    boxes = []
    for path in sorted(folder.glob("*.json")):
        file = LabelFile(str(path))
        assert file.imageData, "labelme did not find the picture"
        for shape in file.shapes:
            assert shape["shape_type"] == "rectangle"
            boxes.append([file.imagePath, shape["label"], [int(v) for point in shape["points"] for v in point]])
    return boxes


def read_label_studio(folder):
    from label_studio_sdk.label_interface import LabelInterface
    interface = LabelInterface((folder / "label-config.xml").read_text("utf-8"))
    interface.validate()
    boxes = []
    for task in json.loads((folder / "tasks.json").read_text("utf-8")):
        assert interface.validate_task({"data": task["data"]}), task
        for prediction in task.get("predictions", []):
            assert interface.validate_prediction(prediction), prediction
        for annotation in task.get("annotations", []):
            assert interface.validate_annotation(annotation), annotation
        for set_of in task.get("predictions", []) + task.get("annotations", []):
            for region in set_of["result"]:
                value = region["value"]
                width, height = region["original_width"] / 100, region["original_height"] / 100
                boxes.append([task["data"]["image"].rsplit("/", 1)[1], value["rectanglelabels"][0],
                              [round(value["x"] * width), round(value["y"] * height),
                               round((value["x"] + value["width"]) * width), round((value["y"] + value["height"]) * height)]])
    return boxes


def read_yolo(folder):
    """YOLO's format is four numbers and a picture of the same stem; Pillow opens the picture."""
    from PIL import Image
    classes = (folder / "classes.txt").read_text("utf-8").splitlines()
    boxes = []
    for path in sorted((folder / "images").iterdir()):
        with Image.open(path) as picture:
            width, height = picture.size
        for line in (folder / "labels" / (path.stem + ".txt")).read_text().splitlines():
            index, x, y, w, h = line.split()
            x, y, w, h = float(x) * width, float(y) * height, float(w) * width, float(h) * height
            boxes.append([path.name, classes[int(index)], [round(x - w / 2), round(y - h / 2), round(x + w / 2),
                                                           round(y + h / 2)]])
    return boxes


def read_voc(folder):
    import xml.etree.ElementTree as tree
    from PIL import Image
    boxes = []
    for path in sorted((folder / "Annotations").glob("*.xml")):
        root = tree.parse(path).getroot()
        with Image.open(folder / "JPEGImages" / root.findtext("filename")) as picture:
            assert picture.size == (int(root.findtext("size/width")), int(root.findtext("size/height")))
            assert picture.getexif().get(0x0112, 1) == 1
        for item in root.iter("object"):
            boxes.append([root.findtext("filename"), item.findtext("name"),
                          [int(item.findtext("bndbox/" + side)) for side in ("xmin", "ymin", "xmax", "ymax")]])
    return boxes


READERS = {"coco": read_coco, "labelme": read_labelme, "label-studio": read_label_studio, "yolo": read_yolo, "voc": read_voc}


def hashes(folder):
    """Of the text files; pictures are compared by their pixels elsewhere."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.suffix in TEXT}


def main():
    make_export, root = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([make_export, root, name], check=True)
        seen = {"readers": {package: importlib.metadata.version(package)
                            for package in ("pycocotools", "labelme", "label-studio-sdk", "pillow")},
                "boxes": {kind: read(folder / kind) for kind, read in READERS.items()},
                "files": hashes(folder)}
    if "--write" in sys.argv:
        TRANSCRIPT.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return
    known = json.loads(TRANSCRIPT.read_text("utf-8"))
    for part in ("boxes", "files"):
        if known[part] != seen[part]:
            sys.exit(f"the readers see other {part} than in {TRANSCRIPT.name}; look why, then run with --write:\n"
                     + json.dumps(seen[part], indent=1, ensure_ascii=False))
    print("coco, labelme, Label Studio, YOLO and VOC readers agree with", TRANSCRIPT.name)


if __name__ == "__main__":
    main()
