"""Families of lying postures: on the back, the front, a side (see `family`)."""

from __future__ import annotations

from aggpose.synthetic.pose.energy import Goal
from aggpose.synthetic.pose.family import (
    CHEEK,
    FLEXED_ARM,
    FLEXED_LEG,
    LOOSE_ARM,
    LOOSE_LEG,
    LYING,
    PALMS,
    STRAIGHT_LEG,
    TOES_BACK,
    TRUNK,
    Family,
    Pair,
    arm_of,
    leg_of,
)

SUPINE = {
    "flexed": Family(
        *(1.2, (90, 3)), arm=FLEXED_ARM, leg=FLEXED_LEG, body=LYING | {"trunk_bend": (10, 6)}
    ),
    "relaxed": Family(3.0, (90, 3), arm=LOOSE_ARM, leg=LOOSE_LEG, body=LYING),
    "asleep": Family(
        *(0.7, (90, 3)),
        arm=arm_of((88, 20), (0, 8), (84, 18), (70, 28)),
        leg=leg_of((38, 18), (56, 12), (58, 12), (74, 26)),
        body=LYING | {"head_turn": (0, 50)},
        tone=(0.004, 0.004, 0.06),
    ),
    "stretched": Family(2.2, (90, 3), arm=LOOSE_ARM, leg=STRAIGHT_LEG, body=LYING),
    "arms_up": Family(
        *(0.8, (90, 3)),
        arm=arm_of((122, 26), (8, 12), (66, 30), (50, 30)),
        leg=LOOSE_LEG,
        body=LYING,
    ),
    "fencing": Family(  # the asymmetric tonic neck reflex: straight where the face looks
        *(0.5, (90, 3)),
        arm=FLEXED_ARM,
        leg=LOOSE_LEG,
        body=LYING,
        one=arm_of((82, 16), (8, 10), (40, 25), (14, 12))
        | {"hip_flexion": (24, 10), "knee": (22, 14), "head_turn": (66, 10)},
        other=arm_of((92, 18), (8, 10), (82, 18), (96, 22)),
        months=(0, 5),
    ),
    "legs_lifted": Family(
        *(1.5, (90, 4)),
        arm=LOOSE_ARM,
        leg=leg_of((96, 18), (22, 14), (16, 18), (52, 32)),
        body=LYING | {"trunk_bend": (12, 6)},
        tone=(0.03, 0.1, 0.1),
    ),
    "feet_to_hands": Family(
        *(0.7, (90, 5)),
        arm=arm_of((26, 10), (66, 14), (0, 16), (24, 16)),
        leg=leg_of((112, 10), (38, 12), (44, 14), (66, 22)),
        body=LYING | {"trunk_bend": (20, 7), "head_nod": (12, 7)},
        goals=(Goal("hand.{s}.1", "foot.{s}.1", 0.002, 60.0),),
        months=(4, 12),
    ),
    "hand_to_mouth": Family(
        *(1.0, (90, 4)),
        arm=LOOSE_ARM,
        leg=LOOSE_LEG,
        body=LYING | {"head_turn": (0, 20)},
        one=arm_of((26, 12), (44, 12), (-8, 16), (126, 10)),
        goals=(Goal("fingers.{o}.0", "head.2", -0.004, 60.0),),
    ),
    "hands_together": Family(
        *(0.9, (90, 4)),
        arm=arm_of((16, 10), (46, 14), (-20, 14), (84, 20)),
        leg=FLEXED_LEG,
        body=LYING | {"head_turn": (0, 12)},
        goals=(Goal("hand.L.1", "hand.R.1", 0.002, 60.0),),
    ),
    "reaching": Family(
        *(1.0, (90, 4)),
        arm=arm_of((40, 24), (62, 18), (20, 30), (34, 22)),
        leg=LOOSE_LEG,
        body=LYING,
        tone=(0.1, 0.05, 0.1),
        months=(2, 12),
    ),
    "kick": Family(
        *(1.0, (90, 4)),
        arm=LOOSE_ARM,
        leg=LOOSE_LEG,
        body=LYING,
        one=leg_of((84, 16), (34, 14), (34, 14), (106, 22)),
        other=leg_of((22, 12), (26, 12), (24, 14), (26, 18)),
        tone=(0.03, 0.08, 0.1),
    ),
}

PRONE_HEAD = {"head_turn": (0.0, 62.0), "head_nod": (-6.0, 8.0), "neck_bend": (-20.0, 8.0)}
BESIDE_HEAD = arm_of((92, 26), (-4, 10), (78, 24), (92, 26))


def _head_up(bend: Pair, turn: Pair, neck: Pair, nod: Pair) -> dict[str, Pair]:
    """The body of an infant on its front that looks up."""
    return TRUNK | {"trunk_bend": bend, "head_turn": turn, "neck_bend": neck, "head_nod": nod}


