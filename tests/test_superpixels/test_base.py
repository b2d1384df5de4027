"""Properties of all superpixel methods."""

import logging
import pickle

import cv2
import mmengine.logging
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from skimage.data import astronaut
from skimage.segmentation import slic

from mmhierseg.registry import SUPERPIXELS
from mmhierseg.superpixels import SEEDS, SLIC, Grid, TorchSLIC
from mmhierseg.superpixels.grid import cell_of_pixel, cell_starts, grid_shape

METHODS = [SEEDS, SLIC, Grid, TorchSLIC]


@pytest.mark.parametrize('method', METHODS)
class TestEveryMethod:

    @pytest.mark.parametrize('size, options', [
        ((3, 5), dict(segment_size=8)), ((33, 20), dict(segment_size=8)),
        ((50, 97), dict(segment_size=8)),
        # OpenCV alone crashes or hangs on each of these.
        ((2, 2), dict(num_segments=4)), ((7, 90), dict(segment_size=16)),
        ((1, 40), dict(num_segments=2)), ((3, 40), dict(num_segments=3)),
        ((30, 7), dict(num_segments=3)), ((64, 64), dict(num_segments=4096)),
    ])
    @pytest.mark.parametrize('half_resolution', [False, True])
    def test_any_size(self, method, size, options, half_resolution):
        torch.manual_seed(0)
        images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
        labels = method(half_resolution=half_resolution, **options)(images)
        assert labels.shape == (2, *size) and labels.dtype == torch.int64
        for image in labels:
            assert image.unique().equal(torch.arange(image.max() + 1))

    def test_number_of_segments(self, method, photos):
        # 96 * 112 / 64 = 168; scikit-image's SLIC is only roughly right.
        counts = method(segment_size=8)(photos).amax((1, 2)) + 1
        slack = 0.4 if method is SLIC else 0.05
        assert ((counts - 168).abs() <= slack * 168).all()
        same = method(num_segments=168)(photos)
        assert same.equal(method(segment_size=8)(photos))
        # About as many at half resolution.
        labels = method(segment_size=8, half_resolution=True)(photos)
        assert (labels.amax((1, 2)) + 1 > 0.5 * 168).all()
        blocks = labels.unfold(1, 2, 2).unfold(2, 2, 2)
        assert blocks.amin((-1, -2)).equal(blocks.amax((-1, -2)))

    def test_batch_dtype_layout_and_pickling_do_not_matter(
            self, method, photos):
        superpixels = method(segment_size=8)
        labels = superpixels(photos)
        before = photos.float().requires_grad_()
        assert superpixels(before).equal(labels) and not labels.requires_grad
        assert before.detach().equal(photos.float())
        wide = torch.zeros(2, 3, 96, 224, dtype=torch.uint8)
        wide[..., ::2] = photos
        for same in (
                photos.float() + 1e-3,  # rounding errors of a normalisation
                photos.contiguous(memory_format=torch.channels_last),
                wide[..., ::2]):
            assert superpixels(same).equal(labels)
        # Data loaders pickle it for their workers.
        copy = pickle.loads(pickle.dumps(superpixels))
        alone = [copy(image[None]) for image in photos]
        assert labels.equal(torch.cat(alone))

    def test_special_images(self, method, photos):
        """No image, smaller than a segment, of one colour."""
        assert method()(torch.zeros(0, 3, 40, 50)).shape == (0, 40, 50)
        assert not method()(photos[:, :, :15, :15]).any()
        labels = method()(torch.full((1, 3, 64, 48), 7.))
        assert labels.unique().equal(torch.arange(labels.max() + 1))

    @pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg'])
    def test_builds_in_any_scope(self, method, scope, monkeypatch, recwarn):

        def print_log(message, logger=None, level=logging.INFO):
            assert level < logging.WARNING, message

        # The registry imports it where it warns.
        monkeypatch.setattr(mmengine.logging, 'print_log', print_log)
        with DefaultScope.overwrite_default_scope(scope):
            for prefix in ('', 'mmhierseg.'):
                config = dict(type=prefix + method.__name__, segment_size=12)
                assert type(SUPERPIXELS.build(config)) is method
        assert not recwarn.list


@pytest.mark.parametrize('method, options, error, message', [
    (Grid, dict(segment_size=16, num_segments=196), ValueError,
     r'\(16\) and `num_segments` \(196\) .* give one of them only'),
    (Grid, dict(segment_size=0), ValueError, '`segment_size` must be at lea'),
    (Grid, dict(segment_size='16'), TypeError, '`segment_size` must be a num'),
    (Grid, dict(num_segments=9.5), TypeError, '`num_segments` must be an int'),
    (SLIC, dict(compactness=0), ValueError, '`compactness` must be at least'),
    (SLIC, dict(sigma=-1), ValueError, '`sigma` must be at least 0, got -1'),
    (TorchSLIC, dict(compactness=101), ValueError, 'at most 100, got 101'),
    (SEEDS, dict(segment_size=1), ValueError, '`segment_size` must be at le'),
    (SEEDS, dict(histogram_bins=0), ValueError, '`histogram_bins` must be at'),
    (SEEDS, dict(prior=6), ValueError, '`prior` must be at most 5'),
])
def test_bad_options(method, options, error, message):
    with pytest.raises(error, match=message):
        method(**options)


