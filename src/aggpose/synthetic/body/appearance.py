"""Colours: skin, hair, eyes, cloth. All as linear RGB reflectances in [0, 1]."""

from __future__ import annotations

import numpy as np

from aggpose.synthetic.mesh import Material

Colour = tuple[float, float, float]

ITA_GROUPS = {
    "very light": (55.0, 72.0),
    "light": (41.0, 55.0),
    "intermediate": (28.0, 41.0),
    "tan": (10.0, 28.0),
    "brown": (-30.0, 10.0),
    "dark": (-58.0, -30.0),
}
"""Individual typology angle, degrees, atan((L* - 50) / b*): the groups of Chardon, Cretois and
Hourseau, Int J Cosmet Sci 1991, 13:191-208, with Del Bino's "dark" split from "brown"."""

# a* and b* of skin by the angle: lighter skin is less red and yellow, the darkest less yellow
_ITA = (-58.0, -30.0, 0.0, 20.0, 40.0, 55.0, 72.0)
_RED = (8.5, 11.0, 13.0, 12.5, 11.0, 9.5, 9.0)
_YELLOW = (9.0, 14.0, 19.0, 20.0, 18.0, 15.5, 11.0)

HAIR: dict[str, Colour] = {
    "black": (0.010, 0.008, 0.007),
    "dark brown": (0.028, 0.017, 0.011),
    "brown": (0.075, 0.043, 0.024),
    "blond": (0.33, 0.215, 0.105),
    "pale blond": (0.50, 0.40, 0.25),
    "red": (0.24, 0.075, 0.022),
}
IRIS: dict[str, Colour] = {
    "dark brown": (0.020, 0.011, 0.007),
    "brown": (0.060, 0.030, 0.014),
    "slate": (0.050, 0.062, 0.085),
    "blue": (0.10, 0.17, 0.27),
    "green": (0.085, 0.105, 0.055),
}

_PASTEL, _PLAIN, _STRONG = 0, 1, 2
_HUES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.74, 0.50, 0.54), (0.60, 0.24, 0.33), (0.42, 0.03, 0.10)),  # pink
    ((0.46, 0.60, 0.76), (0.17, 0.32, 0.56), (0.02, 0.07, 0.28)),  # blue
    ((0.52, 0.68, 0.54), (0.20, 0.42, 0.25), (0.03, 0.17, 0.08)),  # green
    ((0.82, 0.71, 0.40), (0.72, 0.50, 0.12), (0.62, 0.30, 0.02)),  # yellow
    ((0.80, 0.58, 0.40), (0.66, 0.28, 0.11), (0.55, 0.10, 0.02)),  # orange
    ((0.60, 0.52, 0.72), (0.32, 0.22, 0.48), (0.10, 0.03, 0.22)),  # violet
    ((0.48, 0.66, 0.66), (0.14, 0.40, 0.42), (0.01, 0.15, 0.18)),  # turquoise
    ((0.62, 0.52, 0.42), (0.34, 0.23, 0.15), (0.10, 0.05, 0.03)),  # brown
    ((0.78, 0.22, 0.22), (0.55, 0.05, 0.05), (0.30, 0.01, 0.02)),  # red
)
_NEUTRAL: tuple[Colour, ...] = (
    *((0.82, 0.82, 0.80), (0.80, 0.76, 0.66), (0.62, 0.60, 0.56), (0.40, 0.40, 0.41)),
    *((0.17, 0.17, 0.18), (0.035, 0.035, 0.04)),
)
PATTERNS = ("plain", "stripes", "dots", "checks", "print")


def skin_colour(ita: float, red: float = 0.0) -> Colour:
    """Linear RGB of skin of an individual typology angle (degrees), ``red`` added to its a*."""
    yellow = float(np.interp(ita, _ITA, _YELLOW))
    light = 50.0 + yellow * float(np.tan(np.deg2rad(ita)))
    return lab_to_rgb(light, float(np.interp(ita, _ITA, _RED)) + red, yellow)


def lab_to_rgb(light: float, a: float, b: float) -> Colour:
    """CIE L*a*b* (D65) -> linear sRGB, clipped to [0.004, 0.95] (CIE 15:2004, IEC 61966-2-1)."""
    y = (light + 16) / 116
    x, z = y + a / 500, y - b / 200
    white = np.array([0.95047, 1.0, 1.08883])
    steps = np.array([x, y, z])
    xyz = white * np.where(steps > 6 / 29, steps**3, 3 * (6 / 29) ** 2 * (steps - 4 / 29))
    matrix = np.array(
        [
            [3.2406255, -1.5372080, -0.4986286],
            [-0.9689307, 1.8757561, 0.0415175],
            [0.0557101, -0.2040211, 1.0569959],
        ]
    )
    red, green, blue = (matrix @ xyz).clip(0.004, 0.95)
    return float(red), float(green), float(blue)


