"""The reference implementation of COCO's numbers, to compare ours with."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import numpy as np

from aggpose.evaluation.metrics import METRICS


def by_pycocotools(
    truth: dict[str, Any], results: list[dict[str, Any]], sigmas: np.ndarray
) -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(json.loads(json.dumps(results))), "keypoints")
        run.params.kpt_oks_sigmas = sigmas
        run.evaluate()
        run.accumulate()
        run.summarize()
    return dict(zip(METRICS, run.stats, strict=True))
