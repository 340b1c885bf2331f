"""Pictures, folders and clips of synthetic infants, and the truth beside them."""

from __future__ import annotations

import csv
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("anny", reason='needs pip install "aggpose[synthetic]"')

from threadpoolctl import threadpool_limits

from aggpose.cli.app import main
from aggpose.data.augment import NO_AUGMENTATION
from aggpose.data.coco import read_people
from aggpose.errors import UserError
from aggpose.formats.poses_csv import read_poses_csv
from aggpose.hips import hip_joints
from aggpose.skeleton import COCO17, INFANT24
from aggpose.synthetic.clip import ClipSettings, frames_of, sample_clip, truth, write_clip
from aggpose.synthetic.export import Settings, run_lengths, synthesize
from aggpose.synthetic.mesh import ADULT, COVER, THING
from aggpose.synthetic.picture import (
    HIDDEN,
    OUTSIDE,
    SEEN,
    Kit,
    finish,
    make_pictures,
    sample_picture,
)
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
        seen = kit.renderer.visible(sampled.scene, sampled.camera, sampled.marked, sampled.slack)
        pixels, depth = sampled.camera.project(sampled.marked)
        column, row = np.rint(pixels).astype(int).T
        inside = (column >= 0) & (column < SIZE[0]) & (row >= 0) & (row < SIZE[1]) & (depth > 0)
        nearest = frame.depth[row[inside], column[inside]]
        by_depth = nearest > depth[inside] - sampled.slack[inside]
        agree += (by_depth == seen[inside]).tolist()
    assert len(agree) > 200 and np.mean(agree) > 0.93


def test_what_lies_under_other_things_is_hidden(kit: Kit) -> None:
    """Where all around a point the picture shows blankets, hands or things, it is not seen."""
    others = (COVER, ADULT, THING)
    hidden = 0
    for index in range(60):
        sampled = sample_picture(kit, 77, index, SIZE)
        (frame,) = kit.renderer.render([(sampled.scene, sampled.camera)])
        seen = kit.renderer.visible(sampled.scene, sampled.camera, sampled.marked, sampled.slack)
        picture = finish(kit, sampled, frame, seen)
        strange = np.isin(frame.part, others).astype(np.uint8)
        inner = cv2.erode(strange, np.ones((5, 5), np.uint8), borderValue=0) > 0
        for point, flag in zip(picture.keypoints, picture.visibility, strict=True):
            x, y = np.rint(point).astype(int)
            if flag != OUTSIDE and inner[y, x]:
                assert flag == HIDDEN, (index, point)
                hidden += 1
    assert hidden > 20


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


def test_threads_do_not_change_a_bit(kit: Kit) -> None:
    """Sums over several threads differ in the last bits: a body would come to rest elsewhere."""
    drawn = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            drawn.append([sample_picture(Kit(), 3, index, SIZE) for index in range(6)])
    for one, two in zip(*drawn, strict=True):
        assert (one.points == two.points).all()


def test_other_processors_draw_the_same_scenes(kit: Kit, tmp_path: Path) -> None:
    """Vector units and libraries' kernels round differently; this process is compared with one in
    which none may use more than the oldest x86-64 has (where the machine has no more, they are
    alike)."""
    code = (
        "import json, sys\n"
        "from aggpose.synthetic.picture import Kit, sample_picture\n"
        "kit = Kit()\n"
        f"drawn = [sample_picture(kit, 7, n, {SIZE}) for n in range(16)]\n"
        "json.dump([[d.points.tolist(), d.around.notes] for d in drawn], open(sys.argv[1], 'w'))\n"
    )
    old = {
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_CBWR": "COMPATIBLE",
        "ATEN_CPU_CAPABILITY": "default",
        "NPY_DISABLE_CPU_FEATURES": " ".join(
            np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
        ),
    }
    there = tmp_path / "drawn.json"
    subprocess.run([sys.executable, "-c", code, there], env=os.environ | old, check=True)
    for number, (points, notes) in enumerate(json.loads(there.read_text())):
        here = sample_picture(kit, 7, number, SIZE)
        np.testing.assert_allclose(here.points, points, atol=1e-6)
        assert json.loads(json.dumps(here.around.notes)) == notes


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
    assert len(rows) == 10 * (24 + 2)
    assert all(abs(float(row["z_m"])) < 1.5 for row in rows)
    assert 0 < manifest["exposure_s"] <= 1 / 20 and "exposure" in manifest["sensor"]
    assert manifest["around"]["lamps"]
    # once more, the same bytes
    with pytest.raises(SystemExit):
        main(["synthesize", *arguments, "--out", str(tmp_path / "again")])
    for path in (tmp_path / "clip").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


