import pytest
import torch
import torch.nn.functional as F
from helpers.cast import TINY, random_inputs
from helpers.memory_bank import Colours, painted, segmentor
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank
from mmhierseg.models import RetrievalSegmentor
from mmhierseg.structures import SegmentHierarchy

CAST_EMBEDDER = dict(
    type='mmhierseg.SegmentEmbedder',
    backbone=dict(type='mmhierseg.CAST', out_type='segments', **TINY),
    neck=dict(
        type='mmpretrain.NonLinearNeck', in_channels=48, hid_channels=32,
        out_channels=16, num_layers=3, with_bias=False,
        with_last_bn_affine=False, with_avg_pool=False,
        norm_cfg=dict(type='BN1d')))
KMEANS = dict(kmeans=dict(num_clusters=3))


class Gaps(Colours):
    """Without segments in one column."""

    def forward(self, inputs):
        output = super().forward(inputs)
        labels = output.hierarchy.labels.clone()
        labels[:, :, 3] = -1
        return output._replace(
            hierarchy=SegmentHierarchy(labels, output.hierarchy.parents))


@pytest.mark.parametrize('options', [
    dict(level=0), dict(level=1), dict(level=-1), KMEANS
])
def test_predicts_the_classes_of_similar_segments(options):
    """Colours have the classes that they have in another image."""
    model = segmentor(**options)
    model.set_bank(MemoryBank(
        *model.bank_entries(*painted(8, 16, seed=1)[:2])[:2]))
    inputs, samples, target = painted()
    alone = model.predict(inputs[1:], samples[1:])[0].pred_sem_seg.data
    assert torch.equal(alone[0], target[1])
    for sample, expected in zip(model(inputs, samples, 'predict'), target):
        assert torch.equal(sample.pred_sem_seg.data[0], expected)
        assert sample.pred_hierarchy.data.shape == (2, 4, 8)
        assert sample.pred_hierarchy.data[1].unique().numel() <= 4
        assert 'seg_logits' not in sample
    # Without a segment, the prediction is `ignore_index`.
    model.embedder = Gaps()
    target[:, :, 3] = 255
    for sample, expected in zip(model.predict(inputs, samples), target):
        assert torch.equal(sample.pred_sem_seg.data[0], expected)


def test_entries_of_the_bank():
    """One per segment that has a class; the majority of its pixels.

    Ignored pixels vote, too; segments that they win are left out.
    """
    inputs, samples, target = painted()
    truth = samples[0].gt_sem_seg.data = target[:1].clone()
    # Of 8 pixels: 4 ignored, 3 of class 3 and another; 3, 4 of class 3.
    truth[0, 0, :4] = 255
    truth[0, 1, :3], truth[0, 1, 3] = 3, 0
    truth[0, 2, :4] = 3
    truth[0, 3, :3], truth[0, 3, 3] = 255, 0
    features, labels, image = segmentor(level=-1).bank_entries(inputs, samples)
    assert image.tolist() == [0] * 3 + [1] * 4
    expected = target[:, ::2, ::4].flatten(1)
    assert labels[:3].tolist() == [expected[0, 1], 3, expected[0, 3]]
    assert labels[3:].tolist() == expected[1].tolist()
    torch.testing.assert_close(features.norm(dim=1), torch.ones(7))
    # Ground truth may have the size of the input instead.
    for sample in samples:
        sample.set_metainfo(dict(ori_shape=(9, 11), img_shape=(4, 8)))
    resized = segmentor(level=-1).bank_entries(inputs, samples)
    assert torch.equal(resized[1], labels)
    # Segments without an embedding are left out.
    model = segmentor(Colours(empty=True), level=0)
    assert len(model.bank_entries(*painted()[:2])[0]) == 2 * (8 - 2)


@pytest.mark.parametrize('options', [{}, KMEANS])
def test_padding_does_not_count(options):
    """In prototypes, classes, k-means and predictions."""
    model = segmentor(**options)
    inputs, samples, target = painted()
    expected = model.bank_entries(inputs, samples)
    padded = F.pad(inputs, (0, 4, 0, 2), value=9.)
    for sample in samples:
        sample.set_metainfo(dict(img_padding_size=(0, 4, 0, 2)))
    got = model.bank_entries(padded, samples)
    # The ids of segments, and so their order, differ.
    one, other = (sorted(zip(entries[2].tolist(), entries[1].tolist()))
                  for entries in (got, expected))
    assert one == other
    model.set_bank(MemoryBank(*got[:2]))
    for sample, classes in zip(model.predict(padded, samples), target):
        assert torch.equal(sample.pred_sem_seg.data[0], classes)


