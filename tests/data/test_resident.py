"""Data in the device's memory: the same crops and labels as from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from painted_people import painted_people
from torch.utils.data import default_collate

from aggpose.data.augment import NO_AUGMENTATION, AugmentRecipe
from aggpose.data.coco import read_people
from aggpose.data.dataset import PeopleDataset, SampleKey
from aggpose.data.resident import Album, ResidentPeople, change_pixels
from aggpose.skeleton import COCO17

GEOMETRY = NO_AUGMENTATION.model_copy(
    update={"flip": 0.5, "full_rotation": 0.5, "scale": 0.3, "shift": 0.1, "half_body": 0.3}
)


def test_crops_and_labels_are_those_of_files(tmp_path: Path) -> None:
    painted_people(tmp_path, 6, size=(150, 120))
    people = read_people(tmp_path / "people.json", tmp_path, COCO17)
    files, resident = PeopleDataset([people], GEOMETRY), ResidentPeople([people], GEOMETRY)
    keys = [SampleKey(i % 6, 0, 0, i, (96, 128)) for i in range(18)]
    batch = default_collate([resident[key] for key in keys])
    crops = Album(resident.paths, "cpu").cut(batch)
    for i, key in enumerate(keys):
        expected = files[key]
        torch.testing.assert_close(batch["points"][i], expected["points"])
        torch.testing.assert_close(batch["weights"][i], expected["weights"])
        off = (crops[i] - expected["image"].float()).abs()
        # OpenCV interpolates in steps of 1/32 px
        assert float(off.mean()) < 1.5, i


def numbers(**changes: float) -> torch.Tensor:
    row = np.zeros(26, np.float32)
    row[:3] = 1.0
    names = ["brightness", "contrast", "saturation", "hue", "blur", "noise"]
    for name, value in changes.items():
        row[names.index(name)] = value
    return torch.from_numpy(row)[None]


def picture() -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.uniform(60, 180, (1, 3, 64, 48)).astype(np.float32))


def test_each_change_does_what_it_says() -> None:
    image, seed = picture(), torch.tensor([1])
    torch.testing.assert_close(change_pixels(image, numbers(), seed), image, rtol=0, atol=0.1)
    assert change_pixels(image, numbers(brightness=1.2), seed).mean() > 1.15 * image.mean()
    assert change_pixels(image, numbers(contrast=0.5), seed).std() < 0.6 * image.std()
    grey = change_pixels(image, numbers(saturation=0.0), seed)
    assert float(grey.std(dim=1).max()) < 1.0
    turned = change_pixels(image, numbers(hue=0.1), seed)
    luma = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    torch.testing.assert_close((turned * luma).sum(1), (image * luma).sum(1), rtol=0, atol=1.5)
    assert change_pixels(image, numbers(blur=2.0), seed).std() < 0.95 * image.std()
    noisy = change_pixels(image, numbers(noise=10.0), seed) - image
    assert 9 < float(noisy.std()) < 11
    again = change_pixels(image, numbers(noise=10.0), seed) - image
    torch.testing.assert_close(noisy, again)


def test_occluders_cover_what_was_drawn() -> None:
    row = numbers()
    row[0, 6:11] = torch.tensor([0.25, 0.5, 0.25, 0.25, 7.0])
    changed = change_pixels(picture(), row, torch.tensor([1]))
    hidden = ((changed - 7.0).abs() < 0.01).all(dim=1)[0]
    assert 0.05 < float(hidden.float().mean()) < 0.075
    assert AugmentRecipe().max_occluders <= 4
