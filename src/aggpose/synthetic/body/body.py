"""An infant's body: built from who the infant is, posed, and handed to the renderer.

Frame of reference of the body: metres; x to the body's own left, y to its back, z to its head.
Posed, its origin is the root of the bones, in the pelvis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.clothes import dress, find_landmarks
from aggpose.synthetic.body.drape import Drape, hang, make_drape
from aggpose.synthetic.body.fit import fit_rest
from aggpose.synthetic.body.infant import Infant, sample_infant
from aggpose.synthetic.body.keypoints import PIVOTS, surface_points
from aggpose.synthetic.body.surface import creases, skin_fields
from aggpose.synthetic.body.template import FACIAL_ACTIONS, BodyModel, load_body_model
from aggpose.synthetic.mesh import INFANT, Material, Mesh

_CHUNK = 8
"""Poses skinned at once: keeps the memory of long clips flat."""


@dataclass(frozen=True)
class Body:
    """An infant ready to be posed. V vertices, F triangles, J bones. Metres.

    infant: who it is. model: what all infants share. vertices: (V, 3) at rest, dressed; bare:
    without clothes. faces: (F, 3) int. offsets: (V, 3) how far the clothes stand out.
    bones: names of the J bones; parents: (J,), -1 for the root. heads: (J, 3) where the bones begin
    at rest, at the joints' centres; turns: (J, 3, 3) their orientation at rest; reference:
    (J, 3, 3) in anny's reference pose; columns are a bone's axes, y along the bone.
    shares: (V, J) skinning weights. weights: name of a group of bones -> (V,) share of them.
    masks: parts of the skin -> (V,) in [0, 1]. eyes: (2, 3) centres of the eye balls at rest,
    left then right. normals: (V, 3) of the bare body at rest. surface: key point on the surface
    -> vertices and their weights. actions: (A, V', 3) what facial actions add at `moved` (V',).
    fields: (V, len(mesh.FIELDS)). materials: of garment0..3. drape: how cloth hangs, or None.
    length_m: crown to heel.
    """

    infant: Infant
    model: BodyModel
    vertices: np.ndarray
    bare: np.ndarray
    faces: np.ndarray
    offsets: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    heads: np.ndarray
    turns: np.ndarray
    reference: np.ndarray
    shares: np.ndarray
    weights: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray]
    eyes: np.ndarray
    normals: np.ndarray
    surface: Mapping[str, tuple[np.ndarray, np.ndarray]]
    actions: np.ndarray
    moved: np.ndarray
    fields: np.ndarray
    materials: tuple[Material | None, ...]
    drape: Drape | None
    length_m: float


def build(infant: Infant, model: BodyModel) -> Body:
    """The body of an infant, dressed."""
    rest = fit_rest(model, infant.build)
    length = infant.build.length_m
    heads = dict(zip(model.bones, rest.heads, strict=True))
    marks = find_landmarks(rest.vertices, model.faces, model.weights, model.masks, heads, length)
    folds = creases(marks)
    # the chubbier, the deeper the folds of the skin
    depth = folds * (0.0005 + 0.0022 * np.clip(rest.girth, 0, 1)) * marks.unit
    bare = rest.vertices - depth[:, None] * marks.normals
    rng = np.random.default_rng([infant.seed, 1])
    dressed = dress(marks, infant.garments, model.neighbours, rng)
    surface = surface_points(model)
    nose = _at(surface["nose"], bare)
    kinds = [garment.material for garment in infant.garments]
    return Body(
        infant=infant,
        model=model,
        vertices=bare + dressed.offsets,
        bare=bare,
        faces=model.faces,
        offsets=dressed.offsets,
        bones=model.bones,
        parents=model.parents,
        heads=rest.heads,
        turns=rest.turns,
        reference=model.reference,
        shares=model.shares,
        weights=model.weights,
        masks=model.masks,
        eyes=np.stack([heads["eye.L"], heads["eye.R"]]),
        normals=marks.normals,
        surface=surface,
        actions=(model.actions * rest.head_scale).astype(np.float32),
        moved=model.moved,
        fields=skin_fields(marks, model.masks, heads, nose, dressed.fields, folds, rng),
        materials=(*kinds, *(None,) * (4 - len(kinds))),
        drape=make_drape(dressed.free, dressed.shrink, model.neighbours),
        length_m=length,
    )


def make_body(infant: Infant | None = None) -> Body:
    """A body with a model of its own; many bodies share one with `build`."""
    infant = infant or sample_infant(np.random.default_rng(7), age_months=3)
    return build(infant, load_body_model())


def pose_body(
    body: Body, rotations: Mapping[str, np.ndarray], face: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pose an infant T times.

    rotations: bone -> (T, 3, 3), turning the bone from anny's reference pose, in the body's axes
        as they are there, before the parents turn. face: facial action -> (T,) in [0, 1].
    Returns the vertices (T, V, 3) and the key points of infant24 (T, 24, 3), metres, body frame.
    """
    count = len(next(iter(rotations.values())))
    linear, places = _chain(body, rotations, count)
    shift = places - (linear @ body.heads[..., None])[..., 0]
    matrix = np.concatenate([linear, shift[..., None]], axis=-1)  # (T, J, 3, 4)
    vertices = np.empty((count, len(body.vertices), 3), np.float32)
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        amounts = {name: value[part] for name, value in (face or {}).items()}
        vertices[part] = _skin(body, matrix[part].astype(np.float32), amounts)
    points = np.empty((count, len(INFANT24), 3))
    for name, bone in PIVOTS.items():
        points[:, INFANT24.index(name)] = places[:, body.bones.index(bone)]
    for name, (indices, weights) in body.surface.items():
        points[:, INFANT24.index(name)] = np.einsum("n,tnd->td", weights, vertices[:, indices])
    return vertices.astype(np.float64), points


