"""Training by the clock: starts from weights, learns, takes packs that come later, ends in time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from painted_people import painted_people

from aggpose.network import load_checkpoint
from aggpose.training import packs, timed
from aggpose.training.album import Album, PackFolder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    painted_people(tmp_path / "people", 8, size=(150, 120))
    content = {
        "name": "timed",
        "out": str(tmp_path / "run"),
        "skeleton": "coco17",
        "network": {"variant": "aggpose-t", "drop_path": 0.0, "init": "unit"},
        "data": {
            "root": str(tmp_path / "people"),
            "input_size": [64, 64],
            "train": [{"annotations": "people.json", "images": ".", "weight": 2.0}],
        },
        "augment": {"half_body": 0.0, "rotation": 10, "scale": 0.1},
        "loss": {"kind": "spatial_cross_entropy", "sigma": 1.0, "absent": 0.1},
        "schedule": {"kind": "cosine", "warmup_steps": 2},
        "training": {"ema": 0.9, "learning_rate": 2e-3, "clip": 1.0, "seed": 1},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def pack(recipe: Path, out: Path) -> None:
    assert packs.main([str(recipe), "--source", "0", "--out", str(out), "--side", "96"]) == 0


def test_learns_and_ends_in_time(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack(recipe, tmp_path / "packs/a.npz")
    out, began = tmp_path / "run", time.monotonic()
    arguments = ["--packs", str(tmp_path / "packs"), "--out", str(out), "--seconds", "12"]
    stages = ["--stage", "32x32:0.5:8", "--stage", "64x64:1:8"]
    device = ["--device", "cpu", "--capacity", "16", "--side", "96"]
    assert timed.main([str(recipe), *arguments, *stages, *device]) == 0
    assert time.monotonic() - began < 40
    said = capsys.readouterr().out
    assert "(64, 64)" in said or "(32, 32)" in said
    assert "a.npz: now 8 pictures" in said
    net = load_checkpoint(out / "weights.safetensors")
    assert net.meta is not None
    assert net.meta.input_size == (64, 64)
    assert net.config.output == "softmax" and net.config.nowhere


def small_training(recipe: Path, tmp_path: Path, said: list[str]) -> timed.TimedTraining:
    pack(recipe, tmp_path / "packs/a.npz")
    return timed.TimedTraining(
        timed.read_recipe(recipe),
        tmp_path / "packs",
        tmp_path / "run",
        1e6,
        [timed.Stage((64, 64), 1.0, 8)],
        torch.device("cpu"),
        speedup="none",
        capacity=16,
        side=96,
        say=said.append,
    )


def test_profile_names_what_takes_time(recipe: Path, tmp_path: Path) -> None:
    said: list[str] = []
    training = small_training(recipe, tmp_path, said)
    training.profile(steps=1)
    assert "aten::addmm" in said[-1]
    assert training.steps == 1


def test_loss_falls(recipe: Path, tmp_path: Path) -> None:
    training = small_training(recipe, tmp_path, [])
    losses = [float(training.step(training.stages[0], 1.0)) for _ in range(40)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert training.samples == 320


def test_packs_that_come_later_are_taken(recipe: Path, tmp_path: Path) -> None:
    pack(recipe, tmp_path / "packs/a.npz")
    album = Album(20, 96, torch.device("cpu"))
    folder = PackFolder(tmp_path / "packs", album, say=lambda _: None)
    assert album.count == 8
    pack(recipe, tmp_path / "packs/b.npz")
    folder.update()
    folder.update()
    assert album.count == len(album.tables["weight"]) == 16
    pictures, rows = album.draw(400, torch.Generator().manual_seed(0))
    assert pictures.shape == (400, 3, 96, 96)
    assert set(rows["weight"].tolist()) == {2.0}
    pack(recipe, tmp_path / "packs/c.npz")
    with pytest.raises(ValueError, match="room for 20"):
        folder.update()


def test_without_packs_it_is_one_line(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "packs").mkdir()
    arguments = ["--packs", str(tmp_path / "packs"), "--out", str(tmp_path / "run")]
    more = ["--seconds", "5", "--stage", "32x32:1:8", "--device", "cpu", "--capacity", "8"]
    assert timed.main([str(recipe), *arguments, *more]) == 2
    assert "no packs" in capsys.readouterr().err


def test_kernels_without_triton_are_one_line(
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "aggpose.training.fused", raising=False)
    pack(recipe, tmp_path / "packs/a.npz")
    arguments = ["--packs", str(tmp_path / "packs"), "--out", str(tmp_path / "run")]
    more = ["--seconds", "5", "--stage", "32x32:1:8", "--device", "cpu", "--capacity", "8"]
    assert timed.main([str(recipe), *arguments, *more, "--side", "96", "--speedup", "kernels"]) == 2
    assert "needs Triton" in capsys.readouterr().err
