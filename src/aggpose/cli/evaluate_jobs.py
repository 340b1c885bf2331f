"""What `aggpose evaluate` does: by a model, by COCO's published protocol, by a predictions file."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggpose import __version__
from aggpose.cli.manifest import STATEMENT, describe_input, describe_model
from aggpose.cli.progress import Steps
from aggpose.data.coco import keypoint_names, load_coco, unusable
from aggpose.errors import UserError, installing
from aggpose.evaluation.coco_folder import find_split
from aggpose.evaluation.protocol import make_protocol, predict_dataset, scored_skeleton
from aggpose.files import read_json, write_json
from aggpose.formats.coco_boxes import BoxFile, read_boxes
from aggpose.inference import MANY, Model, load
from aggpose.skeleton import COCO17, Skeleton, get_skeleton, skeleton_from_names

METRICS_FILE = "metrics.json"
RESULTS_FILE = "predictions.json"
_SERVER_KEYS = ("image_id", "category_id", "keypoints", "score")


@dataclass(frozen=True)
class Request:
    """The options of an evaluation by a model; see the command's help."""

    annotations: Path
    images: Path
    model: str
    skeleton: str | None = None
    boxes: str = "gt"
    flip_test: bool = False
    rotate: int = 0
    area: str = "file"
    out: Path | None = None
    device: str = "auto"
    batch_size: int = 8


def evaluate_model(request: Request) -> dict[str, Any]:
    """Predict for an annotation file by the asked protocol, score, print, write."""
    _need_evaluator()
    content = _labelled(request.annotations)
    detections = None
    if request.boxes not in ("gt", "whole"):
        detections = _read_detections(request.boxes)
    network = load(request.model, device=request.device, many=len(content["images"]) >= MANY)
    skeleton = _scored(content, request.annotations, request.skeleton, network)
    protocol = make_protocol(
        network,
        skeleton,
        request.boxes if detections is None else Path(request.boxes).name,
        request.flip_test,
        request.rotate,
        request.area,
    )
    with Steps("predicting", "pictures", len(content["images"])) as steps:
        results = predict_dataset(
            network,
            content,
            request.images,
            protocol,
            skeleton,
            detections,
            request.batch_size,
            steps.advance,
        )
    return _report(content, request.annotations, results, skeleton, protocol, request.out, network)


def evaluate_coco(
    root: Path, split: str, model: str, out: Path | None, device: str, batch_size: int
) -> dict[str, Any] | None:
    """The published protocol: detector boxes, flip test, DARK, rescoring, OKS-NMS.

    For test-dev, whose truth is COCO's own, only the results file is written.
    """
    pieces = find_split(root, split)
    if not pieces.labelled and out is None:
        raise UserError(
            "--out is needed: test-dev is scored by COCO's server from predictions.json"
        )
    if pieces.labelled:
        _need_evaluator()
    content = load_coco(pieces.annotations)
    detections = _read_detections(pieces.detections)
    network = load(model, device=device, many=len(content["images"]) >= MANY)
    missing = [n for n in COCO17.keypoints if n not in network.skeleton.keypoints]
    if missing:
        raise UserError(f"--coco: model {network.meta.name} does not predict {', '.join(missing)}")
    protocol = make_protocol(network, COCO17, pieces.detections.name, flip_test=True)
    with Steps(split, "pictures", len(content["images"])) as steps:
        results = predict_dataset(
            network,
            content,
            pieces.images,
            protocol,
            COCO17,
            detections,
            batch_size,
            steps.advance,
        )
    if not pieces.labelled:
        assert out is not None
        _write_results(out, results)
        print(f"{len(results)} poses for COCO's server: {out / RESULTS_FILE}")
        return None
    return _report(content, pieces.annotations, results, COCO17, protocol, out, network)


