"""From linear light to the picture file of a phone or of a baby monitor.

Lens, sensor, processing and compression, in the order in which a camera does them. All numbers of
a camera are a `SensorSettings`, drawn by `sample_sensor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class SensorSettings:
    """One camera in one room.

    exposure: factor on linear light. metered: mean linear light that the camera's automatic first
    brings the picture to, or None: not for clips, whose light would pump. white_balance: factors on
    red, green, blue. monochrome: one channel, as of an infrared monitor. vignette: share of light
    lost in the corners. blur_px: deviation of the lens's blur. shake_px: (x, y) px that the camera
    turns during the exposure. shot_noise: deviation of the noise at linear 1, falling with the root
    of light; read_noise: deviation in the dark. denoise_px: deviation of the blur that hides noise.
    shoulder: where highlights begin to be compressed, 0 to 1. contrast: of the S curve, 0 none.
    saturation: 1 as it is. sharpen: strength of the unsharp mask, radius 1 px. jpeg_quality: 1 to
    100, or None.
    """

    exposure: float = 1.0
    metered: float | None = None
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    monochrome: bool = False
    vignette: float = 0.1
    blur_px: float = 0.4
    shake_px: tuple[float, float] = (0.0, 0.0)
    shot_noise: float = 0.01
    read_noise: float = 0.002
    denoise_px: float = 0.0
    shoulder: float = 0.6
    contrast: float = 0.0
    saturation: float = 1.0
    sharpen: float = 0.0
    jpeg_quality: int | None = 90


_CODES = 4096
"""Steps of the table from sensor values to 8 bits; its root spacing keeps the dark fine."""


def develop(linear: np.ndarray, settings: SensorSettings, rng: np.random.Generator) -> np.ndarray:
    """Linear RGB (H, W, 3) float -> uint8 RGB (H, W, 3). The noise is drawn from ``rng``."""
    picture: np.ndarray = linear.astype(np.float32)  # a copy, changed in place below
    gain = settings.exposure
    if settings.metered is not None:
        gain *= settings.metered / max(float(picture[::4, ::4].mean()), 1e-4)
    picture *= np.float32(gain)
    if settings.monochrome:
        grey = picture @ np.array(
            [0.5, 0.3, 0.2], np.float32
        )  # in infrared, skin and cloth are pale
        picture = np.repeat(grey[..., None], 3, axis=2)
    else:
        picture *= np.asarray(settings.white_balance, np.float32)
    if settings.vignette > 0:
        picture *= _falloff(picture.shape[:2], settings.vignette)[..., None]
    if max(map(abs, settings.shake_px)) >= 0.5:
        picture = cv2.filter2D(picture, -1, _streak(settings.shake_px))
    if settings.blur_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), settings.blur_px)
    _add_noise(picture, settings, rng)
    if settings.denoise_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), settings.denoise_px)
    coded = _encode(picture, settings)
    if settings.sharpen > 0:
        soft = cv2.GaussianBlur(coded, (0, 0), 1.0)
        coded = cv2.addWeighted(coded, 1 + settings.sharpen, soft, -settings.sharpen, 0)
    return coded if settings.jpeg_quality is None else _jpeg(coded, settings.jpeg_quality)


def sample_sensor(rng: np.random.Generator, side: int = 256) -> SensorSettings:
    """A camera as people use them: mostly phones by day, some in dim rooms, few monitors at night.

    side: px of the picture's shorter side; blur and shake grow with it.
    """
    kind = rng.choice(["day", "dim", "night", "monitor"], p=[0.74, 0.15, 0.06, 0.05])
    noise = {"day": 0.012, "dim": 0.035, "night": 0.07, "monitor": 0.05}[kind]
    noise *= float(rng.lognormal(0, 0.4))
    metered = float(np.clip(rng.lognormal(np.log(0.36), 0.22), 0.16, 0.62))
    if kind == "night":
        metered *= 0.55
    # after the camera's own white balance, what it leaves: warm lamps more often than cold
    warm = float(rng.normal(0.25 if kind in ("dim", "night") else 0.03, 0.1))
    tint = float(rng.normal(0, 0.03))
    size = side / 256
    shake = size * rng.normal(0, 1.6 if kind in ("dim", "night") else 0.5, size=2)
    defocus = float(rng.gamma(2.0, 0.16))
    if rng.random() < 0.08:
        defocus += float(rng.exponential(1.0))
    return SensorSettings(
        metered=metered,
        white_balance=(1 + warm, 1 + tint, max(0.3, 1 - 1.1 * warm)),
        monochrome=kind == "monitor",
        vignette=float(rng.uniform(0.2, 0.5) if kind == "monitor" else rng.uniform(0, 0.25)),
        blur_px=(0.25 + min(defocus, 2.5)) * size,
        shake_px=(float(shake[0]), float(shake[1])) if rng.random() < 0.5 else (0.0, 0.0),
        shot_noise=noise,
        read_noise=0.2 * noise,
        denoise_px=float(rng.uniform(0.3, 0.9)) if noise > 0.03 else 0.0,
        shoulder=float(rng.uniform(0.45, 0.8)),
        contrast=float(rng.uniform(0, 0.5)),
        saturation=float(np.clip(rng.normal(1.05, 0.15), 0.5, 1.5)),
        sharpen=float(rng.uniform(0, 0.9)),
        jpeg_quality=int(rng.integers(45, 97)),
    )


def _falloff(shape: tuple[int, int], share: float) -> np.ndarray:
    """(H, W) factors, 1 in the middle and 1 - share in the corners."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)
    return 1 - np.float32(share / 2) * (x**2 + y**2)


