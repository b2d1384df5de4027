import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_model import HEADS, noisy_views, step, tiny_hsg
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.evaluation import MemoryBank
from mmhierseg.models import HSG, HSGHead
from mmhierseg.ops import cluster_views

FIRST_STAGE = HEADS['first stage']
LOSSES = {'loss_img_sim', 'loss_hierarchy', 'loss_clustering'}


def labelled(batch=2, height=32, width=48, seed=0):
    """Noise, and samples whose classes are those of three columns."""
    generator = torch.Generator().manual_seed(seed)
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
        """Of embeddings at stride 8, and the regions of every eighth pixel."""
        model = tiny_hsg(HEADS[name]).eval()
        inputs, images = noisy_views()
        losses = model(inputs, None, 'loss', images)
        assert set(losses) == LOSSES
        embeddings = model(inputs)
        assert embeddings.shape == (4, 8, 6, 8)
        segments = F.interpolate(inputs[:, 3:], (6, 8))[:, 0].long()
        assert segments.eq(inputs[:, 3, ::8, ::8]).all()
        expected = model.head.loss_from_embeddings(embeddings, segments,
                                                   images)
        assert losses == expected
        assert losses['loss_img_sim'] > 0
        for key in ('loss_hierarchy', 'loss_clustering'):
            assert bool(losses[key] > 0) == (name != 'first stage')

    @pytest.mark.parametrize('size', [(33, 50), (40, 30)])
    def test_sizes_that_the_stride_does_not_divide(self, size):
        model = tiny_hsg()
        inputs, images = noisy_views(height=size[0], width=size[1])
        losses = model.loss(inputs, None, images)
        assert all(loss.isfinite() for loss in losses.values())

    def test_segment_map_is_not_seen_by_the_network(self):
        model = tiny_hsg().eval()
        inputs, _ = noisy_views()
        torch.testing.assert_close(
            model(inputs), model(inputs[:, :3]), rtol=0, atol=0)

    def test_step_of_the_runner(self):
        """From two views of uint8 images, by `train_step`."""
        model = tiny_hsg()
        optimizer = build_optim_wrapper(
            model, dict(type='OptimWrapper', optimizer=dict(
                type='SGD', lr=0.1)))
        before = model.neck.out.weight.clone()
        inputs, _ = noisy_views()
        inputs[:, :3] = 40 * inputs[:, :3] + 120
        logs = model.train_step(
            dict(inputs=[inputs[:2], inputs[2:]], data_samples=[None] * 2),
            optimizer)
        assert set(logs) == LOSSES | {'loss'}
        assert not torch.equal(model.neck.out.weight, before)

    @pytest.mark.parametrize('name', HEADS)
    def test_everything_gets_a_gradient(self, name):
        _, gradients = step(tiny_hsg(HEADS[name]), *noisy_views())
        assert gradients
        for key, gradient in gradients.items():
            assert gradient is not None and gradient.isfinite().all(), key

    @pytest.mark.parametrize('name', HEADS)
    def test_mixed_precision(self, name):
        """Of the network only: k-means and losses are in float32."""
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

    def test_without_what_it_needs(self):
        inputs, images = noisy_views()
        model = tiny_hsg()
        for args in ((inputs, None, None), (inputs[:, :3], None, images)):
            with pytest.raises(ValueError,
                               match='MultiViewSegDataPreProcessor'):
                model(*args[:2], 'loss', args[2])

    def test_everything_ignored(self):
        inputs, images = noisy_views()
        inputs[:, 3] = -1
        losses = tiny_hsg().loss(inputs, None, images)
        assert all(loss == 0 for loss in losses.values())


