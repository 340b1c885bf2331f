import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from aggpose.geometry import apply_affine, heatmap_to_picture
from aggpose.heatmaps import (
    blur_kernel,
    decode_heatmaps,
    decode_kernel,
    encode_heatmaps,
    heatmap_sigma,
)


def decode_one_by_one(heatmaps: np.ndarray, kernel: int) -> np.ndarray:
    """DARK as its paper words it, a joint at a time on whole maps: what the fast one must equal."""
    coords = np.zeros((*heatmaps.shape[:2], 2))
    height, width = heatmaps.shape[2:]
    half = kernel // 2
    for b, maps in enumerate(heatmaps):
        for k, heatmap in enumerate(maps):
            peak = int(heatmap.argmax())
            x, y = peak % width, peak // width
            if heatmap[y, x] <= 0:
                continue
            coords[b, k] = (x, y)
            if not (1 < x < width - 2 and 1 < y < height - 2):
                continue
            padded = np.zeros((height + 2 * half, width + 2 * half))
            padded[half:-half, half:-half] = heatmap
            smooth = cv2.GaussianBlur(padded, (kernel, kernel), 0)[half:-half, half:-half]
            smooth *= heatmap.max() / smooth.max()
            log = np.log(np.maximum(smooth, 1e-10))
            gradient = 0.5 * np.array(
                [log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]
            )
            dxx = 0.25 * (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2])
            dyy = 0.25 * (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x])
            dxy = 0.25 * (
                log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]
            )
            hessian = np.array([[dxx, dxy], [dxy, dyy]])
            if np.linalg.det(hessian) != 0:
                coords[b, k] -= np.linalg.inv(hessian) @ gradient
    return coords


def test_key_points_are_the_recorded_ones(reference: Path) -> None:
    record = np.load(reference / "decode_coco17.npz")
    coords, scores = decode_heatmaps(record["heatmaps"])
    assert np.abs(scores - record["maxvals"][..., 0]).max() == 0
    for i in range(len(coords)):
        affine = heatmap_to_picture(record["center"][i], record["scale"][i] * 200, (48, 64))
        assert np.abs(apply_affine(affine, coords[i]) - record["keypoints"][i]).max() < 1e-3


@pytest.mark.parametrize(("width", "height", "kernel"), [(48, 64, 11), (72, 96, 17)])
def test_round_trip(width: int, height: int, kernel: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([6, 6], [width - 7, height - 7], (32, 21, 2))
    sigma = heatmap_sigma(width)
    maps, weights = encode_heatmaps(points, np.full((32, 21), 2), (width, height), sigma)
    coords, scores = decode_heatmaps(maps, decode_kernel(width))
    assert decode_kernel(width) == kernel
    assert np.abs(coords - points).max() < 0.05
    assert (weights == 1).all() and (scores > 0.9).all()


def test_equals_the_paper_on_noisy_and_negative_maps() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform([-2, -2], [50, 66], (8, 21, 2))
    maps, _ = encode_heatmaps(points, np.full((8, 21), 2), (48, 64), 2)
    maps = maps * rng.uniform(0.05, 1, (8, 21, 1, 1)) + rng.normal(0, 0.02, maps.shape)
    maps = maps.astype(np.float32)
    maps[0, 0] = 0
    maps[0, 1] = -1
    maps[0, 2] = rng.normal(0, 1, (64, 48))
    coords, _ = decode_heatmaps(maps)
    assert np.allclose(coords, decode_one_by_one(maps, 11), atol=1e-6)
    assert (coords[0, :2] == 0).all()


def test_border_cells_are_returned_as_they_are() -> None:
    points = np.array([[[1.3, 20.0], [20.0, 62.4], [46.6, 1.2]]])
    maps, _ = encode_heatmaps(points, np.full((1, 3), 2), (48, 64), 2)
    coords, _ = decode_heatmaps(maps)
    assert (coords == [[[1, 20], [20, 62], [47, 1]]]).all()


def test_kernel_is_opencvs() -> None:
    for size in (11, 17):
        assert np.allclose(blur_kernel(size), cv2.getGaussianKernel(size, 0)[:, 0], atol=1e-7)


def test_weights() -> None:
    points = np.array([[[10.0, 10], [-7, 10], [-5, 10], [54.1, 5], [np.nan, 1], [10, 10]]])
    _, weights = encode_heatmaps(points, np.array([[2, 2, 1, 2, 2, 0]]), (48, 64), 2)
    assert weights.tolist() == [[1, 0, 1, 0, 0, 0]]


@pytest.mark.slow
def test_decoding_is_fast() -> None:
    """The benchmark, in a process of its own with one thread, so that only ratios count."""
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "decode.py"
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=alone)
    assert done.returncode == 0, done.stderr
    ratio = float(re.search(r"^aggpose .* ([\d.]+) x$", done.stdout, re.M)[1])
    difference = float(re.search(r"largest difference (\S+)", done.stdout)[1])
    assert ratio > 20 and difference < 1e-4, done.stdout
