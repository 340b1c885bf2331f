"""Scores of predictions with their protocol, as a dict, a file and a table."""

from __future__ import annotations

from typing import Any

from aggpose.data.coco import keypoint_names
from aggpose.errors import UserError
from aggpose.evaluation.details import match, measures
from aggpose.evaluation.metrics import METRICS, Area, average_precision
from aggpose.evaluation.protocol import Protocol
from aggpose.skeleton import Skeleton


def score(
    content: dict[str, Any],
    results: list[dict[str, Any]],
    skeleton: Skeleton,
    protocol: Protocol,
) -> dict[str, Any]:
    """Everything that is measured, with the protocol.

    content: an annotation file. results: COCO results whose key points are in the skeleton's order
    (see `in_order_of`). Fractions are 0 to 1; COCO's -1 and None mean nothing to measure.
    """
    area: Area = "box" if protocol.area == "box" else "file"
    report: dict[str, Any] = {
        "protocol": protocol.as_dict(),
        "metrics": average_precision(content, results, skeleton, area),
        "details": measures(match(content, results, skeleton, area)),
    }
    postures = postures_of(content)
    if len(set(postures.values())) > 1:
        report["per_posture"] = {
            posture: _of_posture(
                content, results, skeleton, area, {i for i, p in postures.items() if p == posture}
            )
            for posture in sorted(set(postures.values()))
        }
    return report


def postures_of(content: dict[str, Any]) -> dict[int, str]:
    """Image id -> ``posture``, of the picture or else of the first person in it that has one."""
    postures = {e["id"]: str(e["posture"]) for e in content["images"] if e.get("posture")}
    for annotation in content.get("annotations", []):
        if annotation.get("posture"):
            postures.setdefault(annotation["image_id"], str(annotation["posture"]))
    return postures


def _of_posture(
    content: dict[str, Any],
    results: list[dict[str, Any]],
    skeleton: Skeleton,
    area: Area,
    ids: set[int],
) -> dict[str, Any]:
    images = [e for e in content["images"] if e["id"] in ids]
    part = {
        **content,
        "images": images,
        "annotations": [a for a in content.get("annotations", []) if a["image_id"] in ids],
    }
    found = [r for r in results if r["image_id"] in ids]
    numbers = average_precision(part, found, skeleton, area)
    details = measures(match(part, found, skeleton, area))
    return {
        "pictures": len(images),
        **{name: numbers[name] for name in ("AP", "AP50", "AP75", "AR")},
        "PCK@0.2": details["PCK@0.2"],
        "missed": details["missed"],
    }


def in_order_of(
    results: list[dict[str, Any]], content: dict[str, Any], skeleton: Skeleton, source: str
) -> list[dict[str, Any]]:
    """Somebody's results, whose key points are in the annotation file's order, in a skeleton's.

    UserError names the entry that does not fit. source: the file, for the message.
    """
    names = keypoint_names(content, "annotations")
    where = [names.index(n) for n in skeleton.keypoints]
    known = {e["id"] for e in content["images"]}
    ordered = []
    for i, result in enumerate(results):
        try:
            flat = [float(v) for v in result["keypoints"]]
            image_id, value = result["image_id"], float(result["score"])
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{source}: entry {i} is not a COCO key-point result "
                "(image_id, category_id, keypoints, score)"
            ) from None
        if len(flat) != 3 * len(names):
            raise UserError(
                f"{source}: entry {i} has {len(flat)} numbers, {3 * len(names)} are needed "
                f"(x, y, score of {', '.join(names[:3])}, … in the annotations' order)"
            )
        if image_id not in known:
            raise UserError(f"{source}: entry {i} is of image {image_id}, not in the annotations")
        points = [v for k in where for v in flat[3 * k : 3 * k + 3]]
        ordered.append(
            {"image_id": image_id, "category_id": 1, "keypoints": points, "score": value}
        )
    return ordered


def table(report: dict[str, Any]) -> str:
    """The report as lines of text, percent with two digits."""
    protocol, numbers, details = report["protocol"], report["metrics"], report["details"]
    sigmas = sorted(set(protocol["sigmas"]))
    turns = f"turns: {protocol['turns']} | " if protocol.get("turns") else ""
    shown = f"all {sigmas[0]}" if len(sigmas) == 1 else f"{sigmas[0]} to {sigmas[-1]} by point"
    lines = [
        f"boxes {protocol['boxes']} | flip test {'yes' if protocol['flip_test'] else 'no'} | "
        f"rotate {protocol['rotate']} | decoder {protocol['decoder'] or 'not known'} | "
        f"{turns}sigmas {shown} | area of the {protocol['area']} | "
        f"{protocol['skeleton']}, {len(protocol['keypoints'])} points",
        "  ".join(f"{name} {_percent(numbers[name])}" for name in METRICS),
        f"people {details['people']} | PCK@0.2 {_percent(details['PCK@0.2'])} "
        f"(of {details['people_with_trunk']} with a trunk) | "
        f"mean error {_plain(details['mean_error_trunks'])} trunk lengths | "
        f"left/right inverted {_percent(details['inversion_rate']['rate'])} "
        f"of {details['inversion_rate']['pairs']} pairs",
        f"missed {details['missed']} ({_percent(details['missed_rate'])}) | "
        f"redundant {details['redundant']} ({_percent(details['redundant_rate'])}) | "
        f"calibration error of scores {_percent(details['calibration']['error'])} "
        f"as chances to be right, {_percent(details['calibration']['similarity_error'])} "
        "as similarities",
        "",
        f"{'key point':<20}{'labelled':>9}{'similarity':>12}{'PCK@0.2':>9}{'error':>8}{'score':>7}",
    ]
    for name, values in details["per_keypoint"].items():
        lines.append(
            f"{name:<20}{values['labelled']:>9}{_percent(values['similarity']):>12}"
            f"{_percent(values['PCK@0.2']):>9}{_plain(values['mean_error_trunks']):>8}"
            f"{_plain(values['mean_score'], 2):>7}"
        )
    postures = report.get("per_posture", {})
    if postures:
        lines += [
            "",
            f"{'posture':<20}{'pictures':>9}{'AP':>8}{'AR':>8}{'PCK@0.2':>9}{'missed':>8}",
        ]
    for posture, values in postures.items():
        lines.append(
            f"{posture:<20}{values['pictures']:>9}{_percent(values['AP']):>8}"
            f"{_percent(values['AR']):>8}{_percent(values['PCK@0.2']):>9}{values['missed']:>8}"
        )
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "-" if value is None or value < 0 else f"{100 * value:.2f}"


def _plain(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
