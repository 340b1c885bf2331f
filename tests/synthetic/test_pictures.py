"""Pictures, folders and clips of synthetic infants, and the truth beside them."""

from __future__ import annotations

import csv
import itertools
import json
import multiprocessing
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("anny", reason='needs pip install "aggpose[synthetic]"')

from aggpose.cli.app import main
from aggpose.data.augment import NO_AUGMENTATION
from aggpose.data.coco import read_people
from aggpose.errors import UserError
from aggpose.formats.poses_csv import read_poses_csv
from aggpose.skeleton import COCO17, INFANT24
from aggpose.synthetic.clip import ClipSettings, sample_clip, truth
from aggpose.synthetic.export import Settings, run_lengths, synthesize
from aggpose.synthetic.picture import HIDDEN, SEEN, Kit, make_pictures, sample_picture
from aggpose.synthetic.stream import SyntheticInfants
from aggpose.video.reader import VideoReader

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SIZE = (128, 128)


@pytest.fixture(scope="module")
def kit() -> Kit:
    return Kit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    synthesize(Settings(20, seed=5, size=SIZE), out, workers=1, say=lambda _: None)
    return out


def test_the_doctor_passes_what_is_made(folder: Path) -> None:
    with pytest.raises(SystemExit) as done:
        main(["check", str(folder / "annotations.json"), "--images", str(folder)])
    assert done.value.code == 0


def test_annotations_are_whole(folder: Path) -> None:
    content = json.loads((folder / "annotations.json").read_text())
    assert not (folder / ".parts").exists()
    assert len(content["images"]) == len(content["annotations"]) >= 18
    for entry in content["annotations"]:
        mask = _mask(entry["segmentation"])
        assert mask.sum() == entry["area"]
        rows, columns = np.nonzero(mask)
        x, y, w, h = entry["bbox"]
        assert (columns.min(), rows.min()) == (x, y)
        assert (columns.max() - x + 1, rows.max() - y + 1) == (w, h)
        assert entry["notes"]["infant"]["age_months"] <= 12
    people = read_people(folder / "annotations.json", folder, COCO17)
    assert len(people.records) == len(content["annotations"]) and people.labelled.all()


def _mask(rle: dict[str, list[int]]) -> np.ndarray:
    height, width = rle["size"]
    values = np.arange(len(rle["counts"])) % 2
    return np.repeat(values, rle["counts"]).reshape(width, height).T.astype(bool)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_come_back(seed: int) -> None:
    mask = np.random.default_rng(seed).random((7, 5)) > (0.5 if seed else -1.0)
    rle = run_lengths(mask)
    assert (_mask(rle) == mask).all() and sum(rle["counts"]) == mask.size


def test_seen_limbs_lie_on_the_infant(kit: Kit) -> None:
    """A point that is flagged as seen lies in the mask, or at most its limb's half width off."""
    off = []
    for _, picture in make_pictures(kit, 11, range(24), SIZE):
        away = cv2.distanceTransform((~picture.mask).astype(np.uint8), cv2.DIST_L2, 5)
        for point in picture.keypoints[picture.visibility == SEEN]:
            x, y = np.rint(point).astype(int).clip(0, SIZE[0] - 1)
            off.append(away[y, x])
    assert len(off) > 150
    assert np.mean(np.array(off) <= 1.5) > 0.98 and max(off) < 8


def test_the_ray_test_agrees_with_the_depth_picture(kit: Kit) -> None:
    """Independent of it: whether what the pixel shows is nearer than the point and its slack."""
    agree = []
    for index in range(16):
        sampled = sample_picture(kit, 21, index, SIZE)
        (frame,) = kit.renderer.render([(sampled.scene, sampled.camera)])
        seen = kit.renderer.visible(sampled.scene, sampled.camera, sampled.points, sampled.slack)
        pixels, depth = sampled.camera.project(sampled.points)
        column, row = np.rint(pixels).astype(int).T
        inside = (column >= 0) & (column < SIZE[0]) & (row >= 0) & (row < SIZE[1]) & (depth > 0)
        nearest = frame.depth[row[inside], column[inside]]
        by_depth = nearest > depth[inside] - sampled.slack[inside]
        agree += (by_depth == seen[inside]).tolist()
    assert len(agree) > 200 and np.mean(agree) > 0.93


def test_left_is_the_infants_own_left(kit: Kit) -> None:
    """In the world, however it lies: left, head and front are right-handed."""
    for index in range(12):
        points = sample_picture(kit, 31, index, SIZE).points
        place = dict(zip(INFANT24.keypoints, points, strict=True))
        across = place["left_shoulder"] - place["right_shoulder"]
        hips = (place["left_hip"] + place["right_hip"]) / 2
        up = (place["left_shoulder"] + place["right_shoulder"]) / 2 - hips
        front = place["chest"] - (place["left_shoulder"] + place["right_shoulder"]) / 2
        # x to the left, z to the head: x cross z points to the front
        assert np.cross(across, up) @ front > 0


