"""Where adult hands go: on limbs, on the trunk, at the head, under the arms of a held infant."""

from __future__ import annotations

import numpy as np

from aggpose.synthetic.around.adults import ArmPool, Person, place_arm, sample_person
from aggpose.synthetic.around.anchors import LYING, Anchors, on_skin
from aggpose.synthetic.around.covers import cloth_look
from aggpose.synthetic.around.shapes import place, rounded_box, sphere, turn_about, turn_to
from aggpose.synthetic.around.worn import solid_mesh
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import ADULT, Material, Mesh

_TRIES = 10
_GRIP_M = 0.028  # from the palm to the middle of what fingers close around
_LIMBS = (("elbow", "wrist"), ("knee", "ankle"), ("hip", "knee"), ("shoulder", "elbow"))


def hands(
    rng: np.random.Generator,
    anchors: Anchors,
    camera: Camera,
    pool: ArmPool,
    skin: Material | None,
) -> tuple[list[Mesh], list[str]]:
    """One or two arms of one adult, and what each does. Held infants are held by both hands, in
    front of a chest or on a lap."""
    person = sample_person(rng, skin)
    if anchors.posture == "held":
        return _hold(rng, anchors, camera, pool, person)
    ways = ["limb", "trunk", "head", "offer"]
    chances = [0.42, 0.24, 0.2, 0.14]
    meshes, names = [], []
    for _ in range(2 if rng.uniform() < 0.35 else 1):
        way = str(rng.choice(ways, p=chances))
        mesh = _reach(rng, anchors, camera, pool, person, way)
        if mesh is not None:
            meshes.append(mesh)
            names.append(way)
    return meshes, names


def _reach(
    rng: np.random.Generator,
    anchors: Anchors,
    camera: Camera,
    pool: ArmPool,
    person: Person,
    way: str,
) -> Mesh | None:
    """The best of some random placements: the arm comes from outside, above the ground, and neither
    runs through the infant nor hides much of it."""
    grip = {"limb": "grip", "trunk": "flat", "head": "cup"}.get(way)
    arm = pool.pick(rng, grip or str(rng.choice(["point", "cup"])))
    at, out, along = _target(rng, anchors, way)
    best: tuple[float, Mesh] | None = None
    for _ in range(_TRIES):
        if along is None:
            x = np.cross(out, rng.standard_normal(3))
            axes = _axes(x, -out)
            spot = at
        else:  # a fist around a limb: its hollow's axis lies along the limb
            side = turn_about(along, float(rng.uniform(0, 360))) @ out
            x = np.cross(along * rng.choice([-1.0, 1.0]), -side)
            axes = _axes(x, -side)
            spot = at + _GRIP_M * person.scale * side
        elbow = spot + axes @ (arm.elbow * person.scale)
        fault = _fault(anchors, spot, elbow) + _hiding(anchors, camera, spot, elbow)
        if best is None or fault < best[0]:
            mirror = bool(rng.uniform() < 0.5)
            best = (fault, place_arm(arm, person, spot, axes, mirror))
    assert best is not None
    return best[1] if best[0] < 1.0 else None


