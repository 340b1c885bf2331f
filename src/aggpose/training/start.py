"""The network that a training begins with, and what its weights say of themselves."""

from __future__ import annotations

from collections.abc import Callable

import torch

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
        antialias=True,
        upright=recipe.augment.upright > 0,
        variant=net.config.name,
        parameters=count_parameters(net),
        macs=count_macs(net, size),
        licence=recipe.licence,
        source=f"trained by aggpose on {sources}",
    )
