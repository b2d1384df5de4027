import torch
from helpers.cast import DATA
from helpers.hsg import with_resnet

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.hsg import convert_hsg_checkpoint
from mmhierseg.registry import MODELS


def test_takes_the_authors_weights():
    checkpoint, _ = with_resnet(
        load_plain_checkpoint(DATA / 'hsg_coco.pth'), 50, 'detectron2')
    weights = convert_hsg_checkpoint(checkpoint).state_dict
    neck = MODELS.build(
        dict(type='mmhierseg.EmbeddingNeck', in_channels=128,
             out_channels=32)).eval()
    neck.load_state_dict({
        key[len('neck.'):]: value
        for key, value in weights.items() if key.startswith('neck.')
    })
    source = checkpoint['embedding_model']
    features = torch.randn(2, 128, 5, 3)
    hidden = torch.nn.functional.conv2d(features,
                                        source['conv_out.0.weight'])
    hidden = (hidden / (1 + 1e-5)**0.5).relu()
    expected = torch.nn.functional.conv2d(
        hidden, source['conv_out.3.weight'], source['conv_out.3.bias'])
    for inputs in (features, (None, features)):
        torch.testing.assert_close(neck(inputs), expected)
