"""Rays of the camera and what they meet, in Warp's language: for CPU and GPU alike."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.render.patterns import Look

_CPU_FLAGS = " ".join(
    [
        wp.config.cpu_compiler_flags or "",
        "-ffast-math -Wno-nan-infinity-disabled",  # rays are a third faster
        "-mllvm=-inline-threshold=60000",  # without calls, shading is a quarter faster
    ]
)
OPTIONS = {
    "enable_backward": False,
    "fast_math": True,
    "cpu_compiler_flags": _CPU_FLAGS,
}
"""Of the modules that hold kernels."""

NO_TAG = wp.constant(0)
GROUND_TAG = wp.constant(1)
FIRST_TAG = wp.constant(2)
"""Tags tell surfaces apart: nothing, the ground, and then the scene's meshes in their order."""

FAR_M = wp.constant(30.0)
_PASSES = wp.constant(6)


@wp.struct
class Job:
    """One picture: its camera, and where its own things lie in the arrays of the batch.

    right, down, forward: the camera's axes. wide, high: how far out the lens sees, in units of the
    focal length, to the sides and up or down. step: px of the picture per px of the light's.
    bounce: linear RGB that the ground sends back. colour, slope: what can be seen of the ground
    from above at all sizes, one after the other, each half of the one before; colour: square roots
    of linear RGB in three bytes of a number; slope: two of 16 bits, in 1/4096; level: where each
    size begins. ground_column to ground_rows: the cut of the ground that they hold.
    ground_turn: cosine and sine of the ground's turn.
    """

    mesh: wp.uint64
    eye: wp.vec3
    right: wp.vec3
    down: wp.vec3
    forward: wp.vec3
    focal: float
    k1: float
    k2: float
    wide: float
    high: float
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
    colour: wp.array(dtype=wp.int32)
    slope: wp.array(dtype=wp.int32)
    level: wp.array(dtype=wp.int32)
    ground_size: int
    ground_column: int
    ground_row: int
    ground_columns: int
    ground_rows: int
    ground_side: float
    ground_shine: float
    ground_turn: wp.vec2


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
class World:
    """What the scenes of a batch are made of, one after the other; `packing.Geometry` says more.

    points: where the vertices are at the moment; motion: how far they go during the exposure.
    """

    lamps: wp.array(dtype=Lamp)
    surfaces: wp.array(dtype=Surface)
    looks: wp.array(dtype=Look)
    fields: wp.array2d(dtype=float)
    face_surface: wp.array(dtype=wp.int32)
    points: wp.array(dtype=wp.vec3)
    motion: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)


@wp.struct
class Film:
    """The pictures of a batch, pixel after pixel, one after the other.

    What the middle of each shows: tag, triangle and shares of its corners, place, smooth normal,
    depth along the optical axis; ray and distance along it. colours: linear RGB; parts: as in
    `mesh`. wanted: 1 where more rays are; sums, infants: what they found, added up.
    corners: pixel and depth of every vertex.
    """

    tags: wp.array(dtype=wp.int32)
    faces: wp.array(dtype=wp.int32)
    barys: wp.array(dtype=wp.vec2)
    places: wp.array(dtype=wp.vec3)
    directions: wp.array(dtype=wp.vec3)
    depths: wp.array(dtype=float)
    rays: wp.array(dtype=wp.vec3)
    distances: wp.array(dtype=float)
    colours: wp.array(dtype=wp.vec3)
    parts: wp.array(dtype=wp.uint8)
    wanted: wp.array(dtype=wp.uint8)
    sums: wp.array(dtype=wp.vec3)
    infants: wp.array(dtype=float)
    corners: wp.array(dtype=wp.vec3)


@wp.struct
class More:
    """What further rays meet: (rays of a pixel, pixels)."""

    distances: wp.array2d(dtype=float)
    faces: wp.array2d(dtype=wp.int32)
    barys: wp.array2d(dtype=wp.vec2)


@wp.struct
class Glow:
    """The light's pictures, pixel after pixel: what was asked about, and what `light.Told` says.
    seen is -1 where nobody asked."""

    tags: wp.array(dtype=wp.int32)
    places: wp.array(dtype=wp.vec3)
    directions: wp.array(dtype=wp.vec3)
    seen: wp.array(dtype=wp.vec3)
    blocker: wp.array(dtype=wp.vec3)
    room: wp.array(dtype=wp.vec3)


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
    bend = wp.float32(1.0)
    if job.k1 != 0.0 or job.k2 != 0.0:
        out = wp.sqrt(px * px + py * py)
        r = out
        for _n in range(4):  # Newton's steps to the radius that the lens moves to `out`
            square = r * r
            found = r * (1.0 + job.k1 * square + job.k2 * square * square)
            slope = 1.0 + 3.0 * job.k1 * square + 5.0 * job.k2 * square * square
            r -= (found - out) / wp.max(slope, 0.05)
        bend = r / wp.max(out, 1.0e-9)
    sx = px * bend
    sy = py * bend
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
    """px from the pixel's middle of its further rays: Roberts' R2 sequence, even for any count,
    each followed by its opposite, so that the mean of an even count is the middle."""
    x = 0.375 + float(number / 2) * 0.7548776662
    y = 0.125 + float(number / 2) * 0.5698402910
    sign = 1.0 - 2.0 * float(number & 1)
    return wp.vec2(x - wp.floor(x + 0.5), y - wp.floor(y + 0.5)) * sign


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
def cast(job: Job, world: World, ray: wp.vec3) -> Hit:
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
        surface = world.face_surface[job.first_face + query.face]
        outside = wp.dot(query.normal, ray) < 0.0
        if outside or world.surfaces[job.first_surface + surface].two_sided != 0:
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
def smooth_normal(job: Job, world: World, hit: Hit) -> wp.vec3:
    """The normal between the corners' normals; towards the viewer, as the triangle itself is."""
    if hit.face < 0:
        return hit.flat
    i = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face)
    j = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 1)
    k = job.first_vertex + wp.mesh_get_index(job.mesh, 3 * hit.face + 2)
    normal = world.normals[i] * hit.u + world.normals[j] * hit.v
    normal += world.normals[k] * (1.0 - hit.u - hit.v)
    if wp.dot(normal, hit.flat) < 0.0:
        normal = -normal
    return wp.normalize(normal)
