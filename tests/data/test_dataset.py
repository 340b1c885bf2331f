"""What the network sees: crops, key points and their order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from colour_net import COLOURS
from painted_people import painted_people

from aggpose.data.augment import NO_AUGMENTATION, AugmentRecipe, augment_pixels
from aggpose.data.coco import People, read_nobody, read_people
from aggpose.data.dataset import EpochBatches, PeopleDataset, SampleKey, ValidationDataset
from aggpose.errors import UserError
from aggpose.geometry import (
    apply_affine,
    box_to_crop,
    crop_affine,
    input_to_heatmap,
    invert_affine,
    upright_rotation,
)
from aggpose.skeleton import COCO17, INFANT24

GEOMETRY = NO_AUGMENTATION.model_dump() | {
    "flip": 0.5,
    "rotation": 40.0,
    "rotation_probability": 0.5,
    "full_rotation": 0.3,
    "scale": 0.3,
    "shift": 0.1,
    "half_body": 0.3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    painted_people(folder, 12, size=(240, 200))
    painted_people(folder, 6, seed=1, names=COCO17.keypoints[5:], name="limbs.json")
    return folder


def keys(count: int, size: tuple[int, int] = (192, 256)) -> list[SampleKey]:
    return [SampleKey(i % 12, 0, i // 12, i, size) for i in range(count)]


def test_key_points_stay_on_what_they_name(folder: Path) -> None:
    """Whatever flip, turn, scale and shift do: under each point lies the disc of its colour."""
    people = read_people(folder / "people.json", folder, COCO17)
    dataset = PeopleDataset([people], AugmentRecipe(**GEOMETRY))
    seen, mirrored = 0, []
    for key in keys(60):
        sample = dataset[key]
        image = sample["image"].numpy().transpose(1, 2, 0)
        back = invert_affine(input_to_heatmap(key.input_size, (48, 64)))
        points = apply_affine(back, sample["points"].numpy())
        sides = set()
        for k, (point, weight) in enumerate(zip(points, sample["weights"], strict=True)):
            x, y = np.rint(point).astype(int)
            if weight == 0 or not (3 < x < 188 and 3 < y < 252):
                continue
            colour = image[y, x] / 255.0
            nearest = int(np.argmin(np.abs(COLOURS[:17] - colour).sum(axis=1)))
            # in a mirrored picture the disc of the left wrist is what is now the right one
            assert nearest in (k, COCO17.mirror[k])
            if COCO17.mirror[k] != k:
                sides.add(nearest != k)
            seen += 1
        assert len(sides) <= 1  # all of a sample's points are mirrored, or none
        mirrored += sides
    assert seen > 500 and 0.2 < np.mean(mirrored) < 0.8


def test_a_mirrored_sample_swaps_all_its_sides(folder: Path) -> None:
    people = read_people(folder / "people.json", folder, COCO17)
    plain = PeopleDataset([people], NO_AUGMENTATION)
    flipped = PeopleDataset([people], NO_AUGMENTATION.model_copy(update={"flip": 1.0}))
    for key in keys(5):
        a, b = plain[key], flipped[key]
        expected = a["points"].numpy()[COCO17.mirror].copy()
        expected[:, 0] = 47 - expected[:, 0]
        np.testing.assert_allclose(b["points"].numpy(), expected, atol=1e-3)
        difference = a["image"].numpy()[:, :, ::-1].astype(int) - b["image"].numpy()
        assert np.abs(difference).mean() < 1.0


def test_samples_are_functions_of_their_key(folder: Path) -> None:
    people = read_people(folder / "people.json", folder, COCO17)
    recipe = AugmentRecipe(blur=0.5, noise=0.5, jpeg=0.5, occluders=0.5)
    one, other = PeopleDataset([people], recipe), PeopleDataset([people], recipe)
    for key in reversed(keys(8)):
        a, b = one[key], other[key]
        assert (a["image"] == b["image"]).all() and (a["points"] == b["points"]).all()
    first = one[SampleKey(0, 0, 0, 0, (192, 256))]["image"]
    assert (first != one[SampleKey(0, 0, 1, 0, (192, 256))]["image"]).any()
    assert (first != one[SampleKey(0, 1, 0, 0, (192, 256))]["image"]).any()


UPRIGHT = NO_AUGMENTATION.model_copy(update={"upright": 1.0})


def lying(folder: Path, people: People, turn: float) -> People:
    """The people turned about the middle of their pictures, clockwise, with their boxes."""
    records = []
    for i, person in enumerate(people.records):
        image = cv2.imread(str(person.image_path))
        assert image is not None
        middle = (np.array(person.image_size) - 1) / 2
        affine = crop_affine(middle, np.array(person.image_size), -turn, person.image_size)
        path = folder / f"turned-{round(turn)}-{i}.png"
        cv2.imwrite(str(path), cv2.warpAffine(image, affine, person.image_size))
        points = apply_affine(affine, person.keypoints)
        low, high = points.min(axis=0) - 8, points.max(axis=0) + 8
        box = np.concatenate([low, high - low])
        records.append(replace(person, image_path=path, keypoints=points, box=box))
    return replace(people, records=tuple(records))


@pytest.mark.parametrize("turn", [90.0, -130.0, 180.0])
def test_crops_are_turned_upright(folder: Path, tmp_path: Path, turn: float) -> None:
    """A lying person gives the sample that it gives standing, and so does the validation."""
    standing = read_people(folder / "people.json", folder, COCO17)
    turned = PeopleDataset([lying(tmp_path, standing, turn)], UPRIGHT)
    for key in keys(6, (96, 128)):
        points = turned[key]["points"].numpy()
        trunk = points[[5, 6]].mean(axis=0) - points[[11, 12]].mean(axis=0)
        assert trunk[1] < 0 and abs(trunk[0]) < 0.02 * abs(trunk[1])
        truth = standing.records[key.index].keypoints
        tilt = upright_rotation(truth, np.ones(17, bool), COCO17)
        assert tilt is not None
        back = crop_affine(truth.mean(axis=0), np.array([96.0, 128.0]), tilt, (96, 128))
        shape, expected = points - points.mean(axis=0), apply_affine(back, truth)
        expected = expected - expected.mean(axis=0)
        factor = np.linalg.norm(shape) / np.linalg.norm(expected)
        np.testing.assert_allclose(shape, expected * factor, atol=0.05)
    validation = ValidationDataset(lying(tmp_path, standing, turn), (96, 128), upright=True)
    sample = validation[2]
    there = apply_affine(
        invert_affine(sample["to_picture"].numpy()), validation.records[2].keypoints
    )
    np.testing.assert_allclose(there, turned[SampleKey(2, 0, 0, 0, (96, 128))]["points"], atol=1e-3)
    assert (sample["image"] == turned[SampleKey(2, 0, 0, 0, (96, 128))]["image"]).all()


def test_crops_turned_the_wrong_way_show_nobody(folder: Path) -> None:
    people = read_people(folder / "people.json", folder, COCO17)
    wrong = PeopleDataset([people], UPRIGHT.model_copy(update={"wrong_way": 1.0}))
    right = PeopleDataset([people], UPRIGHT)
    for key in keys(6):
        sample = wrong[key]
        assert (sample["points"] < 0).all() and (sample["weights"] == 1).all()
        assert (sample["image"] != right[key]["image"]).any()


def test_pictures_of_nobody_have_all_points_outside(tmp_path: Path) -> None:
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((60, 80, 3), 40 * i, np.uint8))
    nobody = read_nobody(tmp_path, COCO17, held_out=1)
    assert [r.image_path.name for r in nobody.records] == ["0.png", "1.png"]
    dataset = PeopleDataset([nobody], AugmentRecipe(**GEOMETRY))
    for position in range(8):
        sample = dataset[SampleKey(position % 2, 0, 0, position, (64, 64))]
        assert (sample["points"] < 0).all() and (sample["weights"] == 1).all()
    with pytest.raises(UserError, match="held out"):
        read_nobody(tmp_path, COCO17, held_out=3)


def test_the_whole_picture_only_where_somebody_is_alone(folder: Path, tmp_path: Path) -> None:
    painted_people(tmp_path, 2, size=(240, 200))
    people = read_people(tmp_path / "people.json", tmp_path, COCO17)
    first, second = people.records
    together = replace(people, records=(first, replace(second, image_path=first.image_path)))
    recipe = NO_AUGMENTATION.model_copy(update={"whole_picture": 1.0})
    key = SampleKey(0, 0, 0, 0, (192, 256))
    alone = PeopleDataset([people], recipe)[key]["points"].numpy()
    crowd = PeopleDataset([together], recipe)[key]["points"].numpy()
    size = box_to_crop(np.array([0.0, 0.0, *first.image_size]), 192 / 256, padding=1.0)[1]
    spread = np.ptp(first.keypoints, axis=0) * 47 / (size[0] - 1)
    np.testing.assert_allclose(np.ptp(alone, axis=0), spread, rtol=0.02)
    assert (np.ptp(crowd, axis=0) > 1.1 * spread).any()


def test_points_that_a_file_does_not_know_are_masked(folder: Path) -> None:
    full = read_people(folder / "people.json", folder, INFANT24)
    limbs = read_people(folder / "limbs.json", folder, INFANT24)
    dataset = PeopleDataset([full, limbs], NO_AUGMENTATION)
    a = dataset[SampleKey(0, 0, 0, 0, (96, 128))]
    b = dataset[SampleKey(12, 0, 0, 0, (96, 128))]
    names = INFANT24.keypoints
    known = {n for n, w in zip(names, a["weights"], strict=True) if w}
    assert known == set(COCO17.keypoints)
    assert {n for n, w in zip(names, b["weights"], strict=True) if w} == set(COCO17.keypoints[5:])


def test_validation_crops_lead_back_to_the_picture(folder: Path) -> None:
    people = read_people(folder / "people.json", folder, COCO17)
    dataset = ValidationDataset(people, (192, 256))
    sample = dataset[3]
    truth = people.records[3].keypoints
    from_map = apply_affine(invert_affine(sample["to_picture"].numpy()), truth)
    training = PeopleDataset([people], NO_AUGMENTATION)[SampleKey(3, 0, 0, 0, (192, 256))]
    np.testing.assert_allclose(from_map, training["points"].numpy(), atol=1e-3)
    assert (sample["image"] == training["image"]).all()


def batches(**changes: object) -> EpochBatches:
    options: dict[str, object] = {
        "lengths": [10, 30],
        "weights": [2.0, 0.5],
        "batch_size": 4,
        "seed": 0,
        "sizes": [(0, (96, 128)), (2, (192, 256))],
    }
    return EpochBatches(**(options | changes))  # type: ignore[arg-type]


def indices(order: EpochBatches) -> list[int]:
    return [key.index for batch in order for key in batch]


def test_each_data_set_is_drawn_by_its_weight() -> None:
    order = batches()
    drawn = order.order(0)
    counts = np.bincount(drawn, minlength=40)
    assert (counts[:10] == 2).all() and counts[10:].sum() == 15 and counts[10:].max() == 1
    assert len(order) == 35 // 4
    assert (np.sort(drawn) != np.sort(order.order(1))).any()


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    whole, rest = batches(), batches()
    rest.start_batch = 3
    assert list(rest) == list(whole)[3:]


def test_processes_share_what_one_would_see() -> None:
    one = [sorted(k.position for k in b) for b in batches(batch_size=8)]
    two = [list(batches(rank=r, world=2)) for r in (0, 1)]
    together = [sorted(k.position for b in pair for k in b) for pair in zip(*two, strict=True)]
    assert one == together


def test_the_input_size_grows_with_the_epochs() -> None:
    order = batches()
    for epoch, size in ((0, (96, 128)), (1, (96, 128)), (2, (192, 256))):
        order.set_epoch(epoch)
        assert {k.input_size for b in order for k in b} == {size}


def test_too_few_people_for_a_batch() -> None:
    with pytest.raises(UserError, match="do not fill one batch"):
        batches(batch_size=100)


@pytest.mark.parametrize(
    "part",
    [
        *("occluders", "colour_probability", "blur", "noise", "jpeg"),
        *("white_balance", "grey", "low_resolution"),
    ],
)
def test_each_pixel_change_can_be_switched(part: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (128, 96, 3), np.uint8)
    off = augment_pixels(image, NO_AUGMENTATION, np.random.default_rng(1))
    np.testing.assert_array_equal(off, image)
    on = NO_AUGMENTATION.model_copy(update={part: 1.0})
    before = image.copy()
    changed = augment_pixels(image, on, np.random.default_rng(1))
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert (changed != image).any()
    np.testing.assert_array_equal(image, before)  # the picture itself stays
