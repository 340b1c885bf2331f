"""How much predicted points tremble on an infant that hardly moves.

    aggpose synthesize --clip 5 --movement rest --seed 3 --out out/still
    aggpose predict out/still/clip.mp4 --out out/still/predicted --save csv
    python benchmarks/jitter.py out/still/predicted/clip.poses.csv out/still/clip.truth.poses.csv

The residual of a point is prediction minus truth. Its jitter is the root mean square, over frames
and both axes, of the residual minus its own mean over half a second around, in lengths of the trunk
(mid-shoulders to mid-hips of the truth, median). Constant errors and slow drift do not count. No
smoothing is on. Points seen in all frames only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from aggpose.formats.poses_csv import read_poses_csv
from aggpose.skeleton import skeleton_from_names, trunk_length


def main() -> None:
    guess, truth = (read_poses_csv(Path(name)) for name in sys.argv[1:3])
    names = [n for n in truth.skeleton.keypoints if n in guess.skeleton.keypoints]
    where = [[table.skeleton.keypoints.index(n) for n in names] for table in (guess, truth)]
    real = truth.keypoints[:, 0][:, where[1]]
    said = guess.keypoints[:, 0][:, where[0]]
    if len(real) != len(said):
        raise SystemExit(f"{len(said)} frames predicted, {len(real)} true")
    skeleton = skeleton_from_names(tuple(names))
    trunk = float(np.nanmedian(trunk_length(real, skeleton)))
    rate = (len(real) - 1) / (truth.times_s[-1] - truth.times_s[0])
    width = max(3, round(rate / 2) | 1)
    residual = said - real
    window = np.ones(width) / width
    smooth = np.apply_along_axis(lambda r: np.convolve(r, window, "valid"), 0, residual)
    cut = width // 2
    tremble = residual[cut : len(residual) - cut] - smooth
    jitter = np.sqrt(np.nanmean(tremble**2, axis=(0, 2))) / trunk
    seen = (truth.scores[:, 0][:, where[1]] > 0.5).all(axis=0)
    moved = np.linalg.norm(np.diff(real, axis=0), axis=-1).mean() / trunk
    print(f"{len(real)} frames; the truth itself moves {100 * moved:.2f} % of the trunk a frame")
    for name, value, counts in zip(names, jitter, seen, strict=True):
        print(f"| {name} | {100 * value:.2f} | {'' if counts else 'not seen throughout'} |")
    overall = np.sqrt(np.nanmean(jitter[seen] ** 2))
    print(f"jitter of the {int(seen.sum())} points seen: {100 * overall:.2f} % of the trunk")


if __name__ == "__main__":
    main()
