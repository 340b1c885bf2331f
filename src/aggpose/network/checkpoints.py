"""Weights in and out of files: never code, never silently in part.

Ours are safetensors with `ModelMeta` and the network's configuration in the header. Official
``.pth`` files and MiT trunks are translated by `official`.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from aggpose.errors import UserError
from aggpose.meta import META_KEY, ModelMeta, from_values
from aggpose.network.network import AggPose
from aggpose.network.official import (
    convert_official,
    convert_segformer,
    is_official,
    is_older_layout,
    is_segformer,
)
from aggpose.network.onnx_weights import read_onnx
from aggpose.network.variants import CONFIG_KEY, VARIANTS, NetworkConfig
from aggpose.skeleton import COCO17, INFANT21, INFANT24

_WRAPPERS = ("state_dict", "best_state_dict", "model")
_LAST_LAYER = ("head.fc2.weight", "head.fc2.bias")
_TRUNK = ("embeds.", "trunk.")


@dataclass(frozen=True)
class LoadReport:
    """What became of a file's tensors: names in our layout.

    taken: loaded. missing: the network's own start values stay. unexpected: in the file only.
    resized: of another shape in the file, so re-initialised.
    """

    taken: tuple[str, ...]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not (self.missing or self.unexpected or self.resized)

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} tensors taken"]
        for kind in ("missing", "unexpected", "resized"):
            names = getattr(self, kind)
            if names:
                shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
                parts.append(f"{len(names)} {kind} ({shown})")
        return "; ".join(parts)


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors in our names, with what the file says of itself where it does."""

    state: dict[str, Tensor]
    kind: str  # ours, official or trunk
    config: NetworkConfig | None = None
    meta: ModelMeta | None = None
    path: Path = field(default_factory=Path)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weights file on the CPU, whatever its layout; UserError when it cannot be used."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix == ".onnx":
        return _of_header(*read_onnx(path), path)
    state = _strip(_unwrap(_read_pickle(path), path))
    try:
        if is_segformer(state):
            return Checkpoint(convert_segformer(state), "trunk", path=path)
        if is_official(state) or is_older_layout(state):
            return Checkpoint(convert_official(state), "official", path=path)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if "head.fc2.bias" in state:
        return Checkpoint(state, "ours", path=path)
    first = next(iter(state), "none")
    raise UserError(f"{path}: holds no AggPose or MiT weights (its first tensor is {first!r})")


