import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from official_file import formula_tensor, official_state, with_points

from aggpose.errors import UserError
from aggpose.meta import ModelMeta
from aggpose.network import (
    VARIANTS,
    build_network,
    convert_official,
    count_macs,
    count_parameters,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from aggpose.skeleton import COCO17, INFANT21

State = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def official(reference: Path) -> State:
    return official_state(reference)


def test_heat_maps_are_the_recorded_ones(official: State, reference: Path, tmp_path: Path) -> None:
    path = tmp_path / "AggPose-L_256x192_COCO2017.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in official.items()}}, path)
    net = load_checkpoint(path)
    assert net.load_report.complete and len(net.load_report.taken) == 1568
    assert net.meta.keypoints == COCO17.keypoints and net.config.name == "aggpose-l"
    z = np.random.RandomState(zlib.crc32(b"coco17:input")).standard_normal((2, 3, 256, 192))
    with torch.no_grad():
        heatmaps = net(torch.from_numpy(z.astype(np.float32))).numpy()
    expected = np.load(reference / "aggpose_l_coco17_256x192.npz")["heatmaps"]
    assert np.abs(heatmaps - expected).max() < 1e-4


def test_counts() -> None:
    net = build_network("aggpose-l")
    assert count_parameters(net) == 96_751_825
    assert len(net.state_dict()) == 1568
    assert count_macs(net, (192, 256)) / 1e9 == pytest.approx(15.56, abs=0.005)
    assert count_parameters(build_network("aggpose-l", keypoints=21)) == 96_752_085


@pytest.mark.parametrize(
    ("variant", "millions"),
    [("aggpose-t", 6.3), ("aggpose-s", 24.9), ("aggpose-m", 39.5), ("aggpose-b", 59.4)],
)
def test_variant_sizes(variant: str, millions: float) -> None:
    count = count_parameters(build_network(variant))
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize(("width", "height"), [(192, 256), (288, 384), (64, 64), (96, 32)])
def test_output_is_a_quarter_of_the_input(width: int, height: int) -> None:
    net = build_network("aggpose-t", keypoints=21).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, height, width)).shape == (1, 21, height // 4, width // 4)


def test_input_must_be_divisible_by_32() -> None:
    with pytest.raises(ValueError, match="divisible by 32"):
        build_network("aggpose-t")(torch.zeros(1, 3, 100, 64))


def test_unknown_variant_and_options() -> None:
    with pytest.raises(UserError, match="aggpose-t"):
        build_network("aggpose-x")
    with pytest.raises(UserError, match="init"):
        build_network("aggpose-t", init="zero")


def test_drop_path_follows_the_trunk() -> None:
    net = build_network("aggpose-m", drop_path=0.1)
    trunk = [block.drop_path.rate for stage in net.trunk for block in stage.blocks]
    assert np.allclose(trunk, np.linspace(0, 0.1, 16))
    side = [block.drop_path.rate for block in net.sides[1][0].blocks]
    assert np.allclose(side, trunk[3:6])


def test_unit_start_keeps_the_signal() -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 3, 128, 96)
    with torch.no_grad():
        published = build_network("aggpose-t").eval().raw(image).std()
        unit = build_network("aggpose-t", init="unit").eval().raw(image).std()
    assert published < 1e-3 < 0.05 < unit < 2


def test_residual_merges_change_the_result_not_the_parameters() -> None:
    plain, residual = build_network("aggpose-t"), build_network("aggpose-t", residual=True)
    residual.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(plain.eval()(image), residual.eval()(image))


def test_softmax_output_is_one_at_a_perfect_gaussian() -> None:
    from aggpose.heatmaps import encode_heatmaps
    from aggpose.network.network import peak_normalised

    maps, _ = encode_heatmaps(np.array([[[20.0, 30.0]]]), np.ones((1, 1)), (48, 64), 2)
    logits = torch.log(torch.from_numpy(maps).clamp(min=1e-20))
    assert float(peak_normalised(logits, 2.0).max()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "best_state_dict", "model"])
def test_wrappings_of_the_infant_file(official: State, tmp_path: Path, wrapper: str | None) -> None:
    state = with_points(official, 21)
    path = tmp_path / "AggPose-L_256x192_infantpose2022.pth"
    torch.save({wrapper: state, "epoch": 100} if wrapper else state, path)
    net = load_checkpoint(path)
    assert net.meta.keypoints == INFANT21.keypoints and net.config.keypoints == 21


def test_a_student_of_24_blocks(official: State, tmp_path: Path) -> None:
    state = {
        n: t
        for n, t in official.items()
        if not (n.startswith("block3.") and int(n.split(".")[1]) >= 24)
    }
    torch.save(state, tmp_path / "student.pth")
    net = load_checkpoint(tmp_path / "student.pth")
    assert net.config.depths == (3, 6, 24, 3)


def test_other_number_of_points_starts_the_last_layer_anew(official: State, tmp_path: Path) -> None:
    torch.save(official, tmp_path / "coco.pth")
    net = load_checkpoint(tmp_path / "coco.pth", keypoints=24)
    assert net.load_report.resized == ("head.fc2.weight", "head.fc2.bias")
    assert "2 resized" in str(net.load_report)
    assert torch.equal(net.final.fc1.weight, official["final.fc1.weight"])


@pytest.mark.parametrize("name", ["merge_12_3.fc1.weight", "patch_embed13.proj.weight"])
def test_the_older_layout_is_refused_by_name(official: State, tmp_path: Path, name: str) -> None:
    torch.save({**official, name: torch.zeros(1)}, tmp_path / "old.pth")
    with pytest.raises(UserError, match="older layout"):
        load_checkpoint(tmp_path / "old.pth")