@pytest.mark.parametrize('images, error, message', [
    ([1], TypeError, 'must be a tensor .* got list'),
    (torch.zeros(1, 3, 4, 4, dtype=torch.int64), TypeError, 'torch.int64'),
    (torch.zeros(3, 4, 4), ValueError, r'got \(3, 4, 4\).* batch axis'),
    (torch.zeros(1, 4, 4, 4), ValueError, r'got \(1, 4, 4, 4\)'),
    (torch.zeros(1, 3, 0, 4), ValueError, 'at least one pixel'),
    (torch.full((1, 3, 4, 4), float('nan')), ValueError, 'NaN or infinity'),
])
def test_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        Grid()(images)
    if 'NaN' in message:
        assert Grid(check_finite=False)(images).shape == (1, 4, 4)


def test_inverted(photos):
    """The published negative: (256 - v) mod 256, of bytes and of floats."""
    negative = ((256 - photos.long()) % 256).byte()
    superpixels = SEEDS(inverted=True)
    assert superpixels(photos).equal(SEEDS()(negative))
    assert superpixels(photos.float()).equal(SEEDS()(negative))
    assert not superpixels(photos).equal(SEEDS()(photos))


def test_grid():
    assert Grid().segments_for(224, 224) == 196
    assert Grid(segment_size=16).segments_for(10, 10) == 1
    assert Grid(num_segments=50).segments_for(5, 6) == 30
    for size in ((224, 224), (375, 1242), (7, 90), (50, 1)):
        for number in (1, 2, 7, 50):
            rows, columns = grid_shape(*size, number)
            assert 1 <= rows <= size[0] and 1 <= columns <= size[1]
            assert 2 / 3 * number <= rows * columns <= 3 / 2 * number
    for length in range(1, 20):
        for num_cells in range(1, length + 1):
            lengths = cell_starts(length, num_cells).diff()
            assert lengths.sum() == length
            assert 1 <= lengths.min() and lengths.max() - lengths.min() <= 1
            assert cell_of_pixel(length, num_cells).bincount().equal(lengths)
    # Patches of a vision transformer.
    labels = Grid(segment_size=16)(torch.zeros(1, 3, 64, 96))[0]
    patches = torch.arange(24).view(4, 6)
    assert labels.equal(torch.kron(patches, torch.ones(16, 16).long()))
    # 5 x 5 becomes 3 x 3 cells; the last row and column are one pixel wide.
    labels = Grid(segment_size=1, half_resolution=True)(
        torch.zeros(1, 3, 5, 5))
    expected = torch.tensor([0, 0, 1, 1, 2])
    assert labels[0].equal(3 * expected[:, None] + expected)


def test_slic_is_that_of_scikit_image(photos):
    labels = SLIC(num_segments=60, compactness=20, num_iterations=4)(photos)
    for image, found in zip(photos, labels):
        expected = slic(image.permute(1, 2, 0).numpy(), n_segments=60,
                        compactness=20, max_num_iter=4, start_label=0)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('size, num_superpixels', [((224, 224), 196),
                                                   ((150, 211), 123)])
@pytest.mark.parametrize('bins, iterations, options', [
    (15, 20, {}),  # pre-training, the default
    (5, 15, dict(histogram_bins=5, num_iterations=15))])
def test_seeds_with_the_recipes_of_cast(size, num_superpixels, bins,
                                        iterations, options):
    """It is OpenCV's."""
    rgb = np.ascontiguousarray(astronaut()[:size[0], 60:60 + size[1]])
    seeds = cv2.ximgproc.createSuperpixelSEEDS(
        *size[::-1], 3, num_superpixels, num_levels=1, prior=2,
        histogram_bins=bins, double_step=False)
    seeds.iterate(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), iterations)
    # OpenCV's labels without gaps.
    expected = np.unique(
        seeds.getLabels(), return_inverse=True)[1].reshape(size)
    images = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    np.testing.assert_array_equal(SEEDS(**options)(images)[0], expected)


def test_opencv_without_contributed_modules(monkeypatch):
    monkeypatch.delattr(cv2, 'ximgproc')
    message = (r'SEEDS needs OpenCV with its contributed modules.*'
               r'pip install --force-reinstall --no-deps '
               r'"opencv-contrib-python-headless==\d+\.\d+.*"')
    with pytest.raises(ImportError, match=message):
        SEEDS()
