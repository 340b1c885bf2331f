"""Trainings that are killed, shared between processes, and fed with several skeletons."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from painted_people import painted_people
from safetensors.torch import load_file

from aggpose.cli.app import main
from aggpose.errors import UserError
from aggpose.network import load_checkpoint
from aggpose.skeleton import COCO17
from aggpose.training.recipe import read_recipe, refuse_changed
from aggpose.training.run import train
from aggpose.training.start import make_network


def write_recipe(folder: Path, **changes: object) -> Path:
    """A tiny training: AggPose-T at 64x64 on painted figures."""
    people = folder / "people"
    if not (people / "people.json").exists():
        painted_people(people, 24)
    recipe = {
        "name": "tiny",
        "out": str(folder / "run"),
        "skeleton": "coco17",
        "network": {"variant": "aggpose-t", "drop_path": 0.1, "init": "unit"},
        "data": {
            "root": str(people),
            "input_size": [64, 64],
            "train": [{"annotations": "people.json", "images": "."}],
            "workers": 0,
        },
        "loss": {"kind": "spatial_cross_entropy"},
        "schedule": {"kind": "cosine", "warmup_steps": 3},
        "training": {
            "epochs": 3,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "ema": 0.9,
            "clip": 1.0,
            "checkpoint_every_steps": 2,
            "accelerator": "cpu",
            "threads": 1,
        },
    }
    for key, value in changes.items():
        group, _, name = key.partition("__")
        if name:
            recipe[group][name] = value  # type: ignore[index]
        else:
            recipe[group] = value
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path)


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[n] - b[n]).abs().max()) for n in a)


def mean_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    total = sum(float((a[n] - b[n]).abs().sum()) for n in a)
    return total / sum(t.numel() for t in a.values())


def cli(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aggpose.cli", *map(str, arguments)]


def wait_for(path: Path, process: subprocess.Popen[bytes], newer_than: float = 0.0) -> None:
    for _ in range(1200):
        if path.is_file() and path.stat().st_mtime > newer_than:
            return
        assert process.poll() is None, "the training ended before it was killed"
        time.sleep(0.05)
    pytest.fail(f"{path} did not appear in a minute")


def test_upright_training_in_half_precision_says_so_in_its_weights(tmp_path: Path) -> None:
    """bf16 with clipping trains, and whoever uses the weights is told to turn the crops."""
    recipe = read_recipe(
        write_recipe(
            tmp_path,
            augment={"upright": 1.0, "wrong_way": 0.1},
            loss__absent=0.3,
            training__precision="bf16-mixed",
            training__epochs=1,
        )
    )
    before = make_network(recipe, say=lambda _: None).state_dict()
    meta = load_checkpoint(train(recipe, say=lambda _: None)).meta
    assert meta is not None and meta.upright
    last = torch.load(recipe.out / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
    assert any((last[f"net.{n}"] != value).any() for n, value in before.items())


def test_wrong_way_needs_a_place_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"loss\.absent"):
        read_recipe(write_recipe(tmp_path, augment={"upright": 1.0, "wrong_way": 0.1}))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path: Path, optimiser: str) -> None:
    """SIGKILL in mid-epoch, --resume: the same weights as the run that was left alone."""
    recipe = write_recipe(tmp_path)
    by = f"training.optimiser={optimiser}"
    train(read_recipe(recipe, [f"out={tmp_path / 'whole'}", by]), say=lambda _: None)

    killed = tmp_path / "killed"
    last = killed / "checkpoints" / "last.ckpt"
    process = subprocess.Popen(cli("train", recipe, f"out={killed}", by), stdout=subprocess.DEVNULL)
    try:
        wait_for(last, process)  # step 2 of 6 of the first epoch
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    saved = torch.load(last, weights_only=False)
    assert 0 < saved["global_step"] < 18
    assert not (killed / "weights.safetensors").exists()

    done = subprocess.run(
        cli("train", recipe, f"out={killed}", by, "--resume"), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    whole, resumed = (
        weights_of(folder / "weights.safetensors") for folder in (tmp_path / "whole", killed)
    )
    assert largest_difference(whole, resumed) < 1e-6
    # the comparison can fail: another seed gives other weights
    other = [f"out={tmp_path / 'o'}", "training.seed=1", by]
    train(read_recipe(recipe, other), say=lambda _: None)
    assert largest_difference(whole, weights_of(tmp_path / "o" / "weights.safetensors")) > 1e-3


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("workers", [0, 1])
def test_an_extended_training_goes_on_with_the_next_epoch(tmp_path: Path, workers: int) -> None:
    """From the checkpoint of an epoch's end; a loader with workers reads ahead at once."""
    path = write_recipe(tmp_path, schedule={"kind": "step", "milestones": []})
    changes = [f"data.workers={workers}", "training.epochs=2"]
    whole = train(read_recipe(path, [*changes, f"out={tmp_path / 'a'}"]), say=lambda _: None)
    begun = [f"data.workers={workers}", f"out={tmp_path / 'b'}"]
    train(read_recipe(path, [*begun, "training.epochs=1"]), say=lambda _: None)
    extended = train(
        read_recipe(path, [*begun, "training.epochs=2"]), resume=True, say=lambda _: None
    )
    assert largest_difference(weights_of(whole), weights_of(extended)) < 1e-6
    assert (tmp_path / "b/logs/csv/metrics.csv").is_file()
    assert (tmp_path / "b/logs/csv-2/metrics.csv").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_processes_train_what_one_trains_with_the_doubled_batch(tmp_path: Path) -> None:
    """gloo on one machine; without stochastic depth, which each process draws for itself."""
    recipe = write_recipe(tmp_path, network__drop_path=0.0)
    common = ["training.epochs=1", "training.ema=0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def trained(name: str, batch_size: int, devices: int) -> dict[str, torch.Tensor]:
        done = subprocess.run(
            cli(
                *("train", recipe, f"out={tmp_path / name}", *common),
                *(f"training.batch_size={batch_size}", "--devices", devices),
            ),
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return weights_of(tmp_path / name / "weights.safetensors")

    one, two = trained("one", 8, 1), trained("two", 4, 2)
    start = weights_of(_untrained(tmp_path, recipe))
    # Adam's first steps have the size of the rate whatever the gradient's: where it is nothing but
    # rounding, single weights differ; all together they may not
    moved = mean_difference(one, start)
    assert moved > 1e-5
    assert mean_difference(one, two) < 0.01 * moved
    # the comparison can fail: half the batch is another training
    assert mean_difference(one, trained("half", 4, 1)) > 0.1 * moved


def _untrained(folder: Path, recipe: Path) -> Path:
    from aggpose.meta import ModelMeta
    from aggpose.network import save_checkpoint
    from aggpose.training.start import make_network

    path = folder / "untrained.safetensors"
    net = make_network(read_recipe(recipe, []), say=lambda _: None)
    save_checkpoint(net, path, ModelMeta("untrained", COCO17.keypoints))
    return path


def test_people_of_different_skeletons_train_one_network(tmp_path: Path) -> None:
    """12 and 17 labelled kinds in infant24; what nobody labels is left out of the weights."""
    people = tmp_path / "people"
    painted_people(people, 16)
    painted_people(people, 16, seed=1, names=COCO17.keypoints[5:], name="limbs.json")
    recipe = write_recipe(tmp_path, skeleton="infant24")
    lines: list[str] = []
    data = {
        "root": str(people),
        "input_size": [64, 64],
        "workers": 0,
        "train": [
            {"annotations": "people.json", "images": "."},
            {"annotations": "limbs.json", "images": ".", "weight": 0.5},
        ],
        "validation": {"annotations": "people.json", "images": "."},
        "validation_skeleton": "coco17",
    }
    recipe = write_recipe(tmp_path, skeleton="infant24", data=data, training__epochs=1)
    weights = train(read_recipe(recipe), say=lines.append)
    net = load_checkpoint(weights)
    assert net.meta is not None and net.meta.keypoints == COCO17.keypoints
    assert any("left out of the weights" in line and "navel" in line for line in lines)
    assert any("validation AP" in line for line in lines)
    assert json.loads((weights.parent / "recipe.json").read_text())["skeleton"] == "infant24"
    log = (weights.parent / "logs/csv/metrics.csv").read_text()
    assert "loss" in log and "val_ap" in log
    assert list((weights.parent / "logs/tensorboard").glob("events.*"))


def test_a_few_epochs_learn_something(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, training__epochs=15, training__checkpoint_every_steps=1000)
    weights = train(read_recipe(recipe), say=lambda _: None)
    rows = np.genfromtxt(
        weights.parent / "logs/csv/metrics.csv", delimiter=",", names=True, dtype=None
    )
    losses = rows["loss"][np.isfinite(rows["loss"])]
    assert losses[-1] < losses[0] - 0.3


@pytest.mark.parametrize(
    "changes, named",
    [
        (["training.epoch=3"], "training.epoch"),
        (["network.variant=aggpose-x"], "aggpose-x"),
        (["data.input_size=[60,64]"], "divisible by 32"),
        (["training.batch_size=1000"], "do not fill one batch"),
        (["data.root=/nowhere"], "/nowhere"),
        (
            [
                "skeleton=infant21",
                "data.validation={annotations: people.json, images: .}",
                "data.validation_skeleton=coco17",
            ],
            "data.validation_skeleton",
        ),
        (["training.accelerator=cuda"], "accelerator cuda"),
        (["training.learning_rate=fast"], "training.learning_rate"),
        (["nonsense"], "KEY=VALUE"),
        (["initialise=missing.pth"], "missing.pth"),
        (["--resume"], "no checkpoint to resume from"),
    ],
)
def test_a_wrong_recipe_is_one_line_and_exit_2(
    tmp_path: Path, changes: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["train", str(recipe), *changes])
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and named in said and len(said.splitlines()) == 1, said


def test_a_run_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, training__epochs=1)
    train(read_recipe(recipe), say=lambda _: None)
    with pytest.raises(SystemExit) as stop:
        main(["train", str(recipe)])
    assert stop.value.code == 2 and "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, allowed",
    [
        ("training.epochs=9", True),
        ("training.learning_rate=0.1", False),
        ("training.seed=5", False),
        ("network.drop_path=0", False),
        ("loss.sigma=3", False),
    ],
)
def test_what_a_resumed_run_may_change(tmp_path: Path, change: str, allowed: bool) -> None:
    path = write_recipe(tmp_path)
    before = read_recipe(path).model_dump(mode="json")
    after = read_recipe(path, [change])
    if allowed:
        refuse_changed(after, 1, before, path)
    else:
        with pytest.raises(UserError, match=change.partition("=")[0]):
            refuse_changed(after, 1, before, path)


def test_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    recipe = write_recipe(tmp_path)
    sheet = tmp_path / "sheet.png"
    with pytest.raises(SystemExit) as stop:
        main(["train", str(recipe), "--contact-sheet", str(sheet)])
    assert stop.value.code == 0
    image = cv2.imread(str(sheet))
    assert image is not None and image.shape[0] > 64 and image.std() > 10
    assert not (tmp_path / "run").exists()
    for name, says in (("sheet.png", "is there already"), ("sheet.jpg", "PNG")):
        with pytest.raises(SystemExit) as stop:
            main(["train", str(recipe), "--contact-sheet", str(tmp_path / name)])
        assert stop.value.code == 2 and says in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(Path("recipes").rglob("*.yaml")), ids=str)
def test_the_recipes_that_come_along_are_right(path: Path) -> None:
    read_recipe(path)
