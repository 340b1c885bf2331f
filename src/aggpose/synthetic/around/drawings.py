"""Small drawings for prints and play mats: stars, hearts, animals, letters, as polygons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

Shapes = Sequence[np.ndarray]
"""Polygons (N, 2) in a unit of about [-1, 1], y down."""


def paint(
    picture: np.ndarray,
    shapes: Shapes,
    centre: np.ndarray,
    reach: float,
    turn: float,
    colour: np.ndarray,
) -> None:
    """Paint polygons into (S, S, 3) float32, in place.

    centre: (2,) px. reach: px of a drawing's unit. turn: radians. colour: (3,).
    """
    size = len(picture)
    if np.any(centre < -reach * 1.5) or np.any(centre > size + reach * 1.5):
        return
    c, s = np.cos(turn) * reach, np.sin(turn) * reach
    tone = tuple(float(v) for v in colour)
    for shape in shapes:
        at = np.stack([c * shape[:, 0] - s * shape[:, 1], s * shape[:, 0] + c * shape[:, 1]], 1)
        corners = np.round((at + centre) * 8).astype(np.int32)
        cv2.fillPoly(picture, [corners], tone, cv2.LINE_8, 3)


def paint_random(
    picture: np.ndarray,
    rng: np.random.Generator,
    centre: np.ndarray,
    reach: float,
    turn: float,
    colour: np.ndarray,
) -> None:
    """`paint` any drawing, a letter every second time."""
    draw = letter if rng.uniform() < 0.5 else DRAWINGS[int(rng.integers(len(DRAWINGS)))]
    paint(picture, draw(rng), centre, reach, turn, colour)


def _ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    u, v = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([x + c * u - s * v, y + s * u + c * v], axis=1)


def star(rng: np.random.Generator) -> Shapes:
    points = int(rng.integers(4, 8))
    t = np.arange(2 * points) * np.pi / points
    radius = np.where(np.arange(2 * points) % 2, float(rng.uniform(0.35, 0.7)), 1.0)
    return [np.stack([np.sin(t) * radius, -np.cos(t) * radius], axis=1)]


def heart(rng: np.random.Generator) -> Shapes:
    t = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([16 * np.sin(t) ** 3, -y], axis=1) / 17]


def cloud(rng: np.random.Generator) -> Shapes:
    return [_ellipse(x, 0.2 * abs(x) + 0.1, 0.5, 0.45) for x in (-0.55, 0.0, 0.5)]


def moon(rng: np.random.Generator) -> Shapes:
    t = np.linspace(0.6, 2 * np.pi - 0.6, 24)
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    inner = np.stack([0.35 + 0.75 * np.cos(t), 0.8 * np.sin(t)], axis=1)[::-1]
    return [np.concatenate([outer, inner])]


def elephant(rng: np.random.Generator) -> Shapes:
    legs = [_ellipse(x, 0.55, 0.13, 0.4) for x in (-0.5, -0.15, 0.3)]
    trunk = _ellipse(0.95, 0.35, 0.1, 0.45, 0.2)
    return [_ellipse(-0.1, 0, 0.7, 0.5), _ellipse(0.65, -0.15, 0.35, 0.35), *legs, trunk]


def bear(rng: np.random.Generator) -> Shapes:
    ears = [_ellipse(x, -0.65, 0.3, 0.3) for x in (-0.6, 0.6)]
    return [_ellipse(0, 0, 0.85, 0.75), *ears]


def leaf(rng: np.random.Generator) -> Shapes:
    turns = (0.0, 1.3, 2.6, 4.4)
    return [_ellipse(0.35 * np.cos(t), 0.35 * np.sin(t), 0.5, 0.14, t) for t in turns]


def flower(rng: np.random.Generator) -> Shapes:
    turns = np.arange(5) * 2 * np.pi / 5
    return [_ellipse(0.5 * np.cos(t), 0.5 * np.sin(t), 0.42, 0.3, t) for t in turns]


def letter(rng: np.random.Generator) -> Shapes:
    """A letter or a number, as outlines of its strokes."""
    text = str(rng.choice(list("ABCDEFGHKLMNPRSTUXYZ0123456789")))
    canvas = np.zeros((64, 64), np.uint8)
    cv2.putText(canvas, text, (10, 52), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 255, 9)
    found, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [(c[:, 0] - 32.0) / 28.0 for c in found]


def disc(rng: np.random.Generator) -> Shapes:
    return [_ellipse(0, 0, 1.0, float(rng.uniform(0.5, 1.0)))]


DRAWINGS: tuple[Callable[[np.random.Generator], Shapes], ...] = (
    *(star, heart, cloud, moon, elephant, bear, leaf, flower, letter, disc),
)
