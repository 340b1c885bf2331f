"""Things on the infant: pacifier, tubes, electrodes and their leads, wraps and bands, a rattle.

Every function gives a `mesh.Mesh` in the world. What sticks to the body moves with it by
`surroundings.follow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from aggpose.synthetic.around.anchors import Anchors, on_skin, ring_around
from aggpose.synthetic.around.prints import sample_colour, to_linear
from aggpose.synthetic.around.shapes import (
    Solid,
    join,
    lathe,
    place,
    smooth_path,
    sphere,
    torus,
    tube,
    turn_to,
)
from aggpose.synthetic.mesh import THING, Material, Mesh, plain_fields

RGB = tuple[float, float, float]


def linear(colour: np.ndarray) -> RGB:
    """sRGB (3,) in [0, 1] -> linear, as `mesh.Material` wants it."""
    r, g, b = to_linear(colour).tolist()
    return (r, g, b)


def material(rng: np.random.Generator, mood: str, kind: str = "hard", **more: object) -> Material:
    """Three colours of a mood (`prints.sample_colour`) on a surface."""
    colours = tuple(linear(sample_colour(rng, mood)) for _ in range(3))
    shine = float(rng.uniform(0.05, 0.4)) if kind == "hard" else 0.02
    values: dict[str, object] = {"shine": shine, "wrinkle": 0.0 if kind == "hard" else 0.08}
    values |= {"colours": colours, "seed": int(rng.integers(2**31))} | more
    return Material(kind=kind, **values)  # type: ignore[arg-type]


def wooden(rng: np.random.Generator) -> Material:
    """Light to dark wood."""
    dark = float(rng.uniform(0.15, 0.9))
    tone = (0.62 * dark, 0.40 * dark, 0.22 * dark)
    return replace(material(rng, "neutral"), colours=(tone, tone, tone))


def solid_mesh(solid: Solid, look: Material, part: int = THING, two_sided: bool = False) -> Mesh:
    """A thing from its solid; its pattern sticks to where it is made."""
    vertices = solid.vertices.astype(np.float32)
    return Mesh(vertices, solid.faces, plain_fields(vertices), part, look, two_sided=two_sided)


def pacifier(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """A shield over the mouth with a knob or a ring."""
    head, scale = anchors.head, anchors.scale
    nose, chin = anchors.point("nose"), anchors.point("chin")
    mouth = nose + 0.52 * (chin - nose)
    at = on_skin(anchors, mouth, head.front) + 0.003 * scale * head.front
    radius = float(rng.uniform(0.017, 0.023)) * scale
    curve = np.array(
        [(0, 0.0), (0.5, 0.04), (0.9, 0.16), (1.0, 0.24), (0.93, 0.32), (0.5, 0.24), (0, 0.2)]
    )
    shield = place(lathe(curve * radius), scale=(1.0, float(rng.uniform(0.72, 0.9)), 1.0))
    # the rims bend towards the cheeks
    shield = Solid(shield.vertices * (1, 1, -1), shield.faces[:, ::-1])
    parts = [shield]
    if rng.uniform() < 0.6:
        ring = place(torus(0.55 * radius, 0.11 * radius), (0, -0.5 * radius, 0.35 * radius))
        parts.append(ring)
    knob = np.array([(0, -0.1), (0.42, -0.1), (0.46, 0.3), (0.3, 0.42), (0, 0.44)]) * radius
    parts.append(lathe(knob))
    axes = turn_to(head.front, head.left)
    look = material(rng, str(rng.choice(["vivid", "pastel", "white"])))
    return solid_mesh(place(join(parts), at, axes), look)


def feeding_tube(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """A thin tube from a nostril over the cheek and off behind the ear, with a strip of tape."""
    head, scale = anchors.head, anchors.scale
    side = float(rng.choice([-1.0, 1.0]))
    name = "left" if side > 0 else "right"
    ear = anchors.point(f"{name}_ear")
    start = head.at - 0.006 * scale * head.up - 0.004 * scale * head.front
    knots = [start + 0.004 * side * scale * head.left]
    for share, drop in ((0.3, 0.016), (0.55, 0.014), (0.8, 0.008)):
        lean = head.front * (1 - share) + side * head.left * share
        lean /= np.linalg.norm(lean)
        guess = start + share * (ear - start) - drop * scale * head.up
        knots.append(on_skin(anchors, guess, lean) + 0.0018 * scale * lean)
    knots.append(ear + side * 0.012 * scale * head.left - 0.02 * scale * head.up)
    knots.append(knots[-1] - 0.06 * scale * head.up + side * 0.03 * scale * head.left)
    radius = float(rng.uniform(0.0010, 0.0018)) * scale
    line = tube(smooth_path(np.array(knots), 24), radius, 6)
    lean = head.front + side * head.left
    axes = turn_to(lean / np.linalg.norm(lean), head.up)
    tape = place(sphere((0.006 * scale, 0.013 * scale, 0.0016), 6, 10), knots[2], axes)
    tone = str(rng.choice(["white", "pastel", "neutral"]))
    return solid_mesh(join([line, tape]), material(rng, tone))


def chest_leads(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """Three round electrodes on chest and belly and their wires to the side."""
    trunk, scale = anchors.trunk, anchors.scale
    left, right = anchors.point("left_shoulder"), anchors.point("right_shoulder")
    chest, navel = anchors.point("chest"), anchors.point("navel")
    wanted = [
        chest + 0.55 * (left - chest) - 0.03 * scale * trunk.up,
        chest + 0.55 * (right - chest) - 0.03 * scale * trunk.up,
        navel + 0.045 * scale * trunk.left + 0.02 * scale * trunk.up,
    ]
    side = float(rng.choice([-1.0, 1.0]))
    leave = navel + side * 0.16 * scale * trunk.left - 0.02 * scale * trunk.front
    leave[2] = max(float(leave[2]), 0.01)
    parts = []
    radius = float(rng.uniform(0.009, 0.014)) * scale
    for near in wanted:
        lean = trunk.front + 0.35 * trunk.left * np.sign((near - trunk.at) @ trunk.left)
        lean /= np.linalg.norm(lean)
        at = on_skin(anchors, near, lean)
        profile = np.array([(0, -1), (radius, -1), (radius, 1.2), (0.4 * radius, 2.0), (0, 2.4)])
        profile[:, 1] *= 0.001 * scale
        parts.append(place(lathe(profile, 14), at, turn_to(lean)))
        middle = (at + leave) / 2 + lean * 0.012 * scale
        middle = on_skin(anchors, middle, trunk.front) + 0.003 * trunk.front
        path = smooth_path(np.array([at + 0.002 * lean, middle, leave]), 16)
        parts.append(tube(path, 0.0011 * scale, 5))
    return solid_mesh(join(parts), material(rng, str(rng.choice(["white", "neutral", "vivid"]))))


def oximeter(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """A soft wrap around a foot, and its cable."""
    side = str(rng.choice(["left", "right"]))
    ankle, toe = anchors.point(f"{side}_ankle"), anchors.point(f"{side}_toe")
    ring, ahead = ring_around(anchors, ankle, toe, float(rng.uniform(0.45, 0.65)))
    band = _band(ring, ahead, 0.011 * anchors.scale)
    start = ring[int(rng.integers(len(ring)))]
    knee = anchors.point(f"{side}_knee")
    down = np.array([0.0, 0.0, -0.6 * float(start[2])])
    out = (toe - knee) / np.linalg.norm(toe - knee)
    knots = np.array([start, start + 0.05 * out + 0.5 * down, start + 0.16 * out + down])
    knots[:, 2] = knots[:, 2].clip(0.004)
    cable = tube(smooth_path(knots, 14), 0.0016 * anchors.scale, 6)
    return solid_mesh(join([band, cable]), material(rng, str(rng.choice(["white", "pastel"]))))


def wrist_band(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """An identity band around a wrist or an ankle."""
    side = str(rng.choice(["left", "right"]))
    first, last = ("elbow", "wrist") if rng.uniform() < 0.6 else ("knee", "ankle")
    start, end = anchors.point(f"{side}_{first}"), anchors.point(f"{side}_{last}")
    ring, ahead = ring_around(anchors, start, end, float(rng.uniform(0.86, 0.96)))
    band = _band(ring, ahead, float(rng.uniform(0.005, 0.009)) * anchors.scale)
    return solid_mesh(band, material(rng, str(rng.choice(["white", "pastel", "vivid"]))))


def rattle(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """A rattle or teething ring in a hand."""
    side = str(rng.choice(["left", "right"]))
    wrist, tip = anchors.point(f"{side}_wrist"), anchors.point(f"{side}_middle_finger")
    elbow, scale = anchors.point(f"{side}_elbow"), anchors.scale
    hand = 0.45 * wrist + 0.55 * tip
    across = np.cross(wrist - elbow, tip - wrist)
    if np.linalg.norm(across) < 1e-5:
        across = np.cross(wrist - elbow, (0.0, 0.3, 1.0))
    axes = turn_to(across, tip - wrist)
    size = float(rng.uniform(0.8, 1.2)) * scale
    t = float(rng.uniform())
    if t < 0.4:
        solid = place(torus(0.03, 0.005), (0.03, 0, 0), scale=1.0)
    else:
        rod = [(0, -0.05), (0.005, -0.05), (0.005, 0), (0.005, 0.05), (0, 0.05)]
        bar = lathe(np.array(rod), 10)
        ends = [
            place(sphere(0.016, 6, 10), (0, 0, z))
            for z in ((0.055,) if t < 0.7 else (0.055, -0.055))
        ]
        solid = join([bar, *ends])
    spot = place(solid, hand, axes, size)
    low = float(spot.vertices[:, 2].min())
    if low < 0.001 and anchors.posture != "held":
        spot = place(spot, (0, 0, 0.001 - low))
    return solid_mesh(spot, material(rng, "vivid", pattern=str(rng.choice(["plain", "stripes"]))))


def _band(ring: np.ndarray, ahead: np.ndarray, half_width: float) -> Solid:
    """A flat band, a little off the skin, along a closed line (N, 3)."""
    centre = ring.mean(axis=0)
    out = ring - centre
    out -= (out @ ahead)[:, None] * ahead
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return tube(ring + 0.001 * out, half_width, 8, closed=True, flat=0.22, up=out)


WORN: Mapping[str, Callable[[np.random.Generator, Anchors], Mesh]] = {
    "pacifier": pacifier,
    "feeding_tube": feeding_tube,
    "chest_leads": chest_leads,
    "oximeter": oximeter,
    "wrist_band": wrist_band,
    "rattle": rattle,
}
"""Name -> what makes it."""
