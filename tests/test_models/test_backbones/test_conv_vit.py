"""The vision transformer with a convolutional stem."""

import numpy as np
import torch
from helpers.cast import DATA

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_cast_checkpoint
from mmhierseg.registry import MODELS


def test_golden():
    converted = convert_cast_checkpoint(
        load_plain_checkpoint(DATA / 'vit_conv_moco.pth.tar'))
    assert converted.kind == 'moco_vit'
    assert converted.unconverted == ['arch', 'epoch']
    values = np.load(DATA / 'vit_conv_moco.npz')
    # The number of heads is not in the weights.
    converted.options['arch']['num_heads'] = int(values['num_heads'])
    model = MODELS.build(converted.options)
    model.load_state_dict({
        key.removeprefix('backbone.'): value
        for key, value in converted.state_dict.items()
    })
    model.eval()
    before = []
    model.layers[-1].register_forward_hook(
        lambda *arguments: before.append(arguments[2]))
    images = torch.from_numpy(values['images'])
    with torch.no_grad():
        cls_token, = model(images)
        stem, size = model.patch_embed(images)
    assert size == (4, 4)
    for actual, key in ((cls_token, 'cls_token'), (stem, 'stem'),
                        (before[0], 'tokens_before_norm')):
        expected = values[key]
        np.testing.assert_allclose(
            actual, expected, atol=1e-4 * abs(expected).max())


def test_positions_are_fixed_and_resized():
    options = dict(type='mmhierseg.MoCoV3ConvViT', out_type='featmap')
    model = MODELS.build(dict(options, img_size=64))
    model.init_weights()
    assert not model.pos_embed.requires_grad
    assert model.patch_embed.layers[0].conv.weight.requires_grad
    larger = MODELS.build(dict(options, img_size=(64, 96)))
    larger.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert larger(torch.zeros(1, 3, 64, 96))[0].shape == (1, 384, 4, 6)
