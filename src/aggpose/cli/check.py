"""aggpose check"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aggpose.errors import UserError

if TYPE_CHECKING:
    from aggpose.data.check import Checked, Finding, Source

_EXAMPLES = 3


def check(
    annotations: Annotated[
        list[Path], typer.Argument(metavar="ANNOTATIONS", help="COCO key-point files, JSON")
    ],
    images: Annotated[
        list[Path],
        typer.Option(help="folder of the pictures; once, or once for each file in order"),
    ],
    fix: Annotated[
        Path | None,
        typer.Option(help="write mended copies to this folder (or .json file, for one)"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="write every finding to this JSON file")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="do not decode pictures: no look-alikes")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace results that are there")
    ] = False,
) -> None:
    """The annotation doctor: what would spoil training or a score.

    Several files are taken for the sides of a split: what they share is reported too.
    Exit code: 1 when there are errors, 0 otherwise.
    """
    from aggpose.cli.progress import Steps
    from aggpose.data.check import ERROR, check_files, read_sources
    from aggpose.files import write_json

    sources = read_sources(annotations, images)
    targets = _targets(fix, annotations)
    for target in (*targets, *([out] if out else [])):
        _refuse_to_destroy(target, annotations, overwrite)
    if out is not None and any(t.resolve() == out.resolve() for t in targets):
        raise UserError(f"{out}: --out and --fix name the same file; give --out another name")
    total = sum(len(s.pictures()) for s in sources)
    with Steps("looking at pictures", "pictures", total) as steps:
        checked = check_files(sources, quick, steps.advance)
    _print_report(checked.findings, sources, total)
    if out is not None:
        _make_folder(out.parent)
        write_json(out, _as_json(checked.findings, sources, quick), indent=1)
        print(f"findings: {out}")
    if targets:
        _write_mended(sources, checked, targets)
    if any(f.severity == ERROR for f in checked.findings):
        raise typer.Exit(1)


def _targets(fix: Path | None, annotations: list[Path]) -> list[Path]:
    """Where the mended copies go, in the files' order."""
    if fix is None:
        return []
    if fix.suffix.lower() == ".json" and not fix.is_dir():
        if len(annotations) > 1:
            raise UserError(f"{fix}: --fix must be a folder for {len(annotations)} files")
        return [fix]
    double = [n for n, count in Counter(p.name for p in annotations).items() if count > 1]
    if double:
        raise UserError(f"{fix}: two annotation files are called {double[0]}; mend them singly")
    return [fix / p.name for p in annotations]


def _refuse_to_destroy(target: Path, annotations: list[Path], overwrite: bool) -> None:
    if not target.exists():
        return
    if any(target.samefile(p) for p in annotations):
        raise UserError(f"{target}: is an input, which is never overwritten; choose another place")
    if not overwrite:
        raise UserError(f"{target}: is there already; choose another place or add --overwrite")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made a folder ({error.strerror})") from None


def _write_mended(sources: list[Source], checked: Checked, targets: list[Path]) -> None:
    from aggpose.data.check import mend
    from aggpose.files import write_json

    for source, sizes, target in zip(sources, checked.sizes, targets, strict=True):
        content, changed = mend(source, sizes)
        _make_folder(target.parent)
        write_json(target, content)
        print(f"mended: {target}")
        for what, count in changed.items():
            print(f"  {count} {what}")
        if not changed:
            print("  nothing to mend: an equal copy")


def _print_report(findings: tuple[Finding, ...], sources: list[Source], pictures: int) -> None:
    """Findings by code: how many, and the first few."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aggpose.data.check import KINDS, SEVERITIES

    people = sum(len(s.people()) for s in sources)
    print(f"{len(sources)} files, {pictures} pictures, {people} annotations")
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    if sys.stdout.isatty() and groups:
        table = Table("severity", "code", "count", "examples", show_lines=True)
        for code, group in groups.items():
            examples = Text("\n".join(_examples(group, sources)))  # no markup: "[1, 2]" is data
            table.add_row(group[0].severity, code, str(len(group)), examples)
        Console().print(table)
    else:
        for code, group in groups.items():
            print(f"{group[0].severity}: {code}: {len(group)}")
            for line in _examples(group, sources):
                print(f"  {line}")
    counts = Counter(f.severity for f in findings)
    print(", ".join(f"{counts[s]} {s}{'' if counts[s] == 1 else 's'}" for s in SEVERITIES))
    if any(KINDS[code].fixable for code in groups):
        mendable = sum(len(g) for code, g in groups.items() if KINDS[code].fixable)
        print(f"{mendable} of them can be mended by --fix")


def _examples(group: list[Finding], sources: list[Source]) -> list[str]:
    """Lines on the first few findings, with the file where there are several."""
    lines = []
    for finding in group[:_EXAMPLES]:
        where = f"{Path(finding.file).name}: " if len(sources) > 1 else ""
        image = "" if finding.image_id is None else f"picture {finding.image_id}: "
        lines.append(f"{where}{image}{finding.message}")
    if len(group) > _EXAMPLES:
        lines.append(f"… {len(group) - _EXAMPLES} more (all of them with --out FILE.json)")
    return lines


def _as_json(findings: tuple[Finding, ...], sources: list[Source], quick: bool) -> dict[str, Any]:
    from aggpose import __version__

    return {
        "aggpose": __version__,
        "quick": quick,
        "files": [{"annotations": str(s.path), "images": str(s.images)} for s in sources],
        "counts": dict(Counter(f.severity for f in findings)),
        "codes": dict(Counter(f.code for f in findings)),
        "findings": [{**asdict(f), "fixable": f.fixable} for f in findings],
    }
