"""A sheet of training samples as the network sees them, key points drawn."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from aggpose.draw import side_colour
from aggpose.errors import UserError
from aggpose.geometry import apply_affine, input_to_heatmap, invert_affine
from aggpose.meta import HEATMAP_STRIDE
from aggpose.skeleton import Skeleton
from aggpose.training.people import TrainingData
from aggpose.training.recipe import Recipe


def write_contact_sheet(
    data: TrainingData, recipe: Recipe, path: Path, columns: int = 8, rows: int = 4
) -> None:
    """Draw the first samples of epoch 0 at the full input size, points from the targets' own frame.

    Points go through the heat-map frame that the loss sees, so a wrong affine shows. Sides
    have the colours of overlays (`aggpose.draw`).
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"--contact-sheet {path}: the sheet is a PNG; give it that ending")
    if path.exists():
        raise UserError(f"--contact-sheet {path}: is there already; give another name")
    size = recipe.data.input_size
    batches = data.batches(recipe)
    batches.sizes = [(0, size)]
    keys = [key for batch in batches for key in batch][: columns * rows]
    width, height = size
    back = invert_affine(
        input_to_heatmap(size, (width // HEATMAP_STRIDE, height // HEATMAP_STRIDE))
    )
    tiles = []
    for sample in (data.dataset[key] for key in keys):
        tile = np.ascontiguousarray(sample["image"].numpy().transpose(1, 2, 0))
        points = apply_affine(back, sample["points"].numpy())
        _draw(tile, points, sample["weights"].numpy() > 0, data.dataset.skeleton)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    _, coded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(coded.tobytes())
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def _draw(tile: np.ndarray, points: np.ndarray, shown: np.ndarray, skeleton: Skeleton) -> None:
    def cell(point: np.ndarray) -> tuple[int, int]:
        return round(float(point[0])), round(float(point[1]))

    for a, b in skeleton.link_indices:
        if shown[a] and shown[b]:
            cv2.line(tile, cell(points[a]), cell(points[b]), side_colour(skeleton.keypoints[b]), 1)
    for i in np.flatnonzero(shown):
        cv2.circle(tile, cell(points[i]), 3, side_colour(skeleton.keypoints[i]), -1)
