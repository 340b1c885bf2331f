"""How cloth hangs: smoothing of posed cloth, and closed ends over toes and fingers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Drape:
    """How cloth hangs after posing. own: (n,) vertices. mean: (n, n) sparse, the mean of each
    one's neighbours. free: (n, 1) how far it follows, [0, 1]. shrink: (n, 1) share of the way
    inwards it may go too (fingers in a mitten). rounds: how often."""

    own: np.ndarray
    mean: torch.Tensor
    free: torch.Tensor
    shrink: torch.Tensor
    rounds: int


def make_drape(
    free: np.ndarray, shrink: np.ndarray, neighbours: torch.Tensor, rounds: int = 10
) -> Drape | None:
    """What smooths the posed cloth; None for bare bodies. free, shrink: (V,)
    as in `Drape`. neighbours: as in `template.BodyModel`."""
    free = np.maximum(free, shrink)
    inside = free > 0
    if not inside.any():
        return None
    own, mean = local_mean(neighbours, inside)
    return Drape(
        own,
        mean,
        torch.from_numpy(free[own].astype(np.float32))[:, None],
        torch.from_numpy(shrink[own].astype(np.float32))[:, None],
        rounds,
    )


def local_mean(neighbours: torch.Tensor, inside: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
    """Vertices inside and next to it (n,), and the (n, n) mean of each inner one's neighbours."""
    starts, ends = neighbours.crow_indices().numpy(), neighbours.col_indices().numpy()
    chosen = np.repeat(inside, np.diff(starts))
    # the ring around stays where it is, so that edges lie on the skin
    keep = inside.copy()
    keep[ends[chosen]] = True
    own = np.flatnonzero(keep)
    index = np.cumsum(keep) - 1
    counts = np.where(inside, np.diff(starts), 0)[own]
    share = np.repeat(1.0 / np.maximum(counts, 1), counts)
    mean = torch.sparse_csr_tensor(
        torch.from_numpy(np.concatenate([[0], np.cumsum(counts)])),
        torch.from_numpy(index[ends[chosen]].astype(np.int64)),
        torch.from_numpy(share.astype(np.float32)),
        (len(own), len(own)),
    )
    return own, mean


def hang(drape: Drape, places: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Smooth the posed cloth: it bridges hollows and does not sink into the body.

    places, outward: (n, 3) m and unit, of the vertices `Drape.own`. Returns (n, 3).
    """
    smooth = places
    for _ in range(drape.rounds):
        smooth = smooth + drape.free * (drape.mean @ smooth - smooth)
    moved = smooth - places
    deep = (moved * outward).sum(dim=1, keepdim=True).clamp(max=0.0)
    return places + moved - (1 - drape.shrink) * deep * outward


def closed_end(places: np.ndarray, start: np.ndarray, tip: np.ndarray) -> np.ndarray:
    """(n, 3) m: places on toes or fingers moved out to one round hull about them.

    start, tip: (3,) m: the hull begins to show a third of the way from one to the other.
    """
    length = float(np.linalg.norm(tip - start))
    axis = (tip - start) / length
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.8 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(axis, side), axis])
    local = (places - start) @ frame.T
    along = local[:, 2] / length
    stations = np.linspace(0.0, 1.0, 12)
    angles = np.arange(24) * 2 * np.pi / 24
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    middles, support = np.empty((12, 2)), np.empty((12, 24))
    for i, station in enumerate(stations):
        near = local[np.abs(along - station) < 0.13, :2]
        middles[i] = (near.min(axis=0) + near.max(axis=0)) / 2
        support[i] = ((near - middles[i]) @ directions.T).max(axis=0)
    index = (along.clip(0, 1) * 11).clip(0, 10.999)
    low, share = index.astype(int), (index % 1)[:, None]
    middle = (1 - share) * middles[low] + share * middles[low + 1]
    off = local[:, :2] - middle
    turn = (np.arctan2(off[:, 1], off[:, 0]) / (2 * np.pi) * 24) % 24
    a, part = turn.astype(int) % 24, turn % 1
    rows = (1 - share) * support[low] + share * support[low + 1]
    order = np.arange(len(off))
    far = (1 - part) * rows[order, a] + part * rows[order, (a + 1) % 24]
    # a round cap
    far = far * np.sqrt(1 - ((along - 0.82).clip(0, 0.18) / 0.19) ** 2)
    radius = np.linalg.norm(off, axis=1)
    moved = local.copy()
    moved[:, :2] = middle + off / np.maximum(radius, 1e-6)[:, None] * far[:, None]
    blend = ((along - 0.25) / 0.25).clip(0, 1)[:, None]
    return places + blend * ((moved - local) @ frame)
