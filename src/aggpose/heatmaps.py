"""Key points to heat maps and back, vectorised over the batch.

Encoding: full-map, un-quantised Gaussians. Decoding: DARK (Zhang et al., "Distribution-Aware
Coordinate Representation for Human Pose Estimation", CVPR 2020): the heat map is smoothed, its
logarithm taken, and one Newton step made from the highest cell.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

REACH = 2
"""The Newton step looks this many cells around the peak (second differences of central ones)."""

_FLOOR = 1e-10


def heatmap_sigma(heatmap_width: int) -> float:
    """The published sigma in heat-map px: 2 at 48 (256x192), 3 at 72 (384x288), in proportion."""
    return heatmap_width / 24.0


def encode_heatmaps(
    keypoints: np.ndarray, visibility: np.ndarray, size: tuple[int, int], sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian target maps.

    keypoints: (..., K, 2) in heat-map px. visibility: (..., K), COCO's 0 / 1 / 2.
    size: (width, height). sigma: px.
    Returns maps (..., K, height, width) float32 with peak 1 at the un-rounded point, and weights
    (..., K) float32: 1 where labelled, 0 where not or where the 3-sigma box lies outside the map.
    Maps of weight 0 are all zero.
    """
    width, height = size
    points = np.asarray(keypoints, dtype=np.float64)
    finite = np.asarray(np.isfinite(points).all(axis=-1))
    points = np.where(finite[..., None], points, 0.0)
    x, y = points[..., 0], points[..., 1]
    reach = 3 * sigma
    inside = (x + reach >= 0) & (y + reach >= 0) & (x - reach < width) & (y - reach < height)
    weights = ((np.asarray(visibility) > 0) & inside & finite).astype(np.float32)
    # the Gaussian separates: two short vectors a point instead of a full map of exponentials
    gx = np.exp(-0.5 * ((np.arange(width) - x[..., None]) / sigma) ** 2).astype(np.float32)
    gy = np.exp(-0.5 * ((np.arange(height) - y[..., None]) / sigma) ** 2).astype(np.float32)
    gy *= weights[..., None]
    return gy[..., :, None] * gx[..., None, :], weights


def blur_kernel(size: int) -> np.ndarray:
    """(size,) Gaussian with OpenCV's automatic sigma: ``0.3 * ((size - 1) / 2 - 1) + 0.8``."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"the blur kernel must be odd and positive, not {size}")
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    kernel = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / sigma) ** 2)
    return kernel / kernel.sum()


def decode_kernel(heatmap_width: int) -> int:
    """DARK's kernel for a map: 11 at sigma 2 (width 48), 17 at sigma 3 (width 72)."""
    return round(heatmap_width / 24.0 * 6) // 2 * 2 - 1


