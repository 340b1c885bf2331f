"""`Model`: key points of pictures and videos from a network file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from aggpose.data.pictures import read_rgb
from aggpose.inference.crops import Crop, crop_of_box, cut_crop, estimate
from aggpose.inference.locate import look_upright, poses_of
from aggpose.inference.model_file import model_sha256
from aggpose.inference.runtime import Runtime, find_model, open_runtime
from aggpose.inference.search import find_infant
from aggpose.meta import ModelMeta
from aggpose.pose import Poses
from aggpose.skeleton import Skeleton, get_skeleton

if TYPE_CHECKING:
    from aggpose.video.track import FramePoses

Picture: TypeAlias = "np.ndarray | str | Path"
Item: TypeAlias = "tuple[Picture, np.ndarray, np.ndarray | None]"

DEFAULT_BATCH = 8


def load(
    model: str | Path, *, device: str = "auto", threads: int | None = None, many: bool = False
) -> Model:
    """A model by shipped name or file.

    model: shipped name, or a path: ``.onnx``, ours or anybody's with a description beside it
        (`aggpose.inference.foreign`); ``.safetensors`` or ``.pth`` (needs torch; the published
        AggPose files too). device: auto, cpu, openvino or cuda (`runtime.DEVICES`). threads: on
        the CPU, None for all. many: a video or many pictures will follow; auto may then take a
        runtime that starts later and is faster.
    """
    path = find_model(model)
    return Model(open_runtime(path, device, threads, many), path)


class Model:
    """A loaded network that turns pictures into `Poses`."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self.runtime = runtime
        self.path = path

    @property
    def meta(self) -> ModelMeta:
        return self.runtime.meta

    @property
    def skeleton(self) -> Skeleton:
        return self.runtime.meta.skeleton

    @property
    def device(self) -> str:
        return self.runtime.device

    def sha256(self) -> str:
        """Of the weights file, hexadecimal."""
        return model_sha256(self.path)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Heat maps (B, K, H / 4, W / 4) float32 of crops (B, 3, H, W) float32 normalised RGB.

        Of our networks only; UserError of foreign ones.
        """
        return self.runtime.run(batch)

    def predict(
        self,
        image: Picture,
        boxes: np.ndarray | None = None,
        *,
        flip_test: bool = False,
        batch_size: int = DEFAULT_BATCH,
        skeleton: Skeleton | str | None = None,
    ) -> Poses:
        """Key points of one picture.

        image: (H, W, 3) uint8 RGB, or a file. boxes: (N, 4) xyxy px of the picture as shown; None
        to find the one infant without. skeleton: select its points by name; a skeleton or the name
        of one. Returns N poses in the order of the boxes; without boxes one, or none where nobody
        is found.
        """
        if boxes is None:
            found = find_infant(self.runtime, as_image(image), flip_test)
            poses = poses_of(found, self.runtime)
        else:
            items: list[Item] = [(image, boxes, None)]
            (poses,) = self.predict_many(items, flip_test=flip_test, batch_size=batch_size)
        return poses if skeleton is None else poses.select(as_skeleton(skeleton))

    def predict_many(
        self,
        items: Iterable[Item],
        *,
        flip_test: bool = False,
        batch_size: int = DEFAULT_BATCH,
    ) -> Iterator[Poses]:
        """Key points of many pictures with given boxes, batched across pictures.

        items: (picture, boxes (N, 4) xyxy px, box scores (N,) or None). Read lazily: never more
        than a batch of crops, a batch of poses and one picture are held; of networks that want
        people upright, whose boxes take four crops each, the pictures of a batch. Yields one
        `Poses` an item, in order.
        """
        if self.meta.upright:
            yield from _upright(self.runtime, items, flip_test, max(1, batch_size))
        else:
            yield from _in_batches(self.runtime, items, flip_test, max(1, batch_size))

    def predict_video(
        self,
        path: str | Path,
        *,
        boxes: Mapping[int, np.ndarray] | None = None,
        flip_test: bool = False,
        batch_size: int | None = None,
        skeleton: Skeleton | str | None = None,
    ) -> Iterator[FramePoses]:
        """Key points of every frame of a video, as a stream.

        boxes: frame index -> (N, 4) xyxy px; a frame without an entry has nobody. None to follow
        the one infant without boxes. batch_size: frames a call of the network; see `video.track`.
        """
        # video stands a floor above; only this convenience reaches up, and only when called
        from aggpose.video.track import predict_video

        return predict_video(
            self,
            path,
            boxes=boxes,
            flip_test=flip_test,
            batch_size=batch_size,
            skeleton=None if skeleton is None else as_skeleton(skeleton),
        )


def as_skeleton(skeleton: Skeleton | str) -> Skeleton:
    """A skeleton, by name or as it is."""
    return get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton


def as_image(picture: Picture) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a file or an array; a grey (H, W) array becomes RGB."""
    if isinstance(picture, (str, Path)):
        return read_rgb(picture)
    if picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(f"a picture is (H, W, 3) uint8 RGB, not {picture.shape} {picture.dtype}")
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is (H, W, 3) uint8 RGB, not of shape {picture.shape}")
    return picture


