"""Crops to calibrate exported files on and to check them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aggpose
from aggpose.data.coco import image_file, keypoint_names, load_coco, unusable
from aggpose.data.pictures import PICTURE_SUFFIXES, read_rgb
from aggpose.errors import UserError
from aggpose.evaluation.protocol import scored_skeleton, truth_boxes
from aggpose.formats.poses_csv import read_poses_csv
from aggpose.geometry import keypoints_box, upright_rotation, xyxy_to_xywh
from aggpose.inference.crops import Crop, crop_of_box, cut_crops
from aggpose.meta import ModelMeta
from aggpose.skeleton import Skeleton, get_skeleton, skeleton_from_names
from aggpose.video.reader import VideoReader

_EXAMPLES = Path(aggpose.__file__).parent / "examples"
_JITTER, _TURN_DEG, _MARGIN = 0.15, 20.0, 0.12
COUNT = 64
"""Crops of a set, where there are as many."""


@dataclass(frozen=True)
class CheckSet:
    """Crops, and the labels of what they show where there are any.

    name: for people. images: (N, 3, H, W) float32, normalised as the network wants them. crops: N.
    image_ids: (N,) of the pictures in ``labels``, an annotation file's content or None.
    skeleton: of the labels.
    """

    name: str
    images: np.ndarray
    crops: tuple[Crop, ...]
    image_ids: tuple[int, ...] = ()
    labels: dict[str, Any] | None = None
    skeleton: Skeleton | None = None


def bundled_set(meta: ModelMeta, count: int = COUNT, seed: int = 0) -> CheckSet:
    """Crops of the bundled clip of a synthetic infant with its truth, boxes and turns varied."""
    truth = read_poses_csv(_EXAMPLES / "infant.truth.poses.csv")
    skeleton = scored_skeleton(meta.skeleton, set(truth.skeleton.keypoints), set(meta.keypoints))
    order = [truth.skeleton.index(name) for name in skeleton.keypoints]
    wanted = np.linspace(0, len(truth.frames) - 1, count).astype(int)
    rng = np.random.default_rng(seed)
    pictures, crops = [], []
    annotations: list[dict[str, Any]] = []
    with VideoReader(_EXAMPLES / "infant.mp4") as video:
        for frame in video:
            for _ in range(int((wanted == frame.index).sum())):
                points = truth.keypoints[frame.index, 0]
                box = keypoints_box(points, np.ones(len(points), bool))
                assert box is not None
                size = box[2:] - box[:2]
                grown = box + _MARGIN * size.max() * np.array([-1, -1, 1, 1])
                moved = grown + np.tile(rng.uniform(-_JITTER, _JITTER, 2) * size, 2)
                turn = float(rng.uniform(-_TURN_DEG, _TURN_DEG))
                pictures.append(frame.image)
                crops.append(crop_of_box(moved, meta, turn))
                annotations.append(_annotation(len(annotations), points[order], grown))
    return CheckSet(
        "the bundled clip of a synthetic infant",
        cut_crops(pictures, crops, meta),
        tuple(crops),
        tuple(range(1, len(crops) + 1)),
        _content(annotations, skeleton),
        skeleton,
    )


def pictures_set(
    meta: ModelMeta, images: Path, annotations: Path | None = None, count: int = COUNT
) -> CheckSet:
    """Crops of pictures of one's own: of the labelled people where an annotation file is given,
    else of whole pictures. UserError when there are none."""
    if annotations is not None:
        return _labelled_set(meta, images, annotations, count)
    if not images.is_dir():
        raise UserError(f"{images}: no such folder of pictures")
    paths = sorted(p for p in images.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise UserError(f"{images}: no pictures in this folder")
    pictures, crops = [], []
    for path in _spread(paths, count):
        image = read_rgb(path)
        pictures.append(image)
        whole = np.array([0.0, 0.0, image.shape[1], image.shape[0]])
        crops.append(crop_of_box(whole, meta, padding=1.0))
    return CheckSet(str(images), cut_crops(pictures, crops, meta), tuple(crops))


def _labelled_set(meta: ModelMeta, images: Path, annotations: Path, count: int) -> CheckSet:
    content = load_coco(annotations)
    names = keypoint_names(content, annotations)
    try:
        labelled = skeleton_from_names(names)
        skeleton = scored_skeleton(_named(labelled), set(names), set(meta.keypoints))
    except UserError as error:
        raise UserError(f"{annotations}: {error}") from None
    people = _people(content, len(names), annotations)
    boxes = truth_boxes({"annotations": people})
    entries = {e["id"]: e for e in content["images"] if e["id"] in boxes}
    if not entries:
        raise UserError(f"{annotations}: no labelled person with a box to check on")
    pictures, crops, ids = [], [], []
    for number in _spread(sorted(entries), count):
        image = read_rgb(image_file(images, entries[number]["file_name"]))
        own = [a for a in people if a["image_id"] == number]
        for box in boxes[number][:, :4]:
            pictures.append(image)
            crops.append(crop_of_box(box, meta, _upright(box, own, labelled, meta)))
            ids.append(number)
    used = set(ids)
    kept = {
        **content,
        "images": [e for e in content["images"] if e["id"] in used],
        "annotations": [a for a in people if a["image_id"] in used],
    }
    batch = cut_crops(pictures, crops, meta)
    return CheckSet(str(annotations), batch, tuple(crops), tuple(ids), kept, skeleton)


_LEFT_OUT = ("crowd", "no key points", "box without size")


def _people(content: dict[str, Any], kinds: int, path: Path) -> list[dict[str, Any]]:
    """The labelled people of a file; UserError where an entry of another is damaged."""
    pictures = {e["id"] for e in content["images"]}
    people = []
    for annotation in content.get("annotations", []):
        reason = unusable(annotation, pictures, kinds)
        if reason is None:
            people.append(annotation)
        elif reason not in _LEFT_OUT:
            raise UserError(
                f"{path}: annotation {annotation.get('id')}: {reason}; run `aggpose check` on it"
            )
    return people


def _named(skeleton: Skeleton) -> Skeleton:
    """The known skeleton with just these points, for its sigmas; else the skeleton itself."""
    for name in ("coco17", "infant21", "infant24", "lsp14"):
        known = get_skeleton(name)
        if set(known.keypoints) == set(skeleton.keypoints):
            return known
    return skeleton


def _upright(
    box: np.ndarray, people: Sequence[dict[str, Any]], skeleton: Skeleton, meta: ModelMeta
) -> float:
    """The turn of the labelled person of a box, for networks that know people upright."""
    if not meta.upright:
        return 0.0
    own = [p for p in people if np.allclose(p["bbox"], xyxy_to_xywh(box), atol=0.01)]
    labels = np.asarray(own[0]["keypoints"], dtype=np.float64).reshape(-1, 3)
    return upright_rotation(labels[:, :2], labels[:, 2] > 0, skeleton) or 0.0


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most count of the items, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]


def _annotation(number: int, points: np.ndarray, box: np.ndarray) -> dict[str, Any]:
    x, y, w, h = (float(v) for v in xyxy_to_xywh(box))
    labels = np.concatenate([points, np.full((len(points), 1), 2.0)], axis=1)
    return {
        **{"id": number + 1, "image_id": number + 1, "category_id": 1, "iscrowd": 0},
        **{"bbox": [x, y, w, h], "area": w * h, "num_keypoints": len(points)},
        "keypoints": labels.reshape(-1).tolist(),
    }


def _content(annotations: list[dict[str, Any]], skeleton: Skeleton) -> dict[str, Any]:
    images = [{"id": a["image_id"], "width": 0, "height": 0} for a in annotations]
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    return content
