"""Fitting the light double (`rig.Rig`) to a body: places on its skin, balls that fill it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.body import Body, rest_points
from aggpose.synthetic.body.keypoints import PIVOTS
from aggpose.synthetic.pose.rig import GROUPS, LIMBS, Rig

_MASS = (0.27, 0.46, 0.045, 0.045, 0.09, 0.09)
"""Share of the body's mass by `GROUPS`: about a newborn's; our own choice."""

# A segment's balls: the bones at its ends, and where along it (0 to 1) the balls sit.
_SEGMENTS = {
    "upperarm": ("upperarm01", "lowerarm01", (0.25, 0.6, 0.95)),
    "forearm": ("lowerarm01", "wrist", (0.35, 0.65, 0.95)),
    "hand": ("wrist", "finger3-1", (0.45, 1.0)),
    "fingers": ("finger3-1", "finger3-3", (0.8,)),
    "thigh": ("upperleg01", "lowerleg01", (0.35, 0.65, 0.95)),
    "shank": ("lowerleg01", "foot", (0.3, 0.6, 0.9)),
    "foot": ("foot", "toe3-1", (0.2, 0.65, 1.1)),
}
_MEETINGS = (  # which may collide, which side of the body, and how far they may overlap (m)
    ("hand", "head", "any", 0.004),
    ("fingers", "head", "any", 0.004),
    ("forearm", "head", "any", 0.006),
    ("upperarm", "head", "any", 0.020),
    ("hand", "trunk", "any", 0.004),
    ("fingers", "trunk", "any", 0.004),
    ("forearm", "trunk", "any", 0.010),
    ("upperarm", "trunk", "far", 0.022),
    ("hand", "thigh", "any", 0.005),
    ("hand", "shank", "any", 0.005),
    ("hand", "foot", "any", 0.005),
    ("forearm", "thigh", "any", 0.008),
    ("forearm", "shank", "any", 0.008),
    ("forearm", "foot", "any", 0.008),
    ("upperarm", "thigh", "any", 0.010),
    ("upperarm", "shank", "any", 0.010),
    ("upperarm", "foot", "any", 0.008),
    ("hand", "hand", "other", 0.004),
    ("hand", "fingers", "other", 0.004),
    ("hand", "forearm", "other", 0.005),
    ("hand", "upperarm", "any", 0.008),
    ("forearm", "forearm", "other", 0.006),
    ("forearm", "upperarm", "other", 0.008),
    ("thigh", "trunk", "far", 0.040),
    ("shank", "trunk", "any", 0.012),
    ("foot", "trunk", "any", 0.006),
    ("foot", "head", "any", 0.006),
    ("shank", "head", "any", 0.010),
    ("thigh", "thigh", "other", 0.014),
    ("thigh", "shank", "other", 0.010),
    ("shank", "shank", "other", 0.008),
    ("foot", "thigh", "any", 0.010),
    ("foot", "shank", "other", 0.006),
    ("foot", "foot", "other", 0.005),
)


@dataclass(frozen=True)
class _Ball:
    """part: e.g. ``forearm.L`` or ``head``. order: 0 next to the trunk. of: indices of
    the vertices that it moves with, all alike."""

    part: str
    order: int
    centre: np.ndarray
    radius: float
    of: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        return np.full(len(self.of), 1 / len(self.of))


def make_rig(body: Body, skin: int = 400) -> Rig:
    """The light double of a body. skin: about how many places on the skin."""
    shares = body.shares
    at = dict(zip(body.bones, body.heads, strict=True))
    surface = 0.5 * (body.bare + body.vertices)  # clothes give way by half
    places = _skin_places(body, surface, skin)
    balls = [*_limb_balls(body, surface, at), *_core_balls(body, surface, at)]
    group = np.argmax([_group_weight(body, name) for name in GROUPS], axis=0)[places]
    keys, key_shares = _key_points(body)
    parts = tuple((ball.part, ball.order) for ball in balls)
    pairs, give = _meetings(parts)
    blend = np.concatenate([shares[places], [b.shares @ shares[b.of] for b in balls], key_shares])
    where = np.concatenate([surface[places], [b.centre for b in balls], keys])
    limb = _limbs(body.bones, blend)
    offsets, levels = _chain(body)
    named = {f"{part}.{order}": len(places) + i for i, (part, order) in enumerate(parts)}
    counts = np.bincount(group, minlength=len(GROUPS)).clip(1)
    return Rig(
        skin=len(places),
        balls=len(balls),
        group=group,
        limb=limb,
        mass=(np.array(_MASS) / counts)[group],
        radius=np.array([ball.radius for ball in balls]),
        pairs=pairs,
        give=give,
        named=named,
        bones=body.bones,
        axes=dict(zip(body.bones, body.reference, strict=True)),
        order={name: i for i, name in enumerate(body.bones)},
        offsets=offsets,
        rest=np.concatenate(
            [body.reference @ np.swapaxes(body.turns, 1, 2), body.heads[..., None]], axis=-1
        ),
        levels=levels,
        blocks=_blocks(limb, blend, where),
    )


def _key_points(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Key points of infant24 at rest (24, 3) m and the bones' shares in them (24, J)."""
    places, shares = rest_points(body), np.zeros((len(INFANT24), len(body.bones)))
    for name, bone in PIVOTS.items():
        shares[INFANT24.index(name), body.bones.index(bone)] = 1.0
    for name, (indices, weights) in body.surface.items():
        shares[INFANT24.index(name)] = weights @ body.shares[indices]
    return places, shares


