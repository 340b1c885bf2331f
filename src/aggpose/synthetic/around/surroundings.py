"""Everything around one posed infant: ground, things, covers, hands, lights and camera.

`sample_surroundings` draws sensible combinations; how often what occurs stands in one place, in
`Chances`. `follow` moves what is attached along with the infant in a clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from aggpose.synthetic.around.adults import ArmPool
from aggpose.synthetic.around.anchors import LYING, Anchors
from aggpose.synthetic.around.covers import BEDDINGS, Blanket, bedding, drape, throw_blanket
from aggpose.synthetic.around.grounds import GroundPool
from aggpose.synthetic.around.holding import hands
from aggpose.synthetic.around.room import make_room
from aggpose.synthetic.around.things import SURROUNDING, backrest, toys
from aggpose.synthetic.around.views import sample_camera, sample_lights
from aggpose.synthetic.around.worn import WORN
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import WORN as WORN_PART
from aggpose.synthetic.mesh import Ground, Light, Material, Mesh

__all__ = [
    "Anchors",
    "Chances",
    "Options",
    "Pools",
    "Surroundings",
    "bind",
    "follow",
    "make_pools",
    "sample_camera",
    "sample_lights",
    "sample_surroundings",
]


@dataclass(frozen=True)
class Chances:
    """How often things occur, each from 0 to 1.

    worn: of each thing of `worn.WORN`. hospital: pictures with several of the medical ones and
        no toys. cover, bedding: blankets over, pillows and nests under lying infants. stand: of
        each of `things.SURROUNDING` around lying infants. toys, hands. room: walls and furniture
        in views lower than `room_below_deg`. photo_far: a photograph instead of them, if there
        are any.
    """

    worn: Mapping[str, float] = field(
        default_factory=lambda: {
            "pacifier": 0.08,
            "feeding_tube": 0.015,
            "chest_leads": 0.015,
            "oximeter": 0.015,
            "wrist_band": 0.06,
            "rattle": 0.06,
        }
    )
    hospital: float = 0.06
    cover: float = 0.15
    bedding: float = 0.14
    stand: Mapping[str, float] = field(
        default_factory=lambda: {"cot": 0.08, "incubator": 0.01, "bassinet": 0.05, "arch": 0.05}
    )
    toys: float = 0.27
    hands: float = 0.13
    room: float = 0.85
    room_below_deg: float = 52.0
    photo_far: float = 0.4


@dataclass(frozen=True)
class Options:
    """What the caller wants. size: (width, height) px. skin: the infant's, for adults like it.
    camera: a given one instead of a drawn one."""

    size: tuple[int, int] = (256, 256)
    skin: Material | None = None
    camera: Camera | None = None
    chances: Chances = field(default_factory=Chances)


@dataclass(frozen=True)
class Pools:
    """What a process makes once. photos: (H, W, 3) uint8 sRGB, the user's."""

    grounds: GroundPool
    arms: ArmPool
    photos: Sequence[np.ndarray] = ()


def make_pools(
    grounds: int = 32, arms: int = 24, photos: Sequence[np.ndarray] = (), seed: int = 0
) -> Pools:
    """The usual pools. The same arguments give the same pools on every machine."""
    return Pools(GroundPool(grounds, seed, photos=photos), ArmPool(arms, seed), photos)


@dataclass(frozen=True)
class Surroundings:
    """All of a scene but the infant.

    meshes: things, covers, adults; the first ``stuck`` of them stick to the infant. blanket: how
    the cover among the meshes, at ``cover``, was thrown.
    backdrop: (H, W, 3) uint8 sRGB of the picture's size to be seen where there is nothing, or None.
    notes: for the annotations, fit for JSON.
    """

    ground: Ground
    meshes: tuple[Mesh, ...]
    lights: tuple[Light, ...]
    room: tuple[float, float, float]
    camera: Camera
    notes: dict[str, object]
    stuck: int = 0
    blanket: Blanket | None = None
    cover: int = -1
    backdrop: np.ndarray | None = None


