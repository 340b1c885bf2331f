"""The doctor's look for the same picture, scene or person twice: in a file, and across a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aggpose.data.check_findings import Finding, Id, Source, is_id, some
from aggpose.data.check_pictures import Picture
from aggpose.data.coco import image_file

SOURCE_FIELDS = (
    *("source", "image_source", "source_id", "source_file", "original_file", "url", "coco_url"),
    *("flickr_url", "video", "video_id", "video_name", "clip", "clip_id", "session", "session_id"),
    *("subject", "subject_id", "infant", "infant_id", "patient", "patient_id"),
    *("participant", "participant_id"),
)
"""Fields of ``images`` that name where a picture comes from."""

_BITS = 12
_ALIKE = 0.97


@dataclass(frozen=True)
class Entry:
    """One listed picture: number of its annotation file, its id, name and path."""

    file: int
    image_id: Id
    name: str
    path: Path
    fields: tuple[tuple[str, Hashable], ...]


def list_entries(sources: list[Source]) -> list[Entry]:
    """Every picture of every file."""
    return [
        Entry(
            file,
            e["id"],
            e["file_name"],
            image_file(source.images, e["file_name"]),
            tuple((f, e[f]) for f in SOURCE_FIELDS if is_id(e.get(f)) and e[f] != ""),
        )
        for file, source in enumerate(sources)
        for e in source.pictures()
    ]


def check_doubles(sources: list[Source], pictures: dict[Path, Picture]) -> Iterator[Finding]:
    """The same or nearly the same picture within a file, and whatever two files share."""
    entries = list_entries(sources)
    same = _same(entries, pictures)
    shared: set[Entry] = set()
    for group in same:
        for members in _by_file(group):
            if len({e.path for e in members}) > 1:
                names = some([e.name for e in members])
                text = f"the same bytes under {len(members)} names: {names}"
                first = members[0]
                yield sources[first.file].finding("picture-twice", text, first.image_id)
        later = [e for e in group if e.file != group[0].file]
        shared |= set(group) if later else set()
        for entry in later:
            text = f"{entry.name} is also in {sources[group[0].file].path} as {group[0].name}"
            yield sources[entry.file].finding("split-same-picture", text, entry.image_id)
    yield from _names_and_fields(sources, [e for e in entries if e not in shared])
    yield from _look_alikes(sources, entries, pictures)


def _same(entries: list[Entry], pictures: dict[Path, Picture]) -> list[list[Entry]]:
    """Groups of two and more entries of one content (or, where unread, of one file)."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        picture = pictures[entry.path]
        groups[picture.digest or str(entry.path.resolve())].append(entry)
    return [g for g in groups.values() if len(g) > 1]


def _by_file(group: list[Entry]) -> list[list[Entry]]:
    """The part of a group in each file."""
    return [[e for e in group if e.file == file] for file in sorted({e.file for e in group})]


def _names_and_fields(sources: list[Source], entries: list[Entry]) -> Iterator[Finding]:
    names: dict[str, list[Entry]] = defaultdict(list)
    fields: dict[tuple[str, Hashable], list[Entry]] = defaultdict(list)
    for entry in entries:
        names[entry.name.replace("\\", "/").rsplit("/", 1)[-1]].append(entry)
        for named in entry.fields:
            fields[named].append(entry)
    for name, group in names.items():
        for entry in (e for e in group if e.file != group[0].file):
            text = f"{name} is also the name of another picture in {sources[group[0].file].path}"
            yield sources[entry.file].finding("split-same-name", text, entry.image_id)
    for (field, value), group in fields.items():
        first, *others = _by_file(group)
        for members in others:
            text = (
                f"{field} {value!r}: {len(members)} pictures here, {len(first)} in "
                f"{sources[first[0].file].path}"
            )
            entry = members[0]
            yield sources[entry.file].finding("split-same-source", text, entry.image_id)


def _look_alikes(
    sources: list[Source], entries: list[Entry], pictures: dict[Path, Picture]
) -> Iterator[Finding]:
    # one path of each content stands for all: equal bytes are reported already
    paths = list({pictures[e.path].digest: e.path for e in reversed(entries)}.values())
    paths = [p for p in paths if pictures[p].look is not None]
    holders: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        holders[pictures[entry.path].digest].append(entry)
    for cluster in alike([pictures[p] for p in paths]):
        group = [e for i in cluster for e in holders[pictures[paths[i]].digest]]
        first, *_ = parts = _by_file(list(dict.fromkeys(group)))
        for members in parts:
            source, contents = sources[members[0].file], _contents(members, pictures)
            if len(contents) > 1:
                text = f"{len(contents)} look-alikes: {some([e.name for e in members])}"
                yield source.finding("picture-near", text, members[0].image_id)
            if contents <= _contents(first, pictures):
                continue  # the first itself, or reported as the same picture
            text = (
                f"{some([e.name for e in members])} looks like {some([e.name for e in first])} "
                f"of {sources[first[0].file].path}"
            )
            yield source.finding("split-near-picture", text, members[0].image_id)


def _contents(entries: list[Entry], pictures: dict[Path, Picture]) -> set[str]:
    return {pictures[e.path].digest for e in entries}


def alike(pictures: list[Picture]) -> list[list[int]]:
    """Clusters, of two and more, of pictures that nearly look the same (as positions).

    Two belong together when at most 12 of the 128 bits of their hashes differ and their
    thumbnails correlate above 0.97; chains join. Candidates share one of the hash's eight
    16-bit bands, so pairs of up to 7 bits cannot be missed and most beyond are found. Finds
    copies saved again, made smaller or brighter; not ones cropped by more than 2 or 3 %.
    """
    if len(pictures) < 2:
        return []
    looks = np.stack([p.look for p in pictures if p.look is not None])
    small = np.stack([p.thumbnail for p in pictures if p.thumbnail is not None])
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    labels = np.arange(len(pictures))
    ones = np.array([bin(i).count("1") for i in range(1 << 16)], dtype=np.uint8)
    for band in looks.T:
        order = np.argsort(band, kind="stable")
        cuts = np.flatnonzero(np.diff(band[order])) + 1
        for bucket in np.split(order, cuts):
            _join(bucket, looks, flat, labels, ones)
    clusters: dict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        clusters[int(label)].append(i)
    return [c for c in clusters.values() if len(c) > 1]


def _join(
    bucket: np.ndarray, looks: np.ndarray, flat: np.ndarray, labels: np.ndarray, ones: np.ndarray
) -> None:
    """Gives look-alikes of one bucket one label, in place."""
    for n, i in enumerate(bucket[:-1]):
        rest = bucket[n + 1 :]
        rest = rest[labels[rest] != labels[i]]
        if not len(rest):
            continue
        rest = rest[ones[looks[rest] ^ looks[i]].sum(axis=1) <= _BITS]
        rest = rest[flat[rest] @ flat[i] > _ALIKE]
        if len(rest):
            labels[np.isin(labels, labels[rest])] = labels[i]
