"""AP beside pycocotools, and the other measures on cases whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_tools import by_pycocotools

from aggpose.data.coco import load_coco
from aggpose.evaluation.details import calibration, match, measures
from aggpose.evaluation.metrics import METRICS, average_precision, rewrite_ground_truth
from aggpose.evaluation.oks import oks, suppress_doubles
from aggpose.skeleton import COCO17, INFANT21, LSP14, skeleton_from_names

SIGMAS = np.array(COCO17.sigmas)


def noisy_results(content: dict[str, Any], seed: int, spread: float = 0.08) -> list[dict[str, Any]]:
    """Predictions near the truth, some far, some twice, some of nobody."""
    rng = np.random.default_rng(seed)
    results = []
    for annotation in content["annotations"]:
        labels = np.array(annotation["keypoints"], dtype=float).reshape(-1, 3)
        if annotation.get("iscrowd") or not (labels[:, 2] > 0).any() or rng.random() < 0.1:
            continue
        for _ in range(1 + (rng.random() < 0.15)):
            size = np.sqrt(annotation["area"]) * rng.choice([0.3, 1.0, 3.0])
            points = labels.copy()
            points[:, :2] += rng.normal(size=(len(labels), 2)) * spread * size
            points[:, 2] = rng.random(len(labels))
            results.append(result(annotation["image_id"], points, float(rng.random())))
    for entry in content["images"][::5]:
        points = rng.random((17, 3)) * [entry["width"], entry["height"], 1]
        results.append(result(entry["id"], points, float(rng.random())))
    return results


def result(image_id: int, points: np.ndarray, score: float) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": np.asarray(points, dtype=float).ravel().tolist(),
        "score": score,
    }


@pytest.mark.parametrize(
    "file", ["coco-people/person_keypoints_val.json", "coco-detections/person_keypoints.json"]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_pycocotools(shared_data: Path, file: str, seed: int) -> None:
    content = load_coco(shared_data / file)
    results = noisy_results(content, seed)
    ours = average_precision(content, results, COCO17)
    theirs = by_pycocotools(load_coco(shared_data / file), results, SIGMAS)
    assert 0.05 < ours["AP"] < 0.95  # a comparison of zeros would prove nothing
    for name in METRICS:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6), name


def test_agrees_with_pycocotools_for_another_skeleton(shared_data: Path) -> None:
    """14 points of Leeds Sports with their own sigmas, area of the box."""
    content = load_coco(shared_data / "lspet/person_keypoints_val.json")
    content["annotations"] = content["annotations"][:120]
    content["images"] = content["images"][:120]
    rng = np.random.default_rng(3)
    results = []
    for annotation in content["annotations"]:
        points = np.array(annotation["keypoints"], dtype=float).reshape(-1, 3)
        points[:, :2] += rng.normal(size=(14, 2)) * rng.choice([2.0, 6.0, 20.0])
        results.append(result(annotation["image_id"], points, float(rng.random())))
    ours = average_precision(content, results, LSP14, area="box")
    truth = rewrite_ground_truth(content, LSP14, area="box")
    theirs = by_pycocotools(truth, results, np.array(LSP14.sigmas))
    assert 0.05 < ours["AP"] < 0.95
    for name in METRICS:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6), name


def test_boxes_in_results_do_not_change_the_sizes_of_poses(shared_data: Path) -> None:
    """AP_M and AP_L go by the extent of the points, as on COCO's server."""
    content = load_coco(shared_data / "coco-people/person_keypoints_val.json")
    results = noisy_results(content, 5)
    boxed = [{**r, "bbox": [0.0, 0.0, 500.0, 500.0]} for r in results]
    assert average_precision(content, boxed, COCO17) == average_precision(content, results, COCO17)


def test_points_are_matched_by_name_not_by_place() -> None:
    """A file in another order scores the same."""
    rng = np.random.default_rng(0)
    content, results = small_world(rng, people=6)
    order = rng.permutation(17)
    shuffled = json.loads(json.dumps(content))
    shuffled["categories"][0]["keypoints"] = [COCO17.keypoints[k] for k in order]
    for annotation in shuffled["annotations"]:
        points = np.array(annotation["keypoints"]).reshape(-1, 3)[order]
        annotation["keypoints"] = points.ravel().tolist()
    assert average_precision(shuffled, results, COCO17) == average_precision(
        content, results, COCO17
    )


