"""Who looks and what shines: cameras and lights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aggpose.synthetic.around.anchors import LYING, Anchors
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Light

DISTANCE_M = (0.40, 2.0)
"""How far cameras are from the infant's middle."""

FIELD_OF_VIEW_DEG = (22.0, 86.0)
"""Of the picture's longer side: from a phone's telephoto, or a crop, to its wide camera."""

ELEVATION: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    "supine": ((0.45, 68, 90), (0.40, 40, 68), (0.15, 8, 40)),
    "prone": ((0.22, 65, 90), (0.38, 28, 65), (0.40, 4, 28)),
    "side": ((0.40, 65, 90), (0.40, 35, 65), (0.20, 8, 35)),
    "sitting": ((0.08, 60, 85), (0.37, 25, 60), (0.55, 0, 25)),
    "crawling": ((0.15, 60, 88), (0.40, 22, 60), (0.45, 2, 22)),
    "held": ((0.05, 50, 80), (0.30, 15, 50), (0.65, -15, 15)),
    "standing": ((0.05, 50, 80), (0.35, 18, 50), (0.60, -2, 18)),
}
"""Posture -> (chance, from, to) degrees of the line of sight above the horizon."""

SMALL_CHANCE, CUT_CHANCE, LEVEL_CHANCE, TURNED_CHANCE = 0.08, 0.11, 0.72, 0.10
"""Infants small in the picture; cut off at its border; pictures held level (low views only);
pictures whose rotation was lost, a quarter turn or upside down."""


MOST_TURNS = 12
"""Tries to turn the camera until the infant's box lies where it is to."""


def _elevation(rng: np.random.Generator, posture: str) -> float:
    bands = ELEVATION.get(posture, ELEVATION["supine"])
    which = int(rng.choice(len(bands), p=[b[0] for b in bands]))
    return float(rng.uniform(bands[which][1], bands[which][2]))


def _direction(rng: np.random.Generator, anchors: Anchors, elevation: float) -> np.ndarray:
    """(3,) unit, from the infant to the camera. Upright infants are seen from their front in two
    of three pictures, those on their front in two of five, other lying ones from any side."""
    anywhere = 0.6 if anchors.posture == "prone" else 1.0 if anchors.posture in LYING else 0.33
    if rng.uniform() < anywhere:
        around = float(rng.uniform(0, 2 * np.pi))
    else:
        face = anchors.head.front + anchors.trunk.front
        around = float(np.arctan2(face[1], face[0]) + rng.normal(0, 0.7))
    high = np.deg2rad(elevation)
    flat = np.cos(high)
    return np.array([flat * np.cos(around), flat * np.sin(around), np.sin(high)])


def sample_camera(
    rng: np.random.Generator, anchors: Anchors, size: tuple[int, int] = (256, 256)
) -> tuple[Camera, dict[str, object]]:
    """A phone or an overhead camera, and notes of where it is.

    size: (width, height) px. The infant's box covers 6 to 75 % of the picture, in `SMALL_CHANCE`
    of pictures less; it is whole in the picture unless it is cut on purpose.
    """
    elevation = _elevation(rng, anchors.posture)
    way = _direction(rng, anchors, elevation)
    middle = anchors.middle
    small = bool(rng.uniform() < SMALL_CHANCE)
    nearest = 1.0 if small else DISTANCE_M[0]
    distance = float(np.exp(rng.uniform(np.log(nearest), np.log(DISTANCE_M[1]))))
    distance = max(distance, 0.16 + float(((anchors.sparse - middle) @ way).max()))
    place = middle + distance * way
    place[2] = max(float(place[2]), 0.07)
    # seen straight from above any turn is as good; else the world's up is the picture's
    up = (0.0, 1.0, 0.0) if elevation > 80 else (0.0, 0.0, 1.0)
    roll = _roll(rng, elevation)
    cut = bool(rng.uniform() < CUT_CHANCE)
    cover = float(rng.uniform(0.02, 0.1) if small else rng.beta(2.2, 3.2) * 0.75 + 0.06)
    k1 = float(rng.normal(0, 0.035))
    camera = Camera(
        _three(place), _three(middle), size, float(max(size)), roll, up, (k1, -0.4 * k1)
    )
    camera = _framed(rng, camera, anchors, cover, cut)
    wide = 2 * np.rad2deg(np.arctan(max(size) / 2 / camera.focal_px))
    notes: dict[str, object] = {
        "elevation_deg": round(elevation, 1),
        "distance_m": round(float(np.linalg.norm(place - middle)), 3),
        "field_of_view_deg": round(float(wide), 1),
        "roll_deg": round(roll, 1),
        "cut": cut,
    }
    return camera, notes


