from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from colour_net import colour_net, figure, paint, save_rgb, with_exif_orientation

import aggpose
from aggpose.errors import UserError
from aggpose.evaluation.protocol import turn_boxes, turn_poses
from aggpose.inference import Model, find_infant, load, search
from aggpose.skeleton import INFANT21, INFANT24

SIZE = (640, 480)
TRUTH = figure((110.3, 60.7), 330)
BOX = np.array([[100.0, 50.0, 450.0, 400.0]])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(colour_net(tmp_path_factory.mktemp("net") / "colours.onnx"))


def error(poses: aggpose.Poses, truth: np.ndarray, which: int = 0) -> float:
    return float(np.abs(poses.keypoints[which] - truth).max())


@pytest.mark.parametrize(
    "box",
    [
        BOX[0],
        [90.5, 20.2, 500.0, 420.0],
        [60.0, 55.0, 460.0, 395.0],  # wider than the crop's aspect
        [100.0, 10.0, 445.0, 470.0],  # taller
        [-40.0, -60.0, 470.0, 410.0],  # reaches out of the picture
    ],
)
def test_key_points_come_back_to_the_picture_from_any_box(model: Model, box: list[float]) -> None:
    poses = model.predict(paint(SIZE, TRUTH), np.array([box]))
    assert error(poses, TRUTH) < 1.0
    assert poses.scores.min() > 0.2
    np.testing.assert_array_equal(poses.boxes[0], box)


def test_without_boxes_the_figure_is_found_and_looked_at_closer(model: Model) -> None:
    truth = figure((300.0, 200.0), 210)
    poses = model.predict(paint(SIZE, truth))
    assert len(poses) == 1
    assert error(poses, truth) < 1.0
    x1, y1, x2, y2 = poses.boxes[0]
    assert x1 > 200 and y1 > 120  # the crop closed in on it
    assert x2 - x1 < 400 and y2 - y1 < 350


def test_nobody_is_said_to_be_nobody(model: Model) -> None:
    poses = model.predict(np.full((480, 640, 3), 128, np.uint8))
    assert len(poses) == 0 and poses.skeleton == model.skeleton


def test_only_a_few_points_are_not_an_infant(model: Model) -> None:
    truth = TRUTH.copy()
    truth[3:] = np.nan
    assert len(model.predict(paint(SIZE, truth))) == 0


def test_turned_tries_find_a_long_figure_in_a_wide_picture(tmp_path: Path) -> None:
    """A figure lying along a wide picture fills the crop only when turned."""
    weak = load(colour_net(tmp_path / "weak.onnx", gain=2.0))
    truth = figure((220.0, 20.0), 440, turn=90)
    truth[:, 0] = (truth[:, 0] - 440) * 1.9 + 480
    image = paint((960, 480), truth, radius=11)
    assert find_infant(weak.runtime, image, turns=False, parts=False) is None
    poses = weak.predict(image)
    assert error(poses, truth) < 1.0


