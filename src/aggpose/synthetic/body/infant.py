"""Who the infant is: age, sex, size, looks and clothes, drawn at random.

Sizes follow the WHO Child Growth Standards (`who`): length, head and weight are drawn together
around the medians of the age, within two standard deviations of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from aggpose.errors import UserError
from aggpose.synthetic.body import who
from aggpose.synthetic.body.appearance import diaper_cloth, sample_cloth, sample_skin
from aggpose.synthetic.body.clothes import Garment
from aggpose.synthetic.body.fit import Build
from aggpose.synthetic.mesh import Material

OUTFITS = (
    *("naked", "diaper", "bodysuit", "long bodysuit", "bodysuit and trousers", "sleeper"),
    *("shirt", "shirt and trousers", "dress", "sleeping bag", "swaddle"),
)
_CHANCES = (0.05, 0.22, 0.16, 0.09, 0.11, 0.14, 0.05, 0.08, 0.04, 0.04, 0.02)


@dataclass(frozen=True)
class Sack:
    """What joins parts that the body keeps apart; see `sacks`.

    kind: ``dress`` (a skirt), ``bag`` or ``swaddle``. material: its cloth. length: of a skirt, 0
    short to 1 to the ankles.
    """

    kind: str
    material: Material
    length: float = 0.5


@dataclass(frozen=True)
class Infant:
    """One infant. age_months: 0 to 12. z_scores: WHO's of length, head and weight.
    build: its size and shape. skin: with hair and eyes. garments: innermost first, at most four.
    sack: worn over them, or None. words: what skin, hair and outfit are called. seed: of details.
    """

    age_months: float
    sex: who.Sex
    build: Build
    z_scores: tuple[float, float, float]
    skin: Material
    garments: tuple[Garment, ...]
    sack: Sack | None
    seed: int
    words: Mapping[str, object] = field(default_factory=dict)

    def describe(self) -> dict[str, object]:
        """All of it that a reader of annotations may want, for JSON."""
        return {
            "age_months": round(self.age_months, 2),
            "sex": self.sex,
            "length_m": round(self.build.length_m, 4),
            "head_circumference_m": round(self.build.head_m, 4),
            "weight_kg": round(self.build.weight_kg, 3),
            "z_length_head_weight": [round(z, 2) for z in self.z_scores],
            "garments": [garment.kind for garment in self.garments],
            "sack": self.sack.kind if self.sack else None,
            "seed": self.seed,
            **self.words,
        }

    def undressed(self) -> Infant:
        """The same infant without clothes."""
        return replace(self, garments=(), sack=None)


def sample_infant(
    rng: np.random.Generator,
    age_months: float | None = None,
    sex: who.Sex | None = None,
    outfit: str | None = None,
) -> Infant:
    """An infant at random; what is given is kept. outfit: one of `OUTFITS`."""
    if age_months is not None and not 0 <= age_months <= 12:
        raise UserError(f"age {age_months} months: infants here are 0 to 12 months old")
    if outfit is not None and outfit not in OUTFITS:
        raise UserError(f"unknown outfit {outfit!r}: choose one of {', '.join(OUTFITS)}")
    drawn_age, drawn_sex = float(rng.uniform(0, 12)), str(rng.choice(("girl", "boy")))
    age = drawn_age if age_months is None else float(age_months)
    girl = (sex or drawn_sex) == "girl"
    own: who.Sex = "girl" if girl else "boy"
    z_scores = _z_scores(rng)
    skin, words = sample_skin(rng, age)
    build = Build(
        length_m=who.value_at("length_cm", own, age, z_scores[0]) / 100,
        head_m=who.value_at("head_cm", own, age, z_scores[1]) / 100,
        weight_kg=who.value_at("weight_kg", own, age, z_scores[2]),
        girl=float(girl),
        ancestry=_ancestry(rng, words),
        changes=_changes(rng, age),
    )
    drawn_outfit = str(rng.choice(OUTFITS, p=_CHANCES))
    outfit = outfit or drawn_outfit
    if outfit == "swaddle" and age > 4 and drawn_outfit == outfit:
        outfit = "sleeping bag"
    garments, sack = sample_outfit(rng, outfit)
    return Infant(
        age_months=age,
        sex=own,
        build=build,
        z_scores=z_scores,
        skin=skin,
        garments=garments,
        sack=sack,
        seed=int(rng.integers(2**31)),
        words=words | {"outfit": outfit},
    )


def _z_scores(rng: np.random.Generator) -> tuple[float, float, float]:
    """Of length, head and weight, within 1.9: tall infants have larger heads and weigh more."""
    mixed = np.linalg.cholesky([[1.0, 0.5, 0.7], [0.5, 1.0, 0.5], [0.7, 0.5, 1.0]])
    while True:
        length, head, weight = (float(z) for z in mixed @ rng.standard_normal(3))
        if max(abs(length), abs(head), abs(weight)) <= 1.9:
            return length, head, weight


def _ancestry(rng: np.random.Generator, words: Mapping[str, object]) -> tuple[float, float, float]:
    """Shares of anny's three kinds of faces; loosely tied to the tone of the skin."""
    dark = words["skin"] in ("brown", "dark")
    light = words["skin"] in ("very light", "light")
    favour = np.array([2.0 if dark else 0.4, 0.6 if dark else 1.2, 1.6 if light else 0.6])
    african, asian, caucasian = (float(share) for share in rng.dirichlet(favour))
    return african, asian, caucasian