@dataclass
class _Waiting:
    """A picture whose crops are in work: poses are filled in as batches come back."""

    poses: Poses
    left: int


@dataclass
class _Batch:
    """Crops cut and not yet run, and whose they are. array: (batch, h, w, 3) uint8 RGB."""

    array: np.ndarray
    crops: list[Crop] = field(default_factory=list)
    owners: list[tuple[_Waiting, int]] = field(default_factory=list)

    def run(self, runtime: Runtime, flip_test: bool) -> None:
        if not self.crops:
            return
        cut = self.array[: len(self.crops)]
        keypoints, scores = estimate(runtime, cut, self.crops, flip_test)
        for (waiting, row), points, peaks in zip(self.owners, keypoints, scores, strict=True):
            waiting.poses.keypoints[row] = points
            waiting.poses.scores[row] = peaks
            waiting.left -= 1
        self.crops.clear()
        self.owners.clear()


def _upright(
    runtime: Runtime, items: Iterable[Item], flip_test: bool, batch_size: int
) -> Iterator[Poses]:
    """Poses of networks that want people upright. A box has four crops, its turns."""
    several = max(1, batch_size // 4)
    queue: list[tuple[Poses, np.ndarray | None]] = []

    def filled() -> Iterator[Poses]:
        jobs = [(poses, row, image) for poses, image in queue for row in range(len(poses.boxes))]
        for start in range(0, len(jobs), several):
            part = jobs[start : start + several]
            images = [image for _, _, image in part if image is not None]
            boxes = [poses.boxes[row] for poses, row, _ in part]
            seen = look_upright(runtime, images, boxes, flip_test, batch_size)
            for (poses, row, _), one in zip(part, seen, strict=True):
                poses.keypoints[row], poses.scores[row] = one.keypoints, one.scores
        yield from (poses for poses, _ in queue)
        queue.clear()

    for picture, boxes, box_scores in items:
        boxes = _checked_boxes(boxes)
        image = as_image(picture) if len(boxes) else None
        queue.append((_unfilled(boxes, box_scores, runtime.meta.skeleton), image))
        if sum(len(poses.boxes) for poses, _ in queue) >= several or len(queue) > batch_size:
            yield from filled()
    yield from filled()


def _in_batches(
    runtime: Runtime, items: Iterable[Item], flip_test: bool, batch_size: int
) -> Iterator[Poses]:
    meta = runtime.meta
    width, height = meta.input_size
    batch = _Batch(np.empty((batch_size, height, width, 3), np.uint8))
    queue: deque[_Waiting] = deque()
    for picture, boxes, box_scores in items:
        boxes = _checked_boxes(boxes)
        waiting = _Waiting(_unfilled(boxes, box_scores, meta.skeleton), len(boxes))
        queue.append(waiting)
        image = as_image(picture) if len(boxes) else None
        for row, box in enumerate(boxes):
            assert image is not None
            crop = crop_of_box(box, meta)
            batch.array[len(batch.crops)] = cut_crop(image, crop, meta)
            batch.crops.append(crop)
            batch.owners.append((waiting, row))
            if len(batch.crops) == batch_size:
                batch.run(runtime, flip_test)
        if len(queue) > batch_size:
            # pictures without boxes wait behind a batch that is not full: they must not pile up
            batch.run(runtime, flip_test)
        while queue and not queue[0].left:
            yield queue.popleft().poses
    batch.run(runtime, flip_test)
    for waiting in queue:
        yield waiting.poses


def _checked_boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes are (N, 4) finite xyxy px, not of shape {boxes.shape}")
    return boxes


def _unfilled(boxes: np.ndarray, box_scores: np.ndarray | None, skeleton: Skeleton) -> Poses:
    n, k = len(boxes), len(skeleton)
    scores = np.ones(n) if box_scores is None else np.asarray(box_scores, dtype=np.float64)
    return Poses(np.full((n, k, 2), np.nan), np.zeros((n, k), np.float32), boxes, skeleton, scores)
