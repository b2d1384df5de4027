import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.measure import label
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg.superpixels import TorchSLIC
from mmhierseg.superpixels.color import rgb_to_lab
from mmhierseg.superpixels.connectivity import enforce_connectivity
from mmhierseg.superpixels.dense_slic import dense_slic
from mmhierseg.superpixels.empty_segments import fill_empty_segments
from mmhierseg.superpixels.grid import cell_of_pixel, cell_starts

pytestmark = pytest.mark.usefixtures('both_paths')


def naive_reference(lab, rows, columns, compactness, num_iterations):
    """SLIC pixel by pixel, in float64; lab (3, H, W)."""

    def eighths(values):
        return ((values * 8).round() / 8).double()

    _, height, width = lab.shape
    scale = compactness / max(height / rows, width / columns)
    row_of = cell_of_pixel(height, rows)
    column_of = cell_of_pixel(width, columns)
    y, x = (eighths(scale * (torch.arange(n) + 0.5)) for n in (height, width))
    points = torch.cat([eighths(lab), torch.stack(
        torch.meshgrid(y, x, indexing='ij'))]).permute(1, 2, 0)
    # Centres are rounded relative to the middle of cells.
    middle = [
        eighths(scale * (starts[:-1] + starts[1:]) / 2)
        for starts in (cell_starts(height, rows), cell_starts(width, columns))
    ]
    origin = torch.cat([torch.zeros(rows * columns, 3).double(),
                        torch.cartesian_prod(*middle).view(-1, 2)], dim=1)
    labels = row_of[:, None] * columns + column_of
    centres = origin.clone()
    for _ in range(num_iterations):
        for n in labels.unique():
            mean = points[labels == n].mean(0) - origin[n]
            centres[n] = origin[n] + eighths(mean)
        for i in range(height):
            for j in range(width):
                nearby = [
                    row * columns + column
                    for row in range(row_of[i] - 1, row_of[i] + 2)
                    for column in range(column_of[j] - 1, column_of[j] + 2)
                    if 0 <= row < rows and 0 <= column < columns
                ]
                distances = (points[i, j] - centres[nearby]).square().sum(1)
                labels[i, j] = nearby[int(distances.argmin())]
    return labels


@pytest.mark.parametrize('size, grid, compactness', [
    ((17, 26), (3, 5), 10), ((24, 16), (3, 2), 37.5), ((5, 30), (1, 4), 1),
    ((8, 8), (8, 8), 10)])
def test_agrees_with_naive_reference(photos, size, grid, compactness):
    lab = rgb_to_lab(photos[:, :, :size[0], :size[1]])
    labels = dense_slic(lab, grid, compactness, num_iterations=3)
    for image, found in zip(lab, labels):
        assert found.equal(naive_reference(image, *grid, compactness, 3))


def test_lab_agrees_with_scikit_image():
    levels = torch.tensor([0, 1, 5, 10, 11, 64, 128, 200, 255]).byte()
    image = torch.cartesian_prod(levels, levels, levels).T.reshape(3, 9, 81)
    turned = image.flip(0).transpose(1, 2).contiguous().transpose(1, 2)
    images = torch.stack([image, turned])
    lab = rgb_to_lab(images)
    assert lab.dtype == torch.float32
    np.testing.assert_allclose(
        lab.movedim(1, -1), rgb2lab(images.movedim(1, -1)), atol=2e-3)


