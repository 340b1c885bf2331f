"""The ray caster's kernels: what each pixel sees, the light that falls there, and the picture.

In Warp's own language: the same code runs on a CPU (one thread) and on a GPU. A launch covers all
pictures of a batch: the first index is the picture, the second its pixel. Random numbers are
hashed from the pixel, so that they stay from frame to frame.
"""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.render.light import Told, gather, half_shadow
from aggpose.synthetic.render.optics import (
    GROUND_TAG,
    NO_TAG,
    OPTIONS,
    Film,
    Glow,
    Hit,
    Job,
    World,
    cast,
    ray_of,
    smooth_normal,
)
from aggpose.synthetic.render.shading import paint, radiance

wp.set_module_options(OPTIONS)


@wp.kernel
def add_corners(
    points: wp.array(dtype=wp.vec3),
    indices: wp.array(dtype=wp.int32),
    face_vertex: wp.array(dtype=wp.int32),
    total: wp.array2d(dtype=wp.int32),
):
    """Every triangle adds its normal to its corners, weighted by the sine of the angle there.

    In whole numbers: sums do not depend on the order in which a GPU's threads come. face_vertex:
    the first vertex of the picture that the triangle belongs to.
    """
    face = wp.tid()
    first = face_vertex[face]
    a = first + indices[3 * face]
    b = first + indices[3 * face + 1]
    c = first + indices[3 * face + 2]
    ab = wp.normalize(points[b] - points[a])
    bc = wp.normalize(points[c] - points[b])
    ca = wp.normalize(points[a] - points[c])
    at_a = wp.cross(ca, ab) * 1048576.0
    at_b = wp.cross(ab, bc) * 1048576.0
    at_c = wp.cross(bc, ca) * 1048576.0
    for d in range(3):
        wp.atomic_add(total, a, d, int(at_a[d]))
        wp.atomic_add(total, b, d, int(at_b[d]))
        wp.atomic_add(total, c, d, int(at_c[d]))


@wp.kernel
def finish_normals(total: wp.array2d(dtype=wp.int32), normals: wp.array(dtype=wp.vec3)):
    i = wp.tid()
    normals[i] = wp.normalize(wp.vec3(float(total[i, 0]), float(total[i, 1]), float(total[i, 2])))


@wp.kernel
def advance(
    middle: wp.array(dtype=wp.vec3),
    motion: wp.array(dtype=wp.vec3),
    time: float,
    points: wp.array(dtype=wp.vec3),
):
    """Where the vertices are at a share of the exposure, -0.5 to 0.5."""
    i = wp.tid()
    points[i] = middle[i] + motion[i] * time


@wp.kernel
def see(jobs: wp.array(dtype=Job), world: World, film: Film):
    """The ray through each pixel's middle: what it meets, where, and the smooth normal there."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    ray = ray_of(job, float(i % job.width), float(i / job.width))
    hit = cast(job, world, ray)
    film.tags[at] = hit.tag
    film.faces[at] = hit.face
    film.barys[at] = wp.vec2(hit.u, hit.v)
    film.places[at] = hit.where
    film.directions[at] = smooth_normal(job, world, hit)
    film.depths[at] = hit.distance * wp.dot(ray, job.forward)


@wp.kernel
def light_up(
    jobs: wp.array(dtype=Job),
    world: World,
    film: Film,
    shadow_rays: int,
    room_rays: int,
    skip: int,
    glow: Glow,
):
    """The light's picture: one pixel in `job.step`^2 asks how much of lamps and room it sees."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.light_width * job.light_height:
        return
    column = i % job.light_width
    row = i / job.light_width
    x = wp.min(column * job.step, job.width - 1)
    y = wp.min(row * job.step, job.height - 1)
    pixel = job.first_pixel + y * job.width + x
    at = job.first_light_pixel + i
    glow.tags[at] = film.tags[pixel]
    glow.places[at] = film.places[pixel]
    glow.directions[at] = film.directions[pixel]
    # the ground is flat: every second of its pixels is told by its neighbours
    tag = film.tags[pixel]
    if tag == NO_TAG or (tag == GROUND_TAG and (column + row) & skip == 1):
        glow.seen[at] = wp.vec3(-1.0, -1.0, -1.0)
        return
    if tag == GROUND_TAG and skip == 1:
        column, row = (column + row) / 2, (row - column) / 2
    where = film.places[pixel]
    each = (shadow_rays + job.lamps - 1) / wp.max(job.lamps, 1)
    told = gather(job, world, where, film.directions[pixel], column, row, each, room_rays)
    glow.seen[at] = told.seen
    glow.blocker[at] = told.blocker
    glow.room[at] = told.room


@wp.struct
class _Around:
    """What the neighbours of a place of the light's picture say. far: m, the furthest thing that
    throws a shadow there; open: 1 where nothing hides anything."""

    far: wp.vec3
    open: int


