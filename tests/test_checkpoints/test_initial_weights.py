import pytest
import torch
from helpers.cast import tiny_cast
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.initial_weights import check_initial_weights
from mmhierseg.checkpoints.match import read_safely


@pytest.fixture(autouse=True)
def safe():
    read_safely()


def classifier(path, frozen_stages=4, **options):
    """A tiny CAST that starts from a file, inside of another module."""
    init_cfg = dict(
        type='Pretrained', checkpoint=str(path), prefix='backbone.')
    backbone = tiny_cast(
        frozen_stages=frozen_stages, init_cfg=init_cfg, **options)
    return nn.ModuleDict(dict(backbone=backbone, head=nn.Linear(48, 2)))


def save_backbone(path, leave_out='-', **options):
    weights = {
        f'backbone.{name}': value
        for name, value in tiny_cast(seed=1, **options).state_dict().items()
        if not name.startswith(leave_out)
    }
    torch.save(dict(state_dict=weights), path)
    return path


def test_initial_weights_that_fit(tmp_path):
    path = save_backbone(tmp_path / 'a.pth')
    check_initial_weights(classifier(path))
    # Another image size, and a neck that is not asked for.
    check_initial_weights(classifier(path, img_size=96))
    # Nothing to check: no file, or none of this machine.
    check_initial_weights(tiny_cast())
    check_initial_weights(classifier('https://example.org/a.pth'))


@pytest.mark.parametrize('options, message', [
    (dict(leave_out='norm'), r'which is frozen: it lacks norm\.bias'),
    (dict(arch=dict(embed_dims=24, depths=(2, 1, 1, 1), num_heads=4)),
     r'backbone, which is frozen: .*(\n.*)*size mismatch'),
])
def test_a_frozen_module_needs_all_of_its_weights(tmp_path, options, message):
    path = save_backbone(tmp_path / 'a.pth', **options)
    with pytest.raises(UserError, match=message):
        check_initial_weights(classifier(path))
    # What is trained may start from a part of them.
    check_initial_weights(classifier(path, frozen_stages=-1))


@pytest.mark.parametrize('frozen_stages', [-1, 4])
def test_initial_weights_of_something_else(tmp_path, frozen_stages):
    path = tmp_path / 'vit.pth'
    torch.save(dict(state_dict={'backbone.layers.0.ln1.bias':
                                torch.zeros(1)}), path)
    with pytest.raises(UserError, match=r"vit\.pth' cannot initialise "
                       r"backbone: it has no tensor under 'backbone\.' with"):
        check_initial_weights(classifier(path, frozen_stages))