def sample_surroundings(
    rng: np.random.Generator, anchors: Anchors, pools: Pools, options: Options | None = None
) -> Surroundings:
    """Draw what is around an infant; a function of ``rng``, the infant, the pools' seeds and the
    options alone."""
    options = options or Options()
    chances = options.chances
    # the camera may be given: it takes its numbers from a generator of its own
    of_camera, of_things, of_light = rng.spawn(3)
    camera, notes = sample_camera(of_camera, anchors, options.size)
    if options.camera is not None:
        camera, notes = options.camera, {}
    lights, room, light_notes = sample_lights(of_light, anchors.middle)
    ground, ground_notes = pools.grounds.pick(of_things, anchors.axis_deg)

    hospital = bool(of_things.uniform() < chances.hospital)
    stuck, worn_names = _worn(of_things, anchors, chances, hospital)
    free, names, blanket = _around(of_things, anchors, chances, hospital)
    bare = [m for m in free if not _in_the_way(m, camera, anchors)]
    arms: list[Mesh] = []
    doing: list[str] = []
    if anchors.posture == "held" or of_things.uniform() < chances.hands:
        arms, doing = hands(of_things, anchors, camera, pools.arms, options.skin)
        arms = [m for m in arms if not _in_the_way(m, camera, anchors)]
    backdrop, behind = _behind(of_things, anchors, camera, pools, chances)

    cover = [drape(blanket, anchors.vertices)] if blanket is not None else []
    if any(_in_the_way(m, camera, anchors) for m in cover):
        cover, blanket = [], None
    meshes = [*stuck, *bare, *arms, *behind, *cover]
    return Surroundings(
        ground=ground,
        meshes=tuple(meshes),
        lights=lights,
        room=room,
        camera=camera,
        notes={
            "camera": notes,
            "light": light_notes,
            "lamps": [_noted(light) for light in lights],
            "ground": ground_notes,
            "worn": worn_names,
            "things": names,
            "adult": doing if arms else [],
            "behind": "photo" if backdrop is not None else "room" if behind else "nothing",
        },
        stuck=len(stuck),
        blanket=blanket,
        cover=len(meshes) - 1 if cover else -1,
        backdrop=backdrop,
    )


def _noted(light: Light) -> dict[str, object]:
    return {
        "position_m": np.round(light.position, 4).tolist(),
        "radius_m": round(light.radius_m, 4),
        "colour": np.round(light.colour, 4).tolist(),
    }


def _worn(
    rng: np.random.Generator, anchors: Anchors, chances: Chances, hospital: bool
) -> tuple[list[Mesh], list[str]]:
    medical = ("feeding_tube", "chest_leads", "oximeter", "wrist_band")
    names = [
        name
        for name in WORN
        if rng.uniform() < (0.6 if hospital and name in medical else chances.worn[name])
    ]
    made = [WORN[name](rng, anchors) for name in names]
    return [replace(mesh, part=WORN_PART) for mesh in made], names


def _around(
    rng: np.random.Generator, anchors: Anchors, chances: Chances, hospital: bool
) -> tuple[list[Mesh], list[str], Blanket | None]:
    """Meshes that stand or lie free, their names, and a blanket that is not yet draped."""
    found: list[Mesh] = []
    names: list[str] = []
    blanket: Blanket | None = None
    if anchors.backrest is not None and anchors.posture != "held":
        found += backrest(rng, anchors)
        names.append("backrest")
    if anchors.posture in LYING:
        draw = float(rng.uniform())
        for name, make in SURROUNDING.items():
            chance = chances.stand[name] * (5 if hospital and name == "incubator" else 1)
            if 0 <= draw < chance:
                found += make(rng, anchors)
                names.append(name)
            draw -= chance
        if rng.uniform() < chances.bedding:
            kind = str(rng.choice(BEDDINGS, p=(0.35, 0.25, 0.15, 0.25)))
            found.append(bedding(rng, anchors, kind))
            names.append(kind)
        if rng.uniform() < chances.cover:
            blanket, how = throw_blanket(rng, anchors)
            names.append(f"blanket over {how}")
    if anchors.posture != "held" and not hospital and rng.uniform() < chances.toys:
        found += toys(rng, anchors)
        names.append("toys")
    return found, names, blanket