def test_the_area_decides_how_strict_oks_is() -> None:
    content, results = small_world(np.random.default_rng(1), people=8, error=5.0)
    for annotation in content["annotations"]:
        annotation["area"] = 0.2 * annotation["bbox"][2] * annotation["bbox"][3]
    by_file = average_precision(content, results, COCO17, "file")["AP"]
    by_box = average_precision(content, results, COCO17, "box")["AP"]
    assert by_file < by_box


def small_world(
    rng: np.random.Generator, people: int, error: float = 0.0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One person a picture, all 17 points labelled, predicted with that error in px."""
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}],
    }
    results = []
    for i in range(people):
        points = np.concatenate([rng.random((17, 2)) * 150 + 20, np.full((17, 1), 2)], axis=1)
        content["images"].append({"id": i, "width": 200, "height": 200, "file_name": f"{i}.png"})
        content["annotations"].append(
            {
                "id": i + 1,
                "image_id": i,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [15, 15, 160, 160],
                "area": 160.0 * 160.0,
                "num_keypoints": 17,
                "keypoints": points.ravel().tolist(),
            }
        )
        guess = points.copy()
        guess[:, :2] += rng.normal(size=(17, 2)) * error
        guess[:, 2] = 0.9
        results.append(result(i, guess, 0.9))
    return content, results


def test_perfect_predictions() -> None:
    content, results = small_world(np.random.default_rng(2), people=5)
    assert average_precision(content, results, COCO17)["AP"] == pytest.approx(1.0)
    numbers = measures(match(content, results, COCO17))
    assert numbers["PCK@0.2"] == 1.0 and numbers["mean_error_trunks"] == 0.0
    assert numbers["missed"] == 0 and numbers["redundant"] == 0
    assert numbers["inversion_rate"]["inverted"] == 0 < numbers["inversion_rate"]["pairs"]
    assert numbers["calibration"]["error"] == pytest.approx(0.1)  # says 0.9, is always right


def test_an_annotation_of_id_0_counts() -> None:
    """COCO's evaluators would take it for one that nothing matched."""
    content, results = small_world(np.random.default_rng(3), people=1)
    content["annotations"][0]["id"] = 0
    assert average_precision(content, results, COCO17)["AP"] == pytest.approx(1.0)


def test_swapped_sides_are_seen() -> None:
    content, results = small_world(np.random.default_rng(2), people=4)
    points = np.array(results[0]["keypoints"]).reshape(17, 3)
    results[0]["keypoints"] = points[COCO17.mirror].ravel().tolist()
    inversion = measures(match(content, results, COCO17))["inversion_rate"]
    assert 0.2 <= inversion["rate"] <= 0.3  # one person of four


def test_missed_and_redundant() -> None:
    content, results = small_world(np.random.default_rng(4), people=5)
    doubled = [*results[1:], {**results[1], "score": 0.5}]
    numbers = measures(match(content, doubled, COCO17))
    assert numbers["missed"] == 1 and numbers["missed_rate"] == 0.2
    assert numbers["redundant"] == 1 and numbers["redundant_rate"] == 0.2
    # the one who was missed has every point wrong
    assert numbers["PCK@0.2"] == pytest.approx(0.8)


def test_a_prediction_on_an_unlabelled_person_is_ignored() -> None:
    content, results = small_world(np.random.default_rng(4), people=2)
    content["annotations"][1]["keypoints"] = [0] * 51
    numbers = measures(match(content, results, COCO17))
    assert numbers["people"] == 1 and numbers["redundant"] == 0 and numbers["ignored"] == 1


def test_nobody_predicted() -> None:
    content, _ = small_world(np.random.default_rng(4), people=3)
    assert average_precision(content, [], COCO17)["AP"] == 0.0
    numbers = measures(match(content, [], COCO17))
    assert numbers["missed"] == 3 and numbers["PCK@0.2"] == 0.0
    assert numbers["mean_error_trunks"] is None and numbers["redundant_rate"] is None


def test_nobody_to_be_found_is_no_score() -> None:
    content, results = small_world(np.random.default_rng(4), people=2)
    for annotation in content["annotations"]:
        annotation["area"] = 50.0**2  # COCO's medium
    assert average_precision(content, [], COCO17)["AP_M"] == 0.0
    assert average_precision(content, [], COCO17)["AP_L"] == -1.0
    for annotation in content["annotations"]:
        annotation["keypoints"] = [0] * 51
    for found in ([], results):
        assert set(average_precision(content, found, COCO17).values()) == {-1.0}


def test_errors_are_in_trunk_lengths() -> None:
    content, results = small_world(np.random.default_rng(5), people=1)
    annotation = content["annotations"][0]
    points = np.array(annotation["keypoints"]).reshape(17, 3)
    points[[5, 6], :2] = [[120, 50], [80, 50]]
    points[[11, 12], :2] = [[110, 100], [90, 100]]  # 50 px of trunk
    annotation["keypoints"] = points.ravel().tolist()
    moved = points.copy()
    moved[:, 0] += 5
    results[0]["keypoints"] = moved.ravel().tolist()
    numbers = measures(match(content, results, COCO17))
    assert numbers["mean_error_trunks"] == pytest.approx(0.1)
    moved[:, 0] += 10
    results[0]["keypoints"] = moved.ravel().tolist()
    assert measures(match(content, results, COCO17))["PCK@0.2"] == 0.0


def test_a_well_calibrated_score_has_no_error() -> None:
    rng = np.random.default_rng(6)
    content, results = small_world(rng, people=400)
    for entry in results:
        points = np.array(entry["keypoints"]).reshape(17, 3)
        points[:, 2] = rng.random(17)
        wrong = rng.random(17) > points[:, 2]
        points[wrong, :2] += 500
        entry["keypoints"] = points.ravel().tolist()
    assert calibration(match(content, results, COCO17))["error"] < 0.03


def test_scores_that_are_similarities_say_how_far_off_a_point_is() -> None:
    rng = np.random.default_rng(7)
    content, results = small_world(rng, people=300)
    sigmas = np.array(COCO17.sigmas)
    for entry, annotation in zip(results, content["annotations"], strict=True):
        points = np.array(annotation["keypoints"], dtype=float).reshape(17, 3)
        points[:, 2] = rng.uniform(0.3, 1, 17)
        # OKS's term is exp(-d^2 / (2 area (2 sigma)^2)); it is to be the score
        width = 2 * sigmas * np.sqrt(annotation["area"])
        points[:, 0] += width * np.sqrt(-2 * np.log(points[:, 2]))
        entry["keypoints"] = points.ravel().tolist()
    pairs = match(content, results, COCO17)
    numbers = calibration(pairs)
    assert numbers["similarity_error"] < 1e-9
    assert numbers["error"] > 0.2  # most are right, whatever they say
    for one in numbers["bins"]:
        assert one["similarity"] == pytest.approx(one["mean_score"])
        assert one["right"] == (1.0 if one["from"] >= 0.5 else 0.0)
    far = [one["median_error_trunks"] for one in numbers["bins"]]
    assert far == sorted(far, reverse=True) and far[-1] < far[0] / 3


def test_oks_of_a_known_distance() -> None:
    truth = np.zeros((17, 2))
    shifted = truth + np.array([10.0, 0.0])
    labelled = np.zeros(17, bool)
    labelled[5] = True
    area = 10_000.0
    expected = np.exp(-100 / (2 * area * (2 * 0.079) ** 2))
    assert oks(shifted, truth, labelled, area, SIGMAS) == pytest.approx(expected)
    assert oks(shifted, truth, np.zeros(17, bool), area, SIGMAS) == 0.0


def test_doubles_go_and_neighbours_stay() -> None:
    rng = np.random.default_rng(7)
    first = rng.random((17, 2)) * 100
    poses = np.stack([first, first + 0.5, first + 80])
    kept = suppress_doubles(poses, np.array([0.5, 0.9, 0.7]), np.full(3, 1e4), SIGMAS)
    assert kept.tolist() == [1, 2]
    assert suppress_doubles(poses[:0], np.zeros(0), np.zeros(0), SIGMAS).tolist() == []


def test_a_restricted_skeleton_keeps_sigmas_and_pairs() -> None:
    part = LSP14.restricted(COCO17.keypoints)
    assert len(part) == 12 and "neck" not in part.keypoints
    for name in part.keypoints:
        assert part.sigmas[part.index(name)] == COCO17.sigmas[COCO17.index(name)]
    assert INFANT21.restricted(INFANT21.keypoints) is INFANT21
    lone = COCO17.restricted(["nose", "left_eye", "left_hip", "right_hip"])
    assert lone.keypoints == ("nose", "left_hip", "right_hip")
    assert skeleton_from_names(COCO17.keypoints) is COCO17
