#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Opens Sightline's exports with the programs that they are meant for: `readers.py MAKE_EXPORT SOURCE_ROOT [--write]`.
Needs the packages of requirements.txt, so it runs in `./dev peers` only. What the readers saw is compared
with exports.json beside this file (--write: becomes it), together with the hash of each file that they read; ./dev test
replays that: the same hashes mean that the readers still agree.
"""
import contextlib
import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import unittest.mock
import xml.etree.ElementTree as tree

TRANSCRIPT = pathlib.Path(__file__).with_name("exports.json")
PACKAGES = ("datumaro", "faster-coco-eval", "globox", "label-studio-sdk", "labelme", "pillow", "pycocotools", "supervision",
            "ultralytics")
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
            assert all(prediction["result"] == annotation["result"] for prediction in task.get("predictions", []))
        for set_of in task["annotations"]:
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
    from PIL import Image
    boxes = []
    for path in sorted((folder / "Annotations").glob("*.xml")):
        root = tree.parse(path).getroot()
        with Image.open(folder / "JPEGImages" / root.findtext("filename")) as picture:
            assert picture.size == (int(root.findtext("size/width")), int(root.findtext("size/height")))
            assert picture.getexif().get(0x0112, 1) == 1
        for item in root.iter("object"):
            boxes.append([root.findtext("filename"), item.findtext("name"),
                          [int(item.findtext("bndbox/" + side)) - first
                           for side, first in (("xmin", 1), ("ymin", 1), ("xmax", 0), ("ymax", 0))]])
    return boxes


def read_voc_with_supervision(folder):
    """It takes corners as they are written: the first pixel and the last, counted from 1."""
    import supervision
    dataset = supervision.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    return [[pathlib.Path(path).name, dataset.classes[index], [int(v) for v in box]]
            for path, _, found in dataset for box, index in zip(found.xyxy, found.class_id)]


def read_coco_with_supervision(folder):
    import supervision
    dataset = supervision.DetectionDataset.from_coco(str(folder / "images"), str(folder / "annotations.json"))
    return [[pathlib.Path(path).name, dataset.classes[index], [int(v) for v in box]]
            for path, _, found in dataset for box, index in zip(found.xyxy, found.class_id)]


def read_yolo_with_supervision(folder):
    import supervision
    dataset = supervision.DetectionDataset.from_yolo(str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml"))
    return [[pathlib.Path(path).name, dataset.classes[index], [round(float(v)) for v in box]]
            for path, _, found in dataset for box, index in zip(found.xyxy, found.class_id)]


def read_with_datumaro(kind):
    def read(folder):
        """VOC: without labelmap.txt it knows the twenty classes of 2007 and no others; corners from 1 have to be asked for."""
        import datumaro
        if kind == "coco":  # the layout that it knows COCO by
            (folder / "annotations").mkdir(exist_ok=True)
            shutil.copy(folder / "annotations.json", folder / "annotations" / "instances_default.json")
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = datumaro.Dataset.import_from(str(folder), kind,
                                                   **({"coordinate_mode": "voc-one-based"} if kind == "voc" else {}))
        if kind == "coco":
            shutil.rmtree(folder / "annotations")
        names = dataset.categories()[datumaro.AnnotationType.label]
        return [[pathlib.Path(item.media.path).name, names[box.label].name,
                 [round(box.x), round(box.y), round(box.x + box.w), round(box.y + box.h)]]
                for item in dataset for box in item.annotations if box.type == datumaro.AnnotationType.bbox]
    return read


def read_label_studio_converted(folder):
    """Its converter to VOC cuts percentages to whole pixels; the one to YOLO keeps the numbers of the classes."""
    from label_studio_sdk.converter import Converter
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        converter = Converter(str(folder / "label-config.xml"), str(folder), download_resources=False)
        converter.convert_to_voc(str(folder / "tasks.json"), out, is_dir=False)
        boxes = []
        for path in sorted(pathlib.Path(out, "Annotations").glob("*.xml")):
            root = tree.parse(path).getroot()
            for item in root.iter("object"):
                boxes.append([root.findtext("filename"), item.findtext("name"),
                              [int(item.findtext("bndbox/" + side)) for side in ("xmin", "ymin", "xmax", "ymax")]])
        yolo = pathlib.Path(out, "yolo")
        converter.convert_to_yolo(str(folder / "tasks.json"), str(yolo), output_image_dir=str(yolo / "images"), is_dir=False)
        listed = [label.get("value") for label in tree.parse(folder / "label-config.xml").iter("Label")]
        assert (yolo / "classes.txt").read_text().splitlines() == listed and listed != sorted(listed)
    return boxes


class Stubs:
    """Stands for torch, of which what is asked of ultralytics here uses nothing: two gigabytes less to install."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        class Stub(types.ModuleType):
            def __getattr__(self, key):
                if key.startswith("__"):
                    raise AttributeError(key)
                if key[0].isupper():
                    value = type(key, (Warning,) if key.endswith("Warning") else (), {})
                elif key in ("backends", "cuda", "data", "distributed", "functional", "jit", "nn", "utils"):
                    value = importlib.import_module(f"{self.__name__}.{key}")
                else:
                    value = unittest.mock.MagicMock()
                setattr(self, key, value)
                return value
        module = Stub(spec.name)
        module.__version__ = "2.4.1"
        return module

    def exec_module(self, module):
        pass


