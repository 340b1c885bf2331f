"""What the infant lies on: cloths, mats, floors and photographs, as `mesh.Ground`.

A ground takes 50 to 200 ms to make, so `GroundPool` makes some once in a process and changes them
a little for every picture. What a pool holds follows from its seed alone, so that a picture is the
same whatever the process made before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from aggpose.errors import UserError
from aggpose.synthetic.around import cloths, floors
from aggpose.synthetic.around import prints as pt
from aggpose.synthetic.around.floors import Maker
from aggpose.synthetic.mesh import Ground

MAKERS: Mapping[str, Maker] = {
    "sheet": cloths.sheet,
    "fitted_sheet": cloths.fitted_sheet,
    "quilt": cloths.quilt,
    "fleece": cloths.fleece,
    "carpet": floors.carpet,
    "rug": cloths.rug,
    "wood": floors.wood,
    "tiles": floors.tiles,
    "puzzle_mat": floors.puzzle_mat,
    "picture_mat": cloths.picture_mat,
    "medical": cloths.medical,
    "changing_mat": cloths.changing_mat,
    "table": floors.table,
    "grass": floors.grass,
    "picnic": cloths.picnic,
    "sofa": cloths.sofa,
    "cloth_on_floor": cloths.cloth_on_floor,
}
"""Kind of ground -> how its colour and relief are made."""

SHARES: Mapping[str, float] = {
    "sheet": 0.22,
    "fitted_sheet": 0.10,
    "quilt": 0.07,
    "fleece": 0.06,
    "carpet": 0.05,
    "rug": 0.04,
    "wood": 0.06,
    "tiles": 0.02,
    "puzzle_mat": 0.07,
    "picture_mat": 0.06,
    "medical": 0.05,
    "changing_mat": 0.03,
    "table": 0.04,
    "grass": 0.01,
    "picnic": 0.01,
    "sofa": 0.03,
    "cloth_on_floor": 0.08,
}
"""How often each kind is used; sums to 1."""

ALIGNED = frozenset(("fitted_sheet", "changing_mat", "medical", "sofa"))
"""Kinds with a length, along y, along which infants are laid."""

NATURAL = frozenset(("wood", "grass", "tiles"))
"""Kinds whose colours are left as they are."""


def make_ground(
    rng: np.random.Generator,
    kind: str | None = None,
    side_m: float | None = None,
    size: int = 1024,
    photo: np.ndarray | None = None,
) -> Ground:
    """A ground of ``size`` pixels a side.

    kind: of `MAKERS`; any, by `SHARES`, when None. side_m: 2.2 to 2.8 m when None. photo: (H, W, 3)
    uint8 sRGB to be the ground's picture instead.
    """
    side_m = float(rng.uniform(2.2, 2.8)) if side_m is None else side_m
    if photo is not None:
        return _photo_ground(rng, photo, side_m, size)
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values()))) if kind is None else kind
    if kind not in MAKERS:
        raise UserError(f"unknown ground {kind!r}: choose one of {', '.join(MAKERS)}")
    layer = MAKERS[kind](pt.make_grid(size, side_m), rng)
    colour = np.clip(layer.colour * 255 + 0.5, 0, 255).astype(np.uint8)
    return Ground(colour, _slope(layer.height, side_m / size), side_m, float(layer.shine))


def _slope(height: np.ndarray, pixel_m: float) -> np.ndarray:
    """(S, S) m -> (S, S, 2) float16 dz/dx, dz/dy; rows go towards smaller y."""
    height = height.astype(np.float32)
    steep = np.empty((*height.shape, 2), np.float32)
    steep[..., 0] = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=1)
    steep[..., 1] = -cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=1)
    return (steep * np.float32(0.5 / pixel_m)).clip(-3, 3).astype(np.float16)


def _photo_ground(rng: np.random.Generator, photo: np.ndarray, side_m: float, size: int) -> Ground:
    """The photograph's largest square, laid flat, turned by any quarter."""
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"a photograph is (H, W, 3) uint8, not {photo.shape} {photo.dtype}")
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = np.rot90(photo[top : top + side, left : left + side], int(rng.integers(4)))
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    colour = cv2.resize(np.ascontiguousarray(square), (size, size), interpolation=way)
    return Ground(colour, np.zeros((size, size, 2), np.float16), side_m)


