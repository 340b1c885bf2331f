"""The renderer on small shapes: where things land, what hides what, light, edges, motion."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("warp", reason='needs pip install "aggpose[synthetic]"')

from aggpose.synthetic.around.grounds import baked
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import (
    COVER,
    FIELDS,
    GARMENT,
    GROUND,
    INFANT,
    NOTHING,
    THING,
    Ground,
    Light,
    Material,
    Mesh,
    Scene,
    plain_fields,
)
from aggpose.synthetic.render.ground_pictures import seen_cut
from aggpose.synthetic.render.renderer import Frame, Quality, Renderer

pytestmark = pytest.mark.slow

RED = Material("cloth", ((0.6, 0.1, 0.1),) * 3, wrinkle=0.0)
BLUE = Material("hard", ((0.1, 0.1, 0.6),) * 3, wrinkle=0.0, shine=0.0)
SKIN = Material("skin", ((0.6, 0.4, 0.3), (0.05, 0.04, 0.03), (0.1, 0.1, 0.2)), wrap=1.0)
LAMP = Light((-0.6, 0.3, 1.5), 0.05, (0.9, 0.9, 0.9))
ABOVE = Camera((0.05, -0.2, 1.0), (0.0, 0.0, 0.0), (96, 80), 110.0, roll_deg=12.0)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def box(
    middle: tuple[float, float, float],
    size: tuple[float, float, float],
    part: int = THING,
    material: Material = BLUE,
) -> Mesh:
    """Six sides with their own corners, so that edges are sharp."""
    corner = np.array(list(itertools.product((-1, 1), repeat=3))) * np.array(size) / 2
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    vertices = corner[np.ravel(sides)]
    first = 4 * np.arange(6)[:, None, None]
    faces = (np.array([[0, 1, 2], [0, 2, 3]]) + first).reshape(-1, 3)
    fields = plain_fields(vertices)
    return Mesh((vertices + middle).astype(np.float32), faces, fields, part, material)


def ball(middle: tuple[float, float, float], radius: float, part: int = INFANT) -> Mesh:
    rows, columns = 24, 48
    up, around = np.meshgrid(
        np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, columns), indexing="ij"
    )
    rest = radius * np.stack(
        [np.sin(up) * np.cos(around), np.sin(up) * np.sin(around), np.cos(up)], axis=-1
    ).reshape(-1, 3)
    i = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([i, i + columns, i + columns + 1], axis=1),
            np.stack([i, i + columns + 1, i + 1], axis=1),
        ]
    )
    vertices = (rest + middle).astype(np.float32)
    return Mesh(vertices, faces.astype(np.int32), plain_fields(rest), part, SKIN)


def ground(colour: tuple[int, int, int] = (150, 150, 150), size: int = 64) -> Ground:
    return Ground(
        np.full((size, size, 3), colour, np.uint8), np.zeros((size, size, 2), np.float16), 2.0
    )


def scene(*meshes: Mesh, lights: tuple[Light, ...] = (LAMP,)) -> Scene:
    return Scene(list(meshes), ground(), list(lights))


def one(renderer: Renderer, of: Scene, camera: Camera = ABOVE, **knobs: int) -> Frame:
    return renderer.render([(of, camera)], Quality(**knobs))[0]


def random_scene(seed: int) -> tuple[Scene, Camera]:
    rng = np.random.default_rng(seed)
    meshes = [
        box(
            tuple(rng.uniform((-0.3, -0.3, 0.05), (0.3, 0.3, 0.3))),
            tuple(rng.uniform(0.03, 0.25, 3)),
        )
        for _ in range(5)
    ] + [ball(tuple(rng.uniform((-0.2, -0.2, 0.0), (0.2, 0.2, 0.2))), 0.1) for _ in range(3)]
    camera = replace(
        ABOVE,
        position=tuple(rng.uniform((-0.6, -0.6, 0.5), (0.6, 0.6, 1.2))),
        distortion=tuple(rng.uniform((-0.25, -0.05), (0.2, 0.05))),
        roll_deg=float(rng.uniform(0, 360)),
    )
    return scene(*meshes), camera


def first_hit(of: Scene, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(N,) m along unit rays to the first triangle or the ground: all against all, from the
    textbook (Moeller and Trumbore 1997); faces that look away do not count."""
    best = np.where(rays[:, 2] < 0, -origin[2] / np.minimum(rays[:, 2], -1e-9), np.inf)
    for mesh in of.meshes:
        a, b, c = mesh.vertices[mesh.faces].astype(float).transpose(1, 0, 2)
        ab, ac = b - a, c - a
        p = np.cross(rays[:, None], ac)
        det = (ab * p).sum(axis=2)
        with np.errstate(all="ignore"):
            u = ((origin - a) * p).sum(axis=2) / det
            q = np.cross(origin - a, ab)
            v = (rays[:, None] * q).sum(axis=2) / det
            t = (ac * q).sum(axis=1) / det
            inside = (det > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
        best = np.minimum(best, np.where(inside, t, np.inf).min(axis=1))
    return best


def pixels_of(camera: Camera) -> np.ndarray:
    width, height = camera.size
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_triangles", [True, False])
def test_depth_is_that_of_the_textbook(seed: int, by_triangles: bool) -> None:
    of, camera = random_scene(seed)
    renderer = Renderer()
    renderer.by_triangles = by_triangles
    depth = renderer.render([(of, camera)])[0].depth.ravel()
    rays = camera.rays(pixels_of(camera))
    wanted = first_hit(of, np.array(camera.position), rays) * (rays @ camera.axes()[2])
    apart = np.abs(depth - wanted)
    assert np.median(apart) < 1e-5
    assert (apart > 1e-3).mean() < 0.002  # pixels whose ray grazes an edge


@pytest.mark.parametrize("seed", range(4))
def test_triangles_and_rays_see_the_same(seed: int) -> None:
    """The way of CPUs and that of GPUs."""
    of, camera = random_scene(seed)
    frames = []
    for by_triangles in (True, False):
        renderer = Renderer()
        renderer.by_triangles = by_triangles
        frames.append(renderer.render([(of, camera)])[0])
    one_way, other = frames
    assert (one_way.part != other.part).mean() < 0.002
    assert np.quantile(np.abs(one_way.linear - other.linear), 0.98) < 0.02


def test_a_thing_near_the_camera_and_behind_it(renderer: Renderer) -> None:
    """Triangles that cross the camera's plane are neither lost nor turned inside out."""
    long = box((0.0, 0.2, 0.9), (0.1, 4.0, 0.02))
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.6, 0.2), (64, 64), 60.0, up=(0, 0, 1))
    of = scene(long)
    depth = one(renderer, of, camera).depth.ravel()
    rays = camera.rays(pixels_of(camera))
    wanted = first_hit(of, np.array(camera.position), rays) * (rays @ camera.axes()[2])
    assert (np.abs(depth - wanted)[np.isfinite(wanted)] > 1e-3).mean() < 0.01


