# ruff: noqa: E402 (what these import is optional: skip first)
"""Contact: limbs stay out of the ground and of the body, bodies are carried, gravity works."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

for _package in ("anny", "warp"):
    pytest.importorskip(_package, reason='needs pip install "aggpose[synthetic]"')

from aggpose.synthetic.body.body import Body, build, make_body, pose_body
from aggpose.synthetic.body.infant import sample_infant
from aggpose.synthetic.body.template import load_body_model
from aggpose.synthetic.pose.contact import come_to_rest
from aggpose.synthetic.pose.energy import Problem
from aggpose.synthetic.pose.families import POSTURES
from aggpose.synthetic.pose.joints import ANGLES, as_dict, limits
from aggpose.synthetic.pose.poses import (
    GOOD_OVERLAP_M,
    GOOD_SUNK_M,
    draw_posture,
    draw_problem,
    draw_rest,
    sample_pose,
)
from aggpose.synthetic.pose.rig import bone_rotations
from aggpose.synthetic.pose.rig_fit import make_rig

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from aggpose.synthetic.pose.rig import Rig

AGE = 6.0


@pytest.fixture(scope="module")
def body() -> Body:
    return make_body()


@pytest.fixture(scope="module")
def rig(body: Body) -> Rig:
    return make_rig(body)


def _problem(rig: Rig, family: str = "relaxed", **angles: float) -> Problem:
    """Supine, with some angles set, arms and legs of middling tone."""
    kind = replace(POSTURES["supine"][family], goals=())
    problem = draw_problem(np.random.default_rng(1), rig, kind, AGE)
    for name, value in angles.items():
        problem.angles[0, ANGLES.index(name)] = value
    return problem


def test_limbs_are_lifted_out_of_the_ground(rig: Rig) -> None:
    into = {f"{side}_arm_up": -38.0 for side in ("left", "right")}
    into |= {
        f"{side}_{name}": value
        for side in ("left", "right")
        for name, value in (("arm_out", 70.0), ("elbow", 10.0))
    }
    problem = _problem(rig, **into)
    before = come_to_rest(rig, replace(problem, planes=(), gravity=0.0))
    rest = come_to_rest(rig, problem)
    low, _ = limits(AGE)
    trunk = rig.points(before.angles)[0] @ before.turn[0].T
    arms = np.flatnonzero((rig.limb[: rig.skin] == 0) | (rig.limb[: rig.skin] == 1))
    core = np.flatnonzero(rig.limb[: rig.skin] < 0)
    assert trunk[arms, 2].min() < trunk[core, 2].min() - 0.02  # else this tests nothing
    assert rest.sunk_m[0] < 0.012
    assert (rest.angles >= low - 1e-9).all()


def test_limp_arms_fall_and_tense_ones_stay(rig: Rig) -> None:
    angles = {
        "left_arm_up": 55.0,
        "right_arm_up": 55.0,
        "left_arm_out": 70.0,
        "right_arm_out": 70.0,
    }
    heights = []
    for tone in (0.001, 1.0):
        problem = _problem(rig, **angles)
        arms = [i for i, name in enumerate(ANGLES) if "arm_" in name or "elbow" in name]
        stiff = problem.tone.copy()
        stiff[arms] = tone
        rest = come_to_rest(rig, replace(problem, tone=stiff))
        world = rig.points(rest.angles)[0] @ rest.turn[0].T + rest.shift[0]
        heights.append(world[rig.named["forearm.L.2"], 2])
    assert heights[0] < 0.06 < 0.1 < heights[1]


def test_arm_in_the_trunk_is_pushed_out(rig: Rig) -> None:
    """Forearms laid through the belly."""
    problem = _problem(
        rig,
        left_arm_out=-20.0,
        left_arm_up=30.0,
        left_arm_turn=-60.0,
        left_elbow=95.0,
    )
    loose = replace(rig, pairs=rig.pairs[:0], give=rig.give[:0])
    ignored = come_to_rest(loose, problem)
    rest = come_to_rest(rig, problem)
    assert _overlap(rig, ignored.angles) > 0.012
    assert _overlap(rig, rest.angles) < 0.006
    assert np.isclose(rest.overlap_m[0], max(0.0, _overlap(rig, rest.angles)))


def _overlap(rig: Rig, angles: np.ndarray) -> float:
    balls = rig.points(angles)[0, rig.skin : rig.skin + rig.balls]
    first, second = rig.pairs.T
    apart = np.linalg.norm(balls[first] - balls[second], axis=-1)
    return float((rig.radius[first] + rig.radius[second] - rig.give - apart).max())


def test_many_at_once_as_one_by_one(rig: Rig) -> None:
    problems = [_problem(rig, left_knee=value) for value in (20.0, 90.0)]
    both = replace(problems[0], angles=np.concatenate([p.angles for p in problems]))
    together = come_to_rest(rig, both)
    for i, problem in enumerate(problems):
        alone = come_to_rest(rig, problem)
        assert np.allclose(together.angles[i], alone.angles[0], atol=0.02)  # degrees
        assert np.allclose(together.shift[i], alone.shift[0], atol=1e-5)


def test_balls_fill_the_limbs(body: Body, rig: Rig) -> None:
    """With the arms held out, each ball's centre lies about its radius below the skin."""
    angles = np.zeros((1, len(ANGLES)))
    angles[0, [i for i, name in enumerate(ANGLES) if name.endswith("arm_out")]] = 70.0
    balls = rig.points(angles)[0]
    rotations = bone_rotations(as_dict(angles), body.bones, body.reference)
    vertices, _ = pose_body(body, rotations)
    checked = 0
    for name, index in rig.named.items():
        if name.startswith(("upperarm", "forearm", "thigh", "shank", "trunk")):
            nearest = np.linalg.norm(vertices[0] - balls[index], axis=1).min()
            assert 0.3 < nearest / rig.radius[index - rig.skin] < 1.25, name
            checked += 1
    assert checked >= 24


