"""Spontaneous movement of an infant on its back: joint angles over time, and bones from them.

The limbs move in smooth noise of 0.3 to 1.2 Hz inside joint limits: what general movements look
like from afar, not a model of them. Angles are in degrees and mean the same on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Angles = Mapping[str, np.ndarray]
"""Name -> (T,) degrees. Names of the limbs' angles begin with ``left_`` or ``right_``."""


@dataclass(frozen=True)
class Joint:
    """One angle: the middle of its range and how far it goes from there, degrees."""

    middle: float
    reach: float
    slow: float = 1.0  # less than 1: slower than the others


ARM = {
    "arm_out": Joint(78, 18),  # upper arm from the trunk, in the plane of the back
    "arm_up": Joint(14, 18),  # upper arm off the mat
    "arm_turn": Joint(58, 28),  # 90: the forearm lies on the mat, beside the head
    "elbow": Joint(72, 30),
    "pronation": Joint(0, 30),
    "wrist": Joint(4, 16),
    "fingers": Joint(42, 24, 0.7),
}
LEG = {
    "leg_out": Joint(48, 13),  # thigh from the body's axis, in the plane of the back
    "leg_up": Joint(34, 20),  # thigh off the mat
    "leg_turn": Joint(46, 14),  # 0: the knee bends towards the mat, 90: to the other leg
    "knee": Joint(82, 36),
    "ankle": Joint(12, 18),
    "inversion": Joint(8, 12),
    "toes": Joint(0, 14, 0.7),
}
BODY = {
    "head_turn": Joint(8, 24, 0.5),  # to the left
    "head_tilt": Joint(0, 6, 0.5),
    "head_nod": Joint(14, 4, 0.5),
    "neck_bend": Joint(0, 0),  # forward; found when the body is laid down
    "trunk_turn": Joint(0, 4, 0.6),
    "trunk_tilt": Joint(0, 4, 0.6),
}


# Share of the head's turn, and of the neck's bend: the neck goes back and the head stays level.
_NECK = (("neck01", 0.15, 0.6), ("neck02", 0.2, 0.4), ("neck03", 0.2, -0.3), ("head", 0.45, -0.5))


def smooth_noise(times_s: np.ndarray, rng: np.random.Generator, slow: float = 1.0) -> np.ndarray:
    """(T,) in (-1, 1): sines of 0.3 to 1.2 Hz with random phases, the slow ones larger."""
    frequencies = np.geomspace(0.3, 1.2, 7) * rng.uniform(0.85, 1.15, size=7) * slow
    phases = rng.uniform(0, 2 * np.pi, size=7)
    sizes = rng.uniform(0.5, 1.0, size=7) * (0.3 * slow / frequencies) ** 1.5
    waves = sizes[:, None] * np.sin(2 * np.pi * frequencies[:, None] * times_s + phases[:, None])
    return np.tanh(1.5 * waves.sum(axis=0) / np.sqrt((sizes**2).sum()))