@pytest.mark.parametrize("distortion", [(0.0, 0.0), (-0.25, 0.06), (0.15, 0.0)])
def test_a_projected_point_lands_on_its_pixel(
    renderer: Renderer, distortion: tuple[float, float]
) -> None:
    camera = replace(ABOVE, distortion=distortion)
    for place in ((0.0, 0.0, 0.1), (0.25, 0.1, 0.05), (-0.25, -0.2, 0.2)):
        infant = one(renderer, scene(ball(place, 0.02)), camera).infant
        y, x = np.mgrid[: camera.size[1], : camera.size[0]]
        middle = np.array([(infant * x).sum(), (infant * y).sum()]) / infant.sum()
        assert np.linalg.norm(middle - camera.project(np.array(place))[0]) < 0.15


def test_parts_and_coverage(renderer: Renderer) -> None:
    """Half a ball behind a box: coverage counts what shows of it, in fine shares at the edges."""
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (64, 64), 100.0)
    alone = one(renderer, scene(ball((0, 0, 0.2), 0.1)), camera)
    assert set(np.unique(alone.part)) == {INFANT, GROUND}
    radius = 100.0 * 0.1 / np.sqrt(0.8**2 - 0.1**2)
    assert alone.infant.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    edge = (alone.infant > 0) & (alone.infant < 1)
    assert 40 < edge.sum() < 160
    behind = one(
        renderer, scene(ball((0, 0, 0.2), 0.1), box((0.2, 0, 0.4), (0.4, 0.5, 0.01))), camera
    )
    assert behind.infant.sum() == pytest.approx(alone.infant.sum() / 2, rel=0.03)
    assert (behind.part == THING).any()
    sky = replace(camera, position=(0.0, -1.0, 0.3), target=(0.0, 0.0, 0.4), up=(0.0, 0.0, 1.0))
    assert (one(renderer, scene(), sky).part[:20] == NOTHING).all()