def load_checkpoint(path: str | Path, keypoints: int | None = None) -> AggPose:
    """A network with a file's weights, in eval mode: the official layout or ours.

    path: ``.safetensors`` of ours, or ``.pth`` (bare or wrapped, with or without ``module.``).
    keypoints: number of heat maps; another number than the file's keeps everything but the last
        layer, which starts anew, and says so in the report.
    The network's configuration is read off the file. Every tensor must find its place: a
    partial load raises UserError. ``net.meta`` is the `ModelMeta`,
    ``net.load_report`` the `LoadReport`.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.kind == "trunk":
        raise UserError(
            f"{path}: holds a trunk only; give it as start weights of a training "
            "(initialise: FILE) or use load_weights(net, FILE, partial=True)"
        )
    config = checkpoint.config or infer_config(checkpoint.state, path)
    found = len(checkpoint.state["head.fc2.bias"])
    if keypoints is not None and keypoints != found:
        config = NetworkConfig(**{**asdict(config), "keypoints": keypoints})
    net = AggPose(config)
    report = load_weights(net, checkpoint)
    net.load_report = report
    net.meta = checkpoint.meta if keypoints in (None, found) else None
    if net.meta is None:
        net.meta = _guess_meta(Path(path), config, checkpoint.kind)
    return net.eval()


def load_weights(
    net: AggPose,
    source: str | Path | Checkpoint,
    partial: bool = False,
    names: Sequence[str] = (),
) -> LoadReport:
    """Copy a file's tensors into a network and report.

    A last layer of another number of key points keeps the network's own start values (`resized`),
    but where ``names`` (of the network's K key points) are given and the file names its own, the
    points that both have are taken over.
    Of a trunk file, the trunk must be complete. Any other gap is an error unless ``partial``.
    """
    checkpoint = source if isinstance(source, Checkpoint) else read_checkpoint(source)
    own = net.state_dict()
    state = checkpoint.state
    if names and checkpoint.meta is not None and checkpoint.meta.keypoints != tuple(names):
        state = state | _rows_by_name(own, state, tuple(names), checkpoint.meta.keypoints)
    resized = tuple(n for n in own if n in state and own[n].shape != state[n].shape)
    taken = {n: t for n, t in state.items() if n in own and n not in resized}
    report = LoadReport(
        taken=tuple(taken),
        missing=tuple(n for n in own if n not in state),
        unexpected=tuple(n for n in state if n not in own),
        resized=resized,
    )
    wanted = report.missing
    if checkpoint.kind == "trunk":
        wanted = tuple(n for n in wanted if n.startswith(_TRUNK))
    wrong = [n for n in resized if n not in _LAST_LAYER]
    if (wanted or report.unexpected or wrong) and not partial:
        raise UserError(f"{checkpoint.path}: does not fit {net.config.name}: {report}")
    net.load_state_dict(taken, strict=False)
    return report


def _rows_by_name(
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    names: tuple[str, ...],
    file_names: tuple[str, ...],
) -> dict[str, Tensor]:
    """The last layer, its rows of key points that the file knows from there, others as they are."""
    shared = [n for n in names if n in file_names]
    to, of = [names.index(n) for n in shared], [file_names.index(n) for n in shared]
    layer = {}
    for name in _LAST_LAYER:
        if name in state and own[name].shape[1:] == state[name].shape[1:]:
            layer[name] = own[name].clone()
            layer[name][to] = state[name][of].to(layer[name])
    return layer


def save_checkpoint(net: AggPose, path: str | Path, meta: ModelMeta, half: bool = False) -> None:
    """Write weights, configuration and `ModelMeta` as safetensors, atomically. half: in 16 bits."""
    from safetensors.torch import save

    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    state = {n: t.detach().cpu().contiguous() for n, t in net.state_dict().items()}
    if half:
        state = {n: t.half() for n, t in state.items()}
    header = {META_KEY: meta.to_json(), CONFIG_KEY: json.dumps(asdict(net.config))}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(save(state, metadata=header))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error})") from None


def infer_config(state: Mapping[str, Tensor], path: str | Path = "") -> NetworkConfig:
    """The configuration that a state in our names was made with: widths, depths, key points."""
    try:
        channels = tuple(len(state[f"embeds.{i}.norm.bias"]) for i in range(4))
        keypoints = len(state["head.fc2.bias"])
    except KeyError as error:
        raise UserError(f"{path}: is not complete: {error} is missing") from None
    depths = tuple(
        1
        + max(
            (int(n.split(".")[3]) for n in state if n.startswith(f"trunk.{i}.blocks.")), default=0
        )
        for i in range(4)
    )
    known = [v.name for v in VARIANTS.values() if (v.channels, v.depths) == (channels, depths)]
    name = known[0] if known else "aggpose-" + "-".join(map(str, depths))
    return NetworkConfig(name, channels, depths, keypoints)  # type: ignore[arg-type]


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path}: is not a readable safetensors file ({error})") from None
    if is_segformer(state):
        return Checkpoint(convert_segformer(state), "trunk", path=path)
    return _of_header(state, header, path)


def _of_header(state: dict[str, Tensor], header: dict[str, str], path: Path) -> Checkpoint:
    """Ours, from tensors and the texts that the file holds beside them."""
    if META_KEY not in header or CONFIG_KEY not in header:
        raise UserError(
            f"{path}: does not hold what aggpose writes beside weights ({CONFIG_KEY!r}); export "
            "or train it again with this version"
        )
    config = _config(header[CONFIG_KEY], path)
    meta = ModelMeta.from_json(header[META_KEY], path)
    _check_tensors(state, config, meta, path)
    # files of before 2026-11-27 do not say so themselves
    return Checkpoint(state, "ours", config, replace(meta, map_sigma=config.map_sigma), path)


def _config(text: str, path: Path) -> NetworkConfig:
    try:
        values = json.loads(text)
        config = from_values(NetworkConfig, dict(values))
        if not (0 <= config.drop_path < 1 and 0 < config.sigma <= 100):
            raise ValueError(f"drop_path {config.drop_path}, sigma {config.sigma}")
    except (ValueError, TypeError, RecursionError, UserError) as error:
        raise UserError(
            f"{path}: its {CONFIG_KEY!r} is damaged ({error}); get the file anew"
        ) from None
    return config


def _check_tensors(
    state: dict[str, Tensor], config: NetworkConfig, meta: ModelMeta, path: Path
) -> None:
    """UserError where the file's tensors are not of the network that it says it holds."""
    found = infer_config(state, path)
    for what in ("channels", "depths", "keypoints"):
        said, held = getattr(config, what), getattr(found, what)
        if said != held:
            raise UserError(
                f"{path}: its {CONFIG_KEY!r} says {what} {said}, but its weights are of {held}; "
                "get the file anew"
            )
    if len(meta.keypoints) != config.keypoints:
        raise UserError(
            f"{path}: names {len(meta.keypoints)} key points, but its weights are of "
            f"{config.keypoints}; get the file anew"
        )


_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
"""What weights files of torch begin with: archives, and plain pickles of before 1.6."""


def _read_pickle(path: Path) -> object:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not start.startswith((_ZIP, _PICKLE)):
        raise UserError(f"{path}: is damaged, or not a PyTorch weights file; get it anew")
    if start.startswith(_ZIP) and not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is cut off; get it anew")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "Unsupported" in str(error):
            raise UserError(
                f"{path}: wants to run code while it is read, which is refused; "
                "ask its author for a plain state_dict"
            ) from None
        raise UserError(f"{path}: is not a PyTorch weights file") from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{path}: is not a readable PyTorch weights file ({reason})") from None


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    for _ in range(3):
        if not isinstance(content, dict):
            break
        inner = next((content[k] for k in _WRAPPERS if isinstance(content.get(k), dict)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a state_dict")
    state = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    if not state:
        raise UserError(f"{path}: holds no tensors")
    return state


def _strip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while state and all(n.startswith("module.") for n in state):
        state = {n.removeprefix("module."): t for n, t in state.items()}
    return state


def _guess_meta(path: Path, config: NetworkConfig, kind: str) -> ModelMeta:
    """For files that do not say: the skeleton by the number of points, the size by the name."""
    by_count = {len(s): s.keypoints for s in (COCO17, INFANT21, INFANT24)}
    names = by_count.get(config.keypoints, tuple(f"point_{i}" for i in range(config.keypoints)))
    large = "384x288" in path.name
    return ModelMeta(
        name=path.stem,
        keypoints=names,
        input_size=(288, 384) if large else (192, 256),
        decode_kernel=17 if large else 11,
        variant=config.name,
        licence="as its authors say" if kind == "official" else "not stated",
        source=f"{kind} file {path.name}",
    )