def _group_weight(body: Body, name: str) -> np.ndarray:
    """(V,): arms with their hands."""
    if name.startswith("arm"):
        return body.weights[name] + body.weights[name.replace("arm", "hand")]
    return body.weights[name]


def _limbs(bones: Sequence[str], blend: np.ndarray) -> np.ndarray:
    """(P,) index into `LIMBS` of the limb that moves each point most, -1 for none."""
    trunk = ("root", "pelvis", "spine", "clavicle", "neck", "head", "eye")
    legs = ("upperleg", "lowerleg", "foot", "toe")
    total = np.zeros((len(LIMBS), len(blend)))
    for i, bone in enumerate(bones):
        if not bone.startswith(trunk):
            limb = ("leg" if bone.startswith(legs) else "arm") + bone[-2:]
            total[LIMBS.index(limb)] += blend[:, i]
    total = total.round(9)  # on the mid-line both sides move a point alike: the first is taken
    return np.where(total.max(axis=0) > 0.02, total.argmax(axis=0), -1)


def _blocks(
    limb: np.ndarray, blend: np.ndarray, where: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
    """Points by limb, with the bones that move them: `Rig.blocks`."""
    whole = np.concatenate([where, np.ones((len(where), 1))], axis=1)
    found = []
    for own in np.unique(limb):
        rows = np.flatnonzero(limb == own)
        used = np.flatnonzero(blend[rows].sum(axis=0) > 1e-6)
        wide = blend[rows][:, used, None] * whole[rows, None]
        found.append((rows, used, wide.reshape(len(rows), -1)))
    return tuple(found)


def _chain(body: Body) -> tuple[np.ndarray, tuple[tuple[np.ndarray, np.ndarray], ...]]:
    """Offsets (J, 3) m from each bone's parent in the reference pose; (own, parents) by depth."""
    offsets = np.zeros_like(body.heads)
    depth = np.zeros(len(body.parents), int)
    for bone, parent in enumerate(body.parents):
        if parent < 0:
            continue
        depth[bone] = depth[parent] + 1
        moved = np.eye(3) if parent == 0 else body.reference[parent] @ body.turns[parent].T
        offsets[bone] = moved @ (body.heads[bone] - body.heads[parent])
    levels = [np.flatnonzero(depth == d) for d in range(1, depth.max() + 1)]
    return offsets, tuple((own, body.parents[own]) for own in levels)


_FINE = ("pelvis", "root", "spine05", "toe", "finger", "neck03")
"""Bones whose skin is sampled closely: small parts that reach the ground first."""


def _skin_places(body: Body, surface: np.ndarray, about: int) -> np.ndarray:
    """Indices of vertices spread over the skin: one in each cell of a grid."""
    bones = body.shares.argmax(axis=1)
    usable = np.flatnonzero(body.masks["eye"] + body.masks["inside-mouth"] < 0.5)
    fine = np.isin(bones[usable], [i for i, n in enumerate(body.bones) if n.startswith(_FINE)])
    cell = np.where(fine, 0.017, 0.033) * body.length_m / 0.605 * np.sqrt(400 / about)
    keys = np.floor((surface[usable] + 10.0) / cell[:, None]).astype(np.int64)
    code = (keys[:, 0] * 100_003 + keys[:, 1]) * 100_003 + keys[:, 2]
    _, inverse = np.unique(code, return_inverse=True)
    counts = np.bincount(inverse)
    # the outermost vertex of a cell, seen from the middle of its bone: noses, heels, elbows count
    bone = np.concatenate([bones[usable], np.arange(bones.max() + 1)])
    sums = [np.bincount(bone[: len(usable)], surface[usable, i], bones.max() + 1) for i in range(3)]
    middle = np.stack(sums, axis=1) / np.bincount(bone)[:, None]
    off = -np.linalg.norm(surface[usable] - middle[bones[usable]], axis=1)
    order = np.lexsort((off.round(9), inverse))  # mirrored ones are as far: the first is taken
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return usable[order[first]]


def _limb_balls(body: Body, surface: np.ndarray, at: Mapping[str, np.ndarray]) -> list[_Ball]:
    found = []
    for short in "LR":
        for part, (first, last, along) in _SEGMENTS.items():
            group = "arm" if part in ("upperarm", "forearm", "hand", "fingers") else "leg"
            extra = "hand" if group == "arm" else "foot"
            share = np.maximum(body.weights[f"{group}.{short}"], body.weights[f"{extra}.{short}"])
            own = np.flatnonzero(share > 0.6)
            start, end = at[f"{first}.{short}"], at[f"{last}.{short}"]
            axis = end - start
            length = np.linalg.norm(axis)
            axis = axis / length
            local = surface[own] - start
            far = local @ axis
            across = np.linalg.norm(local - far[:, None] * axis, axis=1)
            for order, f in enumerate(along):
                near = (np.abs(far - f * length) < 0.009) & (across < 0.06)
                if near.sum() < 4:
                    continue
                centre = surface[own[near]].mean(axis=0)
                off = surface[own[near]] - centre
                off -= (off @ axis)[:, None] * axis
                radius = float(np.linalg.norm(off, axis=1).mean())
                found.append(_Ball(f"{part}.{short}", order, centre, radius, own[near]))
    return found


def _core_balls(body: Body, surface: np.ndarray, at: Mapping[str, np.ndarray]) -> list[_Ball]:
    """The trunk: pairs of balls side by side at five heights; the head: cranium and face."""
    found = []
    own = np.flatnonzero(body.weights["trunk"] > 0.6)
    places = surface[own]
    low, high = at["upperleg01.L"][2] - 0.02, at["clavicle.L"][2] - 0.005
    for order, height in enumerate(np.linspace(low, high, 5)):
        near = np.abs(places[:, 2] - height) < 0.012
        middle = places[near].mean(axis=0) * (0, 1, 1)
        depth = 0.5 * np.ptp(np.percentile(places[near, 1], (4, 96)))
        width = 0.5 * np.ptp(np.percentile(places[near, 0], (4, 96)))
        for side in (1.0, -1.0):
            centre = middle + np.array([side * max(width - depth, 0.0), 0, 0])
            found.append(_Ball("trunk", order, centre, float(depth), own[near]))
    own = np.flatnonzero((body.weights["head"] > 0.7) & (body.masks["eye"] < 0.5))
    places = surface[own]
    top, back, front = places[:, 2].max(), places[:, 1].max(), places[:, 1].min()
    width = 0.5 * np.ptp(np.percentile(places[:, 0], (3, 97)))
    deep = 0.5 * (back - front)
    for order, (y, z, r) in enumerate(
        (
            (back - width, top - width, width),
            (front + 0.75 * deep, top - 1.05 * width, 0.90 * width),
            (front + 0.70 * deep, top - 1.9 * width, 0.62 * width),
        )
    ):
        found.append(_Ball("head", order, np.array([0.0, y, z]), float(r), own))
    return found


_NEIGHBOURS = {("hand", "upperarm"), ("foot", "thigh")}
"""Of the same limb: these meet only near the root of it."""


@lru_cache(maxsize=8)
def _meetings(parts: tuple[tuple[str, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (Q, 2) of balls that could collide, and how far they may overlap (Q,) m."""
    allowed = {(first, second): (where, deep) for first, second, where, deep in _MEETINGS}
    pairs, give = [], []
    for i, (one, one_order) in enumerate(parts):
        for j, (two, two_order) in enumerate(parts):
            kinds = (one.partition(".")[0], two.partition(".")[0])
            if kinds not in allowed or (kinds[0] == kinds[1] and i > j):
                continue
            where, deep = allowed[kinds]
            same = one[-2:] == two[-2:]
            if (where == "other" and same) or (where == "far" and one_order == 0):
                continue
            if same and kinds in _NEIGHBOURS and two_order > 0:
                continue
            pairs.append((i, j))
            give.append(deep)
    return np.array(pairs), np.array(give)
