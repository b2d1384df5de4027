"""MoCo v3 with CAST: several processes, accumulation, bfloat16."""

import copy

import pytest
import torch
from helpers.cast import random_inputs, tiny_cast
from helpers.distributed import run_on_two_processes
from helpers.moco import moco_loss, save_moco_step, tiny_moco
from mmengine.optim import OptimWrapper


def two_views(batch, dtype=torch.float32):
    """Two views of a batch of images, H != W."""
    return [random_inputs(batch, seed=seed).to(dtype) for seed in (0, 1)]


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_equal_one_with_both_batches(tmp_path):
    """Loss: mean over the processes. Gradients: as DDP averages them."""
    views = two_views(6, torch.float64)
    run_on_two_processes(save_moco_step, views, tmp_path)
    parts = [
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in range(2)
    ]
    model = tiny_moco(pool_drop_rate=0., fusion_drop_rate=0.).double()
    for _ in range(2):
        model.zero_grad()
        loss = moco_loss(model, views)
        loss.backward()
    torch.testing.assert_close(
        (parts[0]['loss'] + parts[1]['loss']) / 2, loss.detach(),
        atol=1e-12, rtol=1e-12)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            for part in parts:
                torch.testing.assert_close(
                    part['gradients'][name], parameter.grad,
                    atol=1e-12, rtol=1e-9)
    for name, value in model.momentum_encoder.state_dict().items():
        assert torch.equal(parts[0]['momentum_encoder'][name], value), name


def steps(model, loss_of, batches, counts):
    """Train by MMEngine's OptimWrapper, accumulating gradients."""
    wrapper = OptimWrapper(
        torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad], lr=1e-3),
        accumulative_counts=counts)
    wrapper.initialize_count_status(model, 0, len(batches))
    for batch in batches:
        with wrapper.optim_context(model):
            loss = loss_of(model, batch)
        wrapper.update_params(loss)
    return model


def test_accumulation_equals_a_larger_batch():
    """For losses that are means over images, as in classification."""
    images = random_inputs(8).double()
    start = tiny_cast(norm_eval=True, pool_drop_rate=0.).double().train()
    results = [
        dict(steps(
            copy.deepcopy(start),
            lambda model, batch: model(batch)[0].square().mean(),
            images.split(size), counts).named_parameters())
        for size, counts in ((4, 1), (2, 2))
    ]
    # Adam divides by the size of a gradient, rounding errors included.
    torch.testing.assert_close(*results, atol=1e-6, rtol=1e-5)
    before = dict(start.named_parameters())
    assert sum(not torch.equal(value, before[name])
               for name, value in results[0].items()) > 50


def test_moco_accumulates():
    """Weights change every other step, the momentum encoder in each."""
    views = two_views(8)
    batches = [[view[i:i + 2] for view in views] for i in (0, 2, 4, 6)]
    seen = []

    def loss_of(model, batch):
        loss = moco_loss(model, batch)
        seen.append(copy.deepcopy(model.state_dict()))
        return loss

    end = steps(tiny_moco(norm_eval=False), loss_of, batches, 2).state_dict()
    assert all(value.isfinite().all() for value in end.values())
    assert end['momentum_encoder.steps'] == 4
    name = 'stages.0.0.attn.qkv.weight'
    online, momentum = 'backbone.' + name, 'momentum_encoder.module.0.' + name
    assert torch.equal(seen[0][online], seen[1][online])
    assert not torch.equal(seen[1][online], seen[2][online])
    assert torch.equal(seen[2][online], seen[3][online])
    distances = [(state[online] - state[momentum]).norm() for state in seen]
    # Equal up to rounding until the first update.
    assert max(distances[:2]) < 1e-5
    assert distances[2] > distances[3] > 1e-4


def gradients(views, low, **options):
    """Loss and all gradients of a tiny MoCo, in bfloat16 if ``low``."""
    model = tiny_moco(pool_drop_rate=0., fusion_drop_rate=0., **options)
    with torch.autocast('cpu', torch.bfloat16, enabled=low):
        loss = moco_loss(model, views)
    loss.backward()
    return loss.detach(), torch.cat([
        p.grad.flatten() for p in model.parameters() if p.requires_grad
    ])


@pytest.mark.parametrize('norm_eval, cosine', [(True, 0.98), (False, 0.9)])
def test_bfloat16_autocast(norm_eval, cosine):
    # Images of different colours: untrained features of similar images
    # differ by less than the resolution of bfloat16.
    torch.manual_seed(5)
    colours = torch.nn.functional.pad(
        2 * torch.randn(16, 3, 1, 1), (0, 0, 0, 0, 0, 1))
    views = [view + colours for view in two_views(16)]
    full, low = (gradients(views, low, norm_eval=norm_eval)
                 for low in (False, True))
    assert low[0] != full[0]
    assert low[0] == pytest.approx(full[0].item(), rel=0.03)
    assert low[1].isfinite().all()
    assert torch.cosine_similarity(full[1], low[1], dim=0) > cosine
