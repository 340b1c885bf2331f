"""COCO average precision over key points, for any skeleton (faster-coco-eval)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from aggpose.data.coco import keypoint_names
from aggpose.errors import UserError
from aggpose.skeleton import Skeleton

Area = Literal["file", "box"]
METRICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")


def rewrite_ground_truth(
    content: dict[str, Any], skeleton: Skeleton, area: Area = "file"
) -> dict[str, Any]:
    """A COCO content with its key points in a skeleton's order, matched by name.

    ``num_keypoints`` is counted anew, so that people without a point of the skeleton are ignored
    as COCO does. area: ``file`` keeps the areas, ``box`` takes width times height.
    """
    names = keypoint_names(content, "annotations")
    if not set(names) & set(skeleton.keypoints):
        raise UserError(f"annotations: no key point of {skeleton.name} is labelled")
    category = next(c for c in content["categories"] if c.get("keypoints"))
    annotations: list[dict[str, Any]] = []
    for annotation in content.get("annotations", []):
        if annotation.get("category_id", category["id"]) != category["id"]:
            continue
        labels = reordered_labels(annotation, names, skeleton)
        x, y, w, h = box_of(annotation)
        annotations.append(
            {
                # counted anew: COCO's evaluators take an id of 0 for "not matched"
                "id": len(annotations) + 1,
                "image_id": annotation["image_id"],
                "category_id": 1,
                "iscrowd": int(annotation.get("iscrowd", 0)),
                "bbox": [x, y, w, h],
                "area": w * h if area == "box" else annotation.get("area", w * h),
                "keypoints": labels.reshape(-1).tolist(),
                "num_keypoints": int((labels[:, 2] > 0).sum()),
            }
        )
    return {
        "info": {},
        "images": [
            {"id": i["id"], "width": i.get("width", 0), "height": i.get("height", 0)}
            for i in content["images"]
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}],
    }


def box_of(annotation: dict[str, Any]) -> tuple[float, float, float, float]:
    """x, y, width, height px; UserError where the annotation has no such box."""
    try:
        x, y, w, h = (float(v) for v in annotation["bbox"])
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"annotation {annotation.get('id')}: has no bbox of four numbers; "
            "run `aggpose check` on the file"
        ) from None
    return x, y, w, h


def reordered_labels(
    annotation: dict[str, Any], names: Sequence[str], skeleton: Skeleton
) -> np.ndarray:
    """(K, 3) float64 x, y, visibility in a skeleton's order; 0 where the file lacks the point.

    names: of the file's key points, in its order. UserError when their number is not the list's.
    """
    flat = annotation.get("keypoints") or [0] * (3 * len(names))
    if len(flat) != 3 * len(names):
        raise UserError(
            f"annotation {annotation.get('id')}: has {len(flat)} numbers for {len(names)} key "
            "points of three each; run `aggpose check` on the file"
        )
    where = np.array([names.index(n) if n in names else -1 for n in skeleton.keypoints])
    labels = np.array(flat, dtype=np.float64).reshape(-1, 3)[where]
    labels[where < 0] = 0
    return labels


def average_precision(
    content: dict[str, Any],
    results: list[dict[str, Any]],
    skeleton: Skeleton,
    area: Area = "file",
) -> dict[str, float]:
    """COCO's ten key-point numbers, each 0 to 1 (-1 where there is nothing to measure).

    content: an annotation file. results: image_id, keypoints (3K numbers in the skeleton's order)
    and score. OKS uses the skeleton's sigmas and the chosen area.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    ground_truth = rewrite_ground_truth(content, skeleton, area)
    if not results:
        return _nothing_found(ground_truth)
    # no box: the size of a pose is then that of its points, as on COCO's server
    kept = ("image_id", "keypoints", "score")
    rows = [{**{key: r[key] for key in kept}, "category_id": 1} for r in results]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(ground_truth)
        run = COCOeval_faster(truth, truth.loadRes(rows), "keypoints", print_function=_silent)
        run.params.kpt_oks_sigmas = np.array(skeleton.sigmas)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return dict(zip(METRICS, (float(v) for v in run.stats[:10]), strict=True))


def _nothing_found(ground_truth: dict[str, Any]) -> dict[str, float]:
    """0 where somebody was to be found, -1 where nobody was: by COCO's ranges of area, px²."""
    areas = [
        a["area"] for a in ground_truth["annotations"] if a["num_keypoints"] and not a["iscrowd"]
    ]
    ranges = {"M": (32**2, 96**2), "L": (96**2, np.inf)}

    def value(name: str) -> float:
        low, high = ranges.get(name.rpartition("_")[2], (0, np.inf))
        return 0.0 if any(low <= area <= high for area in areas) else -1.0

    return {name: value(name) for name in METRICS}


def _silent(*_: object, **__: object) -> None:
    """The evaluator prints its table; the report prints ours."""
