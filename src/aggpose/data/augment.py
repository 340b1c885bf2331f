"""Augmentation: what happens to a picture and its key points between the file and the network.

Geometry first (flip, half body, scale, rotation, shift) as one affine crop, so that a picture is
interpolated once; then pixels (occluders, colour, blur, noise, JPEG). Every part is switched and
sized by `AugmentRecipe`; every random number comes from the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from aggpose.geometry import (
    BOX_PADDING,
    box_to_crop,
    crop_affine,
    turned_box,
    upright_rotation,
)
from aggpose.skeleton import Skeleton

Probability = Annotated[float, Field(ge=0, le=1)]


class AugmentRecipe(BaseModel):
    """Probabilities are per sample; 0 switches a part off. The defaults are AggPose's for COCO.

    flip: probability of mirroring. rotation: range in degrees, of a normal distribution with this
    standard deviation cut at twice it (as published), with probability rotation_probability;
    full_rotation: probability of any angle at all instead. upright: probability that the crop is
    first turned so that the trunk points up (`geometry.upright_rotation`), for networks that are
    shown people so (`ModelMeta.upright`); wrong_way: of these, the share that is turned far from it
    instead, where the truth of every point is "nowhere" (``loss.absent``). scale: normal with this
    standard deviation, cut at 1 +- scale. shift: uniform, part of the crop's size.
    whole_picture: probability of the whole picture instead of the box, where one person alone is
    labelled in it: what the network sees when it looks for somebody.
    half_body: probability, where more than half_body_above points are labelled.
    colour: (brightness, contrast, saturation, hue) ranges. occluders: up to max_occluders random
    rectangles or ellipses of noise or of another part of the picture. blur: Gaussian or motion.
    noise: Gaussian of up to noise_sigma grey levels. jpeg: recompressed at quality 20 to 90.
    white_balance: gains of the colours and a gamma. grey: without colour. low_resolution: reduced
    by 1.3 to 3 and enlarged again. On a device (`device_pixels`) jpeg is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flip: Probability = 0.5
    rotation: Annotated[float, Field(ge=0, le=180)] = 45.0
    rotation_probability: Probability = 0.6
    full_rotation: Probability = 0.0
    upright: Probability = 0.0
    wrong_way: Probability = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.35
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.0
    whole_picture: Probability = 0.0
    half_body: Probability = 0.3
    half_body_above: int = 8
    colour: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.1)
    colour_probability: Probability = 0.5
    occluders: Probability = 0.0
    max_occluders: Annotated[int, Field(ge=1, le=20)] = 3
    blur: Probability = 0.0
    noise: Probability = 0.0
    noise_sigma: Annotated[float, Field(ge=0, le=100)] = 15.0
    jpeg: Probability = 0.0
    white_balance: Probability = 0.0
    grey: Probability = 0.0
    low_resolution: Probability = 0.0


NO_AUGMENTATION = AugmentRecipe(
    flip=0, rotation_probability=0, scale=0, half_body=0, colour_probability=0
)


@dataclass(frozen=True)
class Crop:
    """Where a sample is cut: centre (2,) and size (2,) in picture px, rotation deg, mirrored;
    wrong_way: turned so far that nobody is to be found in it."""

    center: np.ndarray
    size: np.ndarray
    rotation: float
    mirrored: bool
    wrong_way: bool = False

    def affine(self, output: tuple[int, int]) -> np.ndarray:
        """(2, 3) picture px -> crop or heat-map px, mirrored or not; output is (width, height)."""
        affine = crop_affine(self.center, self.size, self.rotation, output)
        if self.mirrored:
            affine[0] = -affine[0]
            affine[0, 2] += output[0] - 1
        return affine


def sample_crop(
    box: np.ndarray,
    keypoints: np.ndarray,
    visibility: np.ndarray,
    skeleton: Skeleton,
    aspect: float,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    picture: tuple[int, int] | None = None,
) -> Crop:
    """Draw the crop of one sample.

    box: (4,) xywh px. keypoints: (K, 2) px. visibility: (K,). aspect: width / height of the input.
    picture: (width, height) px where the whole picture may be the crop, else None.
    """
    upright, wrong_way = _turn_up(keypoints, visibility > 0, skeleton, recipe, rng)
    box = turned_box(box, upright)
    center, size = box_to_crop(box, aspect)
    if picture is not None and rng.random() < recipe.whole_picture:
        whole = turned_box(np.array([0.0, 0.0, *picture]), upright)
        center, size = box_to_crop(whole, aspect, padding=1.0)
    elif rng.random() < recipe.half_body and (visibility > 0).sum() > recipe.half_body_above:
        half = _half_body_box(keypoints, visibility > 0, skeleton, rng)
        if half is not None:
            half = turned_box(half, upright)
            center, size = box_to_crop(half, aspect, HALF_PADDING)
    rotation = 0.0
    if wrong_way:
        pass  # turned enough
    elif rng.random() < recipe.full_rotation:
        rotation = rng.uniform(-180, 180)
    elif rng.random() < recipe.rotation_probability:
        limit = 2 * recipe.rotation
        rotation = float(np.clip(rng.normal() * recipe.rotation, -limit, limit))
    factor = float(np.clip(rng.normal() * recipe.scale + 1, 1 - recipe.scale, 1 + recipe.scale))
    offset = rng.uniform(-recipe.shift, recipe.shift, 2) * size / BOX_PADDING
    mirrored = bool(rng.random() < recipe.flip)
    return Crop(center + offset, size * factor, upright + rotation, mirrored, wrong_way)


