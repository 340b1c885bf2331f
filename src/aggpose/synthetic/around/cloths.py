"""Cloths, rugs and pads, with what they lie on: makers of `prints.Layer`."""

from __future__ import annotations

import numpy as np

from aggpose.synthetic.around import prints as pt
from aggpose.synthetic.around.floors import Maker, any_floor, grass
from aggpose.synthetic.around.prints import Grid, Layer, stained


def _weave(grid: Grid, rng: np.random.Generator, depth_m: float = 0.0001) -> np.ndarray:
    return depth_m * rng.standard_normal(grid.x.shape, dtype=np.float32)


def _creases(grid: Grid, rng: np.random.Generator, count: int, depth_m: float) -> np.ndarray:
    """Long soft ridges, as of a cloth that was folded and smoothed by hand."""
    half = float(grid.x.max())
    total = np.zeros_like(grid.x)
    for _ in range(count):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-half, half) * 0.7
        bend, width = rng.uniform(-1.2, 1.2), rng.uniform(0.005, 0.022)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along = c * grid.x + s * grid.y
        across = c * grid.y - s * grid.x - np.float32(offset)
        across += np.float32(bend * 0.5) * along**2
        middle, reach = rng.uniform(-half, half) * 0.6, rng.uniform(0.08, 0.4)
        away = ((along - np.float32(middle)) / reach) ** 2 + (across / width) ** 2
        total += np.float32(depth_m * rng.uniform(0.3, 1)) * np.exp(-away.clip(0, 30))
    return total


def sheet(grid: Grid, rng: np.random.Generator) -> Layer:
    """A printed or plain bed sheet with folds."""
    size = len(grid.x)
    palette = pt.sample_palette(rng, int(rng.integers(2, 5)))
    draw = pt.PRINTS[int(rng.choice(len(pt.PRINTS), p=[0.3, 0.15, 0.15, 0.15, 0.25]))]
    rough = float(rng.uniform(0.2, 1.3))
    cells = max(2, round(2.5 * float(np.ptp(grid.x))))
    height = 0.004 * rough * pt.fractal_noise(size, rng, cells, 5, 0.45)
    height += _creases(grid, rng, int(rng.integers(4, 14)), 0.0035 * rough) + _weave(grid, rng)
    return Layer(stained(draw(grid, rng, palette), rng, 0.015, 0.025), height)


def fitted_sheet(grid: Grid, rng: np.random.Generator) -> Layer:
    """A cot's fitted sheet: nearly flat, tension lines to the sides, the mattress's edge around."""
    size = len(grid.x)
    palette = pt.sample_palette(rng, 3, "white" if rng.uniform() < 0.5 else None)
    draw = pt.PRINTS[int(rng.choice(len(pt.PRINTS), p=[0.45, 0.1, 0.1, 0.15, 0.2]))]
    colour = stained(draw(grid, rng, palette), rng, 0.012, 0.02)
    half = np.array([rng.uniform(0.29, 0.38), rng.uniform(0.58, 0.7)], np.float32)
    inside = np.minimum(half[0] - np.abs(grid.x), half[1] - np.abs(grid.y))
    pull = np.sin(grid.y * float(rng.uniform(60, 140)) + 2 * pt.fractal_noise(size, rng, 4, 2))
    height = 0.0012 * pull * np.exp(-((np.maximum(inside, 0) / 0.06) ** 2))
    height += 0.0016 * pt.fractal_noise(size, rng, 5, 4) + _weave(grid, rng)
    outside = pt.smooth_step(-inside / 0.015)
    below = pt.sample_colour(rng, str(rng.choice(["white", "neutral", "dark"])))
    shade = 0.35 + 0.4 * pt.smooth_step(-inside / 0.1)
    return Layer(pt.mix(colour, shade[..., None] * below, outside), height * (1 - outside))


def quilt(grid: Grid, rng: np.random.Generator) -> Layer:
    """Patches or one print, quilted: puffed fields between seams."""
    size = len(grid.x)
    pitch = float(rng.uniform(0.05, 0.16))
    turn = np.pi / 4 * int(rng.integers(2))
    u = (np.cos(turn) * grid.x + np.sin(turn) * grid.y) / pitch
    v = (np.cos(turn) * grid.y - np.sin(turn) * grid.x) / pitch
    puff = np.sqrt(np.abs(np.sin(np.pi * u) * np.sin(np.pi * v)) + 1e-4)
    palette = pt.sample_palette(rng, 6)
    if rng.uniform() < 0.6:
        which = rng.integers(0, 6, size=(97, 97))
        cell = which[np.floor(u).astype(int) % 97, np.floor(v).astype(int) % 97]
        colour = palette[cell]
        printed = pt.PRINTS[int(rng.integers(1, 5))](grid, rng, palette[::-1])
        colour = pt.mix(colour, printed, (cell % 3 == 0).astype(np.float32))
    else:
        colour = pt.PRINTS[int(rng.integers(5))](grid, rng, palette[:3])
    height = float(rng.uniform(0.004, 0.014)) * puff + 0.002 * pt.fractal_noise(size, rng, 4, 5)
    return Layer(stained(colour * (0.82 + 0.18 * puff)[..., None], rng, 0.015, 0.025), height)


