"""Floors and foam mats: makers of `prints.Layer`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from aggpose.synthetic.around import prints as pt
from aggpose.synthetic.around.drawings import paint_random
from aggpose.synthetic.around.prints import Grid, Layer, stained

Maker = Callable[[Grid, np.random.Generator], Layer]


def _earthen(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Floors are mostly brown, beige or grey: two in three are turned there, as light as before."""
    if rng.uniform() > 0.66:
        return colour
    warm = pt.sample_colour(rng, "neutral", float(rng.uniform(0.04, 0.13)))
    return np.asarray(warm * colour.max() / warm.max(), dtype=np.float32)


def carpet(grid: Grid, rng: np.random.Generator) -> Layer:
    """Wall to wall: short pile, mottled."""
    size = len(grid.x)
    tone = pt.sample_palette(rng, 1, str(rng.choice(["neutral", "muted", "dark", "pastel"])))[0]
    tone = _earthen(tone, rng)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    trodden = pt.fractal_noise(size, rng, 5, 4)
    share = 1 + 0.09 * grain + 0.04 * trodden
    return Layer(pt.fill(grid, tone) * share[..., None], 0.0006 * grain + 0.002 * trodden)


def wood(grid: Grid, rng: np.random.Generator) -> Layer:
    """Boards or parquet, varnished."""
    size = len(grid.x)
    width, length = float(rng.uniform(0.05, 0.2)), float(rng.uniform(0.35, 1.6))
    row = np.floor(grid.x / width).astype(int)
    shift = rng.uniform(0, 1, 128)[row % 128].astype(np.float32)
    along = grid.y / length + shift
    board = (row * 31 + np.floor(along).astype(int) * 17) % 128
    tone = rng.uniform(0.82, 1.12, 128).astype(np.float32)[board]
    streak = pt.fractal_noise(max(256, size // 4), rng, 60, 3)
    long = cv2.resize(streak[: len(streak) // 12], (size, size), interpolation=cv2.INTER_LINEAR)
    grain = 1 + float(rng.uniform(0.04, 0.12)) * long
    hue, dark = float(rng.uniform(0.045, 0.095)), float(rng.uniform(0.3, 0.95))
    base = pt.sample_colour(rng, "muted", hue)
    base = base / base.max() * dark
    gap_x = (np.abs(grid.x / width % 1 - 0.5) - 0.5) * width + 0.0016
    gap_y = (np.abs(along % 1 - 0.5) - 0.5) * length + 0.0016
    gap = pt.smooth_step(np.maximum(gap_x, gap_y) / 0.0016)
    colour = base * (tone * grain * (1 - 0.45 * gap))[..., None]
    return Layer(colour, -0.0008 * gap + 0.0001 * long, float(rng.uniform(0.05, 0.4)))


def tiles(grid: Grid, rng: np.random.Generator) -> Layer:
    """Stone or vinyl tiles with joints."""
    size = len(grid.x)
    pitch, joint = float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.001, 0.006))
    palette = pt.sample_palette(rng, 3, str(rng.choice(["neutral", "white", "neutral", "dark"])))
    palette[0] = _earthen(palette[0], rng)
    u, v = grid.x / pitch, grid.y / pitch
    which = (np.floor(u) * 13 + np.floor(v) * 7).astype(int)
    tone = rng.uniform(0.92, 1.06, 64).astype(np.float32)[which % 64]
    colour = pt.fill(grid, palette[0])
    if rng.uniform() < 0.25:
        other = (np.floor(u) + np.floor(v)) % 2
        colour = pt.mix(colour, pt.sample_colour(rng, "dark"), other)
    veins = 1 - 0.1 * np.exp(-np.abs(pt.fractal_noise(size, rng, 6, 6)) * 8)
    edge = (0.5 - np.maximum(np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5))) * pitch
    gap = pt.smooth_step((joint - edge) / 0.002 + 0.5)
    colour = pt.mix(colour * (tone * veins)[..., None], 0.7 * palette[0], gap)
    return Layer(stained(colour, rng, 0.02, 0.01), -0.001 * gap, float(rng.uniform(0.1, 0.5)))


def table(grid: Grid, rng: np.random.Generator) -> Layer:
    """A plain painted or plastic surface; also a studio's seamless paper."""
    tone = pt.sample_palette(rng, 1, str(rng.choice(["white", "white", "neutral", "pastel"])))[0]
    colour = stained(pt.fill(grid, tone), rng, 0.015, 0.006)
    return Layer(colour, 0.0002 * pt.fractal_noise(len(grid.x), rng, 4, 2), rng.uniform(0, 0.3))


def grass(grid: Grid, rng: np.random.Generator) -> Layer:
    """A lawn."""
    size = len(grid.x)
    blades = cv2.GaussianBlur(rng.standard_normal((size, size), dtype=np.float32), (0, 0), 0.8)
    blades = np.asarray(blades) * np.float32(2.5)
    tone = pt.sample_colour(rng, "muted", float(rng.uniform(0.2, 0.33)))
    patch = 1 + 0.12 * pt.fractal_noise(size, rng, 8, 4) + 0.2 * blades
    return Layer(tone * patch[..., None].clip(0.2), 0.003 * blades)


def puzzle_mat(grid: Grid, rng: np.random.Generator) -> Layer:
    """Foam tiles with interlocking joints, letters or plain, in several colours."""
    size, pitch = len(grid.x), float(rng.choice([0.3, 0.32, 0.6]))
    shift = rng.uniform(0, pitch, 2)
    u, v = (grid.x + shift[0]) / pitch, (grid.y + shift[1]) / pitch
    teeth, deep = 2 * np.pi * float(rng.integers(3, 7)), 0.035
    # the joints run in a wave with steep flanks
    u2 = u + deep * np.tanh(2.5 * np.sin(teeth * v))
    v2 = v + deep * np.tanh(2.5 * np.sin(teeth * u))
    cell_u, cell_v = np.floor(u2).astype(int), np.floor(v2).astype(int)
    count = int(rng.choice([1, 2, 4, 6]))
    mood = str(rng.choice(["vivid", "vivid", "pastel", "neutral"]))
    palette = np.stack([pt.sample_colour(rng, mood) for _ in range(count)])
    pick = rng.integers(0, count, size=(16, 16))
    if count == 2:
        pick = np.indices((16, 16)).sum(axis=0) % 2
    colour = palette[pick[cell_u % 16, cell_v % 16]]
    if rng.uniform() < 0.55:
        colour = _letters(grid, rng, colour, pitch, shift, palette)
    edge_u, edge_v = (np.minimum(c % 1, 1 - c % 1) * pitch for c in (u2, v2))
    gap = 1 - pt.smooth_step((np.minimum(edge_u, edge_v) - 0.0008) / 0.002)
    colour = colour * (1 - 0.5 * gap)[..., None]
    rough = pt.fractal_noise(size, rng, size // 3, 2)
    height = -0.0012 * gap + 0.0002 * rough
    return Layer(stained(colour, rng, 0.01, 0.015), height, float(rng.uniform(0, 0.12)))


def _letters(
    grid: Grid,
    rng: np.random.Generator,
    colour: np.ndarray,
    pitch: float,
    shift: np.ndarray,
    palette: np.ndarray,
) -> np.ndarray:
    """One letter, number or drawing in the middle of every tile."""
    colour = np.ascontiguousarray(colour, np.float32)
    half, pixel = float(grid.x.max()), grid.pixel_m
    first = np.ceil((-half + shift) / pitch).astype(int) - 1
    for i in range(first[0], first[0] + int(2 * half / pitch) + 3):
        for j in range(first[1], first[1] + int(2 * half / pitch) + 3):
            middle = (np.array([i, j]) + 0.5) * pitch - shift
            at = np.array([(middle[0] + half) / pixel, (half - middle[1]) / pixel])
            tone = palette[int(rng.integers(len(palette)))]
            if rng.uniform() < 0.5 or len(palette) == 1:
                tone = pt.sample_colour(rng, str(rng.choice(["vivid", "dark", "white"])))
            turn = float(rng.integers(4)) * np.pi / 2
            paint_random(colour, rng, at, 0.33 * pitch / pixel, turn, tone)
    return colour


def any_floor(grid: Grid, rng: np.random.Generator) -> Layer:
    makers: tuple[Maker, ...] = (wood, wood, carpet, tiles, table)
    return makers[int(rng.integers(len(makers)))](grid, rng)
