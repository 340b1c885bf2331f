"""Small copies of people show the same people, key points where they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from colour_net import COLOURS
from painted_people import painted_people

from aggpose.data.coco import read_people
from aggpose.data.pictures import read_rgb
from aggpose.data.shrink import main
from aggpose.skeleton import COCO17


def test_key_points_stay_on_what_they_name(tmp_path: Path) -> None:
    painted_people(tmp_path, 5, size=(480, 400))
    small = tmp_path / "small"
    options = ["--images", str(tmp_path), "--out", str(small), "--side", "96", "--quality", "98"]
    assert main([str(tmp_path / "people.json"), *options]) == 0
    before = read_people(tmp_path / "people.json", tmp_path, COCO17).records
    after = read_people(small / "annotations.json", small, COCO17).records
    assert len(after) == 5 and not {r.image_path.name for r in after} & {"people.json"}
    seen = 0
    for old, new in zip(before, after, strict=True):
        image = read_rgb(new.image_path)
        assert max(image.shape) <= 96 and image.shape[1::-1] == new.image_size
        assert new.area / old.area < 0.9
        for k, (x, y) in enumerate(new.keypoints):
            column, row = round(float(x)), round(float(y))
            if not (2 < column < image.shape[1] - 3 and 2 < row < image.shape[0] - 3):
                continue
            colour = image[row, column] / 255.0
            assert int(np.argmin(np.abs(COLOURS[:17] - colour).sum(axis=1))) == k
            seen += 1
    assert seen > 30
    assert main([str(tmp_path / "people.json"), *options]) == 2  # never overwritten