@pytest.mark.parametrize('change, match', [
    (lambda sample: sample.set_metainfo(dict(ori_shape=(8, 16))),
     r'\(8, 16\), or .* got \(4, 8\): put LoadAnnotations'),
    (lambda sample: sample.gt_sem_seg.data[0, 0].fill_(4),
     r'0 to 3 .* got \[4\]'),
    (lambda sample: delattr(sample, 'gt_sem_seg'), 'no `gt_sem_seg`'),
])
def test_bad_ground_truth(change, match):
    inputs, samples, _ = painted()
    change(samples[1])
    with pytest.raises(UserError, match=match):
        segmentor().bank_entries(inputs, samples)


def test_unsuitable_bank_or_level():
    model = segmentor(level=2, num_neighbors=5)
    for number, label, match in [
        (4, 0, '`num_neighbors` is 5, .* only 4 entries'),
        (9, 4, 'class 4, beyond')
    ]:
        with pytest.raises(UserError, match=match):
            model.set_bank(MemoryBank(
                torch.ones(number, 3), torch.full((number, ), label)))
    with pytest.raises(UserError, match='MemoryBankHook'):
        model.predict(*painted()[:2])
    with pytest.raises(
            UserError, match=r'`level` is 2, .* 2 levels, 0 \(fine\) to 1'):
        model.bank_entries(*painted()[:2])
    model.level = -1
    model.set_bank(MemoryBank(torch.ones(5, 7), torch.zeros(5).long()))
    # The bank is not in the state dict.
    assert list(model.state_dict()) == ['embedder.weight']
    with pytest.raises(UserError, match='7 channels, the model of 3'):
        model.predict(*painted()[:2])
    with pytest.raises(NotImplementedError, match='tools/test.py'):
        model(*painted()[:2], mode='loss')
    with pytest.raises(ValueError, match='`num_neighbors` must be at least 1'):
        segmentor(num_neighbors=0)


def test_meta_distinguishes_models():
    options = ({}, {}, dict(level=0), KMEANS,
               dict(kmeans=dict(num_clusters=4)))
    models = [segmentor(**each) for each in options]
    models.append(segmentor())
    models[-1].embedder.weight.data += 1
    metas = [str(model.bank_meta()) for model in models]
    assert metas[0] == metas[1] and len(set(metas)) == 5


@torch.no_grad()
def test_cast_at_every_level():
    """Prototypes are means over the pixels of the level's segments."""
    torch.manual_seed(0)
    model = RetrievalSegmentor(CAST_EMBEDDER, num_classes=4).eval()
    inputs = random_inputs()
    target = torch.randint(0, 4, (2, 1, 64, 96))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=t)) for t in target]
    output = model(inputs)
    pixels = output.hierarchy.scatter(output.embeddings, 0)
    for level in range(5):
        model.level = level
        features, labels, image = model.bank_entries(inputs, samples)
        maps = output.hierarchy.label_map(level)
        names = [(i, n) for i in (0, 1) for n in maps[i].unique().tolist()]
        assert image.tolist() == [i for i, _ in names]
        for feature, label, (i, n) in zip(features, labels, names):
            mask = maps[i] == n
            torch.testing.assert_close(
                feature, F.normalize(pixels[i, :, mask].mean(1), dim=0))
            votes = target[i, 0][mask].bincount(minlength=4)
            assert label == votes.tolist().index(votes.max())


def test_loads_checkpoints_of_pretraining():
    """MoCo's `backbone.*` and `neck.*`, and its own, in a wrapper, too."""
    first, second = (
        RetrievalSegmentor(CAST_EMBEDDER, num_classes=4) for _ in range(2))
    weights = first.embedder.state_dict()
    second.load_state_dict(weights)
    assert second.bank_meta() == first.bank_meta()
    first.init_weights()
    second.load_state_dict(first.state_dict())
    assert second.bank_meta() == first.bank_meta()
    wrapped = nn.ModuleDict(dict(module=second))
    wrapped.load_state_dict({f'module.{k}': v for k, v in weights.items()})
