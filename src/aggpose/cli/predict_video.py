"""`aggpose predict` on one video: table, overlay and manifest."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aggpose.cli.manifest import describe_input, manifest
from aggpose.cli.predict_jobs import Job
from aggpose.cli.progress import Steps
from aggpose.cli.sources import Source
from aggpose.draw import FaceCover, draw_notice, draw_poses
from aggpose.files import write_json
from aggpose.formats.coco_results import ResultsWriter, result_entries
from aggpose.formats.poses_csv import PosesCsvWriter
from aggpose.video.overlap import Behind
from aggpose.video.reader import VideoReader
from aggpose.video.track import FramePoses, pose_frames
from aggpose.video.writer import VideoWriter


@dataclass
class _Tally:
    """What is counted over the frames of a video."""

    counts: Counter[str] = field(
        default_factory=lambda: Counter(frames=0, frames_with_infant=0, frames_without_infant=0)
    )

    def add(self, frame: FramePoses) -> None:
        self.counts["frames"] += 1
        self.counts["frames_with_infant" if len(frame.poses) else "frames_without_infant"] += 1

    def warnings(self) -> list[str]:
        frames, without = self.counts["frames"], self.counts["frames_without_infant"]
        if without == frames:
            return ["nobody was found in any frame"]
        return [f"nobody was found in {without} of {frames} frames"] if without else []


def predict_one_video(job: Job, source: Source, alone: bool = True) -> dict[str, Any]:
    """All files of one video; returns the manifest. alone: it is the only video of the call.

    Decoding, the network and drawing with encoding run at the same time. The files take their
    names together at the end.
    """
    settings, kinds = job.settings, job.settings.kinds(False)
    with VideoReader(source.path) as reader, ExitStack() as outputs:
        boxes = None if job.boxes is None else job.boxes.of_video(source.path, alone)
        cover = job.face_cover() if settings.hide_face and "video" in kinds else None
        tally = _Tally()
        table = results = overlay = None
        # files take their names in the reverse order: should the table fail, nothing has a name
        if "video" in kinds:
            info = reader.info
            writer = outputs.enter_context(
                VideoWriter(settings.output(source, "video"), info.size, info.time_base, info.rate)
            )
            overlay = Behind[FramePoses](lambda frame: _draw_frame(writer, frame, job, cover))
            outputs.callback(overlay.stop)
        if "coco" in kinds:
            results = outputs.enter_context(ResultsWriter(settings.output(source, "coco")))
        if "csv" in kinds:
            table = outputs.enter_context(
                PosesCsvWriter(settings.output(source, "csv"), job.skeleton)
            )
        steps = outputs.enter_context(Steps(source.path.name, "frames", reader.info.frames))
        frames = pose_frames(job.model, reader, boxes, settings.flip_test, settings.batch_size)
        outputs.callback(frames.close)
        for frame in frames:
            poses = frame.poses.select(job.skeleton)
            tally.add(frame)
            if table is not None:
                table.write(frame.index, frame.time_s, poses)
            if results is not None:
                results.write(result_entries(poses, frame.index, source.path.name))
            if overlay is not None:
                overlay.put(frame)
            steps.advance()
        if overlay is not None:
            overlay.finish()
        content = _describe(job, source, reader, tally, cover, boxes)
    write_json(settings.output(source, "manifest"), content, indent=2)
    _tell(job, source, content)
    return content


def _draw_frame(writer: VideoWriter, frame: FramePoses, job: Job, cover: FaceCover | None) -> None:
    image = frame.image
    if cover is not None:
        # the face is found with all points that the network has, not only those asked for
        cover.cover(image, frame.poses, frame.index, frame.time_s)
    draw_poses(image, frame.poses.select(job.skeleton), job.model.meta.point_score)
    writer.write(draw_notice(image), frame.pts)


def _describe(
    job: Job,
    source: Source,
    reader: VideoReader,
    tally: _Tally,
    cover: FaceCover | None,
    boxes: dict[int, np.ndarray] | None,
) -> dict[str, Any]:
    """The manifest. Made before the results take their names, for it hashes the input."""
    info = reader.info
    warnings = [*reader.warnings, *tally.warnings()]
    beyond = [i for i in boxes or {} if not 0 <= i < tally.counts["frames"]]
    if beyond:
        warnings.append(
            f"boxes of {len(beyond)} frames that the video does not have (image_id counts from 0)"
        )
    parts: dict[str, Any] = {
        "input": describe_input(source.path),
        "video": {
            "size": list(info.size),
            "rotation_applied": info.rotation,
            "start_s": info.start_s,
            "frames_a_second": None if info.rate is None else round(float(info.rate), 6),
        },
        "counts": dict(tally.counts),
    }
    if cover is not None:
        hidden = tally.counts["frames"] - len(cover.not_hidden)
        parts["face_hidden"] = hidden
        parts["face_not_hidden"] = cover.not_hidden
        if cover.not_hidden:
            warnings.append(
                f"the face could not be hidden in {len(cover.not_hidden)} frame(s): "
                "look at them before the overlay leaves your hands"
            )
    parts["warnings"] = warnings
    return manifest(job.model_description, job.settings_description(False), **parts)


def _tell(job: Job, source: Source, content: dict[str, Any]) -> None:
    settings, counts = job.settings, content["counts"]
    print(
        f"{source.path.name}: {counts['frames']} frames, "
        f"infant in {counts['frames_with_infant']} -> "
        + ", ".join(
            str(settings.output(source, kind))
            for kind in ("csv", "coco", "video", "manifest")
            if kind == "manifest" or kind in settings.kinds(False)
        )
    )
    for warning in content["warnings"]:
        print(f"aggpose: {source.path.name}: {warning}", file=sys.stderr)
