"""What the middle of each pixel shows, triangle by triangle, in Warp's language: for CPUs.

One thread finds the first triangle of every pixel this way several times faster than with rays,
for most triangles are smaller than a pixel or two. Each pixel's ray is met with the triangle itself
so that the result is that of `kernels.see`, lens distortion and all.
"""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.render.clipping import NEAR_M, in_view
from aggpose.synthetic.render.optics import (
    FAR_M,
    FIRST_TAG,
    GROUND_TAG,
    NO_TAG,
    OPTIONS,
    Film,
    Hit,
    Job,
    More,
    World,
    beside,
    flat_normal,
    offset,
    pixel_of,
    ray_of,
    smooth_normal,
)

wp.set_module_options(OPTIONS)


@wp.kernel
def open_rays(jobs: wp.array(dtype=Job), film: Film):
    """Every pixel's ray and how far it is to the ground."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    ray = ray_of(job, float(i % job.width), float(i / job.width))
    film.rays[at] = ray
    film.faces[at] = -1
    distance = wp.float32(FAR_M)
    if ray[2] < 0.0:
        distance = wp.min(distance, -job.eye[2] / ray[2])
    film.distances[at] = distance


@wp.kernel
def project(jobs: wp.array(dtype=Job), world: World, film: Film):
    """Pixel and depth of every vertex."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.vertices:
        return
    local = world.points[job.first_vertex + i] - job.eye
    depth = wp.dot(local, job.forward)
    # behind the camera, or so far out that the lens's polynomial means nothing there
    pixel = wp.vec2(0.0, 0.0)
    lost = depth < NEAR_M
    if not lost:
        pixel = pixel_of(job, local + job.eye)
        if job.k1 != 0.0 or job.k2 != 0.0:
            x = wp.dot(local, job.right) / depth
            y = wp.dot(local, job.down) / depth
            lost = x * x + y * y > 2.0 * (job.wide * job.wide + job.high * job.high)
    film.corners[job.first_corner + i] = wp.vec3(pixel[0], pixel[1], wp.where(lost, -1.0, depth))


@wp.func
def _across(a: wp.vec3, b: wp.vec3, low: float, high: float, sofar: wp.vec2) -> wp.vec2:
    """Least and greatest x of the piece of an edge that lies between two rows."""
    x0 = a[0]
    x1 = b[0]
    y0 = a[1]
    y1 = b[1]
    if y0 > y1:
        x0 = b[0]
        x1 = a[0]
        y0 = b[1]
        y1 = a[1]
    if y1 < low or y0 > high:
        return sofar
    rise = (x1 - x0) / wp.max(y1 - y0, 1.0e-6)
    if y0 < low:
        x0 += rise * (low - y0)
    if y1 > high:
        x1 -= rise * (y1 - high)
    return wp.vec2(wp.min(sofar[0], wp.min(x0, x1)), wp.max(sofar[1], wp.max(x0, x1)))


@wp.struct
class Triangle:
    """One triangle, ready to be met with rays. a: its first corner from the camera; off, normal:
    its plane; to_b, to_c: what gives the shares of its corners. p0, p1, p2: their pixels.
    margin: px that the lens may bend its edges by. wide: worth going row by row. column0 to row1:
    the pixels it may cover; there are none where column0 > column1.
    """

    a: wp.vec3
    normal: wp.vec3
    to_b: wp.vec3
    to_c: wp.vec3
    p0: wp.vec3
    p1: wp.vec3
    p2: wp.vec3
    off: float
    margin: float
    wide: int
    column0: int
    column1: int
    row0: int
    row1: int


