"""The renderer: scenes and cameras to pictures in linear light, on a CPU or a GPU.

A ray caster in Warp (`kernels`, `samples`): one ray for every pixel and more where surfaces meet
or move, soft shadows and the light of the room asked for by one pixel in four and smoothed within
surfaces, and all materials computed where a ray ends. The same input gives the same picture: random
numbers are hashed from the pixel, so that the noise of a clip does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Scene
from aggpose.synthetic.render import kernels, raster, samples
from aggpose.synthetic.render.ground_pictures import Grounds
from aggpose.synthetic.render.optics import Film, Glow, Job, More
from aggpose.synthetic.render.packing import Geometry, make_job, pack


@dataclass(frozen=True)
class Quality:
    """How much work goes into a picture.

    over: further rays in pixels where surfaces meet, an even number. light_step: px of the picture
    for each pixel whose light is asked for. shadow_rays: of each of these, for all lamps together,
    but at least one for each; room_rays: for the light of the room. smoothing: rounds of smoothing
    the light. times: most moments of the exposure.
    """

    over: int = 4
    light_step: int = 2
    shadow_rays: int = 2
    room_rays: int = 1
    smoothing: int = 2
    times: int = 12


QUALITIES = {
    "fast": Quality(),
    "clip": Quality(over=8, shadow_rays=6, room_rays=8, smoothing=3, times=16),
}
"""``fast``: for training pictures of about 192 to 320 px; ``clip``: large and smooth."""


_FILM = {
    **{"tags": wp.int32, "faces": wp.int32, "barys": wp.vec2, "places": wp.vec3},
    **{"directions": wp.vec3, "depths": wp.float32, "rays": wp.vec3, "distances": wp.float32},
    **{"colours": wp.vec3, "parts": wp.uint8, "wanted": wp.uint8},
    **{"sums": wp.vec3, "infants": wp.float32},
}
_GLOW = {
    **{"tags": wp.int32, "places": wp.vec3, "directions": wp.vec3},
    **{"seen": wp.vec3, "blocker": wp.vec3, "room": wp.vec3},
}
_MORE = {"distances": wp.float32, "faces": wp.int32, "barys": wp.vec2}


@dataclass(frozen=True)
class Frame:
    """A picture of H x W pixels before the camera's electronics.

    linear: (H, W, 3) float32 linear RGB. part: (H, W) uint8, what the middle of each pixel shows,
    in `mesh`'s numbers. infant: (H, W) float32, share of the pixel that shows the infant or its
    clothes. depth: (H, W) float32 m along the optical axis of what the middle shows.
    """

    linear: np.ndarray
    part: np.ndarray
    infant: np.ndarray
    depth: np.ndarray


class Renderer:
    """Renders batches of scenes; keeps only memory for the next one and the grounds used last.

    device: ``cpu`` or ``cuda:0``. On a GPU a batch is done in the same launches as one picture.
    """

    def __init__(self, device: str = "cpu"):
        wp.init()
        self.device = device
        self.by_triangles = device == "cpu"
        self._grounds = Grounds(device)
        self._geometries: list[Geometry] = []
        self._kept: dict[str, Any] = {}

    def render(
        self, jobs: Sequence[tuple[Scene, Camera]], quality: str | Quality = "fast"
    ) -> list[Frame]:
        """One picture for each scene and camera; a scene may come more than once."""
        q = QUALITIES[quality] if isinstance(quality, str) else quality
        self._geometries = []
        if self.by_triangles:  # one thread gains nothing from batches
            return [self._batch([job], q)[0] for job in jobs]
        # what moves takes more launches; a picture does not depend on what is rendered beside it
        frames: dict[int, Frame] = {}
        for moving in (False, True):
            own = [n for n, (scene, _) in enumerate(jobs) if _moves(scene) == moving]
            if own:
                frames |= dict(zip(own, self._batch([jobs[n] for n in own], q), strict=True))
        return [frames[n] for n in range(len(jobs))]

    def _batch(self, jobs: Sequence[tuple[Scene, Camera]], q: Quality) -> list[Frame]:
        geometry = self._prepare(_different(scene for scene, _ in jobs))
        table = self._table(geometry, jobs, q.light_step)
        world, film = geometry.world, self._film(table)
        tables: Any = wp.array(table, dtype=Job, device=self.device)
        size = (len(jobs), max(job.width * job.height for job in table))
        if self.by_triangles:
            counts = geometry.counts.max(axis=0)
            self._run(raster.open_rays, size, tables, film)
            self._run(raster.project, (len(jobs), int(counts[0])), tables, world, film)
            self._run(raster.cover, (len(jobs), int(counts[1])), tables, world, film)
            self._run(raster.settle, size, tables, world, film)
        else:
            self._run(kernels.see, size, tables, world, film)
        glow = self._light(world, table, tables, film, q)
        self._run(kernels.shade, size, tables, world, glow, film)
        self._sample(geometry, tables, size, film, glow, q)
        return self._frames(jobs, film)

    def visible(
        self, scene: Scene, camera: Camera, points: np.ndarray, slack: np.ndarray
    ) -> np.ndarray:
        """(K,) bool: nothing lies in front of points (K, 3) m but the infant by up to slack (K,) m.

        Joints lie inside of limbs: the slack of a point is how deep it may lie in the infant, its
        clothes and what sticks to it (`mesh.OWN`); anything else hides it. Whether a point is
        inside the picture is not asked. Cheap right after `render` of the same scene.
        """
        return self.visible_many([(scene, camera)], [points], [slack])[0]

    def visible_many(
        self,
        jobs: Sequence[tuple[Scene, Camera]],
        points: Sequence[np.ndarray],
        slack: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """`visible` of every picture of a batch."""
        prepared = [self._prepare([scene]) for scene, _ in jobs]
        found: list[np.ndarray] = [np.empty(0, bool)] * len(jobs)
        for geometry in {id(g): g for g in prepared}.values():
            which = [n for n, own in enumerate(prepared) if own is geometry]
            counts = [len(points[n]) for n in which]
            places = [_place(geometry, jobs[n][0]) for n in which]
            ids = np.array([geometry.meshes[place].id for place in places], np.uint64)
            first = geometry.first[places].astype(np.int32)
            eyes = np.array([jobs[n][1].position for n in which], np.float32)
            free: Any = wp.empty(sum(counts), dtype=wp.uint8, device=self.device)
            self._run(
                samples.look_through,
                sum(counts),
                self._sent(np.repeat(ids, counts), wp.uint64),
                self._sent(np.repeat(first[:, 1], counts), wp.int32),
                self._sent(np.repeat(first[:, 2], counts), wp.int32),
                geometry.world,
                self._sent(np.repeat(eyes, counts, axis=0), wp.vec3),
                self._sent(np.concatenate([points[n] for n in which]), wp.vec3),
                self._sent(np.concatenate([slack[n] for n in which]), wp.float32),
                free,
            )
            for n, part in zip(which, np.split(free.numpy(), np.cumsum(counts)[:-1]), strict=True):
                found[n] = part.astype(bool)
        return found

    def _sent(self, values: np.ndarray, kind: Any) -> Any:
        """An array on the device."""
        if kind in (wp.vec3, wp.float32):
            values = values.astype(np.float32)
        return wp.array(values, dtype=kind, device=self.device)

    def _prepare(self, scenes: Sequence[Scene]) -> Geometry:
        """The geometry of scenes on the device, which `render` has left or is built now."""
        for geometry in self._geometries:
            if all(any(s is known for known in geometry.scenes) for s in scenes):
                return geometry
        self._geometries = [*self._geometries[-63:], pack(scenes, self.device)]
        return self._geometries[-1]

    def _table(
        self, geometry: Geometry, jobs: Sequence[tuple[Scene, Camera]], step: int
    ) -> list[Any]:
        """The jobs, with the places of their pixels in the batch."""
        table: list[Any] = []
        pixels = lights = corners = 0
        for scene, camera in jobs:
            number = _place(geometry, scene)
            job = make_job(geometry, number, camera, self._grounds.of(scene.ground, camera), step)
            job.first_pixel, job.first_light_pixel, job.first_corner = pixels, lights, corners
            corners += job.vertices
            pixels += job.width * job.height
            lights += job.light_width * job.light_height
            table.append(job)
        return table

    def _film(self, table: Sequence[Any]) -> Any:
        film: Any = Film()
        pixels = sum(job.width * job.height for job in table)
        for name, kind in _FILM.items():
            setattr(film, name, self._new(name, pixels, kind))
        film.corners = self._new("corners", sum(job.vertices for job in table), wp.vec3)
        return film

    def _light(self, world: Any, table: Sequence[Any], tables: Any, film: Any, q: Quality) -> Any:
        """Shares of the lamps and of the room, smoothed."""
        widest = max(job.light_width * job.light_height for job in table)
        size = (len(table), widest)
        pixels = sum(job.light_width * job.light_height for job in table)
        one: Any = Glow()
        two: Any = Glow()
        for name, kind in _GLOW.items():
            setattr(one, name, self._new(f"glow {name}", pixels, kind))
            shared = name in ("tags", "places", "directions")
            own = getattr(one, name) if shared else self._new(f"glow {name} 2", pixels, kind)
            setattr(two, name, own)
        skip = 1 if q.smoothing else 0
        rays = (q.shadow_rays, q.room_rays, skip)
        self._run(kernels.light_up, size, tables, world, film, *rays, one)
        for n in range(q.smoothing):
            self._run(kernels.smooth, size, tables, world, 2 if n == 0 else 1, 2**n, one, two)
            one, two = two, one
        return one

    def _sample(
        self,
        geometry: Geometry,
        tables: Any,
        size: tuple[int, int],
        film: Any,
        glow: Any,
        q: Quality,
    ) -> None:
        """More rays at edges, and through the exposure where things move."""
        world = geometry.world
        film.sums.zero_()
        film.infants.zero_()
        self._run(samples.mark_edges, size, tables, film)
        times = self._times(geometry, tables, size, film, q) if geometry.moves else ()
        each = 1 if times else q.over
        more: Any = More()
        pixels = len(film.tags) if self.by_triangles else 1
        for name, kind in _MORE.items():
            setattr(more, name, self._new(f"more {name}", (each, pixels), kind))
        counts = [int(n) for n in geometry.counts.max(axis=0)]
        for n, time in enumerate(times or (0.0,)):
            if times:
                self._move(geometry, time)
            if self.by_triangles:
                if times:
                    self._run(raster.project, (size[0], counts[0]), tables, world, film)
                self._run(raster.open_more, size, tables, film, n, more)
                self._run(raster.cover_more, (size[0], counts[1]), tables, world, film, n, more)
            known = (int(bool(times)), n, each, int(self.by_triangles))
            self._run(samples.sample, size, tables, world, glow, time, *known, more, film)
        if times:
            self._move(geometry, 0.0)
        self._run(samples.finish, size, tables, world, max(len(times), 1) * each, film)

    def _times(
        self, geometry: Geometry, tables: Any, size: tuple[int, int], film: Any, q: Quality
    ) -> tuple[float, ...]:
        """Moments of the exposure, -0.5 to 0.5, at which to look; none where nothing moves."""
        furthest: Any = wp.zeros(1, dtype=wp.int32, device=self.device)
        self._run(samples.mark_moving, size, tables, geometry.world, film, furthest)
        many = q.times
        if self.by_triangles:
            most = int(furthest.numpy()[0])
            if most == 0:
                return ()
            # one moment for every 1.6 px of the way, so that no moment stands out
            many = min(max(q.over, 2 * round(most / 3.2)), q.times)
        return tuple((n + 0.5) / many - 0.5 for n in range(many))

    def _move(self, geometry: Geometry, time: float) -> None:
        world = geometry.world
        inputs = (geometry.middle, world.motion, time, world.points)
        self._run(kernels.advance, len(world.points), *inputs)
        if not self.by_triangles or time == 0.0:
            for mesh in geometry.meshes:
                mesh.refit()

    def _frames(self, jobs: Sequence[tuple[Scene, Camera]], film: Any) -> list[Frame]:
        arrays = [a.numpy() for a in (film.colours, film.parts, film.infants, film.depths)]
        frames, start = [], 0
        for _, camera in jobs:
            width, height = camera.size
            own = [a[start : start + width * height].copy() for a in arrays]
            start += width * height
            linear, part, infant, depth = (a.reshape(height, width, *a.shape[1:]) for a in own)
            frames.append(Frame(linear, part, infant, depth))
        return frames

    def _new(self, name: str, shape: int | tuple[int, int], kind: Any) -> Any:
        """Memory for so many values, kept for the next picture of the same size."""
        whole = shape if isinstance(shape, tuple) else (shape,)
        kept = self._kept.get(name)
        if kept is None or kept.shape != whole:
            kept = self._kept[name] = wp.zeros(whole, dtype=kind, device=self.device)
        return kept

    def _run(self, kernel: Any, size: Any, *inputs: Any) -> None:
        wp.launch(kernel, dim=size, inputs=inputs, device=self.device)


def _place(geometry: Geometry, scene: Scene) -> int:
    """The scene's number, by identity."""
    return next(n for n, s in enumerate(geometry.scenes) if s is scene)


def _moves(scene: Scene) -> bool:
    return any(mesh.motion is not None for mesh in scene.meshes)


def _different(scenes: Iterable[Scene]) -> list[Scene]:
    """Each scene once, by identity, in order."""
    found: list[Scene] = []
    for scene in scenes:
        if not any(scene is other for other in found):
            found.append(scene)
    return found
