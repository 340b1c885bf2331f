"""Skin, hair, eyes, cloth, things and the ground where a ray meets them, in Warp's language."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.mesh import FIELDS, GARMENT, INFANT, NOTHING
from aggpose.synthetic.render.light import lit, told_near
from aggpose.synthetic.render.optics import (
    FIRST_TAG,
    GROUND_TAG,
    NO_TAG,
    Glow,
    Hit,
    Job,
    Surface,
    World,
)
from aggpose.synthetic.render.patterns import Look, cloth_colour, fade, folds, mix, noise, step
from aggpose.synthetic.render.texels import Paint, ground

_NOTHING = wp.constant(NOTHING)
_INFANT = wp.constant(INFANT)
_GARMENT = wp.constant(GARMENT)
_GARMENT0 = wp.constant(FIELDS.index("garment0"))
_HAIR = wp.constant(FIELDS.index("hair"))
_LIPS = wp.constant(FIELDS.index("lips"))
_EARS = wp.constant(FIELDS.index("ears"))
_EYELIDS = wp.constant(FIELDS.index("eyelids"))
_NAILS = wp.constant(FIELDS.index("nails"))
_MOUTH = wp.constant(FIELDS.index("mouth"))
_BROWS = wp.constant(FIELDS.index("brows"))
_NOSTRILS = wp.constant(FIELDS.index("nostrils"))
_EYE = wp.constant(FIELDS.index("eye"))
_FLUSH = wp.constant(FIELDS.index("flush"))
_BLOTCH = wp.constant(FIELDS.index("blotch"))
_CREASE = wp.constant(FIELDS.index("crease"))


@wp.struct
class Corner:
    """A place in a triangle: rows of its corners in the fields, and their shares."""

    i: int
    j: int
    k: int
    u: float
    v: float
    w: float


@wp.func
def at(fields: wp.array2d(dtype=float), c: Corner, column: int) -> float:
    return fields[c.i, column] * c.u + fields[c.j, column] * c.v + fields[c.k, column] * c.w


@wp.func
def rest_of(fields: wp.array2d(dtype=float), row: int) -> wp.vec3:
    return wp.vec3(fields[row, 0], fields[row, 1], fields[row, 2])


@wp.func
def _rest(world: World, c: Corner) -> wp.vec3:
    """m, the place at rest."""
    rest = rest_of(world.fields, c.i) * c.u + rest_of(world.fields, c.j) * c.v
    return rest + rest_of(world.fields, c.k) * c.w


@wp.func
def _square(world: World, c: Corner) -> wp.vec3:
    """The triangle's normal at rest, of any length."""
    zero = rest_of(world.fields, c.i)
    along = rest_of(world.fields, c.j) - zero
    return wp.cross(along, rest_of(world.fields, c.k) - zero)


@wp.func
def _skin(
    look: Look, fields: wp.array2d(dtype=float), c: Corner, rest: wp.vec3, foot: float
) -> Paint:
    paint = Paint()
    blotch = at(fields, c, _BLOTCH)
    colour = look.first * (1.0 + 0.03 * blotch)
    red = wp.cw_mul(look.first, wp.vec3(0.92, 0.66, 0.72))
    colour = mix(
        colour, red, wp.clamp(look.flush * at(fields, c, _FLUSH) + 0.05 * blotch, 0.0, 1.0)
    )
    colour = mix(colour, red, 0.35 * at(fields, c, _EYELIDS) + 0.25 * at(fields, c, _EARS))
    nail = wp.cw_mul(look.first, wp.vec3(1.06, 1.10, 1.20)) + wp.vec3(0.03, 0.02, 0.02)
    colour = mix(colour, nail, 0.6 * at(fields, c, _NAILS))
    lips = at(fields, c, _LIPS)
    colour = mix(colour, wp.cw_mul(look.first, wp.vec3(0.74, 0.42, 0.50)), 0.85 * lips)
    colour = (
        colour * (1.0 - 0.75 * at(fields, c, _NOSTRILS)) * (1.0 - 0.35 * at(fields, c, _CREASE))
    )
    colour = mix(colour, wp.vec3(0.22, 0.05, 0.05), step(at(fields, c, _MOUTH) * 2.0 - 0.6))
    brow = at(fields, c, _BROWS)
    if brow > 0.02:
        brow *= 0.75 + 0.25 * fade(0.003, foot) * wp.sin(rest[0] * 2600.0 + rest[2] * 1300.0)
        colour = mix(colour, mix(look.second, look.first, 0.15), wp.clamp(0.8 * brow, 0.0, 1.0))
    paint.colour = colour
    paint.wrap = look.wrap
    paint.shine = look.shine + 0.06 * lips
    paint.gloss = 22.0
    return paint