def _roll(rng: np.random.Generator, elevation: float) -> float:
    """Degrees: any for steep views, near level for most low ones."""
    if elevation > 62 or rng.uniform() > LEVEL_CHANCE:
        return float(rng.uniform(-180, 180))
    quarter = 90.0 * int(rng.integers(1, 4)) if rng.uniform() < TURNED_CHANCE else 0.0
    return float((quarter + rng.normal(0, 7) + 180) % 360 - 180)


def _three(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in vector)
    return (x, y, z)


def _box(camera: Camera, anchors: Anchors) -> tuple[np.ndarray, np.ndarray]:
    pixels, _ = camera.project(anchors.sparse)
    return pixels.min(axis=0), pixels.max(axis=0)


def _framed(
    rng: np.random.Generator, camera: Camera, anchors: Anchors, cover: float, cut: bool
) -> Camera:
    """Zoom so that the infant's box covers that share of the picture, and turn so that it lies
    within it, or over its border where it is cut."""
    size = np.array(camera.size, dtype=np.float64)
    limits = [float(size.max() / 2 / np.tan(np.deg2rad(f) / 2)) for f in FIELD_OF_VIEW_DEG]
    low, high = _box(camera, anchors)
    share = float(np.prod((high - low) / size))
    zoom = float(np.sqrt(cover / share))
    fit = float((size / (high - low)).min()) * (1.25 if cut else 0.96)
    focal = float(np.clip(camera.focal_px * min(zoom, fit), limits[1], limits[0]))
    camera = replace(camera, focal_px=focal)
    low, high = _box(camera, anchors)
    room = np.maximum((size - (high - low)) / 2, 0.0)
    free = rng.uniform(-1, 1, 2) * room * 0.97
    if cut:
        over = np.where(rng.uniform(size=2) < 0.6, rng.choice([-1.0, 1.0], 2), 0.0)
        free = free + over * rng.uniform(0.1, 0.3, 2) * (high - low)
    return _aimed(camera, anchors, (size - 1) / 2 + free)


def _aimed(camera: Camera, anchors: Anchors, wanted: np.ndarray) -> Camera:
    """Turned until the middle of the infant's box lies at wanted (2,) px. Steps that lead away from
    it, as they may near the nadir and close to the body, are taken back and halved."""
    size = np.array(camera.size, dtype=np.float64)
    away, step = _away(camera, anchors, wanted), 1.0
    for _ in range(MOST_TURNS):
        if (np.abs(away) < 0.005 * size).all():
            break
        # look at the ray that now lies where the picture's middle has to come to
        ray = camera.rays((size - 1) / 2 + step * away)
        far = float(np.linalg.norm(np.subtract(camera.target, camera.position)))
        turned = replace(camera, target=_three(np.asarray(camera.position) + far * ray))
        after = _away(turned, anchors, wanted)
        if np.linalg.norm(after) < np.linalg.norm(away):
            camera, away, step = turned, after, min(1.0, 2 * step)
        else:
            step /= 2
    return camera


def _away(camera: Camera, anchors: Anchors, wanted: np.ndarray) -> np.ndarray:
    """(2,) px from wanted to the middle of the infant's box."""
    low, high = _box(camera, anchors)
    return np.asarray((low + high) / 2 - wanted)


