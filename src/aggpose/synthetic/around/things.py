"""Things near the infant: toys, a play arch, cot rails, incubator and bassinet, cushions, a room.

Every maker takes a generator and `Anchors` and gives meshes in the world, part `THING`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from aggpose.synthetic.around.anchors import Anchors
from aggpose.synthetic.around.shapes import (
    Solid,
    join,
    lathe,
    place,
    repeat,
    rounded_box,
    sphere,
    torus,
    tube,
    turn_about,
    turn_to,
)
from aggpose.synthetic.around.worn import material, solid_mesh, wooden
from aggpose.synthetic.mesh import Mesh

Toy = Callable[[np.random.Generator], list[tuple[Solid, str]]]
"""Makes the parts of a toy, each with its kind of material, standing on z = 0 around x = y = 0."""

_Z = np.array([0.0, 0.0, 1.0])


def _ball(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    radius = float(rng.uniform(0.03, 0.09))
    return [(place(sphere(radius, 10, 16), (0, 0, radius)), "hard")]


def _block(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    size = float(rng.uniform(0.03, 0.11))
    box = rounded_box((size, size, size), 0.12 * size)
    return [(place(box, (0, 0, size / 2)), "cloth" if size > 0.07 else "hard")]


def _rings(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    parts, height, ring = [], 0.0, float(rng.uniform(0.035, 0.05))
    for _ in range(int(rng.integers(3, 6))):
        tube_m = 0.011
        parts.append((place(torus(ring, tube_m, 16, 7), (0, 0, height + tube_m)), "hard"))
        height += 1.8 * tube_m
        ring *= 0.88
    return parts


def _ring(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    tube_m = float(rng.uniform(0.005, 0.012))
    return [(place(torus(float(rng.uniform(0.025, 0.05)), tube_m), (0, 0, tube_m)), "hard")]


def _plush(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    """A soft animal on its back or sitting: blobs for trunk, head, ears, snout and limbs."""
    size = float(rng.uniform(0.06, 0.14))
    blobs = [place(sphere((0.42, 0.5, 0.36), 7, 10), (0, 0, 0))]
    head = np.array([0.0, 0.72, 0.06])
    blobs.append(place(sphere((0.36, 0.34, 0.34), 7, 10), head))
    blobs.append(place(sphere((0.14, 0.14, 0.14), 5, 8), np.add(head, (0, -0.04, 0.3))))
    ear = float(rng.uniform(0.1, 0.35))
    for side in (-1.0, 1.0):
        blobs.append(
            place(sphere((0.11, ear, 0.07), 5, 8), np.add(head, (side * 0.26, 0.2 + ear / 2, 0)))
        )
        blobs.append(
            place(
                sphere((0.14, 0.3, 0.14), 5, 8),
                (side * 0.45, 0.25, 0.05),
                turn_about(_Z, side * -50),
            )
        )
        blobs.append(
            place(
                sphere((0.16, 0.32, 0.16), 5, 8), (side * 0.3, -0.5, 0.0), turn_about(_Z, side * 20)
            )
        )
    whole = place(join(blobs), scale=size)
    if rng.uniform() < 0.5:
        whole = place(whole, turn=turn_about((1, 0, 0), float(rng.uniform(50, 90))))
    return [(place(whole, (0, 0, -float(whole.vertices[:, 2].min()))), "cloth")]


def _book(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    half = float(rng.uniform(0.05, 0.1))
    page = rounded_box((half * 1.9, half * 2.4, 0.012), 0.005)
    parts = [place(page, (s * half, 0, 0.02), turn_about((0, 1, 0), -s * 10)) for s in (-1, 1)]
    return [(join(parts), "cloth")]


def _car(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    size = float(rng.uniform(0.03, 0.06))
    body = place(rounded_box((2.4, 1.2, 0.7), 0.25), (0, 0, 0.65), scale=1.0)
    cabin = place(rounded_box((1.2, 1.1, 0.7), 0.3), (-0.1, 0, 1.2))
    disc = np.array([(0, -0.12), (0.35, -0.12), (0.35, 0.12), (0, 0.12)])
    wheel = place(lathe(disc, 12), turn=turn_about((1, 0, 0), 90))
    wheels = repeat(wheel, np.array([(x, y, 0.35) for x in (-0.7, 0.7) for y in (-0.6, 0.6)]))
    return [(place(join([body, cabin]), scale=size), "hard"), (place(wheels, scale=size), "hard")]


def _bottle(rng: np.random.Generator) -> list[tuple[Solid, str]]:
    outline = (
        np.array(
            [
                (0, 0),
                (2.6, 0),
                (2.9, 0.4),
                (2.9, 10),
                (2.2, 11.5),
                (2.2, 13),
                (1.0, 13.5),
                (0.7, 15.2),
                (0, 15.5),
            ]
        )
        * 0.01
    )
    lying = place(lathe(outline, 14), (0, -0.07, 0.029), turn_about((1, 0, 0), -90))
    return [(lying, "hard")]


TOYS: tuple[Toy, ...] = (_ball, _block, _block, _rings, _ring, _plush, _plush, _book, _car, _bottle)


def make_toy(rng: np.random.Generator) -> list[Mesh]:
    """One toy on z = 0 around the origin, turned by chance, a mesh for each of its materials."""
    parts = TOYS[int(rng.integers(len(TOYS)))](rng)
    turn = turn_about(_Z, float(rng.uniform(0, 360)))
    meshes = []
    for solid, kind in parts:
        mood = str(rng.choice(["vivid", "pastel", "neutral", "white"], p=[0.5, 0.25, 0.15, 0.1]))
        pattern = str(rng.choice(["plain", "stripes", "dots"], p=[0.6, 0.2, 0.2]))
        period = float(rng.uniform(0.015, 0.05))
        look = material(rng, mood, kind, pattern=pattern, period_m=period)
        meshes.append(solid_mesh(place(solid, turn=turn), look))
    return meshes


def moved(meshes: Sequence[Mesh], by: np.ndarray) -> list[Mesh]:
    """All meshes moved by (3,) m."""
    return [m.moved((m.vertices + by).astype(np.float32)) for m in meshes]


def toys(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """One to seven toys on the ground around the infant, not in it nor in each other."""
    taken: list[tuple[np.ndarray, float]] = []
    body = anchors.sparse[:, :2]
    found: list[Mesh] = []
    for _ in range(int(rng.integers(1, 8))):
        toy = make_toy(rng)
        reach = max(float(np.abs(m.vertices[:, :2]).max()) for m in toy)
        for _ in range(6):
            way, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.75) * anchors.scale
            at = anchors.middle[:2] + far * np.array([np.cos(way), np.sin(way)])
            clear = float(np.linalg.norm(body - at, axis=1).min()) > reach + 0.01
            if clear and all(np.linalg.norm(at - a) > reach + r for a, r in taken):
                taken.append((at, reach))
                found += moved(toy, np.append(at, 0.0))
                break
    return found


def arch(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """A play gym: one or two arches over the infant with toys that hang from them."""
    chest = anchors.point("chest")
    height, half = float(rng.uniform(0.42, 0.6)), float(rng.uniform(0.36, 0.5))
    t = np.linspace(0, np.pi, 20)
    meshes = []
    first = np.deg2rad(anchors.axis_deg) + float(rng.choice([0.0, np.pi / 4])) + np.pi / 2
    for way in [first] if rng.uniform() < 0.5 else [first, first + np.pi / 2]:
        along = np.array([np.cos(way), np.sin(way), 0.0])
        path = half * np.cos(t)[:, None] * along + height * np.sin(t)[:, None] * _Z
        path[:, :2] += chest[:2]
        soft = rng.uniform() < 0.6
        look = material(
            rng,
            str(rng.choice(["vivid", "pastel", "neutral"])),
            "cloth" if soft else "hard",
            pattern=str(rng.choice(["plain", "stripes"])),
        )
        meshes.append(solid_mesh(tube(path, 0.018 if soft else 0.009, 8), look))
        for k in rng.choice(np.arange(5, 15), size=int(rng.integers(1, 4)), replace=False):
            toy = make_toy(rng)
            low = path[k] - _Z * float(rng.uniform(0.08, 0.2))
            size = max(float(m.vertices[:, 2].max()) for m in toy)
            if low[2] - size < anchors.vertices[:, 2].max() + 0.02:
                low[2] = min(path[k, 2] - 0.02, anchors.vertices[:, 2].max() + size + 0.03)
            string = tube(np.stack([path[k], low - 0.3 * size * _Z]), 0.0015, 5)
            meshes += [solid_mesh(string, look), *moved(toy, low - size * _Z)]
    return meshes


def cot(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """A cot's bars on four sides, or on some, with rails above and below."""
    half = _room_for(anchors, np.array([rng.uniform(0.6, 0.7), rng.uniform(0.32, 0.4)]), 0.08)
    height, gap = float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.06, 0.1))
    thick = float(rng.uniform(0.006, 0.014))
    low = -float(rng.uniform(0.0, 0.12))
    square = rng.uniform() < 0.4
    bar = lathe(
        np.array([(0, 0), (thick, 0), (thick, height - low), (0, height - low)]),
        4 if square else 10,
    )
    parts = []
    for axis in (0, 1):
        for side in (-1.0, 1.0):
            if rng.uniform() < 0.12:
                continue
            count = round(2 * half[axis] / gap)
            along = np.linspace(-half[axis], half[axis], count)
            places = np.full((count, 3), low)
            places[:, axis], places[:, 1 - axis] = along, side * half[1 - axis]
            parts.append(repeat(bar, places))
            size, centre = np.array([0.03, 0.03, 0.05]), np.zeros(3)
            size[axis] = 2 * half[axis] + 0.03
            centre[1 - axis] = side * half[1 - axis]
            rail = rounded_box(size, 0.008)
            parts += [place(rail, centre + _Z * z) for z in (height, low)]
    if not parts:
        return []
    turn = turn_about(_Z, anchors.axis_deg)
    shift = np.append(anchors.middle[:2] + rng.uniform(-0.05, 0.05, 2), 0.0)
    look = material(rng, "white") if rng.uniform() < 0.5 else wooden(rng)
    return [solid_mesh(place(join(parts), shift, turn), look)]