@wp.func
def _hair(
    look: Look, paint_in: Paint, inside: float, ears: float, rest: wp.vec3, foot: float
) -> Paint:
    """Thin hair in strands from the crown, fading at its line; thicker the more it covers."""
    paint = paint_in
    wave = noise(look.seed + 5, rest * 45.0)
    edge = step((inside + 0.004 + 0.006 * wave) / 0.024) * (1.0 - step(ears * 3.0))
    if edge <= 0.0 or look.hair_cover <= 0.0:
        return paint
    flow = rest[0] * 900.0 + 3.0 * wp.sin(rest[2] * 140.0 + 2.0 * wave) + rest[1] * 260.0
    coarse = fade(0.007, foot) * wp.sin(flow)
    fine = fade(0.003, foot) * wp.sin(rest[0] * 2100.0 - rest[1] * 700.0 + 4.0 * wave)
    strand = 0.5 + 0.28 * coarse + 0.2 * fine + 0.2 * wave
    cover = look.hair_cover
    share = wp.clamp(
        edge * (cover * 1.15 + cover * (1.0 - 0.55 * cover) * (strand - 0.5)), 0.0, 1.0
    )
    paint.colour = mix(paint.colour, look.second * (0.65 + 0.7 * strand), share)
    paint.wrap *= 1.0 - 0.7 * share
    paint.shine = paint.shine * (1.0 - share) + 0.07 * share * strand
    paint.gloss = 22.0 - 8.0 * share
    return paint


@wp.func
def _eye(look: Look, surface: Surface, rest: wp.vec3, foot: float) -> Paint:
    """White, iris and pupil by the angle from straight ahead, which at rest is -y."""
    paint = Paint()
    centre = surface.left_eye
    if rest[0] < 0.0:
        centre = surface.right_eye
    out = rest - centre
    ahead = wp.normalize(out)
    angle = wp.acos(wp.clamp(-ahead[1], -1.0, 1.0)) * 57.29578
    soft = 3.0 + 57.0 * foot / wp.max(wp.length(out), 0.004)
    turn = wp.atan2(ahead[2], ahead[0])
    ray = 0.5 + 0.5 * wp.sin(31.0 * turn + 2.0 * wp.sin(9.0 * turn))
    iris = look.third * (0.75 + 0.6 * ray * step((angle - 14.0) / 14.0))
    iris = iris * (1.0 - 0.65 * step((angle - 29.0) / 7.0))
    colour = mix(
        wp.vec3(0.70, 0.69, 0.70), wp.vec3(0.62, 0.42, 0.38), 0.5 * step((angle - 55.0) / 30.0)
    )
    colour = mix(colour, iris, 1.0 - step((angle - 36.0) / soft + 0.5))
    paint.colour = mix(
        colour, wp.vec3(0.006, 0.006, 0.006), 1.0 - step((angle - 15.0) / soft + 0.5)
    )
    paint.shine = 1.6
    paint.gloss = 180.0
    return paint


@wp.func
def _garment(surface: Surface, n: int) -> int:
    if n == 0:
        return surface.garment0
    if n == 1:
        return surface.garment1
    if n == 2:
        return surface.garment2
    return surface.garment3


@wp.func
def _bumped(
    job: Job, c: Corner, hit: Hit, fields: wp.array2d(dtype=float), slope: wp.vec3, normal: wp.vec3
) -> wp.vec3:
    """The normal over a relief whose gradient at rest is `slope`, carried over to the world."""
    zero = rest_of(fields, c.i)
    one = wp.dot(slope, rest_of(fields, c.j) - zero)
    two = wp.dot(slope, rest_of(fields, c.k) - zero)
    a = wp.mesh_get_point(job.mesh, 3 * hit.face)
    along = wp.mesh_get_point(job.mesh, 3 * hit.face + 1) - a
    aside = wp.mesh_get_point(job.mesh, 3 * hit.face + 2) - a
    area = wp.cross(along, aside)
    square = wp.dot(area, area)
    if square < 1.0e-20:
        return normal
    rise = (wp.cross(aside, area) * one + wp.cross(area, along) * two) / square
    if wp.length(rise) > 1.0:
        rise = wp.normalize(rise)
    return wp.normalize(normal - rise)


