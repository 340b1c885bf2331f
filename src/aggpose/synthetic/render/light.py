"""How light falls on a place, in Warp's language: shadows of lamps, and the light of the room."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.render.optics import Glow, Job, Lamp, World

_OFF_M = wp.constant(0.0008)  # rays start off the surface
_ROOM_M = wp.constant(0.30)  # what is further away does not darken
_RINGS = wp.constant(7)


@wp.struct
class Told:
    """What a place knows of its light. seen: shares of up to three lamps. blocker: m to what hides
    them, 0 if nothing does. room: shares of the hemisphere: open, the ground; the third is 0."""

    seen: wp.vec3
    blocker: wp.vec3
    room: wp.vec3


@wp.func
def _aside(along: wp.vec3) -> wp.vec3:
    """A unit vector square to a unit vector."""
    helper = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(along[0]) > 0.7:
        helper = wp.vec3(0.0, 1.0, 0.0)
    return wp.normalize(wp.cross(along, helper))


@wp.func
def _turn(column: int, row: int) -> int:
    """0 to 15: the order of ordered dithering; 4 x 4 neighbours ask in 16 different directions."""
    x = column & 3
    y = row & 3
    mixed = x ^ y
    return ((mixed & 1) << 3) | ((y & 1) << 2) | (mixed & 2) | ((y & 2) >> 1)


@wp.func
def _radical(n: int) -> float:
    """Van der Corput's sequence of base 2, for n < 1024."""
    total = wp.float32(0.0)
    share = wp.float32(0.5)
    rest = n
    for _b in range(10):
        if (rest & 1) == 1:
            total += share
        rest = rest >> 1
        share *= 0.5
    return total


@wp.func
def _ask_lamp(
    job: Job,
    lamp: Lamp,
    start: wp.vec3,
    to: wp.vec3,
    turn: int,
    shift: float,
    rays: int,
    state: wp.uint32,
) -> wp.vec2:
    """Share of a lamp that is seen from a place, and m to what hides it. to: unit vector there."""
    one = _aside(to)
    other = wp.cross(to, one)
    free = wp.float32(0.0)
    distance = wp.float32(0.0)
    for s in range(rays):
        number = turn * rays + s
        radius = lamp.radius * wp.sqrt((float(number) + wp.randf(state)) / float(16 * rays))
        angle = 6.2831853 * (_radical(number) + 0.07 * wp.randf(state) + shift)
        aim = one * (radius * wp.cos(angle)) + other * (radius * wp.sin(angle))
        ray = lamp.place + aim - start
        reach = wp.length(ray)
        query = wp.mesh_query_ray(job.mesh, start, ray / reach, reach)
        if query.result:
            distance += query.t
        else:
            free += 1.0
    return wp.vec2(free / float(rays), distance / wp.max(float(rays) - free, 1.0))


@wp.func
def _ask_room(
    job: Job, start: wp.vec3, normal: wp.vec3, turn: int, rays: int, state: wp.uint32
) -> wp.vec3:
    """Shares of the hemisphere, weighted by the cosine, that are open and that show the ground."""
    one = _aside(normal)
    other = wp.cross(normal, one)
    sky = wp.float32(0.0)
    mat = wp.float32(0.0)
    for r in range(rays):
        number = turn * rays + r
        square = (float(number) + wp.randf(state)) / float(16 * rays)
        angle = 6.2831853 * (_radical(number) + 0.07 * wp.randf(state))
        aside = wp.sqrt(square)
        ray = one * (aside * wp.cos(angle)) + other * (aside * wp.sin(angle))
        ray = ray + normal * wp.sqrt(1.0 - square)
        reach = wp.float32(_ROOM_M)
        if ray[2] < -1.0e-4:
            reach = wp.min(reach, -start[2] / ray[2])
        if reach <= 0.0:
            mat += 1.0
        elif not wp.mesh_query_ray_anyhit(job.mesh, start, ray, reach):
            if ray[2] > 0.0:
                sky += 1.0
            else:
                mat += 1.0
    return wp.vec3(sky, mat, 0.0) / float(wp.max(rays, 1))


@wp.func
def gather(
    job: Job,
    world: World,
    where: wp.vec3,
    normal: wp.vec3,
    column: int,
    row: int,
    shadow_rays: int,
    room_rays: int,
) -> Told:
    """Ask with rays. column, row: of the asking pixel; neighbours ask in other directions."""
    told = Told()
    told.seen = wp.vec3(1.0, 1.0, 1.0)
    turn = _turn(column, row)
    start = where + normal * _OFF_M
    for n in range(job.lamps):
        lamp = world.lamps[job.first_lamp + n]
        to = wp.normalize(lamp.place - start)
        # from behind no light comes; what seeps through skin there needs no shadow
        if wp.dot(normal, to) > 0.0:
            state = wp.rand_init(17 + n, row * 8192 + column)
            shift = 0.31 * float(n)
            found = _ask_lamp(job, lamp, start, to, turn, shift, shadow_rays, state)
            told.seen[n] = found[0]
            told.blocker[n] = found[1]
    state = wp.rand_init(31, row * 8192 + column)
    told.room = _ask_room(job, start, normal, turn, room_rays, state)
    return told


