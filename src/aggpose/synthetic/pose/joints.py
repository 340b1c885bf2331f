"""The angles of an infant's joints: their names, what they mean, and how far they go.

All angles are in degrees and mean the same on both sides; limb angles are named ``left_x`` and
``right_x``. With every angle 0 the body stands upright, arms and legs straight down, the palms and
knees where anny's reference pose has them.

Ranges: passive ranges of healthy infants, where there are measurements that we know of. We have
read summaries and tables, not the papers. Confirmed there:

- hips do not extend fully: they lack 19 degrees at 6 weeks, 7 at 3 months, and still some at 6
  months, and turn outwards more than inwards (abstract of Coon, Donato, Houser & Bleck, Clin
  Orthop 1975, 110:256-260).
- of 40 newborns all but one could extend neither hip nor knee fully; the foot came up without
  limit, but little down (abstract of Waugh, Minkel, Parker & Coon, Phys Ther 1983, 63:1616-1621).
- knees lack 21 degrees of extension at birth, 11 at 3 and 3 at 6 months (abstract of Broughton,
  Wright & Menelaus, J Pediatr Orthop 1993, 13:263-264); `RANGES` lets them go a little further.
- elbows of newborns lack 19 degrees of extension and bend to 159 (abstract of Shah, Parmar,
  Khandare & Palekar, "Measurement of elbow range of motion in fullterm neonate").
- arms of 45 infants to two years, ranges of means: shoulder flexion 172 to 180, abduction 177 to
  187, turning inwards 72 to 90 and outwards 118 to 134, elbow flexion 148 to 158, pronation 90 to
  96, supination 81 to 93, wrist flexion 88 to 96, extension 82 to 89 (Wanatabe et al. 1979, as
  Norkin & White, Measurement of Joint Motion, table A.1, give them).

Not confirmed, as remembered from secondary sources: that newborns' hips lack about 28 degrees
(Haas, Epps & Adams, Clin Orthop 1973, 91:114-118; its abstract gives only the standard deviation,
8) and turn further at birth than later; that hips lack 7 degrees at 6 months and turn about 45 to
50 degrees outwards and 25 inwards from 6 weeks to 6 months (Coon); that newborns' feet come up
about 59 degrees and down about 26 (Waugh; Drews, Vraciu & Pellino, Phys Occup Ther Pediatr 1984,
4:49-62).

Our own choice, for want of a measurement in these terms: all of the neck and trunk, fingers, toes,
inversion, hip flexion and abduction, knee flexion; how ranges change between the ages measured and
after them; and that ranges, pronation and wrist most of all, end some degrees before the passive
ones where the skin of the body model folds badly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SIDES = ("left_", "right_")

ARM = (
    "arm_out",  # upper arm from the trunk, in the plane of the back; 180: beside the head
    "arm_up",  # upper arm to the front, out of that plane
    "arm_turn",  # 90 with the arm out and the elbow bent: the forearm points to the head
    "elbow",  # 0 straight
    "pronation",
    "wrist",  # positive: towards the palm
    "fingers",  # 0 straight, about 90 a fist
)
LEG = (
    "hip_flexion",  # 0: the thigh in line with the trunk, 90: forwards
    "hip_out",  # abduction, from the plane that flexion moves in
    "hip_turn",  # outwards: with hip and knee at 90 the foot goes to the other leg
    "knee",  # 0 straight
    "ankle",  # positive: the foot up to the shin
    "inversion",  # the sole to the other leg
    "toes",
)
BODY = (
    "head_turn",  # to the left
    "head_tilt",  # the left ear away from the left shoulder
    "head_nod",  # forwards, most of it in the head
    "neck_bend",  # the neck forwards while the head stays level
    "trunk_bend",  # forwards
    "trunk_turn",  # the shoulders to the left
    "trunk_tilt",  # sideways
)
ANGLES = tuple(side + name for side in SIDES for name in (*ARM, *LEG)) + BODY
"""The order of columns wherever angles are an array (T, len(ANGLES))."""

Angles = Mapping[str, np.ndarray]
"""Name -> (T,) degrees."""


@dataclass(frozen=True)
class Range:
    """Degrees. ``least`` and ``most`` are given by age: at 0, 1.5, 3, 6 and 12 months."""

    least: tuple[float, ...]
    most: tuple[float, ...]

    def at(self, age_months: float) -> tuple[float, float]:
        ages = (0.0, 1.5, 3.0, 6.0, 12.0)
        low, high = (np.interp(age_months, ages, v) for v in (self.least, self.most))
        return float(low), float(high)


def _always(least: float, most: float) -> Range:
    return Range((least,) * 5, (most,) * 5)


RANGES: Mapping[str, Range] = {
    "arm_out": _always(-35, 172),
    "arm_up": _always(-40, 105),
    "arm_turn": _always(-70, 118),
    "elbow": Range((18, 12, 4, 0, 0), (148,) * 5),
    "pronation": _always(-80, 80),
    "wrist": _always(-60, 70),
    "fingers": _always(0, 95),
    "hip_flexion": Range((28, 19, 7, 7, 0), (135,) * 5),
    "hip_out": _always(-14, 76),
    "hip_turn": Range((-35, -24, -26, -24, -35), (85, 65, 60, 58, 58)),
    "knee": Range((18, 12, 5, 0, 0), (148,) * 5),
    "ankle": Range((-26, -30, -35, -45, -50), (58, 55, 50, 45, 40)),
    "inversion": _always(-20, 35),
    "toes": _always(-30, 40),
    "head_turn": _always(-88, 88),
    "head_tilt": _always(-28, 28),
    "head_nod": _always(-38, 38),
    "neck_bend": _always(-55, 50),
    "trunk_bend": _always(-42, 58),
    "trunk_turn": _always(-32, 32),
    "trunk_tilt": _always(-24, 24),
}


def base_name(angle: str) -> str:
    """``left_knee`` -> ``knee``."""
    for side in SIDES:
        angle = angle.removeprefix(side)
    return angle


def limits(age_months: float) -> tuple[np.ndarray, np.ndarray]:
    """Least and most of `ANGLES`, each (len(ANGLES),) degrees, of an infant of that age."""
    pairs = [RANGES[base_name(name)].at(age_months) for name in ANGLES]
    low, high = np.array(pairs).T
    return low, high


def as_array(angles: Angles) -> np.ndarray:
    """(T, len(ANGLES)); angles that are not given are 0."""
    count = max((np.size(v) for v in angles.values()), default=1)
    unknown = set(angles) - set(ANGLES)
    if unknown:
        raise KeyError(f"no such angle: {', '.join(sorted(unknown))}")
    columns = [np.broadcast_to(angles.get(name, np.zeros(1)), count) for name in ANGLES]
    return np.stack(columns, axis=1).astype(np.float64)


def as_dict(array: np.ndarray) -> dict[str, np.ndarray]:
    """The inverse of `as_array`."""
    return {name: array[..., i] for i, name in enumerate(ANGLES)}
