"""What infants do with themselves: families of postures as means and spreads of joint angles.

Written from descriptions of infants' postures (Bly, Motor Skills Acquisition in the First Year,
1994; the Alberta Infant Motor Scale, Piper & Darrah 1994), the numbers are our own choice, tuned
until the generated poses cover those of real pictures (`coverage`). Pairs are mean and spread in
degrees; both sides draw a common and an own part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggpose.synthetic.pose.energy import Goal

Pair = tuple[float, float]


@dataclass(frozen=True)
class Family:
    """A way of lying, sitting, standing.

    weight: how often, among the families of its posture. recline: of the trunk, 0 upright, 90 flat.
    roll: about the body's length, 0 on the back, 90 on the left side, 180 on the front.
    arm, leg, body: angle -> (mean, spread). one: angles of one side alone, by name without side;
    which side it is, is drawn; other: of the other one.
    tone: stiffness of arms, legs, trunk; small ones follow gravity. hold: stiffness of the root.
    ground: whether there is one. backrest: whether a plane holds the back.
    months: from which age on, until which. goals: drawn together; ``{s}`` in names is ``L`` and
    ``R`` in turn, ``{o}`` the side of `one`, ``{p}`` the other.
    """

    weight: float
    recline: Pair
    roll: Pair = (0, 6)
    arm: Mapping[str, Pair] = field(default_factory=dict)
    leg: Mapping[str, Pair] = field(default_factory=dict)
    body: Mapping[str, Pair] = field(default_factory=dict)
    one: Mapping[str, Pair] = field(default_factory=dict)
    other: Mapping[str, Pair] = field(default_factory=dict)
    tone: tuple[float, float, float] = (0.03, 0.03, 0.1)
    hold: float = 0.02
    ground: bool = True
    backrest: bool = False
    months: Pair = (0, 12)
    goals: tuple[Goal, ...] = ()


def arm_of(out: Pair, up: Pair, turn: Pair, elbow: Pair) -> dict[str, Pair]:
    return {"arm_out": out, "arm_up": up, "arm_turn": turn, "elbow": elbow}


def leg_of(flexion: Pair, out: Pair, turn: Pair, knee: Pair) -> dict[str, Pair]:
    return {"hip_flexion": flexion, "hip_out": out, "hip_turn": turn, "knee": knee}


FLEXED_ARM = arm_of((38, 18), (14, 14), (58, 34), (96, 26))
LOOSE_ARM = arm_of((46, 24), (10, 14), (16, 40), (44, 28))
FLEXED_LEG = leg_of((88, 18), (44, 15), (40, 14), (104, 20))
LOOSE_LEG = leg_of((38, 20), (32, 16), (36, 20), (46, 28))
STRAIGHT_LEG = leg_of((16, 10), (18, 10), (18, 16), (18, 14))
LOOKS = {"head_turn": (0.0, 26.0), "head_tilt": (0.0, 8.0), "head_nod": (-3.0, 9.0)}
TRUNK = {"trunk_turn": (0.0, 7.0), "trunk_tilt": (0.0, 7.0), "trunk_bend": (4.0, 6.0)}
LYING = LOOKS | TRUNK
CHEEK = {"head_turn": (66.0, 13.0)}  # to either side: nobody lies on the nose
TOES_BACK = {"ankle": (-28.0, 9.0)}
PALMS = {"wrist": (-44.0, 10.0), "fingers": (14.0, 8.0)}