def _changes(rng: np.random.Generator, age_months: float) -> dict[str, float]:
    """Amounts of anny's local changes. They are made for adults: a tenth goes far on an infant."""

    def about(middle: float, spread: float) -> float:
        return float(middle + spread * rng.uniform(-1, 1))

    young = float(np.clip(1 - age_months / 12, 0, 1))
    fat = about(0.08, 0.06)
    return {
        "measure-upperarm-length-incr": about(-0.08, 0.03),
        "measure-lowerarm-length-incr": about(-0.33, 0.05),
        "hand-fingers-length-incr": about(-0.15, 0.08),
        "hand-fingers-diameter-incr": about(0.15, 0.1),
        "foot-scale-incr": about(0.0, 0.06),
        "upperleg-fat-incr": fat,
        "lowerleg-fat-incr": 0.7 * fat,
        "upperarm-fat-incr": 0.8 * fat,
        "lowerarm-fat-incr": 0.8 * fat,
        "cheek-volume-incr": about(0.16, 0.10),
        "head-fat-incr": about(0.08, 0.08),
        "neck-double-incr": about(0.10, 0.10),
        "neck-scale-vert-incr": about(-0.35 - 0.15 * young, 0.1),
        "head-scale-horiz-incr": about(0.12, 0.12),
        "head-scale-depth-incr": about(0.04, 0.12),
        "head-scale-vert-incr": about(0.0, 0.08),
        "head-back-scale-depth-incr": about(0.05, 0.15),
        "forehead-nubian-incr": about(0.10, 0.10),
        "eye-scale-incr": about(0.22, 0.10),
        "eye-height2-incr": about(0.10, 0.15),
        "eye-epicanthus-out": about(0.0, 0.2),
        "eye-trans-out": about(0.05, 0.08),
        "ear-wing-incr": about(0.05, 0.20),
        "ear-scale-incr": about(-0.08, 0.10),
        "nose-scale-horiz-incr": about(0.0, 0.15),
        "nose-volume-incr": about(-0.05, 0.15),
        "nose-point-up": about(0.15, 0.12),
        "nose-scale-depth-incr": about(-0.08, 0.12),
        "mouth-scale-horiz-incr": about(-0.05, 0.12),
        "mouth-upperlip-volume-incr": about(0.05, 0.15),
        "mouth-lowerlip-volume-incr": about(0.0, 0.15),
        "chin-prominent-incr": about(-0.10, 0.12),
        "stomach-pregnant-incr": about(0.03, 0.03),
        "buttocks-volume-incr": about(0.03, 0.08),
    }


