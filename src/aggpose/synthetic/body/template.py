"""What all infants share: anny's mesh, bones and shapes, read once per process.

Frame of reference of the body: x to the body's own left, y to its back, z to its head; standing,
arms half out. anny: Brégier et al., "Human Mesh Modeling for Anny Body", arXiv:2511.03589; code
Apache-2.0, its MakeHuman assets CC0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anny
import cv2
import numpy as np
import roma
import torch
from anny.paths import get_anny_root_dir

FACIAL_ACTIONS = (
    *("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight"),
    *("mouthFrownLeft", "mouthFrownRight", "mouthPucker", "browDownLeft", "browDownRight"),
    *("eyeSquintLeft", "eyeSquintRight", "tongueOut"),
)

# anny's local changes that tell infants apart; those of a side are taken for both sides at once
_SIDED = (
    *("upperleg-fat-incr", "lowerleg-fat-incr", "upperarm-fat-incr", "lowerarm-fat-incr"),
    *("cheek-volume-incr", "eye-scale-incr", "eye-height2-incr", "eye-epicanthus-out"),
    *("eye-trans-out", "hand-fingers-diameter-incr", "hand-fingers-length-incr"),
    *("foot-scale-incr", "ear-wing-incr", "ear-scale-incr"),
)
_MIDDLE = (
    *("measure-upperarm-length-incr", "measure-lowerarm-length-incr", "neck-scale-vert-incr"),
    *("head-scale-horiz-incr", "head-scale-depth-incr", "head-scale-vert-incr", "head-fat-incr"),
    *("head-back-scale-depth-incr", "forehead-nubian-incr", "neck-double-incr"),
    *("nose-scale-horiz-incr", "nose-volume-incr", "nose-point-up", "nose-scale-depth-incr"),
    *("mouth-scale-horiz-incr", "mouth-upperlip-volume-incr", "mouth-lowerlip-volume-incr"),
    *("chin-prominent-incr", "stomach-pregnant-incr", "buttocks-volume-incr"),
)
CHANGES = (*_SIDED, *_MIDDLE)
"""Names of the columns of a body's shape: anny's local changes, in [-1, 1]."""

LEAN, CHUBBY = 0, 1
_GIRTHS = ({"age": 0.0, "weight": 0.25}, {"age": -1 / 3, "weight": 1.0})
ANCESTRIES = ("african", "asian", "caucasian")

# The eye balls are the last vertices of MakeHuman's base mesh (hm08) that anny keeps.
_FIRST_EYE = 14598
_MASKS = ("lips", "ears", "eyelids", "fingernails", "toenails", "inside-mouth")

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


@dataclass(frozen=True)
class Shapes:
    """Everything that is linear in a body's shape. Units of anny (metres before scaling).

    vertices: (N, V, 3). heads: (N, J, 3) where bones begin.
    """

    vertices: np.ndarray
    heads: np.ndarray


@dataclass(frozen=True)
class Cranium:
    """Where the head is measured. edges: (E, 2) of the skull's skin. eyes, head: (n,) vertices."""

    edges: np.ndarray
    eyes: np.ndarray
    head: np.ndarray


@dataclass(frozen=True)
class BodyModel:
    """V vertices, F triangles, J bones, shared by all infants.

    anny: the model. corners: 2 girths x 2 sexes x 3 ancestries = 12 whole bodies, in that order.
    turns: (12, J, 3, 3) orientations of their bones at rest.
    changes: what one unit more, then one unit less, of each of `CHANGES` adds: 2 N.
    actions: (A, V', 3) what facial actions add at the vertices `moved` (V',). faces: (F, 3).
    bones: J names. parents: (J,), -1 for the root. levels: (own, parent) bones by depth.
    reference: (J, 3, 3) orientation of each bone in anny's reference pose, columns are its axes.
    shares: (V, J) skinning weights; skinning: the same as a sparse CSR tensor.
    weights: group of bones -> (V,) share of them; ``.L``, ``.R`` by side.
    masks: parts of the skin -> (V,) in [0, 1]. base: (V,) index in MakeHuman's base mesh.
    joints: name of a COCO point -> (V,) weights of the vertices that make it, sums to 1.
    neighbours: (V, V) sparse CSR tensor, the mean of a vertex's neighbours along edges.
    cranium: where the head is measured.
    """

    anny: anny.Anny
    corners: Shapes
    turns: np.ndarray
    changes: Shapes
    actions: np.ndarray
    moved: np.ndarray
    faces: np.ndarray
    bones: tuple[str, ...]
    parents: np.ndarray
    levels: tuple[tuple[np.ndarray, np.ndarray], ...]
    reference: np.ndarray
    shares: np.ndarray
    skinning: torch.Tensor
    weights: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray]
    base: np.ndarray
    joints: Mapping[str, np.ndarray]
    neighbours: torch.Tensor
    cranium: Cranium


