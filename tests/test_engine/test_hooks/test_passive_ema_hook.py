"""A moving average that is kept, but neither tested nor handed on."""

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmhierseg.checkpoints import read_checkpoint


class Model(BaseModel):
    """Its weight falls by the learning rate in each step."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.))

    def forward(self, x, mode):
        if mode == 'loss':
            return dict(loss=self.weight * x.sum())
        return [float(self.weight)]


class Weight(BaseMetric):
    """The weight that the model is tested with."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(weight=results[-1])


def run(folder, epochs, **options):
    loader = DataLoader([dict(x=torch.ones(()))] * 2)
    evaluator = dict(type=Weight)
    runner = Runner(
        Model(), str(folder), train_dataloader=loader, val_dataloader=loader,
        test_dataloader=loader, val_evaluator=evaluator,
        test_evaluator=evaluator, val_cfg=dict(), test_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.25)),
        custom_hooks=[dict(type='mmhierseg.PassiveEMAHook', momentum=0.5)],
        experiment_name=f'{folder.name}{epochs}', **options)
    runner.train()
    validated = runner.message_hub.get_scalar('val/weight').current()
    return validated, runner.test()['weight'], read_checkpoint(
        str(folder / f'epoch_{epochs}.pth'))


@pytest.mark.parametrize('resume', [False, True])
def test_average_is_kept_only(tmp_path, resume):
    if resume:
        run(tmp_path, 1)
    validated, tested, checkpoint = run(tmp_path, 2, resume=resume)
    assert validated == tested == checkpoint['state_dict']['weight'] == 0
    # Of 0.75, 0.5, 0.25 and 0, from the first of them.
    assert checkpoint['ema_state_dict']['module.weight'] == 0.21875
    assert checkpoint['ema_state_dict']['steps'] == 4
