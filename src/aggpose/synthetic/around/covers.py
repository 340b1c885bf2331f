"""Blankets over the infant and bedding under it, as height fields.

A blanket lies a few millimetres above the body and the ground and is pulled straight between: the
smallest smooth surface over an obstacle, found by averaging and lifting in turn. Bedding (pillows,
nests, loungers) is the same from below: pressed down where the body lies in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from aggpose.synthetic.around.anchors import Anchors, height_map
from aggpose.synthetic.around.prints import sample_palette
from aggpose.synthetic.around.shapes import sheet
from aggpose.synthetic.around.worn import linear
from aggpose.synthetic.mesh import COVER, THING, Material, Mesh, plain_fields

GAP_M = 0.004
"""How far a blanket keeps from what is under it: half of its thickness, and what rays need."""

_ROUNDS = 14


@dataclass(frozen=True)
class Blanket:
    """A blanket as it was thrown: where it lies, not yet how high.

    at: (R, C, 2) m, x and y of its vertices in the world. folds: (R, C) m its own height.
    rest: (R, C, 3) m where they lie on the cloth. look: of both sides.
    """

    at: np.ndarray
    folds: np.ndarray
    rest: np.ndarray
    look: Material


def cloth_look(rng: np.random.Generator) -> Material:
    """A knitted, woven or printed cloth."""
    colours = sample_palette(rng, 3)
    return Material(
        kind="cloth",
        colours=(linear(colours[0]), linear(colours[1]), linear(colours[2])),
        pattern=str(
            rng.choice(
                ["plain", "stripes", "dots", "checks", "print"], p=[0.4, 0.15, 0.15, 0.1, 0.2]
            )
        ),
        period_m=float(rng.uniform(0.015, 0.09)),
        angle_deg=float(rng.choice([0.0, 45.0, 90.0])),
        wrinkle=float(rng.uniform(0.04, 0.16)),
        seed=int(rng.integers(2**31)),
    )


def throw_blanket(rng: np.random.Generator, anchors: Anchors) -> tuple[Blanket, str]:
    """A blanket over the legs, up to the chest, over one half or across, and the name of how.

    For lying infants: the body's axes are taken from above.
    """
    way = np.deg2rad(anchors.axis_deg)
    up = np.array([np.cos(way), np.sin(way)])
    right = np.array([up[1], -up[0]])
    hips = (anchors.point("left_hip") + anchors.point("right_hip"))[:2] / 2
    trunk = float(np.linalg.norm(anchors.point("chest")[:2] - hips)) + 0.02
    how = str(rng.choice(["legs", "chest", "side", "across"], p=[0.45, 0.25, 0.15, 0.15]))
    width, length = float(rng.uniform(0.5, 0.9)), float(rng.uniform(0.5, 0.8))
    if how == "legs":
        edge, shift = hips + up * trunk * float(rng.uniform(-0.35, 0.45)), 0.0
    elif how == "chest":
        edge, shift = hips + up * trunk * float(rng.uniform(0.5, 1.0)), 0.0
    elif how == "side":
        edge = hips + up * trunk * float(rng.uniform(0.3, 1.3))
        shift = float(rng.choice([-1.0, 1.0])) * (width / 2 + float(rng.uniform(-0.06, 0.05)))
    else:  # a strip, as a folded cloth, across the belly or the thighs
        edge, shift = hips + up * trunk * float(rng.uniform(0.0, 0.8)), 0.0
        length = float(rng.uniform(0.12, 0.25))
    skew = float(rng.normal(0, 12 if how != "across" else 30))
    c, s = np.cos(np.deg2rad(skew)), np.sin(np.deg2rad(skew))
    axes = np.stack([c * right + s * up, c * up - s * right])
    rows, columns = max(10, round(length / 0.013)), round(width / 0.013)
    u = (np.linspace(-0.5, 0.5, columns) * width)[None, :]
    v = np.linspace(-length, 0, rows)[:, None]
    wave = 0.012 * np.sin(u / float(rng.uniform(0.04, 0.12)) + rng.uniform(0, 6.3))
    u, v = np.broadcast_arrays(u + 0.3 * wave * (v / length), v + wave * (1 + v / length))
    at = edge + (u[..., None] + shift) * axes[0] + v[..., None] * axes[1]
    rest = np.stack([u, v, np.zeros_like(u)], axis=-1)
    return Blanket(at, _folds(rng, rows, columns), rest, cloth_look(rng)), how


def _folds(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """(R, C) m of soft ridges, most at the upper edge, where it is bunched or turned."""
    noise: np.ndarray = np.zeros((rows, columns), np.float32)
    for cells, size in ((4, 0.010), (9, 0.006), (18, 0.002)):
        grid = rng.standard_normal((cells + 2, cells + 2), dtype=np.float32)
        noise += size * cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC)
    folded = np.abs(noise) * float(rng.uniform(0.4, 1.3))
    edge = np.arange(rows)[::-1, None] * 0.013  # m from the upper edge
    roll = float(rng.uniform(0.0, 0.014)) * np.exp(-(((edge - 0.02) / 0.016) ** 2))
    return np.asarray(folded + roll, dtype=np.float32)


def drape(blanket: Blanket, vertices: np.ndarray) -> Mesh:
    """Lay a blanket over a body (V, 3) m: 2 to 4 ms. The same blanket over each frame of a clip."""
    x, y = blanket.at[..., 0], blanket.at[..., 1]
    body = height_map(vertices).at(x, y)
    # between the vertices of blanket and body: what is next to a high place is high too
    floor = cv2.dilate(body.astype(np.float32), np.ones((3, 3), np.uint8)) + GAP_M
    height = cv2.dilate(floor, np.ones((7, 7), np.uint8))
    for k in range(_ROUNDS):
        wide = 7 if k < _ROUNDS // 2 else 3
        height = cv2.blur(height, (wide, wide), borderType=cv2.BORDER_REPLICATE)
        height = np.maximum(height, floor)
    # folds show where nothing pulls the cloth
    free = 1 / (1 + ((height - GAP_M) / 0.06) ** 2)
    height = height + blanket.folds * (0.35 + 0.65 * free)
    points = np.concatenate([blanket.at, height[..., None]], axis=-1)
    solid = sheet(points)
    fields = plain_fields(blanket.rest.reshape(-1, 3).astype(np.float32))
    return Mesh(solid.vertices, solid.faces, fields, COVER, blanket.look, two_sided=True)


def bedding(rng: np.random.Generator, anchors: Anchors, kind: str) -> Mesh:
    """What the infant is bedded in, pressed down by the body: ``pillow`` under the head, ``nest``
    (a roll around it), ``ring`` (a nursing pillow around head or hips), ``lounger``.
    """
    way = np.deg2rad(anchors.axis_deg)
    up = np.array([np.cos(way), np.sin(way)])
    right = np.array([up[1], -up[0]])
    centre, half, profile = _PROFILES[kind](rng, anchors, up)
    columns, rows = (2 * half / 0.014).astype(int)
    u, v = np.meshgrid(np.linspace(-1, 1, columns) * half[0], np.linspace(-1, 1, rows) * half[1])
    at = centre + u[..., None] * right + v[..., None] * up
    under = height_map(anchors.vertices, lowest=True)
    body = under.values.copy()
    body[body > 8] = 1.0
    x = ((at[..., 0] - under.corner[0]) / under.cell).astype(np.float32)
    y = ((at[..., 1] - under.corner[1]) / under.cell).astype(np.float32)
    free = cv2.remap(
        cv2.erode(body, np.ones((3, 3), np.uint8)),
        *(x, y, cv2.INTER_LINEAR),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=1.0,
    )
    height = profile(u, v).astype(np.float32)
    height += 0.004 * _folds(rng, rows, columns) / 0.01 * (height > 0.01)
    limit = np.maximum(free - 0.003, -0.01)
    pressed = np.minimum(height, limit)
    for _ in range(5):
        pressed = np.minimum(cv2.blur(pressed, (3, 3), borderType=cv2.BORDER_REPLICATE), limit)
    points = np.concatenate([at, pressed[..., None]], axis=-1)
    solid = sheet(points)
    rest = np.stack([u, v, np.zeros_like(u)], axis=-1).reshape(-1, 3).astype(np.float32)
    look = cloth_look(rng)
    return Mesh(solid.vertices, solid.faces, plain_fields(rest), THING, look, two_sided=True)


Profile = Callable[[np.ndarray, np.ndarray], np.ndarray]
_Plan = tuple[np.ndarray, np.ndarray, Profile]
"""Middle (2,) m in the world, half of its sides (2,) m, and height by places across and along."""


def _dome(reach: np.ndarray, high: float) -> np.ndarray:
    """Height of something round: ``reach`` 0 in the middle, 1 at the edge, where it goes below."""
    return np.asarray(high * np.sqrt((1 - reach**2).clip(0)) - 0.012 * (reach > 1))


def _pillow(rng: np.random.Generator, anchors: Anchors, up: np.ndarray) -> _Plan:
    half = np.array([rng.uniform(0.15, 0.28), rng.uniform(0.1, 0.17)]) * anchors.scale
    head = anchors.head.at[:2] + 0.03 * up + rng.normal(0, 0.02, 2)
    high, power = float(rng.uniform(0.03, 0.07)), 4

    def profile(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        reach = (np.abs(u / half[0]) ** power + np.abs(v / half[1]) ** power) ** (1 / power)
        return _dome(reach, high)

    return head, half * 1.05, profile


def _tube_around(u: np.ndarray, v: np.ndarray, half: np.ndarray, thick: float) -> np.ndarray:
    power = 3
    edge = (np.abs(u / half[0]) ** power + np.abs(v / half[1]) ** power) ** (1 / power)
    return np.abs(edge - 1) * float(half.min()) / thick


def _nest(rng: np.random.Generator, anchors: Anchors, up: np.ndarray) -> _Plan:
    right = np.array([up[1], -up[0]])
    flat = anchors.vertices[:, :2] - anchors.middle[:2]
    half = (
        np.array([np.ptp(flat @ right) / 2, np.ptp(flat @ up) / 2]) * rng.uniform(0.9, 1.15) + 0.04
    )
    thick = float(rng.uniform(0.035, 0.07))

    def profile(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return _dome(_tube_around(u, v, half, thick), 1.6 * thick)

    return anchors.middle[:2], half + 1.3 * thick, profile


def _ring(rng: np.random.Generator, anchors: Anchors, up: np.ndarray) -> _Plan:
    """A nursing pillow: a thick ring, open towards the legs."""
    thick = float(rng.uniform(0.06, 0.085))
    half = np.array([0.19, 0.19]) * rng.uniform(0.9, 1.15) * anchors.scale
    centre = anchors.trunk.at[:2] + rng.uniform(-0.04, 0.08) * up

    def profile(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        opening = (v < -0.55 * half[1]) & (np.abs(u) < 0.6 * half[0])
        return np.where(opening, -0.012, _dome(_tube_around(u, v, half, thick), 1.5 * thick))

    return centre, half + 1.2 * thick, profile


def _lounger(rng: np.random.Generator, anchors: Anchors, up: np.ndarray) -> _Plan:
    """A padded tray: a raised rim around a flat middle."""
    half = np.array([rng.uniform(0.17, 0.24), rng.uniform(0.36, 0.44)]) * anchors.scale
    thick = float(rng.uniform(0.05, 0.09))

    def profile(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        rim = _dome(_tube_around(u, v, half, thick), 1.3 * thick)
        inside = (np.abs(u / half[0]) ** 3 + np.abs(v / half[1]) ** 3) < 1
        return np.maximum(rim, np.where(inside, 0.008, -0.012))

    return anchors.middle[:2], half + 1.2 * thick, profile


_PROFILES = {"pillow": _pillow, "nest": _nest, "ring": _ring, "lounger": _lounger}

BEDDINGS = tuple(_PROFILES)
"""Kinds of `bedding`."""
