"""A small ray caster: what the camera sees of the body on the mat, and how light falls on it.

Every pixel sends `OVER` x `OVER` rays. Shadow rays go to a round lamp, others over the hemisphere
for the light of the room; all random numbers are hashed from the pixel, so that a frame comes out
the same each time. Warp traces on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import warp as wp

from aggpose.synthetic.body import Body
from aggpose.synthetic.clothes import vertex_normals
from aggpose.synthetic.kernels import trace
from aggpose.synthetic.materials import body_surface, surface_fields
from aggpose.synthetic.scene import Camera, Ground

OVER = 2
_SHADOW_RAYS = 3
_ROOM_RAYS = 5
_PASSES = 5


@dataclass(frozen=True)
class Light:
    """A round lamp (or window) and the room. position: (3,) m. radius: m. colours: linear RGB."""

    position: tuple[float, float, float] = (-0.9, 0.75, 1.7)
    radius: float = 0.28
    colour: tuple[float, float, float] = (1.02, 0.95, 0.86)
    room: tuple[float, float, float] = (0.40, 0.43, 0.47)


@dataclass(frozen=True)
class Frame:
    """image: (H, W, 3) uint8 RGB. depth: (H, W) m along the optical axis, of the nearest thing."""

    image: np.ndarray
    depth: np.ndarray


class Renderer:
    """Renders one body on one ground with one camera; vertices change from frame to frame."""

    def __init__(self, body: Body, ground: Ground, camera: Camera, light: Light | None = None):
        wp.init()
        self._body, self._ground, self._camera = body, ground, camera
        self._light = light or Light()
        self._fields = surface_fields(body)
        width, height = camera.size
        self._size = (width * OVER, height * OVER)
        count = self._size[0] * self._size[1]
        device = "cpu"
        self._vertices: Any = wp.array(body.vertices, dtype=wp.vec3, device=device)
        self._mesh = wp.Mesh(
            self._vertices, wp.array(body.faces.ravel(), dtype=wp.int32, device=device)
        )
        self._face = wp.empty(count, dtype=wp.int32, device=device)
        self._bary = wp.empty(count, dtype=wp.vec2, device=device)
        self._where = wp.empty(count, dtype=wp.vec3, device=device)
        self._share = wp.empty(count, dtype=wp.vec3, device=device)

    def render(self, vertices: np.ndarray) -> Frame:
        """vertices: (V, 3) m, world."""
        self._trace(vertices)
        shape = (self._size[1], self._size[0])
        face, where = self._face.numpy(), self._where.numpy()
        colour = np.empty((len(face), 3), np.float32)
        normal = np.empty_like(colour)
        wrap = np.zeros(len(face), np.float32)
        shine = np.zeros(len(face), np.float32)
        on_body = face >= 0
        hit = body_surface(
            self._body,
            self._fields,
            vertex_normals(vertices, self._body.faces),
            face[on_body],
            self._bary.numpy()[on_body],
        )
        colour[on_body], normal[on_body] = hit.colour, hit.normal
        wrap[on_body], shine[on_body] = hit.wrap, hit.shine
        colour[~on_body], normal[~on_body] = self._look_up(where[~on_body])
        image = self._shade(where, colour, normal, wrap, shine).reshape(*shape, 3)
        depth = (where - np.asarray(self._camera.position)) @ self._camera.axes()[2]
        small = image.reshape(shape[0] // OVER, OVER, shape[1] // OVER, OVER, 3).mean(axis=(1, 3))
        depth = depth.reshape(shape[0] // OVER, OVER, shape[1] // OVER, OVER).min(axis=(1, 3))
        return Frame(_develop(small), depth)

    def _trace(self, vertices: np.ndarray) -> None:
        self._vertices.assign(vertices.astype(np.float32))
        self._mesh.refit()
        right, down, forward = (wp.vec3(*axis) for axis in self._camera.axes())
        inputs: list[Any] = [
            self._mesh.id,
            wp.vec3(*self._camera.position),
            right,
            down,
            forward,
            *self._size,
            self._camera.focal_px * OVER,
            wp.vec3(*self._light.position),
            self._light.radius,
            _SHADOW_RAYS,
            _ROOM_RAYS,
            _PASSES,
        ]
        outputs = [self._face, self._bary, self._where, self._share]
        wp.launch(trace, dim=len(self._face), inputs=inputs, outputs=outputs, device="cpu")

    def _smooth_share(self) -> np.ndarray:
        """(N, 3) shares of light with less noise: blurred within the body and within the mat."""
        shape = (self._size[1], self._size[0])
        share = self._share.numpy().reshape(*shape, 3)
        body = (self._face.numpy() >= 0).reshape(shape)
        asked = np.zeros(shape, bool)
        asked[::2, ::2] = True
        for inside, told, sigma in ((body, body, 1.4), (~body, ~body & asked, 4.0)):
            mask = told.astype(np.float32)
            total = cv2.GaussianBlur(share * mask[..., None], (0, 0), sigma)
            weight = cv2.GaussianBlur(mask, (0, 0), sigma).clip(1e-6)
            share[inside] = total[inside] / weight[inside][:, None]
        return share.reshape(-1, 3)

    def _look_up(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colour and normal of the ground at (N, 3) m."""
        ground = self._ground
        scale = len(ground.colour) / ground.side_m
        column = ((where[:, 0] + ground.side_m / 2) * scale - 0.5).astype(np.float32)
        row = ((ground.side_m / 2 - where[:, 1]) * scale - 0.5).astype(np.float32)
        found = [
            np.concatenate(
                [
                    cv2.remap(
                        picture, c, r, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
                    ).reshape(-1, 3)
                    for c, r in zip(_columns(column), _columns(row), strict=True)
                ]
            )
            for picture in (ground.colour, ground.normal)
        ]
        return found[0], found[1]

    def _shade(
        self,
        where: np.ndarray,
        colour: np.ndarray,
        normal: np.ndarray,
        wrap: np.ndarray,
        shine: np.ndarray,
    ) -> np.ndarray:
        """(N, 3) linear RGB."""
        share = self._smooth_share()
        to_lamp = np.asarray(self._light.position, np.float32) - where
        to_lamp /= np.linalg.norm(to_lamp, axis=1, keepdims=True)
        to_eye = np.asarray(self._camera.position, np.float32) - where
        to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
        cosine = (normal * to_lamp).sum(axis=1)
        # light that enters skin comes out beyond the edge of the shadow, redder
        lit = ((cosine[:, None] + wrap[:, None] * (0.30, 0.14, 0.10)) / 1.15).clip(0)
        lamp = np.asarray(self._light.colour, np.float32)
        direct = lit * share[:, :1] * lamp
        room = share[:, 1:2] * np.asarray(self._light.room, np.float32)
        bounce = share[:, 2:3] * np.array([0.30, 0.31, 0.29], np.float32)
        half = to_lamp + to_eye
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        gloss = (normal * half).sum(axis=1).clip(0) ** 24 * shine * share[:, 0]
        return colour * (direct + room + bounce) + gloss[:, None] * lamp


def _columns(values: np.ndarray) -> list[np.ndarray]:
    """In pieces that OpenCV's remap can take: no side beyond its 16 bits."""
    return [values[i : i + 32000, None] for i in range(0, len(values), 32000)]


def _develop(linear: np.ndarray) -> np.ndarray:
    """Linear RGB (H, W, 3) -> uint8, with a soft shoulder, dark corners and a lens's softness."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    exposed = linear * (1.08 - 0.13 * (x**2 + y**2))[..., None]
    shouldered = np.where(exposed < 0.6, exposed, 0.6 + 0.4 * np.tanh((exposed - 0.6) / 0.4))
    soft = cv2.GaussianBlur(shouldered, (0, 0), 0.45)
    curve = 1.055 * soft.clip(1e-6) ** (1 / 2.4) - 0.055
    encoded = np.where(soft <= 0.0031308, 12.92 * soft, curve)  # sRGB
    return (encoded.clip(0, 1) * 255).round().astype(np.uint8)