@wp.func
def _triangle(
    job: Job,
    f: int,
    margin: float,
    world: World,
    film: Film,
) -> Triangle:
    """margin: px that rays may lie off their pixel's middle."""
    t = Triangle()
    t.column0 = job.width  # none, until it is known to be seen
    i0 = wp.mesh_get_index(job.mesh, 3 * f)
    i1 = wp.mesh_get_index(job.mesh, 3 * f + 1)
    i2 = wp.mesh_get_index(job.mesh, 3 * f + 2)
    t.p0 = film.corners[job.first_corner + i0]
    t.p1 = film.corners[job.first_corner + i1]
    t.p2 = film.corners[job.first_corner + i2]
    left = wp.min(t.p0[0], wp.min(t.p1[0], t.p2[0]))
    right = wp.max(t.p0[0], wp.max(t.p1[0], t.p2[0]))
    top = wp.min(t.p0[1], wp.min(t.p1[1], t.p2[1]))
    bottom = wp.max(t.p0[1], wp.max(t.p1[1], t.p2[1]))
    lost = wp.min(t.p0[2], wp.min(t.p1[2], t.p2[2])) < 0.0
    if lost:
        box = in_view(job, world, i0, i1, i2)
        left = box[0]
        top = box[1]
        right = box[2]
        bottom = box[3]
        if left > right:
            return t
    # under a lens, straight edges bow: by an eighth of the square of the chord times the second
    # derivative of the lens's polynomial, at most
    t.margin = margin
    if job.k1 != 0.0 or job.k2 != 0.0:
        chord = wp.length(wp.vec2(right - left, bottom - top)) / job.focal
        out = wp.sqrt(job.wide * job.wide + job.high * job.high) * wp.where(lost, 1.0, 1.42)
        bend = 0.75 * wp.abs(job.k1) * out + 2.5 * wp.abs(job.k2) * out * out * out
        t.margin += job.focal * chord * chord * bend
    if (
        right + t.margin < 0.0
        or bottom + t.margin < 0.0
        or left - t.margin > float(job.width)
        or top - t.margin > float(job.height)
    ):
        return t
    column0 = wp.max(int(wp.ceil(left - t.margin)), 0)
    t.column1 = wp.min(int(wp.floor(right + t.margin)), job.width - 1)
    t.row0 = wp.max(int(wp.ceil(top - t.margin)), 0)
    t.row1 = wp.min(int(wp.floor(bottom + t.margin)), job.height - 1)
    if column0 > t.column1 or t.row0 > t.row1:
        return t
    t.a = world.points[job.first_vertex + i0] - job.eye
    ab = world.points[job.first_vertex + i1] - job.eye - t.a
    ac = world.points[job.first_vertex + i2] - job.eye - t.a
    t.normal = wp.cross(ab, ac)
    t.off = wp.dot(t.a, t.normal)
    square = wp.dot(t.normal, t.normal)
    if square < 1.0e-24:
        return t
    if t.off >= 0.0:  # seen from its back
        surface = world.face_surface[job.first_face + f]
        if world.surfaces[job.first_surface + surface].two_sided == 0:
            return t
    t.to_b = wp.cross(ac, t.normal) / square
    t.to_c = wp.cross(t.normal, ab) / square
    t.wide = wp.where(t.column1 - column0 > 6 and not lost, 1, 0)
    t.column0 = column0
    return t


@wp.func
def _row(job: Job, t: Triangle, y: int) -> wp.vec2i:
    """First and last column that a triangle may cover in a row."""
    if t.wide == 0:
        return wp.vec2i(t.column0, t.column1)
    low = float(y) - t.margin
    high = float(y) + t.margin
    span = _across(t.p0, t.p1, low, high, wp.vec2(1.0e9, -1.0e9))
    span = _across(t.p1, t.p2, low, high, span)
    span = _across(t.p2, t.p0, low, high, span)
    start = int(wp.ceil(wp.clamp(span[0] - t.margin, -1.0, float(job.width))))
    end = int(wp.floor(wp.clamp(span[1] + t.margin, -1.0, float(job.width))))
    return wp.vec2i(wp.max(t.column0, start), wp.min(t.column1, end))