@wp.func
def _around(job: Job, glow: Glow, column: int, row: int, tag: int) -> _Around:
    around = _Around()
    around.open = 1
    for k in range(13):
        dx = k % 4 - 2 + (k % 4) / 2
        if k == 12:
            dx = 0
        c = wp.clamp(column + dx, 0, job.light_width - 1)
        r = wp.clamp(row + (k % 12) / 4 * 2 - 2, 0, job.light_height - 1)
        q = job.first_light_pixel + r * job.light_width + c
        if glow.tags[q] == tag and glow.seen[q][0] >= 0.0:
            around.far = wp.max(around.far, glow.blocker[q])
            if glow.room[q][0] < 1.0:
                around.open = 0
    if around.far[0] + around.far[1] + around.far[2] > 0.0:
        around.open = 0
    return around


@wp.func
def _alike(glow: Glow, tag: int, apart: wp.vec3, normal: wp.vec3, q: int) -> float:
    """1 for a neighbour on the same plane, 0 for one on another surface or around a corner."""
    if glow.tags[q] != tag or glow.seen[q][0] < 0.0:
        return 0.0
    if tag == GROUND_TAG:
        return 1.0
    off = wp.dot(apart, normal)
    alike = wp.dot(normal, glow.directions[q])
    if alike < 0.4 or off * off > 0.35 * wp.dot(apart, apart) + 1.0e-6:
        return 0.0
    return alike


@wp.kernel
def smooth(jobs: wp.array(dtype=Job), world: World, reach: int, spread: int, glow: Glow, out: Glow):
    """Less noise: means over neighbours up to `reach` times `spread` away, on the same surface.

    The a-trous filter of Dammertz et al. 2010; shadows are widened no more than the size of the
    lamp makes them soft anyway.
    """
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.light_width * job.light_height:
        return
    column = i % job.light_width
    row = i / job.light_width
    at = job.first_light_pixel + i
    tag = glow.tags[at]
    if tag == NO_TAG:
        return
    far = glow.blocker[at]
    if spread == 1:
        around = _around(job, glow, column, row, tag)
        far = around.far
        if around.open == 1:
            out.seen[at] = wp.vec3(1.0, 1.0, 1.0)
            out.blocker[at] = far
            out.room[at] = wp.vec3(1.0, 0.0, 0.0)
            return
    normal = glow.directions[at]
    where = glow.places[at]
    to_eye = job.eye - where
    # neighbours on a plane seen from the side lie further apart
    slant = wp.max(wp.abs(wp.dot(wp.normalize(to_eye), normal)), 0.15)
    near = 1.5 * wp.length(to_eye) / (job.focal * slant) * float(job.step)
    narrow = wp.vec3(0.0, 0.0, 0.0)
    for n in range(job.lamps):
        half = wp.max(0.8 * half_shadow(world.lamps[job.first_lamp + n], where, far[n]), near)
        narrow[n] = 1.0 / (half * half)
    told = Told()
    weights = wp.vec3(1.0e-9, 1.0e-9, 1.0e-9)
    far_weights = wp.vec3(1.0e-9, 1.0e-9, 1.0e-9)
    room_weight = wp.float32(1.0e-9)
    side = 2 * reach + 1
    for k in range(side * side):
        dx = k % side - reach
        dy = k / side - reach
        c = column + dx * spread
        r = row + dy * spread
        if c >= 0 and c < job.light_width and r >= 0 and r < job.light_height:
            q = job.first_light_pixel + r * job.light_width + c
            apart = glow.places[q] - where
            weight = _alike(glow, tag, apart, normal, q)
            if weight > 0.0:
                weight *= float((reach + 1 - wp.abs(dx)) * (reach + 1 - wp.abs(dy)))
                told.room += glow.room[q] * weight
                room_weight += weight
                for n in range(job.lamps):
                    # never none: where all are far, their mean is the best guess
                    share = weight * wp.max(1.0 - wp.dot(apart, apart) * narrow[n], 1.0e-4)
                    told.seen[n] = told.seen[n] + glow.seen[q][n] * share
                    weights[n] = weights[n] + share
                    if glow.blocker[q][n] > 0.0:
                        told.blocker[n] = told.blocker[n] + glow.blocker[q][n] * weight
                        far_weights[n] = far_weights[n] + weight
    if room_weight < 1.0e-6:
        out.seen[at] = wp.vec3(-1.0, -1.0, -1.0)
        return
    out.seen[at] = wp.cw_div(told.seen, weights)
    out.blocker[at] = wp.cw_div(told.blocker, far_weights)
    out.room[at] = told.room / room_weight


@wp.kernel
def shade(jobs: wp.array(dtype=Job), world: World, glow: Glow, film: Film):
    """The light that leaves what each pixel's middle shows."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    hit = Hit()
    hit.tag = film.tags[at]
    hit.face = film.faces[at]
    hit.u = film.barys[at][0]
    hit.v = film.barys[at][1]
    hit.where = film.places[at]
    pixel = wp.vec2(float(i % job.width), float(i / job.width))
    look = paint(job, hit, film.directions[at], world)
    film.parts[at] = wp.uint8(look.part)
    film.colours[at] = radiance(job, world, hit, film.directions[at], look, pixel, glow)