@pytest.mark.parametrize("upright", [False, True])
def test_a_small_figure_is_found_in_parts_of_the_picture(
    tmp_path: Path, upright: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(colour_net(tmp_path / "net.onnx", upright=upright))
    truth = figure((1000.0, 60.0), 150)
    image = paint((1400, 400), truth, radius=6)
    assert error(model.predict(image), truth) < 1.0
    monkeypatch.setattr(search, "WINDOWS", ())
    assert len(model.predict(image)) == 0


def test_parts_cover_the_picture() -> None:
    for share in search.WINDOWS:
        seen = np.zeros((300, 500), bool)
        for x1, y1, x2, y2 in search.windows((500, 300), share):
            assert x2 - x1 == pytest.approx(300 * share) and y2 - y1 == pytest.approx(300 * share)
            assert min(x1, y1) >= 0 and x2 <= 500 and y2 <= 300
            seen[round(y1) : round(y2), round(x1) : round(x2)] = True
        assert seen.all()
    assert len(search.windows((300, 300), 1.0)) == 1


@pytest.fixture(scope="module")
def upright(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(colour_net(tmp_path_factory.mktemp("net") / "upright.onnx", upright=True))


@pytest.mark.parametrize("turn", [0, 30, 90, 135, 180, 270])
def test_networks_that_know_people_upright_find_them_in_any_direction(
    upright: Model, turn: float
) -> None:
    truth = figure((170.0, 90.0), 300, turn=turn)
    image = paint(SIZE, truth)
    low, high = truth.min(axis=0) - 10, truth.max(axis=0) + 10
    given = upright.predict(image, np.array([[*low, *high]]))
    alone = upright.predict(image)
    for poses in (given, alone):
        assert error(poses, truth) < 1.0
        assert poses.scores.min() > 0.3  # nothing lies in the third where it is hardly seen


def test_batches_do_not_change_what_upright_networks_say(upright: Model) -> None:
    pictures = []
    for turn in (0.0, 90.0, 200.0):
        points = figure((150, 60), 300, turn=turn)
        low, high = points.min(0) - 12, points.max(0) + 12
        boxes = np.array([[*low, *high], [0, 0, *SIZE]])[: len(pictures) % 3]
        pictures.append((paint(SIZE, points), boxes, None))
    sizes = {
        size: list(upright.predict_many(iter(pictures), batch_size=size)) for size in (1, 8, 64)
    }
    for poses in sizes.values():
        assert [len(p) for p in poses] == [0, 1, 2]
        for one, other in zip(poses, sizes[1], strict=True):
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_the_turned_picture_gives_the_turned_pose(upright: Model) -> None:
    truth = figure((170.0, 90.0), 300, turn=20)
    image, box = paint(SIZE, truth), np.array([[160.0, 70.0, 480.0, 400.0]])
    plain = upright.predict(image, box)
    quarter = np.ascontiguousarray(np.rot90(image))
    turned = upright.predict(quarter, turn_boxes(box, SIZE, 1))
    back = turn_poses(turned, SIZE, 1)
    np.testing.assert_allclose(back.keypoints, plain.keypoints, atol=0.1)
    np.testing.assert_allclose(back.scores, plain.scores, atol=0.01)


def test_flip_test_swaps_the_sides_back(tmp_path: Path) -> None:
    sided = load(colour_net(tmp_path / "sided.onnx", sided=True))
    truth = figure((110.0, 60.0), 330)
    shared = truth.copy()
    # the sided network knows both sides by the left one's colour
    image = paint(SIZE, shared)
    for left, right in sided.skeleton.mirror_pairs:
        only = np.full_like(truth, np.nan)
        only[left] = truth[right]
        image = paint(SIZE, only, radius=10, image=image)
    box = np.array([[110.0, 60.0, 440.0, 390.0]])
    plain = sided.predict(image, box)
    flipped = sided.predict(image, box, flip_test=True)
    assert error(plain, truth) < 1.0
    assert error(flipped, truth) < 1.0
    np.testing.assert_allclose(flipped.scores, plain.scores, atol=0.05)
    # had the sides not been swapped back, each map would be the mean of two places
    assert flipped.scores.min() > 0.3


def test_many_pictures_share_batches_and_stay_in_order(model: Model) -> None:
    truths = [figure((40 + 30 * i, 30 + 5 * i), 300 + 10 * i) for i in range(5)]
    counts = [1, 0, 3, 2, 0]
    alive: list[int] = []

    def items():  # type: ignore[no-untyped-def]
        for i, (truth, n) in enumerate(zip(truths, counts, strict=True)):
            alive.append(i)
            low, high = truth.min(0) - 20, truth.max(0) + 20
            boxes = np.tile([*low, *high], (n, 1)) + np.arange(n)[:, None]
            yield paint(SIZE, truth), boxes, np.linspace(0.5, 0.9, n)

    results = []
    for poses in model.predict_many(items(), batch_size=4):
        if not results:
            assert len(alive) <= 4  # the rest was not even read
        results.append(poses)
    assert [len(p) for p in results] == counts
    for poses, truth in zip(results, truths, strict=True):
        for i in range(len(poses)):
            assert error(poses, truth, i) < 1.0
    np.testing.assert_allclose(results[2].box_scores, [0.5, 0.7, 0.9])


def test_batches_do_not_change_the_numbers(model: Model) -> None:
    image = paint(SIZE, TRUTH)
    boxes = BOX + np.arange(7)[:, None]
    one, many = (model.predict(image, boxes, batch_size=b) for b in (1, 8))
    np.testing.assert_allclose(one.keypoints, many.keypoints, atol=1e-3)
    np.testing.assert_allclose(one.scores, many.scores, atol=1e-5)


def test_no_boxes_given_means_nobody(model: Model) -> None:
    assert len(model.predict(paint(SIZE, TRUTH), np.zeros((0, 4)))) == 0


@pytest.mark.parametrize("boxes", [np.zeros(4), np.zeros((1, 5)), np.array([[0, 0, np.nan, 9]])])
def test_malformed_boxes_are_refused(model: Model, boxes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="boxes"):
        model.predict(paint(SIZE, TRUTH), boxes)


def test_boxes_without_size_do_not_break_the_batch(model: Model) -> None:
    boxes = np.vstack([[[5.0, 5.0, 5.0, 5.0]], BOX])
    poses = model.predict(paint(SIZE, TRUTH), boxes)
    assert np.isnan(poses.keypoints[0]).all() and (poses.scores[0] == 0).all()
    assert np.isfinite(poses.keypoints[1]).all()
    assert error(poses, TRUTH, 1) < 1.0


def test_selecting_a_skeleton_goes_by_name(model: Model) -> None:
    poses = model.predict(paint(SIZE, TRUTH), BOX, skeleton=INFANT21)
    wrist, coco = INFANT21.index("left_wrist"), model.skeleton.index("left_wrist")
    assert np.abs(poses.keypoints[0, wrist] - TRUTH[coco]).max() < 1.0
    assert np.isnan(poses.keypoints[0, INFANT21.index("navel")]).all()
    assert poses.scores[0, INFANT21.index("navel")] == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_once(model: Model, tmp_path: Path, orientation: int) -> None:
    shown = paint(SIZE, TRUTH)
    # how the camera stores what is shown, for each value of the tag
    stored = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.transpose(1, 0, 2),
        6: np.rot90(shown, 1),
        7: shown[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(shown, -1),
    }[orientation]
    path = save_rgb(tmp_path / "phone.jpg", np.ascontiguousarray(stored))
    path.write_bytes(with_exif_orientation(path.read_bytes(), orientation))
    poses = model.predict(path)
    assert error(poses, TRUTH) < 1.0


def test_arrays_that_are_no_pictures_are_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        model.predict(np.zeros((10, 10, 3), np.float32))
    with pytest.raises(ValueError, match="uint8 RGB"):
        model.predict(np.zeros((10, 10, 4), np.uint8))


def test_load_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model file"):
        load(tmp_path / "none.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("not a network")
    with pytest.raises(UserError, match=r"text\.onnx: is not a readable ONNX file"):
        load(text)
    other = tmp_path / "weights.bin"
    other.write_bytes(b"1")
    with pytest.raises(UserError, match=r"\.safetensors"):
        load(other)
    good = colour_net(tmp_path / "good.onnx")
    with pytest.raises(UserError, match="unknown device"):
        load(good, device="tpu")


def test_onnx_without_our_metadata_is_refused(tmp_path: Path) -> None:
    import onnx

    path = colour_net(tmp_path / "bare.onnx")
    network = onnx.load(path)
    del network.metadata_props[:]
    onnx.save(network, path)
    with pytest.raises(UserError, match="does not name its key points"):
        load(path)


def test_predicting_needs_no_torch(tmp_path: Path) -> None:
    path = colour_net(tmp_path / "colours.onnx")
    picture = save_rgb(tmp_path / "figure.png", paint(SIZE, TRUTH))
    code = (
        "import sys; sys.modules['torch'] = None; import aggpose;"
        f"print(len(aggpose.load({str(path)!r}).predict({str(picture)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_without_torch_a_torch_file_says_what_to_install(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"")
    code = (
        "import sys; sys.modules['torch'] = None; import aggpose\n"
        f"try: aggpose.load({str(weights)!r})\n"
        "except aggpose.UserError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "aggpose[train]"' in done.stdout


def test_torch_and_onnx_files_of_one_network_agree(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from aggpose.meta import ModelMeta
    from aggpose.network import build_network, save_checkpoint

    torch.manual_seed(0)
    net = build_network("aggpose-t", keypoints=24, init="unit").eval()
    meta = ModelMeta(name="random", keypoints=INFANT24.keypoints, variant="aggpose-t")
    path = tmp_path / "random.safetensors"
    save_checkpoint(net, path, meta)
    model = load(path, device="cpu", threads=1)
    assert model.skeleton == INFANT24
    image = paint(SIZE, TRUTH)
    poses = model.predict(image, BOX)
    with torch.inference_mode():
        batch = np.random.default_rng(0).standard_normal((2, 3, 256, 192)).astype(np.float32)
        expected = net(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(model.run(batch), expected, atol=1e-5)
    assert poses.keypoints.shape == (1, 24, 2)
