"""Missing files are reported before anything is built."""

import re

import pytest
from mmengine.config import Config
from mmengine.fileio import parse
from mmseg.datasets import BaseSegDataset

from mmhierseg._base.errors import UserError
from mmhierseg.cli.data_check import check_data, check_pretrained


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'list.txt').write_text('0001\n')
    (tmp_path / 'empty.txt').touch()
    return str(tmp_path)


def check(dataset):
    loader = dict(dataset=dataset)
    check_data(Config(dict(train_dataloader=loader)), ['train_dataloader'])


def test_data_that_is_there(root):
    load = dict(type='LoadSegmentMap', map_prefix=f'{root}/images')
    check(dict(type='A', data_root=root, ann_file='list.txt',
               data_prefix=dict(img_path='images', seg_map_path=''),
               pipeline=[load, dict(type='LoadSegmentMap', map_prefix=None)]))
    check(dict(type='A', data_root='', ann_file=f'{root}/list.txt',
               data_prefix=f'{root}/images'))
    # The beginning of file names, and what is not local.
    check(dict(type='A', data_root=root, data_prefix='ima'))
    check(dict(type='A', data_root='s3://bucket/data', ann_file='a.txt'))
    check(dict(type='A', data_root='gone', backend_args=dict(backend='x')))


def test_all_datasets_read_lists_alike(root, monkeypatch):
    """A byte order mark, Windows' line ends and empty lines do not matter."""
    monkeypatch.setattr(parse, 'get_text', parse.get_text)
    check(dict(type='A', data_root=root))
    path = f'{root}/list.txt'
    with open(path, 'wb') as file:
        file.write(b'\xef\xbb\xbf0001\r\n\r\n0002 \r\n\r\n')
    data = BaseSegDataset(
        ann_file=path, data_prefix=dict(img_path='images'), img_suffix='.png',
        metainfo=dict(classes=('a', )))
    assert [info['img_path'] for info in data] == [
        'images/0001.png', 'images/0002.png']


@pytest.mark.parametrize('dataset, what, key', [
    (dict(data_root='gone'), "no data root 'gone'", 'data_root'),
    (dict(ann_file='a.txt'), 'annotation file .*a.txt', 'ann_file'),
    (dict(ann_file='empty.txt'), "empty.txt' is empty", 'ann_file'),
    (dict(data_prefix='p'), "image folder .*p'", 'data_prefix'),
    (dict(data_prefix=dict(img_path='images', seg_map_path='maps')),
     'image folder .*maps', 'data_prefix.seg_map_path'),
    (dict(pipeline=[dict(), dict(map_prefix='maps')]),
     'segment maps .*generate_oversegmentation.py', 'pipeline.1.map_prefix'),
])
def test_missing_data(root, dataset, what, key):
    dataset = dict(dict(type='A', data_root=root), **dataset)
    dataset = dict(dataset=dict(datasets=[dataset]))  # in wrappers
    setting = f'dataset.dataset.datasets.0.{key}=PATH'
    message = f'{what}.*--cfg-options train_dataloader.{re.escape(setting)}'
    with pytest.raises(UserError, match=message):
        check(dataset)
    hooks = [dict(type='Other'), dict(dataloader=dict(dataset=dataset))]
    with pytest.raises(UserError, match='custom_hooks.1.dataloader'):
        check_data(Config(dict(custom_hooks=hooks)), [])


def test_pretrained_weights():
    for cfg in (dict(load_from='https://x/y.pth'), dict(load_from=None), {},
                dict(model=dict(init_cfg=dict(
                    type='Pretrained', checkpoint='torchvision://resnet50')))):
        check_pretrained(Config(cfg))
    model = dict(backbone=dict(init_cfg=[dict(checkpoint='gone.pth')]))
    for cfg, key in ((dict(load_from='gone.pth'), 'load_from'),
                     (dict(model=model),
                      r'model\.backbone\.init_cfg\.0\.checkpoint')):
        with pytest.raises(UserError, match=f"'gone.pth'.* {key}=PATH"):
            check_pretrained(Config(cfg))