def sample_skin(rng: np.random.Generator, age_months: float) -> tuple[Material, dict[str, object]]:
    """Skin, hair and eyes that go together, and what they are in words and numbers.

    All six groups of skin are equally likely. Newborns are redder, less pigmented and slate-eyed.
    """
    group = list(ITA_GROUPS)[int(rng.integers(len(ITA_GROUPS)))]
    ita = float(rng.uniform(*ITA_GROUPS[group]))
    new = float(np.clip(1 - age_months / 1.5, 0, 1))
    red = float(new * rng.uniform(1.0, 6.0) * np.interp(ita, (-50, 20), (0.4, 1)))
    red += float(rng.normal(0, 0.8))
    hair, iris = _hair_and_iris(rng, ita, age_months)
    cover = float(rng.choice([rng.uniform(0, 0.12), rng.uniform(0.15, 0.6), rng.uniform(0.6, 1)]))
    flush = float(np.clip(rng.uniform(0.1, 0.5) + 0.35 * new, 0, 1))
    material = Material(
        kind="skin",
        colours=(skin_colour(ita, red), _near(rng, HAIR[hair], 0.15), _near(rng, IRIS[iris], 0.2)),
        shine=float(rng.uniform(0.03, 0.09)),
        wrap=1.0,
        hair_cover=cover,
        flush=flush,
        seed=int(rng.integers(2**31)),
    )
    words: dict[str, object] = {"skin": group, "ita_deg": round(ita, 1), "hair": hair}
    return material, words | {"hair_cover": round(cover, 2), "iris": iris}


def sample_cloth(
    rng: np.random.Generator, plain: float = 0.35, ground: Colour | None = None
) -> Material:
    """A cloth: its colours and pattern. plain: how likely without a pattern. ground: its colour."""
    pattern = "plain" if rng.random() < plain else str(rng.choice(PATTERNS[1:]))
    ground = ground or _fabric(rng)
    other = _fabric(rng)
    for _ in range(8):
        if float(np.abs(np.subtract(np.sqrt(other), np.sqrt(ground))).max()) > 0.16:
            break
        other = _fabric(rng)
    seam = other if rng.random() < 0.4 else _near(rng, (*(0.82 * c for c in ground),), 0.05)
    size = {"stripes": (0.007, 0.04), "dots": (0.012, 0.04), "checks": (0.012, 0.05)}
    angle = float(rng.choice([0.0, 0.0, 90.0])) if pattern == "stripes" else 0.0
    return Material(
        kind="cloth",
        colours=(ground, other, seam),
        pattern=pattern,
        period_m=float(rng.uniform(*size.get(pattern, (0.025, 0.08)))),
        angle_deg=angle + float(rng.choice([0.0, 0.0, 45.0]) if pattern == "checks" else 0.0),
        wrinkle=float(rng.uniform(0.02, 0.14)),
        shine=float(rng.uniform(0.0, 0.03)),
        seed=int(rng.integers(2**31)),
    )


def diaper_cloth(rng: np.random.Generator) -> Material:
    """White or nearly so, with a printed band now and then."""
    white = _near(rng, (0.80, 0.80, 0.79), 0.05)
    printed = rng.random() < 0.6
    return Material(
        kind="cloth",
        colours=(white, _fabric(rng), _near(rng, (0.66, 0.68, 0.70), 0.1)),
        pattern=str(rng.choice(("print", "dots", "stripes"))) if printed else "plain",
        period_m=float(rng.uniform(0.018, 0.05)),
        wrinkle=float(rng.uniform(0.02, 0.07)),
        shine=0.03,
        seed=int(rng.integers(2**31)),
    )


def _hair_and_iris(rng: np.random.Generator, ita: float, age_months: float) -> tuple[str, str]:
    hairs: tuple[str, ...] = ("black", "dark brown")
    chances: tuple[float, ...] = (0.75, 0.25)
    irises: tuple[str, ...] = ("dark brown", "brown")
    odds: tuple[float, ...] = (0.8, 0.2)
    if 10 <= ita < 41:
        hairs, chances = ("black", "dark brown", "brown", "blond"), (0.4, 0.35, 0.2, 0.05)
        irises, odds = ("dark brown", "brown", "slate", "green"), (0.45, 0.35, 0.12, 0.08)
    elif ita >= 41:
        hairs = ("black", "dark brown", "brown", "blond", "pale blond", "red")
        chances = (0.15, 0.2, 0.25, 0.2, 0.12, 0.08)
        irises, odds = (
            ("dark brown", "brown", "slate", "blue", "green"),
            (0.15, 0.25, 0.2, 0.3, 0.1),
        )
    hair = str(rng.choice(hairs, p=chances))
    iris = str(rng.choice(irises, p=odds))
    if age_months < 4 and ita > 10 and rng.random() < 0.6:
        iris = "slate"
    return hair, iris


def _fabric(rng: np.random.Generator) -> Colour:
    if rng.random() < 0.38:
        return _near(rng, _NEUTRAL[int(rng.choice(6, p=(0.45, 0.2, 0.13, 0.12, 0.06, 0.04)))], 0.06)
    hue = _HUES[int(rng.integers(len(_HUES)))]
    return _near(rng, hue[int(rng.choice(3, p=(0.5, 0.35, 0.15)))], 0.12)


def _near(rng: np.random.Generator, colour: tuple[float, ...], spread: float) -> Colour:
    """The colour, each channel some ``spread`` (share) lighter or darker."""
    whole = rng.normal(0, spread)
    red, green, blue = (
        float(np.clip(c * np.exp(whole + rng.normal(0, 0.3 * spread)), 0.003, 0.88)) for c in colour
    )
    return red, green, blue
