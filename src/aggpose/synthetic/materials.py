"""Skin, hair, eyes and cloth of the body: colour and normal where a ray meets it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggpose.synthetic.body import Body

_SKIN = np.array([0.76, 0.485, 0.365])
_FLUSH = np.array([0.70, 0.33, 0.27])
_LIPS = np.array([0.56, 0.20, 0.19])
_NAILS = np.array([0.82, 0.56, 0.48])
_HAIR = np.array([0.085, 0.048, 0.028])
_MOUTH = np.array([0.30, 0.07, 0.07])
_SUIT = np.array([0.86, 0.70, 0.36])
_STRIPE = np.array([0.84, 0.82, 0.76])
_SEAM = np.array([0.60, 0.40, 0.17])

_IRIS = np.array([0.045, 0.065, 0.10])
_WHITE = np.array([0.78, 0.78, 0.78])


@dataclass(frozen=True)
class Surface:
    """N places. colour: (N, 3) linear RGB. normal: (N, 3). wrap: (N,) 1 where light enters the
    surface as it does skin. shine: (N,) strength of the highlight."""

    colour: np.ndarray
    normal: np.ndarray
    wrap: np.ndarray
    shine: np.ndarray


_NAMES = (
    *("suit", "hair", "lips", "ears", "nails", "inside-mouth", "eyelids", "eye", "flush"),
    *("blotch", "x", "y", "z"),
)


def surface_fields(body: Body) -> np.ndarray:
    """(V, C) what the colours are made from, in the order of `_NAMES`."""
    masks, rest = body.masks, body.vertices
    rng = np.random.default_rng(5)
    waves = rng.normal(0, 90, size=(24, 3))
    blotch = np.sin(rest @ waves.T + rng.uniform(0, 6.3, 24)).mean(axis=1) * np.sqrt(48 / 3)
    cheeks = np.zeros(len(rest))
    for side, eye in zip((1, -1), body.eyes, strict=True):
        centre = eye + np.array([side * 0.012, -0.012, -0.030])
        cheeks += np.exp(-((np.linalg.norm(rest - centre, axis=1) / 0.019) ** 2))
    ends = body.weights["hand"] * 0.5 + body.weights["foot"] * 0.5
    flush = (cheeks * 0.6 + ends + masks["ears"] * 0.5).clip(0, 1)
    nails = np.maximum(masks["fingernails"], masks["toenails"])
    own = {"nails": nails, "flush": flush, "blotch": blotch}
    own |= {axis: rest[:, i] for i, axis in enumerate("xyz")}
    every = {**masks, **own}
    return np.stack([every[name] for name in _NAMES], axis=1).astype(np.float32)


def body_surface(
    body: Body, fields: np.ndarray, normals: np.ndarray, face: np.ndarray, bary: np.ndarray
) -> Surface:
    """What N rays find. normals: (V, 3). face: (N,). bary: (N, 2) warp's u, v."""
    corners = body.faces[face]
    weight = np.stack([bary[:, 0], bary[:, 1], 1 - bary[:, 0] - bary[:, 1]], axis=1)
    found = np.einsum("nc,ncd->nd", weight, fields[corners])
    normal = np.einsum("nc,ncd->nd", weight, normals[corners])
    at = dict(zip(_NAMES, found.T, strict=True))
    rest = found[:, -3:]
    colour = _skin(at)
    suit = _step(at["suit"] / 0.0012 + 0.5)
    hair = _hair(at, rest) * (1 - suit)
    colour = _mix(colour, _HAIR, hair)
    colour = _mix(colour, _suit_colour(at), suit)
    eye = at["eye"] > 0.5
    colour[eye], glint = _eye(body, rest[eye])
    normal = normal + suit[:, None] * _wrinkles(rest)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    shine = 0.05 * (1 - suit) * (1 - hair) + 0.06 * at["lips"]
    shine[eye] = glint
    return Surface(colour, normal, (1 - suit) * (1 - 0.7 * hair), shine)


def _skin(at: dict[str, np.ndarray]) -> np.ndarray:
    colour = _SKIN * (1 + 0.028 * at["blotch"])[:, None]
    colour = _mix(colour, _FLUSH, 0.55 * at["flush"] + 0.05 * at["blotch"].clip(0))
    colour = _mix(colour, _FLUSH, 0.25 * at["eyelids"])
    colour = _mix(colour, _NAILS, 0.6 * at["nails"])
    colour = _mix(colour, _LIPS, 0.8 * at["lips"])
    return _mix(colour, _MOUTH, _step(at["inside-mouth"] * 2 - 0.6))


def _hair(at: dict[str, np.ndarray], rest: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1]: thin hair, in strands from the crown, that fades at the line."""
    strands = np.sin(rest[:, 0] * 900 + 3 * np.sin(rest[:, 2] * 140) + rest[:, 1] * 260)
    strands = 0.5 + 0.3 * strands + 0.2 * np.sin(rest[:, 0] * 2100 - rest[:, 1] * 700)
    cover = _step((at["hair"] + 0.004) / 0.028) * (1 - _step(at["ears"] * 3))
    return cover * (0.62 + 0.30 * strands)


def _suit_colour(at: dict[str, np.ndarray]) -> np.ndarray:
    """Stripes across the body, and a seam along every edge."""
    period = 0.030
    across = np.abs((at["z"] / period) % 1 - 0.5) * period
    stripe = _step((across - 0.0105) / 0.0012 + 0.5)
    colour = _mix(np.broadcast_to(_SUIT, (len(stripe), 3)), _STRIPE, stripe)
    seam = 1 - _step((at["suit"] - 0.0065) / 0.0012 + 0.5)
    return _mix(colour, _SEAM, seam)


def _eye(body: Body, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour (N, 3) and shine (N,) of the eye balls: white, iris, pupil by the angle from ahead."""
    centre = body.eyes[(rest[:, 0] < 0).astype(int)]
    ahead = rest - centre
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    angle = np.rad2deg(np.arccos((-ahead[:, 1]).clip(-1, 1)))
    colour = np.broadcast_to(_WHITE, rest.shape)
    colour = _mix(colour, _IRIS, 1 - _step((angle - 36) / 4))
    colour = _mix(colour, np.full(3, 0.006), 1 - _step((angle - 14) / 4))
    return colour, np.full(len(rest), 0.12)


def _wrinkles(rest: np.ndarray) -> np.ndarray:
    """(N, 3) how the cloth's small folds turn its normal; the body's frame laid on its back."""
    rng = np.random.default_rng(11)
    slope = np.zeros_like(rest)
    for wave in rng.normal(0, 1, size=(9, 3)) * rng.uniform(70, 260, size=(9, 1)):
        phase = rest @ wave.astype(np.float32) + np.float32(rng.uniform(0, 6.3))
        slope += (np.cos(phase)[:, None] * wave / np.linalg.norm(wave)).astype(slope.dtype)
    slope *= 0.075
    return np.stack([slope[:, 0], slope[:, 2], -slope[:, 1]], axis=1)


def _mix(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return one + (other - one) * share[:, None]


def _step(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3 - 2 * t)
