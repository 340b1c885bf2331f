"""An infant's body: shape, pose, and where its key points are, from the `anny` model.

Frame of reference of the body: metres; x to the body's own left, y to its back, z to its head;
standing, with the origin where anny puts it. anny: Brégier et al., "Human Mesh Modeling for Anny
Body", arXiv:2511.03589; code Apache-2.0, its MakeHuman assets CC0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import anny
import cv2
import numpy as np
import torch
from anny.paths import get_anny_root_dir

from aggpose.skeleton import INFANT24
from aggpose.synthetic.clothes import dress

FACIAL_ACTIONS = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight")

_LOCAL_CHANGES = (
    *("head-scale-horiz-incr", "head-scale-vert-incr", "head-scale-depth-incr", "head-fat-incr"),
    *("l-cheek-volume-incr", "r-cheek-volume-incr", "neck-scale-vert-incr"),
    "head-back-scale-depth-incr",
)

# Vertices of MakeHuman's base mesh (hm08), on its mid-line.
_SURFACE_POINTS = {"chin": 5162, "chest": 1892, "navel": 4121}
# The eye balls are the last vertices of it that anny keeps.
_FIRST_EYE = 14598
_MASKS = ("lips", "ears", "eyelids", "fingernails", "toenails", "inside-mouth")


@dataclass(frozen=True)
class Shape:
    """What makes one infant different from another.

    length_m: crown to heel, metres. WHO's median at 3 months: 0.61 (boys), 0.60 (girls).
    phenotype: anny's parameters in [0, 1]; age 0 is its newborn. height sets the proportions here
        (at 0.15 the head is a quarter of the length), for the size follows from length_m.
    local_changes: anny's local changes in [-1, 1].
    """

    length_m: float = 0.605
    phenotype: Mapping[str, float] = field(
        default_factory=lambda: {
            "gender": 0.5,
            "age": 0.0,
            "muscle": 0.4,
            "weight": 0.7,
            "height": 0.15,
            "proportions": 0.5,
        }
    )
    local_changes: Mapping[str, float] = field(
        default_factory=lambda: {
            "head-scale-horiz-incr": 0.45,
            "head-scale-depth-incr": 0.15,
            "head-scale-vert-incr": 0.1,
            "l-cheek-volume-incr": 0.4,
            "r-cheek-volume-incr": 0.4,
            "neck-scale-vert-incr": -0.8,
            "head-back-scale-depth-incr": 0.2,
        }
    )


@dataclass(frozen=True)
class Body:
    """An infant at rest, ready to be posed. V vertices, F triangles, J bones, all at its scale.

    vertices: (V, 3) m, at rest, dressed. faces: (F, 3) int. scale: metres per metre of anny.
    offsets: (V, 3) m of anny: how far the clothes stand out.
    bones: names of the J bones. reference: (J, 3, 3) orientation of each bone in anny's reference
        pose, columns are its axes, y along the bone.
    masks: name -> (V,) in [0, 1] for parts (lips, nails, ...), `suit`: metres inside of the suit's
        edge, negative outside; `hair`: metres inside of the hair line.
    weights: name of a group of bones -> (V,) share of the skinning weights.
    regressor: (24, V) rows that sum to 1; key points of infant24 from vertices.
    eyes: (2, 3) m, centres of the eye balls at rest, left then right.
    length_m: crown to heel.
    """

    model: anny.Anny
    shape: Shape
    vertices: np.ndarray
    faces: np.ndarray
    scale: float
    offsets: np.ndarray
    bones: tuple[str, ...]
    reference: np.ndarray
    masks: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    regressor: np.ndarray
    eyes: np.ndarray
    length_m: float


def make_body(shape: Shape | None = None) -> Body:
    """Build an infant. The first time anny needs a minute or two to prepare its cache."""
    shape = shape or Shape()
    model = anny.Anny(local_changes=list(_LOCAL_CHANGES), facial_actions=list(FACIAL_ACTIONS)).to(
        dtype=torch.float32
    )
    with torch.no_grad():
        out = model(
            phenotype_kwargs=dict(shape.phenotype), local_changes_kwargs=dict(shape.local_changes)
        )
    rest = out["rest_vertices"][0].numpy().astype(np.float64)
    length = float(np.ptp(rest[:, 2]))
    scale = shape.length_m / length
    faces = model.faces.numpy().astype(np.int32)
    weights = _group_weights(model)
    heads = dict(zip(model.bone_labels, out["rest_bone_heads"][0].numpy() * scale, strict=True))
    base = model.base_mesh_vertex_indices.numpy()
    clothes = dress(rest * scale, faces, weights, heads)
    masks = {name: _painted(model, name) for name in _MASKS} | {
        "suit": clothes.suit,
        "hair": clothes.hair,
        "eye": (base >= _FIRST_EYE).astype(np.float64),
    }
    reference = model.reference_bone_orientations
    assert reference is not None
    return Body(
        model=model,
        shape=shape,
        vertices=rest * scale + clothes.offsets,
        faces=faces,
        scale=scale,
        offsets=clothes.offsets / scale,
        bones=tuple(model.bone_labels),
        reference=reference.numpy().reshape(-1, 3, 3).astype(np.float64),
        masks=masks,
        weights=weights,
        regressor=_regressor(model, rest, base),
        eyes=np.stack([heads["eye.L"], heads["eye.R"]]),
        length_m=length * scale,
    )


def pose_body(
    body: Body, rotations: Mapping[str, np.ndarray], face: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pose an infant T times.

    rotations: bone -> (T, 3, 3), turning the bone from anny's reference pose, in the body's axes
        as they are there, before the parents turn. face: facial action -> (T,) in [0, 1].
    Returns the vertices (T, V, 3) and the key points of infant24 (T, 24, 3), metres, body frame.
    """
    count = len(next(iter(rotations.values())))
    pose = torch.eye(4).repeat(count, len(body.bones), 1, 1)
    for bone, turn in rotations.items():
        pose[:, body.bones.index(bone), :3, :3] = torch.from_numpy(turn.astype(np.float32))
    actions = {k: torch.from_numpy(v.astype(np.float32)) for k, v in (face or {}).items()}
    local = {k: torch.full((count,), float(v)) for k, v in body.shape.local_changes.items()}
    kinds = {k: torch.full((count,), float(v)) for k, v in body.shape.phenotype.items()}
    with torch.no_grad():
        out = body.model(phenotype_kwargs=kinds, local_changes_kwargs=local, facial_actions=actions)
        transforms, _ = body.model.get_bone_transforms(pose, out["rest_bone_poses"])
        dressed = out["rest_vertices"] + torch.from_numpy(body.offsets.astype(np.float32))
        bare = body.model.get_skinned_vertices(out["rest_vertices"], transforms).numpy()
        vertices = body.model.get_skinned_vertices(dressed, transforms).numpy() * body.scale
    # joints lie in the bare body; what is seen lies on the clothes
    points = np.einsum("kv,tvd->tkd", body.regressor, bare * body.scale)
    for name, index in _SURFACE_POINTS.items():
        where = int(np.flatnonzero(body.model.base_mesh_vertex_indices.numpy() == index)[0])
        points[:, INFANT24.index(name)] = vertices[:, where]
    return vertices.astype(np.float64), points


