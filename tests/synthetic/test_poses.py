# ruff: noqa: E402 (what these import is optional: skip first)
"""Postures: angles in their ranges, contact with the ground, no limb through the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

for _package in ("anny", "warp"):
    pytest.importorskip(_package, reason='needs pip install "aggpose[synthetic]"')

from aggpose.errors import UserError
from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.body import Body, make_body, pose_body
from aggpose.synthetic.pose.families import POSTURES, SHARES
from aggpose.synthetic.pose.joints import ANGLES, RANGES, as_dict, base_name, limits
from aggpose.synthetic.pose.poses import draw_posture, sample_pose
from aggpose.synthetic.pose.rig import bone_rotations
from aggpose.synthetic.pose.rig_fit import make_rig

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from aggpose.synthetic.pose.rig import Rig

SEED, AGE = 11, 7.0


@pytest.fixture(scope="module")
def body() -> Body:
    return make_body()


@pytest.fixture(scope="module")
def rig(body: Body) -> Rig:
    return make_rig(body)


def _at(points: np.ndarray, name: str) -> np.ndarray:
    return points[INFANT24.index(name)]


def test_double_is_the_body(body: Body, rig: Rig) -> None:
    """The light double and the whole mesh put the key points in the same places."""
    low, high = limits(AGE)
    angles = np.random.default_rng(0).uniform(low, high, size=(5, len(ANGLES)))
    _, points = pose_body(body, bone_rotations(as_dict(angles), body.bones, body.reference))
    quick = rig.points(angles)[:, -len(INFANT24) :]
    away = np.linalg.norm(points - quick, axis=-1)
    assert away.max() < 0.02  # cloth that hangs moves some surface points a little
    for name in ("left_wrist", "right_ankle", "left_knee", "right_elbow"):
        assert away[:, INFANT24.index(name)].max() < 1e-5


@pytest.mark.parametrize("side", ["left", "right"])
def test_angles_mean_what_they_say(rig: Rig, side: str) -> None:
    """Body frame: x to the body's left, y to its back, z to its head."""

    def moved(**angles: float) -> np.ndarray:
        array = np.zeros((2, len(ANGLES)))
        for name, value in angles.items():
            array[1, ANGLES.index(f"{side}_{name}")] = value
        still, there = rig.points(array)[:, -len(INFANT24) :]
        return there - still

    out = 1.0 if side == "left" else -1.0
    assert _at(moved(hip_flexion=60), f"{side}_knee")[1] < -0.03  # forwards
    assert out * _at(moved(hip_out=50), f"{side}_knee")[0] > 0.03
    assert _at(moved(knee=80), f"{side}_ankle")[1] > 0.03  # the heel to the back
    assert _at(moved(ankle=30), f"{side}_toe")[2] > 0.01
    assert out * _at(moved(arm_out=90), f"{side}_elbow")[0] > 0.03
    assert _at(moved(arm_up=60), f"{side}_elbow")[1] < -0.03
    assert _at(moved(elbow=90), f"{side}_wrist")[1] < -0.03  # the hand to the front
    turned = moved(hip_flexion=90, knee=90, hip_turn=40) - moved(hip_flexion=90, knee=90)
    assert out * _at(turned, f"{side}_ankle")[0] < -0.02  # the foot to the other leg


def test_newborns_hips_do_not_extend_fully() -> None:
    """Haas 1973, Coon 1975: 28 degrees lacking at birth, 19 at six weeks, 7 at three months."""
    assert RANGES["hip_flexion"].at(0)[0] == 28
    assert RANGES["hip_flexion"].at(1.5)[0] == 19
    assert RANGES["hip_flexion"].at(3)[0] == RANGES["hip_flexion"].at(6)[0] == 7
    assert all(low < high for low, high in zip(*limits(0), strict=True))


@pytest.mark.parametrize("posture", list(POSTURES))
def test_posture(posture: str, body: Body, rig: Rig) -> None:
    rng = np.random.default_rng(SEED)
    low, high = limits(AGE)
    for _ in range(6):
        posed = sample_pose(rng, body, posture, AGE, rig)
        assert posed.vertices.shape == body.vertices.shape and posed.points.shape == (24, 3)
        angles = np.array([posed.angles[name] for name in ANGLES])
        assert (angles >= low - 1e-6).all() and (angles <= high + 1e-6).all()
        _check_way(posture, posed.points, posed.turn)
        if posture == "held":
            assert posed.vertices[:, 2].min() > 0.15
            continue
        skin = np.linalg.norm(body.offsets, axis=1) < 0.003
        assert -0.0125 < posed.vertices[skin, 2].min() < 0.02
        world = rig.points(angles[None])[0] @ posed.turn.T + posed.shift
        touching = (world[: rig.skin, 2] < 0.006).sum()
        assert touching >= (4 if posture == "standing" else 8)


def _check_way(posture: str, points: np.ndarray, turn: np.ndarray) -> None:
    """The trunk lies, sits or stands as its posture says."""
    up = 0.5 * (_at(points, "left_shoulder") + _at(points, "right_shoulder"))
    up = up - 0.5 * (_at(points, "left_hip") + _at(points, "right_hip"))
    up /= np.linalg.norm(up)
    belly = -turn[:, 1]
    if posture in ("supine", "prone", "side"):
        assert abs(up[2]) < 0.75 and up[1] > 0.6
        lifted = {"supine": belly[2] > 0.8, "prone": belly[2] < -0.7, "side": abs(belly[2]) < 0.75}
        assert lifted[posture]
    elif posture == "crawling":
        assert abs(up[2]) < 0.6 and belly[2] < -0.8
    else:
        assert up[2] > (0.15 if posture == "sitting" else 0.5)
        assert belly[1] < 0  # towards -y


def test_same_seed_same_pose(body: Body, rig: Rig) -> None:
    def pose(seed: int) -> np.ndarray:
        return sample_pose(np.random.default_rng(seed), body, age_months=AGE, rig=rig).vertices

    assert np.array_equal(pose(4), pose(4))
    assert np.abs(pose(4) - pose(5)).max() > 0.01


def test_postures_by_age() -> None:
    rng = np.random.default_rng(0)
    young = [draw_posture(rng, 1.0) for _ in range(400)]
    old = [draw_posture(rng, 9.0) for _ in range(400)]
    assert "crawling" not in young and "standing" not in young and "crawling" in old
    assert 0.35 < np.mean([name == "supine" for name in old]) < 0.65
    assert set(SHARES) == set(POSTURES) and np.isclose(sum(SHARES.values()), 1.0)


def test_unknown_posture(body: Body, rig: Rig) -> None:
    with pytest.raises(UserError, match="supine"):
        sample_pose(np.random.default_rng(0), body, "flying", rig=rig)


def test_every_family_names_real_things(rig: Rig) -> None:
    for families in POSTURES.values():
        for family in families.values():
            for name in (*family.arm, *family.leg, *family.body, *family.one, *family.other):
                assert base_name(name) in RANGES
            for goal in family.goals:
                for pattern in filter(None, (goal.a, goal.b)):
                    assert pattern.format(s="L", o="L", p="R") in rig.named
