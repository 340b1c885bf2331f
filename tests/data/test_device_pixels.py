"""Pixel changes of a batch: each does what it says, to the share that the recipe asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aggpose.data.augment import NO_AUGMENTATION
from aggpose.data.device_pixels import PixelChanges


def changed(count: int = 200, **parts: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Before and after, (B, 3, 64, 48)."""
    recipe = NO_AUGMENTATION.model_copy(update=parts)
    generator = torch.Generator().manual_seed(0)
    changes = PixelChanges(recipe, generator, np.random.default_rng(0))
    before = torch.rand((count, 3, 64, 48), generator=generator) * 120 + 60
    return before, changes(before)


def touched(before: torch.Tensor, after: torch.Tensor) -> float:
    return float(((before - after).abs().amax((1, 2, 3)) > 1e-3).float().mean())


def test_nothing_asked_nothing_changed() -> None:
    before, after = changed()
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize(
    "part", ["low_resolution", "colour_probability", "white_balance", "grey", "noise"]
)
def test_share_of_the_batch(part: str) -> None:
    before, after = changed(**{part: 0.3})
    assert touched(before, after) == pytest.approx(0.3, abs=0.011)
    assert after.isfinite().all()
    assert after.min() >= 0 and after.max() <= 255


def test_small_batches_get_their_share_over_time() -> None:
    recipe = NO_AUGMENTATION.model_copy(update={"grey": 0.25})
    changes = PixelChanges(recipe, torch.Generator().manual_seed(0), np.random.default_rng(0))
    image = torch.rand((1, 3, 8, 8)) * 255
    share = np.mean([touched(image, changes(image)) for _ in range(400)])
    assert share == pytest.approx(0.25, abs=0.06)


def test_grey_has_no_colour_and_keeps_light() -> None:
    before, after = changed(grey=1.0)
    assert float(after.std(dim=1).max()) < 1e-3
    assert float(after.mean()) == pytest.approx(float(before.mean()), abs=2)


def test_blur_and_low_resolution_take_detail_away() -> None:
    for part in ("blur", "low_resolution"):
        before, after = changed(**{part: 1.0})
        assert (after.std(dim=(1, 2, 3)) < before.std(dim=(1, 2, 3)) + 1e-3).all(), part
        assert float(after.std()) < 0.9 * float(before.std()), part
        assert float(after.mean()) == pytest.approx(float(before.mean()), abs=1), part


def test_occluders_cover_part_of_it() -> None:
    before, after = changed(occluders=1.0, max_occluders=3)
    covered = ((before - after).abs().amax(1) > 1e-3).float().mean((1, 2))
    assert 0.02 < float(covered.mean()) < 0.3
    assert float(covered.max()) < 0.45
