"""What `aggpose predict` was asked for, and the names of what it writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aggpose.cli.manifest import describe_input, describe_model
from aggpose.cli.sources import Source
from aggpose.draw import FaceCover
from aggpose.formats.coco_boxes import BoxFile
from aggpose.inference.locate import thresholds_of
from aggpose.inference.predict import Model
from aggpose.skeleton import Skeleton


@dataclass(frozen=True)
class Settings:
    """The command's options. save: kinds of results, None for what suits the source."""

    out: Path
    skeleton: str | None = None
    boxes: Path | None = None
    batch_size: int | None = None
    flip_test: bool = False
    save: frozenset[str] | None = None
    hide_face: bool = False
    overwrite: bool = False

    def kinds(self, picture: bool) -> frozenset[str]:
        if self.save is not None:
            return self.save
        return frozenset(("coco", "video") if picture else ("csv", "video"))

    def output(self, source: Source, kind: str) -> Path:
        return self.out / f"{source.stem}.{_ENDINGS[kind, source.is_picture]}"


_ENDINGS = {
    ("csv", False): "poses.csv",
    ("coco", False): "predictions.json",
    ("video", False): "overlay.mp4",
    ("manifest", False): "manifest.json",
    ("csv", True): "poses.csv",
    ("video", True): "overlay.jpg",
}
PICTURES_RESULTS = "predictions.json"
PICTURES_MANIFEST = "predictions.manifest.json"


@dataclass
class Job:
    """A model and how to use it. skeleton: of the results. boxes: given ones."""

    model: Model
    settings: Settings
    skeleton: Skeleton
    boxes: BoxFile | None = None

    def face_cover(self) -> FaceCover:
        return FaceCover(self.model.skeleton, least_score=self.model.meta.point_score)

    @cached_property
    def model_description(self) -> dict[str, Any]:
        return describe_model(self.model)

    def settings_description(self, picture: bool) -> dict[str, Any]:
        settings = self.settings
        return {
            "skeleton": self.skeleton.name,
            "boxes": None if settings.boxes is None else describe_input(settings.boxes),
            "batch_size": settings.batch_size,
            "flip_test": settings.flip_test,
            "save": sorted(settings.kinds(picture)),
            "hide_face": settings.hide_face,
            "thresholds": asdict(thresholds_of(self.model.meta)),
        }


def planned_outputs(sources: list[Source], settings: Settings) -> list[Path]:
    """Every file that predicting these would write."""
    outputs = []
    for source in sources:
        kinds = settings.kinds(source.is_picture)
        named = [k for k in sorted(kinds) if (k, source.is_picture) in _ENDINGS]
        outputs += [settings.output(source, kind) for kind in named]
        if not source.is_picture:
            outputs.append(settings.output(source, "manifest"))
    if any(s.is_picture for s in sources):
        outputs.append(settings.out / PICTURES_MANIFEST)
        if "coco" in settings.kinds(True):
            outputs.append(settings.out / PICTURES_RESULTS)
    return outputs
