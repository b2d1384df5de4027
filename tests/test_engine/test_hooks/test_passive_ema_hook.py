"""A moving average that is saved, but neither validated nor used."""

import pytest
from helpers.training import Nothing, recorded_run

from mmhierseg.checkpoints import read_checkpoint
from mmhierseg.engine import PassiveEMAHook


class Weight(Nothing):
    """Notes the weight that is validated."""

    def process(self, data_batch, data_samples):
        super().process(data_batch, data_samples)
        self.weight, = data_samples


@pytest.mark.parametrize('resume', [False, True])
def test_average_is_only_saved(tmp_path, resume):
    """The weight falls by 0.1 in each step, two of which are an epoch."""
    metric = Weight()
    options = dict(val=metric, other_hooks=[PassiveEMAHook(momentum=0.5)])
    if resume:
        recorded_run(tmp_path, 1, **options)
    recorded_run(tmp_path, 2, resume=resume, **options)
    checkpoint = read_checkpoint(str(tmp_path / 'epoch_2.pth'))
    assert metric.weight == checkpoint['state_dict']['weight']
    assert metric.weight == pytest.approx(-0.4)
    # The average of -0.1, -0.2, -0.3 and -0.4, beginning with the first.
    average = checkpoint['ema_state_dict']
    assert average['module.weight'].item() == pytest.approx(-0.3125)
    assert average['steps'] == 4
