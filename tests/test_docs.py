"""What the documents say of the weights is the same everywhere, and their links lead somewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "src" / "aggpose" / "models" / "aggpose-t.md"
DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), CARD}
)


def rows(path: Path) -> list[list[str]]:
    """Cells of the lines of all tables."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:1] == "|"]


def accuracy(path: Path) -> list[list[str]]:
    """AP, AR, PCK@0.2 of each data set in a README."""
    return [cells[-3:] for cells in rows(path) if re.match(r"(coco-people|infants-dev)", cells[0])]


def test_readmes_give_the_numbers_of_the_card() -> None:
    card = {(c[0].split(",")[0], c[1].split(" ")[0], c[2]): c for c in rows(CARD) if len(c) == 13}
    found = []
    for name, boxes in (("coco-people val", "gt"), ("infants-dev", "gt"), ("infants-dev", "whole")):
        cells = card[name, boxes, "no"]
        found.append([cells[4], cells[7], cells[8]])
    assert found == accuracy(ROOT / "README.md")


def test_readmes_agree() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert len(accuracy(english)) == 3 and accuracy(english) == accuracy(chinese)
    proofs = [
        [c[1] for c in rows(path) if c[-1].startswith("`pytest")] for path in (english, chinese)
    ]
    assert len(proofs[0]) > 5 and proofs[0] == proofs[1]


def test_the_card_is_of_these_weights() -> None:
    digest = hashlib.sha256(CARD.with_suffix(".onnx").read_bytes()).hexdigest()
    assert f"`{digest}`" in CARD.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
