"""Labels that the classes do not have."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg._base import UserError
from mmhierseg.engine import LabelCheckHook
from mmhierseg.registry import HOOKS


def sample(*labels, path='maps/1.png'):
    return SegDataSample(
        metainfo=dict(seg_map_path=path),
        gt_sem_seg=PixelData(data=torch.tensor(labels).view(1, 1, -1)))


def runner(num_classes=3, ignore_index=255, classes=None):
    """What the hook asks a runner for."""
    model = nn.Module()
    model.num_classes = num_classes
    model.decode_head = nn.Module()
    model.decode_head.ignore_index = ignore_index
    metainfo = {} if classes is None else dict(classes=classes)
    loop = SimpleNamespace(
        dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=metainfo)))
    return SimpleNamespace(model=model, val_loop=loop, test_loop=loop)


WHEN = ['before_train_iter', 'before_val_iter', 'before_test_iter']


def check(samples, when=WHEN[0], batch_idx=0, hook=None, **options):
    hook = hook or HOOKS.build(dict(type='mmhierseg.LabelCheckHook'))
    getattr(hook, when)(
        runner(**options), batch_idx, dict(inputs=[], data_samples=samples))


@pytest.mark.parametrize('when', WHEN)
def test_labels_of_the_classes(when):
    check([sample(0, 2, 255), sample(1, 1)], when)
    # Nothing to look at.
    check([SegDataSample()], when)
    check([sample(9)], when, num_classes=None)


@pytest.mark.parametrize('when', WHEN)
@pytest.mark.parametrize('nested', [False, True])
def test_labels_beyond(when, nested):
    """Also of the views of test-time augmentation, a list for each image."""
    samples = [sample(0), sample(2, 7, 3, 7, -1)]
    with pytest.raises(
            UserError,
            match=r"'maps/1.png' has the labels \[-1, 3, 7\].* 3 classes.*"
            r'0 to 2, or 255.*reduce_zero_label'):
        check([samples] if nested else samples, when)


def test_ignored_label_is_the_heads():
    check([sample(0, 7)], ignore_index=7)
    with pytest.raises(ValueError, match='the ground truth has .*255'):
        check([sample(255, path=None)], ignore_index=7)


def test_metrics_count_by_the_classes_of_the_dataset():
    check([sample(3)], 'before_test_iter', classes='abcd')
    with pytest.raises(ValueError, match='2 classes'):
        check([sample(2)], 'before_val_iter', classes='ab')


def test_interval():
    wrong = [sample(9)]
    hook = LabelCheckHook(interval=2)
    check(wrong, batch_idx=1, hook=hook)
    with pytest.raises(ValueError, match='9'):
        check(wrong, batch_idx=2, hook=hook)
    check(wrong, hook=LabelCheckHook(interval=0))
    with pytest.raises(ValueError, match='`interval` must be at least 0'):
        LabelCheckHook(interval=-1)
