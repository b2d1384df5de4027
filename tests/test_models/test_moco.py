"""MoCo v3 with CAST: several processes, accumulation, bfloat16."""

import copy

import pytest
import torch
from helpers.cast import random_inputs
from helpers.distributed import run_on_two_processes
from helpers.moco import moco_loss, save_moco_step, tiny_moco
from mmengine.optim import OptimWrapper


def two_views(batch, dtype=torch.float32):
    """Two views of a batch of images, H != W."""
    return [random_inputs(batch, seed=seed).to(dtype) for seed in (0, 1)]


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize('options', [
    {}, dict(out_type='avg_segments', decay_unused_pooling=True)])
def test_two_processes_equal_one_with_both_batches(options, tmp_path):
    """Loss: mean over the processes. Gradients: as DDP averages them."""
    views = two_views(6, torch.float64)
    options = dict(options, pool_drop_rate=0., fusion_drop_rate=0.)
    run_on_two_processes(save_moco_step, views, tmp_path, options)
    parts = [
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in range(2)
    ]
    model = tiny_moco(**options).double()
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
    # Weights that nothing reaches get a gradient of zero, so they decay.
    for name, _ in model.backbone.pools[3].grouping.named_parameters():
        name = f'backbone.pools.3.grouping.{name}'
        for part in parts:
            zero = part['gradients'].get(name)
            assert (zero is not None) == ('out_type' in options)
            assert zero is None or not zero.any()


def test_moco_accumulates():
    """Weights change every other step, the momentum encoder in each."""
    views, model, seen = two_views(8), tiny_moco(norm_eval=False), []
    optim = OptimWrapper(
        torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad], lr=1e-3),
        accumulative_counts=2)
    optim.initialize_count_status(model, 0, 4)
    for i in (0, 2, 4, 6):
        with optim.optim_context(model):
            loss = moco_loss(model, [view[i:i + 2] for view in views])
        seen.append(copy.deepcopy(model.state_dict()))
        optim.update_params(loss)
    end = model.state_dict()
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


@pytest.mark.parametrize('norm_eval, cosine', [(True, 0.98), (False, 0.9)])
def test_bfloat16_autocast(norm_eval, cosine):
    # Images of different colours: untrained features of similar images
    # differ by less than the resolution of bfloat16.
    torch.manual_seed(5)
    colours = torch.nn.functional.pad(
        2 * torch.randn(16, 3, 1, 1), (0, 0, 0, 0, 0, 1))
    views = [view + colours for view in two_views(16)]
    losses, gradients = [], []
    for low in (False, True):
        model = tiny_moco(
            norm_eval=norm_eval, pool_drop_rate=0., fusion_drop_rate=0.)
        with torch.autocast('cpu', torch.bfloat16, enabled=low):
            losses.append(moco_loss(model, views))
        losses[-1].backward()
        gradients.append(torch.cat([
            p.grad.flatten() for p in model.parameters() if p.requires_grad]))
    assert losses[1] != losses[0]
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.03)
    assert gradients[1].isfinite().all()
    assert torch.cosine_similarity(*gradients, dim=0) > cosine
