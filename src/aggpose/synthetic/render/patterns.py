"""Cloth, prints and wrinkles as functions of the place at rest, in Warp's language.

All edges are drawn as wide as a pixel (`foot`, m on the surface), so that nothing flickers; what
is finer than a pixel fades into its mean.
"""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

PATTERNS = ("plain", "stripes", "dots", "checks", "print")


@wp.struct
class Look:
    """A `mesh.Material`. kind: 0 skin, 1 cloth, 2 hard. first, second, third: its colours.
    pattern: index of `PATTERNS`. cosine, sine: of its angle."""

    kind: int
    pattern: int
    seed: int
    first: wp.vec3
    second: wp.vec3
    third: wp.vec3
    period: float
    cosine: float
    sine: float
    wrinkle: float
    shine: float
    wrap: float
    hair_cover: float
    flush: float


@wp.func
def step(value: float) -> float:
    """A smooth step from 0 at 0 to 1 at 1."""
    t = wp.clamp(value, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def mix(one: wp.vec3, other: wp.vec3, share: float) -> wp.vec3:
    return one + (other - one) * share


@wp.func
def fade(period: float, foot: float) -> float:
    """1 while a pattern of this period can be seen, 0 when it is finer than the pixels."""
    return step((period / wp.max(foot, 1.0e-6) - 1.2) / 1.8)


@wp.func
def hashed(seed: int, a: int, b: int) -> wp.uint32:
    return wp.rand_init(seed * 7919 + 101, a * 92821 + b * 68917 + 40503)


@wp.func
def noise(seed: int, at: wp.vec3) -> float:
    return wp.noise(wp.rand_init(seed), at)


@wp.func
def flat_place(rest: wp.vec3, square: wp.vec3) -> wp.vec2:
    """(2,) m on the cloth, from front or back (x, z), from a side (y, z) or from the end (x, y).

    Where they meet lies a seam, as on clothes that were sewn.
    """
    x = wp.abs(square[0])
    y = wp.abs(square[1])
    z = wp.abs(square[2])
    if z > 1.3 * wp.max(x, y):
        return wp.vec2(rest[0], rest[1])
    if x > 1.7 * y:
        return wp.vec2(rest[1], rest[2])
    return wp.vec2(rest[0], rest[2])


@wp.func
def _stripe(across: float, period: float, foot: float) -> float:
    """Share of the second colour: half of every period."""
    part = across / period
    part = wp.abs(part - wp.floor(part) - 0.5) * period - 0.25 * period
    sharp = wp.clamp(part / wp.max(foot, 0.0007) + 0.5, 0.0, 1.0)
    return 0.5 + (sharp - 0.5) * fade(period, foot)


@wp.func
def _motif(kind: int, p: wp.vec2) -> float:
    """Signed distance, of about 1 in size, to a little figure; negative inside."""
    r = wp.length(p)
    angle = wp.atan2(p[1], p[0])
    if kind == 0:  # star
        return r - 0.62 - 0.26 * wp.cos(5.0 * angle)
    if kind == 1:  # heart
        x = wp.abs(p[0])
        y = p[1] + 0.15 - 0.75 * wp.sqrt(x + 0.01)
        return wp.sqrt(x * x + 1.2 * y * y) - 0.75
    if kind == 2:  # ring
        return wp.abs(r - 0.62) - 0.2
    if kind == 3:  # cloud or bear: three bows
        a = wp.length(p - wp.vec2(0.5, 0.35)) - 0.38
        b = wp.length(p - wp.vec2(-0.5, 0.35)) - 0.38
        return wp.min(wp.min(a, b), wp.length(p + wp.vec2(0.0, 0.15)) - 0.62)
    if kind == 4:  # leaf
        return wp.max(
            wp.length(p - wp.vec2(0.45, 0.0)) - 0.85, wp.length(p + wp.vec2(0.45, 0.0)) - 0.85
        )
    return r - 0.6 - 0.14 * wp.cos(6.0 * angle)  # flower


@wp.func
def _print(look: Look, at: wp.vec2, foot: float) -> wp.vec3:
    """Little figures, one in each cell, turned and shifted, of two colours and their mean."""
    x = at[0] / look.period
    y = at[1] / look.period
    row = int(wp.floor(y))
    x += 0.5 * float(row & 1)
    column = int(wp.floor(x))
    state = hashed(look.seed, column, row)
    kind = look.seed + int(wp.randf(state) * 2.5)
    kind = kind - 6 * (kind / 6)
    angle = (wp.randf(state) - 0.5) * 1.6
    size = 0.24 + 0.10 * wp.randf(state)
    px = (x - float(column) - 0.5 + 0.24 * (wp.randf(state) - 0.5)) / size
    py = (y - float(row) - 0.5 + 0.24 * (wp.randf(state) - 0.5)) / size
    turned = wp.vec2(
        wp.cos(angle) * px + wp.sin(angle) * py, wp.cos(angle) * py - wp.sin(angle) * px
    )
    distance = _motif(kind, turned) * size * look.period
    inside = wp.clamp(0.5 - distance / wp.max(foot, 0.0006), 0.0, 1.0)
    pick = wp.randf(state)
    ink = look.second
    if pick > 0.62:
        ink = mix(look.second, look.third, 0.5)
    if pick > 0.85:
        ink = look.third
    share = 0.22 + (inside - 0.22) * fade(look.period * 0.5, foot)
    return mix(look.first, ink, share)


@wp.func
def cloth_colour(look: Look, rest: wp.vec3, square: wp.vec3, foot: float) -> wp.vec3:
    """Linear RGB of cloth at a place. square: its normal at rest."""
    colour = look.first
    if look.pattern > 0:
        flat = flat_place(rest, square)
        at = wp.vec2(
            flat[0] * look.cosine - flat[1] * look.sine, flat[0] * look.sine + flat[1] * look.cosine
        )
        if look.pattern == 1:
            colour = mix(look.first, look.second, _stripe(at[1], look.period, foot))
        elif look.pattern == 2:
            x = at[0] / look.period
            y = at[1] / look.period
            row = int(wp.floor(y))
            x += 0.5 * float(row & 1)
            px = x - wp.floor(x) - 0.5
            py = y - wp.floor(y) - 0.5
            away = (0.27 - wp.sqrt(px * px + py * py)) * look.period
            dot = wp.clamp(away / wp.max(foot, 0.0007) + 0.5, 0.0, 1.0)
            dot = 0.23 + (dot - 0.23) * fade(look.period * 0.5, foot)
            colour = mix(look.first, look.second, dot)
        elif look.pattern == 3:
            one = _stripe(at[0], look.period, foot)
            other = _stripe(at[1], look.period, foot)
            colour = mix(look.first, look.second, 0.5 * (one + other))
        else:
            colour = _print(look, at, foot)
    # washed and worn, and the threads where the camera is near
    slow = wp.sin(29.0 * rest[2] - 37.0 * rest[0] + 21.0 * rest[1] + float(look.seed & 255))
    worn = 1.0 + 0.03 * slow
    thread = fade(0.0016, foot)
    if thread > 0.0:
        worn += thread * 0.05 * (wp.sin(rest[0] * 4200.0) + wp.sin((rest[2] + rest[1]) * 4200.0))
    return colour * worn


@wp.func
def folds(seed: int, rest: wp.vec3, foot: float) -> wp.vec3:
    """Gradient at rest of small wrinkles, of about unit size: warped waves of 25 to 90 mm."""
    s = 0.37 * float(seed & 1023)
    total = wp.vec3(0.0, 0.0, 0.0)
    bend = 1.5 * wp.sin(31.0 * rest[0] + 23.0 * rest[2] + s)
    one = wp.vec3(0.35, 0.40, 0.85)
    two = wp.vec3(0.80, -0.30, -0.52)
    three = wp.vec3(-0.55, 0.60, 0.58)
    four = wp.vec3(0.15, 0.75, -0.64)
    total += one * wp.cos(88.0 * wp.dot(rest, one) + bend + 1.3 * s)
    total += two * wp.cos(117.0 * wp.dot(rest, two) - bend + 2.1 * s)
    total += three * (0.8 * wp.cos(164.0 * wp.dot(rest, three) + 1.6 * bend + 2.9 * s))
    fine = 0.7 * fade(0.026, foot)
    total += four * (fine * wp.cos(240.0 * wp.dot(rest, four) - 2.2 * bend + 3.7 * s))
    # strong here and absent there, as cloth is
    return total * (0.35 + 1.1 * step(0.5 + 0.5 * wp.sin(19.0 * rest[2] - 27.0 * rest[0] + bend)))
