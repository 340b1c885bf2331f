"""Finding the pieces of a COCO folder as its users have it on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aggpose.errors import UserError

SPLITS = ("val2017", "test-dev2017")

_ANNOTATIONS = {
    "val2017": ("person_keypoints_val2017.json",),
    "test-dev2017": ("person_keypoints_test-dev-2017.json", "image_info_test-dev2017.json"),
}
_DETECTIONS = {
    "val2017": "COCO_val2017_detections_AP_H_56_person.json",
    "test-dev2017": "COCO_test-dev2017_detections_AP_H_609_person.json",
}
_PICTURES = {"val2017": "val2017", "test-dev2017": "test2017"}


@dataclass(frozen=True)
class CocoSplit:
    """Where a split's pieces lie. labelled: whether the annotation file holds the truth."""

    annotations: Path
    detections: Path
    images: Path
    labelled: bool


def find_split(root: Path, split: str) -> CocoSplit:
    """The pieces of ``val2017`` or ``test-dev2017`` below a COCO folder.

    Pictures lie in ``ROOT/val2017`` or ``ROOT/images/val2017`` (test-dev in ``test2017``).
    UserError names every piece that is missing.
    """
    root = Path(root)
    if split not in SPLITS:
        raise UserError(f"--split {split}: choose one of {', '.join(SPLITS)}")
    if not root.is_dir():
        raise UserError(f"--coco {root}: no such folder")
    annotations = _first([root / "annotations" / n for n in _ANNOTATIONS[split]])
    detections = root / "person_detection_results" / _DETECTIONS[split]
    folder = _PICTURES[split]
    images = _first([root / folder, root / "images" / folder])
    missing = [
        str(Path(*p.parts[len(root.parts) :]))
        for p, there in (
            (annotations, annotations.is_file()),
            (detections, detections.is_file()),
            (images, images.is_dir()),
        )
        if not there
    ]
    if missing:
        raise UserError(f"--coco {root}: missing for {split}: {', '.join(missing)}")
    return CocoSplit(annotations, detections, images, labelled=split == "val2017")


def _first(paths: list[Path]) -> Path:
    return next((p for p in paths if p.exists()), paths[0])
