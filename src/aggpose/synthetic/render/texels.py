"""The ground where a ray meets it: its pictures seen from above, in Warp's language."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.mesh import GROUND
from aggpose.synthetic.render.optics import Hit, Job

_GROUND = wp.constant(GROUND)


@wp.struct
class Paint:
    """How a place looks: colour linear RGB, normal, and what `light.lit` asks for."""

    part: int
    colour: wp.vec3
    normal: wp.vec3
    wrap: float
    shine: float
    gloss: float


@wp.func
def _mirrored(n: int, size: int) -> int:
    m = n
    if m < 0:
        m = -1 - m
    if m >= size:
        twice = 2 * size
        m = m % twice
        if m >= size:
            m = twice - 1 - m
    return m


@wp.func
def ground(job: Job, hit: Hit, foot: float) -> Paint:
    """The ground's pictures, at the size at which one of their pixels is one of the camera's.

    Half-way between two sizes the pixel throws a coin: cheaper than a mean of both.
    """
    texel = job.ground_side / float(job.ground_size)
    coin = wp.rand_init(23, int(hit.where[0] * 65536.0) * 31 + int(hit.where[1] * 65536.0))
    wanted = wp.log2(wp.max(foot / texel, 1.0)) + 0.35 + 0.3 * wp.randf(coin)
    level = wp.min(int(wanted), job.level.shape[0] - 1)
    first = job.level[level]
    size = job.ground_size >> level
    left = job.ground_column >> level
    top = job.ground_row >> level
    columns = job.ground_columns >> level
    rows = job.ground_rows >> level
    scale = float(size) / job.ground_side
    # the ground is turned: where the place lies in its own frame
    c_turn = job.ground_turn[0]
    s_turn = job.ground_turn[1]
    own_x = c_turn * hit.where[0] + s_turn * hit.where[1]
    own_y = c_turn * hit.where[1] - s_turn * hit.where[0]
    x = (own_x + 0.5 * job.ground_side) * scale - 0.5
    y = (0.5 * job.ground_side - own_y) * scale - 0.5
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    x -= float(column)
    y -= float(row)
    root = wp.vec3(0.0, 0.0, 0.0)
    slope = wp.vec2(0.0, 0.0)
    for k in range(4):
        c = _mirrored(column + (k & 1), size) - left
        r = _mirrored(row + (k >> 1), size) - top
        c = wp.clamp(c, 0, columns - 1)
        r = wp.clamp(r, 0, rows - 1)
        weight = wp.where((k & 1) == 1, x, 1.0 - x) * wp.where(k > 1, y, 1.0 - y)
        cell = first + r * columns + c
        rgb = job.colour[cell]
        two = job.slope[cell]
        root += (
            wp.vec3(float(rgb & 255), float((rgb >> 8) & 255), float((rgb >> 16) & 255)) * weight
        )
        slope += wp.vec2(float((two << 16) >> 16), float(two >> 16)) * weight
    slope = slope * (1.0 / 4096.0)
    paint = Paint()
    paint.colour = wp.cw_mul(root, root) * (1.0 / 65025.0)
    paint.part = _GROUND
    rise_x = c_turn * slope[0] - s_turn * slope[1]
    rise_y = s_turn * slope[0] + c_turn * slope[1]
    paint.normal = wp.normalize(wp.vec3(-rise_x, -rise_y, 1.0))
    paint.shine = job.ground_shine
    paint.gloss = 40.0
    return paint