@wp.func
def _dressed(
    job: Job,
    hit: Hit,
    normal: wp.vec3,
    surface: Surface,
    world: World,
    c: Corner,
    foot: float,
) -> Paint:
    """A body: garments from the top one down, then hair, skin and eyes where they leave it bare."""
    rest = _rest(world, c)
    square = _square(world, c)
    paint = Paint()
    paint.part = surface.part
    left = wp.float32(1.0)
    dark = wp.float32(1.0)
    slope = wp.vec3(0.0, 0.0, 0.0)
    for m in range(4):
        number = _garment(surface, 3 - m)
        if number >= 0 and left > 0.01:
            inside = at(world.fields, c, _GARMENT0 + 3 - m)
            share = left * wp.clamp(inside / wp.max(foot, 0.0008) + 0.5, 0.0, 1.0)
            if share > 0.0:
                look = world.looks[number]
                colour = cloth_colour(look, rest, square, foot)
                seam = wp.clamp((0.0065 - inside) / wp.max(foot, 0.0008) + 0.5, 0.0, 1.0)
                stitch = 1.0 - 0.25 * fade(0.004, foot) * step(
                    1.0 - wp.abs(inside - 0.0065) / 0.0012
                )
                colour = mix(colour, look.third, seam) * (dark * stitch)
                paint.colour += colour * share
                paint.shine += look.shine * share
                slope += folds(look.seed, rest, foot) * (look.wrinkle * share)
                left -= share
                if inside > 0.0 and paint.part == surface.part:
                    paint.part = _garment_part(surface.part)
            # below an edge it is darker
            dark *= 1.0 - 0.4 * step(1.0 + inside / 0.005) * step(1.0 - inside / 0.002)
    paint.normal = normal
    paint.gloss = 18.0
    if left > 0.01:
        look = world.looks[surface.look]
        bare = Paint()
        if at(world.fields, c, _EYE) > 0.5:
            bare = _eye(look, surface, rest, foot)
        else:
            bare = _skin(look, world.fields, c, rest, foot)
            line = at(world.fields, c, _HAIR)
            bare = _hair(look, bare, line, at(world.fields, c, _EARS), rest, foot)
        paint.colour += bare.colour * (left * dark)
        paint.shine += bare.shine * left
        paint.wrap = bare.wrap * left
        if left > 0.5:
            paint.gloss = bare.gloss
    if left < 0.99:
        paint.normal = _bumped(job, c, hit, world.fields, slope, normal)
    return paint


@wp.func
def _garment_part(part: int) -> int:
    if part == _INFANT:
        return _GARMENT
    return part


@wp.func
def paint(
    job: Job,
    hit: Hit,
    normal: wp.vec3,
    world: World,
) -> Paint:
    """How what was hit looks."""
    found = Paint()
    if hit.tag == NO_TAG:
        found.part = _NOTHING
        found.colour = job.room * 0.55
        return found
    to_eye = job.eye - hit.where
    far = wp.length(to_eye)
    facing = wp.max(wp.abs(wp.dot(to_eye, normal)) / far, 0.12)
    foot = far / (job.focal * wp.sqrt(facing))
    if hit.tag == GROUND_TAG:
        return ground(job, hit, foot)
    surface = world.surfaces[job.first_surface + hit.tag - FIRST_TAG]
    c = Corner()
    c.i = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face)
    c.j = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 1)
    c.k = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 2)
    c.u = hit.u
    c.v = hit.v
    c.w = 1.0 - hit.u - hit.v
    look = world.looks[surface.look]
    if look.kind == 0:
        return _dressed(job, hit, normal, surface, world, c, foot)
    rest = _rest(world, c)
    square = _square(world, c)
    found.part = surface.part
    found.colour = cloth_colour(look, rest, square, foot)
    found.normal = normal
    found.wrap = look.wrap
    found.shine = look.shine
    found.gloss = 16.0
    if look.kind == 2:
        found.gloss = 90.0
    if look.wrinkle > 0.0:
        slope = folds(look.seed, rest, foot) * look.wrinkle
        found.normal = _bumped(job, c, hit, world.fields, slope, normal)
    return found


@wp.func
def radiance(
    job: Job,
    world: World,
    hit: Hit,
    normal: wp.vec3,
    look: Paint,
    pixel: wp.vec2,
    glow: Glow,
) -> wp.vec3:
    """Linear RGB that what was hit sends to the camera. pixel: where its light is looked up."""
    if hit.tag == NO_TAG:
        return look.colour
    told = told_near(job, world, hit.tag, hit.where, normal, pixel, glow)
    return lit(
        job, world, told, hit.where, look.normal, look.colour, look.wrap, look.shine, look.gloss
    )
