import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_model import HEADS, noisy_views, tiny_hsg
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank
from mmhierseg.models import HSG, HSGHead
from mmhierseg.ops import cluster_views

LOSSES = {'loss_img_sim', 'loss_hierarchy', 'loss_clustering'}


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


class TestTraining:

    @pytest.mark.parametrize('name', HEADS)
    def test_losses_are_those_of_the_head(self, name):
        """Embeddings are at stride 8; regions are those of every 8th pixel."""
        model = tiny_hsg(HEADS[name]).eval()
        inputs, images = noisy_views()
        losses = model(inputs, None, 'loss', images)
        assert set(losses) == LOSSES
        embeddings = model(inputs)
        assert embeddings.shape == (4, 8, 6, 8)
        # The network does not see the segment map.
        assert torch.equal(embeddings, model(inputs[:, :3]))
        segments = F.interpolate(inputs[:, 3:], (6, 8))[:, 0].long()
        expected = model.head.loss_from_embeddings(embeddings, segments,
                                                   images)
        assert losses == expected
        assert losses['loss_img_sim'] > 0
        for key in ('loss_hierarchy', 'loss_clustering'):
            assert bool(losses[key] > 0) == (name != 'first stage')

    @pytest.mark.parametrize('name', HEADS)
    def test_mixed_precision(self, name):
        """The network only: k-means and losses are in float32."""
        model = tiny_hsg(HEADS[name])
        inputs, images = noisy_views()
        seen = []
        model.neck.register_forward_hook(
            lambda module, args, output: seen.append(output))
        with torch.autocast('cpu', torch.bfloat16):
            losses = model(inputs, None, 'loss', images)
        embeddings, = seen
        assert embeddings.dtype == torch.bfloat16
        expected = model.head.loss_from_embeddings(
            embeddings.float(), inputs[:, 3, ::8, ::8].long(), images)
        for key, loss in losses.items():
            assert loss.dtype == torch.float32
            torch.testing.assert_close(loss, expected[key])
        sum(losses.values()).backward()
        assert all(parameter.grad.isfinite().all()
                   for parameter in model.parameters()
                   if parameter.requires_grad)


class TestRetrieval:

    def test_segments_are_kmeans_of_all_pixels(self):
        """With the clusters of the evaluation, not those of training."""
        model = tiny_hsg(kmeans_clusters=(4, 5), kmeans_iterations=2).eval()
        inputs, _ = labelled()
        with torch.no_grad():
            found = model.segments(inputs)
            pixels = F.normalize(
                F.interpolate(model(inputs), (32, 48), mode='bilinear'),
                dim=1)
        clusters = cluster_views(pixels, (4, 5), 2)
        for image in range(2):
            # The same segments with other ids.
            pairs = torch.stack([clusters[image], found.maps[image]])
            pairs = pairs.flatten(1).unique(dim=1)
            for ids in pairs:
                assert pairs.size(1) == ids.unique().numel() > 8
            for segment in pairs[1]:
                mean = pixels[image][:, found.maps[image] == segment].mean(1)
                torch.testing.assert_close(
                    found.prototypes[image, segment],
                    F.normalize(mean, dim=0))
        assert found.hierarchy.num_levels == 3

    @pytest.mark.parametrize('level', [0, 1, 2, -1])
    def test_predictions_are_those_of_the_bank(self, level):
        """The nearest neighbours of segments are the segments themselves."""
        model = tiny_hsg(level=level, num_neighbors=1).eval()
        inputs, samples = labelled(batch=3)
        features, labels, image = model.bank_entries(inputs, samples)
        model.set_bank(MemoryBank(features, labels))
        predictions = model(inputs, samples, 'predict')
        with torch.no_grad():
            maps = model.segments(inputs, samples).maps
        for i, sample in enumerate(predictions):
            ids = maps[i].unique()
            expected = torch.zeros(int(ids.max()) + 1).long()
            expected[ids] = labels[image == i]
            assert torch.equal(sample.pred_sem_seg.data[0], expected[maps[i]])
            hierarchy = sample.pred_hierarchy.data
            assert hierarchy.shape == (3, 32, 48)
            assert torch.equal(hierarchy[level], maps[i])

    def test_batch_independence(self):
        # Rounding depends on the batch and could decide between clusters.
        model = tiny_hsg().double().eval()
        inputs, samples = labelled()
        with torch.no_grad():
            both = model.segments(inputs.double(), samples)
            alone = model.segments(inputs[1:].double(), samples[1:])
        for level in range(3):
            assert torch.equal(
                both.hierarchy.label_map(level)[1:],
                alone.hierarchy.label_map(level))

    def test_padding_and_original_size(self):
        """Padding has no segment; results have the size of the truth."""
        model = tiny_hsg(num_neighbors=1).eval()
        inputs, samples = labelled()
        padded = F.pad(inputs, (0, 16, 0, 8))
        for sample in samples:
            sample.set_metainfo(
                dict(img_padding_size=(0, 16, 0, 8), ori_shape=(64, 96)))
            sample.gt_sem_seg = PixelData(
                data=sample.gt_sem_seg.data.repeat_interleave(
                    2, 1).repeat_interleave(2, 2))
        found = model.segments(padded, samples)
        assert (found.maps[:, :32, :48] >= 0).all()
        assert (found.maps[:, 32:] == -1).all()
        assert (found.maps[:, :, 48:] == -1).all()
        model.set_bank(MemoryBank(*model.bank_entries(padded, samples)[:2]))
        sample = model.predict(padded, samples)[0]
        assert sample.pred_sem_seg.data.shape == (1, 64, 96)
        assert sample.pred_sem_seg.data.max() < 3
        assert sample.pred_hierarchy.data.shape == (3, 64, 96)

    def test_meta_distinguishes_models(self):
        options = ({}, {}, dict(seed=1), dict(level=1),
                   dict(kmeans_clusters=(2, 2)), dict(kmeans_iterations=2))
        metas = [str(tiny_hsg(**each).bank_meta()) for each in options]
        assert metas[0] == metas[1] and len(set(metas)) == 5


def test_bad_inputs():
    model = tiny_hsg()
    modules = HSG(model.backbone, model.neck, HSGHead(8, 8), num_classes=4)
    with pytest.raises(ValueError, match=r'\(B, 3, H, W\).*got \(1, 5'):
        modules(torch.rand(1, 5, 16, 16))
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
