"""Rays of the camera and what they meet, in Warp's language: for CPU and GPU alike."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

OPTIONS = {
    "enable_backward": False,
    "fast_math": True,
    "cpu_compiler_flags": f"{wp.config.cpu_compiler_flags or ''} -ffast-math",
}
"""Of the modules that hold kernels. Without the rules for infinities rays are a third faster."""

NO_TAG = wp.constant(0)
GROUND_TAG = wp.constant(1)
FIRST_TAG = wp.constant(2)
"""Tags tell surfaces apart: nothing, the ground, and then the scene's meshes in their order."""

FAR_M = wp.constant(30.0)
_PASSES = wp.constant(6)


@wp.struct
class Job:
    """One picture: its camera, and where its own things lie in the arrays of the batch.

    right, down, forward: the camera's axes. step: px of the picture per px of the light's picture.
    bounce: linear RGB that the ground sends back. texels: the ground as seen from above at all
    sizes, one after the other, each half of the one before, in pairs of numbers: square roots of
    linear RGB in three bytes; slopes in x and y, 16 bits each, in 1/4096. level: where each begins.
    """

    mesh: wp.uint64
    eye: wp.vec3
    right: wp.vec3
    down: wp.vec3
    forward: wp.vec3
    focal: float
    k1: float
    k2: float
    width: int
    height: int
    step: int
    light_width: int
    light_height: int
    first_pixel: int
    first_light_pixel: int
    first_corner: int
    vertices: int
    faces: int
    first_vertex: int
    first_face: int
    first_surface: int
    first_lamp: int
    lamps: int
    room: wp.vec3
    bounce: wp.vec3
    texels: wp.array(dtype=wp.int32)
    level: wp.array(dtype=wp.int32)
    ground_size: int
    ground_side: float
    ground_shine: float


@wp.struct
class Surface:
    """One mesh: which look it has, and those of its garments (-1: none). part: as in `mesh`."""

    part: int
    two_sided: int
    look: int
    garment0: int
    garment1: int
    garment2: int
    garment3: int
    left_eye: wp.vec3
    right_eye: wp.vec3


@wp.struct
class Lamp:
    place: wp.vec3
    radius: float
    colour: wp.vec3


@wp.struct
class Hit:
    """What a ray meets. face: -1 for the ground and for nothing. u, v: of the first two corners.
    distance: m along the ray. flat: the triangle's normal, towards the viewer."""

    tag: int
    face: int
    u: float
    v: float
    distance: float
    where: wp.vec3
    flat: wp.vec3


@wp.func
def ray_of(job: Job, x: float, y: float) -> wp.vec3:
    """The direction that the lens shows at a pixel; `Camera.rays`."""
    px = (x - 0.5 * float(job.width - 1)) / job.focal
    py = (y - 0.5 * float(job.height - 1)) / job.focal
    sx = px
    sy = py
    if job.k1 != 0.0 or job.k2 != 0.0:
        for _n in range(8):
            square = sx * sx + sy * sy
            bend = 1.0 + job.k1 * square + job.k2 * square * square
            sx = px / bend
            sy = py / bend
    return wp.normalize(job.right * sx + job.down * sy + job.forward)


@wp.func
def pixel_of(job: Job, where: wp.vec3) -> wp.vec2:
    """Where the lens shows a place; `Camera.project`."""
    local = where - job.eye
    depth = wp.max(wp.dot(local, job.forward), 1.0e-6)
    x = wp.dot(local, job.right) / depth
    y = wp.dot(local, job.down) / depth
    square = x * x + y * y
    bend = job.focal * (1.0 + job.k1 * square + job.k2 * square * square)
    return wp.vec2(0.5 * float(job.width - 1) + bend * x, 0.5 * float(job.height - 1) + bend * y)


@wp.func
def offset(number: int) -> wp.vec2:
    """px from the pixel's middle of its further rays: Roberts' R2 sequence, even for any count."""
    x = float(number + 1) * 0.7548776662 + 0.5
    y = float(number + 1) * 0.5698402910 + 0.5
    return wp.vec2(x - wp.floor(x) - 0.5, y - wp.floor(y) - 0.5)


@wp.func
def beside(job: Job, ray: wp.vec3, by: wp.vec2) -> wp.vec3:
    """A ray less than a pixel beside another, of about unit length."""
    scale = wp.dot(ray, job.forward) / job.focal
    return ray + (job.right * by[0] + job.down * by[1]) * scale


@wp.func
def flat_normal(job: Job, face: int, ray: wp.vec3) -> wp.vec3:
    """The normal of a triangle, towards the viewer."""
    a = wp.mesh_get_point(job.mesh, 3 * face)
    along = wp.mesh_get_point(job.mesh, 3 * face + 1) - a
    normal = wp.normalize(wp.cross(along, wp.mesh_get_point(job.mesh, 3 * face + 2) - a))
    if wp.dot(normal, ray) > 0.0:
        return -normal
    return normal


@wp.func
def cast(
    job: Job,
    surfaces: wp.array(dtype=Surface),
    face_surface: wp.array(dtype=wp.int32),
    ray: wp.vec3,
) -> Hit:
    """What a ray from the camera meets first: a mesh, the ground z = 0, or nothing.

    The inner side of a closed surface is not seen: cavities that come out through it are passed.
    """
    hit = Hit()
    hit.tag = NO_TAG
    hit.face = -1
    hit.distance = FAR_M
    hit.flat = -ray
    if ray[2] < 0.0 and -job.eye[2] / ray[2] < FAR_M:
        hit.distance = -job.eye[2] / ray[2]
        hit.tag = GROUND_TAG
        hit.flat = wp.vec3(0.0, 0.0, 1.0)
    gone = wp.float32(0.0)
    reach = hit.distance
    for _p in range(_PASSES):
        query = wp.mesh_query_ray(job.mesh, job.eye + ray * gone, ray, reach - gone)
        if not query.result:
            break
        gone += query.t
        surface = face_surface[job.first_face + query.face]
        outside = wp.dot(query.normal, ray) < 0.0
        if outside or surfaces[job.first_surface + surface].two_sided != 0:
            hit.tag = FIRST_TAG + surface
            hit.face = query.face
            hit.u = query.u
            hit.v = query.v
            hit.distance = gone
            hit.flat = query.normal
            if not outside:
                hit.flat = -query.normal
            break
        gone += 1.0e-5
    hit.where = job.eye + ray * hit.distance
    return hit


@wp.func
def smooth_normal(job: Job, hit: Hit, normals: wp.array(dtype=wp.vec3), ray: wp.vec3) -> wp.vec3:
    """The normal between the corners' normals; towards the viewer, as the triangle itself is."""
    if hit.face < 0:
        return hit.flat
    i = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face)
    j = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 1)
    k = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 2)
    normal = normals[i] * hit.u + normals[j] * hit.v + normals[k] * (1.0 - hit.u - hit.v)
    if wp.dot(normal, hit.flat) < 0.0:
        normal = -normal
    return wp.normalize(normal)
