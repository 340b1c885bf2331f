"""More rays where one a pixel is not enough, edges and what moves, in Warp's language.

A further ray takes the colour that the same place already has in the picture, if it has one there
(Chajdas et al. 2011, subpixel reconstruction), so most of them cost no shading.
"""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.mesh import GARMENT, INFANT, WORN
from aggpose.synthetic.render.optics import (
    FAR_M,
    FIRST_TAG,
    GROUND_TAG,
    NO_TAG,
    OPTIONS,
    Film,
    Glow,
    Hit,
    Job,
    More,
    World,
    beside,
    cast,
    flat_normal,
    offset,
    pixel_of,
    ray_of,
    smooth_normal,
)
from aggpose.synthetic.render.shading import paint, radiance

wp.set_module_options(OPTIONS)

_INFANT = wp.constant(INFANT)
_GARMENT = wp.constant(GARMENT)
_WORN = wp.constant(WORN)
_TOUCH_M = wp.constant(0.002)  # what is nearer to a point touches it


@wp.func
def moved(job: Job, world: World, hit: Hit) -> wp.vec3:
    """m, how far a place goes during the exposure."""
    i = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face)
    j = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 1)
    k = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 2)
    way = world.motion[i] * hit.u + world.motion[j] * hit.v
    return way + world.motion[k] * (1.0 - hit.u - hit.v)


@wp.kernel
def mark_edges(jobs: wp.array(dtype=Job), film: Film):
    """Pixels beside another surface, beside a step in depth, or in a sharp fold."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    x = i % job.width
    y = i / job.width
    left = at - wp.where(x > 0, 1, 0)
    right = at + wp.where(x < job.width - 1, 1, 0)
    above = at - wp.where(y > 0, job.width, 0)
    below = at + wp.where(y < job.height - 1, job.width, 0)
    tag = film.tags[at]
    edge = film.tags[left] != tag or film.tags[right] != tag
    edge = edge or film.tags[above] != tag or film.tags[below] != tag
    if not edge and tag >= FIRST_TAG:
        # planes are straight in the inverse of depth
        here = 2.0 / film.depths[at]
        across = wp.abs(1.0 / film.depths[left] + 1.0 / film.depths[right] - here)
        down = wp.abs(1.0 / film.depths[above] + 1.0 / film.depths[below] - here)
        edge = wp.max(across, down) * film.depths[at] > 6.0 / job.focal
        normal = film.directions[at]
        edge = edge or wp.dot(normal, film.directions[right]) < 0.3
        edge = edge or wp.dot(normal, film.directions[below]) < 0.3
    film.wanted[at] = wp.uint8(wp.where(edge, 1, 0))


@wp.kernel
def mark_moving(
    jobs: wp.array(dtype=Job), world: World, film: Film, furthest: wp.array(dtype=wp.int32)
):
    """Pixels over which something goes during the exposure, and the longest way, px."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    if film.tags[at] < FIRST_TAG:
        return
    hit = Hit()
    hit.face = film.faces[at]
    hit.u = film.barys[at][0]
    hit.v = film.barys[at][1]
    way = moved(job, world, hit) * 0.5
    start = pixel_of(job, film.places[at] - way)
    way2 = pixel_of(job, film.places[at] + way) - start
    far = wp.length(way2)
    if far < 0.6:
        return
    wp.atomic_max(furthest, 0, int(wp.ceil(far)))
    steps = wp.min(int(far) + 2, 96)
    for n in range(steps):
        here = start + way2 * (float(n) / float(steps - 1))
        x = int(wp.floor(here[0]))
        y = int(wp.floor(here[1]))
        for k in range(4):
            c = x + (k & 1)
            r = y + (k >> 1)
            if c >= 0 and c < job.width and r >= 0 and r < job.height:
                film.wanted[job.first_pixel + r * job.width + c] = wp.uint8(1)


@wp.func
def _known(job: Job, tag: int, where: wp.vec3, pixel: wp.vec2, film: Film) -> int:
    """The pixel next to `pixel` that shows this place, or -1."""
    x = int(wp.floor(pixel[0] + 0.5))
    y = int(wp.floor(pixel[1] + 0.5))
    best = wp.length(where - job.eye) / job.focal * 1.6
    found = wp.int32(-1)
    for k in range(9):
        c = x + k % 3 - 1
        r = y + k / 3 - 1
        if c >= 0 and c < job.width and r >= 0 and r < job.height:
            other = job.first_pixel + r * job.width + c
            if film.tags[other] == tag:
                apart = wp.length(film.places[other] - where)
                if apart < best:
                    best = apart
                    found = other
    return found


