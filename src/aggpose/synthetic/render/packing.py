"""Scenes and cameras as arrays for the kernels: one picture after the other in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import FIELDS, Light, Material, Mesh, Scene
from aggpose.synthetic.render.ground_pictures import GroundPictures, turn_of
from aggpose.synthetic.render.kernels import add_corners, finish_normals
from aggpose.synthetic.render.optics import Job, Lamp, Surface, World
from aggpose.synthetic.render.patterns import PATTERNS, Look

KINDS = ("skin", "cloth", "hard")
MOST_LAMPS = 3


@dataclass(frozen=True)
class Geometry:
    """What scenes look like without a camera. J scenes, V vertices of them all.

    meshes: the J trees of triangles. world: a `World`, all scenes one after the other, whose points
    the trees refer to. middle: (V,) vec3, where they are at the middle of the exposure. moves:
    whether any is ever elsewhere. first, counts: (J, 4), where the vertices, triangles, surfaces
    and lamps of every scene begin, and how many it has.
    """

    scenes: tuple[Scene, ...]
    meshes: tuple[Any, ...]
    world: Any
    middle: Any
    moves: bool
    first: np.ndarray
    counts: np.ndarray


_STRUCTS: tuple[Any, ...] = (Surface, Look, Lamp)
_SURFACE, _LOOK, _LAMP = (kind.numpy_dtype() for kind in _STRUCTS)


def pack(scenes: Sequence[Scene], device: str) -> Geometry:
    """Send scenes to the device and build their trees."""
    every = [mesh for scene in scenes for mesh in scene.meshes]
    counts = np.array(
        [
            [
                sum(len(m.vertices) for m in scene.meshes),
                sum(len(m.faces) for m in scene.meshes),
                len(scene.meshes),
                len(_lamps(scene)),
            ]
            for scene in scenes
        ]
    )
    first = np.cumsum(counts, axis=0) - counts
    middle = np.concatenate([np.empty((0, 3))] + [m.vertices for m in every], dtype=np.float32)
    indices, face_vertex, face_surface = _triangles(scenes, first)
    fields = np.concatenate(
        [np.empty((0, len(FIELDS)))] + [m.fields for m in every], dtype=np.float32
    )

    def put(array: np.ndarray, kind: Any) -> Any:
        return wp.array(array, dtype=kind, device=device)

    world: Any = World()
    centre = put(middle, wp.vec3)
    moves = any(m.motion is not None for m in every)
    world.points = wp.clone(centre) if moves else centre
    world.motion = put(_motion(every), wp.vec3) if moves else centre
    corners = put(indices.reshape(-1), wp.int32)
    total = wp.zeros((len(middle), 3), dtype=wp.int32, device=device)
    world.normals = wp.empty(len(middle), dtype=wp.vec3, device=device)
    inputs = [centre, corners, put(face_vertex, wp.int32), total]
    wp.launch(add_corners, len(indices), inputs=inputs, device=device)
    inputs = [total, world.normals]
    wp.launch(finish_normals, len(middle), inputs=inputs, device=device)
    surfaces, looks = _tables(every)
    world.surfaces, world.looks = put(surfaces, Surface), put(looks, Look)
    world.lamps = put(_lamp_table(scenes), Lamp)
    world.fields, world.face_surface = put(fields, float), put(face_surface, wp.int32)
    meshes = [
        _tree(world.points[v : v + nv], corners[3 * f : 3 * (f + nf)], device)
        if nf
        else _no_tree(device)
        for (v, f, _, _), (nv, nf, _, _) in zip(first, counts, strict=True)
    ]
    return Geometry(tuple(scenes), tuple(meshes), world, centre, moves, first, counts)


def _motion(meshes: Sequence[Mesh]) -> np.ndarray:
    """(V, 3) m"""
    ways = [np.zeros_like(m.vertices) if m.motion is None else m.motion for m in meshes]
    return np.concatenate(ways, dtype=np.float32)


def _tree(points: Any, corners: Any, device: str) -> Any:
    """A tree of triangles. On a CPU cuBQL's builder takes a third of the time of the others, and
    rays are as fast."""
    builder = "cubql" if device == "cpu" else "lbvh"
    return wp.Mesh(points, corners, bvh_constructor=builder, bvh_leaf_size=4)


def _no_tree(device: str) -> Any:
    """A tree needs a triangle: one that no ray meets."""
    far = np.array([[0, 0, -1e6], [1e-3, 0, -1e6], [0, 1e-3, -1e6]], np.float32)
    corners: Any = wp.array([0, 1, 2], dtype=wp.int32, device=device)
    return _tree(wp.array(far, dtype=wp.vec3, device=device), corners, device)


def _triangles(
    scenes: Sequence[Scene], first: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F, 3) corners counted within the scene; (F,) the scene's first vertex; (F,) its mesh."""
    indices, vertex, surface = [np.empty((0, 3), np.int32)], [], []
    for scene, (start, _, _, _) in zip(scenes, first, strict=True):
        before = 0
        for number, mesh in enumerate(scene.meshes):
            indices.append(np.asarray(mesh.faces, np.int32) + np.int32(before))
            vertex.append(np.full(len(mesh.faces), start, np.int32))
            surface.append(np.full(len(mesh.faces), number, np.int32))
            before += len(mesh.vertices)
    none = [np.empty(0, np.int32)]
    return np.concatenate(indices), np.concatenate(none + vertex), np.concatenate(none + surface)