HALF_PADDING = 1.5
"""Instead of the usual 1.25: points lie on the body, the crop of half a body should hold it."""

WRONG_WAY_DEG = 100.0
"""From so far off the trunk's own direction on a crop counts as turned the wrong way."""


def _turn_up(
    keypoints: np.ndarray,
    labelled: np.ndarray,
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
) -> tuple[float, bool]:
    """Degrees that turn the trunk up, or far from it, and whether it is the latter."""
    if recipe.upright == 0 or rng.random() >= recipe.upright:
        return 0.0, False
    upright = upright_rotation(keypoints, labelled, skeleton)
    if upright is None:
        return 0.0, False
    if rng.random() < recipe.wrong_way:
        return upright + rng.uniform(WRONG_WAY_DEG, 360 - WRONG_WAY_DEG), True
    return upright, False


def _half_body_box(
    keypoints: np.ndarray, labelled: np.ndarray, skeleton: Skeleton, rng: np.random.Generator
) -> np.ndarray | None:
    """xywh box of the labelled upper or lower points, None where neither half has three."""
    is_upper = np.array([name in skeleton.upper for name in skeleton.keypoints])
    halves = [labelled & is_upper, labelled & ~is_upper]
    if rng.random() < 0.5:
        halves.reverse()
    chosen = next((half for half in halves if half.sum() > 2), None)
    if chosen is None:
        return None
    low, high = keypoints[chosen].min(axis=0), keypoints[chosen].max(axis=0)
    return np.concatenate([low, np.maximum(high - low, 4.0)])


def augment_pixels(
    image: np.ndarray, recipe: AugmentRecipe, rng: np.random.Generator
) -> np.ndarray:
    """Change a crop's pixels, never its geometry. image: (H, W, 3) uint8 RGB; a new one returns."""
    if rng.random() < recipe.low_resolution:
        image = _coarse(image, rng.uniform(1.3, 3.0))
    if rng.random() < recipe.occluders:
        image = _occlude(image, int(rng.integers(1, recipe.max_occluders + 1)), rng)
    if rng.random() < recipe.colour_probability:
        image = _jitter_colour(image, recipe.colour, rng)
    if rng.random() < recipe.white_balance:
        image = _other_light(image, rng)
    if rng.random() < recipe.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < recipe.blur:
        image = _blur(image, rng)
    if rng.random() < recipe.noise:
        sigma = rng.uniform(0, recipe.noise_sigma)
        noise = np.empty(image.shape, np.float32)
        rng.standard_normal(out=noise, dtype=np.float32)
        image = np.clip(image + noise * np.float32(sigma), 0, 255).astype(np.uint8)
    if rng.random() < recipe.jpeg:
        quality = int(rng.integers(20, 91))
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None
        image = decoded
    return image


def _jitter_colour(
    image: np.ndarray, ranges: tuple[float, float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Brightness, contrast, saturation and hue, in this order, each uniform in 1 +- range."""
    brightness, contrast, saturation = (rng.uniform(max(0, 1 - r), 1 + r) for r in ranges[:3])
    table = np.arange(256, dtype=np.float32) * brightness
    mean = float(image.mean()) * brightness
    table = np.clip((table - mean) * contrast + mean, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table)
    if ranges[2] or ranges[3]:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        levels = np.arange(256)
        hue = (levels + round(rng.uniform(-ranges[3], ranges[3]) * 180)) % 180
        tables = np.stack([hue, np.clip(levels * saturation, 0, 255), levels], axis=-1)
        image = cv2.cvtColor(cv2.LUT(hsv, tables.astype(np.uint8)[None]), cv2.COLOR_HSV2RGB)
    return image


def _coarse(image: np.ndarray, factor: float) -> np.ndarray:
    """Reduced by a factor and enlarged again."""
    height, width = image.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)


def _other_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gains of the three colours, and a gamma."""
    gains, gamma = rng.uniform(0.75, 1.3, 3), np.exp(rng.uniform(-0.4, 0.4))
    levels = np.arange(256)[:, None] / 255 * gains
    table = (255 * np.clip(levels, 0, 1) ** gamma).round().astype(np.uint8)
    return cv2.LUT(image, table[None])


def _occlude(image: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    image = image.copy()
    height, width = image.shape[:2]
    for _ in range(count):
        w, h = (int(rng.uniform(0.08, 0.35) * side) + 1 for side in (width, height))
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        if rng.random() < 0.5:
            sx, sy = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
            patch = image[sy : sy + h, sx : sx + w].copy()
        else:
            patch = np.empty((h, w, 3), np.uint8)
            patch[:] = rng.integers(0, 256, 3)
        target = image[y : y + h, x : x + w]
        if rng.random() < 0.5:
            target[:] = patch
        else:
            mask = np.zeros((h, w), np.uint8)
            cv2.ellipse(mask, (w // 2, h // 2), (w // 2, h // 2), 0, 0, 360, 255, -1)
            target[mask > 0] = patch[mask > 0]
    return image


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    longest = max(image.shape[:2])
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.008 * longest + 0.4))
    length = int(rng.integers(2, max(3, longest // 24) + 1)) * 2 + 1
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    half = length // 2
    dx, dy = round(np.cos(angle) * half), round(np.sin(angle) * half)
    cv2.line(kernel, (half - dx, half - dy), (half + dx, half + dy), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())
