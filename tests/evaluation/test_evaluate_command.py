"""`aggpose evaluate` as its users call it, on painted pictures whose answer is known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_tools import by_pycocotools
from colour_net import colour_net, figure, paint, save_rgb

from aggpose.cli.app import main
from aggpose.evaluation.protocol import turn_boxes, turn_points
from aggpose.geometry import xywh_to_xyxy
from aggpose.skeleton import COCO17


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_net(tmp_path_factory.mktemp("net") / "colours.onnx")


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of one figure each, in two postures, and their annotation file."""
    folder = tmp_path_factory.mktemp("painted")
    images, annotations = [], []
    for i in range(5):
        width, height = 640, 480 + 16 * i
        points = figure((110 + 20 * i, 60 + 5 * i), 330, turn=4 * i)
        save_rgb(folder / f"{i + 1}.png", paint((width, height), points))
        low, high = points.min(0) - 12, points.max(0) + 12
        images.append(
            {
                "id": i + 1,
                "file_name": f"{i + 1}.png",
                "width": width,
                "height": height,
                "posture": "Supine" if i < 2 else "Prone",
            }
        )
        annotations.append(
            {
                "id": i + 1,
                "image_id": i + 1,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
                "num_keypoints": 17,
                "keypoints": np.concatenate([points, np.full((17, 1), 2)], 1).ravel().tolist(),
            }
        )
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": []}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "truth.json").write_text(json.dumps(content))
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def metrics(out: Path) -> dict[str, Any]:
    return json.loads((out / "metrics.json").read_text())


