"""Adult hands and arms that hold, touch or support the infant.

Arms come from the same body model as the infants (anny, see `body`), grown up, cut at the shoulder
and lengthened straight beyond it. `ArmPool` poses a few of them once in a process; each picture
places one or two as they are: turned, moved, scaled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import anny
import numpy as np
import torch

from aggpose.synthetic.around.covers import cloth_look
from aggpose.synthetic.around.shapes import Solid, is_closed, turn_about
from aggpose.synthetic.body.appearance import sample_skin
from aggpose.synthetic.mesh import ADULT, FIELDS, Material, Mesh, plain_fields

GRIPS = ("grip", "flat", "cup", "point")
"""How the fingers are bent: around a limb, laid flat, cupped, one finger out."""

_FLEX: dict[str, tuple[float, float]] = {
    "grip": (42.0, 62.0),
    "flat": (4.0, 16.0),
    "cup": (18.0, 34.0),
    "point": (60.0, 80.0),
}
_BEYOND_M = 0.6


@dataclass(frozen=True)
class Arm:
    """An arm from the finger tips to beyond the shoulder, at an adult's size.

    solid: closed, m, with the palm's middle at the origin: x along the fingers, z out of the palm,
        y across. fields: as in `mesh`, without a sleeve. reach: (V,) m from the wrist up the arm.
    normals: (V, 3). left: whether it is a left arm. grip: of `GRIPS`. elbow: (3,) m.
    """

    solid: Solid
    fields: np.ndarray
    reach: np.ndarray
    normals: np.ndarray
    left: bool
    grip: str
    elbow: np.ndarray


@lru_cache(maxsize=1)
def _model() -> anny.Anny:
    return anny.Anny().to(dtype=torch.float32)


class ArmPool:
    """Arms that are made when first asked for (60 ms each, the first 2 s); index i is always the
    same arm for the same seed."""

    def __init__(self, count: int = 24, seed: int = 0) -> None:
        if count < len(GRIPS):
            raise ValueError(f"a pool of arms holds at least {len(GRIPS)}, one of each grip")
        self._count, self._seed = count, seed
        self._made: dict[int, Arm] = {}

    def get(self, index: int) -> Arm:
        """The arm of that index."""
        if index not in self._made:
            rng = np.random.default_rng((self._seed, index, 11))
            self._made[index] = make_arm(rng, GRIPS[index % len(GRIPS)])
        return self._made[index]

    def pick(self, rng: np.random.Generator, grip: str) -> Arm:
        """An arm of that grip."""
        first = GRIPS.index(grip)
        return self.get(int(rng.choice(np.arange(first, self._count, len(GRIPS)))))


def make_arm(rng: np.random.Generator, grip: str) -> Arm:
    """One arm of one adult."""
    model, short = _model(), "L" if rng.uniform() < 0.5 else "R"
    labels, reference = list(model.bone_labels), model.reference_bone_orientations
    assert reference is not None
    axes = reference.numpy().reshape(-1, 3, 3).astype(np.float64)
    pose = torch.eye(4).repeat(1, len(labels), 1, 1)
    for bone, degrees in _bends(rng, grip).items():
        which = labels.index(f"{bone}.{short}")
        turn = axes[which] @ turn_about((1, 0, 0), degrees) @ axes[which].T
        pose[0, which, :3, :3] = torch.from_numpy(turn.astype(np.float32))
    kinds = {
        "gender": rng.uniform(0, 1),
        "age": rng.uniform(0.62, 0.9),
        "muscle": rng.uniform(0.3, 0.7),
        "weight": rng.uniform(0.3, 0.7),
        "height": rng.uniform(0.4, 0.65),
        "proportions": 0.5,
    }
    with torch.no_grad():
        out = model(phenotype_kwargs={k: torch.full((1,), float(v)) for k, v in kinds.items()})
        poses, transforms = _posed(model, pose, out["rest_bone_poses"])
        vertices = model.get_skinned_vertices(out["rest_vertices"], transforms)[0].numpy()
    joints = {b: poses[i, :3, 3] for i, b in enumerate(labels) if b.endswith(short)}
    named = {b[:-2]: joints[b].astype(np.float64) for b in joints}
    solid, reach = _cut(model, vertices.astype(np.float64), named, short)
    frame, palm = _palm(named, solid, short)
    local = ((solid.vertices - palm) @ frame).astype(np.float32)
    solid = Solid(local, solid.faces)
    elbow = (named["lowerarm01"] - palm) @ frame
    return Arm(solid, _fields(rng, solid, reach), reach, _normals(solid), short == "L", grip, elbow)


def _posed(
    model: anny.Anny, pose: torch.Tensor, rest: torch.Tensor
) -> tuple[np.ndarray, torch.Tensor]:
    """Poses (J, 4, 4) of the bones, and the transforms that skin the body."""
    first, second = model.get_bone_transforms(pose, rest)
    # what takes rest poses to posed ones skins the body; the other holds the bones' places
    same = torch.allclose(first @ rest, second, atol=1e-4)
    transforms, bones = (first, second) if same else (second, first)
    return bones[0].numpy(), transforms


def _bends(rng: np.random.Generator, grip: str) -> dict[str, float]:
    """Bone -> degrees about its own x axis; positive closes the fist."""
    low, high = _FLEX[grip]
    flex = float(rng.uniform(low, high))
    bends = {"wrist": float(rng.normal(0, 12))}
    for finger in "2345":
        own = flex + float(rng.normal(0, 5))
        if grip == "point" and finger == "2":
            own = float(rng.uniform(0, 12))
        for part, share in (("1", 0.9), ("2", 1.1), ("3", 0.7)):
            bends[f"finger{finger}-{part}"] = own * share
    thumb = float(rng.uniform(0.2, 0.6)) * flex
    bends |= {"finger1-2": thumb, "finger1-3": thumb}
    return bends


def _cut(
    model: anny.Anny, vertices: np.ndarray, named: dict[str, np.ndarray], short: str
) -> tuple[Solid, np.ndarray]:
    """The arm's faces, the hole at the shoulder drawn out to a tube and closed; and the reach."""
    starts = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    ours = [
        i for i, b in enumerate(model.bone_labels) if b.startswith(starts) and b.endswith(short)
    ]
    weights = model.vertex_bone_weights.numpy() * np.isin(model.vertex_bone_indices.numpy(), ours)
    inside = weights.sum(axis=1) > 0.6
    faces = model.faces.numpy().astype(np.int64)
    faces = faces[inside[faces].all(axis=1)]
    faces = _largest_piece(faces, len(vertices))
    used, faces = np.unique(faces, return_inverse=True)
    faces, vertices = faces.reshape(-1, 3), vertices[used]
    shoulder, elbow, wrist = (named[b] for b in ("upperarm01", "lowerarm01", "wrist"))
    away = (shoulder - elbow) / np.linalg.norm(shoulder - elbow)
    edges = _rim(faces)
    rim = np.unique(edges)
    copy = np.full(len(vertices), -1)
    copy[rim] = len(vertices) + np.arange(len(rim))
    flat = vertices[rim].mean(axis=0)
    # the far end is cut straight across, so that the tube does not fold
    end = vertices[rim] + (_BEYOND_M - (vertices[rim] - flat) @ away)[:, None] * away
    a, b = edges[:, 0], edges[:, 1]
    last = np.full(len(a), len(vertices) + len(rim))
    sides = [
        np.stack(t, 1) for t in ((b, a, copy[a]), (b, copy[a], copy[b]), (copy[b], copy[a], last))
    ]
    whole = np.concatenate([vertices, end, end.mean(axis=0)[None]])
    solid = Solid(whole, np.concatenate([faces, *sides]).astype(np.int32))
    if not is_closed(solid):
        raise ValueError("the arm that was cut from the body model has holes")
    fore = float(np.linalg.norm(elbow - wrist))
    along = (whole - wrist) @ ((elbow - wrist) / fore)
    upper = fore + (whole - elbow) @ away
    reach = np.where((whole - elbow) @ away > 0, np.maximum(upper, fore), np.minimum(along, fore))
    return solid, reach


