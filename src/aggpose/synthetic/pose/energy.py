"""What a lying body's energy is, and how it changes with every angle.

Muscles of some tone hold the angles that a posture asks for (springs); gravity pulls on all of the
body; the ground, backrests and the body's own parts push back; hands may be drawn to a mouth.
Energies are in metres of the body's mean height, so that gravity has weight 1.

World: metres, z up, the ground is z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aggpose.synthetic.pose.joints import ANGLES, ARM, SIDES, base_name
from aggpose.synthetic.pose.rig import GROUPS, LIMBS, Rig

GROUND = (0.0, 0.0, 1.0, 0.0)
"""A plane (nx, ny, nz, d): free space is where n . p > d."""

_SOFT_TRUNK, _SOFT_LIMB = 16000.0, 60000.0  # stiffness of a mattress under trunk and head; limbs
_SOFT_FLESH = 500.0  # of balls against balls
_NUDGE_DEG = 0.5


@dataclass(frozen=True)
class Goal:
    """Draw ball ``a`` to ball ``b``: their surfaces to ``gap_m`` of each other.

    a, b: names in `Rig.named`; b None: to the ground. weight: stiffness.
    """

    a: str
    b: str | None
    gap_m: float = 0.0
    weight: float = 30.0


@dataclass(frozen=True)
class Problem:
    """What is to come to rest.

    root: (3, 3) body axes to world. angles: (N, A) degrees, as asked for (`joints.ANGLES`).
    tone: (A,) stiffness of each, per squared radian; infinite where it must not change.
    low, high: (A,) limits, degrees. root_tone: of tilting about the world's x and y.
    gravity: 0 for a body that is held. planes: what pushes back.
    """

    root: np.ndarray
    angles: np.ndarray
    tone: np.ndarray
    low: np.ndarray
    high: np.ndarray
    root_tone: float = 0.0
    gravity: float = 1.0
    planes: Sequence[tuple[float, float, float, float]] = (GROUND,)
    goals: Sequence[Goal] = field(default_factory=tuple)


@dataclass(frozen=True)
class Linear:
    """Energy to second order about a state: value (N,), gradient (N, D), curvature (N, D, D)."""

    value: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray

    def with_those(self, other: Linear, which: np.ndarray) -> Linear:
        """Some poses' from another state."""
        return Linear(
            np.where(which, other.value, self.value),
            np.where(which[:, None], other.gradient, self.gradient),
            np.where(which[:, None, None], other.curvature, self.curvature),
        )


@dataclass
class State:
    """Where N poses are. angles: (N, A) degrees. tilt: (N, 2) rad. lift: (N,) m."""

    angles: np.ndarray
    tilt: np.ndarray
    lift: np.ndarray

    def take(self, other: State, which: np.ndarray) -> None:
        """Those poses of another."""
        for name in ("angles", "tilt", "lift"):
            getattr(self, name)[which] = getattr(other, name)[which]


def energy_about(
    rig: Rig,
    problem: Problem,
    state: State,
    asked: np.ndarray,
    free: np.ndarray,
    stiff: np.ndarray,
) -> Linear:
    """The energy about a state, springs included. A height that is not known yet is set."""
    points, slopes = _spread(rig, state.angles, free)
    turn = tilted(problem.root, state.tilt)
    here = points @ turn.swapaxes(1, 2)
    slopes = slopes @ turn.swapaxes(1, 2)[:, None]
    if np.isnan(state.lift).any():
        state.lift[:] = _first_height(rig, here, problem)
    here[..., 2] += state.lift[:, None]
    slopes = np.concatenate([slopes, _root_slopes(here, state.lift)], axis=1)
    energy = _energy(rig, problem, here, slopes)
    away = np.concatenate(
        [np.deg2rad((state.angles - asked)[:, free]), state.tilt, np.zeros((len(asked), 1))], axis=1
    )
    return Linear(
        energy.value + 0.5 * (stiff * away**2).sum(axis=1),
        energy.gradient + stiff * away,
        energy.curvature + np.diag(stiff),
    )


def overlap_of(rig: Rig, places: np.ndarray) -> np.ndarray:
    """(N,) m, the deepest of two balls in each other beyond what they may. places: (N, P, 3)."""
    balls = places[:, rig.skin :]
    apart = np.linalg.norm(balls[:, rig.pairs[:, 0]] - balls[:, rig.pairs[:, 1]], axis=-1)
    deep: np.ndarray = (rig.radius[rig.pairs].sum(axis=1) - rig.give - apart).max(axis=1, initial=0)
    return deep


