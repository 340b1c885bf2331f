"""Key points of every frame of a video, as a stream.

With given boxes, crops of following frames share a batch. Without, the one infant is followed: each
group of frames is cut at the box of the last pose, so that the network still works on batches;
where the infant has left that box by the later frames of a group, those are cut again. Of two
places that are about as likely a point keeps to the one near its last. When the infant is lost it
is looked for in the whole frame, now and then in the turned frame, and rarely in parts of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aggpose.geometry import apply_affine, crop_affine
from aggpose.inference.crops import crop_of_box, look_on
from aggpose.inference.locate import (
    SAME_TURN_DEG,
    Look,
    overlap,
    poses_of,
    thresholds_of,
    turned_apart,
    upright_turn,
)
from aggpose.inference.runtime import Runtime
from aggpose.inference.search import find_infant, refine
from aggpose.meta import ModelMeta
from aggpose.pose import Poses
from aggpose.skeleton import Skeleton
from aggpose.video.overlap import ahead
from aggpose.video.reader import Frame, VideoReader

if TYPE_CHECKING:
    from aggpose.inference.predict import Model

GROUP = {"cpu": 4, "openvino": 4, "cuda": 8}
"""Frames a call of the network: more help a GPU, but the crop of the last is that much older."""

EDGE = 0.07
"""A key point nearer to the crop's edge, as a share of its width, has the crop made anew."""

NEAR = 0.5
"""Overlap with the last box from which on the new box is taken for the same place."""

PATIENCE = 15
"""Frames without the infant for which its last place is still looked at."""

TURN_EVERY = 10
"""While lost, the turned frame is tried once in so many frames: it costs three more looks."""

PARTS_EVERY = 150
"""While lost, parts of the frame are tried once in so many frames: it costs hundreds of looks."""

RECHECK_EVERY = 30
"""After so many frames in a row below ``sure``, the whole frame is looked at again."""


@dataclass(frozen=True)
class FramePoses:
    """One frame's poses. index: 0-based. time_s: seconds, as players show it. pts: ticks of the
    reader's time base. image: (H, W, 3) uint8 RGB as shown."""

    index: int
    time_s: float
    poses: Poses
    pts: int = field(repr=False)
    image: np.ndarray = field(repr=False)


def predict_video(
    model: Model,
    path: str | Path,
    *,
    boxes: Mapping[int, np.ndarray] | None = None,
    flip_test: bool = False,
    batch_size: int | None = None,
    skeleton: Skeleton | None = None,
) -> Iterator[FramePoses]:
    """`Model.predict_video`: opens the file now (UserError), yields frames as asked for."""
    reader = VideoReader(path)
    return _frames_of(model, reader, boxes, flip_test, batch_size, skeleton)


def _frames_of(
    model: Model,
    reader: VideoReader,
    boxes: Mapping[int, np.ndarray] | None,
    flip_test: bool,
    batch_size: int | None,
    skeleton: Skeleton | None,
) -> Generator[FramePoses, None, None]:
    with reader:
        for frame in pose_frames(model, reader, boxes, flip_test, batch_size):
            if skeleton is None:
                yield frame
            else:
                poses = frame.poses.select(skeleton)
                yield FramePoses(frame.index, frame.time_s, poses, frame.pts, frame.image)


def pose_frames(
    model: Model,
    frames: Iterable[Frame],
    boxes: Mapping[int, np.ndarray] | None = None,
    flip_test: bool = False,
    batch_size: int | None = None,
) -> Generator[FramePoses, None, None]:
    """Poses of frames, decoded ahead by another thread. Memory does not grow with the video."""
    size = batch_size or GROUP[model.device]
    decoded = ahead(frames, depth=max(4, size))
    try:
        if boxes is None:
            yield from _followed(model.runtime, decoded, flip_test, size)
        else:
            yield from _boxed(model, decoded, boxes, flip_test, size)
    finally:
        decoded.close()


def _boxed(
    model: Model,
    frames: Iterable[Frame],
    boxes: Mapping[int, np.ndarray],
    flip_test: bool,
    batch_size: int,
) -> Iterator[FramePoses]:
    """``boxes[index]``: (N, 4) xyxy, or (N, 5) with the box's score last."""
    waiting: deque[Frame] = deque()
    nobody = np.zeros((0, 5))

    def items() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        for frame in frames:
            waiting.append(frame)
            found = np.asarray(boxes.get(frame.index, nobody), dtype=np.float64)
            yield frame.image, found[:, :4], found[:, 4] if found.shape[1] == 5 else None

    for poses in model.predict_many(items(), flip_test=flip_test, batch_size=batch_size):
        frame = waiting.popleft()
        yield FramePoses(frame.index, frame.time_s, poses, frame.pts, frame.image)