def _streak(way: tuple[float, float]) -> np.ndarray:
    """(n, n) kernel that sums to 1: a line through its middle, as long as `way` (x, y) px."""
    half = int(np.ceil(max(map(abs, way)) / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for t in np.linspace(-0.5, 0.5, 8 * half + 1):
        x, y = half + t * way[0], half + t * way[1]
        c, r = int(x), int(y)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            share = (1 - abs(x - c - dx)) * (1 - abs(y - r - dy))
            if share > 0:
                kernel[r + dy, c + dx] += share
    return kernel / kernel.sum()


def _add_noise(picture: np.ndarray, settings: SensorSettings, rng: np.random.Generator) -> None:
    """Shot noise grows with the root of light, read noise is always there; in place."""
    if settings.shot_noise <= 0 and settings.read_noise <= 0:
        return
    scale = cv2.sqrt(np.maximum(picture, 0) * settings.shot_noise**2 + settings.read_noise**2)
    if settings.monochrome:
        noise = rng.standard_normal(picture.shape[:2], dtype=np.float32)[..., None]
    else:
        noise = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += scale.reshape(picture.shape) * noise


def _tone_table(settings: SensorSettings) -> np.ndarray:
    """(_CODES,) uint8 of sensor values (n / _CODES)^2 * 4: shoulder, sRGB, S curve."""
    value = (np.arange(_CODES) / (_CODES - 1)) ** 2 * 4
    knee = settings.shoulder
    rest = 1 - knee
    bent = np.where(value < knee, value, knee + rest * np.tanh((value - knee) / rest))
    coded = np.where(bent <= 0.0031308, 12.92 * bent, 1.055 * bent.clip(1e-9) ** (1 / 2.4) - 0.055)
    curved = coded * coded * (3 - 2 * coded)
    coded += settings.contrast * (curved - coded)
    return (coded.clip(0, 1) * 255).round().astype(np.uint8)


def _encode(picture: np.ndarray, settings: SensorSettings) -> np.ndarray:
    """Linear (H, W, 3) -> uint8, through the tone curve and the saturation."""
    if settings.saturation != 1.0 and not settings.monochrome:
        s = np.float32(settings.saturation)
        grey = (1 - s) * np.array([0.2126, 0.7152, 0.0722], np.float32)
        picture = cv2.transform(picture, np.tile(grey, (3, 1)) + s * np.eye(3, dtype=np.float32))
    index = cv2.sqrt(np.maximum(picture, 0)) * ((_CODES - 1) / 2) + 0.5
    codes = np.minimum(index, _CODES - 1).astype(np.uint16)
    return _tone_table(settings)[codes]


def _jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """What comes back from a JPEG file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError("OpenCV did not write a JPEG")
    back: np.ndarray = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return cv2.cvtColor(back, cv2.COLOR_BGR2RGB)
