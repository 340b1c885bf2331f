"""How far a network is off on synthetic clips, and how much its points tremble on still ones.

    for seed in $(seq 91000 91011); do for posture in supine prone side; do
        aggpose synthesize --clip 2 --seed $seed --posture $posture --out out/clips/$posture-$seed
    done; done
    python benchmarks/clips.py out/clips/*

    for seed in $(seq 3 18); do
        aggpose synthesize --clip 3 --movement rest --seed $seed --out out/still/$seed
    done
    python benchmarks/clips.py out/still/*

The infant is found by the network itself, nothing is smoothed, errors are distances to the truth in
lengths of the true trunk (`aggpose.evaluation.against_truth`). Medians are over all points of all
frames of the clips, of the 21 key points of AggPose (IJCAI 2022). Jitter, of still infants,
is the root mean square over those of them that are seen in all frames of a clip. A point jumps
where its error moves by 0.3 trunks from one frame to the next.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import aggpose
from aggpose.evaluation.against_truth import PointErrors, jitter, point_errors
from aggpose.formats.poses_csv import PoseTable, read_poses_csv
from aggpose.skeleton import INFANT21

JUMP = 0.3
"""Of the trunk, from one frame to the next."""

STILL = 0.001
"""Of the trunk a frame, mean over the points: an infant that moves less is still."""


def predicted(model: aggpose.Model, clip: Path) -> PoseTable:
    frames = list(model.predict_video(clip))
    count = len(model.skeleton.keypoints)
    points, scores = np.full((len(frames), 1, count, 2), np.nan), np.zeros((len(frames), 1, count))
    for i, frame in enumerate(frames):
        if len(frame.poses.keypoints):
            points[i, 0], scores[i, 0] = frame.poses.keypoints[0], frame.poses.scores[0]
    numbers, times = (np.array([getattr(f, n) for f in frames]) for n in ("index", "time_s"))
    return PoseTable(numbers, times, points, scores, model.skeleton)


def movement(truth: PoseTable, errors: PointErrors) -> float:
    step = np.linalg.norm(np.diff(truth.keypoints[:, 0], axis=0), axis=-1)
    return float(np.nanmean(step) / np.median(errors.trunk))


def percent(values: np.ndarray) -> str:
    return f"{100 * np.median(values):.1f}" if values.size else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of `aggpose synthesize --clip`")
    parser.add_argument("--model", default="aggpose-t")
    arguments = parser.parse_args()
    model = aggpose.load(arguments.model)
    print("median error in % of the trunk of points seen, of points hidden; jitter in %\n")
    print("| clip | found | seen | hidden | jitter |\n|---|---|---|---|---|")
    far, seen, trembles, jumps, steps = [], [], [], 0, 0
    for folder in arguments.folders:
        truth = read_poses_csv(folder / "clip.truth.poses.csv")
        errors = point_errors(predicted(model, folder / "clip.mp4"), truth)
        kinds = [errors.names.index(n) for n in INFANT21.keypoints]
        far.append(errors.far[:, kinds])
        seen.append(errors.seen[:, kinds])
        moved = np.linalg.norm(np.diff(errors.offset[:, kinds], axis=0), axis=-1)
        jumps += int((moved > JUMP * errors.trunk[1:, None]).sum())
        steps += len(moved)
        found = float(np.isfinite(far[-1]).any(axis=1).mean())
        shakes = ""
        if movement(truth, errors) < STILL:
            each = jitter(errors)[kinds][seen[-1].all(axis=0)]
            trembles.append(float(np.sqrt(np.mean(each**2))))
            shakes = f"{100 * trembles[-1]:.2f}"
        columns = percent(far[-1][seen[-1]]), percent(far[-1][~seen[-1]])
        print(f"| {folder.name} | {100 * found:.0f} | {columns[0]} | {columns[1]} | {shakes} |")
    far_all, seen_all = np.concatenate(far), np.concatenate(seen)
    print(f"| all | | {percent(far_all[seen_all])} | {percent(far_all[~seen_all])} | |\n")
    print(f"{jumps} jumps of a point in {steps} steps from frame to frame\n")
    if trembles:
        lowest, middle, highest = np.quantile(trembles, (0, 0.5, 1))
        print(
            f"jitter of {len(trembles)} still clips: median {100 * middle:.2f} %, from "
            f"{100 * lowest:.2f} to {100 * highest:.2f} %, below 0.5 % in "
            f"{int((np.array(trembles) < 0.005).sum())}\n"
        )
    print("| key point | seen | hidden |\n|---|---|---|")
    for k, name in enumerate(INFANT21.keypoints):
        one, shown = far_all[:, k], seen_all[:, k]
        print(f"| {name} | {percent(one[shown])} | {percent(one[~shown])} |")


if __name__ == "__main__":
    main()
