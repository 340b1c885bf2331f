"""The body: sizes against WHO, left and right, joints, posing."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from aggpose.errors import UserError
from aggpose.skeleton import INFANT24, mirror_name

pytest.importorskip("anny", reason='needs pip install "aggpose[synthetic]"')

from aggpose.synthetic.body import who
from aggpose.synthetic.body.appearance import ITA_GROUPS, skin_colour
from aggpose.synthetic.body.body import body_mesh, build, pose_body, rest_points
from aggpose.synthetic.body.fit import DENSITY_KG_L, head_circumference, volume
from aggpose.synthetic.body.infant import sample_infant
from aggpose.synthetic.body.keypoints import DEFINITIONS, PIVOTS, visible_slack_m
from aggpose.synthetic.body.template import FACIAL_ACTIONS, load_body_model
from aggpose.synthetic.mesh import FIELDS

if TYPE_CHECKING:
    from aggpose.synthetic.body.template import BodyModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return load_body_model()


def _turn(axis: int, degrees: np.ndarray) -> np.ndarray:
    angle = np.deg2rad(degrees)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.tile(np.eye(3), (len(angle), 1, 1))
    turn[:, i, i] = turn[:, j, j] = np.cos(angle)
    turn[:, i, j], turn[:, j, i] = -np.sin(angle), np.sin(angle)
    return turn


@pytest.mark.parametrize("age", [0.0, 1.0, 3.0, 6.0, 12.0])
@pytest.mark.parametrize("sex", ["girl", "boy"])
def test_measured_sizes_are_within_who(model: BodyModel, age: float, sex: who.Sex) -> None:
    for seed in range(3):
        infant = sample_infant(np.random.default_rng([seed, int(age)]), age, sex).undressed()
        body = build(infant, model)
        length = float(np.ptp(body.bare[:, 2]))
        assert length == pytest.approx(infant.build.length_m, rel=0.003)
        assert abs(who.z_score("length_cm", sex, age, 100 * length)) < 2
        around = head_circumference(model, body.bare)
        assert around == pytest.approx(infant.build.head_m, rel=0.01)
        assert abs(who.z_score("head_cm", sex, age, 100 * around)) < 2
        kilograms = 1000 * volume(body.bare, body.faces) * DENSITY_KG_L
        assert abs(who.z_score("weight_kg", sex, age, kilograms)) < 2.5


def test_proportions_of_infants(model: BodyModel) -> None:
    for age in (0.0, 6.0, 12.0):
        body = build(sample_infant(np.random.default_rng(4), age).undressed(), model)
        points = dict(zip(INFANT24.keypoints, rest_points(body), strict=True))
        head = body.bare[:, 2].max() - points["chin"][2]
        assert 0.185 <= head / body.length_m <= 0.28
        assert points["left_hip"][2] < points["navel"][2] < points["chest"][2]
        thigh = np.linalg.norm(points["left_hip"] - points["left_knee"])
        arm = np.linalg.norm(points["left_shoulder"] - points["left_elbow"])
        forearm = np.linalg.norm(points["left_elbow"] - points["left_wrist"])
        assert 0.15 <= thigh / body.length_m <= 0.22
        assert forearm < arm < thigh


def test_left_is_the_bodys_own_left(model: BodyModel) -> None:
    """It faces -y with its head up: so its left hand is at +x."""
    body = build(sample_infant(np.random.default_rng(1), 5).undressed(), model)
    points = dict(zip(INFANT24.keypoints, rest_points(body), strict=True))
    assert points["nose"][1] < points["left_ear"][1]
    facing, up = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    left = np.cross(up, facing)
    for name, place in points.items():
        if name.startswith("left_"):
            assert place @ left > 0.005, name
            assert np.allclose(place, points[mirror_name(name)] * (-1, 1, 1), atol=0.006), name
        elif not name.startswith("right_"):
            assert abs(place[0]) < 0.004, name


def test_surface_points_lie_on_the_surface_and_joints_inside(model: BodyModel) -> None:
    body = build(sample_infant(np.random.default_rng(2), 4).undressed(), model)
    slack = visible_slack_m(body.length_m)
    for name, place, allowed in zip(INFANT24.keypoints, rest_points(body), slack, strict=True):
        nearest = float(np.linalg.norm(body.vertices - place, axis=1).min())
        assert nearest < allowed, name
        if name in PIVOTS:
            assert nearest > 0.004, name
    assert set(DEFINITIONS) == set(INFANT24.keypoints)


def test_bones_keep_their_length_and_the_skin_follows(model: BodyModel) -> None:
    body = build(sample_infant(np.random.default_rng(3), 2).undressed(), model)
    bend = np.array([0.0, 20.0, 55.0, 90.0])
    turns = {"lowerleg01.L": _turn(0, bend), "upperarm01.R": _turn(1, bend)}
    vertices, points = pose_body(body, turns)
    assert vertices.shape == (4, len(body.vertices), 3) and points.shape == (4, 24, 3)
    for one, other in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow")):
        for side in ("left_", "right_"):
            gap = points[:, INFANT24.index(side + one)] - points[:, INFANT24.index(side + other)]
            assert np.ptp(np.linalg.norm(gap, axis=1)) < 1e-6
    ankle, knee = (points[:, INFANT24.index(f"left_{n}")] for n in ("ankle", "knee"))
    shank = ankle - knee
    cosine = (shank @ shank[0]) / (shank[0] @ shank[0])
    assert np.allclose(np.rad2deg(np.arccos(cosine.clip(-1, 1))), bend, atol=0.1)
    # the skin of the shank goes rigidly with the bone
    own = body.shares[:, body.bones.index("foot.L")] > 0.999
    spread = np.linalg.norm(vertices[:, own] - vertices[:, own].mean(axis=1)[:, None], axis=2)
    assert np.ptp(spread, axis=0).max() < 1e-5


def test_poses_do_not_depend_on_their_company(model: BodyModel) -> None:
    body = build(sample_infant(np.random.default_rng(8), 7, outfit="sleeper"), model)
    turns = {"upperleg01.L": _turn(0, np.linspace(-60, 0, 11))}
    face = {FACIAL_ACTIONS[0]: np.linspace(0, 1, 11)}
    together, points = pose_body(body, turns, face)
    alone, point = pose_body(
        body, {k: v[9:10] for k, v in turns.items()}, {k: v[9:10] for k, v in face.items()}
    )
    assert np.allclose(together[9], alone[0], atol=1e-6)
    assert np.allclose(points[9], point[0], atol=1e-6)


def test_blinking_closes_the_eye(model: BodyModel) -> None:
    body = build(sample_infant(np.random.default_rng(3), 3).undressed(), model)
    still = {"head": np.tile(np.eye(3), (2, 1, 1))}
    vertices, _ = pose_body(body, still, {"eyeBlinkLeft": np.array([0.0, 1.0])})
    moved = np.linalg.norm(vertices[1] - vertices[0], axis=1) > 1e-4
    assert moved.any() and body.bare[moved, 0].mean() > 0.01


def test_infants_are_reproducible_and_differ(model: BodyModel) -> None:
    one, again, other = (sample_infant(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one == again and one.describe() != other.describe()
    assert json.loads(json.dumps(one.describe())) == one.describe()
    first, second = build(one, model), build(again, model)
    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.fields, second.fields)
    with pytest.raises(UserError, match="0 to 12"):
        sample_infant(np.random.default_rng(0), age_months=20)
    with pytest.raises(UserError, match="outfit"):
        sample_infant(np.random.default_rng(0), outfit="armour")


def test_mesh_has_every_field(model: BodyModel) -> None:
    body = build(sample_infant(np.random.default_rng(9), 6), model)
    mesh = body_mesh(body, body.vertices)
    assert mesh.fields.shape == (len(body.vertices), len(FIELDS))
    assert np.isfinite(mesh.fields).all()
    column = dict(zip(FIELDS, mesh.fields.T, strict=True))
    for name in ("lips", "ears", "nails", "eye", "brows", "nostrils", "flush", "crease"):
        assert column[name].min() >= 0 and column[name].max() <= 1, name
        assert (column[name] > 0.3).sum() >= 2, name
    assert 0.02 < (column["hair"] > 0).mean() < 0.4


def test_skin_tones_span_the_scale() -> None:
    light = [sum(skin_colour((low + high) / 2)) for low, high in ITA_GROUPS.values()]
    assert all(a > b for a, b in itertools.pairwise(light))
    assert light[0] > 4 * light[-1]
    for low, high in ITA_GROUPS.values():
        red, green, blue = skin_colour((low + high) / 2)
        assert red > green > blue
