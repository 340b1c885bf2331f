"""The example clip: a few seconds of a synthetic infant on its back, and the truth beside it.

Made with ``python -m aggpose.synthetic.clip --out src/aggpose/examples --seed 7``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from aggpose.errors import UserError
from aggpose.formats.poses_csv import PosesCsvWriter
from aggpose.pose import Poses
from aggpose.skeleton import INFANT24
from aggpose.synthetic.body import Body, Shape, make_body
from aggpose.synthetic.motion import expressions, move
from aggpose.synthetic.render import Renderer
from aggpose.synthetic.scene import Camera, make_ground, settle
from aggpose.video.writer import VideoWriter

SEEN, HIDDEN = 1.0, 0.5
"""Scores of the truth: what the camera sees, and what another part hides (the place is exact)."""

# How far below the surface a point may lie and still count as seen: joints lie in the limb.
_DEPTH_M = {"shoulder": 0.075, "elbow": 0.03, "wrist": 0.03, "hip": 0.085, "knee": 0.04}
_SURFACE_M = 0.022


@dataclass(frozen=True)
class Clip:
    """A clip to be rendered: T frames of one infant under one camera.

    vertices: (T, V, 3) m, world. points: (T, 24, 3) m, world, key points of infant24.
    times_s: (T,). renderer, camera: of all frames.
    """

    body: Body
    vertices: np.ndarray
    points: np.ndarray
    times_s: np.ndarray
    camera: Camera
    renderer: Renderer

    def frames(self) -> Iterator[tuple[np.ndarray, Poses]]:
        """The pictures (H, W, 3) uint8 RGB and the truth, one after the other."""
        for vertices, points in zip(self.vertices, self.points, strict=True):
            frame = self.renderer.render(vertices)
            yield frame.image, truth(self.camera, points, frame.depth)


def above_the_cot(size: tuple[int, int] = (480, 640)) -> Camera:
    """A phone held above the infant, a little towards its feet and not quite straight.

    size: (width, height) px, portrait.
    """
    return Camera(
        position=(0.075, -0.36, 0.90),
        target=(0.015, -0.030, 0.05),
        size=size,
        focal_px=1.15 * size[1],
        roll_deg=3.0,
    )


def make_clip(
    seed: int,
    seconds: float = 5.0,
    rate: int = 25,
    camera: Camera | None = None,
    shape: Shape | None = None,
) -> Clip:
    """Everything of a clip but the pictures; the same for the same seed. ``rate``: frames/s."""
    camera = camera or above_the_cot()
    body = make_body(shape)
    times = np.arange(round(seconds * rate)) / rate
    moving, looks = np.random.default_rng(seed).spawn(2)
    vertices, points = settle(body, move(times, moving), expressions(times, moving))
    renderer = Renderer(body, make_ground(looks), camera)
    return Clip(body, vertices, points, times, camera, renderer)


def truth(camera: Camera, points: np.ndarray, depth: np.ndarray) -> Poses:
    """The key points of one frame as pixels.

    points: (24, 3) m, world. depth: (H, W) m of the nearest thing in each pixel. The score is
    `SEEN`, or `HIDDEN` where something else is in front or the point lies outside of the picture.
    """
    pixels, far = camera.project(points)
    width, height = camera.size
    column, row = np.rint(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    nearest = depth[row.clip(0, height - 1), column.clip(0, width - 1)]
    allowed = np.array(
        [_DEPTH_M.get(name.split("_")[-1], _SURFACE_M) for name in INFANT24.keypoints]
    )
    seen = inside & (far - nearest < allowed)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return Poses(
        keypoints=pixels[None],
        scores=np.where(seen, SEEN, HIDDEN)[None],
        boxes=np.concatenate([low, high])[None],
        skeleton=INFANT24,
        box_scores=np.ones(1),
    )


def write_clip(clip: Clip, video: Path, table: Path, rate: int = 25) -> None:
    """Write the MP4 and the table of the truth; progress goes to stderr."""
    started = said = time.monotonic()
    count = len(clip.times_s)
    with (
        VideoWriter(video, clip.camera.size, Fraction(1, rate), Fraction(rate), quality=20) as out,
        PosesCsvWriter(table, INFANT24) as rows,
    ):
        for index, (image, poses) in enumerate(clip.frames()):
            out.write(image, index)
            rows.write(index, float(clip.times_s[index]), poses)
            if time.monotonic() - said > 10 or index == count - 1:
                said = time.monotonic()
                speed = (index + 1) / (said - started)
                print(f"{index + 1} of {count} frames, {speed:.2f} a second", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Render the example clip of a synthetic infant.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--height", type=int, default=640, help="of the picture, px")
    options = parser.parse_args(arguments)
    if options.seconds < 0.04 or options.height < 64 or options.height % 8:
        print("--seconds must be 0.04 or more, --height a multiple of 8 from 64", file=sys.stderr)
        return 2
    size = (options.height * 3 // 4, options.height)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        clip = make_clip(options.seed, options.seconds, camera=above_the_cot(size))
        video, table = options.out / "infant.mp4", options.out / "infant.truth.poses.csv"
        write_clip(clip, video, table)
    except (OSError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{video}: {video.stat().st_size / 1e6:.2f} MB; {table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
