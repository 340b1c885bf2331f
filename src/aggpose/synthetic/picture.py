"""One synthetic picture: who, in which pose, where, seen by which camera, and its exact truth.

Everything in picture number ``index`` is a function of (seed, index, options) alone, whatever was
made before and by which process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import warp as wp

from aggpose.hips import annotated_hips
from aggpose.skeleton import INFANT24
from aggpose.synthetic.around.anchors import Anchors
from aggpose.synthetic.around.surroundings import (
    Options,
    Pools,
    Surroundings,
    make_pools,
    sample_surroundings,
)
from aggpose.synthetic.body.body import Body, body_mesh, build, pose_body
from aggpose.synthetic.body.infant import Infant, sample_infant
from aggpose.synthetic.body.keypoints import visible_slack_m
from aggpose.synthetic.body.sacks import sack_mesh
from aggpose.synthetic.body.template import BodyModel, load_body_model
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import ADULT, NOTHING, Scene
from aggpose.synthetic.pose.poses import Posed, sample_pose
from aggpose.synthetic.pose.rig import Rig, bone_rotations
from aggpose.synthetic.pose.rig_fit import make_rig
from aggpose.synthetic.render.renderer import Frame, Renderer
from aggpose.synthetic.render.sensor import SensorSettings, develop, sample_sensor
from aggpose.synthetic.threads import one_thread, one_thread_each

POSES_OF_ONE = 4
"""Pictures in a row that show the same infant, undressed and dressed anew for none of them:
building a body costs more than posing it."""

LEAST_SEEN, LEAST_POINTS = 0.004, 5
"""A picture counts when the infant covers this share of it and so many points lie in it."""

TRIES = 6

MOVING = 0.2
"""Share of the pictures in which the infant moves during the exposure."""

IN_BAGS = ("supine", "prone", "side", "held")
"""Postures in which infants are met in sleeping bags and swaddles; in the others without."""

SEEN, HIDDEN, OUTSIDE = 2, 1, 0
"""COCO's flags: seen; hidden by the body, cloth or a thing; outside of the picture."""


@dataclass(frozen=True)
class Sampled:
    """All of a picture but its pixels. points: (24, 3) m, world, key points of infant24, the
    hips at the joints."""

    index: int
    scene: Scene
    camera: Camera
    points: np.ndarray
    slack: np.ndarray
    infant: Infant
    posed: Posed
    around: Surroundings
    sensor: SensorSettings
    noise_seed: tuple[int, ...]

    @property
    def marked(self) -> np.ndarray:
        """(24, 3) m, world: the points with the hips where annotators mark them."""
        return annotated_hips(self.points, INFANT24)


@dataclass(frozen=True)
class Picture:
    """A picture and its truth.

    image: (H, W, 3) uint8 RGB. keypoints: (24, 2) px, centres at integers; also outside of the
    picture. visibility: (24,) int, `SEEN`, `HIDDEN` or `OUTSIDE`. mask: (H, W) bool, what shows of
    the infant and its clothes. notes: `notes_of`, fit for JSON.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    mask: np.ndarray
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """xywh px around the mask, pixel edges at half integers moved to COCO's whole numbers."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        x, y = int(columns[0]), int(rows[0])
        return float(x), float(y), float(columns[-1] - x + 1), float(rows[-1] - y + 1)


class Kit:
    """What a process makes once: the body model, pools of grounds and arms, the renderer."""

    def __init__(self, device: str = "cpu", photos: Sequence[np.ndarray] = ()) -> None:
        wp.config.log_level = wp.LOG_ERROR  # else a line for each kernel that is compiled
        with _silence():
            wp.init()
        self.model: BodyModel = load_body_model()
        self.pools: Pools = make_pools(photos=photos)
        self.renderer = Renderer(device)
        self._kept: tuple[tuple[int, int], Body, Rig] | None = None

    def body(self, seed: int, number: int) -> tuple[Body, Rig]:
        """Infant ``number`` of a seed; the last one is kept."""
        key = (seed, number)
        if self._kept is None or self._kept[0] != key:
            rng = np.random.default_rng([seed, 0, number])
            body = build(sample_infant(rng), self.model)
            self._kept = key, body, make_rig(body)
        return self._kept[1], self._kept[2]


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the process's stderr: warp's library warns there of a missing GPU, whatever the
    log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@one_thread
