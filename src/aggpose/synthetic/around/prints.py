"""Patterns on cloths and floors: pictures from above, in sRGB, and their relief in metres.

All are functions of a `Grid` of places and a generator. Colours are sRGB in [0, 1], for that is
where equal steps look equal; `mesh.Ground.colour` wants sRGB too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from aggpose.synthetic.around.drawings import DRAWINGS, paint

Colour = np.ndarray
"""(3,) float32 RGB in [0, 1]."""


@dataclass(frozen=True)
class Grid:
    """Places of S x S pixels. x, y: (S, S) float32 m, row 0 at the greatest y. pixel_m: one's
    width."""

    x: np.ndarray
    y: np.ndarray
    pixel_m: float


@dataclass(frozen=True)
class Layer:
    """colour: (S, S, 3) float32 sRGB in [0, 1]. height: (S, S) float32 m. shine: 0 to 1."""

    colour: np.ndarray
    height: np.ndarray
    shine: float = 0.0


def make_grid(size: int, side_m: float) -> Grid:
    """The grid of a picture of ``size`` pixels that spans ``side_m`` around the origin."""
    at = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(side_m / size) - side_m / 2
    x, y = np.meshgrid(at, -at)
    return Grid(x.astype(np.float32), y.astype(np.float32), side_m / size)


def smooth_step(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def fractal_noise(
    size: int, rng: np.random.Generator, coarsest: int, octaves: int, fall: float = 0.5
) -> np.ndarray:
    """(size, size) noise of unit deviation, of ``coarsest`` cells a side and finer."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = min(size, coarsest * 2**octave)
        grid = rng.standard_normal((cells + 3, cells + 3), dtype=np.float32)
        total += fall**octave * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return total / max(float(total.std()), 1e-9)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] -> linear reflectance (IEC 61966-2-1)."""
    srgb = np.asarray(srgb, dtype=np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


_MOODS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "pastel": ((0.08, 0.32), (0.78, 0.95)),
    "vivid": ((0.55, 0.95), (0.55, 0.95)),
    "neutral": ((0.02, 0.16), (0.45, 0.85)),
    "white": ((0.0, 0.06), (0.86, 0.97)),
    "dark": ((0.10, 0.60), (0.12, 0.38)),
    "muted": ((0.15, 0.45), (0.40, 0.75)),
}
"""Name -> ranges of saturation and of value."""


def sample_colour(rng: np.random.Generator, mood: str, hue: float | None = None) -> Colour:
    """(3,) sRGB. mood: of `_MOODS`. hue: in [0, 1); any when None."""
    saturation, value = (float(rng.uniform(*range_)) for range_ in _MOODS[mood])
    turn = (float(rng.uniform()) if hue is None else hue) % 1.0
    near = np.abs((turn * 6 - np.array([0.0, 2.0, 4.0]) + 3) % 6 - 3)
    pure = np.clip(2 - near, 0, 1)
    return (value * (1 - saturation * (1 - pure))).astype(np.float32)


def sample_palette(rng: np.random.Generator, count: int, mood: str | None = None) -> np.ndarray:
    """(count, 3) sRGB: a ground colour, then others that are told from it."""
    ground = mood or str(rng.choice(list(_MOODS), p=[0.28, 0.12, 0.18, 0.2, 0.12, 0.1]))
    others = {"white": "muted", "dark": "pastel", "pastel": "muted", "neutral": "white"}
    second = others.get(ground, "vivid") if rng.uniform() < 0.6 else "vivid"
    hue = float(rng.uniform())
    spread = float(rng.choice([0.06, 0.5]))
    colours = [sample_colour(rng, ground, hue)]
    colours += [
        sample_colour(rng, second, hue + 0.08 + spread * float(rng.uniform()))
        for _ in range(count - 1)
    ]
    return np.stack(colours)


def fill(grid: Grid, colour: Colour) -> np.ndarray:
    """(S, S, 3) of one colour."""
    return np.broadcast_to(colour.astype(np.float32), (*grid.x.shape, 3)).copy()


def mix(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """``other`` over ``one`` where ``share`` (S, S) is 1."""
    return one + (other - one) * share[..., None]


def stained(colour: np.ndarray, rng: np.random.Generator, coarse: float, fine: float) -> np.ndarray:
    """(S, S, 3) made uneven: slow stains and a grain."""
    size = len(colour)
    grain = fine * rng.standard_normal((size, size), dtype=np.float32)
    return colour * (1 + coarse * fractal_noise(size, rng, 6, 4) + grain)[..., None]


def plain(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """One colour."""
    return fill(grid, palette[0])


def stripes(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Bands of two or three widths, along any direction."""
    period, turn = float(rng.uniform(0.015, 0.14)), float(rng.uniform(0, np.pi))
    across = (np.cos(turn) * grid.x + np.sin(turn) * grid.y) / period % 1
    soft = grid.pixel_m / period
    colour = fill(grid, palette[0])
    edge = 0.0
    for band in palette[1:]:
        edge += float(rng.uniform(0.05, 0.25))
        width = float(rng.uniform(0.08, 0.3))
        inside = width / 2 - np.abs((across - edge + 0.5) % 1 - 0.5)
        colour = mix(colour, band, smooth_step(inside / soft + 0.5))
        edge += width
    return colour