def test_a_partial_file_is_refused_unless_asked_for(official: State, tmp_path: Path) -> None:
    partial = {n: t for n, t in official.items() if not n.startswith("merge_123_")}
    torch.save(partial, tmp_path / "part.pth")
    with pytest.raises(UserError, match=r"part\.pth.*18 missing"):
        load_checkpoint(tmp_path / "part.pth")
    report = load_weights(build_network("aggpose-l"), tmp_path / "part.pth", partial=True)
    assert len(report.missing) == 18


def test_a_tensor_of_another_shape_is_refused(official: State, tmp_path: Path) -> None:
    torch.save({**official, "final.fc1.bias": torch.zeros(3)}, tmp_path / "shape.pth")
    with pytest.raises(UserError, match="resized"):
        load_checkpoint(tmp_path / "shape.pth")


def test_convert_official_takes_every_tensor(official: State) -> None:
    converted = convert_official(official)
    own = build_network("aggpose-l").state_dict()
    assert set(converted) == set(own)
    assert all(converted[n].shape == own[n].shape for n in own)
    with pytest.raises(UserError, match="stranger"):
        convert_official({**official, "stranger.weight": torch.zeros(1)})


class _Trap:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (print, ("code ran",))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save({"state_dict": _Trap()}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match="refused"):
        load_checkpoint(tmp_path / "trap.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="broken"):
        load_checkpoint(path)


@pytest.mark.parametrize("old", [False, True], ids=["archive", "plain pickle"])
def test_a_cut_off_file_is_not_called_malicious(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "half.pth"
    state = {"a": torch.zeros(4096)}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.pth") as said:
        load_checkpoint(path)
    assert "run code" not in str(said.value)


def test_own_files_round_trip(tmp_path: Path) -> None:
    net = build_network("aggpose-t", keypoints=21, residual=True, output="softmax").eval()
    meta = ModelMeta("mine", INFANT21.keypoints, input_size=(64, 64), licence="CC0", map_sigma=2.0)
    save_checkpoint(net, tmp_path / "mine.safetensors", meta)
    loaded = load_checkpoint(tmp_path / "mine.safetensors")
    assert loaded.config == net.config and loaded.meta == meta
    # of before maps said of themselves what they are
    save_checkpoint(net, tmp_path / "mine.safetensors", replace(meta, map_sigma=0.0))
    assert load_checkpoint(tmp_path / "mine.safetensors").meta == meta
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(image), net(image))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.safetensors"]


def segformer_state(depths: tuple[int, ...], widths: tuple[int, ...]) -> State:
    """An ImageNet MiT in the naming of transformers' SegFormer, filled by formula."""
    names: dict[str, list[int]] = {}
    inputs, reductions = (3, *widths[:3]), (8, 4, 2, 1)
    for i, (depth, c, r) in enumerate(zip(depths, widths, reductions, strict=True)):
        kernel = 7 if i == 0 else 3
        names[f"patch_embeddings.{i}.proj.weight"] = [c, inputs[i], kernel, kernel]
        names[f"patch_embeddings.{i}.proj.bias"] = [c]
        for j in range(depth):
            block = f"block.{i}.{j}"
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                names[f"{block}.attention.{part}.weight"] = [c, c]
                names[f"{block}.attention.{part}.bias"] = [c]
            if r > 1:
                names[f"{block}.attention.self.sr.weight"] = [c, c, r, r]
                names[f"{block}.attention.self.sr.bias"] = [c]
            norms = [f"{block}.layer_norm_1", f"{block}.layer_norm_2"]
            norms += [f"{block}.attention.self.layer_norm"] if r > 1 else []
            for norm in norms:
                names[f"{norm}.weight"] = names[f"{norm}.bias"] = [c]
            names[f"{block}.mlp.dense1.weight"] = [4 * c, c]
            names[f"{block}.mlp.dense1.bias"] = [4 * c]
            names[f"{block}.mlp.dwconv.dwconv.weight"] = [4 * c, 1, 3, 3]
            names[f"{block}.mlp.dwconv.dwconv.bias"] = [4 * c]
            names[f"{block}.mlp.dense2.weight"] = [c, 4 * c]
            names[f"{block}.mlp.dense2.bias"] = [c]
        for norm in (f"patch_embeddings.{i}.layer_norm", f"layer_norm.{i}"):
            names[f"{norm}.weight"] = names[f"{norm}.bias"] = [c]
    state = {f"segformer.encoder.{n}": formula_tensor(n, s, "mit") for n, s in names.items()}
    return {**state, "classifier.weight": torch.zeros(1000, widths[3])}


def test_imagenet_trunks_load_into_the_trunk(tmp_path: Path) -> None:
    net = build_network("aggpose-t")
    state = segformer_state(net.config.depths, net.config.channels)
    torch.save(state, tmp_path / "mit-b0.bin")
    report = load_weights(net, tmp_path / "mit-b0.bin")
    trunk = [n for n in net.state_dict() if n.startswith(("trunk.", "embeds."))]
    assert sorted(report.taken) == sorted(trunk)
    prefix = "segformer.encoder.block.1.0.attention.self"
    kv = net.trunk[1].blocks[0].attn.kv
    assert torch.equal(kv.weight[:64], state[f"{prefix}.key.weight"])
    assert torch.equal(kv.bias[64:], state[f"{prefix}.value.bias"])
    with pytest.raises(UserError, match="trunk only"):
        load_checkpoint(tmp_path / "mit-b0.bin")
    del state["segformer.encoder.block.1.0.mlp.dense1.bias"]
    torch.save(state, tmp_path / "gap.bin")
    with pytest.raises(UserError, match="does not fit"):
        load_weights(net, tmp_path / "gap.bin")


def test_every_variant_is_listed() -> None:
    assert list(VARIANTS) == [f"aggpose-{size}" for size in "tsmbl"]
