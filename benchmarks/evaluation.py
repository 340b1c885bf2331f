"""Scoring a results file: the evaluator that aggpose uses against pycocotools, same numbers.

python benchmarks/evaluation.py ANNOTATIONS.json
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, seconds
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from aggpose.data.coco import keypoint_names, load_coco
from aggpose.evaluation.metrics import average_precision, rewrite_ground_truth
from aggpose.skeleton import Skeleton, skeleton_from_names


def shaken(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The truth with noise, as if somebody had predicted it."""
    rng = np.random.default_rng(0)
    results = []
    for annotation in content["annotations"]:
        points = np.array(annotation["keypoints"], dtype=float).reshape(-1, 3)
        size = np.sqrt(max(annotation["area"], 1.0))
        points[:, :2] += rng.normal(size=(len(points), 2)) * 0.08 * size
        results.append(
            {
                "image_id": annotation["image_id"],
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "score": float(rng.random()),
            }
        )
    return results


def by_pycocotools(
    truth: dict[str, Any], results: list[dict[str, Any]], skeleton: Skeleton
) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes([dict(r) for r in results]), "keypoints")
        run.params.kpt_oks_sigmas = np.array(skeleton.sigmas)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def main() -> None:
    path = Path(sys.argv[1])
    content = load_coco(path)
    skeleton = skeleton_from_names(keypoint_names(content, path))
    truth = rewrite_ground_truth(content, skeleton)
    results = shaken(truth)
    ours = average_precision(content, results, skeleton)["AP"]
    theirs = by_pycocotools(truth, results, skeleton)
    fast = seconds(lambda: average_precision(content, results, skeleton), 5)
    slow = seconds(lambda: by_pycocotools(truth, results, skeleton), 5)
    print(machine())
    print(f"{path.name}: {len(results)} people, AP differs by {abs(ours - theirs):.1e}")
    print(f"pycocotools {1000 * slow:8.1f} ms    1.0 x")
    print(f"aggpose     {1000 * fast:8.1f} ms  {slow / fast:5.1f} x")


if __name__ == "__main__":
    main()