def common(painted: Path, model: Path, out: Path) -> list[object]:
    return [
        *("evaluate", "--annotations", painted / "truth.json", "--images", painted),
        *("--model", model, "--out", out),
    ]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--flip-test"],
        ["--rotate", 180],
        ["--boxes", "whole"],
        ["--area", "box", "--batch-size", 3],
    ],
)
def test_a_network_that_is_right_scores_full(
    painted: Path,
    model: Path,
    tmp_path: Path,
    options: list[object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # the flipped colour net cannot tell left from right, for its colours do not flip
    wanted = 0.0 if "--flip-test" in options else 0.99
    assert run(*common(painted, model, tmp_path), *options) == 0
    report = metrics(tmp_path)
    if "--flip-test" not in options:
        assert report["metrics"]["AP"] >= wanted
        assert report["details"]["PCK@0.2"] == 1.0
        assert report["per_posture"]["Prone"]["pictures"] == 3
    protocol = report["protocol"]
    assert protocol["flip_test"] == ("--flip-test" in options)
    assert protocol["rotate"] == (180 if "--rotate" in options else 0)
    assert protocol["boxes"] == ("whole" if "whole" in options else "gt")
    assert protocol["decoder"] == "DARK, kernel 11"
    said = capsys.readouterr().out
    assert "Research use only, not a medical device." in said and "AP50" in said


def test_quarter_turns_bring_points_and_boxes_back() -> None:
    image = np.zeros((30, 50), np.uint8)
    image[7, 41] = 1
    for quarters in range(4):
        turned = np.rot90(image, quarters)
        (y,), (x,) = np.nonzero(turned)
        point = turn_points(np.array([41.0, 7.0]), (50, 30), quarters)
        np.testing.assert_array_equal(point, [x, y])
        size = (turned.shape[1], turned.shape[0])
        np.testing.assert_array_equal(turn_points(point, size, -quarters), [41, 7])
        box = turn_boxes(np.array([[3.0, 4.0, 20.0, 9.0]]), (50, 30), quarters)
        back = turn_boxes(box, size, -quarters)
        np.testing.assert_array_equal(back, [[3, 4, 20, 9]])
        assert (box[0, 2:] > box[0, :2]).all()


def test_predictions_of_anyone(painted: Path, model: Path, tmp_path: Path) -> None:
    """The file that one run writes scores the same when read back."""
    assert run(*common(painted, model, tmp_path / "a")) == 0
    predictions = tmp_path / "a" / "predictions.json"
    entry = json.loads(predictions.read_text())[0]
    assert sorted(entry) == ["category_id", "image_id", "keypoints", "score"]  # COCO's server
    assert len(entry["keypoints"]) == 51
    code = run(
        *("evaluate", "--annotations", painted / "truth.json"),
        *("--predictions", predictions, "--out", tmp_path / "b"),
    )
    assert code == 0
    first, second = metrics(tmp_path / "a"), metrics(tmp_path / "b")
    assert first["metrics"] == second["metrics"]
    assert second["model"] is None and second["predictions"]["sha256"]


def coco_folder(root: Path, shared_data: Path, pictures: str = "val2017") -> Path:
    """A folder of COCO's form out of the four pictures with detections."""
    source = shared_data / "coco-detections"
    (root / "annotations").mkdir(parents=True)
    (root / "person_detection_results").mkdir()
    shutil.copy(
        source / "person_keypoints.json", root / "annotations/person_keypoints_val2017.json"
    )
    shutil.copy(
        source / "detections_AP_H_56.json",
        root / "person_detection_results/COCO_val2017_detections_AP_H_56_person.json",
    )
    (root / pictures).mkdir(parents=True)
    for picture in (source / "images").iterdir():
        (root / pictures / picture.name).symlink_to(picture.resolve())
    return root


@pytest.mark.parametrize("pictures", ["val2017", "images/val2017"])
def test_the_published_protocol_on_a_coco_folder(
    shared_data: Path, model: Path, tmp_path: Path, pictures: str
) -> None:
    root = coco_folder(tmp_path / "coco", shared_data, pictures)
    out = tmp_path / "out"
    assert run("evaluate", "--coco", root, "--model", model, "--out", out) == 0
    report = metrics(out)
    protocol = report["protocol"]
    assert protocol["flip_test"] and protocol["nms"] == 0.9 and protocol["box_padding"] == 1.25
    assert protocol["boxes"] == "COCO_val2017_detections_AP_H_56_person.json"
    results = json.loads((out / "predictions.json").read_text())
    detections = json.loads((shared_data / "coco-detections/detections_AP_H_56.json").read_text())
    assert 0 < len(results) <= len(detections)
    # every pose comes from a detection: its score is at most that of the best box
    assert max(r["score"] for r in results) <= max(d["score"] for d in detections)
    content = json.loads((root / "annotations/person_keypoints_val2017.json").read_text())
    theirs = by_pycocotools(content, results, np.array(COCO17.sigmas))
    for name, value in report["metrics"].items():
        assert value == pytest.approx(theirs[name], abs=1e-6), name


def test_test_dev_writes_what_the_server_wants(
    shared_data: Path, model: Path, tmp_path: Path
) -> None:
    root = coco_folder(tmp_path / "coco", shared_data, "test2017")
    truth = json.loads((root / "annotations/person_keypoints_val2017.json").read_text())
    info = {"images": truth["images"], "categories": [{"id": 1, "name": "person"}]}
    (root / "annotations/image_info_test-dev2017.json").write_text(json.dumps(info))
    boxes = root / "person_detection_results"
    (boxes / "COCO_val2017_detections_AP_H_56_person.json").rename(
        boxes / "COCO_test-dev2017_detections_AP_H_609_person.json"
    )
    arguments = ["evaluate", "--coco", root, "--split", "test-dev2017", "--model", model]
    assert run(*arguments, "--out", tmp_path / "out") == 0
    entries = json.loads((tmp_path / "out/predictions.json").read_text())
    assert entries and all(
        sorted(e) == ["category_id", "image_id", "keypoints", "score"] for e in entries
    )
    assert not (tmp_path / "out/metrics.json").exists()


@pytest.mark.parametrize(
    "gone, named",
    [
        ("annotations/person_keypoints_val2017.json", "annotations"),
        ("person_detection_results", "COCO_val2017_detections_AP_H_56_person.json"),
        ("val2017", "val2017"),
    ],
)
def test_a_missing_piece_of_the_coco_folder_is_named(
    shared_data: Path,
    model: Path,
    tmp_path: Path,
    gone: str,
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = coco_folder(tmp_path / "coco", shared_data)
    path = root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run("evaluate", "--coco", root, "--model", model) == 2
    said = capsys.readouterr().err.strip()
    assert named in said and "missing" in said and "\n" not in said


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--predictions", "none.json"], "none.json"),
        (["--images", ".", "--model", "nothing.onnx"], "nothing.onnx"),
        (["--model", "aggpose-t"], "--images"),
        (["--images", "/nowhere", "--model", "MODEL"], "/nowhere: 5 of 5 pictures are missing"),
        (["--images", "IMAGES", "--model", "MODEL", "--boxes", "b.json"], "b.json"),
        (["--images", "IMAGES", "--model", "MODEL", "--rotate", "45"], "--rotate 45"),
        (["--images", "IMAGES", "--model", "MODEL", "--area", "mask"], "--area mask"),
        (["--images", "IMAGES", "--model", "MODEL", "--skeleton", "hand"], "hand"),
        (["--coco", ".", "--model", "MODEL"], "--coco runs the published protocol"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    painted: Path,
    model: Path,
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = {"MODEL": str(model), "IMAGES": str(painted)}
    code = run(
        *("evaluate", "--annotations", painted / "truth.json"),
        *(real.get(a, a) for a in arguments),
    )
    said = capsys.readouterr().err.strip()
    assert code == 2 and named in said and len(said.splitlines()) == 1


def changed(painted: Path, to: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads((painted / "truth.json").read_text())
    change(content)
    to.write_text(json.dumps(content))
    return to


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda c: c["annotations"][0].update(bbox="1 2 3 4"), "1 annotations with no box"),
        (lambda c: c["annotations"][1].update(bbox=[1, 2, None, 4]), "not a number"),
        (lambda c: c["annotations"][1].update(keypoints=[None] * 51), "not a number"),
        (lambda c: c["annotations"][1].update(keypoints=[1, 2, 2]), "wrong number of key points"),
        (lambda c: c["images"][2].update(file_name=3), "file_name must be text"),
        (lambda c: c["images"].append(c["images"][0]), "picture id 1 is given twice"),
    ],
)
def test_annotations_that_cannot_be_scored_are_named(
    painted: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], object],
    named: str,
) -> None:
    truth = changed(painted, tmp_path / "spoilt.json", change)
    assert run("evaluate", "--annotations", truth, "--images", painted, "--model", model) == 2
    said = capsys.readouterr().err.strip()
    assert "spoilt.json" in said and named in said and len(said.splitlines()) == 1


