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

from aggpose.synthetic import kernels, raster, samples
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Scene
from aggpose.synthetic.optics import Job
from aggpose.synthetic.packing import Geometry, Grounds, make_job, pack


@dataclass(frozen=True)
class Quality:
    """How much work goes into a picture.

    over: further rays in pixels where surfaces meet. light_step: px of the picture for each pixel
    whose light is asked for. shadow_rays: for each of these and each lamp; room_rays: for the light
    of the room. smoothing: rounds of smoothing the light. times: most moments of the exposure.
    """

    over: int = 3
    light_step: int = 2
    shadow_rays: int = 2
    room_rays: int = 1
    smoothing: int = 3
    times: int = 12


QUALITIES = {
    "fast": Quality(),
    "clip": Quality(over=8, shadow_rays=6, room_rays=8, times=16),
}
"""``fast``: for training pictures of about 192 to 320 px; ``clip``: large and smooth."""


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
        table, pixels, lights = self._table(geometry, jobs, q.light_step)
        widest = max(camera.size[0] * camera.size[1] for _, camera in jobs)
        light_widest = max(job.light_width * job.light_height for job in table)
        tables: Any = wp.array(table, dtype=Job, device=self.device)
        see = self._see(geometry, table, tables, (len(jobs), widest), pixels)
        light = self._light(geometry, tables, len(jobs), light_widest, lights, see, q)
        colours, parts = self._new("colours", pixels, wp.vec3), self._new("parts", pixels, wp.uint8)
        common = [tables, geometry.lamps, geometry.surfaces, geometry.looks, geometry.fields]
        self._run(
            kernels.shade,
            (len(jobs), widest),
            [*common, see["tags"], see["faces"], see["barys"], see["places"]],
            [see["directions"], *light, colours, parts],
        )
        infants = self._sample(geometry, common, (len(jobs), widest), see, light, colours, q)
        return self._frames(jobs, colours, parts, infants, see["depths"])

    def visible(
        self, scene: Scene, camera: Camera, points: np.ndarray, slack: np.ndarray
    ) -> np.ndarray:
        """(K,) bool: nothing lies in front of points (K, 3) m by more than slack (K,) m.

        Joints lie inside of limbs: the slack of a point is how deep it may lie. Whether a point is
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
        ids, eyes, used = [], [], []
        for (scene, camera), own in zip(jobs, points, strict=True):
            geometry = self._prepare([scene])
            number = next(n for n, s in enumerate(geometry.scenes) if s is scene)
            ids += [geometry.meshes[number].id] * len(own)
            eyes += [camera.position] * len(own)
            used.append(geometry)  # its trees must live until the rays are cast
        free = wp.empty(len(ids), dtype=wp.uint8, device=self.device)
        inputs: list[Any] = [
            wp.array(np.array(ids, np.uint64), dtype=wp.uint64, device=self.device),
            wp.array(np.array(eyes, np.float32), dtype=wp.vec3, device=self.device),
            wp.array(np.concatenate(points).astype(np.float32), dtype=wp.vec3, device=self.device),
            wp.array(np.concatenate(slack).astype(np.float32), dtype=float, device=self.device),
        ]
        self._run(samples.look_through, len(ids), inputs, [free])
        ends = np.cumsum([len(own) for own in points])[:-1]
        return [part.astype(bool) for part in np.split(free.numpy(), ends)]

    def _prepare(self, scenes: Sequence[Scene]) -> Geometry:
        """The geometry of scenes on the device, which `render` has left or is built now."""
        for geometry in self._geometries:
            if all(any(s is known for known in geometry.scenes) for s in scenes):
                return geometry
        self._geometries = [*self._geometries[-63:], pack(scenes, self.device)]
        return self._geometries[-1]

    def _table(
        self, geometry: Geometry, jobs: Sequence[tuple[Scene, Camera]], step: int
    ) -> tuple[list[Any], int, int]:
        """The jobs, and how many pixels the pictures and the lights' pictures have in all."""
        table, pixels, lights, corners = [], 0, 0, 0
        for scene, camera in jobs:
            number = next(n for n, s in enumerate(geometry.scenes) if s is scene)
            job = make_job(geometry, number, camera, self._grounds.of(scene.ground), step)
            job.first_pixel, job.first_light_pixel, job.first_corner = pixels, lights, corners
            corners += job.vertices
            pixels += job.width * job.height
            lights += job.light_width * job.light_height
            table.append(job)
        return table, pixels, lights

    def _see(
        self,
        geometry: Geometry,
        table: list[Any],
        tables: Any,
        size: tuple[int, int],
        pixels: int,
    ) -> dict[str, Any]:
        """What the middle of every pixel shows: by rays on a GPU, by triangles on a CPU."""
        kinds = {
            "tags": wp.int32,
            "faces": wp.int32,
            "barys": wp.vec2,
            "places": wp.vec3,
            "directions": wp.vec3,
            "depths": wp.float32,
        }
        seen = {name: self._new(name, pixels, kind) for name, kind in kinds.items()}
        known = [geometry.surfaces, geometry.face_surface]
        if not self.by_triangles:
            inputs = [tables, *known, geometry.normals]
            self._run(kernels.see, size, inputs, list(seen.values()))
            return seen
        rays, far = self._new("rays", pixels, wp.vec3), self._new("far", pixels, wp.float32)
        corners = self._new("corners", sum(job.vertices for job in table), wp.vec3)
        vertices, faces = max(j.vertices for j in table), max(j.faces for j in table)
        self._run(raster.open_rays, size, [tables], [rays, far, seen["faces"]])
        self._run(raster.project, (size[0], vertices), [tables, geometry.points], [corners])
        self._run(
            raster.cover,
            (size[0], faces),
            [tables, *known, geometry.points, corners, rays],
            [far, seen["faces"], seen["barys"]],
        )
        inputs = [tables, geometry.face_surface, geometry.normals, rays, far]
        self._run(raster.settle, size, inputs, list(seen.values()))
        return seen

    def _light(
        self,
        geometry: Geometry,
        tables: Any,
        count: int,
        widest: int,
        lights: int,
        see: dict[str, Any],
        q: Quality,
    ) -> list[Any]:
        """Shares of the lamps and of the room, smoothed."""
        at = [self._new("light tags", lights, wp.int32)]
        at += [self._new(name, lights, wp.vec3) for name in ("light places", "light directions")]
        one = [self._new(name, lights, wp.vec3) for name in ("seen", "blocker", "room")]
        two = [self._new(name, lights, wp.vec3) for name in ("seen2", "blocker2", "room2")]
        known = [tables, geometry.lamps]
        inputs = [*known, see["tags"], see["places"], see["directions"]]
        inputs += [q.shadow_rays, q.room_rays, 1 if q.smoothing else 0]
        self._run(kernels.light_up, (count, widest), inputs, [*at, *one])
        for n in range(q.smoothing):
            inputs = [*known, *at, 2 if n == 0 else 1, 2**n, *one]
            self._run(kernels.smooth, (count, widest), inputs, two)
            one, two = two, one
        return [*at, one[0], one[2]]

    def _sample(
        self,
        geometry: Geometry,
        common: list[Any],
        size: tuple[int, int],
        see: dict[str, Any],
        light: list[Any],
        colours: Any,
        q: Quality,
    ) -> Any:
        """More rays at edges, and through the exposure where things move; the infant's share."""
        pixels = len(colours)
        wanted = self._new("wanted", pixels, wp.uint8)
        sums, infants = self._new("sums", pixels, wp.vec3), self._new("infants", pixels, wp.float32)
        sums.zero_()
        infants.zero_()
        tables, tags = common[0], see["tags"]
        inputs = [tables, tags, see["depths"], see["directions"]]
        self._run(samples.mark_edges, size, inputs, [wanted])
        times, most = [0.0], 0
        if geometry.motion is not None:
            furthest = wp.zeros(1, dtype=wp.int32, device=self.device)
            inputs = [tables, geometry.motion, tags, see["faces"], see["barys"], see["places"]]
            self._run(samples.mark_moving, size, inputs, [wanted, furthest])
            most = int(furthest.numpy()[0])
            if not self.by_triangles:
                most = max(most, 1)
        if most:
            # one moment for every 1.3 px of the way, so that no moment stands out
            many = min(max(q.over + 1, round(most / 1.3)), q.times)
            many = many if self.by_triangles else q.times
            times = [(n + 0.5) / many - 0.5 for n in range(many)]
        each = 1 if most else q.over
        known = [wanted, tags, see["places"], *light, colours]
        still = [
            *common,
            geometry.face_surface,
            geometry.normals,
            geometry.motion or geometry.middle,
        ]
        for n, time in enumerate(times):
            if most:
                self._move(geometry, time)
            given = self._more(geometry, tables, size, wanted, n, each)
            inputs = [*still, time, 1 if most else 0, n, each, *given, *known]
            self._run(samples.sample, size, inputs, [sums, infants])
        if most:
            self._move(geometry, 0.0)
        inputs = [tables, geometry.surfaces, len(times) * each, tags, wanted, sums]
        self._run(samples.finish, size, inputs, [infants, colours])
        return infants

    def _more(
        self,
        geometry: Geometry,
        tables: Any,
        size: tuple[int, int],
        wanted: Any,
        first: int,
        each: int,
    ) -> list[Any]:
        """What further rays meet, on a CPU; on a GPU they are cast where they are used."""
        pixels = len(wanted) if self.by_triangles else 1
        kinds = {"more far": wp.float32, "more faces": wp.int32, "more barys": wp.vec2}
        far, faces, barys = (self._new(k, (each, pixels), kind) for k, kind in kinds.items())
        if not self.by_triangles:
            return [0, self._new("rays", 1, wp.vec3), far, faces, barys]
        rays, corners = self._kept["rays"], self._kept["corners"]
        counts = geometry.counts.max(axis=0)
        if geometry.motion is not None:
            inputs = [tables, geometry.points]
            self._run(raster.project, (size[0], int(counts[0])), inputs, [corners])
        self._run(raster.open_more, size, [tables, rays, wanted, first], [far, faces])
        inputs = [tables, geometry.surfaces, geometry.face_surface, geometry.points, corners, rays]
        inputs += [wanted, first]
        self._run(raster.cover_more, (size[0], int(counts[1])), inputs, [far, faces, barys])
        return [1, rays, far, faces, barys]

    def _move(self, geometry: Geometry, time: float) -> None:
        inputs = [geometry.middle, geometry.motion, time]
        self._run(kernels.advance, len(geometry.points), inputs, [geometry.points])
        if not self.by_triangles or time == 0.0:
            for mesh in geometry.meshes:
                mesh.refit()

    def _frames(
        self,
        jobs: Sequence[tuple[Scene, Camera]],
        colours: Any,
        parts: Any,
        infants: Any,
        depths: Any,
    ) -> list[Frame]:
        arrays = [a.numpy() for a in (colours, parts, infants, depths)]
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

    def _run(self, kernel: Any, size: Any, inputs: list[Any], outputs: list[Any]) -> None:
        wp.launch(kernel, dim=size, inputs=inputs, outputs=outputs, device=self.device)


def _moves(scene: Scene) -> bool:
    return any(mesh.motion is not None for mesh in scene.meshes)


def _different(scenes: Iterable[Scene]) -> list[Scene]:
    """Each scene once, by identity, in order."""
    found: list[Scene] = []
    for scene in scenes:
        if not any(scene is other for other in found):
            found.append(scene)
    return found
