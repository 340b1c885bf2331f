"""What a training begins with: network and groups of its weights; what the weights say later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from aggpose.heatmaps import decode_kernel
from aggpose.meta import HEATMAP_STRIDE, ModelMeta
from aggpose.network import AggPose, build_network, count_macs, count_parameters, load_weights
from aggpose.skeleton import get_skeleton
from aggpose.training.muon import Muon, is_matrix
from aggpose.training.recipe import Recipe, TrainingRecipe


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


def make_optimiser(net: nn.Module, training: TrainingRecipe, fused: bool) -> torch.optim.Optimizer:
    """The recipe's optimiser over a network's weights. fused: AdamW's, for its part."""
    muon = training.optimiser == "muon"
    groups = parameter_groups(net, training.weight_decay, training.decay_all, muon)
    return (Muon if muon else torch.optim.AdamW)(groups, lr=training.learning_rate, fused=fused)


def parameter_groups(
    net: nn.Module, weight_decay: float, decay_all: bool, matrices: bool = False
) -> list[dict[str, Any]]:
    """Groups of weights: with and without weight decay (norms and biases, unless decay_all).
    matrices: those that Muon takes in a group of their own."""
    own: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        if matrices and is_matrix(name, parameter):
            own.append(parameter)
        else:
            (decayed if decay_all or parameter.ndim > 1 else plain).append(parameter)
    groups = [
        {"params": own, "weight_decay": weight_decay, "matrices": True},
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
