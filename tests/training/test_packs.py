"""Packs: the same people in small pictures, key points where they were."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from colour_net import COLOURS
from painted_people import painted_people

from aggpose.data.coco import read_people
from aggpose.errors import UserError
from aggpose.skeleton import COCO17
from aggpose.training.packs import Pack, main, pack_people, read_pack


def test_key_points_stay_on_what_they_name(tmp_path: Path) -> None:
    painted_people(tmp_path, 5, size=(480, 400))
    people = read_people(tmp_path / "people.json", tmp_path, COCO17)
    pack = pack_people(people, 2.0, side=240, quality=101)
    assert len(pack) == 5 and set(pack.weight) == {2.0} and not pack.nobody.any()
    seen = 0
    for i in range(5):
        image = pack.picture(i)
        assert max(image.shape) <= 240 and image.shape[1::-1] == tuple(pack.sizes[i])
        for k, (x, y) in enumerate(pack.keypoints[i]):
            column, row = round(float(x)), round(float(y))
            inside = 2 < column < image.shape[1] - 3 and 2 < row < image.shape[0] - 3
            if not (inside and pack.visibility[i, k]):
                continue
            colour = image[row, column] / 255.0
            assert int(np.argmin(np.abs(COLOURS[:17] - colour).sum(axis=1))) == k
            seen += 1
    assert seen > 30


def recipe(folder: Path) -> Path:
    content = {
        "name": "packed",
        "out": "run",
        "data": {
            "root": str(folder),
            "train": [{"annotations": "people.json", "images": ".", "weight": 0.5}],
            "nobody": [{"images": "empty", "weight": 3.0}],
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_sources_of_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    painted_people(tmp_path, 3, size=(150, 120))
    painted_people(tmp_path / "empty", 2, size=(100, 80))
    path, out = recipe(tmp_path), tmp_path / "packs"
    for number, count in ((0, 3), (1, 2)):
        file = out / f"{number}.npz"
        assert main([str(path), "--source", str(number), "--out", str(file)]) == 0
        assert f"{count} pictures" in capsys.readouterr().out
        assert len(read_pack(file)) == count
    assert read_pack(out / "0.npz").weight[0] == 0.5
    nobody = read_pack(out / "1.npz")
    assert nobody.nobody.all() and not nobody.visibility.any() and nobody.weight[0] == 3.0
    again = read_pack(out / "1.npz")
    for field in fields(Pack):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(nobody, field.name))
    assert main([str(path), "--source", "2", "--out", str(out / "2.npz")]) == 2
    assert "2 sources" in capsys.readouterr().err
    assert not (out / "2.npz").exists()


def test_favoured_postures_are_drawn_more_often(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    painted_people(tmp_path, 3, size=(150, 120))
    labels = tmp_path / "people.json"
    content = json.loads(labels.read_text())
    for person, posture in zip(content["annotations"], ("prone", "supine", "prone"), strict=True):
        person["posture"] = posture
    labels.write_text(json.dumps(content))
    arguments = [str(recipe(tmp_path)), "--source", "0", "--out", str(tmp_path / "a.npz")]
    assert main([*arguments, "--favour", "prone=3", "--favour", "side=2"]) == 0
    assert read_pack(tmp_path / "a.npz").weight.tolist() == [1.5, 0.5, 1.5]
    for wrong in ("prone:3", "prone=-1", "prone=nan"):
        assert main([*arguments, "--favour", wrong]) == 2
        assert f"--favour {wrong}: give POSTURE=FACTOR" in capsys.readouterr().err


def test_not_a_pack(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(UserError, match="is not a pack"):
        read_pack(tmp_path / "a.npz")
