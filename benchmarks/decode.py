"""Decoding heat maps (DARK) and probabilities (expected similarity, as the shipped weights are
decoded): our vectorised decoders against loops over joints, same numbers.

python benchmarks/decode.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from machine import machine, seconds

import aggpose
from aggpose.decoding import STRICT, expected_similarity, kernels, reaches
from aggpose.heatmaps import decode_heatmaps, encode_heatmaps
from aggpose.meta import HEATMAP_STRIDE

BATCH = 64
SHAPE = (BATCH, 21, 64, 48)
"""Of DARK's maps; those of expected similarity are as the shipped weights give them."""

CROPS = 10_000

Decoder = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


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


def similarity_by_loop(
    maps: np.ndarray, map_sigma: float, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected similarity in the same way: one joint after the other."""
    batch, joints, height, width = maps.shape
    coords, scores = np.zeros((batch, joints, 2)), np.zeros((batch, joints))
    down, across = (kernels(STRICT * reach, cells) for cells in (height, width))
    scale = 1.0 / (2.0 * np.pi * map_sigma**2)
    for b in range(batch):
        for k in range(joints):
            smooth = down[k] @ maps[b, k] @ across[k]
            y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
            place = [_between(smooth[y], x), _between(smooth[:, x], y)]
            near_x, near_y = (
                np.exp(-0.5 * ((np.arange(cells) - at) / reach[k]) ** 2)
                for at, cells in zip(place, (width, height), strict=True)
            )
            coords[b, k] = place
            scores[b, k] = min(1.0, near_y @ maps[b, k] @ near_x * scale)
    return coords, scores


def _between(line: np.ndarray, peak: int) -> float:
    """Where a parabola through the logarithm around a line's highest cell is highest."""
    if not 0 < peak < len(line) - 1:
        return float(peak)
    before, here, after = np.log(np.maximum(line[peak - 1 : peak + 2].astype(np.float64), 1e-30))
    bend = before - 2 * here + after
    return peak + 0.5 * (before - after) / bend if bend < 0 else float(peak)


def gaussians(shape: tuple[int, int, int, int], sigma: float, noise: float) -> np.ndarray:
    """Maps (B, K, h, w) float32 with a peak each, somewhere."""
    rng = np.random.default_rng(0)
    batch, joints, height, width = shape
    points = rng.uniform(0, [width - 1, height - 1], (batch, joints, 2))
    maps, _ = encode_heatmaps(points, np.full((batch, joints), 2), (width, height), sigma)
    return maps + rng.normal(size=shape).astype(np.float32) * np.float32(noise)


def compare(name: str, maps: np.ndarray, ours: Decoder, loop: Decoder) -> None:
    """Print seconds of both decoders on a batch, and on `CROPS` crops."""
    apart = np.abs(ours(maps)[0] - loop(maps)[0]).max()
    fast, slow = seconds(lambda: ours(maps), 50), seconds(lambda: loop(maps), 10)
    many = -(-CROPS // BATCH)
    all_fast = seconds(lambda: [ours(maps) for _ in range(many)], 3)
    all_slow = seconds(lambda: [loop(maps) for _ in range(many)], 1)
    print(f"{name}: maps {maps.shape}, largest difference {apart:.1e} heat-map px")
    print(f"loop over joints {1000 * slow:8.2f} ms    1.0 x")
    print(f"aggpose          {1000 * fast:8.2f} ms  {slow / fast:5.1f} x")
    print(f"{CROPS} crops, {BATCH} at a time: {all_slow:.2f} s and {all_fast:.3f} s")


def main() -> None:
    print(machine())
    compare("DARK", gaussians(SHAPE, 2.0, 0.01), decode_heatmaps, decode_by_loop)
    meta = aggpose.load("aggpose-t", device="cpu").meta
    width, height = (length // HEATMAP_STRIDE for length in meta.input_size)
    # probabilities are never negative
    shape = (BATCH, len(meta.keypoints), height, width)
    maps = np.maximum(gaussians(shape, meta.map_sigma, 0.001), 0.0)
    how = {"map_sigma": meta.map_sigma, "reach": reaches(meta, (width, height))}
    ours, loop = (partial(f, **how) for f in (expected_similarity, similarity_by_loop))
    compare("expected similarity", maps, ours, loop)


if __name__ == "__main__":
    main()
