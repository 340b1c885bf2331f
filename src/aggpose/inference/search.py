"""Finding the one infant with the pose network itself, without a detector.

Detectors trained on standing adults miss lying infants. The pose network was trained on infants in
every direction, so it looks at the whole picture first, then again and closer at a crop around its
own key points. Where it stays unsure it looks at parts of the picture, in which the infant is
larger, and at turned ones, and closer at the best of these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aggpose.inference.crops import crop_of_box
from aggpose.inference.locate import (
    SAME_TURN_DEG,
    TURNS,
    Look,
    best_turns,
    look_at,
    look_upright,
    overlap,
    turned_apart,
    upright_turn,
    whole_picture,
)
from aggpose.inference.runtime import Runtime

CLOSER = 3
"""Closer looks after the first."""

CLOSE = 0.75
"""A crop is closer when it is narrower than this share of the one before."""

WORSE, MUCH_WORSE = 0.9, 0.5
"""A look is given up for the next one unless that scores below this share of it; the second where
the next crop is closer. The infant is larger there, where the same error counts for more, so that
scores of true places fall too."""

WINDOWS = (1.0, 0.6)
"""Sides of the parts looked at, as shares of the picture's shorter side."""

CANDIDATES = 2
"""The best looks at parts of one size are looked at closer."""


def windows(size: tuple[int, int], share: float) -> list[np.ndarray]:
    """Square parts of a picture (width, height) as (4,) xyxy boxes, each half a side on at most
    from the next, that cover it; side: ``share`` of its shorter side."""
    side = share * min(size)
    starts = [
        np.linspace(0, length - side, 1 + math.ceil(2 * (length - side) / side - 1e-6))
        for length in size
    ]
    return [np.array([x, y, x + side, y + side]) for y in starts[1] for x in starts[0]]


def refine(
    runtime: Runtime, image: np.ndarray, first: Look, flip_test: bool = False, turns: bool = True
) -> Look:
    """Look closer at the first look's own key points until nothing changes.

    turns: networks that know people upright look at all four turns the first time. Returns the last
    look that counts (`WORSE`).
    """
    best, meta = first, runtime.meta
    least: float | None = first.thresholds.hint
    for step in range(CLOSER):
        box, turn = best.body_box(least), upright_turn(best, meta)
        same_turn = turned_apart(turn, best.crop.rotation) <= SAME_TURN_DEG
        if box is None or (same_turn and overlap(box, best.crop.box) > 0.9):
            break
        if meta.upright and turns and step == 0:
            (closer,) = look_upright(runtime, [image], [box], flip_test)
        else:
            (closer,) = look_at(runtime, image, [crop_of_box(box, meta, turn)], flip_test)
        narrower = closer.crop.size[0] < CLOSE * best.crop.size[0]
        if closer.quality < (MUCH_WORSE if narrower else WORSE) * best.quality:
            break
        best, least = closer, None
    return best


def find_infant(
    runtime: Runtime,
    image: np.ndarray,
    flip_test: bool = False,
    turns: bool = True,
    parts: bool = True,
) -> Look | None:
    """The infant in a picture, None when the network finds nobody.

    image: (H, W, 3) uint8 RGB. turns: look at the turned picture too while unsure; networks that
    know people upright look at all four turns from the start. parts: look at parts of it too while
    unsure, in the same way.
    """
    whole = whole_picture(image)
    size = (image.shape[1], image.shape[0])
    upright = runtime.meta.upright

    def looks(boxes: Sequence[np.ndarray], turned: Sequence[float] = (0.0,)) -> list[Look]:
        # the part fills the crop: the usual padding would only make the infant smaller
        if upright and turns:
            return best_turns(runtime, [image] * len(boxes), boxes, 1.0, flip_test)
        crops = [crop_of_box(b, runtime.meta, turn, 1.0) for b in boxes for turn in turned]
        return look_at(runtime, image, crops, flip_test)

    def closer(seen: list[Look]) -> list[Look]:
        chosen = sorted(seen, key=_quality, reverse=True)[:CANDIDATES]
        return [refine(runtime, image, one, flip_test, turns) for one in chosen]

    best = max(closer(looks([whole])), key=_quality)
    if turns and not upright and not best.sure():
        best = max(best, *closer(looks([whole], TURNS)), key=_quality)
    for share in WINDOWS if parts else ():
        boxes = windows(size, share)
        # the small parts are many: they are for infants who were not found at all
        if len(boxes) > 1 and not (best.sure() if share == WINDOWS[0] else best.found()):
            for one in closer(looks(boxes)):
                # a part may show half of who was found in the whole
                as_much = not best.found() or one.counting.sum() >= best.counting.sum()
                if as_much and one.quality > best.quality:
                    best = one
    return best if best.found() else None


def _quality(seen: Look) -> float:
    return seen.quality