def fleece(grid: Grid, rng: np.random.Generator) -> Layer:
    """A fluffy blanket or faux fur: deep soft pile."""
    size = len(grid.x)
    colour = pt.fill(grid, pt.sample_palette(rng, 1)[0])
    pile = pt.fractal_noise(size, rng, int(float(np.ptp(grid.x)) / rng.uniform(0.01, 0.05)), 4, 0.6)
    deep = float(rng.uniform(0.0008, 0.003))
    height = deep * pile + 0.005 * pt.fractal_noise(size, rng, 4, 3)
    return Layer(
        stained(colour * (1 + 0.07 * pile.clip(-2, 2))[..., None], rng, 0.03, 0.03), height
    )


def rug(grid: Grid, rng: np.random.Generator) -> Layer:
    """A woven rug with borders and a field of medallions, lying on a floor."""
    palette = pt.sample_palette(rng, 5, str(rng.choice(["dark", "muted", "vivid", "neutral"])))
    half = np.array([rng.uniform(0.5, 1.0), rng.uniform(0.6, 1.4)], np.float32)
    at = rng.uniform(-0.25, 0.25, 2).astype(np.float32)
    inside = np.minimum(half[0] - np.abs(grid.x - at[0]), half[1] - np.abs(grid.y - at[1]))
    pitch = float(rng.uniform(0.12, 0.4))
    u, v = ((g - a) / pitch % 1 - 0.5 for g, a in ((grid.x, at[0]), (grid.y, at[1])))
    ring = np.hypot(u, v) + 0.06 * np.cos(float(rng.integers(4, 9)) * np.arctan2(v, u))
    colour = palette[(ring * float(rng.uniform(4, 9))).astype(int) % 3]
    for k, edge in enumerate(np.sort(rng.uniform(0.02, 0.2, 3))[::-1]):
        colour = pt.mix(colour, palette[(k + 2) % 5], (inside < edge).astype(np.float32))
    pile = rng.standard_normal(grid.x.shape, dtype=np.float32)
    colour = stained(colour * (1 + 0.06 * pile)[..., None], rng, 0.03, 0.02)
    return _over(any_floor(grid, rng), Layer(colour, 0.0005 * pile), inside, 0.006)


def picture_mat(grid: Grid, rng: np.random.Generator) -> Layer:
    """A rolled-out play mat with a large picture, on a floor."""
    palette = pt.sample_palette(rng, 7, str(rng.choice(["vivid", "pastel", "neutral", "white"])))
    colour = pt.big_scene(grid, rng, palette)
    half = np.array([rng.uniform(0.4, 1.0), rng.uniform(0.5, 1.0)], np.float32)
    if rng.uniform() < 0.3:
        inside = half[1] - np.hypot(grid.x, grid.y)
    else:
        inside = np.minimum(half[0] - np.abs(grid.x), half[1] - np.abs(grid.y))
    height = 0.0008 * pt.fractal_noise(len(grid.x), rng, 8, 3)
    layer = Layer(stained(colour, rng, 0.01, 0.012), height, float(rng.uniform(0, 0.15)))
    return _over(any_floor(grid, rng), layer, inside, 0.008)


def medical(grid: Grid, rng: np.random.Generator) -> Layer:
    """Paper or a towel over an examination couch: a strip with cross folds."""
    size = len(grid.x)
    towel = rng.uniform() < 0.5
    tone = pt.sample_palette(rng, 1, "pastel" if towel else "white")[0]
    fold = float(rng.uniform(0.09, 0.2))
    line = np.exp(-((((grid.y / fold) % 1 - 0.5) * fold / 0.004) ** 2))
    if towel:
        loops = np.sin(grid.x * 900) * np.sin(grid.y * 900) * 0.0004
        height = 0.003 * pt.fractal_noise(size, rng, 4, 4) + loops + _weave(grid, rng, 0.0003)
    else:
        height = (
            0.001 * line + 0.0018 * np.abs(pt.fractal_noise(size, rng, 7, 5)) - _weave(grid, rng)
        )
    colour = pt.fill(grid, tone)
    layer = Layer(stained(colour, rng, 0.01, 0.02), height)
    inside = float(rng.uniform(0.22, 0.45)) - np.abs(grid.x)
    couch = Layer(
        stained(pt.fill(grid, pt.sample_colour(rng, "muted")), rng, 0.01, 0.01),
        np.zeros_like(height),
        0.2,
    )
    return _over(couch, layer, inside, 0.001)


