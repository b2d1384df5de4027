import pytest
import torch

from benchmarks.cast_plain import forward
from mmhierseg.models import CAST


@pytest.mark.parametrize('training', [False, True])
def test_package_agrees_with_cast_written_down_plainly(training):
    """In outputs and gradients; some segments are empty."""
    torch.manual_seed(0)
    model = CAST(
        dict(embed_dims=48, depths=(2, 1, 1, 1), num_heads=4),
        img_size=(64, 96), num_clusters=(12, 8, 6, 4), pool_drop_rate=0.,
        mask_empty=False)
    model.init_weights()
    model.double().train(training)
    labels = torch.randint(0, 40, (3, 8, 12)).mul(2)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    inputs = torch.cat([torch.randn(3, 3, 64, 96), labels[:, None]], dim=1)
    own, plain = model(inputs.double())[0], forward(model, inputs.double())[0]
    torch.testing.assert_close(own, plain)
    weights = [model.stages[0][0].attn.qkv.weight,
               model.pools[0].grouping.bias,
               model.tokenizer.stem.layers[0].conv.weight]
    gradients = [torch.autograd.grad(x.square().sum(), weights)
                 for x in (own, plain)]
    torch.testing.assert_close(*gradients)