def sample_picture(
    kit: Kit, seed: int, index: int, size: tuple[int, int], attempt: int = 0, nobody: bool = False
) -> Sampled:
    """Draw picture ``index`` of a seed. size: (width, height) px. attempt: after one that did not
    count (`counts`), the next. nobody: the same place without the infant and what it wears."""
    body, rig = kit.body(seed, index // POSES_OF_ONE)
    infant = body.infant
    rng = np.random.default_rng([seed, 1, index, attempt])
    of_pose, of_room, of_sensor, of_motion = rng.spawn(4)
    face = _expression(of_pose)
    posed = sample_pose(of_pose, body, age_months=infant.age_months, rig=rig, face=face)
    sack = None
    if infant.sack is not None and (infant.sack.kind == "dress" or posed.posture in IN_BAGS):
        sack = sack_mesh(body, posed.vertices, None if posed.posture == "held" else 0.0)
    anchors = Anchors(
        posed.points,
        posed.vertices if sack is None else np.concatenate([posed.vertices, sack.vertices]),
        body.length_m,
        posed.posture,
        posed.notes.get("backrest"),  # type: ignore[arg-type]
    )
    around = sample_surroundings(of_room, anchors, kit.pools, Options(size, infant.skin))
    own = body_mesh(body, posed.vertices)
    if of_motion.random() < MOVING and sack is None:
        own = replace(own, motion=_motion(of_motion, body, posed))
    meshes = [own, *([sack] if sack is not None else []), *around.meshes]
    if nobody:
        free = [m for i, m in enumerate(around.meshes) if i != around.cover]
        meshes = [m for m in free[around.stuck :] if m.part != ADULT]
    return Sampled(
        index=index,
        scene=Scene(meshes, around.ground, around.lights, around.room),
        camera=around.camera,
        points=posed.points,
        slack=visible_slack_m(body.length_m),
        infant=infant,
        posed=posed,
        around=around,
        sensor=sample_sensor(of_sensor),
        noise_seed=(seed, 2, index, attempt),
    )


def _expression(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Facial actions, each (1,) in [0, 1]: eyes shut in a third, mouths a little or wide open."""
    shut = 1.0 if rng.random() < 0.33 else rng.uniform(0, 0.4)
    mouth = rng.uniform(0.4, 1.0) if rng.random() < 0.15 else rng.uniform(0, 0.3)
    smile = rng.uniform(0, 0.7) ** 2
    values = {
        **{"eyeBlinkLeft": shut, "eyeBlinkRight": shut, "jawOpen": mouth},
        **{"mouthSmileLeft": smile, "mouthSmileRight": smile},
    }
    return {name: np.array([value]) for name, value in values.items()}


def _motion(rng: np.random.Generator, body: Body, posed: Posed) -> np.ndarray:
    """(V, 3) m that a moving infant goes during the exposure: all joints turn a little, one of
    the limbs fast. 1/60 s at 200 degrees a second is 3 degrees."""
    fast = str(rng.choice(("left_arm", "right_arm", "left_leg", "right_leg")))
    parts = {"arm": ("arm", "elbow", "wrist"), "leg": ("leg", "knee", "ankle")}
    side, limb = fast.split("_")
    turned = {}
    for name, angle in posed.angles.items():
        own = name.startswith(side) and any(part in name for part in parts[limb])
        turned[name] = np.array([angle + rng.normal(0, 4.0 if own else 0.5)])
    first = {name: np.array([angle]) for name, angle in posed.angles.items()}
    before, after = (
        pose_body(body, bone_rotations(angles, body.bones, body.reference))[0][0]
        for angles in (first, turned)
    )
    return ((after - before) @ posed.turn.T).astype(np.float32)


def counts(sampled: Sampled, picture: Picture) -> bool:
    """Whether enough of the infant is in the picture to be one of it."""
    inside = int((picture.visibility > OUTSIDE).sum())
    return bool(picture.mask.mean() >= LEAST_SEEN) and inside >= LEAST_POINTS


def finish(kit: Kit, sampled: Sampled, frame: Frame, seen: np.ndarray) -> Picture:
    """The picture and its truth. seen: (24,) bool, the ray test of the points."""
    pixels, depth = sampled.camera.project(sampled.marked)
    size = np.array(sampled.camera.size)
    inside = ((pixels >= -0.5) & (pixels < size - 0.5)).all(axis=1) & (depth > 0)
    visibility = np.where(inside, np.where(seen, SEEN, HIDDEN), OUTSIDE)
    linear = frame.linear
    if sampled.around.backdrop is not None:
        behind = (frame.part == NOTHING)[..., None]
        far = (sampled.around.backdrop / np.float32(255)) ** np.float32(2.2)
        light = np.asarray(sampled.scene.room, np.float32) * 1.5
        linear = np.where(behind, far * light, linear)
    image = develop(linear, sampled.sensor, np.random.default_rng(sampled.noise_seed))
    return Picture(image, pixels, visibility, frame.infant > 0.5, notes_of(sampled))


def notes_of(sampled: Sampled) -> dict[str, object]:
    """Infant, pose, camera, surroundings and sensor, as they were drawn."""
    camera = sampled.camera
    return {
        "infant": sampled.infant.describe(),
        "posture": sampled.posed.posture,
        "family": sampled.posed.family,
        "angles_deg": {name: round(a, 1) for name, a in sampled.posed.angles.items()},
        "points_m": np.round(sampled.marked, 5).tolist(),
        "camera": {
            "position_m": np.round(camera.position, 5).tolist(),
            "target_m": np.round(camera.target, 5).tolist(),
            "up": np.round(camera.up, 5).tolist(),
            "roll_deg": round(camera.roll_deg, 3),
            "focal_px": round(camera.focal_px, 3),
            "distortion": list(camera.distortion),
        },
        "around": sampled.around.notes,
        "sensor": asdict(sampled.sensor),
    }


@one_thread_each
def make_pictures(
    kit: Kit, seed: int, indices: Sequence[int], size: tuple[int, int], nobody: bool = False
) -> Iterator[tuple[int, Picture]]:
    """Pictures by number, in one batch on the kit's device. nobody: of the places without infants.

    A draw that shows too little of its infant is drawn again; the last of `TRIES` is skipped.
    """
    waiting, attempt = list(indices), 0
    while waiting and attempt < TRIES:
        batch = [sample_picture(kit, seed, index, size, attempt, nobody) for index in waiting]
        jobs = [(s.scene, s.camera) for s in batch]
        frames = kit.renderer.render(jobs)
        seen = kit.renderer.visible_many(jobs, [s.marked for s in batch], [s.slack for s in batch])
        waiting = []
        for sampled, frame, own in zip(batch, frames, seen, strict=True):
            picture = finish(kit, sampled, frame, own)
            if nobody or counts(sampled, picture):
                yield sampled.index, picture
            else:
                waiting.append(sampled.index)
        attempt += 1
