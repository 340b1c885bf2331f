"""WHO Child Growth Standards, birth to 12 months: length, head circumference, weight for age.

The numbers are WHO's own LMS values by completed month: WHO Multicentre Growth Reference Study
Group, "WHO Child Growth Standards: Length/height-for-age, weight-for-age, weight-for-length,
weight-for-height and body mass index-for-age: Methods and development", Geneva, 2006, and "WHO
Child Growth Standards: Head circumference-for-age, ...: Methods and development", Geneva, 2007.
A value at z scores is M (1 + L S z)^(1/L) (Cole and Green, Statistics in Medicine, 1992).

All values agree with the tables by day of WHO's own R package anthro (lenanthro.txt, hcanthro.txt
and weianthro.txt, read at 30.4375 days a month) as far as these are rounded. Between months the
parameters are interpolated linearly: from the second month on, the median is within 0.08 standard
deviations of WHO's at every day; in the first, when weight falls before it rises, within 0.25.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Sex = Literal["girl", "boy"]
Measure = Literal["length_cm", "head_cm", "weight_kg"]

_LENGTH_BOY_M = (
    *(49.8842, 54.7244, 58.4249, 61.4292, 63.886, 65.9026, 67.6236),
    *(69.1645, 70.5994, 71.9687, 73.2812, 74.5388, 75.7488),
)
_LENGTH_BOY_S = (
    *(0.03795, 0.03557, 0.03424, 0.03328, 0.03257, 0.03204, 0.03165),
    *(0.03139, 0.03124, 0.03117, 0.03118, 0.03125, 0.03137),
)
_LENGTH_GIRL_M = (
    *(49.1477, 53.6872, 57.0673, 59.8029, 62.0899, 64.0301, 65.7311),
    *(67.2873, 68.7498, 70.1435, 71.4818, 72.771, 74.015),
)
_LENGTH_GIRL_S = (
    *(0.0379, 0.0364, 0.03568, 0.0352, 0.03486, 0.03463, 0.03448),
    *(0.03441, 0.0344, 0.03444, 0.03452, 0.03464, 0.03479),
)
_HEAD_BOY_M = (
    *(34.4618, 37.2759, 39.1285, 40.5135, 41.6317, 42.5576, 43.3306),
    *(43.9803, 44.53, 44.9998, 45.4051, 45.7573, 46.0661),
)
_HEAD_BOY_S = (
    *(0.03686, 0.03133, 0.02997, 0.02918, 0.02868, 0.02837, 0.02817),
    *(0.02804, 0.02796, 0.02792, 0.0279, 0.02789, 0.02789),
)
_HEAD_GIRL_M = (
    *(33.8787, 36.5463, 38.2521, 39.5328, 40.5817, 41.459, 42.1995),
    *(42.829, 43.3671, 43.83, 44.2319, 44.5844, 44.8965),
)
_HEAD_GIRL_S = (
    *(0.03496, 0.0321, 0.03168, 0.0314, 0.03119, 0.03102, 0.03087),
    *(0.03075, 0.03063, 0.03053, 0.03044, 0.03035, 0.03027),
)
_WEIGHT_BOY_L = (
    *(0.3487, 0.2297, 0.197, 0.1738, 0.1553, 0.1395, 0.1257),
    *(0.1134, 0.1021, 0.0917, 0.082, 0.073, 0.0644),
)
_WEIGHT_BOY_M = (
    *(3.3464, 4.4709, 5.5675, 6.3762, 7.0023, 7.5105, 7.934),
    *(8.297, 8.6151, 8.9014, 9.1649, 9.4122, 9.6479),
)
_WEIGHT_BOY_S = (
    *(0.14602, 0.13395, 0.12385, 0.11727, 0.11316, 0.1108, 0.10958),
    *(0.10902, 0.10882, 0.10881, 0.10891, 0.10906, 0.10925),
)
_WEIGHT_GIRL_L = (
    *(0.3809, 0.1714, 0.0962, 0.0402, -0.005, -0.043, -0.0756),
    *(-0.1039, -0.1288, -0.1507, -0.17, -0.1872, -0.2024),
)
_WEIGHT_GIRL_M = (
    *(3.2322, 4.1873, 5.1282, 5.8458, 6.4237, 6.8985, 7.297),
    *(7.6422, 7.9487, 8.2254, 8.48, 8.7192, 8.9481),
)
_WEIGHT_GIRL_S = (
    *(0.14171, 0.13724, 0.13, 0.12619, 0.12402, 0.12274, 0.12204),
    *(0.12178, 0.12181, 0.12199, 0.12223, 0.12247, 0.12268),
)
_ONE = (1.0,) * 13  # length and head circumference are normal at every age: L = 1

TABLES: dict[tuple[Measure, Sex], np.ndarray] = {
    ("length_cm", "boy"): np.array([_ONE, _LENGTH_BOY_M, _LENGTH_BOY_S]),
    ("length_cm", "girl"): np.array([_ONE, _LENGTH_GIRL_M, _LENGTH_GIRL_S]),
    ("head_cm", "boy"): np.array([_ONE, _HEAD_BOY_M, _HEAD_BOY_S]),
    ("head_cm", "girl"): np.array([_ONE, _HEAD_GIRL_M, _HEAD_GIRL_S]),
    ("weight_kg", "boy"): np.array([_WEIGHT_BOY_L, _WEIGHT_BOY_M, _WEIGHT_BOY_S]),
    ("weight_kg", "girl"): np.array([_WEIGHT_GIRL_L, _WEIGHT_GIRL_M, _WEIGHT_GIRL_S]),
}
"""(3, 13): L, M, S at 0 to 12 completed months."""


def lms(measure: Measure, sex: Sex, age_months: float) -> tuple[float, float, float]:
    """L, M, S at an age of 0 to 12 months; ValueError outside."""
    if not 0 <= age_months <= 12:
        raise ValueError(f"age {age_months} months: the tables here go from 0 to 12")
    rows = TABLES[measure, sex]
    l_, m, s = (float(np.interp(age_months, np.arange(13), row)) for row in rows)
    return l_, m, s


def value_at(measure: Measure, sex: Sex, age_months: float, z: float) -> float:
    """The measure (cm or kg) of a child that many standard deviations from the median."""
    l_, m, s = lms(measure, sex, age_months)
    return m * float(np.exp(s * z)) if abs(l_) < 1e-6 else m * (1 + l_ * s * z) ** (1 / l_)


def z_score(measure: Measure, sex: Sex, age_months: float, value: float) -> float:
    """How many standard deviations a measure (cm or kg) lies from the median."""
    l_, m, s = lms(measure, sex, age_months)
    ratio = value / m
    return float(np.log(ratio) / s) if abs(l_) < 1e-6 else (ratio**l_ - 1) / (l_ * s)