PRONE = {
    "flat": Family(
        *(1.6, (90, 2), (180, 5)),
        arm=BESIDE_HEAD,
        leg=leg_of((22, 16), (36, 18), (40, 20), (34, 26)) | TOES_BACK,
        body=TRUNK | PRONE_HEAD,
        one=CHEEK,
        tone=(0.02, 0.02, 0.06),
    ),
    "forearms": Family(
        *(1.8, (86, 3), (180, 4)),
        arm=arm_of((14, 12), (60, 11), (-6, 16), (84, 16)),
        leg=leg_of((12, 10), (26, 14), (28, 16), (26, 24)) | TOES_BACK,
        body=_head_up((-25, 7), (0, 30), (-22, 8), (-18, 9)),
        tone=(0.3, 0.05, 0.3),
        hold=0.3,
        goals=(Goal("forearm.{s}.2", None, 0.0, 30.0), Goal("forearm.{s}.0", None, 0.0, 30.0)),
        months=(2, 12),
    ),
    "hands": Family(
        *(0.9, (80, 4), (180, 4)),
        arm=arm_of((14, 10), (52, 8), (-10, 16), (12, 9)) | PALMS,
        leg=leg_of((8, 7), (22, 12), (22, 14), (22, 20)) | TOES_BACK,
        body=_head_up((-35, 5), (0, 26), (-22, 8), (-14, 9)),
        tone=(0.5, 0.05, 0.4),
        hold=0.6,
        goals=(Goal("hand.{s}.1", None, 0.0, 40.0),),
        months=(4, 12),
    ),
    "feet_up": Family(  # propped, the knees bent and the feet in the air
        *(1.0, (84, 4), (180, 4)),
        arm=arm_of((18, 14), (56, 12), (-6, 18), (56, 32)),
        leg=leg_of((10, 8), (22, 14), (16, 18), (72, 28)) | {"ankle": (-14.0, 18.0)},
        body=_head_up((-28, 7), (0, 30), (-22, 8), (-16, 9)),
        tone=(0.3, 0.3, 0.3),
        hold=0.4,
        goals=(Goal("hand.{s}.1", None, 0.0, 30.0),),
        months=(3, 12),
    ),
    "swimming": Family(  # arms and legs off the ground
        *(0.5, (84, 4), (180, 5)),
        arm=arm_of((84, 26), (-14, 10), (30, 34), (34, 26)),
        leg=leg_of((2, 6), (24, 12), (20, 16), (26, 20)) | TOES_BACK,
        body=_head_up((-32, 6), (0, 24), (-24, 8), (-14, 9)),
        tone=(0.5, 0.5, 0.5),
        hold=0.5,
        months=(3, 12),
    ),
    "creeping": Family(  # on the belly, a knee drawn up beside it, an arm ahead
        *(1.4, (85, 4), (180, 12)),
        arm=arm_of((30, 22), (56, 20), (0, 28), (60, 34)),
        leg=leg_of((14, 12), (26, 14), (28, 16), (24, 20)) | TOES_BACK,
        body=_head_up((-18, 9), (0, 32), (-22, 9), (-14, 9)) | {"trunk_tilt": (0, 10)},
        one=leg_of((84, 20), (60, 12), (40, 16), (88, 24)),
        other=arm_of((60, 40), (70, 24), (20, 30), (30, 24)),
        tone=(0.2, 0.1, 0.3),
        hold=0.4,
        months=(3, 12),
    ),
    "folded": Family(
        *(0.7, (104, 5), (180, 4)),
        arm=BESIDE_HEAD,
        leg=leg_of((122, 9), (34, 10), (26, 12), (126, 12)) | TOES_BACK,
        body=TRUNK | PRONE_HEAD | {"trunk_bend": (22, 8)},
        one=CHEEK,
        tone=(0.02, 0.2, 0.1),
        hold=0.3,
        months=(0, 8),
    ),
}

SIDE = {
    "curled": Family(
        *(1.0, (90, 3), (84, 12)),
        arm=arm_of((12, 14), (58, 20), (8, 28), (74, 28)),
        leg=leg_of((72, 22), (6, 10), (10, 14), (82, 26)),
        body=LYING | {"trunk_bend": (14, 9), "head_turn": (0, 14), "head_nod": (2, 9)},
        tone=(0.012, 0.02, 0.1),
        hold=0.6,
    ),
    "reaching": Family(
        *(0.6, (90, 3), (76, 16)),
        arm=arm_of((60, 30), (56, 20), (20, 34), (40, 26)),
        leg=leg_of((48, 24), (12, 12), (12, 16), (56, 28)),
        body=LYING,
        tone=(0.05, 0.03, 0.1),
        hold=0.6,
    ),
    "rolling": Family(
        *(0.6, (90, 4), (62, 18)),
        arm=arm_of((40, 30), (58, 22), (10, 34), (50, 30)),
        leg=leg_of((56, 26), (16, 14), (18, 18), (60, 30)),
        body=LYING | {"trunk_turn": (0, 16), "head_turn": (0, 26)},
        tone=(0.06, 0.06, 0.15),
        hold=0.8,
    ),
}
