"""What a camera sees of a triangle that lies partly behind it or far aside, in Warp's language."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp

from aggpose.synthetic.render.optics import Job, World, pixel_of

NEAR_M = wp.constant(0.02)
_Rows = wp.types.matrix(shape=(9, 3), dtype=wp.float32)


@wp.struct
class _Polygon:
    """Corners in the camera's axes, as many as `count` says."""

    corners: _Rows
    count: int


@wp.func
def _cut(polygon: _Polygon, plane: wp.vec3, off: float) -> _Polygon:
    """The part of a polygon where plane . corner >= off (Sutherland and Hodgman 1974)."""
    cut = _Polygon()
    for k in range(polygon.count):
        one = polygon.corners[k]
        other = polygon.corners[(k + 1) % polygon.count]
        here = wp.dot(one, plane) - off
        there = wp.dot(other, plane) - off
        if here >= 0.0:
            cut.corners[cut.count] = one
            cut.count += 1
        if (here >= 0.0) != (there >= 0.0):
            cut.corners[cut.count] = one + (other - one) * (here / (here - there))
            cut.count += 1
    return cut


@wp.func
def in_view(job: Job, world: World, i0: int, i1: int, i2: int) -> wp.vec4:
    """Least x and y, greatest x and y, px, of the part of a triangle that the camera sees."""
    part = _Polygon()
    part.count = 3
    for k in range(3):
        local = world.points[job.first_vertex + wp.where(k == 0, i0, wp.where(k == 1, i1, i2))]
        local = local - job.eye
        part.corners[k] = wp.vec3(
            wp.dot(local, job.right), wp.dot(local, job.down), wp.dot(local, job.forward)
        )
    part = _cut(part, wp.vec3(0.0, 0.0, 1.0), NEAR_M)
    part = _cut(part, wp.vec3(1.0, 0.0, job.wide), 0.0)
    part = _cut(part, wp.vec3(-1.0, 0.0, job.wide), 0.0)
    part = _cut(part, wp.vec3(0.0, 1.0, job.high), 0.0)
    part = _cut(part, wp.vec3(0.0, -1.0, job.high), 0.0)
    box = wp.vec4(1.0e9, 1.0e9, -1.0e9, -1.0e9)
    for k in range(part.count):
        local = part.corners[k]
        place = job.eye + job.right * local[0] + job.down * local[1] + job.forward * local[2]
        pixel = pixel_of(job, place)
        box = wp.vec4(
            wp.min(box[0], pixel[0]),
            wp.min(box[1], pixel[1]),
            wp.max(box[2], pixel[0]),
            wp.max(box[3], pixel[1]),
        )
    return box