def test_connected(photos):
    """Also under autocast, which changes nothing."""
    counts = [
        label(image, connectivity=1, background=-1).max()
        for connected in (True, False)
        for image in TorchSLIC(segment_size=8, connected=connected)(photos)
    ]
    assert counts[:2] == [168, 168] and sum(counts[2:]) > 400
    superpixels = TorchSLIC(segment_size=8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = superpixels(photos.float())
    assert found.equal(superpixels(photos))


@pytest.mark.parametrize('num_labels', [1, 2, 5])
def test_largest_parts_are_kept(num_labels):
    torch.manual_seed(num_labels)
    labels = torch.randint(0, num_labels, (4, 13, 22))
    # A snake, which needs many joins.
    labels[0, ::2] = num_labels - 1
    labels[0, 1::4, -1] = labels[0, 3::4, 0] = num_labels - 1
    result = enforce_connectivity(labels, num_labels)
    # The batch, numbers and the memory layout do not matter.
    order = torch.tensor([30, 2, 11, 5, 7])
    turned = order[labels].transpose(1, 2).contiguous().transpose(1, 2)
    alone = [enforce_connectivity(image[None], 31) for image in turned]
    assert order[result].equal(torch.cat(alone))
    assert enforce_connectivity(turned, 31).equal(order[result])
    assert result.equal(enforce_connectivity(result, num_labels))
    for image, before in zip(result, labels):
        assert image.unique().equal(before.unique())
        for number in before.unique():
            mine = image == number
            assert label(mine.numpy(), connectivity=1).max() == 1
            parts = torch.from_numpy(
                label((before == number).numpy(), connectivity=1)).long()
            sizes = parts.flatten().bincount()[1:]
            assert mine[parts == sizes.argmax() + 1].all()


@pytest.mark.parametrize('size, rows, columns', [((12, 20), 4, 5),
                                                 ((17, 26), 3, 5)])
def test_empty_segments_take_pixels_of_their_cells(size, rows, columns):
    # Segments of the own or a neighbouring cell, those of odd number rare.
    torch.manual_seed(0)
    steps = torch.randint(-1, 2, (2, 20, 3, *size))
    row = cell_of_pixel(size[0], rows)[:, None]
    column = cell_of_pixel(size[1], columns)
    cell = row * columns + column
    labels, *candidates = ((row + steps[0]).clamp(0, rows - 1) * columns +
                           (column + steps[1]).clamp(0, columns - 1))
    for candidate in candidates:
        labels = torch.where(labels % 2 == 1, candidate, labels)
    before = labels.clone()
    filled = fill_empty_segments(labels, rows, columns)
    assert labels.equal(before) and not filled.equal(labels)
    for old, new in zip(labels, filled):
        assert new.unique().equal(torch.arange(rows * columns))
        # Only pixels in the cells of empty segments change, to these segments,
        # and those of one other segment per cell.
        changed = old != new
        assert (new == cell)[changed].all()
        assert not torch.isin(new[changed], old.unique()).any()
        for number in new[changed].unique():
            assert len(old[changed & (new == number)].unique()) == 1
        assert new.equal(fill_empty_segments(old[None], rows, columns)[0])
    assert fill_empty_segments(filled, rows, columns).equal(filled)


def test_segment_that_gives_keeps_its_first_pixel():
    """Segment 4 has pixels only in the cells of 3 and 5, which are empty."""
    labels = torch.tensor([0, 1, 2]).repeat_interleave(3).repeat(6, 1)
    labels[3:] = 4
    labels[3:, 3:6] = 1
    filled = fill_empty_segments(labels[None], 2, 3)[0]
    expected = labels.clone()
    expected[3:, :3], expected[3:, 6:] = 3, 5
    expected[3, 0] = 4
    assert filled.equal(expected)


@pytest.mark.parametrize('segment_size, compactness', [(4, 10), (8, 0.1)])
def test_number_of_superpixels_is_exact(segment_size, compactness):
    """Even where centres coincide: in areas of one colour with one edge."""
    images = torch.zeros(2, 3, 48, 64, dtype=torch.uint8)
    images[0, :, :, 37:] = 255
    images[1, :, 11:] = torch.tensor([255, 0, 90])[:, None, None]
    labels = TorchSLIC(segment_size, compactness=compactness)(images)
    number = 48 * 64 // segment_size**2
    assert (labels.amax((1, 2)) + 1 == number).all()


class Operations(TorchDispatchMode):
    """List operations; `index` by a mask synchronises with a GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix('aten::')
        by_mask = name.startswith('index') and isinstance(args[1], list) and (
            torch.bool in [getattr(x, 'dtype', None) for x in args[1]])
        vars(self).setdefault('names', []).append(name + ' by mask' * by_mask)
        return func(*args, **(kwargs or {}))


def test_labels_can_be_changed_in_place(photos):
    """They are not tensors of inference mode, which autograd refuses."""
    for number in (1, 2):
        labels = TorchSLIC(segment_size=16)(photos[:number])
        assert not labels.is_inference()


@pytest.mark.slow
def test_in_a_compiled_graph(photos):
    torch._dynamo.reset()
    superpixels = TorchSLIC(segment_size=16)
    expected = superpixels(photos[:1])
    compiled = torch.compile(lambda x: superpixels(x) + 1, backend='eager')
    assert torch.equal(compiled(photos[:1]), expected + 1)


def test_no_loop_synchronises_with_a_gpu(photos, monkeypatch):
    """The operations do not depend on the content of images."""
    torch.manual_seed(0)
    noise = torch.randint(0, 256, photos.shape, dtype=torch.uint8)
    superpixels = TorchSLIC(segment_size=8, num_iterations=5)
    expected = [superpixels(x[:1]) for x in (photos, noise)]
    monkeypatch.setenv('MMHIERSEG_COMPILED', '0')
    for name in ('base', 'borders', 'connectivity', 'empty_segments'):
        monkeypatch.setattr(f'mmhierseg.superpixels.{name}.must_synchronize',
                            lambda tensor: True)
    # Fills the caches.
    superpixels(photos[:1])
    found = []
    for images, segments in zip((photos, noise), expected):
        with Operations() as record:
            labels = superpixels._segment(images[:1], 168)
        found.append(record.names)
        assert labels.equal(segments)
    assert found[0] == found[1]
    # Pixels of empty segments; runs, pairs of runs; pixels to absorb, twice.
    assert [name for name in found[0] if name.endswith('by mask') or
            name.startswith(('_local_scalar_dense', 'nonzero', 'equal',
                             'unique', 'repeat_interleave', 'masked_select'))
            ] == ['nonzero'] * 4 + ['repeat_interleave']


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_agrees_with_cpu(photos):
    superpixels = TorchSLIC(segment_size=8)
    expected = superpixels(photos)
    found = superpixels(photos.cuda())
    assert found.device.type == 'cuda' and found.cpu().equal(expected)
    alone = [superpixels(image[None].cuda()) for image in photos]
    assert found.equal(torch.cat(alone))