def sample_outfit(rng: np.random.Generator, outfit: str) -> tuple[tuple[Garment, ...], Sack | None]:
    """Garments of an outfit of `OUTFITS`, innermost first, and what is worn over them."""
    cloth = sample_cloth(rng)
    second = sample_cloth(rng, plain=0.7)
    loose = float(rng.beta(1.6, 1.8))
    short, long = float(rng.uniform(0.18, 0.42)), float(rng.uniform(0.88, 1.0))
    diaper = Garment("diaper", diaper_cloth(rng), loose=float(rng.uniform(0.15, 1.0)))
    pad = replace(diaper, loose=diaper.loose * 0.8)
    warm = rng.random() < 0.5
    sleeve = long if warm else short
    sack: Sack | None = None
    worn: list[Garment] = []
    if outfit == "diaper":
        worn = [diaper, Garment("tabs", sample_cloth(rng, plain=1.0))]
    elif outfit in ("bodysuit", "long bodysuit"):
        sleeve = long if outfit == "long bodysuit" else float(rng.choice((0.0, short, short)))
        worn = [pad, Garment("bodysuit", cloth, sleeve=sleeve, loose=0.7 * loose)]
    elif outfit == "bodysuit and trousers":
        leg = float(rng.choice((rng.uniform(0.35, 0.6), rng.uniform(0.85, 1.0))))
        worn = [Garment("bodysuit", cloth, sleeve=sleeve, loose=0.7 * loose)]
        worn += [Garment("trousers", second, leg=leg, loose=loose)]
    elif outfit == "sleeper":
        feet = rng.random() < 0.6
        worn = [Garment("sleeper", cloth, sleeve=long, leg=long, loose=loose, feet=bool(feet))]
    elif outfit == "shirt":
        worn = [diaper, Garment("shirt", cloth, sleeve=sleeve, loose=loose)]
    elif outfit == "shirt and trousers":
        leg = float(rng.choice((rng.uniform(0.35, 0.6), rng.uniform(0.85, 1.0))))
        worn = [Garment("trousers", second, leg=leg, loose=loose)]
        worn += [Garment("shirt", cloth, sleeve=sleeve, loose=loose)]
    elif outfit == "dress":
        worn = [diaper, Garment("shirt", cloth, sleeve=sleeve, loose=0.5 * loose)]
        sack = Sack("dress", cloth, float(rng.uniform(0.3, 0.8)))
    elif outfit == "sleeping bag":
        worn = [Garment("sleeper", second, sleeve=long, leg=long, loose=0.5 * loose)]
        worn += [Garment("vest", cloth, sleeve=0.0, loose=loose)]
        sack = Sack("bag", cloth)
    elif outfit == "swaddle":
        worn = [Garment("bodysuit", second, sleeve=long, loose=0.3 * loose)]
        sack = Sack("swaddle", cloth)
    return (*worn, *_small_things(rng, outfit, warm, room=4 - len(worn))), sack


def _small_things(
    rng: np.random.Generator, outfit: str, warm: bool, room: int
) -> tuple[Garment, ...]:
    """Socks, mittens and hats: more of them with long sleeves."""
    draws = rng.random(3)
    socks = Garment("socks", sample_cloth(rng, 0.5), leg=float(rng.random()), loose=0.4)
    mittens = Garment("mittens", sample_cloth(rng, 0.7), loose=0.5)
    kind = "bonnet" if rng.random() < 0.35 else "hat"
    hat = Garment(kind, sample_cloth(rng, 0.5), loose=float(rng.uniform(0.1, 0.8)))
    if outfit == "naked":
        return ()
    found = []
    if outfit != "sleeper" and draws[0] < (0.5 if warm else 0.2):
        found.append(socks)
    if warm and draws[1] < 0.12:
        found.append(mittens)
    if draws[2] < (0.3 if warm else 0.12):
        found.append(hat)
    return tuple(found[:room])