def incubator(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """The edges of an incubator's hood, rings around its port holes, and the tray's rim."""
    half = _room_for(anchors, np.array([rng.uniform(0.38, 0.46), rng.uniform(0.22, 0.3)]))
    height = float(rng.uniform(0.35, 0.48))
    turn = turn_about(_Z, anchors.axis_deg)
    shift = np.append(anchors.middle[:2], 0.0)
    ring = np.array([(x * half[0], y * half[1]) for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))])
    edges = []
    for k in range(4):
        a, b = ring[k], ring[(k + 1) % 4]
        for z in (0.0, height):
            edges.append(tube(np.array([(*a, z), (*b, z)]), 0.007, 6))
        edges.append(tube(np.array([(*a, 0.0), (*a, height)]), 0.007, 6))
    ports = []
    for side in (-1.0, 1.0):
        for x in (-0.5, 0.5):
            hole = torus(float(rng.uniform(0.07, 0.09)), 0.008, 22, 6)
            at = (x * half[0], side * half[1], 0.5 * height)
            ports.append(place(hole, at, turn_to(np.array([0.0, 1.0, 0.0]))))
    clear, coloured = material(rng, "white"), material(rng, str(rng.choice(["white", "pastel"])))
    rim = _walls(half + 0.01, 0.05, 0.012)
    return [
        solid_mesh(place(join(edges), shift, turn), clear),
        solid_mesh(place(join([*ports, rim]), shift, turn), coloured),
    ]


