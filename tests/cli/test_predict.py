"""`aggpose predict` as its users call it: every kind of source, good and bad."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from colour_net import colour_net, figure, paint, save_rgb, with_exif_orientation, write_video

from aggpose.cli.app import main
from aggpose.formats.poses_csv import COLUMNS, read_poses_csv
from aggpose.skeleton import COCO17, INFANT21

SIZE = (640, 480)
TRUTH = figure((150, 60), 330)


def drifted(frame: int) -> np.ndarray:
    return TRUTH + np.array([2 * frame, frame])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_net(tmp_path_factory.mktemp("net") / "colours.onnx")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of a figure that drifts, at uneven times."""
    images = [paint(SIZE, drifted(i)) for i in range(12)]
    times = [40 * i + (15 if i % 3 else 0) for i in range(12)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", images, times)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["predict", *map(str, arguments)])
    return int(stop.value.code or 0)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_video_becomes_table_overlay_and_manifest(
    clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(clip, "--model", model, "--out", tmp_path) == 0
    assert names(tmp_path) == ["clip.manifest.json", "clip.overlay.mp4", "clip.poses.csv"]
    assert (tmp_path / "clip.poses.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    table = read_poses_csv(tmp_path / "clip.poses.csv")
    assert table.skeleton == COCO17 and len(table.frames) == 12
    expected = [(40 * i + (15 if i % 3 else 0)) / 1000 for i in range(12)]
    np.testing.assert_allclose(table.times_s, expected, atol=1e-6)
    for i in range(12):
        assert np.abs(table.keypoints[i, 0] - drifted(i)).max() < 1.5
    manifest = json.loads((tmp_path / "clip.manifest.json").read_text())
    assert manifest["counts"] == {
        "frames": 12,
        "frames_with_infant": 12,
        "frames_without_infant": 0,
    }
    assert len(manifest["model"]["sha256"]) == len(manifest["input"]["sha256"]) == 64
    assert manifest["aggpose"] and "not a medical device" in manifest["statement"]
    with av.open(str(tmp_path / "clip.overlay.mp4")) as overlay:
        times = [f.time for f in overlay.decode(video=0)]
    np.testing.assert_allclose(times, expected, atol=1e-3)
    assert "Research use only, not a medical device." in capsys.readouterr().out


def test_a_folder_of_pictures(model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    image = paint(SIZE, TRUTH)
    save_rgb(source / "7.png", image)
    # a phone held sideways: stored turned, EXIF says how to turn it back
    turned = cv2.imencode(".jpg", cv2.cvtColor(np.rot90(image).copy(), cv2.COLOR_RGB2BGR))[1]
    (source / "8.jpg").write_bytes(with_exif_orientation(turned.tobytes(), 6))
    cv2.imwrite(str(source / "9.png"), np.full((480, 640), 128, np.uint8))  # grey, nobody there
    (source / "notes.txt").write_text("not a picture")
    assert run(source, "--model", model, "--out", out) == 0
    assert names(out) == [
        *("7.overlay.jpg", "8.overlay.jpg", "9.overlay.jpg"),
        *("predictions.json", "predictions.manifest.json"),
    ]
    results = {r["image_id"]: r for r in json.loads((out / "predictions.json").read_text())}
    assert sorted(results) == [7, 8]
    for result in results.values():
        points = np.array(result["keypoints"]).reshape(17, 3)
        assert np.abs(points[:, :2] - TRUTH).max() < 2.0
        assert result["category_id"] == 1 and 0 < result["score"] <= 1
    manifest = json.loads((out / "predictions.manifest.json").read_text())
    assert manifest["counts"]["pictures_without_infant"] == 1
    assert "nobody was found in 9.png" in manifest["warnings"]
    assert cv2.imread(str(out / "8.overlay.jpg")).shape == (480, 640, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_what_is_done_is_kept_when_the_user_stops(model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    save_rgb(source / "0.png", paint(SIZE, TRUTH))
    for i in range(1, 400):
        (source / f"{i}.png").hardlink_to(source / "0.png")
    command = [sys.executable, "-m", "aggpose.cli", "predict", source, "--model", model]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(out)],
        stderr=subprocess.PIPE,
        # tests run in the background inherit a SIGINT that is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (out / "2.overlay.jpg").is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"stopped" in errors and b"Traceback" not in errors
    results = json.loads((out / "predictions.json").read_text())
    manifest = json.loads((out / "predictions.manifest.json").read_text())
    assert 2 <= len(results) == manifest["counts"]["pictures"] < 400
    assert any("stopped after" in warning for warning in manifest["warnings"])
    assert not [name for name in names(out) if name.endswith(".tmp")]


def test_a_glob_and_a_picture_named_twice(model: Path, tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b.png"):
        save_rgb(tmp_path / name, paint(SIZE, TRUTH))
    out = tmp_path / "out"
    code = run(f"{tmp_path}/a*.png", tmp_path / "a1.png", "--model", model, "--out", out)
    assert code == 0
    assert len(json.loads((out / "predictions.json").read_text())) == 2


def bad_source(kind: str, folder: Path) -> Path:
    """Inputs that cannot be used."""
    path = folder / {
        "truncated": "cut.jpg",
        "empty": "empty.jpg",
        "empty video": "empty.mp4",
        "text": "text.mp4",
        "missing": "missing.mp4",
        "no frames": "noframes.mp4",
        "sound": "sound.wav",
        "no pictures": "folder",
    }.get(kind, kind)
    if kind == "truncated":
        jpeg = cv2.imencode(".jpg", paint(SIZE, TRUTH))[1].tobytes()
        path.write_bytes(jpeg[: len(jpeg) // 2])
    elif kind in ("empty", "empty video"):
        path.touch()
    elif kind == "text":
        path.write_text("this is a letter, not a video\n" * 20)
    elif kind == "no frames":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            container.mux(stream.encode(None))
    elif kind == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
    elif kind == "no pictures":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    "kind",
    [
        *("truncated", "empty", "empty video", "text", "missing"),
        *("no frames", "sound", "no pictures"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    kind: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = bad_source(kind, tmp_path)
    out = tmp_path / "out"
    assert run(source, "--model", model, "--out", out) == 2
    said = capsys.readouterr().err.strip()
    assert source.name in said and len(said.splitlines()) == 1 and "Traceback" not in said
    assert not out.exists() or names(out) == []  # nothing half written


def test_an_empty_source_is_not_this_folder(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("", "--model", model, "--out", tmp_path / "out") == 2
    assert "SOURCE is empty" in capsys.readouterr().err


def test_one_bad_source_does_not_stop_the_others(
    clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = bad_source("text", tmp_path)
    out = tmp_path / "out"
    assert run(bad, clip, "--model", model, "--out", out) == 2
    said = capsys.readouterr().err
    assert "text.mp4" in said and "1 of 2 sources could not be used" in said
    assert len(read_poses_csv(out / "clip.poses.csv").frames) == 12


def test_a_folder_that_cannot_be_written_to(
    clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/aggpose")):
        assert run(clip, "--model", model, "--out", out) == 2
        said = capsys.readouterr().err.strip()
        assert str(out) in said and len(said.splitlines()) == 1


def test_results_are_not_overwritten_unless_asked(
    clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip.poses.csv").write_text("mine")
    assert run(clip, "--model", model, "--out", tmp_path) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert names(tmp_path) == ["clip.poses.csv"]
    assert run(clip, "--model", model, "--out", tmp_path, "--overwrite", "--save", "csv") == 0
    assert names(tmp_path) == ["clip.manifest.json", "clip.poses.csv"]


def test_given_boxes(clip: Path, model: Path, tmp_path: Path) -> None:
    """In a video image_id is the frame; frames without a box have nobody."""
    boxes = [
        {"image_id": i, "category_id": 1, "bbox": [130, 40, 400, 400], "score": 0.9}
        for i in range(0, 12, 2)
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(boxes))
    out = tmp_path / "out"
    assert run(clip, "--model", model, "--out", out, "--boxes", path) == 0
    table = read_poses_csv(out / "clip.poses.csv")
    found = np.isfinite(table.keypoints).all(axis=(1, 2, 3))
    assert found.tolist() == [i % 2 == 0 for i in range(12)]


def test_boxes_of_pictures_with_the_same_name(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told apart by their folders; where that does not tell, it is said."""
    content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    truths = [figure((60, 50), 300), figure((290, 140), 320)]
    for i, truth in enumerate(truths):
        folder = tmp_path / "in" / f"infant{i}"
        folder.mkdir(parents=True)
        save_rgb(folder / "001.png", paint(SIZE, truth))
        low, high = truth.min(0) - 10, truth.max(0) + 10
        content["images"].append({"id": 10 + i, "file_name": f"infant{i}/001.png"})
        content["annotations"].append(
            {"image_id": 10 + i, "category_id": 1, "bbox": [*low.tolist(), *(high - low).tolist()]}
        )
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    out = tmp_path / "out"
    arguments = [f"{tmp_path}/in/*/001.png", "--model", model, "--boxes", path]
    assert run(*arguments, "--out", out) == 0
    for result in json.loads((out / "predictions.json").read_text()):
        points = np.array(result["keypoints"]).reshape(17, 3)[:, :2]
        assert np.abs(points - truths[result["image_id"] - 10]).max() < 2.0
    for entry, name in zip(content["images"], ("a/001.png", "b/001.png"), strict=True):
        entry["file_name"] = name
    path.write_text(json.dumps(content))
    assert run(*arguments, "--out", tmp_path / "out2") == 2
    assert "could both be" in capsys.readouterr().err


def test_a_picture_without_a_number_takes_none_that_is_taken(model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("1.png", "000139.png", "cover.png"):
        save_rgb(source / name, paint(SIZE, TRUTH))
    assert run(source, "--model", model, "--out", out) == 0
    results = json.loads((out / "predictions.json").read_text())
    ids = {r["file_name"]: r["image_id"] for r in results}
    assert ids == {"1.png": 1, "000139.png": 139, "cover.png": 2}


def test_another_skeleton_is_selected_by_name(clip: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--skeleton", "infant21", "--save", "csv,coco"]
    assert run(clip, "--model", model, "--out", out, *options) == 0
    table = read_poses_csv(out / "clip.poses.csv")
    assert table.skeleton == INFANT21
    for name in ("left_wrist", "right_knee"):
        got = table.keypoints[0, 0, INFANT21.index(name)]
        np.testing.assert_allclose(got, TRUTH[COCO17.index(name)], atol=1.5)
    # the network does not know a navel: nothing is invented
    assert np.isnan(table.keypoints[:, :, INFANT21.index("navel")]).all()
    entries = json.loads((out / "clip.predictions.json").read_text())
    assert [e["image_id"] for e in entries] == list(range(12))


def test_the_face_is_covered_and_misses_are_listed(model: Path, tmp_path: Path) -> None:
    """Two frames without anybody are held over; after that they are listed."""
    nobody = np.full((480, 640, 3), 128, np.uint8)
    images = [paint(SIZE, TRUTH)] * 4 + [nobody] * 8
    video = write_video(tmp_path / "v.mp4", images, [200 * i for i in range(12)])
    out = tmp_path / "out"
    assert run(video, "--model", model, "--out", out, "--hide-face") == 0
    manifest = json.loads((out / "v.manifest.json").read_text())
    assert manifest["face_not_hidden"] == list(range(6, 12))
    assert any("face could not be hidden" in w for w in manifest["warnings"])
    with av.open(str(out / "v.overlay.mp4")) as overlay:
        frames = [f.to_ndarray(format="rgb24") for f in overlay.decode(video=0)]
    x, y = np.rint(TRUTH[COCO17.index("left_ear")]).astype(int)
    eye = frames[0][y - 2 : y + 3, x - 12 : x - 9].astype(int)
    assert np.abs(eye - 60).max() < 40  # the cover's grey, not the disc's colour


@pytest.mark.parametrize(
    "options, named",
    [
        (["--model", "nothing"], "nothing"),
        (["--skeleton", "hand"], "hand"),
        (["--save", "gif"], "gif"),
        (["--device", "tpu"], "tpu"),
        (["--boxes", "none.json"], "none.json"),
        (["--batch-size", "0"], "--batch-size"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_options(
    clip: Path,
    model: Path,
    tmp_path: Path,
    options: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = options if "--model" in options else [*options, "--model", str(model)]
    assert run(clip, "--out", tmp_path / "out", *given) == 2
    said = capsys.readouterr().err.strip()
    assert named in said and len(said.splitlines()) == 1


def test_predicting_needs_no_torch(clip: Path, model: Path, tmp_path: Path) -> None:
    """The base install has none: importing it must not even be tried."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['lightning'] = None\n"
        "from aggpose.cli.app import main\n"
        f"main(['predict', {str(clip)!r}, '--model', {str(model)!r}, '--out', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip.poses.csv").is_file()


@pytest.mark.parametrize(
    "name, frames", [("people.mp4", 5), pytest.param("person.webm", 100, marks=pytest.mark.slow)]
)
def test_real_videos(
    shared_data: Path, model: Path, tmp_path: Path, name: str, frames: int
) -> None:
    """Whatever this network sees in them: every frame is in the table, at the stream's times."""
    video = shared_data / "video" / name
    assert run(video, "--model", model, "--out", tmp_path) == 0
    stem = Path(name).stem
    table = read_poses_csv(tmp_path / f"{stem}.poses.csv")
    with av.open(str(video)) as container:
        times = [f.time for f in container.decode(video=0)]
    assert len(times) == frames
    np.testing.assert_allclose(table.times_s, np.array(times) - times[0], atol=2e-3)
    with av.open(str(tmp_path / f"{stem}.overlay.mp4")) as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == frames
