"""The work of ``aggpose synthesize``."""

from __future__ import annotations

import re
from pathlib import Path

from aggpose.errors import UserError
from aggpose.skeleton import INFANT24, Skeleton, get_skeleton
from aggpose.synthetic.clip import ClipSettings, sample_clip, write_clip
from aggpose.synthetic.export import Settings, photos_of, synthesize, usable_cores
from aggpose.synthetic.picture import Kit


def sides(text: str | None, usual: tuple[int, int]) -> tuple[int, int]:
    """(width, height) px of ``WIDTHxHEIGHT``."""
    if text is None:
        return usual
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise UserError(f"--size {text}: write it as WIDTHxHEIGHT, for example 256x256")
    width, height = int(found[1]), int(found[2])
    if not (32 <= width <= 4096 and 32 <= height <= 4096) or width % 2 or height % 2:
        raise UserError(f"--size {text}: both sides must be even, from 32 to 4096")
    return width, height


def known_skeleton(name: str) -> Skeleton:
    """A skeleton whose key points synthetic infants have."""
    skeleton = get_skeleton(name)
    missing = [n for n in skeleton.keypoints if n not in INFANT24.keypoints]
    if missing:
        raise UserError(f"--skeleton {name}: synthetic infants have no {', '.join(missing)}")
    return skeleton


def make_folder(
    out: Path,
    count: int,
    seed: int,
    skeleton: str,
    size: tuple[int, int],
    backgrounds: Path | None,
    workers: int,
    nobody: bool,
) -> None:
    known_skeleton(skeleton)
    settings = Settings(count, seed, size, skeleton, str(backgrounds or ""), nobody=nobody)
    path = synthesize(settings, out, workers or usable_cores())
    print(f"annotations: {path}")
    print("Synthetic infants. Research use only, not a medical device.")


def make_clip(
    out: Path,
    seconds: float,
    fps: int,
    seed: int,
    skeleton: str,
    size: tuple[int, int],
    backgrounds: Path | None,
    movement: str | None,
    age: float | None,
    posture: str,
) -> None:
    known = known_skeleton(skeleton)
    if (out / "clip.mp4").exists():
        raise UserError(f"{out / 'clip.mp4'}: is already there; give another folder, or remove it")
    photos = photos_of(str(backgrounds or ""))
    kit = Kit(photos=photos)
    settings = ClipSettings(seconds, fps, size, movement, age, posture=posture)
    clip = sample_clip(kit, seed, settings)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    for name, path in write_clip(kit, clip, out, skeleton=known).items():
        print(f"{name}: {path}")
    print("Synthetic infants. Research use only, not a medical device.")
