"""Decoding heat maps (DARK): our vectorised decoder against a loop over joints, same numbers.

python benchmarks/decode.py
"""

from __future__ import annotations

import cv2
import numpy as np
from machine import machine, seconds

from aggpose.heatmaps import decode_heatmaps, encode_heatmaps

SHAPE = (64, 21, 64, 48)
CROPS = 10_000


def decode_by_loop(heatmaps: np.ndarray, kernel: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """The published method as it is usually written: one joint after the other, whole maps."""
    batch, joints, height, width = heatmaps.shape
    coords, scores = np.zeros((batch, joints, 2)), np.zeros((batch, joints))
    border = kernel // 2
    for b in range(batch):
        for k in range(joints):
            heatmap = heatmaps[b, k]
            peak = int(heatmap.argmax())
            x, y = peak % width, peak // width
            scores[b, k] = best = heatmap.max()
            if best <= 0:
                continue
            coords[b, k] = x, y
            padded = np.zeros((height + 2 * border, width + 2 * border), np.float64)
            padded[border:-border, border:-border] = heatmap
            smooth = cv2.GaussianBlur(padded, (kernel, kernel), 0)[border:-border, border:-border]
            log = np.log(np.maximum(smooth * (best / smooth.max()), 1e-10))
            if not (2 <= x < width - 2 and 2 <= y < height - 2):
                continue
            dx = 0.5 * (log[y, x + 1] - log[y, x - 1])
            dy = 0.5 * (log[y + 1, x] - log[y - 1, x])
            dxx = 0.25 * (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2])
            dyy = 0.25 * (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x])
            dxy = 0.25 * (
                log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]
            )
            if dxx * dyy - dxy**2 != 0:
                hessian = np.array([[dxx, dxy], [dxy, dyy]])
                coords[b, k] += -np.linalg.inv(hessian) @ np.array([dx, dy])
    return coords, scores


def main() -> None:
    rng = np.random.default_rng(0)
    batch, joints, height, width = SHAPE
    points = rng.uniform(0, [width - 1, height - 1], (batch, joints, 2))
    maps, _ = encode_heatmaps(points, np.full((batch, joints), 2), (width, height), 2.0)
    maps += rng.normal(size=SHAPE).astype(np.float32) * 0.01
    ours, theirs = decode_heatmaps(maps)[0], decode_by_loop(maps)[0]
    fast = seconds(lambda: decode_heatmaps(maps), 50)
    slow = seconds(lambda: decode_by_loop(maps), 10)
    many = -(-CROPS // batch)
    all_fast = seconds(lambda: [decode_heatmaps(maps) for _ in range(many)], 3)
    all_slow = seconds(lambda: [decode_by_loop(maps) for _ in range(many)], 1)
    print(machine())
    print(f"maps {SHAPE}, largest difference {np.abs(ours - theirs).max():.1e} heat-map px")
    print(f"loop over joints {1000 * slow:8.2f} ms    1.0 x")
    print(f"aggpose          {1000 * fast:8.2f} ms  {slow / fast:5.1f} x")
    print(f"{CROPS} crops, {batch} at a time: {all_slow:.2f} s and {all_fast:.3f} s")


if __name__ == "__main__":
    main()
