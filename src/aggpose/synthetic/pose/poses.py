"""Static poses of infants: a posture is drawn, and the body laid down in it.

World: metres, z up, the ground is z = 0. Lying infants have the head towards y, sitting, held and
standing ones look towards -y; the middle of the key points lies over the origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from aggpose.errors import UserError
from aggpose.synthetic.body.body import Body, pose_body
from aggpose.synthetic.pose.contact import Rest, come_to_rest, least_faulty
from aggpose.synthetic.pose.energy import GROUND, Goal, Problem
from aggpose.synthetic.pose.families import POSTURES, SHARES
from aggpose.synthetic.pose.family import Family
from aggpose.synthetic.pose.joints import ANGLES, ARM, BODY, LEG, as_dict, limits
from aggpose.synthetic.pose.rig import GROUPS, Rig, bone_rotations
from aggpose.synthetic.pose.rig_fit import make_rig

GOOD_SUNK_M, GOOD_OVERLAP_M = 0.009, 0.006
"""A pose is taken when nothing goes deeper: into the ground, into other parts of the body."""


@dataclass(frozen=True)
class Posed:
    """A body in a pose.

    vertices: (V, 3) m, world. points: (24, 3) m, world, key points of infant24.
    angles: name -> degrees (`joints.ANGLES`). posture, family: names in `families.POSTURES`.
    turn: (3, 3) body axes to world. shift: (3,) m; world = turn @ body + shift.
    notes: what else a scene may need: ``backrest`` (nx, ny, nz, d), ``sunk_m``, ``overlap_m``.
    """

    vertices: np.ndarray
    points: np.ndarray
    angles: Mapping[str, float]
    posture: str
    family: str
    turn: np.ndarray
    shift: np.ndarray
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """A family of a posture, what was drawn from it, and where that came to rest."""

    name: str
    family: Family
    problem: Problem
    rest: Rest


def draw_rest(
    rng: np.random.Generator, rig: Rig, posture: str, age_months: float, tries: int = 8
) -> Drawn:
    """Draw until a pose has no limb in the ground or in the body: of one family three times, then
    of others; after so many tries the best of them."""

    def draws() -> Iterator[tuple[float, Drawn]]:
        for number in range(tries):
            if number not in (1, 2):
                name, family = draw_family(rng, posture, age_months)
            problem = draw_problem(rng, rig, family, age_months)
            rest = come_to_rest(rig, problem)
            fault = max(rest.sunk_m[0] / GOOD_SUNK_M, rest.overlap_m[0] / GOOD_OVERLAP_M)
            yield float(fault), Drawn(name, family, problem, rest)

    return least_faulty(draws())


def sample_pose(
    rng: np.random.Generator,
    body: Body,
    posture: str | None = None,
    age_months: float = 4.0,
    rig: Rig | None = None,
    face: Mapping[str, np.ndarray] | None = None,
) -> Posed:
    """Draw a pose. posture: one of `families.POSTURES`, or drawn too.

    rig: the body's own from `make_rig`, to save time where a body is posed more than once.
    face: facial actions for `pose_body`, each (1,).
    """
    rig = rig or make_rig(body)
    posture = posture or draw_posture(rng, age_months)
    drawn = draw_rest(rng, rig, posture, age_months)
    rest, family = drawn.rest, drawn.family
    angles = as_dict(rest.angles)
    vertices, points = pose_body(body, bone_rotations(angles, body.bones, body.reference), face)
    turn, shift = rest.turn[0], rest.shift[0]
    world, marks = vertices[0] @ turn.T + shift, points[0] @ turn.T + shift
    middle = 0.5 * (marks.min(axis=0) + marks.max(axis=0))
    move = np.array([-middle[0], -middle[1], 0.0])
    deepest = 0.0
    if family.ground:
        loose = np.linalg.norm(body.offsets, axis=1)  # clothes are pressed flat
        deepest = -float((world[:, 2] + loose).min())
        move[2] = max(0.0, deepest - GOOD_SUNK_M)
    else:
        move[2] = float(rng.uniform(0.2, 0.45)) - float(world[:, 2].min())
    notes: dict[str, object] = {
        "sunk_m": float(rest.sunk_m[0]),
        "overlap_m": float(rest.overlap_m[0]),
        "deepest_m": deepest,
    }
    if family.backrest:
        x, y, z, d = drawn.problem.planes[-1]
        notes["backrest"] = (x, y, z, d + float(np.dot((x, y, z), move)))
    return Posed(
        vertices=world + move,
        points=marks + move,
        angles={k: float(v[0]) for k, v in angles.items()},
        posture=posture,
        family=drawn.name,
        turn=turn,
        shift=shift + move,
        notes=notes,
    )


def draw_posture(rng: np.random.Generator, age_months: float) -> str:
    """By `SHARES`, of those that infants of that age can have."""
    able = {
        name: share
        for name, share in SHARES.items()
        if any(_fits(f, age_months) for f in POSTURES[name].values())
    }
    return _draw(rng, able)


def draw_family(rng: np.random.Generator, posture: str, age_months: float) -> tuple[str, Family]:
    """One family of a posture, of those fit for the age (of all, if none is)."""
    if posture not in POSTURES:
        raise UserError(f"unknown posture {posture!r}: choose one of {', '.join(POSTURES)}")
    families = POSTURES[posture]
    able = {name: f.weight for name, f in families.items() if _fits(f, age_months)}
    name = _draw(rng, able or {name: f.weight for name, f in families.items()})
    return name, families[name]


def _fits(family: Family, age_months: float) -> bool:
    return family.months[0] <= age_months <= family.months[1]


def _draw(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    total = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(total, rng.uniform(0, total[-1])))]


def draw_problem(rng: np.random.Generator, rig: Rig, family: Family, age_months: float) -> Problem:
    """What a draw from the family asks for, to be brought to rest."""
    low, high = limits(age_months)
    side = "left_" if rng.random() < 0.5 else "right_"
    angles = draw_angles(rng, family, side).clip(low, high)
    recline = family.recline[0] + family.recline[1] * _bounded(rng)
    away = 1.0 if rng.random() < 0.5 else -1.0  # which side it lies on, or leans to
    roll = away * (family.roll[0] + family.roll[1] * _bounded(rng))
    root = root_of(recline, roll)
    goals = [
        Goal(g.a.format(**names), g.b and g.b.format(**names), g.gap_m, g.weight)
        for g in family.goals
        for names in _sides(g, side)
    ]
    planes = [GROUND] if family.ground else []
    if family.backrest:
        planes.append(_backrest(rig, root, angles))
    return Problem(
        root=root,
        angles=angles[None],
        tone=tones(family),
        low=low,
        high=high,
        root_tone=family.hold,
        gravity=1.0 if family.ground else 0.0,
        planes=planes,
        goals=goals,
    )


def draw_angles(rng: np.random.Generator, family: Family, side: str) -> np.ndarray:
    """(A,) degrees. side: ``left_`` or ``right_``, the one that `Family.one` means."""
    angles = dict.fromkeys(ANGLES, 0.0)
    extra = {
        "fingers": (float(rng.uniform(15, 70)), 16.0),
        "wrist": (4.0, 16.0),
        "pronation": (0.0, 26.0),
        "ankle": (10.0, 16.0),
        "inversion": (8.0, 9.0),
        "toes": (0.0, 10.0),
    }
    common = {name: _bounded(rng) for name in (*ARM, *LEG)}
    for each in ("left_", "right_"):
        own = family.one if each == side else family.other
        table = extra | dict(family.arm) | dict(family.leg) | dict(own)
        for name in (*ARM, *LEG):
            mean, spread = table[name]
            part = 0.65 * common[name] + 1.0 * _bounded(rng)
            angles[each + name] = mean + spread * part
    sign = 1.0 if side == "left_" else -1.0
    for name in BODY:
        mean, spread = family.body.get(name, (0.0, 3.0))
        if name in family.one:
            mean, spread = family.one[name][0] * sign, family.one[name][1]
        angles[name] = mean + spread * _bounded(rng)
    return np.array([angles[name] for name in ANGLES])


def tones(family: Family) -> np.ndarray:
    """(A,) stiffness by `joints.ANGLES`; infinite where contact must not change the angle."""
    arms, legs, trunk = family.tone
    by_name = dict.fromkeys(("arm_out", "arm_up", "arm_turn", "elbow"), arms)
    by_name |= dict.fromkeys(("hip_flexion", "hip_out", "hip_turn", "knee"), legs)
    by_name |= dict.fromkeys(("trunk_bend", "trunk_turn", "trunk_tilt"), trunk)
    by_name["ankle"] = 0.3 * legs
    by_name |= {"neck_bend": 0.25 * trunk, "head_tilt": 0.25 * trunk}
    tone = np.full(len(ANGLES), np.inf)
    for i, name in enumerate(ANGLES):
        tone[i] = by_name.get(name.removeprefix("left_").removeprefix("right_"), np.inf)
    return tone


def root_of(recline: float, roll: float) -> np.ndarray:
    """(3, 3) body axes to world. recline: 0 upright, looking to -y; 90 on the back, the head
    towards y. roll: about the body's length, degrees; 90 on its left side, 180 on its front."""
    a, b = np.deg2rad(-recline), np.deg2rad(roll)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1.0]])
    return about_x @ about_z


def _backrest(rig: Rig, root: np.ndarray, angles: np.ndarray) -> tuple[float, float, float, float]:
    """The plane that the back leans on; it passes a little inside of the trunk's back."""
    normal = -root[:, 1]  # out of the belly
    trunk = np.flatnonzero(rig.group[: rig.skin] == GROUPS.index("trunk"))
    places = rig.points(angles[None])[0, trunk] @ root.T
    x, y, z = normal.tolist()
    return (x, y, z, float((places @ normal).min()) + 0.004)


def _bounded(rng: np.random.Generator) -> float:
    """Normal, without the far tails."""
    return float(np.clip(rng.standard_normal(), -2.2, 2.2))


def _sides(goal: Goal, side: str) -> list[dict[str, str]]:
    one, other = ("L", "R") if side == "left_" else ("R", "L")
    names = [{"s": s, "o": one, "p": other} for s in "LR"]
    return names if "{s}" in goal.a else names[:1]