def _axes(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Columns: ``x`` made square to ``z``; y; ``z``."""
    z = z / np.linalg.norm(z)
    x = x - (x @ z) * z
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _fault(anchors: Anchors, spot: np.ndarray, elbow: np.ndarray) -> float:
    """0 for an arm that leaves the infant upwards and outwards, more than 1 for one that goes
    through the ground or the body."""
    line = spot + np.linspace(0.35, 1.0, 6)[:, None] * (elbow - spot)
    near = np.linalg.norm(anchors.sparse[::2, None] - line, axis=2).min()
    through = max(0.0, 1 - float(near) / 0.05)
    low = max(0.0, 0.09 - float(elbow[2])) / 0.05
    middle = anchors.middle
    inward = float(np.linalg.norm(spot[:2] - middle[:2]) - np.linalg.norm(elbow[:2] - middle[:2]))
    return 0.8 * through + low + max(0.0, inward) * 3


def _hiding(anchors: Anchors, camera: Camera, spot: np.ndarray, elbow: np.ndarray) -> float:
    """0 where the arm hides at most a quarter of the key points, rising to 3."""
    line = spot + np.linspace(-0.2, 2.4, 14)[:, None] * (elbow - spot)
    points, depth = camera.project(anchors.points)
    over, near = camera.project(line)
    seen = near > 0.1
    if not seen.any():
        return 0.0
    span = np.linalg.norm(points[:, None] - over[seen], axis=2)
    before = (near[seen] < depth[:, None]) & (span < 0.05 * camera.focal_px / near[seen])
    return max(0.0, 4 * (float(before.any(axis=1).mean()) - 0.25))


def _target(
    rng: np.random.Generator, anchors: Anchors, way: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Where the palm goes (3,), the way out of there (3,), and the limb's direction if it is
    held."""
    if way == "limb":
        first, last = _LIMBS[int(rng.integers(len(_LIMBS)))]
        side = str(rng.choice(["left", "right"]))
        start, end = anchors.point(f"{side}_{first}"), anchors.point(f"{side}_{last}")
        along = (end - start) / np.linalg.norm(end - start)
        out = np.cross(along, rng.standard_normal(3))
        return start + float(rng.uniform(0.4, 0.9)) * (end - start), _unit(out), along
    trunk, head = anchors.trunk, anchors.head
    if way == "trunk":
        lean = float(rng.uniform(-70, 70))
        face = (
            trunk.front if trunk.front[2] > -0.3 or anchors.posture not in LYING else -trunk.front
        )
        out = turn_about(trunk.up, lean) @ face
        near = trunk.at + float(rng.uniform(-0.06, 0.06)) * anchors.scale * trunk.up
        return on_skin(anchors, near, out) + 0.004 * out, out, None
    if way == "head":
        ears = (anchors.point("left_ear") + anchors.point("right_ear")) / 2
        centre = ears + 0.035 * anchors.scale * head.up
        out = float(rng.choice([-1.0, 1.0])) * head.left + rng.uniform(0, 1.2) * head.up
        out = _unit(out - float(rng.uniform(0, 0.8)) * head.front)
        if out[2] < -0.3 and anchors.posture in LYING:
            out = _unit(out * (1, 1, -1))
        return on_skin(anchors, centre, out) + 0.006 * out, out, None
    around = rng.uniform(0, 2 * np.pi)
    shift = np.array([np.cos(around), np.sin(around), float(rng.uniform(0.3, 1.2))])
    spot = anchors.head.at if rng.uniform() < 0.5 else anchors.trunk.at
    return spot + float(rng.uniform(0.14, 0.26)) * anchors.scale * _unit(shift), _unit(shift), None


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _hold(
    rng: np.random.Generator,
    anchors: Anchors,
    camera: Camera,
    pool: ArmPool,
    person: Person,
) -> tuple[list[Mesh], list[str]]:
    """Both hands under the arms, from behind or from the front; behind them a chest or a lap."""
    trunk, scale = anchors.trunk, anchors.scale
    from_front = rng.uniform() < 0.35
    toward = trunk.front if from_front else -trunk.front
    meshes: list[Mesh] = []
    for sign in (-1.0, 1.0):
        arm = pool.pick(rng, "cup")
        out = _unit(sign * trunk.left + 0.35 * toward)
        near = trunk.at + float(rng.uniform(0.02, 0.055)) * scale * trunk.up
        at = on_skin(anchors, near, out) + 0.008 * out
        # fingers go around the trunk, the thumbs up
        axes = _axes(-toward + 0.25 * trunk.up * float(rng.normal(0, 1)), -out)
        thumb = axes[:, 1] @ trunk.up
        mirror = bool((thumb < 0) != (not arm.left))
        meshes.append(place_arm(arm, person, at, axes, mirror))
    names = ["hold from the front" if from_front else "hold from behind"]
    # who holds stands beyond the infant, or would hide it
    view = _unit(np.asarray(camera.position) - trunk.at)
    if not from_front and rng.uniform() < 0.75 and view @ trunk.front > 0.1:
        meshes.append(_torso(rng, anchors))
        names.append("chest")
    if rng.uniform() < 0.5 and anchors.vertices[:, 2].min() > 0.14:
        meshes.append(_lap(rng, anchors))
        names.append("lap")
    return meshes, names


def _torso(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """The clothed chest and belly of the one who holds, behind the infant's back."""
    back = -anchors.trunk.front * (1, 1, 0)
    back = _unit(back) if np.linalg.norm(back) > 0.1 else np.array([0.0, 1.0, 0.0])
    reach = float(((anchors.sparse - anchors.trunk.at) @ back).max())
    solid = sphere((float(rng.uniform(0.17, 0.24)), 0.42, 0.12), 12, 18)
    axes = turn_to(-back, np.cross((0.0, 0.0, 1.0), -back))
    at = anchors.trunk.at + (reach + 0.125) * back + np.array([0, 0, float(rng.normal(0, 0.05))])
    return solid_mesh(place(solid, at, axes), cloth_look(rng), ADULT)


def _lap(rng: np.random.Generator, anchors: Anchors) -> Mesh:
    """Two thighs as a cushion under the infant."""
    low = float(anchors.vertices[:, 2].min())
    thick = float(rng.uniform(0.12, 0.17))
    solid = rounded_box((0.4, 0.55, thick), 0.45 * thick, 4)
    turn = turn_about((0, 0, 1), anchors.axis_deg - 90)
    front = anchors.trunk.front * (1, 1, 0) * 0.1
    at = np.array([*(anchors.trunk.at + front)[:2], low - thick / 2 - 0.002])
    return solid_mesh(place(solid, at, turn), cloth_look(rng), ADULT)
