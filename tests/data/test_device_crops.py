"""Crops drawn for a whole batch: the formulas are those of single crops, the draws as asked for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from painted_people import painted_people

from aggpose.data.augment import NO_AUGMENTATION, AugmentRecipe, Crop
from aggpose.data.coco import read_people
from aggpose.data.dataset import PeopleDataset, SampleKey
from aggpose.data.device_crops import NOWHERE, Crops, cut, draw_crops, labels_of
from aggpose.skeleton import COCO17
from aggpose.training.packs import Pack, pack_people, read_pack, write_pack

SIZE = (96, 128)
TABLES = [f.name for f in fields(Pack) if f.name not in ("codes", "offsets")]


def packed(folder: Path, count: int = 6) -> Pack:
    painted_people(folder, count, size=(150, 120))
    people = read_people(folder / "people.json", folder, COCO17)
    return pack_people(people, 1.0, side=224, quality=100)


def rows(pack: Pack, which: list[int]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(getattr(pack, name)[which]) for name in TABLES}


def test_affine_is_that_of_a_single_crop() -> None:
    rng = np.random.default_rng(0)
    for mirrored in (False, True):
        crop = Crop(rng.uniform(0, 200, 2), rng.uniform(50, 200, 2), 33.0, mirrored)
        batch = Crops(
            torch.tensor(crop.center)[None],
            torch.tensor(crop.size)[None],
            torch.tensor([crop.rotation], dtype=torch.float64),
            torch.tensor([mirrored]),
            torch.tensor([False]),
        )
        np.testing.assert_allclose(batch.affine((40, 48))[0], crop.affine((40, 48)), atol=1e-9)


def test_plain_crops_and_labels_are_those_of_files(tmp_path: Path) -> None:
    pack = packed(tmp_path)
    people = read_people(tmp_path / "people.json", tmp_path, COCO17)
    files = PeopleDataset([people], NO_AUGMENTATION)
    table = rows(pack, list(range(6)))
    table["whole"][:] = False
    crops = draw_crops(table, COCO17, 96 / 128, NO_AUGMENTATION, torch.Generator().manual_seed(0))
    points, weights = labels_of(table, crops, torch.as_tensor(COCO17.mirror), SIZE)
    pictures = torch.zeros((6, 3, 224, 224), dtype=torch.uint8)
    for i in range(6):
        image = torch.from_numpy(pack.picture(i)).permute(2, 0, 1)
        pictures[i, :, : image.shape[1], : image.shape[2]] = image
    images = cut(pictures, table["sizes"], crops, SIZE)
    for i in range(6):
        expected = files[SampleKey(i, 0, 0, i, SIZE)]
        torch.testing.assert_close(points[i], expected["points"], atol=0.01, rtol=0)
        torch.testing.assert_close(weights[i], expected["weights"])
        # compressed once, and OpenCV interpolates in steps of 1/32 px
        assert float((images[i] - expected["image"].float()).abs().mean()) < 4, i


def test_mirrored_crops_swap_sides(tmp_path: Path) -> None:
    pack = packed(tmp_path)
    table = rows(pack, [0, 0])
    crops = draw_crops(table, COCO17, 0.75, NO_AUGMENTATION, torch.Generator().manual_seed(0))
    crops = Crops(
        crops.center, crops.size, crops.rotation, torch.tensor([False, True]), crops.nowhere
    )
    points, weights = labels_of(table, crops, torch.as_tensor(COCO17.mirror), SIZE)
    left, right = COCO17.indices_of(["left_wrist"])[0], COCO17.indices_of(["right_wrist"])[0]
    for one, other in ((left, right), (right, left)):
        if weights[0, one] and weights[1, other]:
            torch.testing.assert_close(points[1, other, 0], 24 - 1 - points[0, one, 0])
            torch.testing.assert_close(points[1, other, 1], points[0, one, 1])
    assert weights[0].sum() == weights[1].sum() > 0


def test_upright_and_wrong_way(tmp_path: Path) -> None:
    pack = packed(tmp_path)
    which = [i for i in range(6) if np.isfinite(pack.upright[i])]
    assert which
    table = rows(pack, which * 50)
    recipe = NO_AUGMENTATION.model_copy(update={"upright": 1.0, "wrong_way": 0.5})
    crops = draw_crops(table, COCO17, 0.75, recipe, torch.Generator().manual_seed(1))
    points, weights = labels_of(table, crops, torch.as_tensor(COCO17.mirror), SIZE)
    assert 0.3 < crops.nowhere.float().mean() < 0.7
    assert (points[crops.nowhere] == NOWHERE).all()
    assert (weights[crops.nowhere] == 1).all()
    shoulders = COCO17.indices_of(["left_shoulder", "right_shoulder"])
    hips = COCO17.indices_of(["left_hip", "right_hip"])
    right_way = points[~crops.nowhere]
    known = (weights[~crops.nowhere][:, [*shoulders, *hips]] > 0).all(1)
    up = right_way[:, shoulders].mean(1) - right_way[:, hips].mean(1)
    assert known.any()
    assert (up[known][:, 1] < 0).all()
    assert (up[known][:, 0].abs() < 0.01 * up[known][:, 1].abs() + 0.01).all()


def test_draws_keep_to_the_recipe(tmp_path: Path) -> None:
    pack = packed(tmp_path)
    table = rows(pack, [0] * 4000)
    table["whole"][:] = False
    recipe = AugmentRecipe(
        flip=0.25, rotation=10, rotation_probability=0.5, scale=0.2, half_body=0.0
    )
    crops = draw_crops(table, COCO17, 0.75, recipe, torch.Generator().manual_seed(2))
    assert 0.22 < crops.mirrored.float().mean() < 0.28
    assert 0.45 < (crops.rotation != 0).float().mean() < 0.55
    assert crops.rotation.abs().max() <= 20
    plain = draw_crops(table, COCO17, 0.75, NO_AUGMENTATION, torch.Generator().manual_seed(2))
    ratio = crops.size[:, 0] / plain.size[:, 0]
    assert 0.799 < ratio.min() < 0.82 and 1.18 < ratio.max() < 1.201
    table["whole"][:] = True
    recipe = NO_AUGMENTATION.model_copy(update={"whole_picture": 0.5})
    crops = draw_crops(table, COCO17, 0.75, recipe, torch.Generator().manual_seed(3))
    everything = (crops.size[:, 0] > plain.size[:, 0] * 1.01).float().mean()
    assert 0.45 < everything < 0.55


def test_pack_on_disk_is_the_same(tmp_path: Path) -> None:
    pack = packed(tmp_path)
    write_pack(pack, tmp_path / "pack.npz")
    again = read_pack(tmp_path / "pack.npz")
    assert len(again) == 6
    for field in fields(Pack):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(pack, field.name))
