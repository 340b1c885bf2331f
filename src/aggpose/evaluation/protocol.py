"""How predictions are made for an evaluation, written down with every number.

``gt``: every labelled person's own box. A COCO detections file: every box of it, as published (with
rescoring and OKS-NMS). ``whole``: no boxes; the network finds the one infant itself, as
`aggpose predict` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.data.coco import image_file
from aggpose.data.pictures import read_rgb
from aggpose.errors import UserError
from aggpose.evaluation.metrics import box_of
from aggpose.evaluation.oks import suppress_doubles
from aggpose.formats.coco_boxes import BoxFile
from aggpose.formats.coco_results import pose_scores, result_entries
from aggpose.geometry import box_to_crop, xywh_to_xyxy, xyxy_to_xywh
from aggpose.inference.crops import decoder_of
from aggpose.inference.predict import DEFAULT_BATCH, Item, Model
from aggpose.pose import Poses
from aggpose.skeleton import Skeleton

NMS_THRESHOLD = 0.9
TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Protocol:
    """All that a number depends on beside the weights; stored beside every number.

    boxes: ``gt``, ``whole`` or the name of a detections file. rotate: degrees counter-clockwise by
    which pictures were turned before the network saw them. area: of OKS, ``file`` or ``box``.
    skeleton, keypoints, sigmas: what is scored. nms: OKS threshold, None for none. turns: how crops
    are turned before a pose counts, None where they are not.
    """

    boxes: str
    flip_test: bool
    rotate: int
    area: str
    skeleton: str
    keypoints: tuple[str, ...]
    sigmas: tuple[float, ...]
    input_size: tuple[int, int] | None = None
    box_padding: float | None = None
    decoder: str | None = None
    score: str | None = None
    nms: float | None = None
    turns: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def scored_skeleton(wanted: Skeleton, labelled: set[str], known: set[str] | None) -> Skeleton:
    """The points of a skeleton that the file labels and the model predicts (None: all).

    UserError when there are none.
    """
    names = [n for n in wanted.keypoints if n in labelled and (known is None or n in known)]
    if not names:
        raise UserError(
            f"no key point of {wanted.name} is both labelled in the annotations and predicted"
        )
    return wanted.restricted(names)


def make_protocol(
    model: Model | None,
    skeleton: Skeleton,
    boxes: str,
    flip_test: bool = False,
    rotate: int = 0,
    area: str = "file",
) -> Protocol:
    """The protocol of a run; model None when somebody else's predictions are scored."""
    if model is None:
        return Protocol(
            boxes, flip_test, rotate, area, skeleton.name, skeleton.keypoints, skeleton.sigmas
        )
    meta = model.meta
    return Protocol(
        boxes=boxes,
        flip_test=flip_test,
        rotate=rotate,
        area=area,
        skeleton=skeleton.name,
        keypoints=skeleton.keypoints,
        sigmas=skeleton.sigmas,
        input_size=meta.input_size,
        box_padding=meta.box_padding,
        decoder=decoder_of(model.runtime),
        score="box score x mean of key-point scores above 0.2",
        nms=NMS_THRESHOLD if boxes not in ("gt", "whole") else None,
        turns="best of four, then trunk upright" if meta.upright else None,
    )


