"""Small copies of a data set: every person cut out with some surroundings and reduced.

    python -m aggpose.data.shrink people.json --images DIR --out small [--side 192]

Thousands of people then fit into the memory of a GPU (``data.resident`` of a recipe) or into a
small archive. The copy is in COCO form, each person alone in a picture of its own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aggpose.data.coco import Person, keypoint_names, load_coco, read_people
from aggpose.data.pictures import read_rgb, warp_picture
from aggpose.errors import UserError
from aggpose.files import write_bytes, write_json
from aggpose.geometry import apply_affine
from aggpose.skeleton import skeleton_from_names

CONTEXT = 1.7
"""Side of what is cut out over the longer side of the person's box: room for augmentation."""


def small_copy(
    image: np.ndarray, person: Person, side: int, context: float = CONTEXT
) -> tuple[np.ndarray, np.ndarray]:
    """A person's surroundings (h, w, 3), at most ``side`` px wide and high, never enlarged, and the
    affine (2, 3) from the picture to there. image: (H, W, 3) uint8 RGB."""
    x, y, w, h = person.box
    half = 0.5 * context * max(w, h)
    middle = np.array([x + w / 2, y + h / 2])
    low = np.maximum(np.floor(middle - half), 0)
    high = np.minimum(np.ceil(middle + half), np.array(image.shape[1::-1]))
    scale = min(1.0, side / float((high - low).max()))
    width, height = (max(1, round(float(s) * scale)) for s in high - low)
    # pixel edges stay edges: centres move by half a pixel of either size
    shift = (0.5 - low) * scale - 0.5
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return warp_picture(image, affine, (width, height)), affine


def shrink(
    annotations: Path, images: Path, out: Path, side: int = 192, quality: int = 80
) -> tuple[int, int]:
    """Write ``OUT/annotations.json`` and ``OUT/images``; returns how many people, and bytes."""
    skeleton = skeleton_from_names(keypoint_names(load_coco(annotations), annotations))
    if (out / "annotations.json").exists():
        raise UserError(f"{out / 'annotations.json'}: is already there; give another folder")
    people = read_people(annotations, images, skeleton)
    (out / "images").mkdir(parents=True, exist_ok=True)
    entries: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    total, last, image = 0, None, np.zeros((1, 1, 3), np.uint8)
    for number, person in enumerate(people.records, start=1):
        if person.image_path != last:
            image, last = read_rgb(person.image_path), person.image_path
        small, affine = small_copy(image, person, side)
        _, coded = cv2.imencode(
            ".jpg",
            cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, quality],
        )
        name = f"images/{number:07d}.jpg"
        write_bytes(out / name, coded.tobytes())
        total += len(coded)
        size = {"width": small.shape[1], "height": small.shape[0]}
        entries["images"].append({"id": number, "file_name": name, **size})
        entries["annotations"].append(_moved(person, number, affine))
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}
    write_json(out / "annotations.json", {**entries, "categories": [category]})
    return len(people.records), total


def _moved(person: Person, number: int, affine: np.ndarray) -> dict[str, Any]:
    scale = affine[0, 0]
    points = np.where(
        person.visibility[:, None] > 0, apply_affine(affine, person.keypoints), 0.0
    ).round(2)
    corner = person.box[:2] * scale + affine[:, 2]
    triples = np.concatenate([points, person.visibility[:, None]], axis=1).ravel().tolist()
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "bbox": [round(float(v), 2) for v in (*corner, *(person.box[2:] * scale))],
        "area": round(person.area * scale**2, 2),
        "iscrowd": 0,
        "keypoints": [v if i % 3 != 2 else int(v) for i, v in enumerate(triples)],
        "num_keypoints": int((person.visibility > 0).sum()),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Small copies of the people of a data set.")
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=192, help="most pixels a side")
    parser.add_argument("--quality", type=int, default=80, help="of the JPEG files")
    options = parser.parse_args(arguments)
    try:
        count, size = shrink(
            options.annotations, options.images, options.out, options.side, options.quality
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out}: {count} people, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
