"""How far off a network is on synthetic infants, by group: skin, age, clothing, posture.

    aggpose synthesize --count 3000 --seed 90000 --out out/val
    aggpose evaluate --annotations out/val/annotations.json --images out/val \
        --model aggpose-t --out out/eval
    python benchmarks/fairness.py out/val/annotations.json out/eval/predictions.json

An infant's error is the median over its points that are seen of the distance to the truth, in
trunk lengths (mid-shoulders to mid-hips). Of each group: the mean over its infants with its
standard error, in which the few infants that were not found weigh much, and its ratio to the mean
of all; then the median over its infants, which hides those few, and its ratio to the median of all.
Infants whose trunk is shorter than a fifth of their box are left out: seen end-on, it is no unit.
Skin by ITA's classes (Chardon 1991).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.geometry import SHORT_TRUNK
from aggpose.skeleton import skeleton_from_names, trunk_length


def age_band(months: float) -> str:
    return next(
        f"{low} to {min(high, 12)} months"
        for low, high in ((0, 3), (3, 6), (6, 13))
        if months < high
    )


GROUPS: dict[str, Callable[[dict[str, Any]], str]] = {
    "skin": lambda entry: str(entry["notes"]["infant"]["skin"]),
    "age": lambda entry: age_band(float(entry["notes"]["infant"]["age_months"])),
    "clothing": lambda entry: str(entry["notes"]["infant"]["outfit"]),
    "posture": lambda entry: str(entry["posture"]),
}


def main() -> None:
    content = json.loads(Path(sys.argv[1]).read_text())
    found: dict[int, dict[str, Any]] = {}
    for entry in json.loads(Path(sys.argv[2]).read_text()):
        best = found.get(entry["image_id"])
        if best is None or entry["score"] > best["score"]:
            found[entry["image_id"]] = entry
    skeleton = skeleton_from_names(tuple(content["categories"][0]["keypoints"]))
    people, seen_errors, hidden_errors = [], [], []
    points_seen: list[list[float]] = [[] for _ in skeleton.keypoints]
    for entry in content["annotations"]:
        truth = np.array(entry["keypoints"], float).reshape(-1, 3)
        labelled = truth[:, 2] > 0
        places = np.where(labelled[:, None], truth[:, :2], np.nan)
        trunk = float(trunk_length(places, skeleton))
        if not trunk > SHORT_TRUNK * max(entry["bbox"][2:]):
            continue
        guess = np.array(found[entry["image_id"]]["keypoints"], float).reshape(-1, 3)
        off = np.linalg.norm(guess[:, :2] - places, axis=1) / trunk
        seen, hidden = truth[:, 2] == 2, truth[:, 2] == 1
        seen_errors += off[seen].tolist()
        hidden_errors += off[hidden].tolist()
        for number in np.flatnonzero(seen):
            points_seen[number].append(float(off[number]))
        if seen.any():
            people.append((entry, float(np.median(off[seen]))))
    print(
        f"{len(people)} infants; median error of points seen {100 * np.median(seen_errors):.1f} %, "
        f"hidden {100 * np.median(hidden_errors):.1f} % of the trunk"
    )
    each = [error for _, error in people]
    mean, middle = float(np.mean(each)), float(np.median(each))
    print(f"mean over infants {100 * mean:.1f} %, median {100 * middle:.1f} %\n")
    for name, group in GROUPS.items():
        members: dict[str, list[float]] = {}
        for entry, error in people:
            members.setdefault(group(entry), []).append(error)
        for value, errors in sorted(members.items()):
            spread = np.std(errors) / np.sqrt(len(errors))
            print(
                f"| {name} | {value} | {len(errors)} | {100 * np.mean(errors):.1f} "
                f"± {100 * spread:.1f} | {np.mean(errors) / mean:.2f} | "
                f"{100 * np.median(errors):.1f} | {np.median(errors) / middle:.2f} |"
            )
    print()
    for name, errors in zip(skeleton.keypoints, points_seen, strict=True):
        print(f"| {name} | {len(errors)} | {100 * np.median(errors):.1f} |")


if __name__ == "__main__":
    main()