def move(times_s: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Angles (T,) of all joints at the times."""
    sided = {side + k: joint for side in ("left_", "right_") for k, joint in (ARM | LEG).items()}
    angles = {
        name: joint.middle + joint.reach * smooth_noise(times_s, rng, joint.slow)
        for name, joint in (sided | BODY).items()
    }
    # the hip and the knee of a kick go together
    for side in ("left_", "right_"):
        angles[side + "leg_up"] = angles[side + "leg_up"] + 0.25 * (angles[side + "knee"] - 82)
    return angles


def expressions(times_s: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Facial actions (T,) in [0, 1]: blinks, a slow mouth, half a smile."""
    blink = np.zeros_like(times_s)
    for at in rng.uniform(0.1, 0.9, size=2) * times_s[-1]:
        blink = np.maximum(blink, np.exp(-(((times_s - at) / 0.08) ** 4)))
    mouth = 0.5 + 0.5 * smooth_noise(times_s, rng, 0.7)
    smile = 0.15 + 0.15 * smooth_noise(times_s, rng, 0.5)
    lids = blink
    return {
        "eyeBlinkLeft": lids,
        "eyeBlinkRight": lids,
        "jawOpen": 0.10 * mouth,
        "mouthSmileLeft": smile,
        "mouthSmileRight": smile,
    }


def bone_rotations(
    angles: Angles, bones: Sequence[str], reference: np.ndarray
) -> dict[str, np.ndarray]:
    """Bone -> (T, 3, 3) in the terms of `body.pose_body`.

    bones, reference: as in `body.Body`. Straight down is the neutral pose of every limb, the knees
    and elbows bend in the sagittal plane; from there the limbs are turned.
    """
    axes = dict(zip(bones, reference, strict=True))
    turns: dict[str, np.ndarray] = {}
    for side, short in (("left_", "L"), ("right_", "R")):
        out = 1.0 if short == "L" else -1.0
        own = {k[len(side) :]: v for k, v in angles.items() if k.startswith(side)}
        turns |= _arm(own, short, out, axes)
        turns |= _leg(own, short, out, axes)
    count = len(angles["head_turn"])
    for bone, share, bend in _NECK:
        turns[bone] = (
            _about("z", share * angles["head_turn"])
            @ _about("y", share * angles["head_tilt"])
            @ _about("x", share * angles["head_nod"] + bend * angles["neck_bend"])
        )
    for bone in ("spine04", "spine03", "spine02"):
        turns[bone] = _about("z", angles["trunk_turn"] / 3) @ _about("y", angles["trunk_tilt"] / 3)
    assert all(len(turn) == count for turn in turns.values())
    return turns


def _arm(
    own: Angles, short: str, out: float, axes: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    straight = _straighten(axes[f"upperarm02.{short}"])
    bent = _straighten(axes[f"lowerarm01.{short}"])
    lift = _about("y", -out * own["arm_out"]) @ _about("x", -own["arm_up"])
    whole = lift @ _about("z", out * own["arm_turn"])
    half = lift @ _about("z", out * own["arm_turn"] * 0.5)
    # beyond 30 degrees the shoulder blade takes its part
    blade = _about("y", -out * 0.22 * (own["arm_out"] - 30).clip(0))
    forearm = whole @ _about("x", -own["elbow"])
    twist = _about("z", -out * own["pronation"])
    first = half @ straight
    second = whole @ straight
    third = forearm @ bent
    fourth = forearm @ twist @ bent
    turns = {
        f"clavicle.{short}": _about("y", np.full(len(whole), -out * 9.0)),
        f"shoulder01.{short}": blade,
        f"upperarm01.{short}": _back(blade) @ first,
        f"upperarm02.{short}": _back(first) @ second,
        f"lowerarm01.{short}": _back(second) @ third,
        f"lowerarm02.{short}": _back(third) @ fourth,
        f"wrist.{short}": _in_bone(axes[f"wrist.{short}"], own["wrist"]),
    }
    for finger in "2345":
        for part, share in (("1", 1.0), ("2", 1.15), ("3", 0.6)):
            bone = f"finger{finger}-{part}.{short}"
            turns[bone] = _in_bone(axes[bone], own["fingers"] * share)
    for part, share in (("2", 0.5), ("3", 0.6)):
        bone = f"finger1-{part}.{short}"
        turns[bone] = _in_bone(axes[bone], own["fingers"] * share)
    return turns


def _leg(
    own: Angles, short: str, out: float, axes: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    straight = _straighten(axes[f"upperleg02.{short}"])
    bent = _straighten(axes[f"lowerleg01.{short}"])
    lift = _about("y", -out * own["leg_out"]) @ _about("x", -own["leg_up"])
    whole = lift @ _about("z", out * own["leg_turn"])
    half = lift @ _about("z", out * own["leg_turn"] * 0.5)
    first = half @ straight
    second = whole @ straight
    third = whole @ _about("x", own["knee"]) @ bent
    foot = _about("x", -own["ankle"]) @ _about("y", out * own["inversion"])
    turns = {
        f"upperleg01.{short}": first,
        f"upperleg02.{short}": _back(first) @ second,
        f"lowerleg01.{short}": _back(second) @ third,
        f"foot.{short}": foot,
    }
    for toe in "12345":
        turns[f"toe{toe}-1.{short}"] = _about("x", own["toes"])
    return turns


def _straighten(axes: np.ndarray) -> np.ndarray:
    """(3, 3): the smallest turn that brings a bone (its y axis) to point straight down."""
    start, down = axes[:, 1], np.array([0.0, 0.0, -1.0])
    cross, cosine = np.cross(start, down), float(start @ down)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _about(axis: str, degrees: np.ndarray) -> np.ndarray:
    """(T, 3, 3) turns about one of the body's axes, right-handed."""
    angle = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    c, s = np.cos(angle), np.sin(angle)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    turn = np.zeros((len(angle), 3, 3))
    turn[:, i, i] = 1.0
    turn[:, j, j] = turn[:, k, k] = c
    turn[:, j, k], turn[:, k, j] = -s, s
    return turn


def _in_bone(axes: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(T, 3, 3): a bend about the bone's own x axis."""
    return axes @ _about("x", degrees) @ axes.T


def _back(turn: np.ndarray) -> np.ndarray:
    return np.swapaxes(turn, -1, -2)