def checks(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Gingham or tartan: bands both ways that shine through each other."""
    period, turn = float(rng.uniform(0.02, 0.16)), float(rng.uniform(0, np.pi))
    share = float(rng.uniform(0.25, 0.55))
    soft = grid.pixel_m / period
    colour = fill(grid, palette[0])
    u = (np.cos(turn) * grid.x + np.sin(turn) * grid.y) / period
    v = (np.cos(turn) * grid.y - np.sin(turn) * grid.x) / period
    for at in (u, v):
        band = smooth_step((share / 2 - np.abs(at % 1 - 0.5)) / soft + 0.5)
        colour = mix(colour, palette[1], 0.5 * band)
        if len(palette) > 2:
            line = smooth_step((0.03 - np.abs(at % 1 - 0.15)) / soft + 0.5)
            colour = mix(colour, palette[2], 0.7 * line)
    return colour


def dots(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Round dots in staggered rows, in the palette's colours by turns."""
    pitch = float(rng.uniform(0.02, 0.09))
    radius = float(rng.uniform(0.12, 0.36))
    row = np.floor(grid.y / pitch)
    u = grid.x / pitch + 0.5 * (row % 2)
    distance = np.hypot(u % 1 - 0.5, grid.y / pitch % 1 - 0.5)
    share = smooth_step((radius - distance) * pitch / grid.pixel_m + 0.5)
    which = ((np.floor(u) + 2 * row) % (len(palette) - 1)).astype(int) + 1
    return mix(fill(grid, palette[0]), palette[which], share)


def motifs(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """A printed cloth: small drawings (stars, hearts, animals, letters) on a repeated tile."""
    tile_m, pixels = float(rng.uniform(0.10, 0.45)), 320
    tile = np.empty((pixels, pixels, 3), np.float32)
    tile[:] = palette[0]
    kinds = rng.choice(len(DRAWINGS), size=2, replace=False)
    count = int(rng.integers(3, 12))
    for k in range(count):
        centre = rng.uniform(0, pixels, 2)
        reach = 0.5 * float(rng.uniform(0.35, 0.6)) * pixels / float(np.sqrt(count))
        turn = float(rng.uniform(-0.6, 0.6))
        shapes = DRAWINGS[int(kinds[k % 2])](rng)
        for dx in (-pixels, 0, pixels):
            for dy in (-pixels, 0, pixels):
                at = np.add(centre, (dx, dy))
                paint(tile, shapes, at, reach, turn, palette[1 + k % (len(palette) - 1)])
    turn = float(rng.integers(4)) * np.pi / 2 + float(rng.normal(0, 0.05))
    u = (np.cos(turn) * grid.x + np.sin(turn) * grid.y) / tile_m * pixels
    v = (np.cos(turn) * grid.y - np.sin(turn) * grid.x) / tile_m * pixels
    return _wrapped(tile, u, v, 0.4 * grid.pixel_m / tile_m * pixels)


def _wrapped(tile: np.ndarray, u: np.ndarray, v: np.ndarray, sigma: float) -> np.ndarray:
    """The tile (N, N, 3), repeated for ever, at columns and rows of (S, S).

    sigma: px; a tile that is seen small would sparkle.
    """
    if sigma > 0.5:
        count = len(tile)
        wide = cv2.GaussianBlur(np.tile(tile, (3, 3, 1)), (0, 0), sigma)
        tile = np.asarray(wide[count : 2 * count, count : 2 * count])
    where = (np.asarray(u, np.float32), np.asarray(v, np.float32))
    return np.asarray(cv2.remap(tile, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def big_scene(grid: Grid, rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """A play mat's picture: large overlapping shapes and drawings, each once."""
    size = len(grid.x)
    colour = fill(grid, palette[0])
    for k in range(int(rng.integers(30, 90))):
        shapes = DRAWINGS[int(rng.integers(len(DRAWINGS)))](rng)
        reach = float(rng.uniform(0.03, 0.2)) / grid.pixel_m
        tone = palette[1 + k % (len(palette) - 1)]
        paint(colour, shapes, rng.uniform(0, size, 2), reach, float(rng.uniform(0, 6.3)), tone)
    return colour


Print = Callable[[Grid, np.random.Generator, np.ndarray], np.ndarray]

PRINTS: tuple[Print, ...] = (plain, stripes, checks, dots, motifs)
"""From a palette (N, 3), N at least 2, to a cloth's colours (S, S, 3)."""