@wp.func
def half_shadow(lamp: Lamp, where: wp.vec3, blocker: float) -> float:
    """m, how wide the edge of a shadow is, thrown from `blocker` metres away (Fernando 2005)."""
    if blocker <= 0.0:
        return 0.0
    far = wp.length(lamp.place - where)
    return 2.0 * lamp.radius * blocker / wp.max(far - blocker, 0.05)


@wp.func
def told_near(
    job: Job,
    world: World,
    tag: int,
    where: wp.vec3,
    normal: wp.vec3,
    pixel: wp.vec2,
    glow: Glow,
) -> Told:
    """The light at a place from the light's picture around `pixel`, from the same surface only.
    Thin things may have none of their own there; they ask with rays.
    """
    told = Told()
    x = pixel[0] / float(job.step)
    y = pixel[1] / float(job.step)
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    total = wp.float32(0.0)
    near = wp.length(where - job.eye) / job.focal * float(job.step)
    for k in range(4):
        c = wp.clamp(column + (k & 1), 0, job.light_width - 1)
        r = wp.clamp(row + (k >> 1), 0, job.light_height - 1)
        q = job.first_light_pixel + r * job.light_width + c
        weight = wp.max(1.0 - wp.abs(x - float(c)), 0.0) * wp.max(1.0 - wp.abs(y - float(r)), 0.0)
        if weight > 0.01 and glow.tags[q] == tag and glow.seen[q][0] >= 0.0:
            alike = wp.dot(glow.directions[q], normal)
            off = wp.abs(wp.dot(glow.places[q] - where, normal))
            if alike > 0.3 and off < 0.004 + near:
                weight *= alike * alike
                told.seen += glow.seen[q] * weight
                told.room += glow.room[q] * weight
                total += weight
    if total > 1.0e-4:
        told.seen = told.seen / total
        told.room = told.room / total
        return told
    return _told_far(job, world, tag, where, normal, column, row, glow)


@wp.func
def _told_far(
    job: Job,
    world: World,
    tag: int,
    where: wp.vec3,
    normal: wp.vec3,
    column: int,
    row: int,
    glow: Glow,
) -> Told:
    """The light of the nearest place of the same surface a few pixels away, or of own rays."""
    told = Told()
    best = wp.float32(0.02)
    for k in range(_RINGS * _RINGS):
        c = column + k % _RINGS - _RINGS / 2
        r = row + k / _RINGS - _RINGS / 2
        if c >= 0 and c < job.light_width and r >= 0 and r < job.light_height:
            q = job.first_light_pixel + r * job.light_width + c
            own = glow.tags[q] == tag and glow.seen[q][0] >= 0.0
            if own and wp.dot(glow.directions[q], normal) > 0.6:
                apart = wp.length(glow.places[q] - where)
                if apart < best:
                    best = apart
                    told.seen = glow.seen[q]
                    told.room = glow.room[q]
    if best < 0.02:
        return told
    return gather(job, world, where, normal, column, row, 2, 4)


@wp.func
def lit(
    job: Job,
    world: World,
    told: Told,
    where: wp.vec3,
    normal: wp.vec3,
    colour: wp.vec3,
    wrap: float,
    shine: float,
    gloss: float,
) -> wp.vec3:
    """Linear RGB that leaves a place towards the camera.

    wrap: light that enters skin comes out beyond the edge of the shadow, redder. gloss: exponent
    of the highlight (Blinn 1977).
    """
    to_eye = wp.normalize(job.eye - where)
    spread = wp.vec3(0.30, 0.14, 0.10) * wrap
    direct = wp.vec3(0.0, 0.0, 0.0)
    bright = wp.vec3(0.0, 0.0, 0.0)
    for n in range(job.lamps):
        lamp = world.lamps[job.first_lamp + n]
        to = lamp.place - where
        square = wp.dot(to, to)
        to = to / wp.sqrt(square)
        power = lamp.colour * (told.seen[n] * wp.dot(lamp.place, lamp.place) / square)
        cosine = wp.dot(normal, to)
        direct += wp.vec3(
            power[0] * wp.max(cosine + spread[0], 0.0) / (1.0 + spread[0]),
            power[1] * wp.max(cosine + spread[1], 0.0) / (1.0 + spread[1]),
            power[2] * wp.max(cosine + spread[2], 0.0) / (1.0 + spread[2]),
        )
        if shine > 0.0 and cosine > 0.0:
            middle = wp.max(wp.dot(normal, wp.normalize(to + to_eye)), 0.0)
            bright += power * (shine * wp.pow(middle, gloss))
    around = job.room * told.room[0] + job.bounce * told.room[1]
    # what hides the room sends its own light, tinted as the place itself
    shut = wp.max(1.0 - told.room[0] - told.room[1], 0.0)
    around += wp.cw_mul(colour, job.room + job.bounce) * (0.45 * shut)
    return wp.cw_mul(colour, direct + around) + bright
