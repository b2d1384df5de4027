"""All metrics in a config of MMSegmentation, in validation and in testing."""

import json

import pytest

CONFIG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['mmhierseg'])
model = dict(
    type='mmhierseg.HierarchyEncoderDecoder',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        mean=[123., 116., 103.], std=[58., 57., 57.], bgr_to_rgb=True,
        size=(64, 80), test_cfg=dict(size_divisor=32),
        superpixels=dict(type='TorchSLIC', segment_size=8)),
    backbone=dict(
        type='mmhierseg.CAST',
        arch=dict(embed_dims=32, depths=(1, 1, 1, 1), num_heads=4),
        img_size=64, num_clusters=(16, 8, 4, 2), out_type='featmap',
        out_indices=(0, )),
    decode_head=dict(
        type='FCNHead', in_channels=32, in_index=0, channels=8, num_convs=1,
        concat_input=False, num_classes=13),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
scenes = dict(
    type='mmhierseg.PartWholeScenes', num_scenes=5, task='segmentation',
    size=(60, 80), pipeline=[dict(type='PackSegInputs')])
train_dataloader = dict(
    batch_size=2, num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True), dataset=scenes)
val_dataloader = dict(
    batch_size=1, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(scenes, split='val'))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric'),
    dict(type='mmhierseg.BoundaryFScore'),
    dict(type='mmhierseg.NFCovering'),
    dict(type='mmhierseg.RegionMIoU'),
    dict(type='mmhierseg.SuperpixelQuality'),
]
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=1,
        save_best='BoundaryFScore/mFscore', rule='greater'))
log_processor = dict(by_epoch=False)
"""


def last_line(path):
    return json.loads(path.read_text().splitlines()[-1])


@pytest.mark.slow
@pytest.mark.distributed
def test_validation_and_testing_on_two_processes(tool, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG)
    tool('train.py', config, '--work-dir', tmp_path / 'train')
    # The values on one process, as they were logged, and the best weights.
    logged, = (tmp_path / 'train').glob('*/vis_data/scalars.json')
    validated = last_line(logged)
    assert list((tmp_path / 'train').glob('best_BoundaryFScore*.pth'))
    # Five images: the second process gets one that the first has, too.
    tool('dist_test.sh', config, tmp_path / 'train' / 'iter_1.pth', 2,
         '--work-dir', tmp_path / 'test')
    logged, = (tmp_path / 'test').glob('*/*.json')
    tested = last_line(logged)
    # One process writes the record.
    record, = (tmp_path / 'test').glob('*.json')
    record = json.loads(record.read_text())
    assert record['processes'] == 2 and record['data']['images'] == 5
    names = {'mIoU', 'BoundaryFScore/mFscore'} | {
        f'{metric}/level{level}'
        for metric in ('NFCovering', 'RegionMIoU') for level in range(5)
    } | {f'SuperpixelQuality/{m}/level0' for m in ('ASA', 'UE', 'BR', 'EV')}
    for name in names:
        assert tested[name] == validated[name], name
        assert record['metrics'][name] == tested[name], name
    assert tested['RegionMIoU/level0'] > tested['RegionMIoU/level4'] > 0
    assert tested['SuperpixelQuality/ASA/level0'] > 80
