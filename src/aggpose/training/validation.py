"""Validation AP of a training: ground-truth boxes, no flip, DARK, the skeleton's own sigmas."""

from __future__ import annotations

from typing import Any

import numpy as np

from aggpose.data.coco import load_coco
from aggpose.evaluation.metrics import average_precision
from aggpose.skeleton import Skeleton
from aggpose.training.recipe import Recipe, validated_skeleton

_COUNTS_FROM = 0.2  # as in `aggpose.formats.coco_results.pose_scores`


def validation_ap(recipe: Recipe, skeleton: Skeleton, results: list[dict[str, Any]]) -> float:
    """COCO AP (0 to 1) of predictions over ``data.validation``.

    skeleton: of the predictions. results: image_id, keypoints (K, 3) with scores. The file is
    scored in ``data.validation_skeleton`` where given, points matched by name; a pose's score is
    the mean of its key-point scores above 0.2, as in `aggpose evaluate --boxes gt`.
    """
    assert recipe.data.validation is not None
    target = validated_skeleton(recipe)
    where = skeleton.indices_of(target.keypoints)
    selected = []
    for result in results:
        points = np.asarray(result["keypoints"])[where]
        good = points[:, 2][points[:, 2] > _COUNTS_FROM]
        selected.append(
            {
                "image_id": result["image_id"],
                "keypoints": points.reshape(-1).tolist(),
                "score": float(good.mean()) if len(good) else 0.0,
            }
        )
    content = load_coco(recipe.data.root / recipe.data.validation.annotations)
    return average_precision(content, selected, target)["AP"]
