"""Losses against the recorded numbers, and against what they must do."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from aggpose.heatmaps import encode_heatmaps
from aggpose.network.network import peak_normalised
from aggpose.training.losses import (
    gaussian_targets,
    mse_loss,
    ohkm_loss,
    spatial_cross_entropy,
)


@pytest.mark.parametrize("name, loss", [("mse_loss", mse_loss), ("ohkm_loss", ohkm_loss)])
def test_the_recorded_losses(reference: Path, name: str, loss) -> None:  # type: ignore[no-untyped-def]
    data = np.load(reference / "decode_coco17.npz")
    maps, targets = torch.from_numpy(data["heatmaps"]), torch.from_numpy(data["other"])
    weights = torch.from_numpy(data["target_weight"])[..., 0]
    assert float(loss(maps, targets, weights)) == pytest.approx(float(data[name]), abs=1e-6)


def points_and_weights() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    points = rng.uniform(-30, 90, (3, 17, 2)).astype(np.float32)
    weights = (rng.random((3, 17)) > 0.2).astype(np.float32)
    return torch.from_numpy(points), torch.from_numpy(weights)


def test_targets_are_those_of_the_encoder() -> None:
    points, weights = points_and_weights()
    maps, kept = gaussian_targets(points, weights, (48, 64), 2.0)
    expected, expected_weights = encode_heatmaps(points.numpy(), weights.numpy(), (48, 64), 2.0)
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(kept.numpy(), expected_weights)


def test_spatial_cross_entropy_is_that_of_the_whole_map() -> None:
    """Computed by rows and columns; here against the plain formula."""
    points, weights = points_and_weights()
    logits = torch.randn(3, 17, 64, 48, generator=torch.Generator().manual_seed(1))
    x, y = torch.arange(48.0), torch.arange(64.0)[:, None]
    across = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    maps = torch.exp(-across / (2 * 2.0**2))
    mass = maps.sum(dim=(2, 3))
    edge = torch.tensor([48.0, 64.0]) - 0.5
    counts = weights * ((points >= -0.5) & (points <= edge)).all(dim=-1)
    target = maps / mass.clamp(min=1e-3)[..., None, None]
    log_p = torch.log_softmax(logits.flatten(2), -1).view_as(logits)
    joint = -(target * log_p).sum(dim=(2, 3)) * counts
    expected = (joint.sum(1) / counts.sum(1).clamp(min=1)).mean()
    got = spatial_cross_entropy(logits, points, weights, 2.0)
    assert float(got) == pytest.approx(float(expected), rel=1e-5)


def test_spatial_cross_entropy_is_least_at_the_gaussian() -> None:
    points = torch.tensor([[[20.3, 30.7]]])
    weights = torch.ones(1, 1)
    maps, _ = gaussian_targets(points, weights, (48, 64), 2.0)
    right = torch.log(maps.clamp(min=1e-30))
    moved = torch.roll(right, 1, dims=3)
    at_right, at_moved = (
        float(spatial_cross_entropy(m, points, weights, 2.0)) for m in (right, moved)
    )
    assert at_right < at_moved
    # the entropy of the Gaussian itself
    assert at_right == pytest.approx(np.log(2 * np.pi * np.e * 4.0), abs=0.01)


@pytest.mark.parametrize("kind", ["mse", "spatial"])
def test_unlabelled_points_teach_nothing(kind: str) -> None:
    points, weights = points_and_weights()
    maps = torch.randn(3, 17, 64, 48, generator=torch.Generator().manual_seed(2))
    maps.requires_grad_()
    if kind == "mse":
        targets, kept = gaussian_targets(points, weights, (48, 64), 2.0)
        mse_loss(maps, targets, kept).backward()
    else:
        spatial_cross_entropy(maps, points, weights, 2.0).backward()
    assert maps.grad is not None
    assert float(maps.grad[weights == 0].abs().max()) == 0.0
    assert float(maps.grad[weights == 1].abs().max()) > 0.0


def test_a_sample_without_points_is_no_error() -> None:
    points, weights = points_and_weights()
    loss = spatial_cross_entropy(torch.zeros(3, 17, 64, 48), points, weights * 0, 2.0)
    assert float(loss) == 0.0


def test_the_cell_nowhere_is_one_more_class() -> None:
    """Points in the map as before with one cell more below the sum; others want that cell."""
    logits = torch.randn(1, 2, 6, 5, generator=torch.Generator().manual_seed(1)) * 3
    points = torch.tensor([[[2.0, 3.0], [-9.0, 2.0]]])
    weights = torch.ones(1, 2)
    all_cells = torch.cat([logits.flatten(2), torch.full((1, 2, 1), math.log(30))], dim=2)
    log_p = torch.log_softmax(all_cells, -1)
    maps, _ = gaussian_targets(points[:, :1], weights[:, :1], (5, 6), 1.0)
    target = maps.flatten(2) / maps.sum()
    seen, gone = -(target * log_p[:, :1, :30]).sum(), -log_p[0, 1, 30]
    expected = (seen + 0.25 * gone) / 1.25
    got = spatial_cross_entropy(logits, points, weights, 1.0, absent=0.25)
    assert float(got) == pytest.approx(float(expected), rel=1e-5)


def test_scores_fall_where_the_network_says_nowhere() -> None:
    peak = torch.full((1, 1, 64, 48), -30.0)
    peak[0, 0, 30, 20] = 12.0
    there = peak_normalised(peak, 2.0, nowhere=True)
    assert float(there[0, 0, 30, 20]) == 1.0
    gone = peak_normalised(peak - 12.0, 2.0, nowhere=True)
    assert float(gone.max()) < 0.01
    assert float(peak_normalised(peak - 12.0, 2.0).max()) == 1.0