def test_a_picture_is_a_function_of_seed_and_number(kit: Kit) -> None:
    first = dict(make_pictures(kit, 3, [9], SIZE))[9]
    list(make_pictures(kit, 4, [0, 1], SIZE))
    again = dict(make_pictures(Kit(), 3, [8, 9], SIZE))[9]
    assert (first.image == again.image).all()
    assert (first.keypoints == again.keypoints).all()
    other = dict(make_pictures(kit, 5, [9], SIZE))[9]
    assert (first.image != other.image).mean() > 0.5


def test_processes_and_resumption_make_the_same_folder(folder: Path, tmp_path: Path) -> None:
    settings = Settings(20, seed=5, size=SIZE)
    stopped = tmp_path / "stopped"
    process = multiprocessing.get_context("spawn").Process(
        target=synthesize, args=(settings, stopped, 1)
    )
    process.start()
    first = stopped / ".parts" / "00000000.json"
    while not first.is_file() and process.is_alive():
        process.join(0.05)
    process.kill()
    process.join()
    assert first.is_file() and not (stopped / "annotations.json").exists()
    with pytest.raises(UserError, match="other settings"):
        synthesize(Settings(20, seed=6, size=SIZE), stopped, say=lambda _: None)
    synthesize(settings, stopped, workers=2, say=lambda _: None)
    assert (stopped / "annotations.json").read_bytes() == (folder / "annotations.json").read_bytes()
    for path in sorted((folder / "images").iterdir()):
        assert path.read_bytes() == (stopped / "images" / path.name).read_bytes(), path.name


def test_a_stream_is_what_a_data_set_gives() -> None:
    stream = SyntheticInfants(2, NO_AUGMENTATION, (96, 128), size=SIZE, batch=4)
    samples = list(itertools.islice(stream, 6))
    for sample in samples:
        assert (
            sample["image"].shape == (3, 128, 96)
            and sample["image"].dtype.is_floating_point is False
        )
        assert sample["points"].shape == (24, 2) and (sample["weights"] == 1).all()
    later = list(
        itertools.islice(SyntheticInfants(2, NO_AUGMENTATION, (96, 128), size=SIZE, first=4), 2)
    )
    assert (later[0]["image"] == samples[4]["image"]).all()


def test_a_clip_and_its_truth(tmp_path: Path) -> None:
    arguments = ["--clip", "0.5", "--fps", "20", "--seed", "3", "--size", "96x128"]
    with pytest.raises(SystemExit) as done:
        main(["synthesize", *arguments, "--out", str(tmp_path / "clip")])
    assert done.value.code == 0
    table = read_poses_csv(tmp_path / "clip" / "clip.truth.poses.csv")
    assert table.keypoints.shape == (10, 1, 24, 2)
    with VideoReader(tmp_path / "clip" / "clip.mp4") as video:
        times = [frame.time_s for frame in video]
    assert np.allclose(times, np.arange(10) / 20, atol=1e-3)
    assert np.allclose(times, table.times_s, atol=1e-3)
    manifest = json.loads((tmp_path / "clip" / "clip.json").read_text())
    assert manifest["seed"] == 3 and len(manifest["frame_times_s"]) == 10
    with (tmp_path / "clip" / "clip.truth.points3d.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 240
    assert all(abs(float(row["z_m"])) < 1.5 for row in rows)
    # once more, the same bytes
    with pytest.raises(SystemExit):
        main(["synthesize", *arguments, "--out", str(tmp_path / "again")])
    for path in (tmp_path / "clip").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_limbs_keep_their_lengths_and_velocity_is_the_derivative(kit: Kit) -> None:
    clip = sample_clip(kit, 8, ClipSettings(seconds=2.0, fps=30, character="kicking"))
    _, points = clip.motion.at(clip.motion.times_s)
    for side, (a, b) in itertools.product(
        ("left", "right"),
        (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")),
    ):
        pair = [INFANT24.index(f"{side}_{name}") for name in (a, b)]
        lengths = np.linalg.norm(np.diff(points[:, pair], axis=1)[:, 0], axis=-1)
        assert np.ptp(lengths) < 0.02 * lengths.mean(), (side, a, b)
    step = 1e-3
    middle = clip.motion.times_s[10:40]
    slope = (clip.motion.at(middle + step)[1] - clip.motion.at(middle - step)[1]) / (2 * step)
    by_frames = (points[11:41] - points[9:39]) * 30 / 2
    assert np.abs(slope - by_frames).max() < 0.1 * max(0.2, np.abs(slope).max())
    seen = truth(clip.camera, points[0], np.ones(24, bool))
    assert set(np.unique(seen.scores)) <= {0.5, 1.0} and SEEN > HIDDEN


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "--count"),
        (["--count", "2", "--clip", "1"], "--count"),
        (["--count", "2", "--size", "31x64"], "--size"),
        (["--count", "2", "--skeleton", "lsp14"], "lsp14"),
        (["--count", "2", "--backgrounds", "nowhere"], "nowhere"),
        (["--clip", "1", "--movement", "dancing"], "dancing"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["synthesize", *arguments, "--out", str(tmp_path / "out")])
    assert done.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("aggpose")]
    assert len(errors) == 1 and says in errors[0]
    assert not (tmp_path / "out").exists()  # the corrected command can use it