def _rim(faces: np.ndarray) -> np.ndarray:
    """(E, 2) directed edges that have no face on their other side."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    there, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return np.asarray(edges[~np.isin(there, back)])


def _largest_piece(faces: np.ndarray, count: int) -> np.ndarray:
    """Of several connected pieces the one with most faces."""
    label = np.arange(count)
    while True:
        low = label[faces].min(axis=1)
        new = label.copy()
        np.minimum.at(new, faces.ravel(), np.repeat(low, 3))
        if np.array_equal(new, label):
            break
        label = new
    kinds, sizes = np.unique(label[faces[:, 0]], return_counts=True)
    return np.asarray(faces[label[faces[:, 0]] == kinds[np.argmax(sizes)]])


def _palm(named: dict[str, np.ndarray], solid: Solid, short: str) -> tuple[np.ndarray, np.ndarray]:
    """Axes as columns (x along the fingers, y across, z out of the palm) and the palm's middle, on
    its skin."""
    knuckles = np.stack([named[f"finger{k}-1"] for k in "2345"])
    x = knuckles.mean(axis=0) - named["wrist"]
    x /= np.linalg.norm(x)
    across = named["finger2-1"] - named["finger5-1"]  # to the thumb's side
    z = np.cross(x, across) * (1.0 if short == "L" else -1.0)
    z /= np.linalg.norm(z)
    middle = named["wrist"] + 0.62 * (knuckles.mean(axis=0) - named["wrist"])
    near = solid.vertices - middle
    under = (np.abs(near @ x) < 0.015) & (np.linalg.norm(np.cross(near, z), axis=1) < 0.03)
    out = float((near[under] @ z).max()) if under.any() else 0.015
    return np.stack([x, np.cross(z, x), z], axis=1), middle + out * z


def _normals(solid: Solid) -> np.ndarray:
    corner = solid.vertices[solid.faces].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.zeros((len(solid.vertices), 3))
    for k in range(3):
        np.add.at(total, solid.faces[:, k], normal)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _fields(rng: np.random.Generator, solid: Solid, reach: np.ndarray) -> np.ndarray:
    fields = plain_fields(solid.vertices)
    waves = rng.normal(0, 60, size=(16, 3))
    blotch = np.sin(solid.vertices @ waves.T + rng.uniform(0, 6.3, 16)).mean(axis=1)
    fields[:, FIELDS.index("blotch")] = blotch / max(float(blotch.std()), 1e-9)
    fields[:, FIELDS.index("flush")] = 0.6 * np.exp(-(((reach.clip(None, 0) + 0.16) / 0.05) ** 2))
    return fields


@dataclass(frozen=True)
class Person:
    """An adult's looks: skin, the sleeves' cloth, and where they end, m from the wrist."""

    skin: Material
    sleeve: Material
    sleeve_m: float
    loose_m: float
    scale: float


def sample_person(rng: np.random.Generator, infant_skin: Material | None) -> Person:
    """Skin as the infant's in three of four, if it is known; sleeves from the wrist to none."""
    skin, _ = sample_skin(rng, 12.0)
    if infant_skin is not None and rng.uniform() < 0.75:
        r, g, b = (float(c * rng.uniform(0.75, 1.05)) for c in infant_skin.colours[0])
        skin = replace(skin, colours=((r, g, b), *skin.colours[1:]))
    skin = replace(skin, hair_cover=0.0, flush=0.3 * skin.flush, wrap=0.8 * skin.wrap)
    bare = float(
        rng.choice([rng.uniform(0.0, 0.06), rng.uniform(0.1, 0.3), rng.uniform(0.34, 0.5)])
    )
    loose = float(rng.uniform(0.002, 0.012))
    return Person(skin, cloth_look(rng), bare, loose, float(rng.uniform(0.92, 1.06)))


def place_arm(arm: Arm, person: Person, at: np.ndarray, axes: np.ndarray, mirror: bool) -> Mesh:
    """An arm in the world. at: (3,) m, where the palm is. axes: (3, 3), columns: along the fingers,
    across, out of the palm. mirror: make it the other hand."""
    inside = (arm.reach - person.sleeve_m).astype(np.float32)
    out = person.loose_m * np.clip(inside / 0.004, 0, 1)
    local = (arm.solid.vertices + arm.normals * out[:, None]) * person.scale
    faces = arm.solid.faces
    if mirror:
        local, faces = local * (1, -1, 1), faces[:, ::-1]
    fields = arm.fields.copy()
    fields[:, FIELDS.index("garment0")] = inside
    vertices = (at + local @ axes.T).astype(np.float32)
    garments = (person.sleeve, None, None, None)
    return Mesh(vertices, np.ascontiguousarray(faces), fields, ADULT, person.skin, garments)