def changing_mat(grid: Grid, rng: np.random.Generator) -> Layer:
    """A wipeable padded mat with raised sides on a table or floor."""
    palette = pt.sample_palette(rng, 4, str(rng.choice(["pastel", "white", "vivid"])))
    draw = pt.PRINTS[int(rng.choice([0, 3, 4]))]
    half = np.array([rng.uniform(0.24, 0.32), rng.uniform(0.36, 0.48)], np.float32)
    qx, qy = np.abs(grid.x) - half[0] + 0.06, np.abs(grid.y) - half[1] + 0.06
    outside = np.hypot(qx.clip(0), qy.clip(0)) + np.minimum(np.maximum(qx, qy), 0) - 0.06
    height = 0.05 * pt.smooth_step((np.abs(grid.x) - half[0] + 0.09) / 0.07)
    height += 0.0012 * pt.fractal_noise(len(grid.x), rng, 5, 3)
    layer = Layer(draw(grid, rng, palette), height, float(rng.uniform(0.1, 0.35)))
    return _over(any_floor(grid, rng), layer, -outside, 0.02)


def picnic(grid: Grid, rng: np.random.Generator) -> Layer:
    """A checked cloth on grass."""
    palette = pt.sample_palette(rng, 3)
    layer = Layer(
        stained(pt.checks(grid, rng, palette), rng, 0.02, 0.03),
        0.006 * pt.fractal_noise(len(grid.x), rng, 5, 5, 0.45) + _creases(grid, rng, 6, 0.004),
    )
    return _over(grass(grid, rng), layer, _outline(grid, rng), 0.004)


def sofa(grid: Grid, rng: np.random.Generator) -> Layer:
    """Upholstery: cushions with seams and piping."""
    size = len(grid.x)
    tone = pt.sample_palette(rng, 2, str(rng.choice(["dark", "neutral", "muted"])))
    pitch = float(rng.uniform(0.5, 0.8))
    u, v = (grid.x / pitch + 0.5) % 1 - 0.5, (grid.y / 0.8 + 0.5) % 1 - 0.5
    edge = np.minimum((0.5 - np.abs(u)) * pitch, (0.5 - np.abs(v)) * 0.8)
    height = 0.03 * pt.smooth_step(edge / 0.07) + 0.003 * pt.fractal_noise(size, rng, 4, 5)
    height += _creases(grid, rng, 5, 0.003) + _weave(grid, rng, 0.0003)
    share = 0.35 + 0.65 * pt.smooth_step(edge / 0.02)
    return Layer(stained(pt.fill(grid, tone[0]), rng, 0.05, 0.05) * share[..., None], height)


def cloth_on_floor(grid: Grid, rng: np.random.Generator) -> Layer:
    """Any cloth with its edges in view, on any floor."""
    makers: tuple[Maker, ...] = (sheet, sheet, quilt, fleece)
    layer = makers[int(rng.integers(len(makers)))](grid, rng)
    return _over(any_floor(grid, rng), layer, _outline(grid, rng), 0.006)


def _outline(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """(S, S) m inside a cloth's edge: a rectangle that was thrown down."""
    half = np.array([rng.uniform(0.35, 0.8), rng.uniform(0.4, 0.9)])
    turn = rng.normal(0, 0.25)
    at = rng.uniform(-0.12, 0.12, 2)
    x = np.cos(turn) * (grid.x - at[0]) + np.sin(turn) * (grid.y - at[1])
    y = np.cos(turn) * (grid.y - at[1]) - np.sin(turn) * (grid.x - at[0])
    qx, qy = np.abs(x) - half[0] + 0.04, np.abs(y) - half[1] + 0.04
    outside = np.hypot(qx.clip(0), qy.clip(0)) + np.minimum(np.maximum(qx, qy), 0) - 0.04
    wobble = float(rng.uniform(0.002, 0.015)) * pt.fractal_noise(len(x), rng, 5, 3)
    return np.asarray(-(outside + wobble), dtype=np.float32)


def _over(floor: Layer, cloth: Layer, inside: np.ndarray, thick_m: float) -> Layer:
    """A cloth of that thickness on a floor, shading it near its edge. inside: (S, S) m."""
    pixel = float(np.median(np.abs(np.diff(inside[:: len(inside) // 64 + 1])))) + 1e-5
    share = pt.smooth_step(inside / (2 * pixel) + 0.5)
    shade = 1 - 0.45 * np.exp(-np.maximum(-inside, 0) / (0.01 + 1.5 * thick_m))
    hem = pt.smooth_step(inside / (0.004 + thick_m))
    colour = pt.mix(floor.colour * shade[..., None], cloth.colour, share)
    height = floor.height * (1 - share) + share * (thick_m * hem + cloth.height * hem)
    return Layer(colour, height, cloth.shine)