def predict_dataset(
    model: Model,
    content: dict[str, Any],
    images: Path,
    protocol: Protocol,
    skeleton: Skeleton,
    boxes: BoxFile | None = None,
    batch_size: int = DEFAULT_BATCH,
    advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Predictions for a COCO-form file in COCO's results form.

    content: the annotation file (for test-dev without annotations). images: its folder.
    boxes: the detections where ``protocol.boxes`` names a file. advance: called once a picture.
    Key points are in pixels of the picture as stored, whatever ``protocol.rotate`` turned.
    """
    entries = content["images"]
    check_pictures(entries, images)
    if protocol.boxes == "gt":
        given = truth_boxes(content)
    elif boxes is not None:
        given = {e["id"]: boxes.by_id.get(e["id"], np.zeros((0, 5))) for e in entries}
    else:
        given = None
    results: list[dict[str, Any]] = []
    for entry, poses in _predictions(model, entries, images, protocol, given, batch_size):
        selected = poses.select(skeleton)
        if protocol.nms is not None:
            selected = _without_doubles(selected, model, protocol.nms)
        results += result_entries(selected, entry["id"])
        advance()
    return results


def check_pictures(entries: list[dict[str, Any]], images: Path) -> None:
    """UserError that names the first picture that is not there, and how many more."""
    missing = [e["file_name"] for e in entries if not image_file(images, e["file_name"]).is_file()]
    if missing:
        raise UserError(
            f"{images}: {len(missing)} of {len(entries)} pictures are missing, "
            f"the first is {missing[0]}; give the folder that file_name is relative to"
        )


def truth_boxes(content: dict[str, Any]) -> dict[int, np.ndarray]:
    """Image id -> (N, 5) xyxy px and score 1, of people with a labelled point and a real box."""
    boxes: dict[int, list[np.ndarray]] = {}
    for annotation in content.get("annotations", []):
        if annotation.get("iscrowd", 0) or not any((annotation.get("keypoints") or [])[2::3]):
            continue
        box = np.array(box_of(annotation))
        if not (box[2:] > 1).all():
            continue
        row = np.append(xywh_to_xyxy(box), 1.0)
        boxes.setdefault(annotation["image_id"], []).append(row)
    return {image_id: np.array(rows) for image_id, rows in boxes.items()}


def _predictions(
    model: Model,
    entries: list[dict[str, Any]],
    images: Path,
    protocol: Protocol,
    given: dict[int, np.ndarray] | None,
    batch_size: int,
) -> Iterator[tuple[dict[str, Any], Poses]]:
    quarter = protocol.rotate // 90
    sizes: list[tuple[int, int]] = []

    def read(entry: dict[str, Any]) -> np.ndarray:
        image = read_rgb(image_file(images, entry["file_name"]))
        sizes.append((image.shape[1], image.shape[0]))
        return np.ascontiguousarray(np.rot90(image, quarter))

    if given is None:
        for i, entry in enumerate(entries):
            poses = model.predict(read(entry), flip_test=protocol.flip_test)
            yield entry, turn_poses(poses, sizes[i], quarter)
        return

    entries = [e for e in entries if len(given.get(e["id"], ()))]

    def items() -> Iterator[Item]:
        for entry in entries:
            boxes = given[entry["id"]]
            image = read(entry)
            yield image, turn_boxes(boxes[:, :4], sizes[-1], quarter), boxes[:, 4]

    many = model.predict_many(items(), flip_test=protocol.flip_test, batch_size=batch_size)
    for i, (entry, poses) in enumerate(zip(entries, many, strict=True)):
        yield entry, turn_poses(poses, sizes[i], quarter)


def turn_boxes(boxes: np.ndarray, size: tuple[int, int], quarters: int) -> np.ndarray:
    """(N, 4) xyxy px of a picture (width, height) after quarter turns counter-clockwise."""
    corners = turn_points(boxes.reshape(-1, 2, 2), size, quarters)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=-1)


def turn_points(points: np.ndarray, size: tuple[int, int], quarters: int) -> np.ndarray:
    """Points (..., 2) px of a picture (width, height) after quarter turns counter-clockwise, as
    `numpy.rot90` turns the picture."""
    points = np.asarray(points, dtype=np.float64)
    width, height = size
    for _ in range(quarters % 4):
        points = np.stack([points[..., 1], width - 1 - points[..., 0]], axis=-1)
        width, height = height, width
    return points


def turn_poses(poses: Poses, size: tuple[int, int], quarters: int) -> Poses:
    """Poses of the turned picture, brought back to the picture of that (width, height)."""
    if quarters % 4 == 0:
        return poses
    turned = size if quarters % 2 == 0 else size[::-1]
    return Poses(
        turn_points(poses.keypoints, turned, -quarters),
        poses.scores,
        turn_boxes(poses.boxes, turned, -quarters),
        poses.skeleton,
        poses.box_scores,
    )


def _without_doubles(poses: Poses, model: Model, threshold: float) -> Poses:
    if len(poses) < 2:
        return poses
    width, height = model.meta.input_size
    boxes = xyxy_to_xywh(poses.boxes)
    sizes = [box_to_crop(b, width / height, model.meta.box_padding)[1] for b in boxes]
    areas = np.prod(sizes, axis=1)
    sigmas = np.array(poses.skeleton.sigmas)
    kept = suppress_doubles(poses.keypoints, pose_scores(poses), areas, sigmas, threshold)
    return Poses(
        poses.keypoints[kept],
        poses.scores[kept],
        poses.boxes[kept],
        poses.skeleton,
        poses.box_scores[kept],
    )