def test_garments_end_where_their_field_is_zero(renderer: Renderer) -> None:
    suit = replace(ball((0, 0, 0.2), 0.1), garments=(None, RED, None, None))
    suit.fields[:, FIELDS.index("garment1")] = suit.fields[:, 0]  # right of x = 0
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (64, 64), 150.0)
    frame = one(renderer, scene(suit), camera)
    _, columns = np.nonzero(frame.part == GARMENT)
    assert columns.min() == 32 and frame.part[32, 31] == INFANT
    dressed, bare = frame.linear[30:34, 40:44].mean((0, 1)), frame.linear[30:34, 20:24].mean((0, 1))
    assert dressed[0] > 3 * dressed[1] and bare[0] < 2.5 * bare[1]
    assert frame.infant[32, 25:40].min() == 1.0


def test_shadow_lies_away_from_the_lamp(renderer: Renderer) -> None:
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (96, 96), 120.0)
    post = box((0, 0, 0.1), (0.05, 0.05, 0.2))
    light = Light((-0.8, 0.0, 0.8), 0.02, (1.0, 1.0, 1.0))
    frame = one(renderer, scene(post, lights=(light,)), camera)
    plain = one(renderer, scene(lights=(light,)), camera)
    share = frame.linear[..., 1] / plain.linear[..., 1]

    def at(x: float) -> float:
        column, row = np.rint(camera.project(np.array([x, 0.0, 0.0]))[0]).astype(int)
        return float(share[row, column])

    # the top's far edge, 0.2 m high, throws its shadow to 0.025 + 0.825 / 0.6 * 0.2 = 0.3 m
    assert at(0.15) < 0.7 and at(0.27) < 0.7
    assert at(0.34) > 0.9 and at(-0.3) > 0.9


def test_large_lamps_throw_softer_shadows(renderer: Renderer) -> None:
    camera = Camera((0.0, 0.0, 1.0), (0.1, 0.0, 0.0), (96, 96), 200.0)
    shelf = box((0, 0, 0.2), (0.1, 2.0, 0.01))

    def width(radius: float) -> float:
        light = Light((-0.6, 0.0, 1.0), radius, (1.0, 1.0, 1.0))
        of = replace(scene(shelf, lights=(light,)), room=(0.0, 0.0, 0.0))
        profile = one(renderer, of, camera).linear[40:56, :, 1].mean(axis=0)
        beyond = profile[60:] / profile[-1]
        return float(((beyond > 0.1) & (beyond < 0.9)).sum())

    assert width(0.15) > width(0.01) + 4


def test_light_falls_as_its_colour_says(renderer: Renderer) -> None:
    """A grey ground straight below a lamp reflects its own share of it."""
    camera = Camera((0.0, 0.001, 1.0), (0.0, 0.0, 0.0), (32, 32), 100.0)
    light = Light((0.0, 0.0, 2.0), 0.1, (0.8, 0.4, 0.2))
    of = replace(scene(lights=(light,)), room=(0.0, 0.0, 0.0))
    reflectance = ((150 / 255 + 0.055) / 1.055) ** 2.4
    middle = one(renderer, of, camera).linear[16, 16]
    assert np.allclose(middle, reflectance * np.array([0.8, 0.4, 0.2]), rtol=0.02)


def test_the_ground_lies_as_its_picture_says(renderer: Renderer) -> None:
    """Row 0 at the greatest y, column 0 at the smallest x; mirrored beyond its sides."""
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[:32, :32] = (230, 40, 40)  # x < 0, y > 0
    of = Scene([], Ground(picture, np.zeros((64, 64, 2), np.float16), 1.0), [LAMP])
    camera = Camera((0.0, 0.0, 2.0), (0.0, 0.0, 0.0), (80, 80), 60.0)
    red = one(renderer, of, camera).linear
    red = red[..., 0] > 2 * red[..., 2]
    for x, y, wanted in (
        (-0.2, 0.2, True),
        (0.2, 0.2, False),
        (-0.2, -0.2, False),
        (-0.7, 0.2, True),
    ):
        column, row = np.rint(camera.project(np.array([x, y, 0.0]))[0]).astype(int)
        assert red[row, column] == wanted


