"""Families of sitting, crawling, held and standing postures (see `family`)."""

from __future__ import annotations

from aggpose.synthetic.pose.energy import Goal
from aggpose.synthetic.pose.family import (
    LOOKS,
    LOOSE_ARM,
    PALMS,
    STRAIGHT_LEG,
    TOES_BACK,
    TRUNK,
    Family,
    arm_of,
    leg_of,
)

_SITS = LOOKS | TRUNK | {"trunk_bend": (11, 9), "head_nod": (-6.0, 9.0)}
_SIT_LEG = leg_of((88, 12), (34, 14), (46, 16), (58, 28))

SITTING = {
    "leaning": Family(
        *(1.5, (34, 12), (0, 5)),
        arm=arm_of((36, 20), (16, 16), (14, 34), (56, 30)),
        leg=leg_of((74, 14), (32, 14), (40, 16), (54, 28)),
        body=_SITS,
        tone=(0.02, 0.03, 0.3),
        hold=5.0,
        backrest=True,
    ),
    "seat": Family(  # half-sitting, as in a car seat or bouncer
        *(1.5, (54, 9), (0, 4)),
        arm=arm_of((42, 20), (18, 16), (24, 36), (62, 30)),
        leg=leg_of((72, 16), (30, 13), (34, 16), (66, 24)),
        body=_SITS,
        tone=(0.03, 0.08, 0.3),
        hold=5.0,
        backrest=True,
    ),
    "alone": Family(
        *(1.6, (7, 7), (0, 4)),
        arm=arm_of((34, 20), (26, 22), (6, 34), (54, 30)),
        leg=_SIT_LEG,
        body=_SITS,
        tone=(0.05, 0.03, 0.4),
        hold=5.0,
        months=(5, 12),
    ),
    "propped": Family(
        *(0.8, (-8, 7), (0, 4)),
        arm=arm_of((18, 10), (34, 12), (-12, 18), (16, 12)) | PALMS,
        leg=leg_of((104, 10), (38, 12), (48, 14), (66, 22)),
        body=_SITS | {"trunk_bend": (24, 7), "head_nod": (-8, 9)},
        tone=(0.1, 0.04, 0.4),
        hold=5.0,
        goals=(Goal("hand.{s}.1", None, 0.0, 10.0),),
        months=(4, 12),
    ),
    "kneeling": Family(  # on the heels or between them
        *(0.5, (2, 10), (0, 5)),
        arm=arm_of((34, 20), (30, 24), (6, 34), (48, 30)),
        leg=leg_of((88, 14), (28, 14), (-6, 20), (132, 10)) | TOES_BACK,
        body=_SITS,
        tone=(0.05, 0.1, 0.5),
        hold=5.0,
        months=(6, 12),
    ),
    "hand_to_mouth": Family(
        *(0.5, (20, 14), (0, 4)),
        arm=arm_of((36, 20), (16, 16), (14, 34), (56, 30)),
        leg=_SIT_LEG,
        body=_SITS | {"head_turn": (0, 18)},
        one=arm_of((26, 12), (44, 12), (-8, 16), (122, 10)),
        tone=(0.05, 0.04, 0.4),
        hold=5.0,
        backrest=True,
        goals=(Goal("fingers.{o}.0", "head.2", -0.004, 60.0),),
    ),
}

_CRAWL_HEAD = {"neck_bend": (-24.0, 8.0), "head_nod": (-16.0, 10.0), "head_turn": (0.0, 26.0)}
_KNEES = (Goal("thigh.{s}.2", None, 0.004, 60.0), Goal("hand.{s}.1", None, 0.002, 60.0))