def _followed(
    runtime: Runtime, frames: Iterator[Frame], flip_test: bool, group_size: int
) -> Iterator[FramePoses]:
    follower = Follower(runtime, flip_test)
    while group := list(islice(frames, group_size)):
        looks = follower.follow([frame.image for frame in group])
        for frame, seen in zip(group, looks, strict=True):
            poses = poses_of(seen, runtime)
            yield FramePoses(frame.index, frame.time_s, poses, frame.pts, frame.image)


class Follower:
    """Follows the one infant from frame to frame."""

    def __init__(self, runtime: Runtime, flip_test: bool = False) -> None:
        self._runtime = runtime
        self._flip_test = flip_test
        self._box: np.ndarray | None = None
        self._keypoints: np.ndarray | None = None
        self._rotation = 0.0
        self._misses = 0
        self._unsure = 0

    def follow(self, images: list[np.ndarray]) -> list[Look | None]:
        """A look for every one of some following frames, None where nobody is found."""
        results: list[Look | None] = []
        while len(results) < len(images):
            rest = images[len(results) :]
            good = self._at_last_place(rest) if self._box is not None else []
            for seen in good:
                results.append(seen)
                self._move_to(seen)
            if not good:
                results.append(self._search(rest[0]))
            elif self._unsure >= RECHECK_EVERY:
                results[-1] = self._recheck(images[len(results) - 1], good[-1])
        return results

    def _at_last_place(self, images: list[np.ndarray]) -> list[Look]:
        """Looks at the last box, up to the first frame in which the infant is not (well) in it."""
        assert self._box is not None
        crop = crop_of_box(self._box, self._runtime.meta, self._rotation)
        keypoints, scores = look_on(self._runtime, images, crop, self._keypoints, self._flip_test)
        good: list[Look] = []
        for i in range(len(images)):
            seen = Look(keypoints[i], scores[i], crop, thresholds_of(self._runtime.meta))
            if not seen.found():
                break
            if not _well_inside(seen, self._runtime.meta):
                if not good:  # the freshest crop there is: look again around what it shows
                    good.append(
                        refine(self._runtime, images[i], seen, self._flip_test, turns=False)
                    )
                break
            good.append(seen)
        return good

    def _move_to(self, seen: Look) -> None:
        body = seen.body_box()
        if body is not None:
            # half way: a crop that jumps with every key point would make them jitter
            near = self._box is not None and overlap(body, self._box) >= NEAR
            self._box = 0.5 * (self._box + body) if near and self._box is not None else body
        self._keypoints = seen.keypoints
        turn = upright_turn(seen, self._runtime.meta)
        # as with the box: a crop that turns with every key point would make them jitter
        turns = turned_apart(turn, seen.crop.rotation) > SAME_TURN_DEG
        self._rotation = turn if turns else seen.crop.rotation
        self._misses = 0
        self._unsure = 0 if seen.sure() else self._unsure + 1

    def _search(self, image: np.ndarray) -> Look | None:
        turns, parts = self._misses % TURN_EVERY == 0, self._misses % PARTS_EVERY == 0
        found = find_infant(self._runtime, image, self._flip_test, turns, parts)
        if found is None:
            self._misses += 1
            if self._misses > PATIENCE:
                self._box = None
        else:
            self._box = None
            self._move_to(found)
        return found

    def _recheck(self, image: np.ndarray, seen: Look) -> Look:
        """The better of a look and a new search, after being unsure for long."""
        self._unsure = 0
        found = find_infant(self._runtime, image, self._flip_test)
        if found is None or found.quality <= seen.quality:
            return seen
        self._box = None
        self._move_to(found)
        return found


def _well_inside(seen: Look, meta: ModelMeta) -> bool:
    """Whether all key points that count have some room to the crop's edges."""
    crop = seen.crop
    affine = crop_affine(crop.center, crop.size, crop.rotation, meta.input_size)
    points = apply_affine(affine, seen.keypoints[seen.counting])
    room = EDGE * meta.input_size[0]
    return bool((points >= room).all() and (points <= np.array(meta.input_size) - 1 - room).all())