@pytest.mark.parametrize("turn", [0.0, 30.0, 200.0])
def test_a_turned_and_tinted_ground_is_the_baked_one(renderer: Renderer, turn: float) -> None:
    rng = np.random.default_rng(1)
    blobs = cv2.resize(rng.integers(0, 255, (12, 12, 3), np.uint8), (512, 512))
    relief = cv2.resize(rng.normal(0, 0.3, (12, 12, 2)).astype(np.float32), (512, 512))
    tint = np.array([[0.5, 0.2, 0.1, 0.05], [0.1, 0.8, 0.0, 0.0], [0.0, 0.1, 0.6, 0.1]])
    varied = Ground(
        blobs, relief.astype(np.float16), 3.0, turn_deg=turn, tint=tint.astype(np.float32)
    )
    found = one(renderer, replace(scene(), ground=varied))
    expected = one(renderer, replace(scene(), ground=baked(varied)))
    assert np.abs(found.linear - expected.linear).mean() < 0.01
    plain = one(renderer, replace(scene(), ground=replace(varied, turn_deg=0.0, tint=None)))
    assert np.abs(found.linear - plain.linear).mean() > 0.03


@pytest.mark.parametrize("seed", range(4))
def test_only_what_is_seen_of_a_ground_is_sent(seed: int) -> None:
    """The picture is the same as with the whole of it."""
    rng = np.random.default_rng(seed)
    colour = cv2.resize(rng.integers(0, 255, (32, 32, 3), np.uint8), (256, 256))
    own = Ground(colour, np.zeros((256, 256, 2), np.float16), 3.0)
    _, camera = random_scene(seed)
    camera = replace(camera, target=tuple(rng.uniform((-0.4, -0.4, 0.0), (0.4, 0.4, 0.0))))
    cut = seen_cut(own, camera)
    assert cut[2] * cut[3] < 256 * 256
    of = Scene([], own, [LAMP])
    frame = Renderer().render([(of, camera)])[0]
    whole = Renderer()
    whole._grounds.of = lambda g, c: whole._grounds._prepare(g, (0, 0, 256, 256))  # type: ignore
    assert np.abs(frame.linear - whole.render([(of, camera)])[0].linear).max() < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_visibility_agrees_with_an_independent_depth_test(renderer: Renderer, seed: int) -> None:
    of, camera = random_scene(seed)
    of = replace(of, meshes=[replace(mesh, part=INFANT) for mesh in of.meshes])
    rng = np.random.default_rng(seed)
    points = rng.uniform((-0.35, -0.35, 0.0), (0.35, 0.35, 0.35), (400, 3))
    slack = rng.uniform(0.0, 0.05, 400)
    seen = renderer.visible(of, camera, points, slack)
    away = points - np.asarray(camera.position)
    far = np.linalg.norm(away, axis=1)
    hit = first_hit(of, np.array(camera.position), away / far[:, None])
    sure = np.abs(far - hit - slack) > 1e-4
    assert np.array_equal(seen[sure], (hit > far - slack)[sure])
    assert 0.1 < seen.mean() < 0.9
    # what does not belong to the infant hides, however near
    things = replace(of, meshes=[replace(mesh, part=COVER) for mesh in of.meshes])
    strict = renderer.visible(things, camera, points, slack)
    to_ground = -camera.position[2] / np.minimum(away[:, 2] / far, -1e-9)
    free = (hit > far - 0.002) | ((np.abs(hit - to_ground) < 1e-9) & (hit > far - slack))
    sure &= np.abs(far - hit - 0.002) > 1e-4
    assert np.array_equal(strict[sure], free[sure]) and (seen & ~strict)[sure].sum() > 2
    # and the picture's own depth says so too, where it is smooth
    frame = renderer.render([(of, camera)])[0]
    pixels, depth = camera.project(points)
    column, row = np.rint(pixels).astype(int).T
    size = np.array(camera.size)
    inside = ((pixels >= 1) & (pixels < size - 2)).all(axis=1)
    flat = cv2.dilate(frame.depth, np.ones((3, 3))) - cv2.erode(frame.depth, np.ones((3, 3))) < 0.02
    column, row = column.clip(0, size[0] - 1), row.clip(0, size[1] - 1)
    near = frame.depth[row, column]
    known = inside & flat[row, column] & (np.abs(depth - near - slack) > 0.02)
    assert known.sum() > 40
    assert ((depth - near < slack) == seen)[known].mean() > 0.98


