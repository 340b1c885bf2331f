"""What is around an infant as a whole: combinations, cameras, lights, hands, following."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("anny")

from ball_infant import ball_infant

from aggpose.synthetic.around.adults import GRIPS, ArmPool, place_arm, sample_person
from aggpose.synthetic.around.anchors import Anchors
from aggpose.synthetic.around.shapes import Solid, is_closed, signed_volume, turn_about
from aggpose.synthetic.around.surroundings import (
    Chances,
    Options,
    Pools,
    Surroundings,
    bind,
    follow,
    make_pools,
    sample_camera,
    sample_lights,
    sample_surroundings,
)
from aggpose.synthetic.around.views import DISTANCE_M, ELEVATION, FIELD_OF_VIEW_DEG, black_body
from aggpose.synthetic.mesh import ADULT, FIELDS

pytestmark = pytest.mark.slow

POSTURES = ("supine", "prone", "side", "sitting", "held")
FULL = Chances(
    worn=dict.fromkeys(Chances().worn, 1.0), cover=1.0, bedding=1.0, toys=1.0, hands=1.0, room=1.0
)


@pytest.fixture(scope="module")
def pools() -> Pools:
    return make_pools(grounds=3, arms=4)


def equal(one: Surroundings, other: Surroundings) -> bool:
    same = one.notes == other.notes and one.camera == other.camera and one.lights == other.lights
    same &= np.array_equal(one.ground.colour, other.ground.colour)
    pairs = zip(one.meshes, other.meshes, strict=True)
    return same and all(np.array_equal(a.vertices, b.vertices) for a, b in pairs)


class TestSampleSurroundings:
    @pytest.mark.parametrize("posture", POSTURES)
    def test_sound_in_every_posture(self, pools: Pools, posture: str) -> None:
        infant = ball_infant(posture)
        for seed in range(6):
            found = sample_surroundings(
                np.random.default_rng(seed), infant, pools, Options(chances=FULL)
            )
            json.dumps(found.notes)
            assert 1 <= len(found.lights) <= 3
            for mesh in found.meshes:
                assert np.isfinite(mesh.vertices).all()
                assert mesh.fields.shape == (len(mesh.vertices), len(FIELDS))
                away = np.linalg.norm(mesh.vertices - found.camera.position, axis=1)
                assert away.min() > 0.05
                if not mesh.two_sided:
                    assert signed_volume(Solid(mesh.vertices, mesh.faces)) > 0

    def test_only_lying_infants_are_covered(self, pools: Pools) -> None:
        for posture in POSTURES:
            found = [
                sample_surroundings(
                    np.random.default_rng(s), ball_infant(posture), pools, Options(chances=FULL)
                )
                for s in range(5)
            ]
            assert any(f.blanket for f in found) == (posture in ("supine", "prone", "side"))

    def test_function_of_the_seed_not_of_history(self, pools: Pools) -> None:
        options = Options(chances=FULL)
        first = sample_surroundings(np.random.default_rng(9), ball_infant(), pools, options)
        fresh = make_pools(grounds=3, arms=4)
        sample_surroundings(np.random.default_rng(1), ball_infant("held"), fresh, options)
        second = sample_surroundings(np.random.default_rng(9), ball_infant(), fresh, options)
        other = sample_surroundings(np.random.default_rng(10), ball_infant(), fresh, options)
        assert equal(first, second) and first.notes != other.notes

    def test_chances_rule(self, pools: Pools) -> None:
        none = Chances(
            worn=dict.fromkeys(Chances().worn, 0.0), hospital=0, cover=0, bedding=0,
            stand=dict.fromkeys(Chances().stand, 0.0), toys=0, hands=0, room=0,
        )  # fmt: skip
        for seed in range(5):
            bare = sample_surroundings(
                np.random.default_rng(seed), ball_infant(), pools, Options(chances=none)
            )
            assert bare.meshes == () and bare.blanket is None

    def test_given_camera_is_kept(self, pools: Pools) -> None:
        camera, _ = sample_camera(np.random.default_rng(0), ball_infant())
        options = Options(camera=camera)
        found = sample_surroundings(np.random.default_rng(3), ball_infant(), pools, options)
        assert found.camera is camera

    def test_photographs_behind_low_views(self, pools: Pools) -> None:
        photo = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
        with_photo = replace(pools, photos=[photo])
        options = Options(size=(64, 48), chances=Chances(photo_far=1.0))
        found = [
            sample_surroundings(
                np.random.default_rng(s), ball_infant("sitting"), with_photo, options
            )
            for s in range(8)
        ]
        shapes = {f.backdrop.shape for f in found if f.backdrop is not None}
        assert shapes == {(48, 64, 3)}


class TestFollow:
    def test_goes_along_rigidly(self, pools: Pools) -> None:
        infant = ball_infant()
        found = sample_surroundings(np.random.default_rng(2), infant, pools, Options(chances=FULL))
        assert found.stuck >= 5
        turn, shift = turn_about((0.2, 0.1, 1), 20), np.array([0.03, -0.02, 0.05])
        now = infant.vertices @ turn.T + shift
        moved = follow(found, bind(found, infant.vertices), infant.vertices, now)
        for k, (before, after) in enumerate(zip(found.meshes, moved, strict=True)):
            if k < found.stuck:
                assert np.allclose(after.vertices, before.vertices @ turn.T + shift, atol=1e-5)
            elif k != found.cover:
                assert after is before

    def test_a_moving_hand_takes_only_its_rattle(self, pools: Pools) -> None:
        infant = ball_infant()
        worn = dict.fromkeys(Chances().worn, 0.0) | {"rattle": 1.0, "pacifier": 1.0}
        options = Options(chances=Chances(worn=worn, hospital=0.0, cover=0.0))
        found = sample_surroundings(np.random.default_rng(2), infant, pools, options)
        moved_part = np.abs(infant.vertices[:, 0]) > 0.14
        now = infant.vertices + moved_part[:, None] * np.array([0, 0, 0.1])
        after = follow(found, bind(found, infant.vertices), infant.vertices, now)
        lifts = [
            float((a.vertices - b.vertices)[:, 2].mean())
            for a, b in zip(after[:2], found.meshes[:2], strict=True)
        ]
        assert found.notes["worn"] == ["pacifier", "rattle"]
        assert lifts[0] == pytest.approx(0, abs=1e-4) and lifts[1] == pytest.approx(0.1, abs=0.02)


def box_of(camera, anchors: Anchors) -> np.ndarray:  # type: ignore[no-untyped-def]
    pixels, depth = camera.project(anchors.vertices)
    assert depth.min() > 0.05
    return np.array([pixels.min(axis=0), pixels.max(axis=0)])


class TestCamera:
    @pytest.mark.parametrize("posture", POSTURES)
    def test_sees_the_infant_from_above_the_ground(self, posture: str) -> None:
        infant = ball_infant(posture)
        whole, count = 0, 60
        for seed in range(count):
            camera, notes = sample_camera(np.random.default_rng(seed), infant, (320, 240))
            assert camera.position[2] >= 0.07 and camera.size == (320, 240)
            far = np.linalg.norm(np.subtract(camera.position, infant.middle))
            assert DISTANCE_M[0] - 0.1 < far < DISTANCE_M[1] + 0.15
            field = notes["field_of_view_deg"]
            assert FIELD_OF_VIEW_DEG[0] - 0.2 <= float(str(field)) <= FIELD_OF_VIEW_DEG[1] + 0.2
            low, high = box_of(camera, infant)
            inside = (low > -4).all() and (high < (324, 244)).all()
            whole += bool(inside)
            middle = (low + high) / 2
            assert (middle > 0).all() and (middle < camera.size).all()
        assert 0.6 * count < whole < count

    def test_views_differ(self) -> None:
        """All directions, all rolls, near and far, large and small."""
        infant = ball_infant()
        cameras = [sample_camera(np.random.default_rng(s), infant)[0] for s in range(300)]
        away = np.array([np.subtract(c.position, infant.middle) for c in cameras])
        around = np.arctan2(away[:, 1], away[:, 0])
        assert np.histogram(around, 8, (-np.pi, np.pi))[0].min() > 15
        axes = np.stack([c.axes() for c in cameras])
        heading = np.arctan2(-axes[:, 1, 1], axes[:, 0, 1])  # of the infant's up in the picture
        assert np.histogram(heading, 8, (-np.pi, np.pi))[0].min() > 15
        high = np.rad2deg(np.arcsin(away[:, 2] / np.linalg.norm(away, axis=1)))
        assert high.min() < 25 and high.max() > 85 and 30 < np.median(high) < 75
        cover = [np.prod(np.ptp(box_of(c, infant), axis=0)) / 256**2 for c in cameras]
        assert np.quantile(cover, 0.05) < 0.12 and np.quantile(cover, 0.95) > 0.4
        assert any(c.distortion[0] > 0.02 for c in cameras)

    def test_elevations_are_shares(self) -> None:
        for bands in ELEVATION.values():
            assert sum(b[0] for b in bands) == pytest.approx(1)


class TestLights:
    def test_ranges(self) -> None:
        for seed in range(80):
            lights, room, notes = sample_lights(np.random.default_rng(seed))
            json.dumps(notes)
            assert 1 <= len(lights) <= 3 and all(0 < c < 1 for c in room)
            total = np.sum([light.colour for light in lights], axis=0).mean() + np.mean(room)
            assert 0.15 < total < 1.6
            assert all(light.position[2] > 0.1 and light.radius_m > 0 for light in lights)

    def test_warm_is_red_and_cold_is_blue(self) -> None:
        warm, cold = black_body(2700), black_body(7500)
        assert warm[0] > warm[1] > warm[2] and cold[2] > cold[0]
        assert np.ptp(black_body(6200)) < 0.15


class TestArms:
    @pytest.mark.parametrize("index", range(4))
    def test_an_arm_is_closed_and_its_fingers_bend_to_the_palm(
        self, pools: Pools, index: int
    ) -> None:
        arm = pools.arms.get(index)
        assert arm.grip == GRIPS[index] and is_closed(arm.solid)
        assert 0.004 < signed_volume(arm.solid) < 0.03
        assert arm.elbow[0] < -0.2 and 0.09 < -arm.reach.min() < 0.24 and arm.reach.max() > 0.9
        tips = arm.solid.vertices[arm.reach < arm.reach.min() + 0.01]
        assert tips[:, 2].mean() > -0.03  # towards z, out of the palm, or level with it
        if arm.grip == "cup":
            assert tips[:, 2].mean() > 0.0

    def test_same_arm_whatever_was_made_before(self, pools: Pools) -> None:
        pools.arms.get(0)
        assert np.array_equal(ArmPool(4).get(2).solid.vertices, pools.arms.get(2).solid.vertices)

    @pytest.mark.parametrize("mirror", [False, True])
    def test_placed_arms_stay_sound(self, pools: Pools, mirror: bool) -> None:
        person = sample_person(np.random.default_rng(0), None)
        at = np.array([0.1, 0.2, 0.3])
        mesh = place_arm(pools.arms.get(1), person, at, turn_about((1, 2, 3), 50), mirror)
        assert mesh.part == ADULT and mesh.material.kind == "skin"
        assert signed_volume(Solid(mesh.vertices, mesh.faces)) > 0.003
        sleeve = mesh.fields[:, FIELDS.index("garment0")]
        assert (sleeve > 0).any() and (sleeve < 0).any()
        assert np.linalg.norm(mesh.vertices - at, axis=1).min() < 0.05
