import re

import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli.data_check import check_data, check_pretrained


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'train' / 'cat').mkdir(parents=True)
    (tmp_path / 'images').mkdir()
    (tmp_path / 'list.txt').write_text('0001\n')
    return str(tmp_path)


def check(dataset):
    check_data(
        Config(dict(train_dataloader=dict(dataset=dataset))),
        ['train_dataloader', 'val_dataloader'])


def test_data_that_is_there(root):
    check(dict(type='A', data_root=root, ann_file='list.txt',
               data_prefix=dict(img_path='images', seg_map_path='')))
    check(dict(type='mmpretrain.ImageNet', data_root=root, split='train'))
    check(dict(type='A', data_root='', ann_file=f'{root}/list.txt',
               data_prefix=f'{root}/images'))
    check(dict(type='A'))


def test_segment_maps(root):
    load = dict(type='mmhierseg.LoadSegmentMap', map_prefix=f'{root}/maps')
    dataset = dict(type='A', data_root=root,
                   pipeline=[dict(type='Load'), load])
    with pytest.raises(
            UserError,
            match='no folder of segment maps .*generate_oversegmentation.py.*'
            r'train_dataloader\.dataset\.pipeline\.1\.map_prefix=PATH'):
        check(dataset)
    for prefix in (f'{root}/images', None):
        load['map_prefix'] = prefix
        check(dataset)


@pytest.mark.parametrize('content', ['', '\n \n'])
def test_empty_list(root, content):
    with open(f'{root}/empty.txt', 'w') as file:
        file.write(content)
    with pytest.raises(
            UserError,
            match=r"txt' is empty.*train_dataloader\.dataset\.ann_file="):
        check(dict(type='A', data_root=root, ann_file='empty.txt'))


def test_loader_of_a_hook(root):
    hooks = [
        dict(type='Other'),
        dict(type='MemoryBankHook', dataloader=dict(
            dataset=dict(type='A', data_root='gone')))
    ]
    with pytest.raises(
            UserError,
            match=r"'gone'.*custom_hooks\.1\.dataloader\.dataset\.data_root"):
        check_data(Config(dict(custom_hooks=hooks)), [])
    hooks[1]['dataloader']['dataset']['data_root'] = root
    check_data(Config(dict(custom_hooks=hooks)), [])


def test_beginnings_of_file_names(root):
    check(dict(type='A', data_root=root, data_prefix='ima'))


def test_data_that_is_not_local():
    check(dict(type='A', data_root='s3://bucket/data'))
    check(dict(type='A', data_root='gone', backend_args=dict(backend='x')))


@pytest.mark.parametrize('dataset, what, key', [
    (dict(data_root='gone'), "no data root 'gone'", 'data_root'),
    (dict(ann_file='a.txt'), 'annotation file .*a.txt', 'ann_file'),
    (dict(data_prefix='p'), "image folder .*p'", 'data_prefix'),
    (dict(data_prefix=dict(img_path='images', seg_map_path='maps')),
     'image folder .*maps', 'data_prefix.seg_map_path'),
    (dict(type='ImageNet', split='val'), 'image folder .*val', 'data_root'),
])
@pytest.mark.parametrize('wrapper, prefix', [
    (lambda dataset: dataset, ''),
    (lambda dataset: dict(type='RepeatDataset', dataset=dataset), '.dataset'),
    (lambda dataset: dict(type='ConcatDataset', datasets=[dataset]),
     '.datasets.0'),
])
def test_missing_data(root, dataset, what, key, wrapper, prefix):
    dataset = wrapper(dict(dict(type='A', data_root=root), **dataset))
    setting = re.escape(
        f'--cfg-options train_dataloader.dataset{prefix}.{key}=PATH')
    with pytest.raises(UserError, match=f'{what}.*{setting}'):
        check(dataset)


def test_pretrained_weights(root):
    there, gone = f'{root}/list.txt', f'{root}/gone.pth'
    for cfg in (dict(load_from=there), dict(load_from='https://x/y.pth'),
                dict(load_from=None), {},
                dict(model=dict(init_cfg=dict(
                    type='Pretrained', checkpoint='torchvision://resnet50')))):
        check_pretrained(Config(cfg))
    with pytest.raises(UserError, match='gone.pth.*load_from'):
        check_pretrained(Config(dict(load_from=gone)))
    model = dict(backbone=dict(init_cfg=[dict(checkpoint=gone)]))
    with pytest.raises(UserError, match=re.escape(
            '--cfg-options model.backbone.init_cfg.0.checkpoint=PATH')):
        check_pretrained(Config(dict(model=model)))
