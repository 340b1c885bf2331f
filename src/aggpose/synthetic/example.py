"""The clip that comes with aggpose: made by ``python -m aggpose.synthetic.example``."""

from __future__ import annotations

import sys
from pathlib import Path

import aggpose
from aggpose.synthetic.clip import ClipSettings, sample_clip, write_clip
from aggpose.synthetic.picture import Kit

SEED = 31
SETTINGS = ClipSettings(
    seconds=10.0,
    fps=30,
    size=(480, 640),
    character="kicking",
    age_months=3.5,
    outfit="bodysuit",
    plain=True,
)


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(aggpose.__file__).parent / "examples"
    out.mkdir(parents=True, exist_ok=True)
    kit = Kit()
    paths = write_clip(kit, sample_clip(kit, SEED, SETTINGS), out, "infant", quality=24)
    for path in paths.values():
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
