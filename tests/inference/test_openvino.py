"""OpenVINO in place of ONNX Runtime: the same numbers, and taken only where it pays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from colour_net import colour_net

from aggpose.cli.demo import EXAMPLE
from aggpose.errors import UserError
from aggpose.export.check_set import bundled_set
from aggpose.inference import load
from aggpose.inference.openvino_runtime import OpenVinoRuntime, has_openvino, in_pairs
from aggpose.inference.runtime import find_model, open_runtime
from aggpose.network import build_network, save_checkpoint
from aggpose.video import VideoReader

pytest.importorskip("openvino", reason="the extra export is not installed")


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    """Crops of the bundled infant, so that the maps have peaks."""
    return bundled_set(load("aggpose-t").meta, count=11).images


def test_shipped_weights_give_the_same_maps_in_every_batch_size(example: np.ndarray) -> None:
    path = find_model("aggpose-t")
    expected = open_runtime(path, "cpu").run(example)
    fast = open_runtime(path, "openvino")
    assert isinstance(fast, OpenVinoRuntime)
    assert fast.meta == open_runtime(path, "cpu").meta
    assert expected.max() > 0.3
    for count in (0, 1, 2, 3, 4, len(example)):
        got = fast.run(example[:count])
        np.testing.assert_allclose(got, expected[:count], atol=1e-4)


TWO_MODELS = """
import signal
import aggpose

signal.signal(signal.SIGINT, signal.default_int_handler)
models = [aggpose.load("aggpose-t", device="openvino") for _ in range(2)]
while models:
    del models[0]
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("stopped as asked")
"""


def test_ctrl_c_after_models_were_dropped_is_no_crash() -> None:
    """Cores that are dropped leave a stack for signals behind that is gone."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_MODELS], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "stopped as asked\n"), done.stderr


def test_several_crops_go_in_pairs_that_keep_both_halves_of_the_threads_busy() -> None:
    assert in_pairs(8) == [(0, 4)]
    assert in_pairs(11) == [(0, 4), (8, 1), (10, 0)]
    assert in_pairs(1) == [(0, 0)]
    for count in range(40):
        covered = [start + i for start, size in in_pairs(count) for i in range(2 * size or 1)]
        assert covered == list(range(count))


def test_auto_takes_it_for_many_crops_only(tmp_path: Path) -> None:
    assert has_openvino()
    assert load("aggpose-t").device == "cpu"
    assert load("aggpose-t", many=True).device == "openvino"
    assert load("aggpose-t", device="cpu", many=True).device == "cpu"
    assert load("aggpose-t", device="openvino").device == "openvino"
    assert load(colour_net(tmp_path / "net.onnx"), many=True).device == "openvino"


def test_what_it_cannot_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "net.safetensors"
    save_checkpoint(build_network("aggpose-t"), weights, load("aggpose-t").meta)
    with pytest.raises(UserError, match="aggpose export"):
        load(weights, device="openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match="needs openvino; run: pip install"):
        load("aggpose-t", device="openvino")


def test_poses_are_those_of_the_other_runtime() -> None:
    with VideoReader(EXAMPLE) as reader:
        image = next(iter(reader)).image
    boxes = np.array([[60.0, 60.0, 360.0, 520.0]])
    poses = [load("aggpose-t", device=d).predict(image, boxes) for d in ("cpu", "openvino")]
    np.testing.assert_allclose(poses[0].keypoints, poses[1].keypoints, atol=0.05)
    np.testing.assert_allclose(poses[0].scores, poses[1].scores, atol=1e-3)
