import numpy as np
import pytest
import torch
from helpers.figures import PALETTE, blended, halves, image_of, places_of
from mmengine.structures import BaseDataElement, PixelData

from mmhierseg.visualization import (
    map_shape,
    mean_colors,
    prediction_figure,
    sample_figure,
)


def test_shows_all_arguments():
    image = image_of(24, 40)
    target, prediction = halves(24, 40, 1, 255), halves(24, 40, 2, 1)
    maps = [halves(24, 40, 5, 9), np.zeros((24, 40), int)]
    figure = prediction_figure(image, maps, target, prediction, 'abc', PALETTE,
                               panel_size=40)
    assert figure.dtype == np.uint8 and figure.shape[2] == 3
    assert places_of(figure, image)
    red, blue = (blended(image, color) for color in PALETTE[1:])
    # Ignored pixels show the image without a colour.
    assert places_of(figure, np.hstack([red[:, :20], image[:, 20:]]))
    assert places_of(figure, np.hstack([blue[:, :20], red[:, 20:]]))
    for labels in maps:
        assert places_of(figure, mean_colors(image, labels))


def test_missing_arguments_are_left_out():
    image = image_of(24, 40)
    full = prediction_figure(
        image, [halves(24, 40, 0, 1)], halves(24, 40, 0, 1),
        halves(24, 40, 1, 0), panel_size=64)
    for parts in (dict(), dict(prediction=halves(24, 40, 1, 0)),
                  dict(label_maps=[halves(24, 40, 0, 1)])):
        figure = prediction_figure(image, panel_size=64, **parts)
        assert figure.size < full.size
    assert places_of(prediction_figure(image, panel_size=40), image)


def test_classes_beyond_the_palette_have_their_own_colours():
    image = np.zeros((24, 40, 3), np.uint8)
    figure = prediction_figure(
        image, prediction=halves(24, 40, 3, 4), palette=PALETTE,
        panel_size=40)
    known = {tuple(blended(image, color)[0, 0]) for color in PALETTE}
    assert not known & {tuple(color) for color in figure.reshape(-1, 3)} - {
        (0, 0, 0)}


@pytest.mark.parametrize('height, width', [(1, 1), (3, 200), (97, 31)])
def test_any_size(height, width):
    labels = halves(height, width, 0, 1)
    figure = prediction_figure(
        image_of(height, width), [labels] * 3, labels, labels, panel_size=64)
    assert 64 < figure.shape[0] < 400 and 100 < figure.shape[1] < 1200


@pytest.mark.parametrize('parts, error, message', [
    (dict(target=np.zeros((4, 4), int)), ValueError,
     r'`target` must be as large as `image`, \(24, 40\), got \(4, 4\)'),
    (dict(prediction=np.zeros((24, 40))), TypeError,
     '`prediction` must be an integer array, got dtype float64'),
    (dict(panel_size=2), ValueError, '`panel_size`'),
])
def test_bad_input(parts, error, message):
    with pytest.raises(error, match=message):
        prediction_figure(image_of(24, 40), **parts)


def test_sample_of_a_segmentor():
    """Ground truth of another size, as pipelines leave it, is resized."""
    image = image_of(24, 40)
    sample = BaseDataElement(
        gt_sem_seg=PixelData(
            data=torch.from_numpy(halves(12, 20, 1, 2))[None]),
        pred_sem_seg=PixelData(
            data=torch.from_numpy(halves(24, 40, 2, 1))[None]),
        pred_hierarchy=PixelData(data=torch.zeros(2, 24, 40).long()))
    assert map_shape(sample) == (24, 40)
    figure = sample_figure(
        image, sample, dict(classes='abc', palette=PALETTE), panel_size=40)
    red, blue = (blended(image, color) for color in PALETTE[1:])
    assert places_of(figure, np.hstack([red[:, :20], blue[:, 20:]]))
    assert places_of(figure, np.hstack([blue[:, :20], red[:, 20:]]))


def test_sample_of_a_classifier():
    """Class names are in the header, which makes the figure wider."""
    image = image_of(24, 40)
    sample = BaseDataElement(
        gt_label=torch.tensor([1]), pred_label=torch.tensor([0]),
        pred_score=torch.tensor([0.75, 0.25]))
    assert map_shape(sample) is None
    widths = [
        sample_figure(image, sample, meta, 'a.png', 40).shape[1]
        for meta in (dict(classes=('a', 'b')), dict(classes=('a', 'b' * 40)))
    ]
    assert widths[0] < widths[1]
