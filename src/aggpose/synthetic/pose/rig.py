"""From joint angles to bones, and a light double of the body to reason on.

`bone_rotations` speaks to `body.pose_body`. The `Rig` poses a few hundred points of the same body
(places on its skin, and balls that fill it) hundreds of times faster than the whole mesh; contact
is found on it. Both use the same turns, so the double does what the body does.

Body frame: metres; x to the body's own left, y to its back, z to its head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aggpose.synthetic.pose.joints import ARM, BODY, LEG, Angles, as_array

GROUPS = ("head", "trunk", "arm.L", "arm.R", "leg.L", "leg.R")
"""Parts of the body, as `body.Body.weights` names them."""
LIMBS = GROUPS[2:]

_LIMB = len(ARM) + len(LEG)
_OUT = np.array([[1.0], [-1.0]])  # from the middle, by side
# Share of the head's turn and nod, and of the neck's bend: the neck bends, the head stays level.
_NECK = (("neck01", 0.15, 0.6), ("neck02", 0.2, 0.4), ("neck03", 0.2, -0.3), ("head", 0.45, -0.5))
_SPINE = ("spine05", "spine04", "spine03", "spine02")


_HAND = {
    "wrist": 1.0,
    **{f"finger{f}-{part}": s for part, s in (("1", 1.0), ("2", 1.15), ("3", 0.6)) for f in "2345"},
    "finger1-2": 0.5,
    "finger1-3": 0.6,
}
"""Bones that bend about their own axes, and their shares: the wrist of its angle, the others of
``fingers``."""


def bone_rotations(
    angles: Angles, bones: Sequence[str], reference: np.ndarray
) -> dict[str, np.ndarray]:
    """Bone -> (T, 3, 3) in the terms of `body.pose_body`.

    bones, reference: as in `body.Body`. Straight down is the neutral pose of every limb, the knees
    and elbows bend in the sagittal plane; from there the limbs are turned.
    """
    return turns_of(as_array(angles), dict(zip(bones, reference, strict=True)))


def turns_of(array: np.ndarray, axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As `bone_rotations`, of angles (T, len(ANGLES)); axes: bone -> its reference (3, 3)."""
    limbs = array[:, : 2 * _LIMB].reshape(len(array), 2, _LIMB).transpose(2, 1, 0)  # name, side, T
    own = dict(zip((*ARM, *LEG), limbs, strict=True))
    both = _arms(own, axes) | _legs(own, axes)
    turns = {
        f"{bone}.{short}": turn[i]
        for bone, turn in both.items()
        for i, short in ((0, "L"), (1, "R"))
    }
    whole = dict(zip(BODY, array[:, 2 * _LIMB :].T, strict=True))
    share, bend = np.array([shares for _, *shares in _NECK]).T[..., None]
    neck = (
        _about("z", share * whole["head_turn"])
        @ _about("y", share * whole["head_tilt"])
        @ _about("x", share * whole["head_nod"] + bend * whole["neck_bend"])
    )
    turns |= {bone: turn for (bone, *_), turn in zip(_NECK, neck, strict=True)}
    spine = (
        _about("z", whole["trunk_turn"] / len(_SPINE))
        @ _about("y", whole["trunk_tilt"] / len(_SPINE))
        @ _about("x", whole["trunk_bend"] / len(_SPINE))
    )
    return turns | {bone: spine for bone in _SPINE}


