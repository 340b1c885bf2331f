"""Mending what can be mended without looking at the pictures: ``aggpose check --fix``."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import numpy as np

from aggpose import __version__
from aggpose.data.check_findings import Id, Source, is_id
from aggpose.data.check_names import names_by_category, names_of, numbers
from aggpose.data.check_people import (
    EDGE,
    area_problem,
    box_over_edge,
    points_at_origin,
    points_outside,
)

_IMPOSSIBLE_AREAS = ("area-missing", "area-impossible")


def mend(
    source: Source, sizes: dict[Id, tuple[int, int] | None]
) -> tuple[dict[str, Any], dict[str, int]]:
    """A mended copy of an annotation file's content, and how often what was changed.

    sizes: (width, height) px of each picture by id, as `check_pictures` gives them; where None,
    places are left alone. In this order: labelled points at 0, 0 and outside the picture become
    0, 0, 0; boxes are clipped; an area that is missing or impossible becomes width x height;
    num_keypoints is counted again. Nothing else is changed, nothing dropped. What was done is
    written under ``info.aggpose_check``; without changes the copy is equal.
    """
    content = copy.deepcopy(source.content)
    by_category = names_by_category(source)
    done: Counter[str] = Counter()
    for entry in content.get("annotations", []):
        if isinstance(entry, dict):
            image = entry.get("image_id")
            size = sizes.get(image) if is_id(image) else None
            names = names_of(entry, by_category)
            done.update(_mend_points(entry, len(names) if names else 0, size))
            done.update(_mend_box(entry, size))
            done.update(_mend_area(entry))
            done.update(_mend_count(entry, len(names) if names else 0))
    if done:
        info = content.get("info")
        if not isinstance(info, dict):
            info = {} if info is None else {"description": info}
        content["info"] = {
            **info,
            "aggpose_check": {
                "aggpose": __version__,
                "changed": dict(done),
                "note": "areas that were missing or impossible are box width x height",
            },
        }
    return content, dict(done)


def _mend_points(entry: dict[str, Any], kinds: int, size: tuple[int, int] | None) -> dict[str, int]:
    flat = numbers(entry.get("keypoints"), 3 * kinds)
    if not kinds or flat is None or not np.isfinite(flat).all():
        return {}
    points = flat.reshape(-1, 3)
    origin = points_at_origin(points)
    beyond = points_outside(points, size) if size else np.zeros(kinds, bool)
    for i in np.flatnonzero(origin | beyond):
        entry["keypoints"][3 * i : 3 * i + 3] = [0, 0, 0]
    return _counted(
        {
            "points at 0, 0 marked as not labelled": int(origin.sum()),
            "points outside the picture marked as not labelled": int(beyond.sum()),
        }
    )


def _mend_box(entry: dict[str, Any], size: tuple[int, int] | None) -> dict[str, int]:
    box = numbers(entry.get("bbox"), 4)
    if size is None or box is None or not np.isfinite(box).all() or (box[2:] <= 0).any():
        return {}
    over = box_over_edge(box, size)
    if over <= EDGE or np.isinf(over):
        return {}
    low = np.maximum(box[:2], 0)
    high = np.minimum(box[:2] + box[2:], size)
    entry["bbox"] = [round(float(v), 4) for v in (*low, *(high - low))]
    return {"boxes clipped to the picture": 1}


def _mend_area(entry: dict[str, Any]) -> dict[str, int]:
    box = numbers(entry.get("bbox"), 4)
    if box is None or not np.isfinite(box).all() or not (box[2] > 0 and box[3] > 0):
        return {}
    problem = area_problem(entry.get("area"), box)
    if problem is None or problem[0] not in _IMPOSSIBLE_AREAS:
        return {}
    entry["area"] = round(float(box[2] * box[3]), 4)
    return {"areas set to box width x height": 1}


def _mend_count(entry: dict[str, Any], kinds: int) -> dict[str, int]:
    if not kinds:
        return {}
    labelled = 0
    if entry.get("keypoints"):
        flat = numbers(entry["keypoints"], 3 * kinds)
        if flat is None or not np.isfinite(flat).all():
            return {}
        labelled = int((flat[2::3] > 0).sum())
    elif not entry.get("num_keypoints"):
        return {}
    if entry.get("num_keypoints") == labelled:
        return {}
    entry["num_keypoints"] = labelled
    return {"num_keypoints counted again": 1}


def _counted(counts: dict[str, int]) -> dict[str, int]:
    return {what: n for what, n in counts.items() if n}
