"""Tensor names of other people's files, translated to ours by name, every tensor accounted for.

Official AggPose files and ImageNet MiT trunks in the naming of
`transformers`' SegFormer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from aggpose.errors import UserError

_OFFICIAL_PREFIXES: dict[str, str] = {
    **{f"patch_embed{i + 1}": f"embeds.{i}" for i in range(4)},
    **{f"norm{i + 1}": f"trunk.{i}.norm" for i in range(4)},
    **{
        f"norm{i + 1}_{j + 1}": f"sides.{i}.{j}.norm"
        for i, n in enumerate((3, 2, 1))
        for j in range(n)
    },
    **{f"patch_embed12{'k' * n}": f"aggregations.{n}.downs.0" for n in range(3)},
    **{f"patch_embed23{'k' * n}": f"aggregations.{n}.downs.1" for n in (1, 2)},
    "patch_embed34kk": "aggregations.2.downs.2",
    **{
        f"upsample{n + 1}_{i + 2}{i + 1}": f"aggregations.{n}.ups.{i}"
        for n in range(3)
        for i in range(n + 1)
    },
    **{f"upsample4_{i + 2}1": f"ups.{i}" for i in range(3)},
    **{
        f"merge_{'1234'[: n + 2]}_{i + 1}": f"aggregations.{n}.merges.{i}.mlp"
        for n in range(3)
        for i in range(n + 2)
    },
    "final": "final",
    "final_layer": "head",
}
"""First component of an official tensor name -> ours; blocks are translated by pattern."""

_BLOCK = re.compile(r"block([1-4])(?:_([1-3]))?\.(\d+)\.(.+)")
_OLDER_LAYOUT = re.compile(r"merge_12_3\b|patch_embed13\b|block\d_final\b")


def official_name(name: str) -> str | None:
    """Our name of an official tensor; None when it is not one."""
    block = _BLOCK.fullmatch(name)
    if block:
        level, side, index, rest = block.groups()
        stage = f"trunk.{int(level) - 1}"
        if side:
            stage = f"sides.{int(level) - 1}.{int(side) - 1}"
        ours = f"{stage}.blocks.{index}.{rest}"
    else:
        prefix, _, rest = name.partition(".")
        if prefix not in _OFFICIAL_PREFIXES:
            return None
        ours = f"{_OFFICIAL_PREFIXES[prefix]}.{rest}"
    return ours.replace(".dwconv.dwconv.", ".dwconv.")


def is_older_layout(names: Mapping[str, object]) -> str | None:
    """The first tensor name that only the older, unsupported layout has."""
    return next((n for n in names if _OLDER_LAYOUT.match(n)), None)


def is_official(names: Mapping[str, object]) -> bool:
    return "final_layer.fc2.bias" in names or "patch_embed1.proj.weight" in names


def convert_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """{official name: tensor} -> {our name: tensor}.

    UserError on the older layout and on tensors that the published network does not have.
    """
    older = is_older_layout(state)
    if older:
        raise UserError(
            f"an older layout of AggPose (it has {older!r}), which is another network: "
            "use AggPose-L_256x192_COCO2017.pth or AggPose-L_256x192_infantpose2022.pth"
        )
    converted, unknown = {}, []
    for name, tensor in state.items():
        ours = official_name(name)
        if ours is None:
            unknown.append(name)
        else:
            converted[ours] = tensor
    if unknown:
        raise UserError(
            f"not an official AggPose state: {len(unknown)} unknown tensors, such as {unknown[0]!r}"
        )
    return converted


_SEGFORMER = (
    (r"patch_embeddings\.(\d)\.proj\.(.+)", r"embeds.\1.proj.\2"),
    (r"patch_embeddings\.(\d)\.layer_norm\.(.+)", r"embeds.\1.norm.\2"),
    (r"block\.(\d)\.(\d+)\.layer_norm_([12])\.(.+)", r"trunk.\1.blocks.\2.norm\3.\4"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.query\.(.+)", r"trunk.\1.blocks.\2.attn.q.\3"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.key\.(.+)", r"trunk.\1.blocks.\2.attn.k.\3"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.value\.(.+)", r"trunk.\1.blocks.\2.attn.v.\3"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.sr\.(.+)", r"trunk.\1.blocks.\2.attn.sr.\3"),
    (r"block\.(\d)\.(\d+)\.attention\.self\.layer_norm\.(.+)", r"trunk.\1.blocks.\2.attn.norm.\3"),
    (r"block\.(\d)\.(\d+)\.attention\.output\.dense\.(.+)", r"trunk.\1.blocks.\2.attn.proj.\3"),
    (r"block\.(\d)\.(\d+)\.mlp\.dense1\.(.+)", r"trunk.\1.blocks.\2.mlp.fc1.\3"),
    (r"block\.(\d)\.(\d+)\.mlp\.dwconv\.dwconv\.(.+)", r"trunk.\1.blocks.\2.mlp.dwconv.\3"),
    (r"block\.(\d)\.(\d+)\.mlp\.dense2\.(.+)", r"trunk.\1.blocks.\2.mlp.fc2.\3"),
    (r"layer_norm\.(\d)\.(.+)", r"trunk.\1.norm.\2"),
)


def is_segformer(names: Mapping[str, object]) -> bool:
    return any("patch_embeddings.0.proj.weight" in n for n in names)


def convert_segformer(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """MiT trunk of `transformers`' SegFormer -> our names; classifier and decoder are left out.

    ``…attention.self.key`` and ``value`` become one ``kv``, keys first.
    """
    converted: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.split(".")[0] in ("classifier", "decode_head"):
            continue
        short = name[name.index("encoder.") + 8 :] if "encoder." in name else name
        for pattern, ours in _SEGFORMER:
            if re.fullmatch(pattern, short):
                converted[re.sub(pattern, ours, short)] = tensor
                break
        else:
            raise UserError(f"not a SegFormer MiT trunk: unknown tensor {name!r}")
    for name in [n for n in converted if ".attn.k." in n]:
        key, value = converted.pop(name), converted.pop(name.replace(".k.", ".v."))
        converted[name.replace(".k.", ".kv.")] = torch.cat([key, value])
    return converted
