"""Garments: where they are, what they do to the outline, and that they hang on the body."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from aggpose.skeleton import INFANT24

pytest.importorskip("anny", reason='needs pip install "aggpose[synthetic]"')

from aggpose.synthetic.body.body import build, pose_body, rest_points
from aggpose.synthetic.body.clothes import KINDS, Garment
from aggpose.synthetic.body.fit import volume
from aggpose.synthetic.body.infant import OUTFITS, sample_infant
from aggpose.synthetic.body.sacks import sack_mesh
from aggpose.synthetic.body.template import load_body_model
from aggpose.synthetic.mesh import FIELDS, GARMENT

if TYPE_CHECKING:
    from aggpose.synthetic.body.body import Body
    from aggpose.synthetic.body.template import BodyModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return load_body_model()


def _wearing(model: BodyModel, *garments: Garment, age: float = 4.0) -> Body:
    infant = sample_infant(np.random.default_rng(2), age)
    return build(replace(infant, garments=garments, sack=None), model)


def _covered(body: Body, point: str, garment: int = 0) -> bool:
    """Is the skin nearest to a key point under the cloth?"""
    place = rest_points(body)[INFANT24.index(point)]
    nearest = np.argsort(np.linalg.norm(body.vertices - place, axis=1))[:5]
    field = body.fields[nearest, FIELDS.index(f"garment{garment}")]
    return bool((field > 0).mean() > 0.5)


@pytest.mark.parametrize(
    ("garment", "covers", "leaves"),
    [
        (Garment("diaper"), ("left_hip",), ("navel", "left_knee", "chest")),
        (Garment("bodysuit", sleeve=0.3), ("navel", "chest"), ("left_elbow", "left_knee", "chin")),
        (Garment("bodysuit", sleeve=1.0), ("chest", "right_elbow"), ("left_knee", "nose")),
        (
            Garment("sleeper", sleeve=0.95, leg=1.0, feet=True),
            ("navel", "left_elbow", "left_knee", "right_toe"),
            ("left_middle_finger", "chin"),
        ),
        (Garment("trousers", leg=0.95), ("left_knee", "right_hip"), ("chest", "left_toe")),
        (Garment("trousers", leg=0.4), ("right_hip",), ("left_ankle", "chest")),
        (Garment("shirt", sleeve=0.3), ("chest", "navel"), ("left_knee", "left_wrist")),
        (Garment("socks"), ("left_toe", "right_toe"), ("left_knee", "left_wrist")),
        (Garment("mittens"), ("left_middle_finger",), ("left_elbow", "left_toe")),
        (Garment("hat"), (), ("nose", "left_eye", "chest")),
        (Garment("bonnet"), ("left_ear", "right_ear"), ("nose", "right_eye", "chin")),
    ],
)
def test_what_a_garment_covers(
    model: BodyModel, garment: Garment, covers: tuple[str, ...], leaves: tuple[str, ...]
) -> None:
    body = _wearing(model, garment)
    assert (body.fields[:, FIELDS.index("garment0")] > 0).sum() > 50
    for point in covers:
        assert _covered(body, point), point
    for point in leaves:
        assert not _covered(body, point), point


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_are_dressed_alike(model: BodyModel, kind: str) -> None:
    body = _wearing(model, Garment(kind, sleeve=0.5, leg=0.6))
    inside = body.fields[:, FIELDS.index("garment0")] > 0
    left = (inside & (body.bare[:, 0] > 0.003)).sum()
    right = (inside & (body.bare[:, 0] < -0.003)).sum()
    assert left == pytest.approx(right, rel=0.05, abs=6)


def test_loose_clothes_change_the_outline(model: BodyModel) -> None:
    bare, tight, wide = (
        volume(_wearing(model, *worn).vertices, model.faces)
        for worn in (
            (),
            (Garment("sleeper", sleeve=1.0, leg=1.0, loose=0.0),),
            (Garment("sleeper", sleeve=1.0, leg=1.0, loose=1.0),),
        )
    )
    assert bare < tight < wide
    assert wide > 1.15 * bare


def test_a_diaper_has_bulk_between_the_legs(model: BodyModel) -> None:
    low = []
    for worn in ((), (Garment("diaper", loose=1.0),)):
        body = _wearing(model, *worn)
        middle = (np.abs(body.bare[:, 0]) < 0.01) & (body.weights["trunk"] > 0.2)
        low.append(body.vertices[middle, 2].min())
    assert 0.008 < low[0] - low[1] < 0.04


def test_hanging_cloth_bridges_and_stays_out_of_the_body(model: BodyModel) -> None:
    body = _wearing(model, Garment("trousers", leg=0.95, loose=0.8))
    assert body.drape is not None
    angle = np.deg2rad([-80.0])
    turn = np.tile(np.eye(3), (1, 1, 1))
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -np.sin(angle), np.sin(angle)
    turns = {"upperleg01.L": turn, "upperleg01.R": turn}
    hung = pose_body(body, turns)[0][0]
    stiff = pose_body(replace(body, drape=None), turns)[0][0]
    moved = np.linalg.norm(hung - stiff, axis=1)
    inside = body.fields[:, FIELDS.index("garment0")]
    assert moved[inside < -0.012].max() == 0.0
    assert 0.001 < moved.max() < 0.05
    # outwards only: along the skin's normal nothing of it sinks by more than rounding
    still = pose_body(body, {"root": np.tile(np.eye(3), (1, 1, 1))})[0][0]
    flat = pose_body(replace(body, drape=None), {"root": np.tile(np.eye(3), (1, 1, 1))})[0][0]
    outwards = np.einsum("vd,vd->v", still - flat, body.normals)
    assert np.percentile(outwards, 5) > -0.002 and outwards.max() > 0.0005


def test_toes_do_not_show_through_socks(model: BodyModel) -> None:
    """Seen from above, what is left of the gaps of up to 3 mm between the toes."""

    def gaps(body: Body) -> float:
        toes = body.shares[:, [b.startswith("toe") and b.endswith(".L") for b in body.bones]]
        own = toes.sum(axis=1)[body.faces].min(axis=1) > 0.5
        flat = (body.vertices[:, :2] * 20000).round().astype(np.int32)
        low = flat[body.faces[own]].min(axis=(0, 1)) - 80
        canvas = np.zeros((2600, 2600), np.uint8)
        for corners in flat[body.faces[own]] - low:
            cv2.fillConvexPoly(canvas, corners, 1)
        closed = cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, np.ones((61, 61), np.uint8))
        return float(closed.sum() - canvas.sum()) / float(canvas.sum())

    assert gaps(_wearing(model, Garment("socks"))) < 0.5 * gaps(_wearing(model))


@pytest.mark.parametrize("kind", KINDS)
def test_no_garment_tears_vertices_out(model: BodyModel, kind: str) -> None:
    body = _wearing(model, Garment(kind))
    edges = body.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    dressed = np.linalg.norm(np.diff(body.vertices[edges], axis=1), axis=-1)
    bare = np.linalg.norm(np.diff(body.bare[edges], axis=1), axis=-1)
    assert (dressed - bare).max() < 0.04


@pytest.mark.parametrize("outfit", OUTFITS)
def test_every_outfit_can_be_worn(model: BodyModel, outfit: str) -> None:
    for seed in range(2):
        infant = sample_infant(np.random.default_rng(seed), outfit=outfit)
        assert len(infant.garments) <= 4
        body = build(infant, model)
        assert np.isfinite(body.vertices).all()
        assert (infant.sack is not None) == (outfit in ("dress", "sleeping bag", "swaddle"))


def test_a_sleeping_bag_holds_the_legs(model: BodyModel) -> None:
    infant = sample_infant(np.random.default_rng(3), 5, outfit="sleeping bag")
    body = build(infant, model)
    lying = np.stack([body.vertices[:, 0], body.vertices[:, 2], -body.vertices[:, 1]], axis=1)
    lying[:, 2] -= lying[:, 2].min()
    mesh = sack_mesh(body, lying)
    assert mesh is not None and mesh.part == GARMENT
    assert np.isfinite(mesh.vertices).all()
    assert mesh.vertices[:, 2].min() > 0
    assert volume(mesh.vertices.astype(float), mesh.faces) > 0
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    legs = lying[body.weights["leg"] > 0.9]
    inside = (legs > low - 0.002).all(axis=1) & (legs < high + 0.002).all(axis=1)
    assert inside[legs[:, 2] > 0.002].mean() > 0.97
    assert sack_mesh(build(infant.undressed(), model), lying) is None