def test_people_that_cannot_be_found_are_counted(
    painted: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["annotations"][0].update(bbox=[10, 10, 0, 0])
        content["annotations"][1]["keypoints"][2] = 9
        content["annotations"][2].update(keypoints=[0] * 51)

    truth = changed(painted, tmp_path / "odd.json", spoil)
    assert run("evaluate", "--annotations", truth, "--images", painted, "--model", model) == 0
    said = capsys.readouterr().err
    assert "1 box without size, 1 impossible visibility flag, 1 no key points" in said


def test_postures_of_people_count_where_pictures_have_none(
    painted: Path, model: Path, tmp_path: Path
) -> None:
    def move(content: dict[str, Any]) -> None:
        for image, annotation in zip(content["images"], content["annotations"], strict=True):
            annotation["posture"] = image.pop("posture")

    truth, out = changed(painted, tmp_path / "moved.json", move), tmp_path / "out"
    command = ["evaluate", "--annotations", truth, "--images", painted, "--model", model]
    assert run(*command, "--out", out) == 0
    postures = metrics(out)["per_posture"]
    assert {name: p["pictures"] for name, p in postures.items()} == {"Prone": 3, "Supine": 2}
    before = (out / "metrics.json").read_bytes()
    assert run(*command, "--out", out) == 2  # not without --overwrite
    assert (out / "metrics.json").read_bytes() == before
    assert run(*command, "--out", out, "--overwrite") == 0


def test_damaged_predictions_are_named(
    painted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.json"
    for content, named in [
        ([{"image_id": 1, "keypoints": [0] * 51}], "entry 0"),
        ([{"image_id": 1, "keypoints": [0] * 42, "score": 1}], "42 numbers, 51 are needed"),
        ([{"image_id": 99, "keypoints": [0] * 51, "score": 1}], "image 99"),
        ({"annotations": []}, "not a list"),
    ]:
        path.write_text(json.dumps(content))
        code = run("evaluate", "--annotations", painted / "truth.json", "--predictions", path)
        assert code == 2 and named in capsys.readouterr().err


def test_boxes_of_a_detector(painted: Path, model: Path, tmp_path: Path) -> None:
    """Every box is used; doubles of one person go."""
    content = json.loads((painted / "truth.json").read_text())
    detections = []
    for annotation in content["annotations"]:
        for shift, score in ((0, 0.9), (3, 0.8)):
            x, y, w, h = annotation["bbox"]
            detections.append(
                {
                    "image_id": annotation["image_id"],
                    "category_id": 1,
                    "bbox": [x + shift, y, w, h],
                    "score": score,
                }
            )
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(detections))
    assert run(*common(painted, model, tmp_path / "out"), "--boxes", path) == 0
    report = metrics(tmp_path / "out")
    assert report["metrics"]["AP"] >= 0.99 and report["protocol"]["boxes"] == "boxes.json"
    results = json.loads((tmp_path / "out/predictions.json").read_text())
    assert len(results) == 5 and report["details"]["redundant"] == 0
    np.testing.assert_allclose(
        xywh_to_xyxy(np.array(content["annotations"][0]["bbox"]))[:2],
        content["annotations"][0]["bbox"][:2],
    )