def decode_heatmaps(heatmaps: np.ndarray, kernel: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Heat maps to sub-pixel coordinates (DARK).

    heatmaps: (B, K, h, w). kernel: odd size of the smoothing window: 11 for sigma 2, 17 for 3.
    Returns coords (B, K, 2) float64, (x, y) in heat-map px, and scores (B, K), the peak values.
    A peak of 0 or less gives (0, 0); within one cell of the border the cell itself is returned.

    The published method smooths whole maps, rescales them and clips at 1e-10 before the
    logarithm. Under the logarithm the rescaling only adds a constant, which the differences do
    not see, so the window around each peak is enough; where the clip could bite, the map is done
    whole.
    """
    batch, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(batch * joints, height * width)
    peak = flat.argmax(axis=1)
    rows = np.arange(len(flat))
    scores = flat[rows, peak]
    px, py = peak % width, peak // width
    coords = np.stack([px, py], axis=1).astype(np.float64)
    coords[~(scores > 0)] = 0.0

    x, y = coords[:, 0].astype(np.int64), coords[:, 1].astype(np.int64)
    refine = np.flatnonzero(
        (x >= REACH) & (x < width - REACH) & (y >= REACH) & (y < height - REACH)
    )
    if len(refine):
        maps = flat.reshape(-1, height, width)
        cells = _smoothed_cells(maps, refine, x[refine], y[refine], blur_kernel(kernel))
        coords[refine] += _newton_step(np.log(cells, dtype=np.float64))
    return coords.reshape(batch, joints, 2), scores.reshape(batch, joints)


_CELLS = (
    *((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (2, 0), (-2, 0), (0, 2), (0, -2)),
    *((1, 1), (-1, -1), (-1, 1), (1, -1)),
)
"""The cells (dx, dy) around a peak that the differences of the Newton step use."""


def _smoothed_cells(
    maps: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray, kernel: np.ndarray
) -> np.ndarray:
    """(n, 13) smoothed values of `_CELLS` around each peak, zero padding at the border."""
    height, width = maps.shape[1:]
    half = len(kernel) // 2 + REACH
    size = 2 * half + 1
    offsets = np.arange(-half, half + 1)
    # squares of `size` cells, wherever they begin: beyond a map's edge they hold its neighbours'
    # cells, and the first and last of all begin elsewhere; what is not of the map is set to 0
    flat = maps.ravel()
    reach = (size - 1) * (width + 1)
    if flat.size <= reach:
        flat = np.concatenate([flat, np.zeros(reach + 1 - flat.size, flat.dtype)])
    step = flat.strides[0]
    squares = np.lib.stride_tricks.as_strided(
        flat, (flat.size - reach, size, size), (step, step * width, step), writeable=False
    )
    start = which * (height * width) + (y - half) * width + x - half
    patches = squares[start.clip(0, len(squares) - 1)]
    shifted = np.flatnonzero((start < 0) | (start >= len(squares)))
    if len(shifted):
        beside = (
            start[shifted, None, None] + offsets[:, None] * width + offsets + half * (width + 1)
        )
        patches[shifted] = flat.take(beside, mode="clip")
    kinds, masks, whole = _inside(height, width, half)
    patches = patches.reshape(len(which), -1)
    kind = kinds[y * width + x]
    cut = np.flatnonzero(kind != whole)
    patches[cut] *= masks[kind[cut]].astype(maps.dtype, copy=False)
    # one product smooths all the cells: column j is the blur's window around cell j
    cells = patches @ _windows(kernel.tobytes()).T.astype(maps.dtype)

    for n in np.flatnonzero((cells < _FLOOR).any(axis=1)):
        # rare: maps with negative or empty surroundings
        cells[n] = _cells_of_whole_map(maps[which[n]], int(x[n]), int(y[n]), kernel)
    return cells


@lru_cache(maxsize=8)
def _inside(height: int, width: int, half: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Which cells of the patch around a peak lie on the map: (height * width,) the kind of every
    cell, (kinds, size * size) float32, 1 on the map and 0 beyond, of every kind, and the kind that
    lies on the map whole, -1 where none does."""
    offsets = np.arange(-half, half + 1)
    kinds, masks = [], []
    for length in (height, width):
        at = np.arange(length)[:, None] + offsets
        mask, kind = np.unique((at >= 0) & (at < length), axis=0, return_inverse=True)
        kinds.append(kind.ravel())
        masks.append(mask.astype(np.float32))
    both = masks[0][:, None, :, None] * masks[1][None, :, None, :]
    kind_of_cell = kinds[0][:, None] * len(masks[1]) + kinds[1]
    masks_of = both.reshape(-1, len(offsets) ** 2)
    all_of_it = np.flatnonzero(masks_of.all(axis=1))
    return kind_of_cell.ravel(), masks_of, int(all_of_it[0]) if len(all_of_it) else -1


@lru_cache(maxsize=8)
def _windows(kernel_bytes: bytes) -> np.ndarray:
    """(13, size * size) the blur's window around each of `_CELLS`, in the patch around a peak."""
    kernel = np.frombuffer(kernel_bytes)
    size = len(kernel) + 2 * REACH
    weights = np.zeros((len(_CELLS), size, size))
    for j, (dx, dy) in enumerate(_CELLS):
        rows = slice(REACH + dy, REACH + dy + len(kernel))
        cols = slice(REACH + dx, REACH + dx + len(kernel))
        weights[j, rows, cols] = kernel[:, None] * kernel
    return weights.reshape(len(_CELLS), -1)


def _cells_of_whole_map(heatmap: np.ndarray, x: int, y: int, kernel: np.ndarray) -> np.ndarray:
    """The published way for one map: smooth all of it, rescale to the old peak, clip."""
    height, width = heatmap.shape
    half = len(kernel) // 2
    smooth_y = np.zeros((height, height + 2 * half))
    smooth_x = np.zeros((width, width + 2 * half))
    for i in range(height):
        smooth_y[i, i : i + len(kernel)] = kernel
    for i in range(width):
        smooth_x[i, i : i + len(kernel)] = kernel
    inner = slice(half, -half or None)
    smooth = smooth_y[:, inner] @ heatmap.astype(np.float64) @ smooth_x[:, inner].T
    smooth *= heatmap.max() / smooth.max()
    return np.array([max(smooth[y + dy, x + dx], _FLOOR) for dx, dy in _CELLS])


def _newton_step(log: np.ndarray) -> np.ndarray:
    """(n, 2) step (dx, dy) to the extremum of the log map from its (n, 13) `_CELLS`."""
    c, e, w, s, n, ee, ww, ss, nn, se, nw, sw, ne = log.T
    dx = 0.5 * (e - w)
    dy = 0.5 * (s - n)
    dxx = 0.25 * (ee - 2 * c + ww)
    dyy = 0.25 * (ss - 2 * c + nn)
    dxy = 0.25 * (se - ne - sw + nw)
    det = dxx * dyy - dxy**2
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=1) / det[:, None]
    return np.where(det[:, None] != 0, step, 0.0)
