"""AggPose: four resolutions kept alive and merged by MLPs, the wiring written once over levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aggpose.network.layers import Merge, MixFFN, PatchEmbed, Stage, Up
from aggpose.network.variants import HEADS, REDUCTIONS, NetworkConfig, network_config

if TYPE_CHECKING:
    from aggpose.meta import ModelMeta
    from aggpose.network.checkpoints import LoadReport


class Aggregation(nn.Module):
    """One exchange between the finest n levels: each gets its neighbours and itself, merged.

    Level i (0 is the finest) concatenates down(i - 1), own, up(i + 1), in this order. Exception,
    kept because the published weights were trained so: the second level of the two-level one
    has own before down.
    """

    def __init__(self, channels: tuple[int, ...], residual: bool) -> None:
        super().__init__()
        levels = len(channels)
        self.own_first = levels == 2
        self.downs = nn.ModuleList(
            PatchEmbed(channels[i - 1], channels[i]) for i in range(1, levels)
        )
        self.ups = nn.ModuleList(Up(channels[i + 1], channels[i], 2) for i in range(levels - 1))
        self.merges = nn.ModuleList(
            Merge(channels[i] * (1 + (i > 0) + (i < levels - 1)), channels[i], residual)
            for i in range(levels)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        merged = []
        for i, merge in enumerate(self.merges):
            parts = [maps[i]]
            if i > 0:
                down = self.downs[i - 1](maps[i - 1])
                parts = [maps[i], down] if self.own_first else [down, maps[i]]
            if i < len(maps) - 1:
                parts.append(self.ups[i](maps[i + 1]))
            merged.append(merge(parts, maps[i]))
        return merged


class AggPose(nn.Module):
    """Heat maps of K key points from crops.

    Input (B, 3, H, W) RGB normalised by ImageNet's mean and std, H and W divisible by 32. Output
    (B, K, H / 4, W / 4), what they are is ``config.output``.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        # what `load_checkpoint` knows of the file; nothing for fresh networks
        self.meta: ModelMeta | None = None
        self.load_report: LoadReport | None = None
        channels, depths = config.channels, config.depths
        rates = torch.linspace(0, config.drop_path, sum(depths)).tolist()
        starts = [sum(depths[:i]) for i in range(4)]

        def stage(level: int, depth: int) -> Stage:
            # a side stage's j-th block drops like the j-th block of the trunk's own level
            drops = rates[starts[level] : starts[level] + depth]
            return Stage(channels[level], HEADS[level], REDUCTIONS[level], drops)

        inputs = (3, *channels[:3])
        self.embeds = nn.ModuleList(
            PatchEmbed(inputs[i], channels[i], 7 if i == 0 else 3, 4 if i == 0 else 2)
            for i in range(4)
        )
        self.trunk = nn.ModuleList(stage(i, depths[i]) for i in range(4))
        # sides[i][j]: stage of level i after aggregation step i + j + 1 brought it new maps
        self.sides = nn.ModuleList(
            nn.ModuleList(stage(i, depths[0]) for _ in range(3 - i)) for i in range(3)
        )
        self.aggregations = nn.ModuleList(
            Aggregation(channels[: n + 2], config.residual) for n in range(3)
        )
        self.ups = nn.ModuleList(Up(channels[i], channels[0], 2**i) for i in range(1, 4))
        self.final = MixFFN(4 * channels[0], channels[0], channels[0])
        self.head = MixFFN(channels[0], channels[0], config.keypoints)
        initialise(self, config.init)

    def raw(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, K, H / 4, W / 4) raw maps: heat maps, or logits for ``softmax``."""
        if image.shape[-1] % 32 or image.shape[-2] % 32:
            raise ValueError(
                f"input of {image.shape[-1]}x{image.shape[-2]} (width x height): both must be "
                "divisible by 32"
            )
        deepest = self.trunk[0](self.embeds[0](image))
        levels = [deepest]
        for step in range(1, 4):
            # the new level reads its finer neighbour from before this step's exchange
            deepest = self.trunk[step](self.embeds[step](levels[-1]))
            if step > 1:
                levels = self.aggregations[step - 2](levels)
            levels = [self._side(i, step - 1 - i)(maps) for i, maps in enumerate(levels)]
            levels.append(deepest)
        levels = self.aggregations[2](levels)
        fine = [levels[0], *(up(maps) for up, maps in zip(self.ups, levels[1:], strict=True))]
        size = (fine[0].shape[2], fine[0].shape[3])
        tokens = torch.cat(fine, dim=1).flatten(2).transpose(1, 2)
        tokens = self.head(self.final(tokens, size), size)
        return tokens.transpose(1, 2).unflatten(2, size)

    def _side(self, level: int, place: int) -> nn.Module:
        stages = self.sides[level]
        assert isinstance(stages, nn.ModuleList)
        return stages[place]

    def forward(self, image: Tensor) -> Tensor:
        maps = self.raw(image)
        if self.config.output == "heatmaps":
            return maps
        return peak_normalised(maps, self.config.sigma, self.config.nowhere)


def select_keypoints(net: AggPose, which: Sequence[int]) -> AggPose:
    """A copy that predicts only some of a network's key points, in that order.

    which: positions of the points to keep, among the network's K.
    """
    rows = torch.as_tensor(which, dtype=torch.long)
    if len(rows) == 0 or int(rows.max()) >= net.config.keypoints:
        raise ValueError(f"key points {which} of a network with {net.config.keypoints}")
    chosen = AggPose(replace(net.config, keypoints=len(rows)))
    state = dict(net.state_dict())
    for name in ("head.fc2.weight", "head.fc2.bias"):
        state[name] = state[name][rows.to(state[name].device)]
    chosen.load_state_dict(state)
    return chosen.to(next(net.parameters()).device).train(net.training)


def with_nowhere(logits: Tensor) -> Tensor:
    """(B, K, h, w) logits -> (B, K, h * w + 1), with the cell for points that are not there last.

    Its logit is log(h * w): as much as a whole map of zeros, so that a network keeps its sense of
    presence at another input size.
    """
    flat = logits.float().flatten(2)
    return F.pad(flat, (0, 1), value=math.log(flat.shape[-1]))


def peak_normalised(logits: Tensor, sigma: float, nowhere: bool = False) -> Tensor:
    """Soft-max over each map's cells, scaled so that the Gaussian of sigma px has peak 1.

    (B, K, h, w) -> (B, K, h, w); sharper maps than the Gaussian are cut at 1. nowhere: with a cell
    more (`with_nowhere`).
    """
    flat = with_nowhere(logits) if nowhere else logits.float().flatten(2)
    probability = F.softmax(flat, dim=-1)[..., : logits.shape[2] * logits.shape[3]]
    probability = probability.unflatten(2, logits.shape[2:])
    return (probability * (2 * math.pi * sigma**2)).clamp(max=1.0)


def initialise(net: nn.Module, scheme: str = "published") -> None:
    """Start values. ``published``: linears truncated normal 0.02, convolutions normal with variance
    2 / fan_out (over groups), norms 1 and 0, biases 0. ``unit``: the same, but the linears of
    merges, ups, final and head have standard deviation 1.2 / sqrt(fan_in), so that the chain of
    merges hands on signals of unit size instead of 1e-5, and the head starts at a third of that.
    """
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2.0 / (fan_out // module.groups)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    if scheme == "unit" and isinstance(net, AggPose):
        chain = [m.mlp for m in net.modules() if isinstance(m, (Merge, Up))]
        for mlp in (*chain, net.final, net.head):
            for linear in (mlp.fc1, mlp.fc2):
                nn.init.normal_(linear.weight, std=1.2 / math.sqrt(linear.in_features))
        with torch.no_grad():
            net.head.fc2.weight.mul_(0.3)


def build_network(variant: str, keypoints: int = 17, **options: object) -> AggPose:
    """A fresh network: ``aggpose-t``, ``-s``, ``-m``, ``-b`` or ``-l`` with K = keypoints maps.

    options: fields of `NetworkConfig`, such as ``drop_path=0.1`` or ``residual=True``.

    >>> build_network("aggpose-t", keypoints=21)(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 21, 16, 16])
    """
    return AggPose(network_config(variant, keypoints=keypoints, **options))