@pytest.fixture(scope="module")
def table(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What a clip's file of three-dimensional truth says: name -> (T, 6), m and m/s."""
    settings = ClipSettings(seconds=2.0, fps=60, size=(48, 64), character="kicking")
    out = tmp_path_factory.mktemp("clip")
    path = write_clip(kit, sample_clip(kit, 8, settings), out, say=lambda _: None)["points"]
    found: dict[str, list[list[float]]] = {}
    columns = ("x_m", "y_m", "z_m", "vx_m_s", "vy_m_s", "vz_m_s")
    with path.open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["keypoint"], []).append([float(row[name]) for name in columns])
    return {name: np.array(values) for name, values in found.items()}


def test_limbs_keep_their_lengths_in_the_written_truth(table: dict[str, np.ndarray]) -> None:
    limbs = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip_joint", "knee"), ("knee", "ankle"))
    for side, (a, b) in itertools.product(("left", "right"), limbs):
        away = table[f"{side}_{a}"][:, :3] - table[f"{side}_{b}"][:, :3]
        lengths = np.linalg.norm(away, axis=1)
        assert np.ptp(lengths) < 0.002 * lengths.mean(), (side, a, b)
    # the joints are those that the marked hips stand for
    marked = np.stack([table[name][:, :3] for name in INFANT24.keypoints], axis=1)
    joints = hip_joints(marked, INFANT24)
    for side in ("left", "right"):
        away = joints[:, INFANT24.index(f"{side}_hip")] - table[f"{side}_hip_joint"][:, :3]
        assert np.abs(away).max() < 1e-4


def test_written_velocities_add_up_to_the_written_ways(table: dict[str, np.ndarray]) -> None:
    """Simpson's rule over the velocities gives how far each point has gone, and they do move."""
    fastest = 0.0
    for name, values in table.items():
        place, speed = values[:, :3], values[:, 3:]
        way = (speed[:-2] + 4 * speed[1:-1] + speed[2:]) / (3 * 60)
        assert np.abs(way - (place[2:] - place[:-2])).max() < 4e-4, name
        total = way[::2].sum(axis=0)
        assert np.abs(total - (place[2 * len(way[::2])] - place[0])).max() < 1e-3, name
        fastest = max(fastest, float(np.linalg.norm(speed, axis=1).max()))
    assert fastest > 0.3


def test_clips_are_blurred_by_their_own_motion(kit: Kit) -> None:
    settings = ClipSettings(
        seconds=1.0, fps=10, size=(96, 128), character="kicking", age_months=4.0, plain=True
    )
    clip = sample_clip(kit, 4, settings)
    blurred = replace(clip, exposure_s=0.1)
    sharp = replace(clip, exposure_s=1e-6)
    differ = [
        np.abs(a.astype(int) - b.astype(int)).mean()
        for (a, _), (b, _) in zip(frames_of(kit, blurred), frames_of(kit, sharp), strict=True)
    ]
    speed = np.linalg.norm(clip.motion.velocities(clip.motion.times_s), axis=2).max(axis=1)
    fast, slow = int(speed.argmax()), int(speed.argmin())
    assert differ[fast] > 2 * differ[slow] and differ[fast] > 0.3


def test_the_truth_of_a_clip_tells_seen_from_hidden(kit: Kit) -> None:
    clip = sample_clip(kit, 8, ClipSettings(seconds=0.1, fps=30))
    seen = truth(clip.camera, clip.motion.at(clip.motion.times_s)[1][0], np.arange(24) % 2 == 0)
    assert set(np.unique(seen.scores)) == {0.5, 1.0}


@pytest.mark.parametrize("posture", ["prone", "side"])
def test_clips_of_other_postures_stay_on_the_mat(kit: Kit, posture: str) -> None:
    clip = sample_clip(kit, 5, ClipSettings(seconds=2.0, fps=10, posture=posture))
    vertices, points = clip.motion.at(clip.motion.times_s)
    skin = np.linalg.norm(clip.body.offsets, axis=1) < 0.003
    lowest = vertices[:, skin, 2].min(axis=1)
    assert (lowest > -0.02).all() and (lowest < 0.012).all()
    place = {name: points[:, k] for k, name in enumerate(INFANT24.keypoints)}
    across, trunk = place["left_shoulder"] - place["right_shoulder"], place["chin"] - place["navel"]
    front = np.cross(across, trunk)
    up = front[:, 2] / np.linalg.norm(front, axis=1)
    assert (up < -0.5).all() if posture == "prone" else (np.abs(up) < 0.75).all()


@pytest.mark.parametrize(
    "arguments, says",
    [
        ([], "--count"),
        (["--count", "2", "--clip", "1"], "--count"),
        (["--count", "2", "--size", "31x64"], "--size"),
        (["--count", "2", "--skeleton", "lsp14"], "lsp14"),
        (["--count", "2", "--backgrounds", "nowhere"], "nowhere"),
        (["--clip", "1", "--movement", "dancing"], "dancing"),
        (["--clip", "1", "--posture", "flying"], "flying"),
        (["--count", "1", "--posture", "prone"], "--posture"),
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
