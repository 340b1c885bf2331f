"""Validation AP of a training: ground-truth boxes, no flip, DARK, the skeleton's own sigmas."""

from __future__ import annotations

from typing import Any

import numpy as np

from aggpose.data.coco import load_coco
from aggpose.evaluation.metrics import average_precision
from aggpose.skeleton import Skeleton, get_skeleton
from aggpose.training.recipe import Recipe


def validation_ap(recipe: Recipe, skeleton: Skeleton, results: list[dict[str, Any]]) -> float:
    """COCO AP (0 to 1) of predictions over ``data.validation``.

    skeleton: of the predictions. results: image_id, category_id, keypoints (K, 3), score. The
    file is scored in ``data.validation_skeleton`` where given, points matched by name.
    """
    assert recipe.data.validation is not None
    target = get_skeleton(recipe.data.validation_skeleton or recipe.skeleton)
    where = skeleton.indices_of(target.keypoints)
    if (where < 0).any():
        missing = [n for n, w in zip(target.keypoints, where, strict=True) if w < 0]
        raise ValueError(f"{skeleton.name} has no {', '.join(missing)} to validate {target.name}")
    selected = [
        {**r, "keypoints": np.asarray(r["keypoints"])[where].reshape(-1).tolist()} for r in results
    ]
    content = load_coco(recipe.data.root / recipe.data.validation.annotations)
    return average_precision(content, selected, target)["AP"]
