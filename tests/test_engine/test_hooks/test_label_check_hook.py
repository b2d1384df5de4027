"""Labels that the classes do not have."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg._base import UserError
from mmhierseg.engine import LabelCheckHook


def sample(*labels, path='maps/1.png'):
    return SegDataSample(
        metainfo=dict(seg_map_path=path),
        gt_sem_seg=PixelData(data=torch.tensor(labels).view(1, 1, -1)))


def check(samples, mode='train', batch_idx=0, interval=1, num_classes=3,
          ignore_index=255, classes=()):
    model = nn.Module()
    model.num_classes = num_classes
    model.decode_head = nn.Module()
    model.decode_head.ignore_index = ignore_index
    loop = SimpleNamespace(dataloader=SimpleNamespace(
        dataset=SimpleNamespace(metainfo=dict(classes=classes))))
    runner = SimpleNamespace(model=model, val_loop=loop, test_loop=loop)
    before_iter = getattr(LabelCheckHook(interval), f'before_{mode}_iter')
    before_iter(runner, batch_idx, dict(inputs=[], data_samples=samples))


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_every_batch_is_checked(mode):
    """Also the views of test-time augmentation, a list for each image."""
    check([sample(0, 2, 255), sample(1, 1)], mode)
    # Nothing to look at.
    check([SegDataSample()], mode)
    check([sample(9)], mode, num_classes=None)
    samples = [sample(0), sample(2, 7, 3, 7, -1)]
    for nested in (samples, [samples]):
        with pytest.raises(
                UserError,
                match=r"'maps/1.png' has the labels \[-1, 3, 7\].* 3 classes"
                r'.*0 to 2, or 255.*reduce_zero_label'):
            check(nested, mode)


def test_which_labels_there_are():
    check([sample(0, 7)], ignore_index=7)
    with pytest.raises(UserError, match='the ground truth has .*255'):
        check([sample(255, path=None)], ignore_index=7)
    # Metrics count by the classes of the dataset.
    check([sample(3)], 'test', classes='abcd')
    with pytest.raises(UserError, match='2 classes'):
        check([sample(2)], 'val', classes='ab')


def test_interval():
    check([sample(9)], batch_idx=1, interval=2)
    check([sample(9)], interval=0)
    with pytest.raises(UserError, match='9'):
        check([sample(9)], batch_idx=2, interval=2)
