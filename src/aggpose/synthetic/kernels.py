"""The ray caster's kernels: what each pixel sees, the light that falls there, and the picture.

In Warp's own language: the same code runs on a CPU (one thread) and on a GPU. A launch covers all
pictures of a batch: the first index is the picture, the second its pixel. Random numbers are
hashed from the pixel, so that they stay from frame to frame.
"""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.light import Told, gather, half_shadow, lit, told_near
from aggpose.synthetic.mesh import GARMENT, INFANT
from aggpose.synthetic.optics import (
    GROUND_TAG,
    NO_TAG,
    OPTIONS,
    Hit,
    Job,
    Lamp,
    Surface,
    cast,
    ray_of,
    smooth_normal,
)
from aggpose.synthetic.shading import Look, paint

wp.set_module_options(OPTIONS)

_INFANT = wp.constant(INFANT)
_GARMENT = wp.constant(GARMENT)


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
def see(
    jobs: wp.array(dtype=Job),
    surfaces: wp.array(dtype=Surface),
    face_surface: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
    tags: wp.array(dtype=wp.int32),
    faces: wp.array(dtype=wp.int32),
    barys: wp.array(dtype=wp.vec2),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    depths: wp.array(dtype=float),
):
    """The ray through each pixel's middle: what it meets, where, and the smooth normal there."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    ray = ray_of(job, float(i % job.width), float(i / job.width))
    hit = cast(job, surfaces, face_surface, ray)
    tags[at] = hit.tag
    faces[at] = hit.face
    barys[at] = wp.vec2(hit.u, hit.v)
    places[at] = hit.where
    directions[at] = smooth_normal(job, hit, normals, ray)
    depths[at] = hit.distance * wp.dot(ray, job.forward)


@wp.kernel
def light_up(
    jobs: wp.array(dtype=Job),
    lamps: wp.array(dtype=Lamp),
    tags: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    shadow_rays: int,
    room_rays: int,
    skip: int,
    light_tags: wp.array(dtype=wp.int32),
    light_places: wp.array(dtype=wp.vec3),
    light_directions: wp.array(dtype=wp.vec3),
    seen: wp.array(dtype=wp.vec3),
    blocker: wp.array(dtype=wp.vec3),
    room: wp.array(dtype=wp.vec3),
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
    light_tags[at] = tags[pixel]
    light_places[at] = places[pixel]
    light_directions[at] = directions[pixel]
    # the ground is flat: every second of its pixels is told by its neighbours
    if tags[pixel] == NO_TAG or (tags[pixel] == GROUND_TAG and (column + row) & skip == 1):
        seen[at] = wp.vec3(-1.0, -1.0, -1.0)
        return
    if tags[pixel] == GROUND_TAG and skip == 1:
        column, row = (column + row) / 2, (row - column) / 2
    told = gather(job, lamps, places[pixel], directions[pixel], column, row, shadow_rays, room_rays)
    seen[at] = told.seen
    blocker[at] = told.blocker
    room[at] = told.room


@wp.kernel
def smooth(
    jobs: wp.array(dtype=Job),
    lamps: wp.array(dtype=Lamp),
    tags: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    reach: int,
    spread: int,
    seen: wp.array(dtype=wp.vec3),
    blocker: wp.array(dtype=wp.vec3),
    room: wp.array(dtype=wp.vec3),
    seen_out: wp.array(dtype=wp.vec3),
    blocker_out: wp.array(dtype=wp.vec3),
    room_out: wp.array(dtype=wp.vec3),
):
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
    tag = tags[at]
    if tag == NO_TAG:
        return
    normal = directions[at]
    where = places[at]
    told = Told()
    weights = wp.vec3(1.0e-9, 1.0e-9, 1.0e-9)
    far_weights = wp.vec3(1.0e-9, 1.0e-9, 1.0e-9)
    room_weight = wp.float32(1.0e-9)
    # how far away is what throws the shadow, seen from here and from around?
    far = blocker[at]
    if seen[at][0] < 0.0:
        far = wp.vec3(0.0, 0.0, 0.0)
    if spread == 1:
        open = wp.bool(True)
        for k in range(13):
            dx = k % 4 - 2 + (k % 4) / 2
            if k == 12:
                dx = 0
            c = wp.clamp(column + dx, 0, job.light_width - 1)
            r = wp.clamp(row + (k % 12) / 4 * 2 - 2, 0, job.light_height - 1)
            q = job.first_light_pixel + r * job.light_width + c
            if tags[q] == tag and seen[q][0] >= 0.0:
                far = wp.max(far, blocker[q])
                open = open and room[q][0] == 1.0
        if open and far[0] + far[1] + far[2] == 0.0:
            seen_out[at] = wp.vec3(1.0, 1.0, 1.0)
            blocker_out[at] = far
            room_out[at] = wp.vec3(1.0, 0.0, 0.0)
            return
    near = 1.5 * wp.length(where - job.eye) / job.focal * float(job.step)
    narrow = wp.vec3(0.0, 0.0, 0.0)
    for n in range(job.lamps):
        half = wp.max(0.8 * half_shadow(lamps[job.first_lamp + n], where, far[n]), near)
        narrow[n] = 1.0 / (half * half)
    side = 2 * reach + 1
    for k in range(side * side):
        dx = k % side - reach
        dy = k / side - reach
        c = column + dx * spread
        r = row + dy * spread
        if c >= 0 and c < job.light_width and r >= 0 and r < job.light_height:
            q = job.first_light_pixel + r * job.light_width + c
            if tags[q] == tag and seen[q][0] >= 0.0:
                apart = places[q] - where
                square = wp.dot(apart, apart)
                off = wp.float32(0.0)
                alike = wp.float32(1.0)
                if tag != GROUND_TAG:
                    off = wp.dot(apart, normal)
                    alike = wp.dot(normal, directions[q])
                if alike > 0.4 and off * off < 0.35 * square + 1.0e-6:
                    weight = alike * float((reach + 1 - wp.abs(dx)) * (reach + 1 - wp.abs(dy)))
                    told.room += room[q] * weight
                    room_weight += weight
                    for n in range(job.lamps):
                        share = weight * wp.max(1.0 - square * narrow[n], 0.0)
                        told.seen[n] = told.seen[n] + seen[q][n] * share
                        weights[n] = weights[n] + share
                        if blocker[q][n] > 0.0:
                            told.blocker[n] = told.blocker[n] + blocker[q][n] * weight
                            far_weights[n] = far_weights[n] + weight
    if room_weight < 1.0e-6:
        seen_out[at] = wp.vec3(-1.0, -1.0, -1.0)
        return
    seen_out[at] = wp.cw_div(told.seen, weights)
    blocker_out[at] = wp.cw_div(told.blocker, far_weights)
    room_out[at] = told.room / room_weight


@wp.kernel
def shade(
    jobs: wp.array(dtype=Job),
    lamps: wp.array(dtype=Lamp),
    surfaces: wp.array(dtype=Surface),
    looks: wp.array(dtype=Look),
    fields: wp.array2d(dtype=float),
    tags: wp.array(dtype=wp.int32),
    faces: wp.array(dtype=wp.int32),
    barys: wp.array(dtype=wp.vec2),
    places: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    light_tags: wp.array(dtype=wp.int32),
    light_places: wp.array(dtype=wp.vec3),
    light_directions: wp.array(dtype=wp.vec3),
    seen: wp.array(dtype=wp.vec3),
    room: wp.array(dtype=wp.vec3),
    colours: wp.array(dtype=wp.vec3),
    parts: wp.array(dtype=wp.uint8),
):
    """The light that leaves what each pixel's middle shows."""
    j, i = wp.tid()
    job = jobs[j]
    if i >= job.width * job.height:
        return
    at = job.first_pixel + i
    hit = Hit()
    hit.tag = tags[at]
    hit.face = faces[at]
    hit.u = barys[at][0]
    hit.v = barys[at][1]
    hit.where = places[at]
    normal = directions[at]
    pixel = wp.vec2(float(i % job.width), float(i / job.width))
    look = paint(job, hit, normal, surfaces, looks, fields)
    parts[at] = wp.uint8(look.part)
    if hit.tag == NO_TAG:
        colours[at] = look.colour
        return
    told = told_near(
        job,
        lamps,
        hit.tag,
        hit.where,
        normal,
        pixel,
        light_tags,
        light_places,
        light_directions,
        seen,
        room,
    )
    colours[at] = lit(
        job, lamps, told, hit.where, look.normal, look.colour, look.wrap, look.shine, look.gloss
    )
