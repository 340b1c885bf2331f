"""Running networks that are not ours, as their descriptions say. No torch.

A description that does not fit its network must not give wrong dots, so all that can be compared is
compared: the graph's input and outputs and, by one look at a grey crop, what really comes out, when
the file is opened; numbers that are none, and key points that cannot lie in the crop, when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError
from aggpose.geometry import flip_back, mirror_keypoints
from aggpose.inference.foreign import (
    Description,
    HeatmapOutput,
    KeypointOutput,
    SimccOutput,
    description_beside,
    read_description,
)
from aggpose.inference.foreign_outputs import (
    Decoded,
    Mismatch,
    Outputs,
    check_shapes,
    decode,
    decode_maps,
    heat_maps,
    output_names,
)
from aggpose.inference.own_graph import fits, written

_GRAPH_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int32": "tensor(int32)",
    "uint8": "tensor(uint8)",
}

NEARLY_ALL = 0.9
"""Share of a batch's key points from which on a place where they cannot be is the description's
fault, not the picture's."""

MOST = 1.5
"""Scores are to lie in 0..1. Those of SimCC and of heat maps are peaks of what a network was taught
with peaks of 1, and go above it a little: RTMPose's to 1.11, RSN's heat maps to 1.28 (outputs shown
in mmpose's issues 3122 and 884). Where half of a batch's points are above this, they are logits,
percent or the like."""

_FEW = 4  # so many points with a score are needed to judge


class ForeignRuntime:
    """A network in ONNX form with a description beside it, run by ONNX Runtime.

    path: of the network. session: `onnxruntime.InferenceSession` of it. device: where it runs.
    """

    def __init__(self, path: Path, session: Any, device: str) -> None:
        self.device = device
        self.description_path = description_beside(path)
        self.description = read_description(self.description_path)
        self._session = session
        self._plausible = False
        try:
            self._input, self._batch = _checked_input(self.description, session)
            offered = tuple(o.name for o in session.get_outputs())
            self._names = output_names(self.description, offered)
            width, height = self.description.input.size
            grey = self._outputs(np.full((1, height, width, 3), 128, np.uint8))
            shapes = {name: grey[name].shape for name in self._names}
            check_shapes(self.description, self._names, shapes)
        except Mismatch as error:
            raise UserError(f"{self.description_path}: {error}") from None
        maps = None
        if isinstance(self.description.output, HeatmapOutput):
            maps = heat_maps(self.description.output, grey[self._names[0]]).shape[-1]
        self.meta = self.description.meta(maps)

    @property
    def decoder(self) -> str:
        """How key points are read from the output, in words."""
        output = self.description.output
        if isinstance(output, HeatmapOutput):
            return f"DARK, kernel {self.meta.decode_kernel}, cells by {output.cells}"
        if isinstance(output, SimccOutput):
            return f"SimCC, split ratio {output.split_ratio:g}"
        return f"key points of the network, {output.units}, shift {output.shift:g} px"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Our networks' call, which foreign ones do not have: UserError."""
        raise UserError(
            f"{self.description.name}: gives key points in its own way, not heat maps of aggpose's"
        )

    def points(self, cut: np.ndarray, flip_test: bool = False) -> Decoded:
        """Key points in crops.

        cut: (B, h, w, 3) uint8 RGB. Returns points (B, K, 2) float64 in crop px, pixel centres at
        integers, and scores (B, K) float32.

        flip_test: the mean with what the network says of the mirror image, sides swapped: of heat
        maps where their cells lie alike in both, else of the points.
        """
        try:
            output = self.description.output
            # cells at multiples of the stride do not fall on cells when mirrored
            if flip_test and isinstance(output, HeatmapOutput) and output.cells != "multiples":
                both = [self._outputs(c)[self._names[0]] for c in (cut, cut[:, :, ::-1])]
                maps, mirrored = (heat_maps(output, m) for m in both)
                maps = (maps + flip_back(mirrored, self.meta.skeleton)) * np.float32(0.5)
                return _with_sound_scores(decode_maps(self.description, maps))
            found = self._points(cut)
            return _mean(found, self._mirrored(cut)) if flip_test else found
        except Mismatch as error:
            raise UserError(f"{self.description_path}: {error}") from None

    def _points(self, cut: np.ndarray) -> Decoded:
        points, scores = decode(self.description, self._names, self._outputs(cut))
        if isinstance(self.description.output, KeypointOutput) and not self._plausible:
            self._plausible = _check_places(self.description, points, scores)
        return _with_sound_scores((points, scores))

    def _mirrored(self, cut: np.ndarray) -> Decoded:
        points, scores = self._points(cut[:, :, ::-1])
        width = self.description.input.size[0]
        points, scores = mirror_keypoints(points, width, self.meta.skeleton, scores)
        return points, scores

    def _outputs(self, cut: np.ndarray) -> Outputs:
        """The used outputs of a batch of uint8 RGB crops; a fixed batch is filled up and cut."""
        fed = feed(self.description, cut)
        size = self._batch or max(1, len(fed))
        parts: list[list[np.ndarray]] = []
        for start in range(0, len(fed), size):
            part = fed[start : start + size]
            count = len(part)
            if count < size:
                part = np.concatenate([part, np.zeros((size - count, *part.shape[1:]), fed.dtype)])
            try:
                values = self._session.run(list(self._names), {self._input: part})
            except Exception as error:  # onnxruntime's own classes share no public base
                reason = " ".join(str(error).split())[:200]
                raise Mismatch(f"the network does not run as described ({reason})") from None
            parts.append([self._cut_back(v, count, size) for v in values])
        outputs = dict(zip(self._names, map(np.concatenate, zip(*parts, strict=True)), strict=True))
        for name, value in outputs.items():
            if not np.isfinite(value).all():
                raise Mismatch(
                    f"output {name!r} holds values that are no numbers: "
                    "white, mean, std or dtype are not what the network wants"
                )
        return outputs

    def _cut_back(self, value: np.ndarray, count: int, size: int) -> np.ndarray:
        if value.ndim < 1 or len(value) != size:
            raise Mismatch(f"an output is {value.shape}, for a batch of {size}")
        return value[:count]


