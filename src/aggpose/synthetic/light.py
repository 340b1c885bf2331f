"""How light falls on a place, in Warp's language: shadows of lamps, and the light of the room."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.optics import Job, Lamp

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
def gather(
    job: Job,
    lamps: wp.array(dtype=Lamp),
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
    state = wp.rand_init(17, row * 8192 + column)
    turn = _turn(column, row)
    start = where + normal * _OFF_M
    for n in range(job.lamps):
        lamp = lamps[job.first_lamp + n]
        to = lamp.place - start
        far = wp.length(to)
        to = to / far
        # from behind no light comes; what seeps through skin there needs no shadow
        if wp.dot(normal, to) > 0.0:
            one = _aside(to)
            other = wp.cross(to, one)
            free = wp.float32(0.0)
            distance = wp.float32(0.0)
            for s in range(shadow_rays):
                number = turn * shadow_rays + s
                radius = lamp.radius * wp.sqrt(
                    (float(number) + wp.randf(state)) / float(16 * shadow_rays)
                )
                angle = 6.2831853 * (_radical(number) + 0.07 * wp.randf(state) + 0.31 * float(n))
                aim = lamp.place + one * (radius * wp.cos(angle)) + other * (radius * wp.sin(angle))
                ray = aim - start
                reach = wp.length(ray)
                query = wp.mesh_query_ray(job.mesh, start, ray / reach, reach)
                if query.result:
                    distance += query.t
                else:
                    free += 1.0
            told.seen[n] = free / float(shadow_rays)
            told.blocker[n] = distance / wp.max(float(shadow_rays) - free, 1.0)
    one = _aside(normal)
    other = wp.cross(normal, one)
    sky = wp.float32(0.0)
    mat = wp.float32(0.0)
    for r in range(room_rays):
        number = turn * room_rays + r
        square = (float(number) + wp.randf(state)) / float(16 * room_rays)
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
    told.room = wp.vec3(sky, mat, 0.0) / float(wp.max(room_rays, 1))
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
    lamps: wp.array(dtype=Lamp),
    tag: int,
    where: wp.vec3,
    normal: wp.vec3,
    pixel: wp.vec2,
    tags: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    seen: wp.array(dtype=wp.vec3),
    room: wp.array(dtype=wp.vec3),
) -> Told:
    """The light at a place from the light's picture around `pixel`, from the same surface only.

    tags, places, directions, seen, room: of the light's picture; seen is -1 where nobody asked.
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
        if weight > 0.01 and tags[q] == tag and seen[q][0] >= 0.0:
            alike = wp.dot(directions[q], normal)
            off = wp.abs(wp.dot(places[q] - where, normal))
            if alike > 0.3 and off < 0.004 + near:
                weight *= alike * alike
                told.seen += seen[q] * weight
                told.room += room[q] * weight
                total += weight
    if total > 1.0e-4:
        told.seen = told.seen / total
        told.room = told.room / total
        return told
    return _told_far(
        job, lamps, tag, where, normal, column, row, tags, places, directions, seen, room
    )


@wp.func
def _told_far(
    job: Job,
    lamps: wp.array(dtype=Lamp),
    tag: int,
    where: wp.vec3,
    normal: wp.vec3,
    column: int,
    row: int,
    tags: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    seen: wp.array(dtype=wp.vec3),
    room: wp.array(dtype=wp.vec3),
) -> Told:
    """The light of the nearest place of the same surface a few pixels away, or of own rays."""
    told = Told()
    best = wp.float32(0.02)
    for k in range(_RINGS * _RINGS):
        c = column + k % _RINGS - _RINGS / 2
        r = row + k / _RINGS - _RINGS / 2
        if c >= 0 and c < job.light_width and r >= 0 and r < job.light_height:
            q = job.first_light_pixel + r * job.light_width + c
            if tags[q] == tag and seen[q][0] >= 0.0 and wp.dot(directions[q], normal) > 0.6:
                apart = wp.length(places[q] - where)
                if apart < best:
                    best = apart
                    told.seen = seen[q]
                    told.room = room[q]
    if best < 0.02:
        return told
    return gather(job, lamps, where, normal, column, row, 2, 4)


@wp.func
def lit(
    job: Job,
    lamps: wp.array(dtype=Lamp),
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
        lamp = lamps[job.first_lamp + n]
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
