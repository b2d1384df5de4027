"""A tiny CAST's config, checkpoint and images."""

import pytest
import torch
from helpers.cast import TINY, tiny_cast
from helpers.demo import picture
from PIL import Image


@pytest.fixture
def config():
    """Config of a MoCoV3, of which only the backbone is ever built."""
    return dict(
        model=dict(
            type='MoCoV3',
            data_preprocessor=dict(
                type='mmhierseg.SuperpixelSelfSupDataPreprocessor',
                mean=[123., 116., 103.],
                std=[58., 57., 56.],
                to_rgb=True,
                superpixels=dict(type='TorchSLIC', segment_size=8)),
            backbone=dict(type='mmhierseg.CAST', segment_at='pixel', **TINY),
            neck=dict(type='NoSuchNeck'),
            head=dict(type='NoSuchHead')))


@pytest.fixture
def backbone():
    """The model whose weights `checkpoint` holds."""
    return tiny_cast(seed=3, segment_at='pixel')


@pytest.fixture
def checkpoint(tmp_path, backbone):
    path = tmp_path / 'moco.pth'
    torch.save(dict(state_dict=backbone.state_dict(prefix='backbone.')), path)
    return str(path)


@pytest.fixture
def photos(tmp_path):
    """Folder of three images: two of one size, and a text file."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for i, (name, size) in enumerate([('b.png', (48, 80)), ('a.png', (48, 80)),
                                      ('c.bmp', (90, 60))]):
        Image.fromarray(picture(*size, seed=i)).save(folder / name)
    (folder / 'notes.txt').write_text('no image')
    return folder
