"""Two halves of a COCO file that share no source: pictures of one source go to one side together.

python benchmarks/split_by_source.py annotations.json --key image_source --out halves

Sources are dealt out from the largest on, each to the smaller half; pictures without a source
count as one each. Writes ``a.json`` and ``b.json``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

from aggpose.data.coco import load_coco
from aggpose.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description="Two halves that share no source.")
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--key", default="image_source", help="of a picture's entry")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    content = load_coco(options.annotations)
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for image in content["images"]:
        groups[image.get(options.key) or image["id"]].append(image)
    halves: list[list[dict[str, Any]]] = [[], []]
    for group in sorted(groups.values(), key=lambda g: (-len(g), g[0]["id"])):
        min(halves, key=len).extend(group)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, half in zip("ab", halves, strict=True):
        ids = {image["id"] for image in half}
        labels = [a for a in content["annotations"] if a["image_id"] in ids]
        write_json(options.out / f"{name}.json", content | {"images": half, "annotations": labels})
        print(f"{options.out / name}.json: {len(half)} pictures, {len(labels)} people")


if __name__ == "__main__":
    main()
