"""Lying on things: where a body of given tone comes to rest, and no limb in another.

The angles that a posture asks for are held by muscles of some tone (springs); gravity pulls on all
of the body; the ground, backrests and the body's own parts push back; hands may be drawn to a
mouth. The rest is the least energy of all this, found by a damped Gauss-Newton method on the light
double (`rig.Rig`). Energies are in metres of the body's mean height, so that gravity has weight 1.

World: metres, z up, the ground is z = 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from aggpose.synthetic.pose.joints import ANGLES, ARM, SIDES, base_name
from aggpose.synthetic.pose.rig import GROUPS, LIMBS, Rig

GROUND = (0.0, 0.0, 1.0, 0.0)
"""A plane (nx, ny, nz, d): free space is where n . p > d."""

_SOFT_TRUNK, _SOFT_LIMB = 16000.0, 60000.0  # stiffness of a mattress under trunk and head; limbs
_SOFT_FLESH = 500.0  # of balls against balls
_STEP_RAD, _STEP_M = 0.35, 0.03
_NUDGE_DEG = 0.5
_SETTLED = 3e-4  # m of mean height: what a round gains where it is of no more use


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
class Rest:
    """Where it came to rest. angles: (N, A) degrees. tilt: (N, 2) rad about the world's x, then
    y, that make of the root the turn: (N, 3, 3), body to world;
    shift: (N, 3) m: world = turn @ body + shift. sunk_m, overlap_m: (N,) deepest of a skin place
    under a plane, and of two balls beyond what they may."""

    angles: np.ndarray
    tilt: np.ndarray
    turn: np.ndarray
    shift: np.ndarray
    sunk_m: np.ndarray
    overlap_m: np.ndarray


@dataclass(frozen=True)
class _Linear:
    """Energy to second order about a state: value (N,), gradient (N, D), curvature (N, D, D)."""

    value: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray

    def with_those(self, other: _Linear, which: np.ndarray) -> _Linear:
        """Some poses' from another state."""
        return _Linear(
            np.where(which, other.value, self.value),
            np.where(which[:, None], other.gradient, self.gradient),
            np.where(which[:, None, None], other.curvature, self.curvature),
        )


@dataclass
class _State:
    """Where N poses are. angles: (N, A) degrees. tilt: (N, 2) rad. lift: (N,) m."""

    angles: np.ndarray
    tilt: np.ndarray
    lift: np.ndarray

    def take(self, other: _State, which: np.ndarray) -> None:
        """Those poses of another."""
        for name in ("angles", "tilt", "lift"):
            getattr(self, name)[which] = getattr(other, name)[which]


def come_to_rest(rig: Rig, problem: Problem, rounds: int = 24) -> Rest:
    """Solve for N poses at once, each by itself; they share all but the angles asked for.

    Steps are damped as Levenberg and Marquardt do: one that does not lower the energy is taken
    back, and the next is shorter. Angles at the ends of their ranges stay there while they are
    pushed out.
    """
    free = np.flatnonzero(np.isfinite(problem.tone))
    asked = problem.angles.clip(problem.low, problem.high)
    count = len(asked)
    best = _State(asked.copy(), np.zeros((count, 2)), np.full(count, np.nan))
    stiff = np.concatenate([problem.tone[free], np.full(2, problem.root_tone), [0.0]])
    damping = np.concatenate([np.full(len(free), 0.004), np.full(2, 0.03), [20.0]])
    longest = np.append(np.full(len(stiff) - 1, _STEP_RAD), _STEP_M)
    settled, caution = np.zeros(count, bool), np.ones(count)
    tried: _State = best
    known: _Linear | None = None
    for _ in range(rounds):
        linear = _linear(rig, problem, tried, asked, free, stiff)
        if known is None:
            known = linear
        else:
            gain = known.value - linear.value
            better = (gain > 0) & ~settled
            settled |= (np.abs(gain) < _SETTLED) & (caution <= 1.0)
            best.take(tried, better)
            known = known.with_those(linear, better)
            caution = np.where(better, caution / 3, caution * 8)
            if settled.all():
                break
        steep = np.diagonal(known.curvature, axis1=1, axis2=2)
        step = _step(
            known.curvature
            + np.eye(len(stiff)) * (caution[:, None] * (damping + 0.02 * steep))[:, None],
            known.gradient,
            np.maximum(_room(problem.low - best.angles, free), -longest),
            np.minimum(_room(problem.high - best.angles, free), longest),
        )
        angles = best.angles.copy()
        angles[:, free] += np.rad2deg(step[:, :-3])
        angles = angles.clip(problem.low, problem.high)
        tried = _State(angles, best.tilt + step[:, -3:-1], best.lift + step[:, -1])
    return _result(rig, problem, best.angles, best.tilt, best.lift)


