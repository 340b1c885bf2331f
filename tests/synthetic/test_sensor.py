"""The camera's electronics: what each setting does to a plain picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aggpose.synthetic.render.sensor import SensorSettings, develop, sample_sensor

CLEAN = SensorSettings(
    vignette=0.0, blur_px=0.0, shot_noise=0.0, read_noise=0.0, jpeg_quality=None, shoulder=0.99
)


def _rng() -> np.random.Generator:
    return np.random.default_rng(1)


def _flat(value: float, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), value, np.float32)


@pytest.mark.parametrize("linear", [0.0, 0.002, 0.03, 0.18, 0.5, 0.9])
def test_a_clean_camera_encodes_srgb(linear: float) -> None:
    """IEC 61966-2-1."""
    low = linear <= 0.0031308
    wanted = 12.92 * linear if low else 1.055 * linear ** (1 / 2.4) - 0.055
    image = develop(_flat(linear), CLEAN, _rng())
    assert image.shape == (64, 64, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(float) - 255 * wanted).max() <= 1.0


def test_bright_light_is_compressed_and_never_wraps() -> None:
    soft = replace(CLEAN, shoulder=0.5)
    values = [int(develop(_flat(v), soft, _rng())[0, 0, 0]) for v in (0.4, 0.8, 1.2, 2.0, 9.0, 1e4)]
    assert values == sorted(values) and values[-1] == 255 and values[1] < 235


def test_exposure_white_balance_and_metering() -> None:
    twice = develop(_flat(0.1), replace(CLEAN, exposure=2.0), _rng())
    assert np.array_equal(twice, develop(_flat(0.2), CLEAN, _rng()))
    warm = develop(_flat(0.3), replace(CLEAN, white_balance=(1.2, 1.0, 0.8)), _rng())
    assert warm[0, 0, 0] > warm[0, 0, 1] > warm[0, 0, 2]
    metered = replace(CLEAN, metered=0.3)
    dark, bright = (develop(_flat(v), metered, _rng()) for v in (0.01, 0.9))
    assert np.abs(dark.astype(int) - bright.astype(int)).max() <= 1


def test_noise_grows_with_light_and_comes_from_the_generator() -> None:
    noisy = replace(CLEAN, shot_noise=0.05, read_noise=0.001)
    one, again = (develop(_flat(0.3), noisy, np.random.default_rng(5)) for _ in range(2))
    other = develop(_flat(0.3), noisy, np.random.default_rng(6))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    plain = one.astype(float).std()
    assert plain > 2
    assert develop(_flat(0.0), noisy, _rng()).std() < plain


def test_shake_draws_a_line_of_its_length() -> None:
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1.0
    image = develop(point, replace(CLEAN, shake_px=(8.0, 0.0)), _rng())
    columns = np.flatnonzero(image[20, :, 0] > 60)
    assert 8 <= len(columns) <= 10 and abs(columns.mean() - 20) < 0.6
    assert image[17].max() == 0


def test_blur_vignette_monochrome_and_jpeg() -> None:
    edge = _flat(0.1)
    edge[:, 32:] = 0.6
    sharp, soft = (develop(edge, replace(CLEAN, blur_px=b), _rng()) for b in (0.0, 2.0))
    assert np.abs(np.diff(sharp[5, :, 0].astype(int))).max() > 80
    assert np.abs(np.diff(soft[5, :, 0].astype(int))).max() < 40
    dark = develop(_flat(0.5), replace(CLEAN, vignette=0.5), _rng())
    assert int(dark[0, 0, 0]) < int(dark[32, 32, 0]) - 30
    colours = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    grey = develop(colours, replace(CLEAN, monochrome=True), _rng())
    assert (grey == grey[..., :1]).all() and grey.std() > 5
    best, worst = (develop(colours, replace(CLEAN, jpeg_quality=q), _rng()) for q in (95, 20))
    clean = develop(colours, CLEAN, _rng()).astype(float)
    assert 0 < np.abs(best - clean).mean() < np.abs(worst - clean).mean()


def test_sampled_cameras_differ_and_repeat() -> None:
    every = [sample_sensor(np.random.default_rng(n)) for n in range(300)]
    assert every[0] == sample_sensor(np.random.default_rng(0))
    assert len(set(every)) == 300
    monitors = [s for s in every if s.monochrome]
    assert 5 <= len(monitors) <= 45
    assert np.ptp([s.white_balance[0] - s.white_balance[2] for s in every]) > 0.3
    middle = _flat(0.4, 32)
    means = [develop(middle, s, np.random.default_rng(0)).mean() for s in every[:60]]
    assert min(means) > 50 and max(means) < 235