def _spread(rig: Rig, angles: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, P, 3) m, body frame, and their slopes (N, D, P, 3) m/rad by the free angles.

    Limbs do not move one another's points, so one nudged body serves an angle of each limb.
    """
    rows: dict[tuple[str, int], list[tuple[int, int]]] = {}
    turns = {limb: 0 for limb in LIMBS}
    for column, index in enumerate(free):
        name = ANGLES[index]
        if name.startswith(SIDES):
            kind = "arm" if base_name(name) in ARM else "leg"
            limb = f"{kind}.{'L' if name.startswith('left') else 'R'}"
            rows.setdefault(("limbs", turns[limb]), []).append((column, LIMBS.index(limb)))
            turns[limb] += 1
        else:
            rows[(name, 0)] = [(column, -1)]
    count, size = angles.shape
    many = np.repeat(angles[:, None], 1 + len(rows), axis=1)
    for row, members in enumerate(rows.values(), 1):
        many[:, row, [free[column] for column, _ in members]] += _NUDGE_DEG
    points = rig.points(many.reshape(-1, size)).reshape(count, 1 + len(rows), -1, 3)
    here = points[:, 0]
    change = (points[:, 1:] - here[:, None]) / np.deg2rad(_NUDGE_DEG)
    slopes = np.zeros((count, len(free), *here.shape[1:]))
    for place, members in enumerate(rows.values()):
        for column, which in members:
            moved = slice(None) if which < 0 else rig.limb == which
            slopes[:, column, moved] = change[:, place, moved]
    return here, slopes


def tilted(root: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """(N, 3, 3): the root turned about the world's x, then y, by tilt (N, 2) rad."""
    cx, sx, cy, sy = np.cos(tilt[:, 0]), np.sin(tilt[:, 0]), np.cos(tilt[:, 1]), np.sin(tilt[:, 1])
    one, none = np.ones_like(cx), np.zeros_like(cx)
    about_x = np.array([[one, none, none], [none, cx, -sx], [none, sx, cx]])
    about_y = np.array([[cy, none, sy], [none, one, none], [-sy, none, cy]])
    return np.einsum("ijn,jkn->nik", about_y, about_x) @ root


def _first_height(rig: Rig, world: np.ndarray, problem: Problem) -> np.ndarray:
    """(N,) m that bring the lowest place of trunk and head a little into the ground."""
    if not problem.planes:
        return np.zeros(len(world))
    own = np.flatnonzero(rig.group[: rig.skin] <= GROUPS.index("trunk"))
    if problem.root_tone > 1:  # held by its tilt: it may stand on its legs
        own = np.arange(rig.skin)
    return -world[:, own, 2].min(axis=1) - 0.004


def _root_slopes(here: np.ndarray, lift: np.ndarray) -> np.ndarray:
    """(N, 3, P, 3): of the tilts about x and y through the pelvis' middle, and of the height."""
    local = here.copy()
    local[..., 2] -= lift[:, None]
    about_x, about_y, up = np.zeros((3, *here.shape))
    about_x[..., 1], about_x[..., 2] = -local[..., 2], local[..., 1]
    about_y[..., 0], about_y[..., 2] = local[..., 2], -local[..., 0]
    up[..., 2] = 1.0
    return np.stack([about_x, about_y, up], axis=1)


def _energy(rig: Rig, problem: Problem, here: np.ndarray, slopes: np.ndarray) -> Linear:
    """here: (N, P, 3) m. slopes: (N, D, P, 3) m per unit of each unknown."""
    skin = rig.skin
    total = Linear(
        problem.gravity * (here[:, :skin, 2] @ rig.mass),
        problem.gravity * (slopes[:, :, :skin, 2] @ rig.mass),
        np.zeros((len(here), slopes.shape[1], slopes.shape[1])),
    )
    core = rig.group[:skin] <= GROUPS.index("trunk")
    hard = np.where(core, _SOFT_TRUNK, _SOFT_LIMB) / skin
    for plane in problem.planes:
        normal = np.array(plane[:3])
        height = here[:, :skin] @ normal - plane[3]
        slope = slopes[:, :, :skin] @ normal
        _add(total, height.clip(max=0), slope, hard * (height < 0))
    first, second = rig.pairs.T + skin
    apart, slope = _between(here, slopes, first, second)
    gap = apart - rig.radius[rig.pairs].sum(axis=1) + rig.give
    _add(total, gap.clip(max=0), slope, _SOFT_FLESH * (gap < 0))
    for goal in problem.goals:
        _add(total, *_goal(rig, goal, here, slopes))
    return total


def _add(
    total: Linear,
    value: np.ndarray,
    slope: np.ndarray,
    weight: np.ndarray | float,
) -> None:
    """Adds half of weight times value squared: value (N, C), slope (N, D, C)."""
    keep = np.flatnonzero((np.broadcast_to(weight, value.shape) > 0).any(axis=0))
    weights = np.broadcast_to(weight, value.shape)[:, keep]
    weighted = slope[..., keep] * weights[:, None]
    total.value[:] += 0.5 * (weights * value[:, keep] ** 2).sum(axis=1)
    total.gradient[:] += (weighted @ value[:, keep, None])[..., 0]
    total.curvature[:] += weighted @ slope[..., keep].swapaxes(1, 2)


def _between(
    here: np.ndarray, slopes: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N, C) of points, and their slopes (N, D, C); those far apart have none."""
    line = here[:, first] - here[:, second]
    apart = np.linalg.norm(line, axis=-1).clip(1e-6)
    slope = np.zeros((*slopes.shape[:2], len(first)))
    near = np.flatnonzero((apart < 0.16).any(axis=0))
    unit = line[:, near] / apart[:, near, None]
    change = slopes[:, :, first[near]] - slopes[:, :, second[near]]
    slope[..., near] = np.einsum("npi,ndpi->ndp", unit, change)
    return apart, slope


def _goal(
    rig: Rig, goal: Goal, here: np.ndarray, slopes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    one = rig.named[goal.a]
    radius = rig.radius[one - rig.skin]
    if goal.b is None:
        value = here[:, [one], 2] - radius - goal.gap_m
        return value, slopes[:, :, [one], 2], goal.weight
    two = rig.named[goal.b]
    line = here[:, one] - here[:, two]
    apart = np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6)
    slope = np.einsum("ni,ndi->nd", line / apart, slopes[:, :, one] - slopes[:, :, two])
    value = apart - radius - rig.radius[two - rig.skin] - goal.gap_m
    return value, slope[..., None], goal.weight