class GroundPool:
    """Grounds that are made when first asked for and then varied.

    count: how many; index i always holds the same ground for the same seed and size. photos:
    (H, W, 3) uint8 pictures that are used as grounds too, in a share `photo_share` of the picks.
    """

    def __init__(
        self,
        count: int = 32,
        seed: int = 0,
        size: int = 1024,
        photos: Sequence[np.ndarray] = (),
        photo_share: float = 0.3,
    ) -> None:
        if count < 1:
            raise ValueError("a pool of grounds holds at least one")
        self._count, self._seed, self._size = count, seed, size
        self._photos, self._photo_share = tuple(photos), photo_share
        self._kinds = _spread_kinds(count, np.random.default_rng((seed, count)))
        self._made: dict[int, Ground] = {}

    def get(self, index: int) -> Ground:
        """The ground of that index; those after ``count`` are the photographs."""
        if index not in self._made:
            rng = np.random.default_rng((self._seed, index, 7))
            photo = self._photos[index - self._count] if index >= self._count else None
            kind = self._kinds[index] if photo is None else None
            self._made[index] = make_ground(rng, kind, size=self._size, photo=photo)
        return self._made[index]

    def pick(
        self, rng: np.random.Generator, axis_deg: float | None = None
    ) -> tuple[Ground, dict[str, object]]:
        """One of them, varied, and a note of what it is.

        axis_deg: where the infant's head points to, counter-clockwise from x; cots, changing mats
        and couches (`ALIGNED`), whose length lies along y, are turned that way.
        """
        if self._photos and rng.uniform() < self._photo_share:
            number = int(rng.integers(len(self._photos)))
            note: dict[str, object] = {"kind": "photo", "index": number}
            return vary_ground(self.get(self._count + number), rng, recolour=False), note
        index = int(rng.integers(self._count))
        kind, turn = self._kinds[index], None
        if kind in ALIGNED and axis_deg is not None:
            turn = axis_deg - 90 + 180 * int(rng.integers(2)) + float(rng.normal(0, 8))
        recolour = kind not in NATURAL
        return vary_ground(self.get(index), rng, recolour, turn), {"kind": kind, "index": index}


def _spread_kinds(count: int, rng: np.random.Generator) -> list[str]:
    """Kinds in about their shares, even in a small pool, in random order."""
    edges = np.cumsum(list(SHARES.values()))
    at = (np.arange(count) + rng.uniform()) / count * edges[-1]
    kinds = [list(SHARES)[int(k)] for k in np.searchsorted(edges, at).clip(0, len(SHARES) - 1)]
    return [kinds[int(k)] for k in rng.permutation(count)]


def vary_ground(
    ground: Ground, rng: np.random.Generator, recolour: bool = True, turn_deg: float | None = None
) -> Ground:
    """Turned (by any angle when None), scaled, of other colours; the arrays are shared."""
    turn = float(rng.uniform(0, 360)) if turn_deg is None else turn_deg
    tint = _colour_change(rng) if recolour else None
    side = ground.side_m * float(rng.uniform(0.85, 1.2))
    return replace(ground, side_m=side, turn_deg=turn, tint=tint)


def baked(ground: Ground) -> Ground:
    """The same ground with its turn and tint put into the arrays: 30 ms at 1024 pixels."""
    colour, size = ground.colour, len(ground.colour)
    if ground.tint is not None:
        tint = ground.tint.astype(np.float32).copy()
        tint[:, 3] *= 255
        colour = cv2.transform(colour, tint)
    angle = np.deg2rad(ground.turn_deg)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    # rows of a picture go down, so this turns counter-clockwise as seen
    affine = np.array([[c, s, 0.0], [-s, c, 0.0]])
    affine[:, 2] = (size - 1) / 2 * (1 - affine[:, 0] - affine[:, 1])
    colour, slope = (
        cv2.warpAffine(
            picture, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        for picture in (colour, ground.slope.astype(np.float32))
    )
    slope = cv2.transform(slope, np.array([[c, -s], [s, c]], np.float32))
    return Ground(np.asarray(colour), slope.astype(np.float16), ground.side_m, ground.shine)


def _colour_change(rng: np.random.Generator) -> np.ndarray:
    """(3, 4) on sRGB in [0, 1] and 1: a turn about the grey axis, then paler or stronger, lighter
    or darker. What is grey stays grey."""
    angle = float(rng.choice([0.0, rng.normal(0, 0.5), rng.uniform(-np.pi, np.pi)]))
    grey = np.full((3, 3), 1 / 3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = grey + np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * cross
    paler = float(rng.uniform(0.7, 1.15))
    gain = float(rng.uniform(0.75, 1.05))
    lift = float(rng.uniform(0, 0.1)) * (gain < 0.95)
    matrix = gain * (grey + paler * (np.eye(3) - grey)) @ turn
    return np.concatenate([matrix, np.full((3, 1), lift)], axis=1).astype(np.float32)