def feed(description: Description, cut: np.ndarray) -> np.ndarray:
    """Crops (B, h, w, 3) uint8 RGB in the form that the description names."""
    given = description.input
    if given.channels == "bgr":
        cut = cut[..., ::-1]
    values = cut
    if given.dtype.startswith("float"):
        std = np.array(given.std, np.float32)
        scale = np.float32(given.white / 255.0) / std
        values = cut * scale - np.array(given.mean, np.float32) / std
    if given.layout == "nchw":
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values, given.dtype)


def _checked_input(description: Description, session: Any) -> tuple[str, int | None]:
    """The input's name and its fixed batch, None where it is free."""
    given = description.input
    inputs = {i.name: i for i in session.get_inputs()}
    if given.name is not None and given.name not in inputs:
        raise Mismatch(f"the network has no input {given.name!r}; it has: {', '.join(inputs)}")
    if len(inputs) != 1:
        raise Mismatch(f"the network has {len(inputs)} inputs ({', '.join(inputs)}); one is used")
    ((name, node),) = inputs.items()
    if node.type != _GRAPH_TYPES[given.dtype]:
        raise Mismatch(f"input {name!r} is a {node.type}, but dtype says {given.dtype}")
    shape = list(node.shape)
    width, height = given.size
    # what a graph could hold, by how it would have been described
    orders = {
        ("nchw", (width, height)): [3, height, width],
        ("nhwc", (width, height)): [height, width, 3],
        ("nchw", (height, width)): [3, width, height],
        ("nhwc", (height, width)): [width, height, 3],
    }
    if not fits(shape, orders[given.layout, given.size]):
        described = ["batch", *orders[given.layout, given.size]]
        fitting = [key for key, order in orders.items() if fits(shape, order)]
        mend = f"; {fitting[0][0]} {list(fitting[0][1])} fits" if fitting else ""
        raise Mismatch(
            f"the input {name!r} is {written(shape)} in the network, but layout {given.layout} "
            f"and size {[width, height]} (width, height) make it {written(described)}{mend}"
        )
    return name, shape[0] if isinstance(shape[0], int) else None


def _check_places(description: Description, points: np.ndarray, scores: np.ndarray) -> bool:
    """Whether key points lie where units and shift can be right; Mismatch where nearly all cannot.

    False where too few have a score to say.
    """
    output = description.output
    assert isinstance(output, KeypointOutput)
    seen = points[scores > 0]
    if len(seen) < _FEW:
        return False
    size = np.array(description.input.size, np.float64)
    outside = ((seen < -0.5 * size) | (seen > 1.5 * size)).any(axis=-1)
    if outside.mean() > NEARLY_ALL:
        other = "pixels" if output.units == "normalised" else "normalised"
        raise Mismatch(
            f"nearly all key points lie far outside the crop: the units are not {output.units} "
            f"(units: {other}?)"
        )
    corner = ((seen - output.shift) > -1).all(axis=-1) & ((seen - output.shift) < 2).all(axis=-1)
    if output.units == "pixels" and corner.mean() > NEARLY_ALL:
        raise Mismatch(
            "nearly all key points lie in the crop's first pixels: the units are not pixels "
            "(units: normalised?)"
        )
    return True


def _with_sound_scores(found: Decoded) -> Decoded:
    """What was found; Mismatch where half of the scores are far above 1."""
    middle = float(np.median(found[1])) if found[1].size else 0.0
    if middle > MOST:
        raise Mismatch(
            f"half of the scores are above {middle:.3g}, but they are to lie in 0..1: white, mean, "
            "std or columns are wrong, or the graph lacks its last step (sigmoid, soft-max, factor)"
        )
    return found


def _mean(one: Decoded, other: Decoded) -> Decoded:
    """Mean of points and scores; of points that one look alone gives a score, that look's."""
    weights = [(scores > 0).astype(np.float64) for _, scores in (one, other)]
    total = weights[0] + weights[1]
    weighted = one[0] * weights[0][..., None] + other[0] * weights[1][..., None]
    points = np.where(total[..., None] > 0, weighted / np.maximum(total, 1)[..., None], one[0])
    return points, (one[1] + other[1]) * np.float32(0.5)