def load_body_model() -> BodyModel:
    """Read anny. A second or two; the very first time anny needs a minute to prepare its cache."""
    labels = [f"{side}-{name}" for name in _SIDED for side in "lr"] + list(_MIDDLE)
    model = anny.Anny(
        local_changes=list(labels),
        facial_actions=list(FACIAL_ACTIONS),
        phenotypes="all",
        phenotype_blendshapes="original",
    ).to(dtype=torch.float32)
    bones = tuple(model.bone_labels)
    parents = np.array([int(p) for p in model.bone_parents])
    faces = model.faces.numpy().astype(np.int32)
    shares = np.zeros((len(model.template_vertices), len(bones)), np.float32)
    rows = np.arange(len(shares))[:, None]
    np.add.at(shares, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
    coco = anny.KeypointsRegressor.coco(model)
    dense = coco.regression_weights.numpy().astype(np.float32)
    assert model.reference_bone_orientations is not None
    base = model.base_mesh_vertex_indices.numpy()
    masks = {name: _painted(model, name) for name in _MASKS}
    masks["eye"] = (base >= _FIRST_EYE).astype(np.float64)
    weights = _group_weights(bones, shares)
    first = len(model.blendshapes) - 2 * len(model.local_change_labels) - len(FACIAL_ACTIONS)
    order = [model.facial_action_labels.index(name) for name in FACIAL_ACTIONS]
    corners, turns = _corners(model)
    actions = model.blendshapes.numpy()[first + np.array(order)]
    moved = np.flatnonzero(np.abs(actions).max(axis=(0, 2)) > 0)
    return BodyModel(
        anny=model,
        corners=corners,
        turns=turns,
        changes=_changes(model),
        actions=actions[:, moved].copy(),
        moved=moved,
        faces=faces,
        bones=bones,
        parents=parents,
        levels=_levels(parents),
        reference=model.reference_bone_orientations.numpy().reshape(-1, 3, 3).astype(np.float64),
        shares=shares,
        skinning=_sparse(shares),
        weights=weights,
        masks=masks,
        base=base,
        joints=dict(zip(coco.labels, dense / dense.sum(axis=1, keepdims=True), strict=True)),
        neighbours=_neighbour_mean(faces, len(shares)),
        cranium=_cranium(faces, weights["head"], masks),
    )


def _corners(model: anny.Anny) -> tuple[Shapes, np.ndarray]:
    kinds = {
        key: torch.tensor([g[key] for g in _GIRTHS for _ in range(6)]) for key in ("age", "weight")
    }
    kinds["gender"] = torch.tensor([float(s) for _ in _GIRTHS for s in (0, 1) for _ in ANCESTRIES])
    for i, name in enumerate(ANCESTRIES):
        kinds[name] = torch.tensor([float(i == k) for k in range(3)] * 4)
    # at this height, once scaled, the legs are an infant's share of the length
    fixed = {"muscle": 0.4, "height": 0.15, "proportions": 0.5, "cupsize": 0.5, "firmness": 0.5}
    kinds |= {key: torch.full((12,), value) for key, value in fixed.items()}
    model.to(dtype=torch.float64)
    with torch.no_grad():
        out = model(phenotype_kwargs=kinds)
    model.to(dtype=torch.float32)
    turns = out["rest_bone_poses"][:, :, :3, :3].numpy()
    return Shapes(out["rest_vertices"].numpy(), out["rest_bone_heads"].numpy()), turns


def _changes(model: anny.Anny) -> Shapes:
    """Both sides of a sided change in one."""
    labels = list(model.local_change_labels)
    first = len(model.blendshapes) - 2 * len(labels)
    vertices, heads = model.blendshapes.numpy(), model.bone_heads_blendshapes.numpy()
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for name in CHANGES:
        wanted = [f"l-{name}", f"r-{name}"] if name in _SIDED else [name]
        rows = [first + 2 * labels.index(label) for label in wanted]
        for more_or_less in (0, 1):
            for into, source in zip(found, (vertices, heads), strict=True):
                into.append(source[[row + more_or_less for row in rows]].sum(axis=0))
    return Shapes(np.stack(found[0]), np.stack(found[1]))


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 3, 3): the rotation nearest to each matrix (orthogonal Procrustes)."""
    with torch.no_grad():
        return roma.special_procrustes(torch.from_numpy(matrices)).numpy()


def _levels(parents: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    depth = np.zeros(len(parents), int)
    for bone, parent in enumerate(parents):
        depth[bone] = depth[parent] + 1 if parent >= 0 else 0
    by_depth = (np.flatnonzero(depth == d) for d in range(1, depth.max() + 1))
    return tuple((own, parents[own]) for own in by_depth)


def _group_weights(bones: Sequence[str], shares: np.ndarray) -> dict[str, np.ndarray]:
    """Group -> (V,), and for the limbs also group.L and group.R."""
    found: dict[str, np.ndarray] = {}
    for name, starts in _GROUPS.items():
        for side in ("", ".L", ".R"):
            own = [b.startswith(starts) and b.endswith(side) for b in bones]
            found[name + side] = shares[:, own].sum(axis=1).astype(np.float64)
    return found


def _cranium(faces: np.ndarray, head: np.ndarray, masks: Mapping[str, np.ndarray]) -> Cranium:
    own = (head > 0.98) & (masks["ears"] < 0.05) & (masks["eye"] < 0.5)
    own &= masks["inside-mouth"] < 0.05
    inner = faces[own[faces].all(axis=1)]
    edges = np.concatenate([inner[:, [0, 1]], inner[:, [1, 2]], inner[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    return Cranium(edges, np.flatnonzero(masks["eye"] > 0.5), np.flatnonzero(own))


def _neighbour_mean(faces: np.ndarray, count: int) -> torch.Tensor:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    degree = np.bincount(edges[:, 0], minlength=count)
    starts = np.concatenate([[0], np.cumsum(degree)])
    values = 1.0 / degree[edges[:, 0]].astype(np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Sparse (CSR|invariant).*")
        return torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            torch.from_numpy(edges[:, 1].astype(np.int64)),
            torch.from_numpy(values.astype(np.float32)),
            (count, count),
        )


def _sparse(dense: np.ndarray) -> torch.Tensor:
    """CSR; torch says with each first one that they are in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Sparse (CSR|invariant).*")
        return torch.from_numpy(dense).to_sparse_csr()


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
