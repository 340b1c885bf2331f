"""Packs: people of a data set as small pictures in one file, to be decoded once into the memory of
a GPU.

    python -m aggpose.training.packs recipe.yaml --source 0 --out runs/packs/lspet.npz [--side 224]

A source of a recipe becomes one NumPy file of pictures (WebP) and labels. Every person is cut out
with some surroundings; where somebody is alone in the picture, a share of them with the whole
picture, so that a network also learns to look for them (``augment.whole_picture``).
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from aggpose.data.coco import People, Person, read_nobody, read_people
from aggpose.data.pictures import read_rgb, warp_picture
from aggpose.errors import UserError
from aggpose.files import write_bytes
from aggpose.geometry import apply_affine, upright_rotation
from aggpose.skeleton import get_skeleton
from aggpose.training.recipe import Recipe, read_recipe

WHOLE = 0.25
"""Share of the people alone in a picture that are packed with all of it."""

CONTEXT = 1.7
"""Side of what is cut out over the longer side of the person's box: room for augmentation."""

EVERYTHING = 100.0
"""Context, in box sides, that takes in all of any picture."""


@dataclass(frozen=True)
class Pack:
    """N samples. codes: all pictures' bytes, one after the other; offsets: (N + 1,) where each
    begins. sizes: (N, 2) width and height px. boxes: (N, 4) xywh px. keypoints: (N, K, 2) px.
    visibility: (N, K), COCO's. upright: (N,) degrees (`geometry.upright_rotation`), NaN where not
    known. whole: (N,) bool, nobody is cut off and nobody else is there. nobody: (N,) bool.
    weight: (N,) how often each is drawn, beside others."""

    codes: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    upright: np.ndarray
    whole: np.ndarray
    nobody: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def picture(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8 RGB."""
        code = self.codes[self.offsets[index] : self.offsets[index + 1]]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
        assert image is not None
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def small_copy(
    image: np.ndarray, person: Person, side: int, context: float = CONTEXT
) -> tuple[np.ndarray, np.ndarray]:
    """A person's surroundings (h, w, 3), at most ``side`` px wide and high, never enlarged, and the
    affine (2, 3) from the picture to there. image: (H, W, 3) uint8 RGB."""
    x, y, w, h = person.box
    half = 0.5 * context * max(w, h)
    middle = np.array([x + w / 2, y + h / 2])
    low = np.maximum(np.floor(middle - half), 0)
    high = np.minimum(np.ceil(middle + half), np.array(image.shape[1::-1]))
    scale = min(1.0, side / float((high - low).max()))
    width, height = (max(1, round(float(s) * scale)) for s in high - low)
    # pixel edges stay edges: centres move by half a pixel of either size
    shift = (0.5 - low) * scale - 0.5
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return warp_picture(image, affine, (width, height)), affine


def pack_people(
    people: People,
    weight: float,
    side: int,
    quality: int,
    favour: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Pack:
    """Cut out, reduce and compress people. side: most px of a picture. quality: WebP's. favour:
    of postures, how much more often they are drawn."""
    rng = np.random.default_rng(seed)
    crowd = Counter(person.image_path for person in people.records)
    rows: list[tuple[bytes, Person, np.ndarray, tuple[int, int], bool]] = []
    last, image = None, np.zeros((1, 1, 3), np.uint8)
    for person in people.records:
        if person.image_path != last:
            image, last = read_rgb(person.image_path), person.image_path
        alone = crowd[person.image_path] == 1
        whole = person.nobody or (alone and bool(rng.random() < WHOLE))
        options = {"context": EVERYTHING} if whole else {}
        small, affine = small_copy(image, person, side, **options)
        _, code = cv2.imencode(
            ".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality]
        )
        size = (small.shape[1], small.shape[0])
        rows.append((code.tobytes(), person, affine, size, whole and not person.nobody))
    favour = favour or {}
    weights = [weight * favour.get(person.posture, 1.0) for person in people.records]
    return _assemble(rows, people, weights)


def _assemble(
    rows: Sequence[tuple[bytes, Person, np.ndarray, tuple[int, int], bool]],
    people: People,
    weights: Sequence[float],
) -> Pack:
    points, boxes, upright = [], [], []
    for _, person, affine, _, _ in rows:
        labelled = person.visibility > 0
        points.append(np.where(labelled[:, None], apply_affine(affine, person.keypoints), 0.0))
        corner = person.box[:2] * affine[0, 0] + affine[:, 2]
        boxes.append(np.concatenate([corner, person.box[2:] * affine[0, 0]]))
        turn = upright_rotation(person.keypoints, labelled, people.skeleton)
        upright.append(np.nan if turn is None else turn)
    lengths = [len(code) for code, *_ in rows]
    return Pack(
        codes=np.frombuffer(b"".join(code for code, *_ in rows), np.uint8),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        sizes=np.array([size for *_, size, _ in rows], np.int16),
        boxes=np.array(boxes, np.float32),
        keypoints=np.array(points, np.float32),
        visibility=np.array([person.visibility for _, person, *_ in rows], np.int8),
        upright=np.array(upright, np.float32),
        whole=np.array([whole for *_, whole in rows], bool),
        nobody=np.array([person.nobody for _, person, *_ in rows], bool),
        weight=np.array(weights, np.float32),
    )


def write_pack(pack: Pack, path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{field.name: getattr(pack, field.name) for field in fields(pack)})
    write_bytes(path, buffer.getvalue())


def read_pack(path: Path) -> Pack:
    """A pack's file; UserError when it is none."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return Pack(**{field.name: content[field.name] for field in fields(Pack)})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is not a pack of people ({error}); make it anew") from None


def read_source(recipe: Recipe, number: int) -> tuple[People, float]:
    """A recipe's source by its number, those of people first, and its weight."""
    data, skeleton = recipe.data, get_skeleton(recipe.skeleton)
    if number < len(data.train):
        source = data.train[number]
        return read_people(*data.located(source), skeleton), source.weight
    number -= len(data.train)
    if number >= len(data.nobody):
        raise UserError(f"the recipe has {len(data.train) + len(data.nobody)} sources")
    nobody = data.nobody[number]
    return read_nobody(data.root / nobody.images, skeleton, nobody.held_out), nobody.weight


def _factor(text: str) -> tuple[str, float]:
    posture, _, number = text.partition("=")
    try:
        factor = float(number)
    except ValueError:
        factor = -1.0
    if not 0 <= factor < float("inf"):
        raise UserError(f"--favour {text}: give POSTURE=FACTOR, such as prone=2")
    return posture, factor


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A recipe's people in one file of small pictures.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--source", type=int, required=True, help="0 for the first of data.train")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=224, help="most pixels a side")
    parser.add_argument("--quality", type=int, default=60, help="of the WebP pictures")
    parser.add_argument(
        "--favour",
        action="append",
        default=[],
        metavar="POSTURE=FACTOR",
        help="draw infants of a posture more often; may be given again",
    )
    options = parser.parse_args(arguments)
    try:
        favour = dict(_factor(text) for text in options.favour)
        people, weight = read_source(read_recipe(options.recipe), options.source)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        pack = pack_people(people, weight, options.side, options.quality, favour)
        write_pack(pack, options.out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{options.out}: {len(pack)} pictures, {len(pack.codes) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