def evaluate_predictions(
    annotations: Path, predictions: Path, wanted: str | None, area: str, out: Path | None
) -> dict[str, Any]:
    """Score a COCO results file; its key points are in the annotation file's order."""
    from aggpose.evaluation.report import in_order_of

    _need_evaluator()
    content = _labelled(annotations)
    skeleton = _scored(content, annotations, wanted, None)
    results = in_order_of(_read_results(predictions), content, skeleton, str(predictions))
    protocol = make_protocol(None, skeleton, f"of {predictions.name}", area=area)
    return _report(content, annotations, results, skeleton, protocol, out, None, predictions)


def _read_detections(path: str | Path) -> BoxFile:
    detections = read_boxes(path)
    if detections.empty:
        print(f"aggpose: {path}: {detections.empty} boxes without size left out", file=sys.stderr)
    return detections


def _need_evaluator() -> None:
    try:
        import faster_coco_eval  # noqa: F401
    except ImportError:
        raise UserError(f"evaluating needs one more package: {installing('evaluate')}") from None


def _labelled(path: Path) -> dict[str, Any]:
    content = load_coco(path)
    if not content.get("annotations"):
        raise UserError(f"{path}: has no annotations to score against")
    pictures, kinds = {e["id"] for e in content["images"]}, len(keypoint_names(content, path))
    reasons = Counter(unusable(a, pictures, kinds) for a in content["annotations"])
    wrong = [r for r in ("wrong number of key points", "no box", "not a number") if reasons[r]]
    if wrong:
        raise UserError(
            f"{path}: {reasons[wrong[0]]} annotations with {wrong[0]}; `aggpose check` says which"
        )
    twice = [i for i, n in Counter(e["id"] for e in content["images"]).items() if n > 1]
    if twice:
        raise UserError(f"{path}: picture id {twice[0]} is given twice; run `aggpose check` on it")
    odd = [f"{n} {reason}" for reason, n in sorted(reasons.items(), key=str) if reason]
    if odd:
        print(
            f"aggpose: {path}: entries without a usable person: {', '.join(odd)}; "
            "`aggpose check` says which",
            file=sys.stderr,
        )
    return content


def _scored(
    content: dict[str, Any], path: Path, wanted: str | None, model: Model | None
) -> Skeleton:
    names = keypoint_names(content, path)
    skeleton = get_skeleton(wanted) if wanted else skeleton_from_names(names)
    known = None if model is None else set(model.skeleton.keypoints)
    scored = scored_skeleton(skeleton, set(names), known)
    left = [n for n in skeleton.keypoints if n not in scored.keypoints]
    if left:
        print(
            f"aggpose: not scored, for they are not labelled or not predicted: {', '.join(left)}",
            file=sys.stderr,
        )
    return scored


def _report(
    content: dict[str, Any],
    annotations: Path,
    results: list[dict[str, Any]],
    skeleton: Skeleton,
    protocol: Any,
    out: Path | None,
    model: Model | None,
    predictions: Path | None = None,
) -> dict[str, Any]:
    from aggpose.evaluation.report import score, table

    report = {
        "aggpose": __version__,
        "statement": STATEMENT,
        "annotations": describe_input(annotations),
        "model": None if model is None else describe_model(model),
        "predictions": None if predictions is None else describe_input(predictions),
        **score(content, results, skeleton, protocol),
    }
    print(table(report))
    print(STATEMENT)
    if out is not None:
        if predictions is None:
            _write_results(out, results)
        write_json(out / METRICS_FILE, report, indent=2)
        print(f"metrics: {out / METRICS_FILE}")
    return report


def _write_results(out: Path, results: list[dict[str, Any]]) -> None:
    """What COCO's server accepts: these four keys and no other."""
    write_json(out / RESULTS_FILE, [{key: r[key] for key in _SERVER_KEYS} for r in results])


def _read_results(path: Path) -> list[dict[str, Any]]:
    content = read_json(path)
    if not isinstance(content, list):
        raise UserError(f"{path}: is not a list of COCO results")
    return content