def bassinet(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """A bassinet's or box's low walls around the mattress."""
    half = _room_for(anchors, np.array([rng.uniform(0.4, 0.5), rng.uniform(0.24, 0.32)]))
    walls = _walls(half, float(rng.uniform(0.08, 0.22)), float(rng.uniform(0.006, 0.03)))
    kind = str(rng.choice(["hard", "cloth"]))
    look = material(rng, str(rng.choice(["white", "neutral", "pastel"])), kind)
    shift = np.append(anchors.middle[:2], 0.0)
    return [solid_mesh(place(walls, shift, turn_about(_Z, anchors.axis_deg)), look)]


def _room_for(anchors: Anchors, half: np.ndarray, gap: float = 0.03) -> np.ndarray:
    """(2,) m, half sides along and across the infant: those given, or what it needs with a gap."""
    turn = turn_about(_Z, anchors.axis_deg)
    reach = np.abs((anchors.vertices - anchors.middle) @ turn)[:, :2].max(axis=0)
    return np.maximum(half, reach + gap)


def _walls(half: np.ndarray, height: float, thick: float) -> Solid:
    parts = []
    for axis in (0, 1):
        for side in (-1.0, 1.0):
            size, at = np.array([thick, thick, height]), np.array([0.0, 0.0, height / 2])
            size[axis] = 2 * half[axis] + thick
            at[1 - axis] = side * half[1 - axis]
            parts.append(place(rounded_box(size, 0.45 * thick), at))
    return join(parts)


def backrest(rng: np.random.Generator, anchors: Anchors) -> list[Mesh]:
    """The cushion, sofa or chest that a sitting back leans on, along the plane it was posed at."""
    if anchors.backrest is None:
        return []
    normal, distance = np.array(anchors.backrest[:3]), anchors.backrest[3]
    across = np.cross(_Z, normal)
    across /= np.linalg.norm(across)
    axes = turn_to(normal, across)
    width, deep = float(rng.uniform(0.35, 1.4)), float(rng.uniform(0.1, 0.25))
    high = float(rng.uniform(0.45, 0.8)) * anchors.scale
    box = rounded_box((width, high, deep), 0.45 * deep, 3)
    at = anchors.trunk.at + (distance - anchors.trunk.at @ normal - deep / 2 - 0.004) * normal
    mood = str(rng.choice(["neutral", "dark", "muted", "pastel", "white"]))
    pattern = str(rng.choice(["plain", "stripes", "dots", "checks", "print"]))
    look = material(rng, mood, "cloth", pattern=pattern, period_m=float(rng.uniform(0.02, 0.1)))
    return [solid_mesh(place(box, at, axes), look)]


SURROUNDING: Mapping[str, Callable[[np.random.Generator, Anchors], list[Mesh]]] = {
    "cot": cot,
    "incubator": incubator,
    "bassinet": bassinet,
    "arch": arch,
}
"""What stands around a lying infant: one of them at a time."""
