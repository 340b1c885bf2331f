# ruff: noqa: E402 (what these import is optional: skip first)
"""Movement over time: smooth, of constant limbs, of its character, true to its own velocity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

for _package in ("anny", "warp"):
    pytest.importorskip(_package, reason='needs pip install "aggpose[synthetic]"')

from aggpose.errors import UserError
from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.body import Body, make_body
from aggpose.synthetic.pose.characters import CHARACTERS, write_score
from aggpose.synthetic.pose.joints import ANGLES, limits
from aggpose.synthetic.pose.motion import PosedClip, Spline, into_range, sample_motion
from aggpose.synthetic.pose.rig_fit import make_rig

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from aggpose.synthetic.pose.rig import Rig

TIMES = np.arange(90) / 30


@pytest.fixture(scope="module")
def body() -> Body:
    return make_body()


@pytest.fixture(scope="module")
def rig(body: Body) -> Rig:
    return make_rig(body)


@pytest.fixture(scope="module")
def clips(body: Body, rig: Rig) -> dict[str, PosedClip]:
    return {
        name: sample_motion(np.random.default_rng(5), body, name, TIMES, rig=rig)
        for name in CHARACTERS
    }


def _places(clip: PosedClip, rig: Rig, times: np.ndarray) -> np.ndarray:
    """(T, P, 3) m, world, of the light double."""
    turn, shift = clip.root_at(times)
    return rig.points(clip.angles(times)) @ turn.swapaxes(1, 2) + shift[:, None]


@pytest.mark.parametrize("name", list(CHARACTERS))
def test_ranges_contact_and_speed(name: str, clips: dict[str, PosedClip], rig: Rig) -> None:
    clip = clips[name]
    low, high = limits(3.0)
    assert (clip.angles() > low - 1.5).all() and (clip.angles() < high + 1.5).all()
    places = _places(clip, rig, TIMES)
    lowest = places[:, : rig.skin, 2].min(axis=1)
    assert (lowest > -0.015).all() and (lowest < 0.004).all()
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * 30
    assert speed.max() < 2.5  # m/s; infants' kicks and startles stay below
    core = rig.group == 1
    assert speed[:, : rig.skin][:, core].max() < 0.35


def test_limbs_keep_their_lengths(clips: dict[str, PosedClip]) -> None:
    _, points = clips["kicking"].at(TIMES[::5])
    for one, two in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        for side in ("left", "right"):
            ends = (INFANT24.index(f"{side}_{one}"), INFANT24.index(f"{side}_{two}"))
            length = np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=-1)
            assert np.ptp(length) < 0.002 * length.mean() + 1e-6


def test_vertices_rest_on_the_mat(clips: dict[str, PosedClip], body: Body) -> None:
    vertices, _ = clips["writhing"].at(TIMES[::15])
    skin = np.linalg.norm(body.offsets, axis=1) < 0.003
    lowest = vertices[:, skin, 2].min(axis=1)
    assert (lowest > -0.018).all() and (lowest < 0.012).all()


def test_smooth_to_the_second_derivative(clips: dict[str, PosedClip]) -> None:
    """Halving the step halves the change of acceleration: there is no jump in it."""
    clip = clips["kicking"]

    def change(step: float) -> float:
        times = np.arange(0.5, 2.0, step)
        acceleration = np.diff(clip.angles(times), n=2, axis=0) / step**2
        return float(np.abs(np.diff(acceleration, axis=0)).max())

    assert change(0.001) < 0.7 * change(0.002)


def test_velocity_is_the_derivative(clips: dict[str, PosedClip]) -> None:
    """Positions are one formula of time: frames of another rate lie on the same curve."""
    clip = clips["fidgety"]
    coarse, fine = clip.at(np.array([1.0, 1.0 + 1 / 30]))[1], clip.at(np.array([1.0 + 1 / 60]))[1]
    halves = np.array([1 / 60 - 1e-3, 1 / 60 + 1e-3])
    before, after = clip.at(1.0 + halves)[1]
    velocity = (after - before) / 2e-3
    secant = (coarse[1] - coarse[0]) * 30
    assert np.abs(velocity - secant).max() < 0.03
    assert np.abs(fine[0] - 0.5 * (before + after)).max() < 2e-5


def _travel(clip: PosedClip, names: tuple[str, ...]) -> np.ndarray:
    """(T - 1, len(names)) degrees from frame to frame, of what the character asks for."""
    columns = [ANGLES.index(name) for name in names]
    return np.diff(clip.score.at(np.arange(600) / 30)[:, columns], axis=0)


def test_characters_differ_as_described(clips: dict[str, PosedClip]) -> None:
    hips = ("left_hip_flexion", "right_hip_flexion")
    times = np.arange(600) / 30
    spread = {
        name: np.mean(
            [
                write_score(np.random.default_rng(seed), name, 20.0).at(times).std(axis=0)
                for seed in range(8)
            ],
            axis=0,
        )
        for name in clips
    }
    elbow = ANGLES.index("left_elbow")
    assert spread["rest"].max() < 1.5
    assert spread["fidgety"][elbow] < 0.6 * spread["writhing"][elbow]  # small against large
    assert spread["kicking"][ANGLES.index("left_knee")] > 8

    def pace(name: str) -> float:  # how often a movement turns round
        steps = _travel(clips[name], ("left_elbow", "right_elbow", *hips))
        return float((np.diff(np.sign(steps), axis=0) != 0).mean())

    assert pace("fidgety") > 1.6 * pace("writhing")
    stiff = _travel(clips["cramped-synchronised"], ("left_knee", "right_knee", "left_elbow"))
    loose = _travel(clips["writhing"], ("left_knee", "right_knee", "left_elbow"))
    together, apart = np.corrcoef(stiff.T), np.corrcoef(loose.T)
    assert together[np.triu_indices(3, 1)].min() > 0.8
    assert np.abs(apart[np.triu_indices(3, 1)]).max() < 0.6


def test_parameters_are_written_out_and_seeded(body: Body, rig: Rig) -> None:
    def clip(seed: int) -> PosedClip:
        times = np.arange(10) / 25
        return sample_motion(np.random.default_rng(seed), body, "writhing", times, rig=rig)

    one, again, other = clip(1), clip(1), clip(2)
    assert json.dumps(one.parameters) == json.dumps(again.parameters)
    assert json.dumps(one.parameters) != json.dumps(other.parameters)
    assert np.array_equal(one.angles(), again.angles())
    frames = list(one.frames())
    assert len(frames) == 10
    assert frames[0][0].shape == body.vertices.shape and frames[0][0].dtype == np.float32
    assert np.allclose(frames[3][1], one.at(one.times_s[3:4])[1][0], atol=1e-6)


def test_spline_joins_a_cubic() -> None:
    """Of values from a straight line the B-spline gives the line back."""
    values = np.stack([2.0 * np.arange(8), 5 - np.arange(8.0)], axis=1)
    spline = Spline(values, start_s=1.0, step_s=0.5)
    times = np.linspace(1.5, 4.0, 11)
    line = np.stack([2 * (times - 1) / 0.5, 5 - (times - 1) / 0.5], axis=1)
    assert np.allclose(spline.at(times), line)


def test_into_range_bends_softly() -> None:
    low, high = np.array([0.0]), np.array([100.0])
    inside = into_range(np.array([[50.0], [80.0], [20.0]]), low, high)
    assert np.allclose(inside, [[50], [80], [20]], atol=0.3)
    assert 95 < into_range(np.array([[300.0]]), low, high)[0, 0] <= 100


def test_unknown_character() -> None:
    with pytest.raises(UserError, match="fidgety"):
        write_score(np.random.default_rng(0), "dancing", 3.0)
