"""Scenes and cameras as arrays for the kernels: one picture after the other in each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import warp as wp

from aggpose.synthetic.camera import Camera
from aggpose.synthetic.kernels import add_corners, finish_normals
from aggpose.synthetic.mesh import FIELDS, Ground, Light, Material, Mesh, Scene
from aggpose.synthetic.optics import Job, Lamp, Surface
from aggpose.synthetic.patterns import PATTERNS, Look

KINDS = ("skin", "cloth", "hard")
MOST_LAMPS = 3
_GROUNDS = 8  # of which the device keeps the pictures
_SLOPE = 4096.0  # slopes are kept as whole numbers of 1 / 4096


@dataclass(frozen=True)
class GroundPictures:
    """A ground on the device. colour: uint8, slope: int16, flat, each size half of the one before;
    level: where each size begins, px. mean: linear RGB."""

    texels: Any
    level: Any
    mean: np.ndarray


@dataclass(frozen=True)
class Geometry:
    """What scenes look like without a camera. J scenes, V vertices and F triangles of them all.

    meshes: the J trees of triangles; points: (V,) vec3 that they refer to, as moved; middle: (V,)
    at the middle of the exposure; motion: (V,) vec3 or None; normals: (V,); fields: (V, C).
    face_surface: (F,) the mesh in its scene. surfaces, looks, lamps: tables. first: for every
    scene its first vertex, triangle, surface and lamp; counts: how many of each.
    """

    scenes: tuple[Scene, ...]
    meshes: tuple[Any, ...]
    points: Any
    middle: Any
    motion: Any
    normals: Any
    fields: Any
    face_surface: Any
    surfaces: Any
    looks: Any
    lamps: Any
    first: np.ndarray
    counts: np.ndarray


def _roots() -> np.ndarray:
    """(256,) uint8: square roots of the linear values of sRGB's codes (IEC 61966-2-1)."""
    code = np.arange(256) / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return (np.sqrt(linear) * 255).round().astype(np.uint8)


_ROOTS = _roots()
_STRUCTS: tuple[Any, ...] = (Surface, Look, Lamp)
_SURFACE, _LOOK, _LAMP = (kind.numpy_dtype() for kind in _STRUCTS)


class Grounds:
    """The pictures of the grounds used last, so that a pool of grounds is sent only once."""

    def __init__(self, device: str):
        self._device = device
        self._kept: OrderedDict[int, tuple[Ground, GroundPictures]] = OrderedDict()

    def of(self, ground: Ground) -> GroundPictures:
        """Known by identity: the same `Ground` object is not prepared again."""
        found = self._kept.pop(id(ground), None)
        pictures = found[1] if found else self._prepare(ground)
        self._kept[id(ground)] = (ground, pictures)
        if len(self._kept) > _GROUNDS:
            self._kept.popitem(last=False)
        return pictures

    def _prepare(self, ground: Ground) -> GroundPictures:
        colour: np.ndarray = cv2.LUT(np.ascontiguousarray(ground.colour), _ROOTS)
        slope: np.ndarray = (
            (ground.slope.astype(np.float32) * _SLOPE).clip(-32767, 32767).astype(np.int16)
        )
        sizes = []
        while True:
            texels = np.zeros((*colour.shape[:2], 8), np.uint8)
            texels[..., :3] = colour
            texels.view(np.int16)[..., 2:] = slope
            sizes.append(texels.reshape(-1).view(np.int32))
            size = len(colour) // 2
            if size < 8:
                break
            colour = cv2.resize(colour, (size, size), interpolation=cv2.INTER_AREA)
            slope = cv2.resize(slope, (size, size), interpolation=cv2.INTER_AREA)
        level = np.cumsum([0] + [len(t) // 2 for t in sizes[:-1]]).astype(np.int32)
        return GroundPictures(
            texels=wp.array(np.concatenate(sizes), dtype=wp.int32, device=self._device),
            level=wp.array(level, dtype=wp.int32, device=self._device),
            mean=((colour / 255.0) ** 2).reshape(-1, 3).mean(axis=0),
        )


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

    centre = put(middle, wp.vec3)
    motion = None
    if any(m.motion is not None for m in every):
        ways = [m.vertices * 0 if m.motion is None else m.motion for m in every]
        motion = put(np.concatenate(ways, dtype=np.float32), wp.vec3)
    points = wp.clone(centre) if motion else centre
    corners = put(indices.reshape(-1), wp.int32)
    meshes = []
    for (v, f, _, _), (nv, nf, _, _) in zip(first, counts, strict=True):
        if nf == 0:  # a tree needs a triangle: one that no ray meets
            meshes.append(_empty_mesh(device))
            continue
        meshes.append(
            wp.Mesh(
                points[v : v + nv],
                corners[3 * f : 3 * (f + nf)],
                bvh_constructor=_builder(device),
                bvh_leaf_size=4,
            )
        )
    total = wp.zeros((len(middle), 3), dtype=wp.int32, device=device)
    normals = wp.empty(len(middle), dtype=wp.vec3, device=device)
    wp.launch(
        add_corners,
        len(indices),
        inputs=[centre, corners, put(face_vertex, wp.int32), total],
        device=device,
    )
    wp.launch(finish_normals, len(middle), inputs=[total], outputs=[normals], device=device)
    surfaces, looks = _tables(every)
    return Geometry(
        scenes=tuple(scenes),
        meshes=tuple(meshes),
        points=points,
        middle=centre,
        motion=motion,
        normals=normals,
        fields=put(fields, float),
        face_surface=put(face_surface, wp.int32),
        surfaces=put(surfaces, Surface),
        looks=put(looks, Look),
        lamps=put(_lamp_table(scenes), Lamp),
        first=first,
        counts=counts,
    )


def _builder(device: str) -> str:
    """On a CPU cuBQL's builder takes a third of the time of the others, and traces as fast."""
    return "cubql" if device == "cpu" else "lbvh"


def _empty_mesh(device: str) -> Any:
    far = np.array([[0, 0, -1e6], [1e-3, 0, -1e6], [0, 1e-3, -1e6]], np.float32)
    points: Any = wp.array(far, dtype=wp.vec3, device=device)
    return wp.Mesh(points, wp.array([0, 1, 2], dtype=wp.int32, device=device))


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
    job.step = step
    job.light_width, job.light_height = (-(-side // step) + (step > 1) for side in camera.size)
    vertex, face, surface, lamp = (int(n) for n in geometry.first[number])
    ends = geometry.counts[number]
    job.vertices, job.faces = int(ends[0]), int(ends[1])
    job.first_vertex, job.first_face, job.first_surface = vertex, face, surface
    job.first_lamp, job.lamps = lamp, len(scene.lights)
    job.room = wp.vec3(*scene.room)
    job.bounce = wp.vec3(*(ground.mean * _at_origin(scene)))
    job.texels, job.level = ground.texels, ground.level
    job.ground_size, job.ground_side = len(scene.ground.colour), scene.ground.side_m
    job.ground_shine = scene.ground.shine
    return job


def _at_origin(scene: Scene) -> np.ndarray:
    """(3,) about how much light falls on the ground around the world's origin."""
    total = 0.6 * np.asarray(scene.room, float)
    for light in scene.lights:
        place = np.asarray(light.position, float)
        cosine = max(0.0, place[2] / np.linalg.norm(place))
        total = total + 0.6 * cosine * np.asarray(light.colour)
    return total
