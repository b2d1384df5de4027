import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import load_file
from skimage.data import astronaut

from mmhierseg.apis import HierarchyInferencer, get_model, list_models
from mmhierseg.checkpoints import find_weights

NAME = 'cast-t_imagenette'


def test_names():
    assert NAME in list_models()
    assert list_models('*_imagenette') == [NAME]
    assert list_models('no*') == []


def test_shipped_weights_are_small_and_plain():
    path = find_weights(NAME)
    weights = load_file(path)
    assert path.stat().st_size <= 5e6
    assert {x.dtype for x in weights.values()} <= {torch.float16, torch.int64}
    # What MMEngine reads is the same.
    read = CheckpointLoader.load_checkpoint(f'mmhierseg://{NAME}')
    assert all(torch.equal(read['state_dict'][key], value)
               for key, value in weights.items())


def test_model_has_the_weights():
    model = get_model(NAME, device='cpu')
    weights = load_file(find_weights(NAME))
    assert not model.training
    state = model.state_dict()
    assert all(torch.equal(state[key].to(value.dtype), value)
               for key, value in weights.items())
    untrained = get_model(NAME, pretrained=False, device='cpu')
    assert not torch.equal(untrained.backbone.stages[0][0].attn.qkv.weight,
                           model.backbone.stages[0][0].attn.qkv.weight)
    small = get_model('vit-conv-t_imagenette', pretrained=False, device='cpu',
                      backbone=dict(img_size=64))
    assert small.backbone.patch_resolution == (4, 4)


def test_inferencer_segments_by_default():
    """Without a config or weights: nested levels, the same in every run."""
    image = astronaut()[..., ::-1]
    runs = []
    for _ in range(2):
        inferencer = HierarchyInferencer(device='cpu', show_progress=False)
        prediction, = inferencer(image, return_vis=False)['predictions']
        runs.append(prediction['label_maps'])
    assert prediction['num_segments'] == [196, 24, 12, 6, 4]
    for maps in zip(*runs):
        np.testing.assert_array_equal(*maps)
    # It sees the astronaut: her face and the wall belong to other segments.
    coarse = runs[0][3]
    assert coarse[150, 225] != coarse[60, 330]


@pytest.mark.parametrize('name, message', [
    ('cast-t_imagenet', 'neither a config file nor a model'),
    ('cast-s_in1k', "no weights 'cast-s_in1k'.*cast-t_imagenette"),
])
def test_mistakes(name, message):
    with pytest.raises(ValueError, match=message):
        get_model(name, device='cpu')