def _behind(
    rng: np.random.Generator, anchors: Anchors, camera: Camera, pools: Pools, chances: Chances
) -> tuple[np.ndarray | None, list[Mesh]]:
    """A photograph or a room behind the infant, in views that go far enough."""
    drop = camera.axes()[2, 2]  # the line of sight's upward part
    low = np.rad2deg(np.arcsin(np.clip(-drop, -1, 1))) < chances.room_below_deg
    if pools.photos and rng.uniform() < chances.photo_far:
        photo = pools.photos[int(rng.integers(len(pools.photos)))]
        return (_fitted(rng, photo, camera.size), []) if low else (None, [])
    if low and rng.uniform() < chances.room:
        return None, make_room(rng, anchors, camera)
    return None, []


def _fitted(rng: np.random.Generator, photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A part of a photograph (H, W, 3) that fills (width, height) px."""
    height, width = photo.shape[:2]
    part = min(width / size[0], height / size[1]) * float(rng.uniform(0.5, 1.0))
    wide, high = max(1, int(part * size[0])), max(1, int(part * size[1]))
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
    crop = np.ascontiguousarray(photo[top : top + high, left : left + wide])
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA))


def _in_the_way(mesh: Mesh, camera: Camera, anchors: Anchors) -> bool:
    """Whether a mesh is at the camera, or hides most of the picture before the infant."""
    vertices = mesh.vertices[:: max(1, len(mesh.vertices) // 400)].astype(np.float64)
    away = np.linalg.norm(vertices - np.asarray(camera.position), axis=1)
    if float(away.min()) < 0.13:
        return True
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if bool((np.asarray(camera.position) > low).all() and (camera.position < high).all()):
        return len(mesh.faces) < 400  # a box, not a frame of bars
    pixels, depth = camera.project(vertices)
    if (depth < 0.05).any():
        return False
    first, last = (np.clip(p, 0, camera.size) for p in (pixels.min(axis=0), pixels.max(axis=0)))
    _, far = camera.project(anchors.middle)
    return bool(np.prod((last - first) / camera.size) > 0.25 and depth.mean() < 0.75 * far)


def bind(around: Surroundings, vertices: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each mesh that sticks to the infant the 48 of its vertices (V, 3) m that are next."""
    found = []
    for mesh in around.meshes[: around.stuck]:
        near = mesh.vertices[:: max(1, len(mesh.vertices) // 12)]
        span = np.stack([np.linalg.norm(vertices - at, axis=1) for at in near]).min(axis=0)
        found.append(np.argpartition(span, 48)[:48])
    return tuple(found)


def follow(
    around: Surroundings, bound: Sequence[np.ndarray], before: np.ndarray, now: np.ndarray
) -> tuple[Mesh, ...]:
    """The meshes when the infant has moved from ``before`` (V, 3) m, as it was when the
    surroundings were drawn, to ``now``: what sticks to it goes along, rigidly; a blanket is draped
    anew. bound: from `bind`, of ``before``.
    """
    meshes = list(around.meshes)
    for k, which in enumerate(bound):
        turn, shift = _rigid(before[which], now[which])
        meshes[k] = meshes[k].moved((meshes[k].vertices @ turn.T + shift).astype(np.float32))
    if around.blanket is not None:
        meshes[around.cover] = drape(around.blanket, now)
    return tuple(meshes)


def _rigid(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) turn and (3,) shift that bring (N, 3) to (N, 3) best (Kabsch 1976)."""
    first, second = before.mean(axis=0), now.mean(axis=0)
    u, _, v = np.linalg.svd((before - first).T @ (now - second))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(v.T @ u.T))])
    turn = v.T @ flip @ u.T
    return turn, second - turn @ first
