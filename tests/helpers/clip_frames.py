"""Pictures with somebody in them, from the bundled clip."""

from __future__ import annotations

from pathlib import Path

from colour_net import save_rgb

import aggpose
from aggpose.video.reader import VideoReader


def clip_frames(folder: Path, count: int) -> Path:
    """Write frames of the synthetic infant as pictures; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with VideoReader(Path(aggpose.__file__).parent / "examples" / "infant.mp4") as video:
        for frame in video:
            if frame.index == count:
                break
            save_rgb(folder / f"{frame.index}.png", frame.image)
    return folder
