import pytest
import torch
import torch.nn.functional as F
from helpers.cast import shake_statistics
from helpers.hsg import NO_GROUPS
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank
from mmhierseg.ops import cluster_views
from mmhierseg.registry import MODELS

BACKBONE = dict(
    type='mmseg.ResNet', depth=18, base_channels=4, stem_channels=4,
    strides=(1, 2, 1, 1), dilations=(1, 1, 1, 2), multi_grid=(1, 2),
    out_indices=(3, ), norm_cfg=dict(type='BN'))
PADDING = (0, 16, 0, 8)
#: Heads of the second stage on COCO, of other recipes and the first stage.
HEADS = {
    'within views': dict(pad_length=40),
    'across views': dict(
        pad_length=None, graph_knn=4, graph_within_view=False,
        grouping_weight=0.2, centroid_weight=0.2),
    'first stage': dict(
        NO_GROUPS, kmeans_clusters=(1, 1), kmeans_iterations=1),
}


def tiny_hsg(head=None, seed=0, **options):
    """HSG of 8 channels at stride 8, in training mode, without dropout."""
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    settings = dict(
        type='mmhierseg.HSG',
        data_preprocessor=dict(type='mmhierseg.MultiViewSegDataPreProcessor'),
        backbone=BACKBONE,
        neck=dict(
            type='mmhierseg.EmbeddingNeck', in_channels=32, out_channels=8),
        head=dict(
            type='mmhierseg.HSGHead', in_channels=8, embed_dims=8,
            kmeans_clusters=(2, 2), kmeans_iterations=3, fine_clusters=3,
            coarse_clusters=2, dropout=0., num_heads=2, num_layers=1,
            position_size=8),
        num_classes=4, num_neighbors=3, kmeans_clusters=(2, 3))
    settings['head'].update(head or {})
    return shake_statistics(MODELS.build({**settings, **options})).train()


def noisy_views():
    """RGBS of views and their images, with 4 and 5 columns of regions."""
    images = torch.tensor([0, 1, 0, 1])
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 4, 48, 64, generator=generator)
    inputs[:, 3] = (4 + images[:, None, None]) * torch.arange(64) // 64
    inputs[:, 3, :20, 40:] = -1
    return inputs, images


