"""Lying on things: where a body of given tone comes to rest, and no limb in another.

The rest is the least energy (`energy`), found by a damped Gauss-Newton method on the light double
(`rig.Rig`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from aggpose.synthetic.pose.energy import (
    Linear,
    Problem,
    State,
    energy_about,
    overlap_of,
    tilted,
)
from aggpose.synthetic.pose.rig import Rig

_STEP_RAD, _STEP_M = 0.35, 0.03
_SETTLED = 3e-4  # m of mean height: what a round gains where it is of no more use


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


def come_to_rest(rig: Rig, problem: Problem, rounds: int = 24) -> Rest:
    """Solve for N poses at once, each by itself; they share all but the angles asked for.

    Steps are damped as Levenberg and Marquardt do: one that does not lower the energy is taken
    back, and the next is shorter. Angles at the ends of their ranges stay there while they are
    pushed out.
    """
    free = np.flatnonzero(np.isfinite(problem.tone))
    asked = problem.angles.clip(problem.low, problem.high)
    count = len(asked)
    best = State(asked.copy(), np.zeros((count, 2)), np.full(count, np.nan))
    stiff = np.concatenate([problem.tone[free], np.full(2, problem.root_tone), [0.0]])
    damping = np.concatenate([np.full(len(free), 0.004), np.full(2, 0.03), [20.0]])
    longest = np.append(np.full(len(stiff) - 1, _STEP_RAD), _STEP_M)
    settled, caution = np.zeros(count, bool), np.ones(count)
    tried: State = best
    known: Linear | None = None
    for _ in range(rounds):
        linear = energy_about(rig, problem, tried, asked, free, stiff)
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
        tried = State(angles, best.tilt + step[:, -3:-1], best.lift + step[:, -1])
    return _result(rig, problem, best.angles, best.tilt, best.lift)


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
