"""A suit with short sleeves and legs, a nappy below it, and the line of the hair.

All of it as smooth fields over the vertices at rest, in metres: where a field is positive there is
cloth (or hair), so that edges are sharp at any size of the picture and not bound to triangles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clothes:
    """suit, hair: (V,) m inside of the edge, negative outside. offsets: (V, 3) m outwards."""

    suit: np.ndarray
    hair: np.ndarray
    offsets: np.ndarray


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, weighted by area, of a mesh (V, 3), (F, 3)."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(normal[:, d], 3), minlength=len(vertices))
            for d in range(3)
        ],
        axis=1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _along(vertices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(V,) m from ``start`` in the direction of ``end``."""
    axis = (end - start) / np.linalg.norm(end - start)
    return (vertices - start) @ axis


def dress(
    vertices: np.ndarray,
    faces: np.ndarray,
    weights: Mapping[str, np.ndarray],
    heads: Mapping[str, np.ndarray],
) -> Clothes:
    """Dress a bare body at rest.

    vertices: (V, 3) m, body frame. weights: groups as `body` makes them. heads: bone -> (3,) m.
    """
    suit = np.full(len(vertices), np.inf)
    for side in ("L", "R"):
        shoulder, elbow = heads[f"upperarm01.{side}"], heads[f"lowerarm01.{side}"]
        sleeve = 0.62 * np.linalg.norm(elbow - shoulder) - _along(vertices, shoulder, elbow)
        on_arm = weights[f"arm.{side}"] + weights[f"hand.{side}"] > 0.5
        suit = np.where(on_arm, np.minimum(suit, sleeve), suit)
        hip, knee = heads[f"upperleg01.{side}"], heads[f"lowerleg01.{side}"]
        # a short leg: an edge in the groin would be lost in the fold of a bent hip
        leg = 0.60 * np.linalg.norm(knee - hip) - _along(vertices, hip, knee)
        suit = np.where(weights[f"leg.{side}"] > 0.25, np.minimum(suit, leg), suit)
    neck = heads["neck01"]
    collar = neck[2] - 0.004 - vertices[:, 2] + 0.55 * (vertices[:, 1] - neck[1])
    suit = np.minimum(suit, np.where(weights["arm"] > 0.5, np.inf, collar))
    suit = np.minimum(suit, 0.05)

    normals = vertex_normals(vertices, faces)
    thick = 0.0028 * _smoothstep(suit / 0.004)
    hips = (heads["upperleg01.L"] + heads["upperleg01.R"]) / 2
    low = np.exp(-(((vertices[:, 2] - hips[2] - 0.005) / 0.030) ** 2))
    thick = thick + 0.007 * low * (1 - weights["leg"]).clip(0) * _smoothstep(suit / 0.02)
    return Clothes(suit, _hair_line(vertices, weights, heads), normals * thick[:, None])


def _hair_line(
    vertices: np.ndarray, weights: Mapping[str, np.ndarray], heads: Mapping[str, np.ndarray]
) -> np.ndarray:
    """(V,) m: behind and above a plane from the forehead to the nape."""
    eyes = (heads["eye.L"] + heads["eye.R"]) / 2
    top = vertices[:, 2].max()
    forehead = eyes + np.array([0.0, 0.0, 0.50 * (top - eyes[2])])
    forehead[1] = vertices[weights["head"] > 0.5, 1].min() + 0.012
    slope = np.array([0.0, 0.80, 0.60])
    inside = (vertices - forehead) @ slope - 0.15 * np.abs(vertices[:, 0])
    low = vertices[:, 2] - (eyes[2] - 0.030)
    return np.where(weights["head"] > 0.4, np.minimum(inside, low), -0.05).clip(-0.05, 0.05)


def _smoothstep(value: np.ndarray) -> np.ndarray:
    t = value.clip(0.0, 1.0)
    return t * t * (3 - 2 * t)
