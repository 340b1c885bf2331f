"""What SOURCE on the command line names: pictures and videos, and the names of their outputs."""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from pathlib import Path

from aggpose.data.pictures import PICTURE_SUFFIXES

VIDEO_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".ts",
        ".3gp",
        ".wmv",
        ".flv",
        ".ogv",
        ".gif",
    ]
)
_OWN = ".overlay"
"""Our own overlays are not taken for sources when a folder is given again."""


@dataclass(frozen=True)
class Source:
    """One picture or video. stem: what its outputs are called; different for every source."""

    path: Path
    is_picture: bool
    stem: str


def find_sources(arguments: list[str]) -> tuple[list[Source], list[str]]:
    """Sources that the arguments name, each once, and one line on each argument that names none.

    An argument is a file, a folder (its pictures and videos, not those of folders in it) or a
    glob (``**`` goes into folders). A file given by name may have any ending: pictures are told by
    theirs, everything else is tried as a video.
    """
    paths: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        try:
            found, problem = _find(argument)
        except OSError as error:
            found, problem = [], f"{argument}: cannot be read ({error.strerror})"
        for path in found:
            paths.setdefault(path.resolve(), path)
        if problem:
            problems.append(problem)
    sources = [Source(p, p.suffix.lower() in PICTURE_SUFFIXES, p.stem) for p in paths.values()]
    return _with_own_stems(sources), problems


def _find(argument: str) -> tuple[list[Path], str | None]:
    if not argument.strip():
        return [], "SOURCE is empty: name a picture, a video, a folder or a glob (. is this folder)"
    path = Path(argument)
    if path.is_dir():
        found = [p for p in sorted(path.iterdir()) if p.is_file() and _is_media(p)]
        return found, None if found else f"{path}: no picture or video in this folder"
    if path.exists():
        return [path], None
    if glob.has_magic(argument):
        # pathlib globs only below a folder; an argument may be absolute
        matches = (Path(m) for m in sorted(glob.glob(argument, recursive=True)))  # noqa: PTH207
        found = [p for p in matches if p.is_file() and _is_media(p)]
        return found, None if found else f"{argument}: no picture or video matches"
    return [], f"{path}: no such file or folder"


def _is_media(path: Path) -> bool:
    known = path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES
    return known and not path.stem.endswith(_OWN) and not path.name.startswith(".")


def _with_own_stems(sources: list[Source]) -> list[Source]:
    """Stems made different: by the files' endings, else by their folders, else by numbers."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        # without case: some file systems do not tell it
        groups.setdefault(source.stem.lower(), []).append(source)
    renamed = {s.path: stem for group in groups.values() for s, stem in _stems(group)}
    taken: set[str] = set()
    result = []
    for source in sources:
        stem, number = renamed[source.path], 2
        while stem.lower() in taken:
            stem, number = f"{renamed[source.path]}_{number}", number + 1
        taken.add(stem.lower())
        result.append(replace(source, stem=stem))
    return result


def _stems(group: list[Source]) -> list[tuple[Source, str]]:
    if len(group) == 1:
        return [(group[0], group[0].stem)]
    endings = [s.path.suffix.lower().lstrip(".") for s in group]
    if len(set(endings)) == len(group):
        return [(s, f"{s.stem}_{e}") for s, e in zip(group, endings, strict=True)]
    return [(s, f"{s.path.resolve().parent.name}_{s.stem}") for s in group]
