"""The doctor's look at key-point names, and at left and right by them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from aggpose.data.check_findings import Finding, Id, Source, is_id, is_name, is_number, some
from aggpose.skeleton import SKELETONS, mirror_name

_FACES = 20
Problem = tuple[str, str]
"""Code and words."""


def numbers(value: object, count: int) -> np.ndarray | None:
    """(count,) float64, or None when it is not a list of so many numbers."""
    if not isinstance(value, list) or len(value) != count or not all(map(is_number, value)):
        return None
    return np.array(value, dtype=np.float64)


def names_by_category(source: Source) -> dict[Id, tuple[str, ...]]:
    """Key-point names of every category that lists some."""
    return {
        c["id"]: tuple(c["keypoints"])
        for c in source.categories()
        if isinstance(c.get("keypoints"), list)
        and c["keypoints"]
        and all(is_name(n) for n in c["keypoints"])
    }


def check_names(source: Source) -> Iterator[Finding]:
    """Names of key points, their mirror pairs and links."""
    for entry in source.content.get("categories", []):
        if entry not in source.categories():
            yield source.finding("entry-malformed", f"categories holds {str(entry)[:60]}")
    by_category = names_by_category(source)
    if not by_category:
        yield source.finding("names-missing", "no category lists 'keypoints' names")
    if len(set(by_category.values())) > 1:
        sizes = ", ".join(str(len(n)) for n in by_category.values())
        yield source.finding("names-differ", f"categories with different key points ({sizes})")
    for category in source.categories():
        if category["id"] in by_category:
            where = f"category {category.get('name', category['id'])}"
            names = by_category[category["id"]]
            for code, what in (*_name_problems(names), *_link_problems(category, len(names))):
                yield source.finding(code, f"{where}: {what}")


def _name_problems(names: tuple[str, ...]) -> Iterator[Problem]:
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        yield "name-twice", f"{some(twice)} named more than once"
    known = sorted({n for s in SKELETONS.values() for n in s.keypoints})
    unknown = [n for n in names if n not in known]
    if unknown:
        yield "name-unknown", "no known skeleton has " + some([_guess(n, known) for n in unknown])
    lonely = [n for n in names if mirror_name(n) not in names]
    if lonely:
        pairs = [f"{n} without {mirror_name(n)}" for n in lonely]
        yield "mirror-open", some(pairs)
    if twice or unknown or lonely or any(s.keypoints == names for s in SKELETONS.values()):
        return
    around = [s for s in SKELETONS.values() if set(names) <= set(s.keypoints)]
    if not around:
        return
    nearest = min(around, key=len)
    missing = [n for n in nearest.keypoints if n not in names]
    if missing:
        has = f"{len(names)} of {nearest.name}'s {len(nearest)} key points"
        yield "name-subset", f"{has}, without {some(missing)}"
    else:
        yield "name-order", f"the names of {nearest.name} in another order"


def _guess(name: str, known: list[str]) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    near = difflib.get_close_matches(plain, known, n=1, cutoff=0.75)
    return f"{name!r} ({near[0]}?)" if near else repr(name)


def _link_problems(category: dict[str, Any], kinds: int) -> Iterator[Problem]:
    links = category.get("skeleton") or []
    if not isinstance(links, list):
        yield "link-out-of-range", "'skeleton' is not a list of pairs"
        return
    bad = [
        link
        for link in links
        if not isinstance(link, list)
        or len(link) != 2
        or not all(isinstance(p, int) and 1 <= p <= kinds for p in link)
    ]
    if bad:
        ends = [p for link in links if isinstance(link, list) for p in link if is_number(p)]
        from_zero = 0 in ends and max(ends) < kinds
        hint = ", they seem to be counted from 0" if from_zero else ""
        text = some([str(link) for link in bad])
        yield "link-out-of-range", f"links {text} do not fit {kinds} key points{hint}"


def names_of(
    entry: dict[str, Any], by_category: dict[Id, tuple[str, ...]]
) -> tuple[str, ...] | None:
    """The names that an annotation's points go by; None where its category has none."""
    category = entry.get("category_id")
    if is_id(category) and category in by_category:
        return by_category[category]
    # a thing of another category; but points without a category go by the first names
    return next(iter(by_category.values()), None) if entry.get("keypoints") else None


def _place(points: np.ndarray, names: tuple[str, ...], *wanted: str) -> np.ndarray | None:
    """(len(wanted), 2) px, None unless all are labelled."""
    try:
        where = [names.index(n) for n in wanted]
    except ValueError:
        return None
    return points[where, :2] if (points[where, 2] > 0).all() else None


def sides_crossed(points: np.ndarray, names: tuple[str, ...]) -> bool:
    """Whether shoulders and hips run against each other by more than a twisted trunk explains.

    points: (K, 3) px. Asks for 120 degrees between them, both a quarter of the trunk wide. None
    of the 246 such people in the excerpts of COCO does that.
    """
    sides = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    corners = _place(points, names, *sides)
    if corners is None:
        return False
    shoulders, hips = corners[0] - corners[1], corners[2] - corners[3]
    trunk = float(np.linalg.norm(corners[:2].mean(axis=0) - corners[2:].mean(axis=0)))
    widths = np.linalg.norm(shoulders), np.linalg.norm(hips)
    if min(widths) <= 0.25 * trunk or min(widths) == 0:
        return False
    return bool(shoulders @ hips < -0.5 * widths[0] * widths[1])


def check_sides(source: Source) -> Iterator[Finding]:
    """Whether the file as a whole names left what is right, by the faces.

    With both eyes and the nose (or chin) labelled, nose left of the line from right to left eye
    cannot be, however the head is turned in the picture; only from above a bent head can it look
    so. Measured share of right ones: 100 % of 196 faces in COCO, 86 % of 200 infants, many of
    them prone and seen from above. Under half, of 20 faces at least, something is swapped.
    """
    by_category = names_by_category(source)
    right = total = 0
    for entry in source.people():
        names = names_of(entry, by_category)
        flat = numbers(entry.get("keypoints"), 3 * len(names)) if names else None
        if names is None or flat is None or not np.isfinite(flat).all():
            continue
        points = flat.reshape(-1, 3)
        face = _place(points, names, "left_eye", "right_eye", "nose")
        if face is None:
            face = _place(points, names, "left_eye", "right_eye", "chin")
        if face is None:
            continue
        eyes, nose = face[0] - face[1], face[2] - face[:2].mean(axis=0)
        side = float(eyes[0] * nose[1] - eyes[1] * nose[0])
        total += side != 0
        right += side > 0
    if total >= _FACES and right < 0.5 * total:
        text = f"{total - right} of {total} faces have left and right eye exchanged"
        yield source.finding("sides-swapped", text)