def labelled(batch=2, height=32, width=48):
    """Noise, and samples whose classes are those of three columns."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, 3, height, width, generator=generator)
    target = (3 * torch.arange(width) // width).expand(1, height, width)
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=target.clone()),
            metainfo=dict(ori_shape=(height, width))) for _ in inputs
    ]
    return inputs, samples


@pytest.mark.parametrize('amp', [False, True])
@pytest.mark.parametrize('name', HEADS)
def test_losses_are_those_of_the_head(name, amp):
    """Embeddings are at stride 8; regions are those of every 8th pixel.

    In mixed precision, k-means and losses are in float32.
    """
    model = tiny_hsg(HEADS[name])
    inputs, images = noisy_views()
    seen = []
    model.neck.register_forward_hook(
        lambda module, args, output: seen.append(output))
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        losses = model(inputs, None, 'loss', images)
    embeddings, = seen
    assert embeddings.shape == (4, 8, 6, 8)
    assert embeddings.dtype == (torch.bfloat16 if amp else torch.float32)
    segments = F.interpolate(inputs[:, 3:], (6, 8))[:, 0].long()
    expected = model.head.loss_from_embeddings(embeddings.float(), segments,
                                               images)
    torch.testing.assert_close(losses, expected)
    assert losses['loss_img_sim'] > 0
    for key in ('loss_hierarchy', 'loss_clustering'):
        assert bool(losses[key] > 0) == (name != 'first stage')
    sum(losses.values()).backward()
    assert all(parameter.grad.isfinite().all()
               for parameter in model.parameters() if parameter.requires_grad)
    # The network does not see the segment map.
    model.eval()
    assert torch.equal(model(inputs), model(inputs[:, :3]))


@torch.no_grad()
def test_segments_are_kmeans_of_all_pixels():
    """With the clusters of the evaluation, not those of training."""
    model = tiny_hsg(kmeans_clusters=(4, 5), kmeans_iterations=2).eval()
    inputs, _ = labelled()
    found = model.segments(inputs)
    pixels = F.normalize(
        F.interpolate(model(inputs), (32, 48), mode='bilinear'), dim=1)
    clusters = cluster_views(pixels, (4, 5), 2)
    for image in range(2):
        # The same segments with other ids.
        pairs = torch.stack([clusters[image], found.maps[image]])
        pairs = pairs.flatten(1).unique(dim=1)
        for ids in pairs:
            assert pairs.size(1) == ids.unique().numel() > 8
        for segment in pairs[1]:
            mean = pixels[image][:, found.maps[image] == segment].mean(1)
            torch.testing.assert_close(found.prototypes[image, segment],
                                       F.normalize(mean, dim=0))
    assert found.hierarchy.num_levels == 3


@pytest.mark.parametrize('level', [0, 1, 2, -1])
@torch.no_grad()
def test_predictions_are_those_of_the_bank(level):
    """The nearest neighbours of segments are the segments themselves.

    Padding has no segment; results have the size of the truth, twice that of
    the images.
    """
    model = tiny_hsg(level=level, num_neighbors=1).eval()
    inputs, samples = labelled(batch=3)
    inputs = F.pad(inputs, PADDING)
    for sample in samples:
        sample.set_metainfo(
            dict(img_padding_size=PADDING, ori_shape=(64, 96)))
        data = sample.gt_sem_seg.data.repeat_interleave(2, 1)
        sample.gt_sem_seg = PixelData(data=data.repeat_interleave(2, 2))
    features, labels, image = model.bank_entries(inputs, samples)
    model.set_bank(MemoryBank(features, labels))
    predictions = model(inputs, samples, 'predict')
    maps = model.segments(inputs, samples).maps
    assert (F.pad(maps + 1, [-side for side in PADDING]) > 0).all()
    assert (maps[:, 32:] == -1).all() and (maps[:, :, 48:] == -1).all()
    for i, sample in enumerate(predictions):
        own = maps[i, :32, :48]
        ids = own.unique()
        expected = torch.zeros(int(ids.max()) + 1).long()
        expected[ids] = labels[image == i]
        pred, hierarchy = sample.pred_sem_seg.data, sample.pred_hierarchy.data
        assert pred.shape == (1, 64, 96) and hierarchy.shape == (3, 64, 96)
        assert torch.equal(pred[0, ::2, ::2], expected[own])
        assert torch.equal(hierarchy[level, ::2, ::2], own)


@torch.no_grad()
def test_dilations_of_evaluation():
    options = dict(strides=(1, 1, 1, 1), multi_grid=(2, 4))
    model = tiny_hsg(test_backbone=options)
    inputs, _ = labelled()
    for mode, config in ((False, {**BACKBONE, **options}), (True, BACKBONE)):
        model.train(mode)
        other = MODELS.build(config)
        other.eval()
        other.load_state_dict(model.backbone.state_dict())
        # BatchNorm, too, depends on the mode.
        model.backbone.eval()
        torch.testing.assert_close(model.backbone(inputs), other(inputs))
    with pytest.raises(TypeError, match='as a dict, got ResNet'):
        tiny_hsg(backbone=model.backbone, test_backbone=options)


@torch.no_grad()
def test_batch_independence():
    # Rounding depends on the batch and could decide between clusters.
    model = tiny_hsg().double().eval()
    inputs, samples = labelled()
    both, alone = (
        model.segments(inputs[i:].double(), samples[i:]).hierarchy
        for i in (0, 1))
    for level in range(3):
        assert torch.equal(both.label_map(level)[1:], alone.label_map(level))


def test_meta_distinguishes_models():
    options = ({}, {}, dict(seed=1), dict(level=1),
               dict(kmeans_clusters=(2, 2)), dict(kmeans_iterations=2))
    metas = [str(tiny_hsg(**each).bank_meta()) for each in options]
    assert metas[0] == metas[1] and len(set(metas)) == 5


def test_bad_inputs():
    model = tiny_hsg()
    with pytest.raises(ValueError, match=r'\(B, 3, H, W\).*got \(1, 5'):
        model(torch.rand(1, 5, 16, 16))
    inputs, images = noisy_views()
    for args in ((inputs, None, None), (inputs[:, :3], None, images)):
        with pytest.raises(ValueError, match='MultiViewSegDataPreProcessor'):
            model(*args[:2], 'loss', args[2])
    inputs[0, 3, 0, 0] = torch.nan
    with pytest.raises(ValueError, match='integer labels, got NaN'):
        model.loss(inputs, None, images)
    with pytest.raises(UserError, match='`level` is 1, .* 1 levels'):
        tiny_hsg(HEADS['first stage'], level=1).segments(labelled()[0])
    for value in (torch.nan, torch.inf):
        torch.nn.init.constant_(model.neck.out.bias, value)
        with pytest.raises(UserError, match='embeddings .* are not finite'):
            model.eval().segments(*labelled())