_KELVIN = (2200.0, 2700.0, 3500.0, 4500.0, 5500.0, 6500.0, 7500.0, 9000.0)
_BLACK_BODY = np.array(
    [
        (1.0, 0.322, 0.039), (1.0, 0.395, 0.096), (1.0, 0.529, 0.241), (1.0, 0.670, 0.454),
        (1.0, 0.790, 0.690), (1.0, 0.910, 0.950), (0.877, 0.862, 1.0), (0.760, 0.790, 1.0),
    ]
)  # fmt: skip
"""Linear RGB of black bodies, greatest 1 (after Charity's table, CIE 1931 2 degrees, D65)."""


def black_body(kelvin: float) -> np.ndarray:
    """(3,) linear RGB of mean 1, as seen by a camera set to daylight."""
    tone = np.array([np.interp(kelvin, _KELVIN, _BLACK_BODY[:, c]) for c in range(3)])
    return np.asarray(tone / tone.mean())


def sample_lights(
    rng: np.random.Generator, middle: np.ndarray | None = None
) -> tuple[tuple[Light, ...], tuple[float, float, float], dict[str, object]]:
    """One to three lamps or windows, the room's own light, and notes.

    middle: (3,) m, what they stand around; the origin when None. The room is tinted half as much
    as the lamps: cameras balance what they see, here in part.
    """
    kind = str(
        rng.choice(["window", "ceiling", "lamps", "dim", "flash"], p=[0.34, 0.26, 0.22, 0.12, 0.06])
    )
    kelvin = float(rng.uniform(2700, 7500) if kind != "window" else rng.uniform(5000, 7500))
    balance = float(rng.uniform(0.55, 0.95))  # share of the tint that the camera takes out
    total = float(rng.uniform(0.7, 1.15) if kind != "dim" else rng.uniform(0.25, 0.5))
    filled = {
        "window": (0.12, 0.45),
        "ceiling": (0.3, 0.6),
        "lamps": (0.2, 0.5),
        "dim": (0.1, 0.4),
        "flash": (0.15, 0.4),
    }[kind]
    fill = float(rng.uniform(*filled))
    count = {
        "window": int(rng.integers(1, 3)),
        "ceiling": int(rng.integers(1, 3)),
        "lamps": int(rng.integers(2, 4)),
        "dim": 1,
        "flash": 1,
    }[kind]
    shares = rng.dirichlet(np.full(count, 1.2))
    lights = []
    for share in np.sort(shares)[::-1]:
        own = float(np.clip(kelvin + rng.normal(0, 500), 2400, 8500))
        tone = black_body(own) ** (1 - balance)
        strength = total * (1 - 0.5 * fill) * float(share)
        position, radius = _lamp_place(rng, kind)
        if middle is not None:
            position = position + np.append(np.asarray(middle)[:2], 0.0)
        lights.append(Light(_three(position), radius, _three(strength * tone)))
    walls = 1 + 0.12 * rng.standard_normal(3)
    room = total * fill * 0.9 * walls.clip(0.7, 1.3) * black_body(kelvin) ** (0.5 * (1 - balance))
    return tuple(lights), _three(room), {"kind": kind, "kelvin": round(kelvin), "lamps": count}


def _lamp_place(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, float]:
    """Where a lamp is, m from the infant, and its radius, m."""
    high = {
        "window": (12, 50),
        "ceiling": (60, 88),
        "lamps": (25, 75),
        "dim": (20, 75),
        "flash": (65, 88),
    }[kind]
    far = {
        "window": (1.2, 2.8),
        "ceiling": (1.6, 2.4),
        "lamps": (1.0, 2.4),
        "dim": (1.0, 2.5),
        "flash": (0.7, 1.3),
    }[kind]
    size = {
        "window": (0.3, 0.6),
        "ceiling": (0.08, 0.4),
        "lamps": (0.05, 0.2),
        "dim": (0.04, 0.2),
        "flash": (0.01, 0.03),
    }[kind]
    elevation, around = np.deg2rad(rng.uniform(*high)), rng.uniform(0, 2 * np.pi)
    flat = np.cos(elevation)
    way = np.array([flat * np.cos(around), flat * np.sin(around), np.sin(elevation)])
    return float(rng.uniform(*far)) * way, float(rng.uniform(*size))