def _tables(meshes: Sequence[Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """The tables of surfaces and of looks, as Warp's structs lie in memory."""
    known: dict[Material, int] = {}
    number = lambda m: -1 if m is None else known.setdefault(m, len(known))  # noqa: E731
    surfaces = np.zeros(max(1, len(meshes)), _SURFACE)
    for row, mesh in zip(surfaces, meshes, strict=False):
        row["part"], row["two_sided"] = mesh.part, mesh.two_sided
        row["look"] = number(mesh.material)
        for n, material in enumerate(mesh.garments):
            row[f"garment{n}"] = number(material)
        row["left_eye"], row["right_eye"] = _eyes(mesh)
    looks = np.zeros(max(1, len(known)), _LOOK)
    for row, material in zip(looks, known, strict=False):
        row["kind"], row["pattern"] = KINDS.index(material.kind), PATTERNS.index(material.pattern)
        row["seed"], row["period"] = material.seed & 0xFFFFFF, max(material.period_m, 1e-4)
        row["first"], row["second"], row["third"] = material.colours
        angle = np.deg2rad(material.angle_deg)
        row["cosine"], row["sine"] = np.cos(angle), np.sin(angle)
        for name in ("wrinkle", "shine", "wrap", "hair_cover", "flush"):
            row[name] = getattr(material, name)
    return surfaces, looks


def _eyes(mesh: Mesh) -> np.ndarray:
    """(2, 3) m, middles of the left and the right eye ball at rest; zeros without eyes."""
    found = np.zeros((2, 3))
    if mesh.material.kind == "skin":
        balls = mesh.fields[mesh.fields[:, FIELDS.index("eye")] > 0.5, :3]
        for side, sign in enumerate((1, -1)):
            ball = balls[sign * balls[:, 0] > 0]
            if len(ball):
                found[side] = (ball.min(axis=0) + ball.max(axis=0)) / 2
    return found


def _lamps(scene: Scene) -> Sequence[Light]:
    if len(scene.lights) > MOST_LAMPS:
        raise ValueError(f"{len(scene.lights)} lights: a scene has at most {MOST_LAMPS}")
    return scene.lights


def _lamp_table(scenes: Sequence[Scene]) -> np.ndarray:
    every = [light for scene in scenes for light in _lamps(scene)]
    table = np.zeros(max(1, len(every)), _LAMP)
    for row, light in zip(table, every, strict=False):
        row["place"], row["radius"], row["colour"] = light.position, light.radius_m, light.colour
    return table


def make_job(
    geometry: Geometry, number: int, camera: Camera, ground: GroundPictures, step: int
) -> Any:
    """The `Job` of one picture; where its pixels and corners begin is left to the caller."""
    scene, job = geometry.scenes[number], Job()
    job.mesh = geometry.meshes[number].id
    job.eye = wp.vec3(*camera.position)
    job.right, job.down, job.forward = (wp.vec3(*axis) for axis in camera.axes())
    job.focal, (job.k1, job.k2) = camera.focal_px, camera.distortion
    job.width, job.height = camera.size
    job.wide, job.high = _view(camera)
    job.step = step
    job.light_width, job.light_height = (-(-side // step) + (step > 1) for side in camera.size)
    vertex, face, surface, lamp = (int(n) for n in geometry.first[number])
    ends = geometry.counts[number]
    job.vertices, job.faces = int(ends[0]), int(ends[1])
    job.first_vertex, job.first_face, job.first_surface = vertex, face, surface
    job.first_lamp, job.lamps = lamp, len(scene.lights)
    job.room = wp.vec3(*scene.room)
    job.bounce = wp.vec3(*(ground.mean * _at_origin(scene)))
    job.colour, job.slope, job.level = ground.colour, ground.slope, ground.level
    job.ground_size, job.ground_side = len(scene.ground.colour), scene.ground.side_m
    job.ground_column, job.ground_row, job.ground_columns, job.ground_rows = ground.cut
    job.ground_shine = scene.ground.shine
    job.ground_turn = wp.vec2(*turn_of(scene.ground))
    return job


def _view(camera: Camera) -> tuple[float, float]:
    """How far out the lens sees to the sides and up or down, in units of the focal length."""
    width, height = camera.size
    x, y = np.linspace(-0.5, width - 0.5, 9), np.linspace(-0.5, height - 0.5, 9)
    rim = [np.stack([x, np.full(9, row)], axis=1) for row in (y[0], y[-1])]
    rim += [np.stack([np.full(9, column), y], axis=1) for column in (x[0], x[-1])]
    local = camera.rays(np.concatenate(rim)) @ camera.axes().T
    out = np.abs(local[:, :2] / local[:, 2:]).max(axis=0) * 1.02
    return float(out[0]), float(out[1])


def _at_origin(scene: Scene) -> np.ndarray:
    """(3,) about how much light falls on the ground around the world's origin."""
    total = 0.6 * np.asarray(scene.room, float)
    for light in scene.lights:
        place = np.asarray(light.position, float)
        cosine = max(0.0, place[2] / np.linalg.norm(place))
        total = total + 0.6 * cosine * np.asarray(light.colour)
    return total
