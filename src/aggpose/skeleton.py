"""Skeletons: names, links, mirror pairs and OKS sigmas of a set of key points.

Everything is resolved by name. Mirror pairs follow from the names (``left_x`` and ``right_x``), so
no list of pairs can be forgotten. "Left" is the subject's own left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aggpose.errors import UserError


def mirror_name(name: str) -> str:
    """The name of the same point on the other side of the body.

    >>> mirror_name("left_wrist"), mirror_name("nose")
    ('right_wrist', 'nose')
    """
    if name.startswith("left_"):
        return "right_" + name[len("left_") :]
    if name.startswith("right_"):
        return "left_" + name[len("right_") :]
    return name


@dataclass(frozen=True)
class Skeleton:
    """A named, ordered set of K key points.

    name: short name, as on the command line.
    keypoints: K names, in the order of every array.
    links: pairs of names to draw a line between.
    sigmas: K object-key-point-similarity sigmas (COCO; variance is ``(2 * sigma) ** 2``).
    upper: names that count as the upper body in half-body augmentation; the others are lower.
    """

    name: str
    keypoints: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...]
    upper: frozenset[str]

    def __post_init__(self) -> None:
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name}: a key point name occurs twice")
        if len(self.sigmas) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name}: as many sigmas as key points are needed")
        names = set(self.keypoints)
        for point in (*[p for link in self.links for p in link], *self.upper):
            if point not in names:
                raise ValueError(f"skeleton {self.name}: unknown key point {point}")
        for point in self.keypoints:
            if mirror_name(point) not in names:
                raise ValueError(
                    f"skeleton {self.name}: {point} has no mirror {mirror_name(point)}"
                )

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, name: str) -> int:
        """Position of a key point; ValueError when the skeleton has none of that name."""
        return self.keypoints.index(name)

    @cached_property
    def mirror(self) -> np.ndarray:
        """(K,) int: where each point's other side stands; a centre point names itself."""
        return np.array([self.index(mirror_name(n)) for n in self.keypoints], dtype=np.int64)

    @cached_property
    def mirror_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs (i, j), i < j, of points that swap when a picture is mirrored."""
        return tuple((i, int(j)) for i, j in enumerate(self.mirror) if i < j)

    @cached_property
    def link_indices(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.index(a), self.index(b)) for a, b in self.links)

    @cached_property
    def trunk(self) -> tuple[tuple[str, str], tuple[str, str]] | None:
        """Shoulders and hips, whose mid-points' distance is the trunk length; None without them."""
        shoulders, hips = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
        return (shoulders, hips) if {*shoulders, *hips} <= set(self.keypoints) else None

    def restricted(self, names: Sequence[str]) -> Skeleton:
        """This skeleton with only some of its points, in its own order; itself where all are named.

        A point whose other side is not named goes too, for a skeleton must mirror onto itself.
        """
        kept = {n for n in names if n in self.keypoints and mirror_name(n) in names}
        if len(kept) == len(self):
            return self
        return Skeleton(
            name=f"{self.name}:{len(kept)}",
            keypoints=tuple(n for n in self.keypoints if n in kept),
            links=tuple(link for link in self.links if kept.issuperset(link)),
            sigmas=tuple(s for n, s in zip(self.keypoints, self.sigmas, strict=True) if n in kept),
            upper=self.upper & kept,
        )

    def indices_of(self, names: Iterable[str]) -> np.ndarray:
        """(len(names),) int: position of each name here, -1 where this skeleton lacks it."""
        where = {n: i for i, n in enumerate(self.keypoints)}
        return np.array([where.get(n, -1) for n in names], dtype=np.int64)


