"""Moving infants: a posture, a character of movement, and contact kept through time.

A clip is one formula of time: a posture's angles, plus the character's `Score`, bent softly into
the joints' ranges, plus a smooth spline of what contact with the ground and the body itself asks
for. It has two continuous derivatives, so that true velocities are derivatives of true positions.

World: metres, z up, the ground is z = 0 (see `poses`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.body import Body, pose_body, rest_points
from aggpose.synthetic.body.template import FACIAL_ACTIONS
from aggpose.synthetic.pose.characters import Score, write_score
from aggpose.synthetic.pose.contact import come_to_rest, least_faulty
from aggpose.synthetic.pose.energy import Problem, overlap_of, tilted
from aggpose.synthetic.pose.joints import as_dict
from aggpose.synthetic.pose.poses import GOOD_SUNK_M, draw_family, draw_problem
from aggpose.synthetic.pose.rig import Rig, bone_rotations
from aggpose.synthetic.pose.rig_fit import make_rig

_KNOTS_HZ = 8.0
_CHUNK = 24
_MOMENT_S = 1e-3

MOST_SUNK_M, MOST_OVERLAP_M = 0.012, 0.010
"""A clip is taken when nothing ever goes deeper: into the ground, into other parts of the body."""


@dataclass(frozen=True)
class Spline:
    """A uniform cubic B-spline: twice continuously differentiable.

    values: (K, C), one at each knot; the curve smooths them. start_s: time of the first knot.
    """

    values: np.ndarray
    start_s: float
    step_s: float

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """(T, C); times must lie between the second knot and the last but one."""
        where = (np.asarray(times_s, dtype=np.float64) - self.start_s) / self.step_s
        knot = np.floor(where).astype(int).clip(1, len(self.values) - 3)
        u = where - knot
        weights = (
            (1 - u) ** 3 / 6,
            (3 * u**3 - 6 * u**2 + 4) / 6,
            (-3 * u**3 + 3 * u**2 + 3 * u + 1) / 6,
            u**3 / 6,
        )
        pairs = enumerate(weights)
        return np.sum([w[:, None] * self.values[knot + i - 1] for i, w in pairs], axis=0)


@dataclass(frozen=True)
class PosedClip:
    """A body that moves; all of it follows from these parts at any time.

    times_s: (T,) of the frames asked for. base: (A,) degrees, the posture (`joints.ANGLES`).
    low, high: (A,) degrees. score: the movement. contact: spline of A angles (degrees), two tilts
    (rad) about the world's x and y, and the height (m). root: (3, 3). middle: (2,) m.
    face: (T,) facial actions for `pose_body`. parameters: all that was drawn, for writing out.
    """

    body: Body
    times_s: np.ndarray
    base: np.ndarray
    low: np.ndarray
    high: np.ndarray
    score: Score
    contact: Spline
    root: np.ndarray
    middle: np.ndarray
    blinks_s: np.ndarray
    parameters: Mapping[str, object]

    def angles(self, times_s: np.ndarray | None = None) -> np.ndarray:
        """(T, A) degrees."""
        times = self.times_s if times_s is None else times_s
        return self.asked(times) + self.contact.at(times)[:, :-3]

    def asked(self, times_s: np.ndarray) -> np.ndarray:
        """(T, A) degrees, before contact."""
        return into_range(self.base + self.score.at(times_s), self.low, self.high)

    def root_at(self, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turns (T, 3, 3) and shifts (T, 3) m from the body's frame to the world."""
        tail = self.contact.at(times_s)[:, -3:]
        shift = np.zeros((len(tail), 3))
        shift[:, :2], shift[:, 2] = -self.middle, tail[:, 2]
        return tilted(self.root, tail[:, :2]), shift

    def at(self, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (T, V, 3) float32 and key points of infant24 (T, 24, 3), m, world."""
        rotations = bone_rotations(
            as_dict(self.angles(times_s)), self.body.bones, self.body.reference
        )
        face = expressions(times_s, self.blinks_s, self.score.character == "rest")
        vertices, points = pose_body(self.body, rotations, face)
        turn, shift = self.root_at(times_s)
        vertices = vertices @ turn.swapaxes(1, 2) + shift[:, None]
        points = points @ turn.swapaxes(1, 2) + shift[:, None]
        out = -turn[:, :, 1] * self.score.breath(times_s)[:, None]  # the belly's way out
        vertices += belly(self.body.vertices, self.body)[:, None] * out[:, None]
        for index in (INFANT24.index("chest"), INFANT24.index("navel")):
            points[:, index] += belly(rest_points(self.body)[[index]], self.body)[0] * out
        return vertices.astype(np.float32), points

    def velocities(self, times_s: np.ndarray) -> np.ndarray:
        """(T, 24, 3) m/s, world: the derivative of the key points, by differences over 2 ms of the
        formula itself."""
        times = np.asarray(times_s, dtype=np.float64)
        found = np.empty((len(times), len(INFANT24), 3))
        for first in range(0, len(times), _CHUNK):
            part = times[first : first + _CHUNK]
            before, after = self.at(part - _MOMENT_S)[1], self.at(part + _MOMENT_S)[1]
            found[first : first + _CHUNK] = (after - before) / (2 * _MOMENT_S)
        return found

    def exposed(self, exposure_s: float) -> Iterator[np.ndarray]:
        """Vertices (2, V, 3) as the exposure of each frame begins and ends; its middle is the
        frame's time."""
        for time in self.times_s:
            yield self.at(time + exposure_s * np.array([-0.5, 0.5]))[0]

    def frames(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Vertices (V, 3) and points (24, 3) of each frame; few are held at a time."""
        for first in range(0, len(self.times_s), _CHUNK):
            yield from zip(*self.at(self.times_s[first : first + _CHUNK]), strict=True)


def sample_motion(
    rng: np.random.Generator,
    body: Body,
    character: str,
    times_s: np.ndarray,
    posture: str = "supine",
    age_months: float = 3.0,
    rig: Rig | None = None,
    tries: int = 5,
) -> PosedClip:
    """Draw a clip, again where a limb goes into the ground or the body; the best of the tries.

    character: one of `characters.CHARACTERS`. times_s: (T,) s, increasing.
    """
    rig = rig or make_rig(body)
    times = np.asarray(times_s, dtype=np.float64)
    clips = (_draw(rng, body, rig, character, times, posture, age_months) for _ in range(tries))
    return least_faulty((_fault(clip, rig), clip) for clip in clips)


def _draw(
    rng: np.random.Generator,
    body: Body,
    rig: Rig,
    character: str,
    times: np.ndarray,
    posture: str,
    age_months: float,
) -> PosedClip:
    first, last = float(times[0]), float(times[-1])
    name, family = draw_family(rng, posture, age_months)
    # legs and arms that move hold themselves; the trunk lies
    stiff = max(family.tone[0], 0.05), max(family.tone[1], 0.1), max(family.tone[2], 0.1)
    family = replace(family, tone=stiff, hold=max(family.hold, 0.3))
    problem = draw_problem(rng, rig, family, age_months)
    score = write_score(rng, character, last - first)
    contact = _keep_contact(rig, problem, score, first, last)
    blinks = rng.uniform(first, max(last, first + 1), size=max(1, int((last - first) / 3)))
    clip = PosedClip(
        body=body,
        times_s=times,
        base=problem.angles[0],
        low=problem.low,
        high=problem.high,
        score=score,
        contact=contact,
        root=problem.root,
        middle=np.zeros(2),
        blinks_s=blinks,
        parameters={
            "posture": posture,
            "family": name,
            "age_months": age_months,
            "base_deg": {k: float(v[0]) for k, v in as_dict(problem.angles).items()},
            "score": asdict(score),
            "contact_hz": _KNOTS_HZ,
        },
    )
    places = _places(clip, rig, np.linspace(first, last, 9))
    middle = 0.5 * (places.min(axis=(0, 1)) + places.max(axis=(0, 1)))[:2]
    return replace(clip, middle=middle)


def _places(clip: PosedClip, rig: Rig, times_s: np.ndarray) -> np.ndarray:
    """(T, P, 3) m, world, of the light double."""
    turn, shift = clip.root_at(times_s)
    return rig.points(clip.angles(times_s)) @ turn.swapaxes(1, 2) + shift[:, None]


def _fault(clip: PosedClip, rig: Rig) -> float:
    """How deep anything ever goes, over what may be: into the ground, into the body itself."""
    first, last = clip.times_s[0], clip.times_s[-1]
    places = _places(clip, rig, np.linspace(first, last, 2 + int(10 * (last - first))))
    sunk = -float(places[:, : rig.skin, 2].min())
    return max(sunk / MOST_SUNK_M, float(overlap_of(rig, places).max()) / MOST_OVERLAP_M)


def into_range(angles: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Bend angles (T, A) smoothly into their ranges: straight within the inner 80 % nearly."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    away = (angles - middle) / half
    return middle + half * away / (1 + np.abs(away) ** 8) ** 0.125


def _keep_contact(rig: Rig, problem: Problem, score: Score, first: float, last: float) -> Spline:
    """What contact asks for, at knots, each solved by itself; the spline joins them."""
    step = 1.0 / _KNOTS_HZ
    start = first - 3 * step
    count = int(np.ceil((last - start) / step)) + 4
    times = start + step * np.arange(count)
    asked = into_range(problem.angles + score.at(times), problem.low, problem.high)
    values = np.zeros((count, asked.shape[1] + 3))
    for i in range(0, count, _CHUNK):
        part = slice(i, i + _CHUNK)
        rest = come_to_rest(rig, replace(problem, angles=asked[part]))
        values[part, :-3] = rest.angles - asked[part]
        values[part, -3:-1] = rest.tilt
        values[part, -1] = rest.shift[:, 2] + (rest.sunk_m - GOOD_SUNK_M).clip(0)
    return Spline(values, start, step)


def belly(places: np.ndarray, body: Body) -> np.ndarray:
    """(N,) how much places at rest (N, 3) m go along with the breath: the front of the trunk."""
    rest = rest_points(body)
    navel, chest = rest[INFANT24.index("navel")], rest[INFANT24.index("chest")]
    middle = 0.6 * navel + 0.4 * chest
    size = float(np.linalg.norm(chest - navel))
    away = (places - middle) / (0.9 * size, 1.1 * size, 0.8 * size)
    return np.exp(-(away**2).sum(axis=-1))


def expressions(
    times_s: np.ndarray, blinks_s: np.ndarray, asleep: bool = False
) -> dict[str, np.ndarray]:
    """Facial actions (T,) in [0, 1]: blinks, a slow mouth; eyes closed when asleep."""
    times = np.asarray(times_s, dtype=np.float64)
    away = (times[:, None] - blinks_s) / 0.1
    blink = np.tanh(np.exp(-(away**4)).sum(axis=1) * 2)
    if asleep:
        blink = np.ones_like(times)
    mouth = 0.06 * (1 + np.sin(2 * np.pi * 0.11 * times + 7 * blinks_s[0]))
    found = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink, "jawOpen": mouth}
    return {name: value for name, value in found.items() if name in FACIAL_ACTIONS}
