"""What a training begins with: network and groups of its weights; what the weights say later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from aggpose.data.dataset import HEATMAP_STRIDE
from aggpose.heatmaps import decode_kernel
from aggpose.meta import ModelMeta
from aggpose.network import AggPose, build_network, count_macs, count_parameters, load_weights
from aggpose.skeleton import get_skeleton
from aggpose.training.recipe import Recipe


def make_network(recipe: Recipe, say: Callable[[str], None] = print) -> AggPose:
    """The recipe's network, with its start weights loaded where a file is named."""
    torch.manual_seed(recipe.training.seed)
    options = recipe.network
    softmax = recipe.loss.kind == "spatial_cross_entropy"
    net = build_network(
        options.variant,
        keypoints=len(get_skeleton(recipe.skeleton)),
        drop_path=options.drop_path,
        residual=options.residual,
        init=options.init,
        output="softmax" if softmax else "heatmaps",
        sigma=recipe.loss.sigma,
        nowhere=recipe.loss.absent > 0,
    )
    if recipe.initialise is not None:
        names = get_skeleton(recipe.skeleton).keypoints
        report = load_weights(net, recipe.initialise, names=names)
        say(f"{recipe.initialise}: {report}")
    return net


def training_meta(recipe: Recipe, net: AggPose, keypoints: tuple[str, ...]) -> ModelMeta:
    """What the weights of a training say of themselves. keypoints: names of the network's maps."""
    size = recipe.data.input_size
    sources = ", ".join(str(source.annotations) for source in recipe.data.train)
    return ModelMeta(
        name=recipe.name,
        keypoints=keypoints,
        input_size=size,
        decode_kernel=decode_kernel(size[0] // HEATMAP_STRIDE),
        map_sigma=net.config.map_sigma,
        antialias=True,
        upright=recipe.augment.upright > 0,
        variant=net.config.name,
        parameters=count_parameters(net),
        macs=count_macs(net, size),
        licence=recipe.licence,
        source=f"trained by aggpose on {sources}",
    )


def parameter_groups(net: nn.Module, weight_decay: float, decay_all: bool) -> list[dict[str, Any]]:
    """Two groups: with and without weight decay (norms and biases, unless decay_all)."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in net.parameters():
        if parameter.requires_grad:
            (decayed if decay_all or parameter.ndim > 1 else plain).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