def trunk_length(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Distance between the mid-points of shoulders and hips.

    keypoints: (..., K, 2), any unit; NaN where unknown. Returns (...), same unit, NaN where one of
    the four points is unknown or the skeleton has no trunk.
    """
    if skeleton.trunk is None:
        return np.full(np.shape(keypoints)[:-2], np.nan)
    shoulders, hips = (skeleton.indices_of(names) for names in skeleton.trunk)
    points = np.asarray(keypoints, dtype=np.float64)
    span = points[..., shoulders, :].mean(axis=-2) - points[..., hips, :].mean(axis=-2)
    return np.linalg.norm(span, axis=-1)


_COCO_SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
"""OKS sigmas of COCO (Ronchi and Perona, ICCV 2017), by the name without its side."""


def _part(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def _both(*parts: str) -> tuple[str, ...]:
    return tuple(side + part for part in parts for side in ("left_", "right_"))


def _limb_links(*chains: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (side + a, side + b)
        for chain in chains
        for side in ("left_", "right_")
        for a, b in itertools.pairwise(chain)
    )


_COCO_NAMES = ("nose", *_both("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))

COCO17 = Skeleton(
    name="coco17",
    keypoints=_COCO_NAMES,
    links=(
        *_limb_links(("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"), ("eye", "ear")),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
        ("nose", "left_eye"),
        ("nose", "right_eye"),
    ),
    sigmas=tuple(_COCO_SIGMAS[_part(n)] for n in _COCO_NAMES),
    upper=frozenset(_COCO_NAMES[:11]),
)
"""COCO's 17 key points, with COCO's sigmas. Upper: head, shoulders, arms."""

_INFANT_SIDE = ("eye", "shoulder", "elbow", "wrist", "middle_finger", "hip", "knee", "ankle", "toe")
_INFANT_LINKS = (
    ("chin", "chest"),
    ("left_eye", "chin"),
    ("right_eye", "chin"),
    ("chest", "left_shoulder"),
    ("chest", "right_shoulder"),
    ("chest", "navel"),
    ("navel", "left_hip"),
    ("navel", "right_hip"),
    *_limb_links(("shoulder", "elbow", "wrist", "middle_finger"), ("hip", "knee", "ankle", "toe")),
)
_INFANT_UPPER = frozenset(
    (*_both("eye", "shoulder", "elbow", "wrist", "middle_finger"), "chin", "chest")
)

INFANT21 = Skeleton(
    name="infant21",
    keypoints=(
        *("right_" + p for p in _INFANT_SIDE),
        *("left_" + p for p in _INFANT_SIDE),
        "chin",
        "chest",
        "navel",
    ),
    links=_INFANT_LINKS,
    sigmas=(0.05,) * 21,
    upper=_INFANT_UPPER,
)
"""The 21 infant key points of AggPose (IJCAI 2022) in their published order; all sigmas 0.05."""

_EXTRA24 = (*_both("middle_finger", "toe"), "chin", "chest", "navel")

INFANT24 = Skeleton(
    name="infant24",
    keypoints=(*_COCO_NAMES, *_EXTRA24),
    links=(
        *_INFANT_LINKS,
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        *_limb_links(("eye", "ear")),
    ),
    sigmas=tuple(_COCO_SIGMAS.get(_part(n), 0.05) for n in (*_COCO_NAMES, *_EXTRA24)),
    upper=_INFANT_UPPER | frozenset(("nose", *_both("ear"))),
)
"""Union by name of coco17 and infant21: COCO's sigmas where COCO has the point, else 0.05."""

_LSP_NAMES = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    *("neck", "head_top"),
)

LSP14 = Skeleton(
    name="lsp14",
    keypoints=_LSP_NAMES,
    links=(
        *_limb_links(("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")),
        ("neck", "head_top"),
        ("neck", "left_shoulder"),
        ("neck", "right_shoulder"),
        ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
        ("left_hip", "right_hip"),
    ),
    sigmas=tuple(_COCO_SIGMAS.get(_part(n), 0.079) for n in _LSP_NAMES),
    upper=frozenset((*_both("shoulder", "elbow", "wrist"), "neck", "head_top")),
)
"""Leeds Sports Pose: COCO's sigmas for the limbs, 0.079 for neck and head top (as CrowdPose)."""

SKELETONS = {s.name: s for s in (COCO17, INFANT21, INFANT24, LSP14)}


def get_skeleton(name: str) -> Skeleton:
    """The skeleton of that name; UserError names the known ones."""
    try:
        return SKELETONS[name]
    except KeyError:
        known = ", ".join(SKELETONS)
        raise UserError(f"unknown skeleton {name!r}: choose one of {known}") from None


def skeleton_from_names(names: Sequence[str]) -> Skeleton:
    """The known skeleton with exactly these names in this order, or a part of one, else one made
    from the names.

    A made skeleton has no links, the name ``custom``, and COCO's sigmas where COCO has the point,
    else 0.05; names whose mirror is missing raise UserError.
    """
    for skeleton in SKELETONS.values():
        if skeleton.keypoints == tuple(names):
            return skeleton
    for skeleton in SKELETONS.values():
        part = skeleton.restricted(names)
        if part.keypoints == tuple(names):
            return part
    try:
        sigmas = tuple(_COCO_SIGMAS.get(_part(n), 0.05) for n in names)
        return Skeleton("custom", tuple(names), (), sigmas, frozenset())
    except ValueError as error:
        raise UserError(f"the key point names do not make a skeleton: {error}") from None