@wp.func
def _meet(t: Triangle, ray: wp.vec3, before: float) -> wp.vec3:
    """How far along a ray a triangle lies, and the shares of its first two corners; distance -1
    where the ray passes it or something lies nearer."""
    distance = t.off / wp.dot(ray, t.normal)
    if distance > 0.0 and distance < before:
        inner = ray * distance - t.a
        of_b = wp.dot(inner, t.to_b)
        of_c = wp.dot(inner, t.to_c)
        of_a = 1.0 - of_b - of_c
        if of_a >= -1.0e-5 and of_b >= -1.0e-5 and of_c >= -1.0e-5:
            return wp.vec3(distance, of_a, of_b)
    return wp.vec3(-1.0, 0.0, 0.0)


@wp.kernel
def cover(jobs: wp.array(dtype=Job), world: World, film: Film):
    """Every triangle goes to the pixels where it is the nearest so far. For one thread only."""
    j, f = wp.tid()
    job = jobs[j]
    if f >= job.faces:
        return
    t = _triangle(job, f, 0.01, world, film)
    if t.column0 > t.column1:
        return
    for y in range(t.row0, t.row1 + 1):
        span = _row(job, t, y)
        for x in range(span[0], span[1] + 1):
            at = job.first_pixel + y * job.width + x
            met = _meet(t, film.rays[at], film.distances[at])
            if met[0] > 0.0:
                film.distances[at] = met[0]
                film.faces[at] = f
                film.barys[at] = wp.vec2(met[1], met[2])


@wp.kernel
def open_more(jobs: wp.array(dtype=Job), film: Film, first: int, more: More):
    """How far the ground is along the further rays of the pixels that want them."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    if film.wanted[at] == wp.uint8(0):
        return
    for s in range(more.distances.shape[0]):
        ray = beside(job, film.rays[at], offset(first + s))
        distance = wp.float32(FAR_M)
        if ray[2] < 0.0:
            distance = wp.min(distance, -job.eye[2] / ray[2])
        more.distances[s, at] = distance
        more.faces[s, at] = -1


@wp.kernel
def cover_more(jobs: wp.array(dtype=Job), world: World, film: Film, first: int, more: More):
    """As `cover`, for the further rays of the pixels that want them."""
    j, f = wp.tid()
    job = jobs[j]
    if f >= job.faces:
        return
    t = _triangle(job, f, 0.55, world, film)
    if t.column0 > t.column1:
        return
    for y in range(t.row0, t.row1 + 1):
        span = _row(job, t, y)
        for x in range(span[0], span[1] + 1):
            at = job.first_pixel + y * job.width + x
            if film.wanted[at] != wp.uint8(0):
                for s in range(more.distances.shape[0]):
                    ray = beside(job, film.rays[at], offset(first + s))
                    met = _meet(t, ray, more.distances[s, at])
                    if met[0] > 0.0:
                        more.distances[s, at] = met[0]
                        more.faces[s, at] = f
                        more.barys[s, at] = wp.vec2(met[1], met[2])


@wp.kernel
def settle(jobs: wp.array(dtype=Job), world: World, film: Film):
    """Place, normal and tag of what every pixel shows, as `kernels.see` gives them."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    ray = film.rays[at]
    hit = Hit()
    hit.face = film.faces[at]
    hit.distance = film.distances[at]
    hit.where = job.eye + ray * hit.distance
    if hit.face >= 0:
        hit.u = film.barys[at][0]
        hit.v = film.barys[at][1]
        hit.tag = FIRST_TAG + world.face_surface[job.first_face + hit.face]
        hit.flat = flat_normal(job, hit.face, ray)
        film.directions[at] = smooth_normal(job, world, hit)
    elif hit.distance < FAR_M:
        hit.tag = GROUND_TAG
        film.directions[at] = wp.vec3(0.0, 0.0, 1.0)
    else:
        hit.tag = NO_TAG
        film.directions[at] = -ray
    film.tags[at] = hit.tag
    film.places[at] = hit.where
    film.depths[at] = hit.distance * wp.dot(ray, job.forward)
