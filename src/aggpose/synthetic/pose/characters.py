"""Characters of spontaneous movement, as general-movement assessment tells them apart.

After Einspieler & Prechtl, "Prechtl's assessment of general movements", Ment Retard Dev Disabil Res
Rev 2005, 11:61-67: writhing movements (to 2 months: small to moderate amplitude, slow to moderate
speed, ellipsoid), fidgety movements (3 to 5 months: small movements of moderate speed and variable
acceleration of neck, trunk and limbs in all directions), cramped-synchronised (rigid; limb and
trunk muscles contract and relax almost simultaneously). Kicks come in bouts of about one to two a
second, legs in turn or together (Thelen, Child Dev 1979, 50:699-715). Numbers beyond these words
are our own choice: this is what such movement looks like from afar, not a model of its cause.

A `Score` is a formula of time without kinks: sines under slow envelopes, and pulses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from aggpose.errors import UserError
from aggpose.synthetic.pose.joints import ANGLES, ARM, BODY, LEG, SIDES, base_name


@dataclass(frozen=True)
class Wave:
    """``size`` degrees of a sine in an angle. envelope: index into `Score.envelopes`, or -1."""

    angle: str
    size: float
    rate_hz: float
    phase: float
    envelope: int = -1


@dataclass(frozen=True)
class Pulse:
    """Degrees by angle, reached at ``at_s`` and held for about twice ``half_s``."""

    at_s: float
    half_s: float
    sizes: dict[str, float]
    lags_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Envelope:
    """Waxing and waning between 0 and 1: a steep or gentle step of two slow sines."""

    rates_hz: tuple[float, float]
    phases: tuple[float, float]
    steep: float = 2.0
    bias: float = 0.0

    def at(self, times_s: np.ndarray) -> np.ndarray:
        (a, b), (p, q) = self.rates_hz, self.phases
        waves = np.sin(2 * np.pi * a * times_s + p) + 0.7 * np.sin(2 * np.pi * b * times_s + q)
        return 0.5 + 0.5 * np.tanh(self.steep * (waves + self.bias))


@dataclass(frozen=True)
class Score:
    """All that moves. breath_hz, breath_m: of the belly."""

    character: str
    waves: tuple[Wave, ...] = ()
    pulses: tuple[Pulse, ...] = ()
    envelopes: tuple[Envelope, ...] = ()
    breath_hz: float = 0.6
    breath_m: float = 0.003

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """(T, len(ANGLES)) degrees away from the posture."""
        times = np.asarray(times_s, dtype=np.float64)
        total = np.zeros((len(times), len(ANGLES)))
        swells = [envelope.at(times) for envelope in self.envelopes]
        for wave in self.waves:
            value = wave.size * np.sin(2 * np.pi * wave.rate_hz * times + wave.phase)
            if wave.envelope >= 0:
                value = value * swells[wave.envelope]
            total[:, ANGLES.index(wave.angle)] += value
        for pulse in self.pulses:
            for name, size in pulse.sizes.items():
                away = (times - pulse.at_s - pulse.lags_s.get(name, 0.0)) / pulse.half_s
                total[:, ANGLES.index(name)] += size * np.exp(-(away**4))
        return total

    def breath(self, times_s: np.ndarray) -> np.ndarray:
        """(T,) m that the belly stands out."""
        return self.breath_m * np.sin(2 * np.pi * self.breath_hz * np.asarray(times_s))


# How far each angle goes, degrees, in movements of the whole body; near joints go furthest.
_REACH = {
    **{"arm_out": 22, "arm_up": 16, "arm_turn": 26, "elbow": 26, "pronation": 26, "wrist": 16},
    **{"fingers": 22, "hip_flexion": 20, "hip_out": 12, "hip_turn": 12, "knee": 28, "ankle": 16},
    **{"inversion": 8, "toes": 12, "head_turn": 20, "head_tilt": 6, "head_nod": 5},
    **{"neck_bend": 4, "trunk_bend": 4, "trunk_turn": 7, "trunk_tilt": 6},
}


def _waves(
    rng: np.random.Generator,
    size: float,
    rates: tuple[float, float],
    envelopes: int,
    count: int = 3,
) -> list[Wave]:
    """Sines of random rates in all angles, the faster ones smaller."""
    found = []
    for name in ANGLES:
        reach = size * _REACH[base_name(name)] * rng.uniform(0.6, 1.25)
        slow = 0.6 if name in BODY else 1.0
        hz = slow * np.exp(rng.uniform(np.log(rates[0]), np.log(rates[1]), size=count))
        shares = rng.uniform(0.5, 1.0, size=count) * (hz.min() / hz)
        shares /= np.sqrt((shares**2).sum())
        limb = _limb(name) if envelopes else -1
        for rate, share in zip(hz, shares, strict=True):
            phase = float(rng.uniform(0, 2 * np.pi))
            found.append(
                Wave(name, float(reach * share), float(rate), phase, limb % max(envelopes, 1))
                if envelopes
                else Wave(name, float(reach * share), float(rate), phase)
            )
    return found


def _limb(name: str) -> int:
    """0 left arm, 1 left leg, 2 right arm, 3 right leg, 4 head and trunk."""
    for i, side in enumerate(SIDES):
        if name.startswith(side):
            return 2 * i + (base_name(name) in LEG)
    return 4


def _envelopes(
    rng: np.random.Generator, rates: tuple[float, float], steep: float, bias: float
) -> tuple[Envelope, ...]:
    """One for each limb, and head and trunk."""
    return tuple(
        Envelope(
            (float(rng.uniform(*rates)), float(rng.uniform(*rates))),
            (float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 2 * np.pi))),
            steep,
            bias,
        )
        for _ in range(5)
    )


def _breath(rng: np.random.Generator) -> tuple[float, float]:
    """30 to 50 a minute, 1.5 to 3.5 mm."""
    return float(rng.uniform(0.5, 0.85)), float(rng.uniform(0.0015, 0.0035))


def writhing(rng: np.random.Generator, seconds: float) -> Score:
    """Slow, large, waxing and waning, in all of the body, the limbs turning as they go."""
    envelopes = _envelopes(rng, (0.05, 0.16), 1.2, 0.6)
    waves = _waves(rng, rng.uniform(0.8, 1.2), (0.18, 0.65), len(envelopes))
    return Score("writhing", tuple(waves), (), envelopes, *_breath(rng))


def fidgety(rng: np.random.Generator, seconds: float) -> Score:
    """Small, of moderate speed, everywhere and in all directions, on a posture that drifts."""
    envelopes = _envelopes(rng, (0.2, 0.5), 1.0, 0.9)
    quick = _waves(rng, rng.uniform(0.24, 0.38), (0.7, 1.9), len(envelopes), 4)
    drift = _waves(rng, rng.uniform(0.2, 0.4), (0.05, 0.15), 0, 2)
    return Score("fidgety", (*quick, *drift), (), envelopes, *_breath(rng))


def cramped(rng: np.random.Generator, seconds: float) -> Score:
    """All limbs and the trunk stiffen and let go at nearly the same time."""
    pulses, at = [], float(rng.uniform(0.6, 1.6))
    stretch = 1.0 if rng.random() < 0.7 else -0.6  # mostly into extension
    while at < seconds + 1:
        half = float(rng.uniform(0.6, 1.3))
        strength = rng.uniform(0.7, 1.0)
        full = {"elbow": -46, "knee": -58, "hip_flexion": -30, "hip_out": -14, "ankle": -24}
        full |= {"fingers": 34, "wrist": 14, "arm_up": 12, "arm_out": -14, "toes": 20}
        sizes = {
            side + name: float(stretch * strength * size * rng.uniform(0.85, 1.1))
            for side in SIDES
            for name, size in full.items()
        } | {"trunk_bend": -7.0 * stretch, "neck_bend": -6.0 * stretch}
        lags = {name: float(rng.uniform(-0.03, 0.03)) for name in sizes}
        pulses.append(Pulse(at, half, sizes, lags))
        at += 2 * half + float(rng.uniform(0.8, 2.2))
    waves = _waves(rng, 0.06, (0.1, 0.4), 0, 2)
    return Score("cramped-synchronised", tuple(waves), tuple(pulses), (), *_breath(rng))


def kicking(rng: np.random.Generator, seconds: float) -> Score:
    """Bouts of kicks, the legs in turn or together; the arms go along a little."""
    envelopes = (
        *_envelopes(rng, (0.05, 0.16), 1.2, 0.3),
        Envelope(
            (float(rng.uniform(0.1, 0.25)), float(rng.uniform(0.15, 0.3))),
            (float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0, 2 * np.pi))),
            3.0,
            0.35,
        ),
    )
    rate, start = float(rng.uniform(0.8, 1.7)), float(rng.uniform(0, 2 * np.pi))
    together = rng.random() < 0.4
    waves = _waves(rng, 0.3, (0.2, 0.6), 5)
    for i, side in enumerate(SIDES):
        phase = start + (0.0 if together else np.pi * i) + float(rng.uniform(-0.25, 0.25))
        for name, size, lag in (("hip_flexion", 27, 0.0), ("knee", 40, 0.35), ("ankle", 12, 0.5)):
            waves.append(
                Wave(side + name, float(size * rng.uniform(0.8, 1.1)), rate, phase - lag, 5)
            )
    return Score("kicking", tuple(waves), (), envelopes, *_breath(rng))


def resting(rng: np.random.Generator, seconds: float) -> Score:
    """Breathing, and hardly anything else."""
    waves = _waves(rng, 0.02, (0.04, 0.12), 0, 2)
    return Score("rest", tuple(waves), (), (), *_breath(rng))


def startling(rng: np.random.Generator, seconds: float) -> Score:
    """At rest, but for sudden openings of both arms, with the legs."""
    calm = resting(rng, seconds)
    pulses, at = [], float(rng.uniform(0.8, 2.0))
    while at < seconds + 1:
        sizes: dict[str, float] = {}
        for side in SIDES:
            for name, size in (("arm_out", 34), ("elbow", -42), ("fingers", -30)):
                sizes[side + name] = float(size * rng.uniform(0.8, 1.1))
            sizes[side + "hip_flexion"] = float(rng.uniform(5, 20))
            sizes[side + "knee"] = float(rng.uniform(-20, 10))
        pulses.append(Pulse(at, float(rng.uniform(0.3, 0.45)), sizes | {"neck_bend": -4.0}))
        at += float(rng.uniform(2.5, 5.0))
    return Score("startle", calm.waves, tuple(pulses), (), calm.breath_hz, calm.breath_m)


CHARACTERS: dict[str, Callable[[np.random.Generator, float], Score]] = {
    "writhing": writhing,
    "fidgety": fidgety,
    "cramped-synchronised": cramped,
    "kicking": kicking,
    "rest": resting,
    "startle": startling,
}

MONTHS: dict[str, tuple[float, float]] = {
    "writhing": (0.0, 2.0),
    "fidgety": (2.0, 5.0),
    "cramped-synchronised": (0.0, 2.0),
    "kicking": (0.0, 12.0),
    "rest": (0.0, 12.0),
    "startle": (0.0, 5.0),
}
"""Ages at which a character is met, months: of the general movements as above, startles until the
Moro reflex is gone (about five months)."""


def draw_character(rng: np.random.Generator, age_months: float) -> str:
    """One of those met at that age."""
    able = [name for name, (low, high) in MONTHS.items() if low <= age_months <= high]
    return str(rng.choice(able))


def write_score(rng: np.random.Generator, character: str, seconds: float) -> Score:
    """Draw the movements of a clip of that length."""
    if character not in CHARACTERS:
        raise UserError(f"unknown character {character!r}: choose one of {', '.join(CHARACTERS)}")
    return CHARACTERS[character](rng, seconds)


assert set(_REACH) == {*ARM, *LEG, *BODY} and set(MONTHS) == set(CHARACTERS)
