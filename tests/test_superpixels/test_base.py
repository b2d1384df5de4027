"""Properties of all superpixel methods."""

import logging
import pickle

import mmengine.logging
import pytest
import torch
from mmengine.registry import DefaultScope

from mmhierseg.registry import SUPERPIXELS
from mmhierseg.superpixels import SEEDS, SLIC, Grid, TorchSLIC

METHODS = [SEEDS, SLIC, Grid, TorchSLIC]
SIZES = [(1, 1), (1, 40), (40, 1), (3, 5), (15, 15), (16, 16), (33, 20),
         (50, 97), (2, 300)]


def assert_compact(labels):
    """Labels of each image are 0..N-1, every one in use."""
    for image in labels:
        used = image.unique()
        assert used.equal(torch.arange(used.numel()))


@pytest.mark.parametrize('method', METHODS)
class TestEveryMethod:

    @pytest.mark.parametrize('size', SIZES)
    @pytest.mark.parametrize('half_resolution', [False, True])
    def test_any_size(self, method, size, half_resolution):
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(
            0, 256, (2, 3, *size), generator=generator, dtype=torch.uint8)
        labels = method(
            segment_size=8, half_resolution=half_resolution)(images)
        assert labels.shape == (2, *size)
        assert labels.dtype == torch.int64
        assert_compact(labels)

    def test_number_of_segments(self, method, photos):
        # 96 * 112 / 64 = 168; scikit-image's SLIC is only roughly right.
        counts = method(segment_size=8)(photos).amax((1, 2)) + 1
        slack = 0.4 if method is SLIC else 0.05
        assert ((counts - 168).abs() <= slack * 168).all()
        same = method(num_segments=168)(photos)
        assert same.equal(method(segment_size=8)(photos))

    def test_batch_mates_do_not_matter(self, method, photos):
        images = torch.cat([photos, photos.flip(3)])
        together = method(segment_size=8)(images)
        alone = [method(segment_size=8)(image[None]) for image in images]
        assert together.equal(torch.cat(alone))

    def test_dtype_and_memory_layout(self, method, photos):
        superpixels = method(segment_size=8)
        before = photos.float().requires_grad_()
        labels = superpixels(photos)
        assert superpixels(before).equal(labels) and not labels.requires_grad
        assert before.detach().equal(photos.float())
        # Rounding errors of undoing a normalisation.
        assert superpixels(photos.float() + 1e-3).equal(labels)
        assert superpixels(
            photos.contiguous(memory_format=torch.channels_last)).equal(labels)
        wide = torch.zeros(2, 3, 96, 224, dtype=torch.uint8)
        wide[..., ::2] = photos
        assert superpixels(wide[..., ::2]).equal(labels)

    def test_half_resolution(self, method, photos):
        labels = method(segment_size=8, half_resolution=True)(photos)
        blocks = labels.unfold(1, 2, 2).unfold(2, 2, 2)
        assert blocks.amin((-1, -2)).equal(blocks.amax((-1, -2)))
        # About as many as at full resolution.
        assert (labels.amax((1, 2)) + 1 > 0.5 * 168).all()

    def test_special_images(self, method, photos):
        """No image, smaller than a segment, of one colour."""
        assert method()(torch.zeros(0, 3, 40, 50)).shape == (0, 40, 50)
        assert not method()(photos[:, :, :15, :15]).any()
        assert_compact(method()(torch.full((1, 3, 64, 48), 7.)))

    def test_pickles_for_data_loader_workers(self, method, photos):
        superpixels = method(segment_size=8)
        copy = pickle.loads(pickle.dumps(superpixels))
        assert copy(photos).equal(superpixels(photos))

    @pytest.mark.parametrize('options, error, message', [
        (dict(segment_size=16, num_segments=196), ValueError, r'`segment_size`'
         r' \(16\) and `num_segments` \(196\) .* give one of them only'),
        (dict(segment_size=0), ValueError, '`segment_size` must be at least'),
        (dict(segment_size=float('nan')), ValueError, '`segment_size` must'),
        (dict(segment_size='16'), TypeError, '`segment_size` must be a num'),
        (dict(num_segments=0), ValueError, '`num_segments` must be at least'),
        (dict(num_segments=9.5), TypeError, '`num_segments` must be an int'),
        (dict(num_segments=True), TypeError, '`num_segments` must be an int'),
    ])
    def test_bad_options(self, method, options, error, message):
        with pytest.raises(error, match=message):
            method(**options)

    @pytest.mark.parametrize('images, error, message', [
        ([1], TypeError, 'must be a tensor .* got list'),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), TypeError, 'torch.int64'),
        (torch.zeros(3, 4, 4), ValueError, r'got \(3, 4, 4\).* batch axis'),
        (torch.zeros(1, 4, 4, 4), ValueError, r'got \(1, 4, 4, 4\)'),
        (torch.zeros(1, 3, 0, 4), ValueError, 'at least one pixel'),
        (torch.full((1, 3, 4, 4), float('nan')), ValueError, 'NaN'),
        (torch.full((1, 3, 4, 4), float('inf')), ValueError, 'infinity'),
    ])
    def test_bad_images(self, method, images, error, message):
        with pytest.raises(error, match=message):
            method()(images)

    @pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmengine'])
    def test_builds_in_any_scope(self, method, scope, monkeypatch, recwarn):
        levels = []

        def record(message, logger=None, level=logging.INFO):
            levels.append(level)

        # The registry imports it where it warns.
        monkeypatch.setattr(mmengine.logging, 'print_log', record)
        with DefaultScope.overwrite_default_scope(scope):
            for prefix in ('', 'mmhierseg.'):
                config = dict(
                    type=prefix + method.__name__, segment_size=12)
                assert type(SUPERPIXELS.build(config)) is method
        assert all(level < logging.WARNING for level in levels)
        assert not recwarn.list


def test_segments_for():
    assert Grid().segments_for(224, 224) == 196
    assert Grid(segment_size=16).segments_for(512, 512) == 1024
    assert Grid(segment_size=16).segments_for(10, 10) == 1
    assert Grid(num_segments=50).segments_for(5, 6) == 30


def test_check_can_be_switched_off():
    images = torch.full((1, 3, 40, 40), float('nan'))
    assert Grid(check_finite=False)(images).shape == (1, 40, 40)


def test_odd_half_resolution_uses_every_pixel():
    # 5 x 5 becomes 3 x 3 cells; the last row and column are one pixel wide.
    superpixels = Grid(segment_size=1, half_resolution=True)
    labels = superpixels(torch.zeros(1, 3, 5, 5))
    expected = torch.tensor([0, 0, 1, 1, 2])
    assert labels[0].equal(3 * expected[:, None] + expected)
