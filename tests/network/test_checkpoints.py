"""What weights files of ours say of themselves, and what becomes of them when it is not so."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from aggpose.cli.app import main
from aggpose.errors import UserError
from aggpose.meta import META_KEY, ModelMeta
from aggpose.network import build_network, load_checkpoint, save_checkpoint
from aggpose.network.variants import CONFIG_KEY, network_config
from aggpose.skeleton import COCO17, INFANT21

META = ModelMeta("mine", COCO17.keypoints, (64, 64))
CONFIG = asdict(network_config("aggpose-t"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_checkpoint(build_network("aggpose-t"), path, META)
    return path


def rewritten(weights: Path, path: Path, **header: str) -> Path:
    """The file with other words beside its weights."""
    words = {META_KEY: META.to_json(), CONFIG_KEY: json.dumps(CONFIG), **header}
    save_file(load_file(weights), path, metadata=words)
    return path


def test_sound_words_are_read(weights: Path, tmp_path: Path) -> None:
    net = load_checkpoint(rewritten(weights, tmp_path / "net.safetensors"))
    assert net.meta == META and net.config.name == "aggpose-t"


WRONG: list[tuple[str, str]] = [
    ("{", "is damaged"),
    ("[]", "is damaged"),
    ("{}", "is damaged .*missing"),
    ('{"name": "aggpose-t"}', "is damaged .*missing"),
    (json.dumps({**CONFIG, "colour": 1}), "is damaged .*colour"),
    (json.dumps({**CONFIG, "channels": "wide"}), "channels is wide"),
    (json.dumps({**CONFIG, "depths": [2, 2, 2]}), r"depths is \[2, 2, 2\]"),
    (json.dumps({**CONFIG, "keypoints": "17"}), "keypoints is 17"),
    (json.dumps({**CONFIG, "drop_path": 2}), "drop_path 2"),
    (json.dumps({**CONFIG, "sigma": 0}), "sigma 0"),
    (json.dumps({**CONFIG, "output": "boxes"}), "choose heatmaps or softmax"),
    (json.dumps({**CONFIG, "keypoints": 21}), "says keypoints 21, but its weights are of 17"),
    (json.dumps({**CONFIG, "channels": [32, 64, 160, 512]}), "says channels .*512.* are of .*256"),
    (json.dumps({**CONFIG, "depths": [2, 2, 2, 10**9]}), "says depths"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_configuration_is_named(
    weights: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = rewritten(weights, tmp_path / "net.safetensors", **{CONFIG_KEY: text})
    with pytest.raises(UserError, match=message) as refused:
        load_checkpoint(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: its 'aggpose_network' ") and "\n" not in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": "x"}, "metadata is damaged .*input_size is x"),
        ({"std": [0, 0, 0]}, "metadata is damaged .*std is"),
        ({"keypoints": INFANT21.keypoints}, "names 21 key points, but its weights are of 17"),
    ],
)
def test_a_wrong_description_is_named(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    message: str,
) -> None:
    text = json.dumps({**json.loads(META.to_json()), **change})
    path = rewritten(weights, tmp_path / "net.safetensors", **{META_KEY: text})
    with pytest.raises(UserError, match=rf"net\.safetensors: .*{message}"):
        load_checkpoint(path)
    with pytest.raises(SystemExit) as stop:
        main(["info", str(path)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_weights_without_their_last_layer_are_named(weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    del state["head.fc2.bias"]
    path = tmp_path / "net.safetensors"
    save_file(state, path, metadata={META_KEY: META.to_json(), CONFIG_KEY: json.dumps(CONFIG)})
    with pytest.raises(UserError, match=r"net\.safetensors: is not complete: 'head\.fc2\.bias'"):
        load_checkpoint(path)
