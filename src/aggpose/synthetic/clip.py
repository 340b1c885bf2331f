"""Clips of a moving synthetic infant, with the truth of every frame beside the video."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from aggpose import __version__
from aggpose.errors import UserError
from aggpose.files import write_bytes, write_json
from aggpose.formats.poses_csv import PosesCsvWriter
from aggpose.hips import annotated_hips
from aggpose.pose import Poses
from aggpose.skeleton import INFANT24, Skeleton
from aggpose.synthetic.around.anchors import Anchors
from aggpose.synthetic.around.surroundings import (
    Chances,
    Options,
    Surroundings,
    bind,
    follow,
    sample_surroundings,
)
from aggpose.synthetic.body.body import Body, body_mesh, build
from aggpose.synthetic.body.infant import sample_infant
from aggpose.synthetic.body.keypoints import visible_slack_m
from aggpose.synthetic.body.sacks import sack_mesh
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Mesh, Scene
from aggpose.synthetic.picture import Kit
from aggpose.synthetic.pose.characters import CHARACTERS, draw_character
from aggpose.synthetic.pose.motion import PosedClip, sample_motion
from aggpose.synthetic.render.sensor import SensorSettings, develop, sample_sensor
from aggpose.synthetic.threads import one_thread, one_thread_each
from aggpose.video.writer import VideoWriter

_STILL_M = 1e-5

SEEN, HIDDEN = 1.0, 0.5
"""Scores of the truth: what the camera sees, and what something hides or lies outside of the
picture (the place is exact all the same)."""


CLIP_POSTURES = ("supine", "prone", "side")
"""Whose contact is kept through time."""

EXPOSURES_S = (1 / 240, 1 / 120, 1 / 60, 1 / 30)
"""Of a frame; never longer than there is from one to the next."""


@dataclass(frozen=True)
class ClipSettings:
    """seconds, fps: of the video. size: (width, height) px, even. character: one of
    `characters.CHARACTERS`, None to draw one of its age. age_months: None to draw it. plain: no
    covers and no hands, a steady good camera: for examples. posture: one of `CLIP_POSTURES`."""

    seconds: float = 10.0
    fps: int = 30
    size: tuple[int, int] = (480, 640)
    character: str | None = None
    age_months: float | None = None
    outfit: str | None = None
    plain: bool = False
    posture: str = "supine"


@dataclass(frozen=True)
class Clip:
    """A clip that is drawn but not rendered; frames are made one after the other."""

    seed: int
    settings: ClipSettings
    body: Body
    motion: PosedClip
    around: Surroundings
    camera: Camera
    sensor: SensorSettings
    exposure_s: float


@one_thread
def sample_clip(kit: Kit, seed: int, settings: ClipSettings) -> Clip:
    """Draw all of a clip; the same for the same seed and settings."""
    of_infant, of_motion, of_room, of_sensor = np.random.default_rng([seed, 3]).spawn(4)
    infant = sample_infant(of_infant, settings.age_months, outfit=settings.outfit)
    body = build(infant, kit.model)
    character = settings.character or draw_character(of_motion, infant.age_months)
    if character not in CHARACTERS:
        raise UserError(f"unknown movement {character!r}: choose one of {', '.join(CHARACTERS)}")
    if settings.posture not in CLIP_POSTURES:
        known = ", ".join(CLIP_POSTURES)
        raise UserError(f"no clips of posture {settings.posture!r}: choose one of {known}")
    times = np.arange(max(1, round(settings.seconds * settings.fps))) / settings.fps
    motion = sample_motion(
        of_motion, body, character, times, settings.posture, age_months=infant.age_months
    )
    vertices, points = motion.at(times[:1])
    camera = _above(of_room, settings.size, body.length_m)
    anchors = Anchors(points[0], vertices[0].astype(np.float64), body.length_m, settings.posture)
    chances = Chances()
    if settings.plain:
        nothing = {name: 0.0 for name in chances.stand}
        bare = {name: 0.0 for name in chances.worn}
        chances = replace(
            chances, hands=0.0, cover=0.0, hospital=0.0, bedding=0.0, stand=nothing, worn=bare
        )
    options = Options(settings.size, infant.skin, camera, chances)
    around = sample_surroundings(of_room, anchors, kit.pools, options)
    sensor = _GOOD if settings.plain else sample_sensor(of_sensor, side=max(settings.size))
    exposure = float(of_sensor.choice(EXPOSURES_S))
    exposure = min(1 / 120 if settings.plain else exposure, 1 / settings.fps)
    return Clip(seed, settings, body, motion, around, camera, sensor, exposure)


_GOOD = SensorSettings(metered=0.32, blur_px=0.5, shot_noise=0.008, contrast=0.1, jpeg_quality=None)
"""The camera of examples."""


def _held(sensor: SensorSettings, first: np.ndarray) -> SensorSettings:
    """The exposure that the camera finds for the first frame, kept for all: light does not pump.
    first: (H, W, 3) linear RGB."""
    if sensor.metered is None:
        return sensor
    gain = sensor.metered / max(float(first.mean()), 1e-4)
    return replace(sensor, metered=None, exposure=sensor.exposure * gain)


def _above(rng: np.random.Generator, size: tuple[int, int], length_m: float) -> Camera:
    """A phone held above the infant, a little aside and not quite straight."""
    target = np.array([0.0, 0.0, 0.06]) + rng.normal(0, 0.012, 3)
    high = length_m * rng.uniform(1.5, 2.0)
    lean = rng.uniform(-0.30, 0.30, 2) * high
    reach = 0.5 * length_m * rng.uniform(1.25, 1.5)
    return Camera(
        position=(float(lean[0]), float(lean[1]) - 0.1, high),
        target=(float(target[0]), float(target[1]), float(target[2])),
        size=size,
        focal_px=0.5 * min(size[1], size[0] * 1.25) * high / reach,
        roll_deg=float(rng.normal(0, 6)),
        distortion=(float(rng.uniform(-0.05, 0.02)), 0.0),
    )


@one_thread_each
def frames_of(kit: Kit, clip: Clip, quality: str = "clip") -> Iterator[tuple[np.ndarray, Poses]]:
    """The pictures (H, W, 3) uint8 RGB and the truth, frame by frame."""
    first: np.ndarray | None = None
    bound: tuple[np.ndarray, ...] = ()
    sensor = clip.sensor
    slack = visible_slack_m(clip.body.length_m)
    moments = zip(clip.motion.frames(), clip.motion.exposed(clip.exposure_s), strict=True)
    for index, ((vertices, points), ends) in enumerate(moments):
        if first is None:
            first = vertices.astype(np.float64)
            bound = bind(clip.around, first)
        parts = [
            _meshes(clip, moment, follow(clip.around, bound, first, moment.astype(np.float64)))
            for moment in (vertices, *ends)
        ]
        meshes = [_moving(*moments) for moments in zip(*parts, strict=True)]
        scene = Scene(meshes, clip.around.ground, clip.around.lights, clip.around.room)
        (frame,) = kit.renderer.render([(scene, clip.camera)], quality)
        marked = annotated_hips(points, INFANT24)
        seen = kit.renderer.visible(scene, clip.camera, marked, slack)
        if index == 0:
            sensor = _held(clip.sensor, frame.linear)
        noise = np.random.default_rng([clip.seed, 4, index])
        yield develop(frame.linear, sensor, noise), truth(clip.camera, points, seen)


def _meshes(clip: Clip, vertices: np.ndarray, around: Sequence[Mesh]) -> list[Mesh]:
    """The infant, what it wears, and what is around."""
    sack = sack_mesh(clip.body, vertices)
    return [body_mesh(clip.body, vertices), *([sack] if sack is not None else []), *around]


def _moving(mesh: Mesh, before: Mesh, after: Mesh) -> Mesh:
    """A mesh with the way it goes during the exposure, if it goes any."""
    way = after.vertices - before.vertices
    return replace(mesh, motion=way) if np.abs(way).max(initial=0) > _STILL_M else mesh


def truth(camera: Camera, points: np.ndarray, seen: np.ndarray) -> Poses:
    """Key points of infant24 (24, 3) m, world, hips at the joints, as pixels, hips where annotators
    mark them. seen: (24,) bool, nothing before them."""
    pixels, depth = camera.project(annotated_hips(points, INFANT24))
    inside = ((pixels >= -0.5) & (pixels < np.array(camera.size) - 0.5)).all(axis=1) & (depth > 0)
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    scores = np.where(inside & seen, SEEN, HIDDEN)
    return Poses(pixels[None], scores[None], box[None], INFANT24, np.ones(1))


def write_clip(
    kit: Kit,
    clip: Clip,
    out: Path,
    stem: str = "clip",
    skeleton: Skeleton = INFANT24,
    quality: int = 20,
    say: Callable[[str], None] = print,
) -> dict[str, Path]:
    """Write ``STEM.mp4``, ``STEM.truth.poses.csv`` (pixels), ``STEM.truth.points3d.csv`` (metres,
    world) and ``STEM.json`` (all that was drawn, times of the frames). quality: x264's, lower is
    better."""
    times, rate = clip.motion.times_s, clip.settings.fps
    paths = {
        "video": out / f"{stem}.mp4",
        "truth": out / f"{stem}.truth.poses.csv",
        "points": out / f"{stem}.truth.points3d.csv",
        "manifest": out / f"{stem}.json",
    }
    with (
        VideoWriter(
            paths["video"], clip.settings.size, Fraction(1, rate), Fraction(rate), quality=quality
        ) as video,
        PosesCsvWriter(paths["truth"], skeleton) as table,
    ):
        for index, (image, poses) in enumerate(frames_of(kit, clip)):
            video.write(image, index)
            table.write(index, float(times[index]), poses.select(skeleton))
            if (index + 1) % 30 == 0 or index + 1 == len(times):
                say(f"{index + 1} of {len(times)} frames")
    write_bytes(paths["points"], _points_table(clip, skeleton))
    write_json(paths["manifest"], manifest_of(clip, skeleton), indent=1)
    return paths


_HIP_JOINTS = ("left_hip", "right_hip")


def _points_table(clip: Clip, skeleton: Skeleton) -> bytes:
    """Places and velocities in the world; of the hips where annotators mark them and, as
    ``left_hip_joint``, of the joints, whose distances to the knees never change."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ("frame", "time_s", "keypoint", "x_m", "y_m", "z_m", "vx_m_s", "vy_m_s", "vz_m_s")
    )
    speeds = clip.motion.velocities(clip.motion.times_s)
    order = INFANT24.indices_of(skeleton.keypoints)
    joints = INFANT24.indices_of([name for name in _HIP_JOINTS if name in skeleton.keypoints])
    names = [*skeleton.keypoints, *(f"{INFANT24.keypoints[k]}_joint" for k in joints)]
    for index, (_, points) in enumerate(clip.motion.frames()):
        time = f"{clip.motion.times_s[index]:.6f}"
        # where hips are marked is a fixed combination of points: so is its velocity
        marked = (annotated_hips(values, INFANT24) for values in (points, speeds[index]))
        columns = [
            np.concatenate([there[order], values[joints]])
            for there, values in zip(marked, (points, speeds[index]), strict=True)
        ]
        for name, row in zip(names, np.hstack(columns), strict=True):
            rows.writerow((index, time, name, *(f"{value:.6f}" for value in row)))
    return text.getvalue().encode()


def manifest_of(clip: Clip, skeleton: Skeleton) -> dict[str, object]:
    camera = clip.camera
    return {
        "description": "synthetic infant made by aggpose; research use only",
        "version": __version__,
        "seed": clip.seed,
        "skeleton": list(skeleton.keypoints),
        "scores": {"seen": SEEN, "hidden or outside of the picture": HIDDEN},
        "fps": clip.settings.fps,
        "frame_times_s": np.round(clip.motion.times_s, 6).tolist(),
        "infant": clip.body.infant.describe(),
        "motion": clip.motion.parameters,
        "exposure_s": clip.exposure_s,
        "sensor": asdict(clip.sensor),
        "camera": {
            "position_m": list(camera.position),
            "target_m": list(camera.target),
            "up": list(camera.up),
            "roll_deg": camera.roll_deg,
            "focal_px": camera.focal_px,
            "distortion": list(camera.distortion),
            "size_px": list(camera.size),
        },
        "around": clip.around.notes,
    }
