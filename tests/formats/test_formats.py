"""Tables, results and boxes: what is written can be read, what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aggpose.errors import UserError
from aggpose.files import write_json
from aggpose.formats.coco_boxes import read_boxes
from aggpose.formats.coco_results import ResultsWriter, pose_scores, result_entries
from aggpose.formats.poses_csv import PosesCsvWriter, read_poses_csv
from aggpose.pose import Poses
from aggpose.skeleton import COCO17, INFANT21

K = len(COCO17)


def some_poses(count: int, seed: int = 0) -> Poses:
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 500, (count, K, 2))
    scores = rng.uniform(0, 1, (count, K))
    keypoints[:, 3], scores[:, 3] = np.nan, 0.0
    boxes = np.tile([10.0, 20.0, 110.0, 220.0], (count, 1))
    return Poses(keypoints, scores, boxes, COCO17, np.full(count, 0.5))


def test_the_table_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.poses.csv"
    counts = [1, 0, 2]
    with PosesCsvWriter(path, COCO17) as table:
        for i, n in enumerate(counts):
            table.write(i, i / 30, some_poses(n, i))
        assert not path.exists()  # no name before it is whole
    back = read_poses_csv(path)
    assert back.keypoints.shape == (3, 2, K, 2) and back.skeleton == COCO17
    np.testing.assert_allclose(back.times_s, [0, 1 / 30, 2 / 30], atol=1e-6)
    for i, n in enumerate(counts):
        wanted = some_poses(n, i)
        np.testing.assert_allclose(back.keypoints[i, :n], wanted.keypoints, atol=1e-3)
        np.testing.assert_allclose(back.scores[i, :n], wanted.scores, atol=1e-4)
        assert np.isnan(back.keypoints[i, n:]).all()
    first = path.read_text().splitlines()
    assert first[4] == "0,0.000000,0,left_ear,,,0"  # empty where there is nothing
    assert len(first) == 1 + K * (1 + 1 + 2)  # frames with nobody are there too


def test_an_error_leaves_no_table(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), PosesCsvWriter(tmp_path / "a.csv", COCO17) as table:
        table.write(0, 0.0, some_poses(1))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, says",
    [
        ("frame,time_s,infant,keypoint,x,y\n", "'score' is missing"),
        ("frame,time_s,infant,keypoint,x,y,score\n", "no lines"),
        ("frame,time_s,infant,keypoint,x,y,score\n0,0,0,nose,1,2,3\n0,0,0,nose,a,2,3\n", "line 3"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as error:
        read_poses_csv(path)
    assert "wrong.csv" in str(error.value)


def test_the_score_of_a_pose_is_the_published_one() -> None:
    poses = some_poses(1)
    scores = np.zeros((1, K))
    scores[0, :4] = [0.9, 0.5, 0.2, 0.1]  # the last two do not count
    poses = Poses(poses.keypoints, scores, poses.boxes, COCO17, np.array([0.5]))
    assert pose_scores(poses)[0] == pytest.approx(0.5 * 0.7)
    assert pose_scores(Poses(poses.keypoints, scores * 0, poses.boxes, COCO17, np.ones(1)))[0] == 0


def test_results_are_coco_s(tmp_path: Path) -> None:
    poses = some_poses(2)
    with ResultsWriter(tmp_path / "r.json") as results:
        results.write(result_entries(poses, 7, "a.jpg"))
        results.write([])
    entries = json.loads((tmp_path / "r.json").read_text())
    assert [e["image_id"] for e in entries] == [7, 7]
    assert entries[0]["bbox"] == [10.0, 20.0, 100.0, 200.0]
    points = np.array(entries[0]["keypoints"]).reshape(K, 3)
    np.testing.assert_allclose(points[0, :2], poses.keypoints[0, 0], atol=1e-4)
    assert points[3].tolist() == [0, 0, 0]
    with ResultsWriter(tmp_path / "none.json"):
        pass
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_json_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"no": object()})
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "none" / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def boxes_file(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_boxes_without_size_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.8},
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 40], "score": 0.8},
        {"image_id": 1, "category_id": 18, "bbox": [1, 2, 30, 40], "score": 0.8},
    ]
    boxes = read_boxes(boxes_file(tmp_path / "b.json", rows))
    np.testing.assert_allclose(boxes.by_id[1], [[1, 2, 31, 42, 0.8]])
    assert boxes.empty == 1


def test_the_only_category_counts_whatever_its_number(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 5, "file_name": "a/b.png"}],
        "categories": [{"id": 0, "name": "infant"}],
        "annotations": [{"image_id": 5, "category_id": 0, "bbox": [0, 0, 10, 10]}],
    }
    boxes = read_boxes(boxes_file(tmp_path / "b.json", content))
    assert len(boxes.of_picture(Path("elsewhere/b.png"))) == 1


@pytest.mark.parametrize(
    "content, says",
    [
        ([{"image_id": 1, "bbox": [1, 2, 3]}], "not a list of COCO detections"),
        ([{"bbox": [1, 2, 3, 4]}], "image_id"),
        ([{"image_id": 1, "bbox": [1, 2, float("nan"), 4]}], "is not x, y, width, height"),
        ([{"image_id": 1, "bbox": [1, 2, -3, 4]}], "none of its boxes has a size"),
        ([{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}], "none of its 1 boxes"),
        ({"images": []}, "annotations"),
    ],
)
def test_wrong_boxes_are_named(tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_boxes(boxes_file(tmp_path / "b.json", content))


def test_poses_select_by_name() -> None:
    poses = some_poses(2)
    there = poses.select(INFANT21)
    wrist = INFANT21.index("left_wrist")
    np.testing.assert_array_equal(
        there.keypoints[:, wrist], poses.keypoints[:, COCO17.index("left_wrist")]
    )
    assert np.isnan(there.keypoints[:, INFANT21.index("navel")]).all()
    assert (there.scores[:, INFANT21.index("navel")] == 0).all()
    with pytest.raises(ValueError, match="shape"):
        Poses(poses.keypoints, poses.scores[:1], poses.boxes, COCO17, poses.box_scores)


def test_a_picture_named_by_its_file_needs_no_number(tmp_path: Path) -> None:
    rows = [{"file_name": "a.png", "category_id": 1, "bbox": [1, 2, 30, 40]}]
    boxes = read_boxes(boxes_file(tmp_path / "b.json", rows))
    np.testing.assert_allclose(boxes.of_picture(Path("a.png")), [[1, 2, 31, 42, 1]])