@wp.func
def _given(job: Job, world: World, ray: wp.vec3, more: More, s: int, at: int) -> Hit:
    """What `raster` has found for a further ray."""
    hit = Hit()
    hit.distance = more.distances[s, at]
    hit.face = more.faces[s, at]
    hit.where = job.eye + ray * hit.distance
    hit.flat = -ray
    if hit.face >= 0:
        hit.tag = FIRST_TAG + world.face_surface[job.first_face + hit.face]
        hit.u = more.barys[s, at][0]
        hit.v = more.barys[s, at][1]
        hit.flat = flat_normal(job, hit.face, ray)
    elif hit.distance < FAR_M:
        hit.tag = GROUND_TAG
        hit.flat = wp.vec3(0.0, 0.0, 1.0)
    return hit


@wp.kernel
def sample(
    jobs: wp.array(dtype=Job),
    world: World,
    glow: Glow,
    time: float,
    moving: int,
    first: int,
    count: int,
    given: int,
    more: More,
    film: Film,
):
    """Rays `first` to `first + count` of every pixel that is wanted, added to its sums.

    The meshes are as they are at `time` of the exposure; colours are those of its middle. given: 1
    where `raster` has already found what the rays meet.
    """
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    if film.wanted[at] == wp.uint8(0):
        return
    total = wp.vec3(0.0, 0.0, 0.0)
    infant = wp.float32(0.0)
    for s in range(count):
        by = offset(first + s)
        pixel = wp.vec2(float(i % job.width) + by[0], float(i / job.width) + by[1])
        hit = Hit()
        if given == 0:
            hit = cast(job, world, ray_of(job, pixel[0], pixel[1]))
        else:
            hit = _given(job, world, beside(job, film.rays[at], by), more, s, at)
        if hit.tag >= FIRST_TAG:
            if world.surfaces[job.first_surface + hit.tag - FIRST_TAG].part == _INFANT:
                infant += 1.0
            if moving != 0:
                hit.where = hit.where - moved(job, world, hit) * time
                pixel = pixel_of(job, hit.where)
        known = wp.int32(-1)
        if hit.tag != NO_TAG:
            known = _known(job, hit.tag, hit.where, pixel, film)
        if known >= 0:
            total += film.colours[known]
        else:
            normal = smooth_normal(job, world, hit)
            look = paint(job, hit, normal, world)
            total += radiance(job, world, hit, normal, look, pixel, glow)
    film.sums[at] = film.sums[at] + total
    film.infants[at] = film.infants[at] + infant


@wp.kernel
def finish(jobs: wp.array(dtype=Job), world: World, count: int, film: Film):
    """The means of the rays; the infant's share of each pixel."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    infant = wp.float32(0.0)
    tag = film.tags[at]
    surface = wp.max(job.first_surface + tag - FIRST_TAG, 0)
    if tag >= FIRST_TAG and world.surfaces[surface].part == _INFANT:
        infant = 1.0
    if film.wanted[at] != wp.uint8(0):
        every = float(count) + 1.0
        film.colours[at] = (film.colours[at] + film.sums[at]) / every
        infant = (infant + film.infants[at]) / every
    film.infants[at] = infant


@wp.kernel
def look_through(
    meshes: wp.array(dtype=wp.uint64),
    first_faces: wp.array(dtype=wp.int32),
    first_surfaces: wp.array(dtype=wp.int32),
    world: World,
    eyes: wp.array(dtype=wp.vec3),
    points: wp.array(dtype=wp.vec3),
    slack: wp.array(dtype=float),
    free: wp.array(dtype=wp.uint8),
):
    """1 where nothing lies between the camera and a point but the infant itself, `slack` near to
    it."""
    i = wp.tid()
    eye = eyes[i]
    ray = points[i] - eye
    far = wp.length(ray)
    ray = ray / far
    reach = far - slack[i]
    if ray[2] < 0.0 and -eye[2] / ray[2] < reach:
        free[i] = wp.uint8(0)
        return
    gone = wp.float32(0.0)
    last = far - _TOUCH_M
    found = wp.uint8(1)
    for _p in range(16):
        if gone >= last:
            break
        query = wp.mesh_query_ray(meshes[i], eye + ray * gone, ray, last - gone)
        if not query.result:
            break
        gone += query.t
        surface = first_surfaces[i] + world.face_surface[first_faces[i] + query.face]
        part = world.surfaces[surface].part
        skin = part == _INFANT
        dress = part == _GARMENT
        own = skin or dress or part == _WORN
        ahead = wp.dot(query.normal, ray) < 0.0
        ahead = ahead or (not own and world.surfaces[surface].two_sided != 0)
        if ahead and (gone < reach or not own):
            found = wp.uint8(0)
            break
        gone += 1.0e-5
    free[i] = found