def _arms(own: Angles, axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bone without side -> (2, T, 3, 3), left then right."""
    straight, bent = _straighten(axes, "upperarm02"), _straighten(axes, "lowerarm01")
    lift = _about("y", -_OUT * own["arm_out"]) @ _about("x", -own["arm_up"])
    half_turn = _about("z", _OUT * own["arm_turn"] * 0.5)
    # beyond 30 degrees the shoulder blade takes its part
    blade = _about("y", -_OUT * 0.22 * (own["arm_out"] - 30).clip(0))
    first = lift @ half_turn
    second = first @ half_turn
    forearm = second @ _about("x", -own["elbow"])
    first, second, third = first @ straight, second @ straight, forearm @ bent
    fourth = forearm @ _about("z", -_OUT * own["pronation"]) @ bent
    turns = {
        "clavicle": _about("y", np.broadcast_to(-_OUT * 9.0, own["elbow"].shape)),
        "shoulder01": blade,
        "upperarm01": _back(blade) @ first,
        "upperarm02": _back(first) @ second,
        "lowerarm01": _back(second) @ third,
        "lowerarm02": _back(third) @ fourth,
    }
    shares = np.array(list(_HAND.values()))[:, None, None]
    bend = shares * np.stack([own["wrist"], *[own["fingers"]] * (len(_HAND) - 1)])
    # (bones, 2, 1, 3, 3): turns about the bones' own axes
    both = np.array([[axes[f"{bone}.L"], axes[f"{bone}.R"]] for bone in _HAND])[:, :, None]
    hand = both @ _about("x", bend) @ _back(both)
    return turns | dict(zip(_HAND, hand, strict=True))


def _legs(own: Angles, axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bone without side -> (2, T, 3, 3), left then right."""
    straight, bent = _straighten(axes, "upperleg02"), _straighten(axes, "lowerleg01")
    lift = _about("x", -own["hip_flexion"]) @ _about("y", -_OUT * own["hip_out"])
    half_turn = _about("z", _OUT * own["hip_turn"] * 0.5)
    first = lift @ half_turn
    second = first @ half_turn
    third = second @ _about("x", own["knee"]) @ bent
    first, second = first @ straight, second @ straight
    turns = {
        "upperleg01": first,
        "upperleg02": _back(first) @ second,
        "lowerleg01": _back(second) @ third,
        "foot": _about("x", -own["ankle"]) @ _about("y", _OUT * own["inversion"]),
    }
    toes = _about("x", own["toes"])
    return turns | {f"toe{toe}-1": toes for toe in "12345"}


def _straighten(axes: Mapping[str, np.ndarray], bone: str) -> np.ndarray:
    """(2, 1, 3, 3): the smallest turns that bring a bone (its y axis) to point straight down."""
    return np.stack([_down(*axes[f"{bone}.{short}"][:, 1].tolist()) for short in "LR"])[:, None]


@lru_cache(maxsize=256)
def _down(x: float, y: float, z: float) -> np.ndarray:
    """(3, 3): the smallest turn that brings (x, y, z) to (0, 0, -1)."""
    # their cross product is (-y, x, 0)
    skew = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    return np.eye(3) + skew + skew @ skew / (1 - z)


def _about(axis: str, degrees: np.ndarray) -> np.ndarray:
    """(..., 3, 3) turns about one of the body's axes, right-handed, of degrees (...)."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    turn = np.zeros((*angle.shape, 3, 3))
    turn[..., i, i] = 1.0
    turn[..., j, j] = turn[..., k, k] = c
    turn[..., j, k], turn[..., k, j] = -s, s
    return turn


def _back(turn: np.ndarray) -> np.ndarray:
    return np.swapaxes(turn, -1, -2)


@dataclass(frozen=True)
class Rig:
    """The light double: S places on the skin, C balls inside, then the 24 key points of
    infant24 (exact but for what the face does): P = S + C + 24 points.

    skin: S. balls: C. group: (S,) int, index into `GROUPS`. limb: (P,) int, index into `LIMBS`
    of the limb whose angles move a point, -1 for none. mass: (S,) shares that sum to 1. radius:
    (C,) m. pairs: (Q, 2) int into the balls: which could collide. give: (Q,) m, how far two may
    overlap: soft flesh, and folds. named: names of single balls -> index of the point. bones,
    axes, order: of the J bones: names, reference (3, 3) and index by name. offsets: (J, 3) m
    from the parent in the reference pose. rest: (J, 3, 4): reference turn times the turn at
    rest undone, and the head at rest. levels: (own, parents) by depth. blocks: points that
    share bones: their indices, the bones', and (points, 4 bones) weights.
    """

    skin: int
    balls: int
    group: np.ndarray
    limb: np.ndarray
    mass: np.ndarray
    radius: np.ndarray
    pairs: np.ndarray
    give: np.ndarray
    named: Mapping[str, int]
    bones: tuple[str, ...]
    axes: Mapping[str, np.ndarray]
    order: Mapping[str, int]
    offsets: np.ndarray
    rest: np.ndarray
    levels: tuple[tuple[np.ndarray, np.ndarray], ...]
    blocks: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]

    def points(self, angles: np.ndarray) -> np.ndarray:
        """(T, P, 3) m, body frame, of angles (T, len(ANGLES)) degrees."""
        turns = turns_of(angles, self.axes)
        count, bones = len(angles), len(self.bones)
        turn = np.zeros((count, bones, 3, 3))
        turn[..., (0, 1, 2), (0, 1, 2)] = 1.0
        turn[:, [self.order[name] for name in turns]] = np.stack(list(turns.values()), axis=1)
        place = np.zeros((count, bones, 3))
        for own, parent in self.levels:
            before = turn[:, parent]
            place[:, own] = place[:, parent] + (before @ self.offsets[own][..., None])[..., 0]
            turn[:, own] = before @ turn[:, own]
        # a point x goes to turn U R^T (x - h) + place
        matrix = np.empty((bones, 4, count, 3))
        linear = turn @ self.rest[:, :, :3]
        matrix[:, :3] = linear.transpose(1, 3, 0, 2)
        matrix[:, 3] = (place - (linear @ self.rest[:, :, 3:])[..., 0]).swapaxes(0, 1)
        found = np.empty((len(self.limb), 3 * count))
        for rows, used, blend in self.blocks:
            found[rows] = blend @ matrix[used].reshape(-1, 3 * count)
        return found.reshape(-1, count, 3).swapaxes(0, 1)
