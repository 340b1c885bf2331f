"""Small COCO-form data sets of painted figures, to train and check on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from colour_net import figure, paint, save_rgb

from aggpose.skeleton import COCO17


def painted_people(
    folder: Path,
    count: int,
    seed: int = 0,
    names: tuple[str, ...] = COCO17.keypoints,
    size: tuple[int, int] = (120, 100),
    name: str = "people.json",
) -> Path:
    """Write pictures and an annotation file; one figure a picture, points of the given names.

    Returns the annotation file; pictures lie beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    stem = Path(name).stem
    where = [COCO17.index(n) for n in names if n in COCO17.keypoints]
    images, annotations = [], []
    for i in range(count):
        length = rng.uniform(50, 80)
        points = figure((rng.uniform(8, 30), rng.uniform(8, 16)), length, rng.uniform(-20, 20))
        save_rgb(folder / f"{stem}{i}.png", paint(size, points, radius=3.0))
        low, high = points.min(0) - 4, points.max(0) + 4
        labels = np.concatenate([points[where], np.full((len(where), 1), 2)], axis=1)
        images.append({"id": i, "file_name": f"{stem}{i}.png", "width": size[0], "height": size[1]})
        annotations.append(
            {
                "id": i,
                "image_id": i,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
                "num_keypoints": len(where),
                "keypoints": labels.ravel().tolist(),
            }
        )
    category = {"id": 1, "name": "person", "keypoints": list(names)}
    path = folder / name
    content = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(content))
    return path
