"""Twenty optimizer steps of the authors' MoCo v3, by the shipped configs."""

import numpy as np
import pytest
import torch
from helpers.configs import ROOT, load_config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_cast_checkpoint
from mmhierseg.registry import DATASETS

DATA = ROOT / 'tests/data'


@DATASETS.register_module()
class FixedViews(Dataset):
    """One fixed batch of two views with superpixels."""

    def __init__(self, path):
        values = np.load(path)
        self.views = [
            np.concatenate([values[f'view{i}'], values[f'labels{i}'][:, None]],
                           axis=1).astype('float64') for i in (1, 2)
        ]

    def __len__(self):
        return len(self.views[0])

    def __getitem__(self, index):
        return dict(
            inputs=[view[index] for view in self.views], data_samples=[])


class Losses(Hook):

    def __init__(self):
        self.values = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.values.append(float(outputs['loss']))


def weights(checkpoint):
    """Both encoders, in MMPretrain's names."""
    base, momentum = (
        convert_cast_checkpoint(checkpoint, encoder).state_dict
        for encoder in ('base', 'momentum'))
    for key, value in momentum.items():
        for number, part in enumerate(('backbone.', 'neck.')):
            if key.startswith(part):
                name = f'{number}.{key[len(part):]}'
                base[f'momentum_encoder.module.{name}'] = value
    return base


def built(config, path, folder):
    """A runner of the config, of the size of the fixture."""
    values = np.load(path)
    cfg = load_config(ROOT / 'configs/cast' / config)
    model = cfg.model
    model.data_preprocessor = dict(type='mmengine.BaseDataPreprocessor')
    channels = int(values['embed_dims'])
    model.backbone.update(
        arch=dict(
            embed_dims=channels,
            depths=values['depths'].tolist(),
            num_heads=int(values['num_heads'])),
        img_size=int(values['img_size']),
        num_clusters=values['num_clusters'].tolist(),
        pool_drop_rate=0.,
        fusion_drop_rate=0.)
    widths = dict(hid_channels=64, out_channels=16)
    model.neck.update(in_channels=channels, **widths)
    model.head.predictor.update(in_channels=16, **widths)
    cfg.optim_wrapper.optimizer.lr = float(values['lr'])
    cfg.merge_from_dict(dict(
        work_dir=str(folder),
        load_from=str(folder / 'start.pth'),
        param_scheduler=None,
        default_hooks=dict(checkpoint=None),
        custom_hooks=[],
        train_dataloader=dict(
            _delete_=True, batch_size=4, num_workers=0,
            dataset=dict(type='mmhierseg.FixedViews', path=path),
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False))))
    # The rate does not change; the momentum runs over the iterations.
    cfg.train_cfg.max_epochs = len(values['losses'])
    cfg.optim_wrapper = dict(
        type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer)
    return Runner.from_cfg(cfg)


@pytest.mark.parametrize('name, config', [
    ('cls', 'cast-s_in1k.py'),
    ('segmentation', 'cast-s_coco.py'),
])
def test_losses_and_weights(name, config, tmp_path):
    path = DATA / f'moco_steps_{name}.npz'
    values = np.load(path)
    start = weights(load_plain_checkpoint(path.with_suffix('.pth.tar')))
    torch.save(dict(state_dict=start), tmp_path / 'start.pth')
    runner = built(config, str(path), tmp_path)
    assert not runner.model.load_state_dict(start, strict=False)[1]
    losses = Losses()
    runner.register_hook(losses)
    runner.model.double()
    optimizer = runner.cfg.optim_wrapper.optimizer
    assert optimizer.weight_decay == float(values['weight_decay'])
    assert runner.model.head.temperature == float(values['temperature'])
    runner.train()
    np.testing.assert_allclose(
        losses.values[:10], values['losses'][:10], atol=1e-6, rtol=0)
    # Rounding grows tenfold in two to three steps.
    np.testing.assert_allclose(losses.values, values['losses'], atol=1e-2)
    backbone = runner.model.backbone
    momentum = runner.model.momentum_encoder.module[0]
    for encoder, key in ((backbone, 'final'), (momentum, 'momentum')):
        np.testing.assert_allclose(
            encoder.cls_token.detach(), values[f'{key}_cls_token'], atol=1e-4)
    if name == 'segmentation':
        # Nothing reaches this weight but its decay.
        np.testing.assert_allclose(
            backbone.pools[3].grouping.attn.qkv.weight.detach(),
            values['pool4_qkv_weight'], atol=1e-7)