class TestRetrieval:

    def test_segments_are_kmeans_at_all_pixels(self):
        model = tiny_hsg().eval()
        inputs, samples = labelled()
        with torch.no_grad():
            found = model.segments(inputs)
            pixels = F.normalize(
                F.interpolate(model(inputs), (32, 48), mode='bilinear'),
                dim=1)
        clusters = cluster_views(pixels, (2, 3), 15)
        for image in range(2):
            # The same segments, by other names.
            pairs = torch.stack([clusters[image], found.maps[image]])
            pairs = pairs.flatten(1).unique(dim=1)
            assert pairs.size(1) == pairs[0].unique().numel() > 1
            assert pairs.size(1) == pairs[1].unique().numel()
            for segment in found.maps[image].unique():
                mean = pixels[image][:, found.maps[image] == segment].mean(1)
                torch.testing.assert_close(
                    found.prototypes[image, segment],
                    F.normalize(mean, dim=0))
        assert found.hierarchy.num_levels == 3

    @pytest.mark.parametrize('value', [torch.nan, torch.inf])
    def test_weights_that_have_diverged(self, value):
        model = tiny_hsg().eval()
        torch.nn.init.constant_(model.neck.out.bias, value)
        with pytest.raises(ValueError, match='embeddings .* are not finite'):
            model.segments(*labelled())

    def test_clusters_are_of_the_evaluation(self):
        """Not those of training, (2, 2)."""
        model = tiny_hsg(kmeans_clusters=(4, 5), kmeans_iterations=1).eval()
        maps = model.segments(*labelled()).maps
        assert 8 < maps[0].unique().numel() <= 20

    @pytest.mark.parametrize('level', [0, 1, 2, -1])
    def test_predicts_what_the_bank_says(self, level):
        """Its own segments are the nearest."""
        model = tiny_hsg(level=level, num_neighbors=1).eval()
        inputs, samples = labelled(batch=3)
        features, labels, image = model.bank_entries(inputs, samples)
        model.set_bank(MemoryBank(features, labels))
        predictions = model(inputs, samples, 'predict')
        with torch.no_grad():
            maps = model.segments(inputs, samples).maps
        for i, sample in enumerate(predictions):
            own = labels[image == i]
            names = maps[i].unique()
            wanted = torch.zeros(int(names.max()) + 1).long()
            wanted[names] = own
            assert torch.equal(sample.pred_sem_seg.data[0], wanted[maps[i]])
            hierarchy = sample.pred_hierarchy.data
            assert hierarchy.shape == (3, 32, 48)
            assert torch.equal(hierarchy[level], maps[i])

    def test_first_stage_has_one_level(self):
        model = tiny_hsg(FIRST_STAGE, num_neighbors=1).eval()
        inputs, samples = labelled()
        entries = model.bank_entries(inputs, samples)
        # Segments are those of the evaluation, although training has one.
        assert len(entries[0]) > 4
        model.set_bank(MemoryBank(*entries[:2]))
        sample = model.predict(inputs, samples)[0]
        assert sample.pred_hierarchy.data.shape == (1, 32, 48)
        model.level = 1
        with pytest.raises(ValueError, match='`level` is 1, .* 1 levels'):
            model.predict(inputs, samples)

    def test_images_do_not_matter_to_each_other(self):
        # Rounding depends on the batch, and could decide between clusters.
        model = tiny_hsg().double().eval()
        inputs, samples = labelled()
        inputs = inputs.double()
        with torch.no_grad():
            both = model.segments(inputs, samples)
            alone = model.segments(inputs[1:], samples[1:])
        for level in range(3):
            torch.testing.assert_close(
                both.hierarchy.label_map(level)[1:],
                alone.hierarchy.label_map(level), rtol=0, atol=0)

    def test_padding_has_no_segment(self):
        """And leaves out its pixels' embeddings, whatever they are."""
        model = tiny_hsg(num_neighbors=1).eval()
        inputs, samples = labelled()
        padded = F.pad(inputs, (0, 16, 0, 8))
        for sample in samples:
            sample.set_metainfo(dict(img_padding_size=(0, 16, 0, 8)))
        found = model.segments(padded, samples)
        assert (found.maps[:, :32, :48] >= 0).all()
        assert (found.maps[:, 32:] == -1).all()
        assert (found.maps[:, :, 48:] == -1).all()
        model.set_bank(MemoryBank(*model.bank_entries(padded, samples)[:2]))
        sample = model.predict(padded, samples)[0]
        assert sample.pred_sem_seg.data.shape == (1, 32, 48)
        assert sample.pred_sem_seg.data.max() < 3

    def test_original_size(self):
        model = tiny_hsg(num_neighbors=1).eval()
        inputs, samples = labelled()
        for sample in samples:
            sample.set_metainfo(dict(ori_shape=(64, 96)))
            sample.gt_sem_seg = PixelData(
                data=sample.gt_sem_seg.data.repeat_interleave(
                    2, 1).repeat_interleave(2, 2))
        model.set_bank(MemoryBank(*model.bank_entries(inputs, samples)[:2]))
        sample = model.predict(inputs, samples)[0]
        assert sample.pred_sem_seg.data.shape == (1, 64, 96)
        assert sample.pred_hierarchy.data.shape == (3, 64, 96)

    def test_meta_tells_models_apart(self):
        models = [
            tiny_hsg(), tiny_hsg(), tiny_hsg(seed=1), tiny_hsg(level=1),
            tiny_hsg(kmeans_clusters=(2, 2)), tiny_hsg(kmeans_iterations=2)
        ]
        metas = [str(model.bank_meta()) for model in models]
        assert metas[0] == metas[1] and len(set(metas)) == 5

    def test_bank_is_needed(self):
        with pytest.raises(RuntimeError, match='MemoryBankHook'):
            tiny_hsg().eval().predict(*labelled())


def test_first_stage_fits_the_second():
    """All of its weights have a place; only the head's groups are new."""
    first = tiny_hsg(FIRST_STAGE, seed=1)
    second = tiny_hsg()
    result = second.load_state_dict(first.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert {key.split('.')[0] for key in result.missing_keys} == {'head'}


def test_modules_can_be_given():
    built = tiny_hsg()
    model = HSG(built.backbone, built.neck, HSGHead(8, 8), num_classes=4)
    assert model.backbone is built.backbone


@pytest.mark.parametrize('options, match', [
    (dict(num_classes=0), '`num_classes` must be at least 1, got 0'),
    (dict(num_neighbors=0), '`num_neighbors` must be at least 1'),
    (dict(kmeans_clusters=(0, 2)), r'`kmeans_clusters` .* got \(0, 2\)'),
    (dict(kmeans_clusters=(2, )), '`kmeans_clusters` must be two numbers'),
    (dict(kmeans_iterations=0), '`kmeans_iterations` must be at least 1'),
])
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        tiny_hsg(**options)


def test_bad_inputs():
    model = tiny_hsg()
    with pytest.raises(ValueError, match=r'\(B, 3, H, W\).*got \(1, 5'):
        model(torch.rand(1, 5, 16, 16))
    inputs, images = noisy_views()
    inputs[0, 3, 0, 0] = torch.nan
    with pytest.raises(ValueError, match='integer labels, got NaN'):
        model.loss(inputs, None, images)