def _regressor(model: anny.Anny, rest: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(24, V) weights that make infant24 from bare vertices."""
    coco = anny.KeypointsRegressor.coco(model)
    dense = coco.regression_weights.numpy().astype(np.float64)
    rows = {label: dense[i] for i, label in enumerate(coco.labels)}
    for side, short in (("left", "L"), ("right", "R")):
        rows[f"{side}_toe"] = rows[f"{side}_big_toe"]
        rows[f"{side}_middle_finger"] = _tip(model, rest, f"finger3-3.{short}")
    for name, index in _SURFACE_POINTS.items():
        rows[name] = (base == index).astype(np.float64)
    return np.stack([rows[name] / rows[name].sum() for name in INFANT24.keypoints])


def _tip(model: anny.Anny, rest: np.ndarray, bone: str) -> np.ndarray:
    """(V,) mean of the vertices at the end of a bone, furthest away from its parent."""
    which = model.bone_labels.index(bone)
    share = _share(model, {which})
    own = np.flatnonzero(share > 0.5)
    before = np.flatnonzero(_share(model, {which - 1}) > 0.5)
    along = rest[own].mean(axis=0) - rest[before].mean(axis=0)
    furthest = own[np.argsort(rest[own] @ along)[-8:]]
    row = np.zeros(len(rest))
    row[furthest] = 1.0 / len(furthest)
    return row


def _share(model: anny.Anny, bones: set[int]) -> np.ndarray:
    indices = model.vertex_bone_indices.numpy()
    chosen = np.isin(indices, list(bones))
    return (model.vertex_bone_weights.numpy().astype(np.float64) * chosen).sum(axis=1)


_GROUPS = {
    "head": ("head", "neck03", "eye"),
    "neck": ("neck01", "neck02"),
    "trunk": ("root", "spine", "pelvis", "clavicle", "shoulder01"),
    "arm": ("upperarm", "lowerarm"),
    "upperarm": ("upperarm",),
    "hand": ("wrist", "finger", "metacarpal"),
    "leg": ("upperleg", "lowerleg", "foot", "toe"),
    "upperleg": ("upperleg",),
    "foot": ("foot", "toe"),
}


def _group_weights(model: anny.Anny) -> dict[str, np.ndarray]:
    """Group -> (V,), and for the limbs also group.L and group.R."""
    found: dict[str, np.ndarray] = {}
    for name, starts in _GROUPS.items():
        for side in ("", ".L", ".R"):
            bones = {
                i
                for i, label in enumerate(model.bone_labels)
                if label.startswith(starts) and label.endswith(side)
            }
            found[name + side] = _share(model, bones)
    return found


def _painted(model: anny.Anny, name: str) -> np.ndarray:
    """(V,) in [0, 1]: one of MakeHuman's painted masks at the vertices."""
    path = get_anny_root_dir() / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise FileNotFoundError(f"{path}: anny's painted mask is missing or unreadable")
    assert model.texture_coordinates is not None
    assert model.face_texture_coordinate_indices is not None
    at = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()]
    height, width = mask.shape
    column = (at[..., 0] * (width - 1)).round().astype(int).clip(0, width - 1)
    row = ((1 - at[..., 1]) * (height - 1)).round().astype(int).clip(0, height - 1)
    values = mask[row, column] / 255.0
    corners = model.faces.numpy().ravel()
    count = len(model.template_vertices)
    total = np.bincount(corners, values.ravel(), minlength=count)
    return total / np.maximum(1, np.bincount(corners, minlength=count))
