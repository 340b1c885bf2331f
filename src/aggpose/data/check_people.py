"""The doctor's look at people: ids, boxes, areas, key points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from aggpose.data.check_findings import Finding, Id, Source, is_id, is_number, some
from aggpose.data.check_names import (
    Problem,
    names_by_category,
    names_of,
    numbers,
    sides_crossed,
)

EDGE = 1.0
"""px that a place may lie beyond the picture's edge: conventions of counting differ by that."""

AREA_SLACK = 0.01
"""Share by which an area may exceed width x height (and 1 px² more): files round."""

_SMALL_AREA = 0.05
_BOX_SLACK = (0.1, 5.0)
"""Share of the longer side, and px at least, that a point may lie outside its box: annotators'
boxes follow the seen body, points may be guessed where it is hidden."""


def check_people(source: Source, sizes: dict[Id, tuple[int, int] | None]) -> Iterator[Finding]:
    """Every annotation: ids, box, area, key points; and doubles of one person.

    sizes: (width, height) px of each picture by id, None where places cannot be checked.
    """
    by_category = names_by_category(source)
    categories = {c["id"] for c in source.categories()}
    listed = {e["id"] for e in source.pictures()}
    ids = Counter(a["id"] for a in source.people() if is_id(a.get("id")))
    said: set[Id] = set()
    people: dict[tuple[object, ...], object] = {}
    for entry in source.content.get("annotations", []):
        if not isinstance(entry, dict):
            yield source.finding("entry-malformed", f"annotations holds {str(entry)[:60]}")
            continue
        image, key, category = entry.get("image_id"), entry.get("id"), entry.get("category_id")
        problems = list(_id_problems(entry, ids, said))
        if not is_id(image) or image not in listed:
            problems.append(("image-unknown", f"image_id {image!r} is not in 'images'"))
        if categories and (not is_id(category) or category not in categories):
            problems.append(("category-unknown", f"category_id {category!r} is not listed"))
        size = sizes.get(image) if is_id(image) else None
        box = numbers(entry.get("bbox"), 4)
        problems += _box_problems(entry, box, size)
        names = names_of(entry, by_category)
        if names is not None:
            problems += _point_problems(entry, names, box, size)
            twin = _identity(entry)
            if twin is not None and twin in people:
                text = f"same box and points as annotation {people[twin]}"
                problems.append(("person-twice", text))
            people.setdefault(twin or (), key)
        for code, what in problems:
            yield source.finding(code, f"annotation {key}: {what}", image, key)


def _id_problems(entry: dict[str, Any], ids: Counter[Id], said: set[Id]) -> Iterator[Problem]:
    key = entry.get("id")
    if not is_id(key):
        yield "annotation-id-missing", f"id is {key!r}"
        return
    if ids[key] > 1 and key not in said:
        said.add(key)
        yield "annotation-id-twice", f"{ids[key]} annotations have this id"
    if key == 0:
        yield "annotation-id-zero", "its id is 0"


def _identity(entry: dict[str, Any]) -> tuple[object, ...] | None:
    """What makes two annotations one person; None without labelled points."""
    points, box = entry.get("keypoints"), entry.get("bbox")
    if not isinstance(points, list) or not isinstance(box, list):
        return None
    if not any(is_number(v) and v > 0 for v in points[2::3]):
        return None
    return str(entry.get("image_id")), str(box), str(points)


def area_problem(area: object, box: np.ndarray) -> Problem | None:
    """Whether an area fits its box (4,) xywh px with size. COCO's is the outline's, so smaller."""
    most = float(box[2] * box[3])
    if area is None:
        return "area-missing", f"no area, the box has {most:g} px²"
    if not is_number(area) or not np.isfinite(area) or area <= 0:
        return "area-impossible", f"area is {area!r}"
    if area > most * (1 + AREA_SLACK) + 1:
        text = f"area {area:g} px² is more than the box's {box[2]:g} x {box[3]:g} = {most:g}"
        return "area-impossible", text
    if area < _SMALL_AREA * most:
        share = 100 * area / most
        return "area-small", f"area {area:g} px² is {share:.2g} % of the box's {most:g}"
    return None


def box_over_edge(box: np.ndarray, size: tuple[int, int]) -> float:
    """px by which a box (4,) xywh leaves the picture; infinite when it lies wholly outside."""
    x, y, w, h = box
    width, height = size
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return float("inf")
    return float(max(-x, -y, x + w - width, y + h - height, 0.0))


