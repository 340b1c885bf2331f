"""Muon against its definition and against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from aggpose.network import build_network
from aggpose.training.muon import Muon, is_matrix, orthogonalised
from aggpose.training.recipe import TrainingRecipe
from aggpose.training.start import make_optimiser


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 40), (2, 40, 8)])
def test_all_directions_come_out_of_one_size(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(shape, generator=generator)
    matrices[0] *= 1e-3
    u, before, v = torch.linalg.svd(matrices, full_matrices=False)
    after = torch.einsum("nri,nrc,nic->ni", u, orthogonalised(matrices), v)
    well = before > 0.05 * before.amax(dim=1, keepdim=True)
    assert after[well].min() > 0.6 and after[well].max() < 1.3
    # the directions stay: off the diagonal there is nothing
    whole = torch.einsum("nri,nrc,njc->nij", u, orthogonalised(matrices), v)
    assert (whole - torch.diag_embed(after)).abs().max() < 1e-3


def test_matrices_step_as_torchs_own_and_the_rest_as_adamw() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 12))
    theirs = copy.deepcopy(ours)
    matrices = [p for p in ours.parameters() if p.ndim == 2]
    rest = [p for p in ours.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1, "matrices": True},
        {"params": rest, "weight_decay": 0.0},
    ]
    one = Muon(groups, lr=0.01, fused=True)
    options = {"lr": 0.01, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    two = torch.optim.Muon([p for p in theirs.parameters() if p.ndim == 2], **options)
    three = torch.optim.AdamW(
        [p for p in theirs.parameters() if p.ndim < 2], lr=0.01, weight_decay=0
    )
    for _ in range(5):
        x = torch.randn(30, 12)
        for net, optimisers in ((ours, (one,)), (theirs, (two, three))):
            loss = (net(x) - x.roll(1, dims=1)).square().mean()
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        # torch's rounds are in 16 bits
        torch.testing.assert_close(a, b, rtol=0, atol=2e-3 if a.ndim == 2 else 1e-3)


def test_what_muon_takes_of_the_network() -> None:
    net = build_network("aggpose-t", keypoints=24)
    taken = {n for n, p in net.named_parameters() if is_matrix(n, p)}
    assert "trunk.0.blocks.0.attn.sr.weight" in taken and "embeds.1.proj.weight" in taken
    assert not taken & {"embeds.0.proj.weight", "head.fc2.weight"}
    assert not any("dw" in n or n.endswith("bias") for n in taken)
    optimiser = make_optimiser(net, TrainingRecipe(optimiser="muon", weight_decay=0.05), fused=True)
    counted = [p for group in optimiser.param_groups for p in group["params"]]
    assert len(counted) == len(set(counted)) == len(list(net.parameters()))
    assert len(optimiser.param_groups[0]["params"]) == len(taken)


def test_a_closure_meets_all_groups() -> None:
    weight, bias = nn.Parameter(torch.randn(3, 3)), nn.Parameter(torch.randn(3))
    groups = [{"params": [weight], "matrices": True}, {"params": [bias]}]
    optimiser = Muon(groups, lr=0.1)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = (weight @ torch.ones(3) + bias).sum()
        loss.backward()
        return loss

    for _ in range(3):
        assert optimiser.step(closure) is not None
        assert weight.grad is not None and (weight.grad == 1).all()


def test_its_state_comes_back() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(6, 4))
    groups = [{"params": [weight], "matrices": True, "weight_decay": 0.0}]
    optimiser = Muon(groups, lr=0.1)
    weight.grad = torch.randn(6, 4)
    optimiser.step()
    held = copy.deepcopy(optimiser.state_dict())
    other = nn.Parameter(weight.detach().clone())
    again = Muon([{"params": [other], "matrices": True, "weight_decay": 0.0}], lr=0.5)
    again.load_state_dict(held)
    weight.grad = torch.randn(6, 4)
    other.grad = weight.grad.clone()
    optimiser.step()
    again.step()
    torch.testing.assert_close(weight, other, rtol=0, atol=0)
