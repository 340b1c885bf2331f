"""What is behind the infant in low views: walls, curtains, furniture."""

from __future__ import annotations

import numpy as np

from aggpose.synthetic.around.anchors import Anchors
from aggpose.synthetic.around.shapes import join, place, rounded_box, sheet, turn_about
from aggpose.synthetic.around.worn import material, solid_mesh, wooden
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Mesh

_Z = np.array([0.0, 0.0, 1.0])


def make_room(rng: np.random.Generator, anchors: Anchors, camera: Camera) -> list[Mesh]:
    """A wall or curtain across the view and up to four pieces of furniture before it.

    They stand behind the infant as the camera sees it, 0.4 to 3 m away, so that they hide nothing.
    """
    ahead = anchors.middle - np.asarray(camera.position)
    ahead = ahead * (1, 1, 0)
    length = float(np.linalg.norm(ahead))
    ahead = ahead / length if length > 0.05 else np.array([0.0, 1.0, 0.0])
    ahead = turn_about(_Z, float(rng.normal(0, 22))) @ ahead
    right = np.cross(ahead, _Z)
    reach = float(((anchors.sparse - anchors.middle) @ ahead).max())
    far = reach + float(rng.choice([rng.uniform(0.25, 0.8), rng.uniform(0.8, 3.0)]))
    axes = np.stack([right, ahead, _Z], axis=1)
    origin = np.append(anchors.middle[:2], 0.0)
    meshes = [_wall(rng, origin + far * ahead, axes)]
    if rng.uniform() < 0.35:  # a corner
        side = float(rng.choice([-1.0, 1.0]))
        turned = axes @ turn_about(_Z, side * 90)
        meshes.append(_wall(rng, origin + side * float(rng.uniform(1.2, 2.5)) * right, turned))
    for _ in range(int(rng.integers(0, 5)) if far > reach + 0.5 else 0):
        across = float(rng.uniform(-1.5, 1.5))
        deep = float(rng.uniform(0.15, 0.4))
        at = origin + (far - deep - 0.02) * ahead + across * right
        if deep < far - reach - 0.1:
            meshes += _furniture(rng, at, axes, deep)
    return meshes


def _wall(rng: np.random.Generator, at: np.ndarray, axes: np.ndarray) -> Mesh:
    """A sheet 6 m wide and 3 m high that faces the camera: plain, papered or a curtain.

    axes: columns right, ahead, up.
    """
    kind = str(rng.choice(["plain", "paper", "curtain"], p=[0.55, 0.2, 0.25]))
    columns = 160 if kind == "curtain" else 2
    x = np.linspace(-3, 3, columns)
    deep = np.zeros(columns)
    if kind == "curtain":
        period = float(rng.uniform(0.08, 0.2))
        sway = np.cumsum(rng.normal(0, 0.25, columns))
        deep = float(rng.uniform(0.01, 0.035)) * np.sin(2 * np.pi * x / period + sway)
    points = np.zeros((2, columns, 3))
    points[..., 0], points[..., 1] = x, deep
    points[1, :, 2] = 3.0
    mood = str(
        rng.choice(["white", "neutral", "pastel", "muted", "dark"], p=[0.4, 0.25, 0.2, 0.1, 0.05])
    )
    pattern = (
        str(rng.choice(["stripes", "dots", "print", "checks"])) if kind == "paper" else "plain"
    )
    look = material(
        rng,
        mood,
        "cloth" if kind == "curtain" else "hard",
        pattern=pattern,
        period_m=float(rng.uniform(0.05, 0.4)),
        shine=0.0,
    )
    return solid_mesh(place(sheet(points), at, axes), look, two_sided=True)


def _furniture(
    rng: np.random.Generator, at: np.ndarray, axes: np.ndarray, deep: float
) -> list[Mesh]:
    """A sofa, a chest, a shelf with things, or legs of a table. ``deep``: m from the wall."""
    kind = str(rng.choice(["sofa", "chest", "shelf", "boxes"]))
    width = float(rng.uniform(0.4, 1.6))
    if kind == "sofa":
        seat = place(rounded_box((width, 2 * deep, 0.4), 0.08), (0, 0, 0.2))
        back = place(rounded_box((width, 0.2, 0.8), 0.08), (0, deep - 0.1, 0.4))
        look = material(rng, str(rng.choice(["dark", "neutral", "muted"])), "cloth")
        return [solid_mesh(place(join([seat, back]), at, axes), look)]
    if kind == "boxes":
        meshes = []
        for _ in range(int(rng.integers(2, 7))):
            size = rng.uniform(0.08, 0.4, 3)
            spot = (
                float(rng.uniform(-0.6, 0.6)),
                float(rng.uniform(-0.3, 0.3)) * deep,
                size[2] / 2,
            )
            box = place(rounded_box(size, 0.02), spot, turn_about(_Z, float(rng.normal(0, 20))))
            look = material(rng, str(rng.choice(["vivid", "pastel", "dark", "white"])))
            meshes.append(solid_mesh(place(box, at, axes), look))
        return meshes
    height = float(rng.uniform(0.3, 1.2))
    if kind == "chest":
        parts = [place(rounded_box((width, 2 * deep, height), 0.012), (0, 0, height / 2))]
    else:
        boards = 0.1 + 0.33 * np.arange(int(rng.integers(2, 5)))
        parts = [
            place(rounded_box((width, 2 * deep, 0.025), 0.005), (0, 0, z)) for z in boards + 0.1
        ]
        side = rounded_box((0.025, 2 * deep, float(boards[-1]) + 0.1), 0.005)
        parts += [place(side, (s * width / 2, 0, float(boards[-1]) / 2 + 0.05)) for s in (-1, 1)]
    look = wooden(rng) if rng.uniform() < 0.6 else material(rng, "white")
    return [solid_mesh(place(join(parts), at, axes), look)]