def rest_points(body: Body) -> np.ndarray:
    """(24, 3) m: key points of infant24 on the dressed body at rest."""
    points = np.empty((len(INFANT24), 3))
    for name, bone in PIVOTS.items():
        points[INFANT24.index(name)] = body.heads[body.bones.index(bone)]
    for name, where in body.surface.items():
        points[INFANT24.index(name)] = _at(where, body.vertices)
    return points


def body_mesh(body: Body, vertices: np.ndarray) -> Mesh:
    """The dressed infant for the renderer. vertices: (V, 3) m, world."""
    return Mesh(
        vertices=np.asarray(vertices, np.float32),
        faces=body.faces,
        fields=body.fields,
        part=INFANT,
        material=body.infant.skin,
        garments=body.materials,
    )


def _chain(
    body: Body, rotations: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turns from rest (T, J, 3, 3) and places of the heads (T, J, 3) m of posed bones."""
    bones = len(body.bones)
    turn = np.broadcast_to(np.eye(3), (count, bones, 3, 3)).copy()
    for bone, value in rotations.items():
        turn[:, body.bones.index(bone)] = value
    # as anny does it: in the reference pose a bone carries its children with it, the root does not
    carry = body.reference @ np.swapaxes(body.turns, -1, -2)
    first = carry.copy()
    first[0] = np.eye(3)
    place = np.zeros((count, bones, 3))
    for own, parent in body.model.levels:
        step = (first[parent] @ (body.heads[own] - body.heads[parent])[..., None])[..., 0]
        before = turn[:, parent]
        place[:, own] = place[:, parent] + (before @ step[..., None])[..., 0]
        turn[:, own] = before @ turn[:, own]
    return turn @ carry, place


def _skin(body: Body, matrix: np.ndarray, face: Mapping[str, np.ndarray]) -> np.ndarray:
    """(T, V, 3) m. matrix: (T, J, 3, 4) of the bones."""
    count = len(matrix)
    flat = torch.from_numpy(matrix.transpose(1, 0, 2, 3).reshape(len(body.bones), -1).copy())
    with torch.no_grad():
        blend = (body.model.skinning @ flat).view(-1, count, 3, 4)  # (V, T, 3, 4)
        rest = torch.from_numpy(body.vertices.astype(np.float32))[:, None].repeat(1, count, 1)
        for name, amount in face.items():
            shape = torch.from_numpy(body.actions[FACIAL_ACTIONS.index(name)])
            rest[body.moved] += (
                shape[:, None] * torch.from_numpy(amount.astype(np.float32))[:, None]
            )
        posed = (blend[..., :3] * rest[:, :, None]).sum(dim=-1) + blend[..., 3]
        if body.drape is not None:
            own = torch.from_numpy(body.drape.own)
            normals = torch.from_numpy(body.normals[body.drape.own].astype(np.float32))
            for t in range(count):
                outward = (blend[own, t, :, :3] * normals[:, None]).sum(dim=-1)
                outward = torch.nn.functional.normalize(outward, dim=1)
                posed[own, t] = hang(body.drape, posed[own, t], outward)
    return posed.permute(1, 0, 2).numpy()


def _at(where: tuple[np.ndarray, np.ndarray], vertices: np.ndarray) -> np.ndarray:
    indices, weights = where
    return weights @ vertices[indices]