@pytest.mark.parametrize("roll", [0.0, 35.0, 70.0])
def test_no_place_of_the_ground_is_dark_among_lit_ones(renderer: Renderer, roll: float) -> None:
    """Seen from low down, where neighbouring pixels lie far apart on the ground."""
    camera = Camera((0.0, -1.2, 0.3), (0.0, 0.1, 0.0), (128, 96), 110.0, roll_deg=roll)
    lamps = (replace(LAMP, radius_m=0.01), replace(LAMP, position=(0.8, -0.3, 1.2)))
    thing = box((0.1, 0.0, 0.1), (0.2, 0.1, 0.2))
    for seed in range(3):
        turned = replace(camera, target=(0.1 * seed, 0.1, 0.02 * seed))
        frame = one(renderer, scene(thing, lights=lamps), turned)
        light = frame.linear.mean(axis=2)
        floor = cv2.erode((frame.part == GROUND).astype(np.uint8), np.ones((5, 5))) > 0
        usual = cv2.medianBlur(light.astype(np.float32), 5)
        assert floor.sum() > 2000
        assert (light[floor] > 0.75 * usual[floor] - 0.02).mean() > 0.998


def test_motion_blurs_along_the_way_and_keeps_the_middle(renderer: Renderer) -> None:
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (96, 64), 120.0)
    still = ball((0, 0, 0.1), 0.04)
    way = np.zeros_like(still.vertices)
    way[:, 0] = 0.1
    first, blurred = (one(renderer, scene(m), camera) for m in (still, replace(still, motion=way)))
    px = 0.1 * 120.0 / 0.9
    reach = [np.ptp(np.flatnonzero(f.infant.max(axis=0) > 0.02)) for f in (first, blurred)]
    # eight moments for these 13 px: the first and last lie half a step inside of the exposure
    assert abs(reach[1] - reach[0] - px * (1 - 1 / 8)) < 1.5
    rows = [np.ptp(np.flatnonzero(f.infant.max(axis=1) > 0.02)) for f in (first, blurred)]
    assert abs(rows[1] - rows[0]) <= 1
    assert blurred.infant.sum() == pytest.approx(first.infant.sum(), rel=0.06)
    columns = np.arange(96)
    middles = [(f.infant.sum(axis=0) * columns).sum() / f.infant.sum() for f in (first, blurred)]
    assert abs(middles[0] - middles[1]) < 0.5
    assert np.array_equal(first.part, blurred.part)


def test_same_picture_again_and_in_any_company(renderer: Renderer) -> None:
    jobs = [random_scene(seed) for seed in range(3)]
    moving = ball((0, 0, 0.1), 0.05)
    jobs.append((scene(replace(moving, motion=np.full_like(moving.vertices, 0.02))), ABOVE))
    together = renderer.render(jobs)
    for (of, camera), frame in zip(jobs, together, strict=True):
        alone = Renderer().render([(of, camera)])[0]
        for name in ("linear", "part", "infant", "depth"):
            assert np.array_equal(getattr(alone, name), getattr(frame, name)), name


def test_two_sided_sheets_and_empty_scenes(renderer: Renderer) -> None:
    flat = box((0, 0, 0.2), (0.3, 0.3, 0.1))
    sheet = replace(flat, faces=flat.faces[:, ::-1])  # all turned inside out
    camera = Camera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (48, 48), 60.0)
    # of a closed shape turned inside out, the far walls are seen; of a sheet, the near one
    assert one(renderer, scene(sheet), camera).depth[24, 24] == pytest.approx(0.85, abs=1e-3)
    near = one(renderer, scene(replace(sheet, two_sided=True)), camera)
    assert near.depth[24, 24] == pytest.approx(0.75, abs=1e-3)
    assert near.linear[24, 24].min() > 0.01
    empty = one(renderer, scene(), camera)
    assert (empty.part == GROUND).all() and (empty.infant == 0).all()


def test_too_many_lights_are_refused(renderer: Renderer) -> None:
    with pytest.raises(ValueError, match="at most 3"):
        one(renderer, scene(lights=(LAMP,) * 4))
