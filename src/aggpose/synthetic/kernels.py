"""The ray caster's kernel, in Warp's own language: its types are Warp's, not Python's."""

# Warp compiles this text; Python's rules of typing do not hold for it
# mypy: ignore-errors

import warp as wp


@wp.kernel
def trace(
    mesh: wp.uint64,
    origin: wp.vec3,
    right: wp.vec3,
    down: wp.vec3,
    forward: wp.vec3,
    width: int,
    height: int,
    focal: float,
    lamp: wp.vec3,
    lamp_radius: float,
    shadow_rays: int,
    room_rays: int,
    passes: int,
    face: wp.array(dtype=wp.int32),
    bary: wp.array(dtype=wp.vec2),
    where: wp.array(dtype=wp.vec3),
    light: wp.array(dtype=wp.vec3),
):
    """One ray of the camera, and the light where it ends.

    Of every ray: the triangle it meets (-1: the mat), where in it (warp's u, v), the place in
    metres, and the shares of the lamp, of the open room and of the mat that the place sees.
    """
    i = wp.tid()
    x = float(i % width) - 0.5 * float(width - 1)
    y = float(i // width) - 0.5 * float(height - 1)
    ray = wp.normalize(right * (x / focal) + down * (y / focal) + forward)
    normal = wp.vec3(0.0, 0.0, 1.0)
    # the inner side of the skin is not seen: cavities that come out through it are passed
    distance = wp.float32(0.0)
    hit = wp.int32(-1)
    u = wp.float32(0.0)
    v = wp.float32(0.0)
    for _p in range(passes):
        query = wp.mesh_query_ray(mesh, origin + ray * distance, ray, 10.0)
        if not query.result:
            break
        distance += query.t
        if wp.dot(query.normal, ray) < 0.0:
            hit = query.face
            u = query.u
            v = query.v
            normal = wp.normalize(query.normal)
            break
        distance += 1.0e-5
    floor = -origin[2] / ray[2]
    if hit >= 0 and distance > floor:
        hit = -1
        normal = wp.vec3(0.0, 0.0, 1.0)
    face[i] = hit
    bary[i] = wp.vec2(u, v)
    if hit < 0:
        distance = floor
    point = origin + ray * distance
    where[i] = point
    # light changes slowly over the mat: one ray in four tells, `_smooth_share` fills the rest
    if hit < 0 and (i % width % 2 + i // width % 2) > 0:
        light[i] = wp.vec3(0.0, 0.0, 0.0)
        return
    start = point + normal * 0.0006
    state = wp.rand_init(17, i)
    # the lamp: the share of it that is seen
    seen = wp.float32(0.0)
    for _s in range(shadow_rays):
        offset = wp.sample_unit_sphere(state)
        to_lamp = lamp + offset * lamp_radius - start
        reach = wp.length(to_lamp)
        blocked = wp.mesh_query_ray(mesh, start, to_lamp / reach, reach)
        if not blocked.result:
            seen += 1.0
    # the room: the share of the hemisphere that is open, and the share that shows the mat
    up = wp.vec3(0.0, 0.0, 1.0)
    open_sky = wp.float32(0.0)
    mat = wp.float32(0.0)
    for _r in range(room_rays):
        to_room = wp.normalize(normal + wp.sample_unit_sphere_surface(state))
        blocked = wp.mesh_query_ray(mesh, start, to_room, 0.30)
        if not blocked.result:
            if wp.dot(to_room, up) > 0.0:
                open_sky += 1.0
            else:
                mat += 1.0
    rooms = float(wp.max(room_rays, 1))
    light[i] = wp.vec3(seen / float(wp.max(shadow_rays, 1)), open_sky / rooms, mat / rooms)
