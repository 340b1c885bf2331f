"""From a network's maps to key points and scores, by what the maps mean.

Heat maps, peaks of height 1 that a network was taught to draw, are decoded by DARK
(`aggpose.heatmaps`). Probabilities (`ModelMeta.map_sigma`) say more: how likely the point lies in
each cell. From these the score is the expected similarity, the term of OKS that judges the point
(`aggpose.evaluation.oks`), and the place is where a somewhat stricter one is highest.
"""

from __future__ import annotations

import math

import numpy as np

from aggpose.heatmaps import decode_heatmaps
from aggpose.meta import ModelMeta


def decode_maps(
    maps: np.ndarray, meta: ModelMeta, near: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Key points from a network's maps (B, K, h, w).

    near: (K, 2) heat-map px; then the maps are of following frames of a video, see
    `expected_similarity`. Heat maps are decoded alike with and without.
    Returns coords (B, K, 2) float64, (x, y) in heat-map px, and scores (B, K), 0 to 1. Where the
    score is 0 or less the coordinates mean nothing.
    """
    if not meta.map_sigma:
        return decode_heatmaps(maps, meta.decode_kernel)
    height, width = maps.shape[2:]
    return expected_similarity(maps, meta.map_sigma, reaches(meta, (width, height)), near)


def decoder_words(meta: ModelMeta) -> str:
    """How key points are read from the network's maps, in words."""
    return "expected similarity" if meta.map_sigma else f"DARK, kernel {meta.decode_kernel}"


def reaches(meta: ModelMeta, size: tuple[int, int]) -> np.ndarray:
    """(K,) how far a point may be off, in heat-map px: the standard deviation of its term of OKS,
    2 sigma sqrt(area), for a person whose box fills the crop without its padding.

    size: (width, height) of the maps.
    """
    side = math.sqrt(size[0] * size[1]) / meta.box_padding
    return 2.0 * side * np.array(meta.skeleton.sigmas)


STRICT = 0.8
"""The place is the best for a similarity that reaches only so far as OKS's does. Where a network is
unsure the best one for OKS itself lies further inside of the body; the highest cell trembles more
from frame to frame. docs/experiments.md has what 0.5 to 1 give."""


def kernels(reach: np.ndarray, cells: int) -> np.ndarray:
    """(K, cells, cells) float32: similarity of every cell with every other along one axis."""
    apart = np.arange(cells)[:, None] - np.arange(cells)
    return np.exp(-0.5 * (apart / reach[:, None, None]) ** 2).astype(np.float32)


ELSEWHERE = 0.5
"""In following frames a place far from the last one weighs so much: it must be twice as likely for
a point to jump there. docs/experiments.md has what other values give."""

NEAR = 0.1
"""How far that is from the last place: standard deviation, as a share of the map's mean side."""


def expected_similarity(
    maps: np.ndarray, map_sigma: float, reach: np.ndarray, near: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode probabilities.

    maps: (B, K, h, w), probabilities of cells times ``2 pi map_sigma**2``. reach: (K,) px,
    `reaches`. A Gaussian of `STRICT` times the reach over the maps gives the expectation at every
    cell; from the highest, a parabola through its logarithm leads between the cells, along each
    axis. There the score is the expectation with the whole reach.
    near: (K, 2) px, where the points were a frame ago, NaN where that is not known; then the maps
    are of the same crop of following frames, and of two places that are about as likely a point
    keeps to the one that is near its last.
    Returns coords (B, K, 2) float64 heat-map px and scores (B, K).
    """
    batch, joints, height, width = maps.shape
    strict = STRICT * reach
    smooth = np.matmul(np.matmul(kernels(strict, height), maps), kernels(strict, width))
    flat = smooth.reshape(batch * joints, height * width)
    peak = flat.argmax(axis=1) if near is None else _peaks_near(smooth, near)
    x, y = peak % width, peak // width
    coords = np.stack([x, y], axis=1).astype(np.float64)
    for axis, (at, cells, step) in enumerate(((x, width, 1), (y, height, width))):
        inner = np.flatnonzero((at > 0) & (at < cells - 1))
        before, here, after = (
            np.log(np.maximum(flat[inner, peak[inner] + way * step], 1e-30, dtype=np.float64))
            for way in (-1, 0, 1)
        )
        bend = before - 2 * here + after
        safe = np.where(bend < 0, bend, -1.0)
        coords[inner, axis] += np.where(bend < 0, 0.5 * (before - after) / safe, 0.0)
    coords = coords.reshape(batch, joints, 2)
    scale = 1.0 / (2.0 * math.pi * map_sigma**2)
    across, down = (
        np.exp(-0.5 * ((np.arange(cells) - coords[..., axis, None]) / reach[:, None]) ** 2)
        for axis, cells in enumerate((width, height))
    )
    rows = np.matmul(maps, across.astype(np.float32)[..., None])[..., 0]
    scores = (rows * down.astype(np.float32)).sum(axis=2) * np.float32(scale)
    return coords, scores.clip(max=1.0)


def _peaks_near(smooth: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(T * K,) numbers of the cells of the peaks of (T, K, h, w) maps of following frames.

    near: (K, 2) px, the places before the first frame. The highest cell is sought with less weight
    on what is far from the last place; from there the map's own peak is climbed.
    """
    height, width = smooth.shape[2:]
    spread = NEAR * math.sqrt(height * width)
    cells = np.arange(width), np.arange(height)
    peaks = []
    for maps in smooth:
        across, down = (
            np.exp(-0.5 * ((cells[axis] - near[:, axis, None]) / spread) ** 2) for axis in (0, 1)
        )
        weight = ELSEWHERE + (1 - ELSEWHERE) * down[:, :, None] * across[:, None, :]
        weighted = maps * np.where(np.isfinite(weight), weight, 1.0).astype(np.float32)
        peak = _climb(maps, weighted.reshape(len(maps), -1).argmax(axis=1))
        near = np.stack([peak % width, peak // width], axis=1).astype(np.float64)
        peaks.append(peak)
    return np.concatenate(peaks)


def _climb(maps: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(K,) numbers of the cells in which steps to the highest of eight neighbours end.

    maps: (K, h, w). start: (K,) numbers of cells.
    """
    width = maps.shape[2]
    walled = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    flat = walled.reshape(len(maps), -1)
    rows = np.arange(len(maps))[:, None]
    # staying comes first: of equal cells the climb stays where it is, and so ends
    steps = np.array([0] + [y * (width + 2) + x for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    at = (start // width + 1) * (width + 2) + start % width + 1
    while True:
        best = flat[rows, at[:, None] + steps].argmax(axis=1)
        if not best.any():
            return (at // (width + 2) - 1) * width + at % (width + 2) - 1
        at = at + steps[best]