def read_yolo_with_ultralytics(folder):
    """Its own check of data.yaml, from another folder, and its own reader of labels."""
    sys.meta_path.insert(0, Stubs())
    version = importlib.metadata.version
    importlib.metadata.version = lambda name: "2.4.1" if name in ("torch", "torchvision") else version(name)
    os.environ["YOLO_CONFIG_DIR"] = str(folder.parent)
    os.environ["YOLO_AUTOINSTALL"] = "false"
    with contextlib.redirect_stdout(io.StringIO()):
        from ultralytics.data.utils import check_det_dataset, img2label_paths, verify_image_label
    importlib.metadata.version = version
    elsewhere = os.getcwd()
    with tempfile.TemporaryDirectory() as start:
        os.chdir(start)
        try:
            data = check_det_dataset(str(folder / "data.yaml"), autodownload=False)
        finally:
            os.chdir(elsewhere)
    boxes = []
    for path in sorted(pathlib.Path(data["train"]).iterdir()):
        (label,) = img2label_paths([str(path)])
        file, rows, shape, _, _, missing, _, _, corrupt, why = verify_image_label(
            (str(path), label, "", False, len(data["names"]), 0, 0, False))
        assert file and not corrupt and not missing, why
        for index, x, y, w, h in (map(float, row) for row in rows):
            boxes.append([path.name, data["names"][int(index)],
                          [round((x - w / 2) * shape[1]), round((y - h / 2) * shape[0]), round((x + w / 2) * shape[1]),
                           round((y + h / 2) * shape[0])]])
    return boxes


def score_against_itself(folder):
    """An export that is evaluated against itself is perfect, whoever evaluates: ids, classes, areas and scores are as scorers want."""
    import faster_coco_eval
    import globox
    import pycocotools.coco
    import pycocotools.cocoeval
    path = str(folder / "annotations.json")
    document = json.loads((folder / "annotations.json").read_text("utf-8"))
    assert min(entry["id"] for part in ("images", "annotations", "categories") for entry in document[part]) == 1
    found = [{key: annotation.get(key, 0.5) for key in ("image_id", "category_id", "bbox", "score")} for annotation in document["annotations"]]
    scores = {}
    for name, read, evaluate in (("pycocotools", pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
                                 ("faster-coco-eval", faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster)):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = read(path)
            scorer = evaluate(truth, truth.loadRes(found), "bbox")
            scorer.evaluate()
            scorer.accumulate()
            scorer.summarize()
        scores[name] = float(scorer.stats[0])
    truth = globox.AnnotationSet.from_coco(folder / "annotations.json")
    predictions = globox.AnnotationSet.from_coco(folder / "annotations.json")
    for boxes, sure in ((truth, lambda box: None), (predictions, lambda box: box.confidence or 0.5)):  # a truth has no scores there
        for annotation in boxes:
            for box in annotation.boxes:
                box._confidence = sure(box)  # pylint: disable=protected-access
    scores["globox"] = float(globox.COCOEvaluator(ground_truths=truth, predictions=predictions).ap())
    assert all(abs(score - 1) < 1e-9 for score in scores.values()), scores


READERS = {"coco": read_coco, "labelme": read_labelme, "label-studio": read_label_studio, "yolo": read_yolo, "voc": read_voc}
MORE = {"coco": [read_coco_with_supervision, read_with_datumaro("coco")], "label-studio": [read_label_studio_converted],
        "voc": [read_voc_with_supervision, read_with_datumaro("voc")],
        "yolo": [read_yolo_with_supervision, read_yolo_with_ultralytics]}


def hashes(folder):
    """Of the text files; pictures are compared by their pixels elsewhere."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.suffix in TEXT}


def main():
    make_export, root = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([make_export, root, name], check=True)
        seen = {"readers": {package: importlib.metadata.version(package) for package in PACKAGES},
                "boxes": {kind: read(folder / kind) for kind, read in READERS.items()},
                "files": hashes(folder)}
        for kind, readers in MORE.items():
            for read in readers:
                found = sorted(read(folder / kind))
                assert found == sorted(seen["boxes"][kind]), f"{kind}, {read.__qualname__}: {found}"
        score_against_itself(folder / "coco")
    if "--write" in sys.argv:
        TRANSCRIPT.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return
    known = json.loads(TRANSCRIPT.read_text("utf-8"))
    for part in ("boxes", "files"):
        if known[part] != seen[part]:
            sys.exit(f"the readers see other {part} than in {TRANSCRIPT.name}; look why, then run with --write:\n"
                     + json.dumps(seen[part], indent=1, ensure_ascii=False))
    print(", ".join(PACKAGES), "agree with", TRANSCRIPT.name)


if __name__ == "__main__":
    main()
