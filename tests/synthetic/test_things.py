"""Solids, things, covers and hands, on a simple body of balls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2")

from ball_infant import ball_infant

from aggpose.synthetic.around import shapes
from aggpose.synthetic.around.anchors import height_map, ring_around
from aggpose.synthetic.around.covers import BEDDINGS, bedding, drape, throw_blanket
from aggpose.synthetic.around.shapes import Solid, is_closed, signed_volume
from aggpose.synthetic.around.things import SURROUNDING, TOYS, backrest, toys
from aggpose.synthetic.around.worn import WORN
from aggpose.synthetic.mesh import COVER, FIELDS, THING, Mesh


def checked(mesh: Mesh, part: int) -> None:
    """What the renderer asks of every mesh."""
    assert mesh.vertices.shape[1:] == (3,) and np.isfinite(mesh.vertices).all()
    assert mesh.fields.shape == (len(mesh.vertices), len(FIELDS))
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
    assert mesh.part == part
    assert all(0 <= c <= 1 for colour in mesh.material.colours for c in colour)
    if not mesh.two_sided:
        assert is_closed(Solid(mesh.vertices, mesh.faces))
        assert signed_volume(Solid(mesh.vertices, mesh.faces)) > 0


class TestShapes:
    def test_volumes(self) -> None:
        """Against the formulas of the smooth bodies; facets take a few per cent."""
        ball = shapes.sphere(0.1, 24, 32)
        assert signed_volume(ball) == pytest.approx(4 / 3 * np.pi * 1e-3, rel=0.02)
        ring = shapes.torus(0.1, 0.02, 48, 24)
        assert signed_volume(ring) == pytest.approx(2 * np.pi**2 * 0.1 * 4e-4, rel=0.02)
        box = shapes.rounded_box((0.2, 0.3, 0.4), 1e-4)
        assert signed_volume(box) == pytest.approx(0.024, rel=0.01)
        pipe = shapes.tube(np.array([[0, 0, 0], [0, 0.1, 0], [0, 1, 0.0]]), 0.05, 48)
        assert signed_volume(pipe) == pytest.approx(np.pi * 0.0025, rel=0.01)

    @pytest.mark.parametrize(
        "solid",
        [
            shapes.sphere(),
            shapes.torus(1.0, 0.2),
            shapes.rounded_box((1, 2, 3), 0.3),
            shapes.tube(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0.0]]), 0.1),
            shapes.lathe(np.array([(0, 0), (1, 0), (1, 1), (0, 1)])),
        ],
    )
    def test_closed(self, solid: Solid) -> None:
        assert is_closed(solid)
        assert not is_closed(Solid(solid.vertices, solid.faces[1:]))

    def test_placing_turns_then_moves(self) -> None:
        point = Solid(np.array([[1.0, 0, 0]], np.float32), np.zeros((0, 3), np.int32))
        quarter = shapes.turn_about((0, 0, 1), 90)
        assert np.allclose(shapes.place(point, (0, 0, 5), quarter, 2).vertices, [[0, 2, 5]])

    def test_axes_are_right_handed(self) -> None:
        axes = shapes.turn_to(np.array([0.3, -0.2, 0.9]), np.array([1.0, 0.1, 0.0]))
        assert np.allclose(axes.T @ axes, np.eye(3)) and np.linalg.det(axes) == pytest.approx(1)


class TestAnchors:
    def test_frames_of_a_supine_infant(self) -> None:
        """On the back, head towards y: its left is x, its front is up."""
        infant = ball_infant()
        for frame in (infant.trunk, infant.head):
            assert np.allclose(frame.axes, np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]).T, atol=0.2)
            assert np.linalg.det(frame.axes) == pytest.approx(1)
        assert infant.axis_deg == pytest.approx(90, abs=5)

    def test_height_map(self) -> None:
        infant = ball_infant()
        highest = infant.vertices[np.argmax(infant.vertices[:, 2])]
        found = height_map(infant.vertices).at(highest[None, :1], highest[None, 1:2])
        assert found[0, 0] == pytest.approx(highest[2], abs=0.01)

    def test_ring_lies_on_the_limb(self) -> None:
        infant = ball_infant()
        start, end = infant.point("left_elbow"), infant.point("left_wrist")
        ring, ahead = ring_around(infant, start, end, 0.5)
        centre = (start + end) / 2
        assert np.allclose((ring - centre) @ ahead, 0, atol=1e-6)
        assert np.linalg.norm(ring - centre, axis=1) == pytest.approx(0.02, abs=0.006)


class TestThings:
    @pytest.mark.parametrize("name", list(WORN))
    @pytest.mark.parametrize("posture", ["supine", "sitting"])
    def test_worn_things_touch_the_infant(self, name: str, posture: str) -> None:
        infant = ball_infant(posture)
        for seed in range(4):
            mesh = WORN[name](np.random.default_rng(seed), infant)
            checked(mesh, THING)
            gap = np.linalg.norm(mesh.vertices[:, None] - infant.vertices[None, ::3], axis=2)
            assert gap.min() < 0.02

    def test_pacifier_is_at_the_mouth(self) -> None:
        infant = ball_infant()
        mesh = WORN["pacifier"](np.random.default_rng(1), infant)
        mouth = (infant.point("nose") + infant.point("chin")) / 2
        away = mesh.vertices.mean(axis=0) - mouth
        assert np.linalg.norm(away) < 0.03 and away @ infant.head.front > 0

    @pytest.mark.parametrize("make", TOYS)
    def test_toys_stand_on_the_ground(self, make) -> None:  # type: ignore[no-untyped-def]
        for seed in range(5):
            for solid, _ in make(np.random.default_rng(seed)):
                assert is_closed(solid) and signed_volume(solid) > 0
                assert solid.vertices[:, 2].min() > -0.004

    def test_toys_keep_off_the_infant(self) -> None:
        infant = ball_infant()
        for seed in range(8):
            for mesh in toys(np.random.default_rng(seed), infant):
                checked(mesh, THING)
                flat = mesh.vertices[:, None, :2] - infant.vertices[None, ::5, :2]
                assert np.linalg.norm(flat, axis=2).min() > 0.003

    @pytest.mark.parametrize("name", list(SURROUNDING))
    def test_stands_are_sound(self, name: str) -> None:
        for seed in range(5):
            for mesh in SURROUNDING[name](np.random.default_rng(seed), ball_infant()):
                checked(mesh, THING)

    @pytest.mark.parametrize("name", ["cot", "incubator", "bassinet"])
    def test_stands_leave_room_for_the_infant(self, name: str) -> None:
        """However far its arms reach, no part of it is in or beyond a wall."""
        infant = ball_infant()
        wide = replace(infant, vertices=infant.vertices * np.array([1.9, 1.3, 1.0]))
        turn = shapes.turn_about((0, 0, 1), wide.axis_deg)
        body = np.abs((wide.vertices - wide.middle) @ turn)[:, :2]
        for seed in range(6):
            for mesh in SURROUNDING[name](np.random.default_rng(seed), wide):
                walls = np.abs((mesh.vertices - wide.middle) @ turn)[:, :2]
                # every vertex of a stand lies outside of the box that holds the body
                assert (walls > body.max(axis=0)).any(axis=1).all()

    def test_backrest_lies_behind_its_plane(self) -> None:
        infant = ball_infant("sitting")
        assert infant.backrest is not None
        (mesh,) = backrest(np.random.default_rng(0), infant)
        checked(mesh, THING)
        before = mesh.vertices @ np.array(infant.backrest[:3]) - infant.backrest[3]
        assert -0.02 < before.max() <= 0.0
        assert backrest(np.random.default_rng(0), ball_infant()) == []


class TestCovers:
    @pytest.mark.parametrize("posture", ["supine", "prone", "side"])
    def test_blanket_lies_above_body_and_ground(self, posture: str) -> None:
        infant = ball_infant(posture)
        for seed in range(6):
            blanket, _ = throw_blanket(np.random.default_rng(seed), infant)
            mesh = drape(blanket, infant.vertices)
            checked(mesh, COVER)
            assert mesh.two_sided and mesh.vertices[:, 2].min() >= 0.0039
            assert upwards(mesh) > 0.95
            # nothing of the body comes through: no vertex of it lies over the sheet around it
            span = np.linalg.norm(infant.vertices[:, None, :2] - mesh.vertices[None, :, :2], axis=2)
            near = span.argmin(axis=1)
            under = span.min(axis=1) < 0.006
            assert under.sum() > 50
            over = infant.vertices[under, 2] - mesh.vertices[near[under], 2]
            assert over.max() < 0.0

    def test_blanket_follows_the_body(self) -> None:
        infant = ball_infant()
        blanket, _ = throw_blanket(np.random.default_rng(0), infant)
        flat = drape(blanket, infant.vertices)
        raised = drape(blanket, infant.vertices + np.array([0, 0, 0.05]))
        assert np.array_equal(flat.vertices[:, :2], raised.vertices[:, :2])
        assert 0.01 < (raised.vertices - flat.vertices)[:, 2].max() < 0.08

    @pytest.mark.parametrize("kind", BEDDINGS)
    def test_bedding_lies_under_the_body(self, kind: str) -> None:
        infant = ball_infant()
        for seed in range(4):
            mesh = bedding(np.random.default_rng(seed), infant, kind)
            checked(mesh, THING)
            assert upwards(mesh) > 0.9 and mesh.vertices[:, 2].max() > 0.008
            lowest = height_map(infant.vertices, lowest=True)
            x, y, z = mesh.vertices.T
            body = lowest.at(x[None], y[None])[0]
            there = (body > 0) & (body < 1)
            assert (z[there] < body[there] + 0.004).mean() > 0.97


def upwards(mesh: Mesh) -> float:
    """The share of faces whose outer side looks up."""
    corner = mesh.vertices[mesh.faces].astype(np.float64)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    return float((normal[:, 2] > 0).mean())