def _box_problems(
    entry: dict[str, Any], box: np.ndarray | None, size: tuple[int, int] | None
) -> Iterator[Problem]:
    if box is None or not np.isfinite(box).all():
        yield "box-malformed", f"bbox is {str(entry.get('bbox'))[:60]}"
        return
    shape = f"box x {box[0]:g}, y {box[1]:g}, {box[2]:g} x {box[3]:g} px"
    if not (box[2] > 0 and box[3] > 0):
        yield "box-empty", f"{shape} has no size"
        return
    if not (box[2] > 1 and box[3] > 1):
        yield "box-tiny", shape
    problem = area_problem(entry.get("area"), box)
    # a crowd's area is that of its mask, which may be thin in a wide box
    if problem is not None and not (problem[0] == "area-small" and entry.get("iscrowd")):
        yield problem
    if size is not None and (over := box_over_edge(box, size)) > EDGE:
        where = f"the picture of {size[0]}x{size[1]}"
        if np.isinf(over):
            yield "box-outside", f"{shape} is wholly outside {where}"
        else:
            yield "box-over-edge", f"{shape} is {over:.1f} px beyond {where}"


def points_outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(K,) bool: labelled points (K, 3) px beyond the edge of a (width, height) picture."""
    low, high = -EDGE, np.array(size) - 1 + EDGE
    beyond = (points[:, :2] < low) | (points[:, :2] > high)
    return (points[:, 2] > 0) & beyond.any(axis=1)


def points_at_origin(points: np.ndarray) -> np.ndarray:
    """(K,) bool: points (K, 3) flagged as labelled at exactly 0, 0."""
    return (points[:, 2] > 0) & (points[:, :2] == 0).all(axis=1)


def _point_problems(
    entry: dict[str, Any],
    names: tuple[str, ...],
    box: np.ndarray | None,
    size: tuple[int, int] | None,
) -> Iterator[Problem]:
    given = entry.get("keypoints")
    if not given:
        if entry.get("num_keypoints"):
            yield "num-keypoints", f"num_keypoints is {entry['num_keypoints']}, but no points"
        if not entry.get("iscrowd"):
            yield "no-keypoints", "a person without key points"
        return
    count = len(given) if isinstance(given, list) else 0
    if count != 3 * len(names):
        text = f"{count} numbers for {len(names)} key points, {3 * len(names)} are needed"
        yield "keypoints-length", text
        return
    flat = numbers(given, count)
    if flat is None or not np.isfinite(flat).all():
        yield "keypoints-malformed", "its key points hold something that is not a finite number"
        return
    points = flat.reshape(-1, 3)
    labelled = int((points[:, 2] > 0).sum())
    said = entry.get("num_keypoints")
    if said != labelled:
        yield "num-keypoints", f"num_keypoints is {said}, {labelled} points are labelled"
    if not labelled and not entry.get("iscrowd"):
        yield "no-keypoints", "a person without key points"
    yield from _flag_problems(points, names)
    yield from _place_problems(points, names, box, size)
    if sides_crossed(points, names):
        yield "sides-crossed", "left to right runs one way at the shoulders, the other at the hips"


def _flag_problems(points: np.ndarray, names: tuple[str, ...]) -> Iterator[Problem]:
    flags = points[:, 2]
    for code, wrong, show in (
        ("flag-impossible", ~np.isin(flags, (0, 1, 2)), True),
        ("flag-zero-with-place", (flags == 0) & (points[:, :2] != 0).any(axis=1), False),
        ("point-at-origin", points_at_origin(points), True),
    ):
        which = np.flatnonzero(wrong)
        if len(which):
            text = some([f"{names[i]} {flags[i]:g}" if show else names[i] for i in which])
            words = {
                "flag-impossible": f"flags {text}",
                "flag-zero-with-place": f"flag 0 but a place: {text}",
                "point-at-origin": f"labelled at 0, 0 (flags {text})",
            }
            yield code, words[code]


def _place_problems(
    points: np.ndarray,
    names: tuple[str, ...],
    box: np.ndarray | None,
    size: tuple[int, int] | None,
) -> Iterator[Problem]:
    rest = (points[:, 2] > 0) & ~points_at_origin(points)
    if size is not None:
        beyond = points_outside(points, size)
        if beyond.any():
            text = some([f"{names[i]} ({_at(points[i])})" for i in np.flatnonzero(beyond)])
            yield "point-outside-picture", f"{text} outside {size[0]}x{size[1]}"
        rest &= ~beyond
    if box is None or not np.isfinite(box).all() or not (box[2] > 0 and box[3] > 0):
        return
    over = np.maximum(box[:2] - points[:, :2], points[:, :2] - box[:2] - box[2:]).max(axis=1)
    far = rest & (over > max(_BOX_SLACK[0] * box[2:].max(), _BOX_SLACK[1]))
    if far.any():
        text = some([f"{names[i]} by {over[i]:.0f} px" for i in np.flatnonzero(far)])
        yield "point-outside-box", f"outside the {box[2]:g} x {box[3]:g} box: {text}"


def _at(point: np.ndarray) -> str:
    return f"{point[0]:g}, {point[1]:g}"