CRAWLING = {
    "still": Family(
        *(1.0, (84, 6), (180, 3)),
        arm=arm_of((6, 8), (84, 8), (-8, 14), (12, 9)) | PALMS,
        leg=leg_of((86, 9), (14, 9), (6, 10), (90, 12)) | TOES_BACK,
        body=TRUNK | _CRAWL_HEAD | {"trunk_bend": (-4, 7)},
        tone=(0.5, 0.5, 1.0),
        hold=3.0,
        goals=_KNEES,
        months=(6, 12),
    ),
    "stepping": Family(
        *(1.0, (82, 6), (180, 4)),
        arm=arm_of((6, 9), (82, 14), (-8, 14), (16, 12)) | PALMS,
        leg=leg_of((78, 12), (14, 9), (8, 10), (84, 14)) | TOES_BACK,
        body=TRUNK | _CRAWL_HEAD | {"trunk_bend": (-4, 7), "trunk_tilt": (0, 10)},
        one={"arm_up": (102, 8), "hip_flexion": (60, 10)},
        other={"arm_up": (66, 9), "hip_flexion": (104, 10)},
        tone=(0.5, 0.5, 1.0),
        hold=3.0,
        goals=_KNEES,
        months=(6, 12),
    ),
    "reaching": Family(  # one hand lifted, or planted far ahead
        *(0.7, (82, 7), (180, 6)),
        arm=arm_of((8, 10), (84, 10), (-8, 14), (12, 9)) | PALMS,
        leg=leg_of((82, 12), (16, 10), (8, 10), (88, 14)) | TOES_BACK,
        body=TRUNK | _CRAWL_HEAD | {"trunk_bend": (-6, 8), "trunk_turn": (0, 12)},
        one=arm_of((34, 24), (98, 20), (10, 24), (20, 18)),
        tone=(0.5, 0.5, 1.0),
        hold=4.0,
        goals=(
            Goal("thigh.{s}.2", None, 0.004, 60.0),
            Goal("hand.{p}.1", None, 0.002, 60.0),
        ),
        months=(6, 12),
    ),
    "bear": Family(  # on hands and feet, the knees off the ground
        *(0.7, (102, 9), (180, 5)),
        arm=arm_of((8, 10), (96, 12), (-8, 14), (12, 9)) | PALMS,
        leg=leg_of((106, 12), (24, 12), (10, 10), (34, 18)) | {"ankle": (16.0, 14.0)},
        body=TRUNK | _CRAWL_HEAD | {"trunk_bend": (2, 9)},
        tone=(0.4, 0.3, 1.0),
        hold=3.0,
        goals=(
            Goal("foot.{s}.2", None, 0.0, 60.0),
            Goal("hand.{s}.1", None, 0.002, 60.0),
        ),
        months=(7, 12),
    ),
    "half_kneeling": Family(  # one knee down, the other foot planted: on the way to sit or stand
        *(0.8, (62, 14), (180, 6)),
        arm=arm_of((10, 12), (66, 14), (-8, 14), (12, 10)) | PALMS,
        leg=leg_of((84, 14), (16, 10), (8, 12), (96, 16)) | TOES_BACK,
        body=TRUNK | _CRAWL_HEAD,
        one=leg_of((118, 12), (34, 14), (20, 14), (84, 22)) | {"ankle": (10.0, 12.0)},
        tone=(0.4, 0.4, 1.0),
        hold=3.0,
        goals=(
            Goal("thigh.{p}.2", None, 0.004, 60.0),
            Goal("foot.{o}.2", None, 0.0, 60.0),
            Goal("hand.{s}.1", None, 0.002, 60.0),
        ),
        months=(6, 12),
    ),
    "sitting_back": Family(  # towards the heels, on long arms
        *(0.8, (62, 12), (180, 5)),
        arm=arm_of((14, 12), (64, 14), (-10, 16), (14, 10)) | PALMS,
        leg=leg_of((112, 12), (30, 14), (18, 16), (122, 14)) | TOES_BACK,
        body=TRUNK | _CRAWL_HEAD | {"trunk_bend": (8, 9)},
        tone=(0.3, 0.3, 1.0),
        hold=3.0,
        goals=_KNEES,
        months=(5, 12),
    ),
}

_DANGLE = leg_of((38, 18), (20, 11), (22, 14), (46, 24))

HELD = {
    "upright": Family(
        *(1.4, (8, 9), (0, 5)),
        arm=arm_of((42, 24), (14, 18), (4, 38), (40, 28)),
        leg=_DANGLE,
        body=LOOKS | TRUNK,
        ground=False,
    ),
    "straight": Family(
        *(1.0, (6, 9), (0, 5)),
        arm=arm_of((70, 32), (18, 24), (30, 36), (34, 24)),
        leg=STRAIGHT_LEG,
        body=LOOKS | TRUNK,
        ground=False,
    ),
    "sat": Family(
        *(1.0, (24, 12), (0, 8)),
        arm=LOOSE_ARM,
        leg=leg_of((82, 14), (28, 14), (24, 18), (70, 24)),
        body=_SITS,
        ground=False,
    ),
}

STANDING = {
    "holding_on": Family(
        *(1.2, (-4, 7), (0, 3)),
        arm=arm_of((26, 18), (64, 22), (6, 26), (36, 24)),
        leg=leg_of((16, 9), (13, 7), (10, 10), (16, 12)),
        body=LOOKS | TRUNK | {"trunk_bend": (0, 7)},
        tone=(0.2, 0.3, 1.0),
        hold=5.0,
        goals=(Goal("foot.{s}.0", None, 0.0, 60.0), Goal("foot.{s}.2", None, 0.0, 60.0)),
        months=(5, 12),
    ),
    "by_the_hands": Family(
        *(1.0, (0, 7), (0, 3)),
        arm=arm_of((112, 30), (24, 20), (40, 34), (30, 22)),
        leg=leg_of((18, 10), (12, 7), (10, 10), (18, 13)),
        body=LOOKS | TRUNK | {"trunk_bend": (0, 7)},
        tone=(0.2, 0.3, 1.0),
        hold=5.0,
        goals=(Goal("foot.{s}.0", None, 0.0, 60.0), Goal("foot.{s}.2", None, 0.0, 60.0)),
        months=(4, 12),
    ),
    "bent": Family(
        *(0.6, (-14, 9), (0, 3)),
        arm=arm_of((24, 16), (54, 24), (0, 24), (30, 20)),
        leg=leg_of((62, 18), (20, 10), (14, 12), (62, 20)),
        body=LOOKS | TRUNK | {"trunk_bend": (10, 8)},
        tone=(0.2, 0.3, 1.0),
        hold=5.0,
        goals=(Goal("foot.{s}.0", None, 0.0, 60.0), Goal("foot.{s}.2", None, 0.0, 60.0)),
        months=(6, 12),
    ),
}