def test_what_is_drawn_sinks_into_nothing() -> None:
    """Infants and poses as pictures draw them: few go deeper than may be, none much."""
    faults = []
    for seed in range(8):
        rng = np.random.default_rng([2, seed])
        infant = sample_infant(rng)
        drawn = make_rig(build(infant, load_body_model()))
        for _ in range(8):
            posture = draw_posture(rng, infant.age_months)
            rest = draw_rest(rng, drawn, posture, infant.age_months).rest
            faults.append(max(rest.sunk_m[0] / GOOD_SUNK_M, rest.overlap_m[0] / GOOD_OVERLAP_M))
    assert np.mean(np.array(faults) <= 1) >= 0.97 and max(faults) < 2


@pytest.mark.parametrize("posture", ["supine", "prone", "side", "sitting", "crawling"])
def test_limbs_do_not_pass_through_the_body(posture: str, body: Body, rig: Rig) -> None:
    """On the mesh: hands and feet may press 8 mm into head and trunk; of their vertices at most one
    in 50 goes deeper (flesh and cloth give way)."""
    rng = np.random.default_rng(3)
    limbs = np.flatnonzero(
        sum(body.weights[name] for name in ("hand.L", "hand.R", "foot.L", "foot.R")) > 0.9
    )[::4]
    deep = total = 0
    for _ in range(6):
        posed = sample_pose(rng, body, posture, AGE, rig)
        core = np.flatnonzero((body.weights["trunk"] > 0.9) | (body.weights["head"] > 0.9))
        deep += int((_depth(posed.vertices, body.faces, core, limbs) > 0.008).sum())
        total += len(limbs)
    assert deep / total < 0.02


def _depth(
    vertices: np.ndarray, faces: np.ndarray, core: np.ndarray, limbs: np.ndarray
) -> np.ndarray:
    """(L,) m that limb vertices lie below the nearest vertex of the core, along its normal."""
    normals = np.zeros_like(vertices)
    across = np.cross(
        vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    )
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    depth = np.zeros(len(limbs))
    for i, place in enumerate(vertices[limbs]):
        away = vertices[core] - place
        far = (away**2).sum(axis=1)
        nearest = far.argmin()
        if far[nearest] < 0.03**2:
            depth[i] = away[nearest] @ normals[core[nearest]]
    return depth.clip(0)