def _linear(
    rig: Rig,
    problem: Problem,
    state: _State,
    asked: np.ndarray,
    free: np.ndarray,
    stiff: np.ndarray,
) -> _Linear:
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
    return _Linear(
        energy.value + 0.5 * (stiff * away**2).sum(axis=1),
        energy.gradient + stiff * away,
        energy.curvature + np.diag(stiff),
    )


def _room(away: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(N, D) how far each unknown may go; away: (N, A) degrees to an end of the angles' ranges,
    tilts and height have none."""
    endless = np.where(away[:, :1] < 0, -np.inf, np.inf)
    return np.concatenate([np.deg2rad(away[:, free]), np.repeat(endless, 3, axis=1)], axis=1)


def _step(
    curvature: np.ndarray, gradient: np.ndarray, least: np.ndarray, most: np.ndarray
) -> np.ndarray:
    """(N, D): Newton's step of each pose, between least and most (N, D); those unknowns that would
    leave go to the end, and the others are solved anew for it."""
    held = np.zeros(gradient.shape, bool)
    at = np.zeros(gradient.shape)
    step = at
    for _ in range(4):
        # held ones: their rows say where they are, and the others feel it
        rows = np.where(held[..., None], np.eye(gradient.shape[1]), curvature)
        step = np.linalg.solve(rows, np.where(held, at, -gradient)[..., None])[..., 0]
        low, high = step < least - 1e-9, step > most + 1e-9
        if not (low | high).any():
            break
        at = np.where(low, least, np.where(high, most, at))
        held |= low | high
    return step.clip(least, most)


T = TypeVar("T")


def least_faulty(draws: Iterable[tuple[float, T]]) -> T:
    """Of draws with their faults, one after the other, the first whose fault is at most 1; the best
    where none is. Those after it are not drawn."""
    best: tuple[float, T] | None = None
    for fault, drawn in draws:
        if best is None or fault < best[0]:
            best = fault, drawn
        if fault <= 1.0:
            break
    if best is None:
        raise ValueError("nothing was drawn")
    return best[1]


def _result(
    rig: Rig, problem: Problem, angles: np.ndarray, tilt: np.ndarray, lift: np.ndarray
) -> Rest:
    turn = tilted(problem.root, tilt)
    shift = np.zeros((len(angles), 3))
    shift[:, 2] = lift
    world = np.einsum("nij,npj->npi", turn, rig.points(angles)) + shift[:, None]
    heights = [world[:, : rig.skin] @ np.array(plane[:3]) - plane[3] for plane in problem.planes]
    sunk = np.max([-h.min(axis=1) for h in heights], axis=0) if heights else np.zeros(len(angles))
    return Rest(angles, tilt, turn, shift, sunk.clip(0), overlap_of(rig, world))


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


def _energy(rig: Rig, problem: Problem, here: np.ndarray, slopes: np.ndarray) -> _Linear:
    """here: (N, P, 3) m. slopes: (N, D, P, 3) m per unit of each unknown."""
    skin = rig.skin
    total = _Linear(
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
    total: _Linear,
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
