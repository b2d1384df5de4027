import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData

from mmhierseg.visualization import (
    map_shape,
    mean_colors,
    prediction_figure,
    sample_figure,
)
from mmhierseg.visualization.canvas import Panel, draw_grid, draw_legend

PALETTE = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]


def image_of(height, width):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def halves(height, width, left, right):
    labels = np.full((height, width), left)
    labels[:, width // 2:] = right
    return labels


def contains(figure, picture):
    """Whether a picture stands in the figure, pixel by pixel."""
    height, width = picture.shape[:2]
    rows, cols = np.nonzero((figure == picture[0, 0]).all(axis=2))
    return any(
        np.array_equal(figure[y:y + height, x:x + width], picture)
        for y, x in zip(rows, cols))


def blended(image, color, opacity=0.65):
    """One colour over the grey image, computed anew."""
    grey = image.astype(float).mean(axis=2, keepdims=True)
    mixed = opacity * np.array(color) + (1 - opacity) * grey
    return np.rint(mixed).astype(np.uint8)


def test_holds_all_that_is_given():
    image = image_of(24, 40)
    target, prediction = halves(24, 40, 1, 255), halves(24, 40, 2, 1)
    maps = [halves(24, 40, 5, 9), np.zeros((24, 40), int)]
    figure = prediction_figure(image, maps, target, prediction, 'abc', PALETTE,
                             panel_size=40)
    assert figure.dtype == np.uint8 and figure.shape[2] == 3
    assert contains(figure, image)
    red, blue = (blended(image, color) for color in PALETTE[1:])
    # Ignored pixels show the image as it is.
    assert contains(figure, np.hstack([red[:, :20], image[:, 20:]]))
    assert contains(figure, np.hstack([blue[:, :20], red[:, 20:]]))
    for labels in maps:
        assert contains(figure, mean_colors(image, labels))


def test_what_is_not_given_is_left_out():
    image = image_of(24, 40)
    full = prediction_figure(
        image, [halves(24, 40, 0, 1)], halves(24, 40, 0, 1),
        halves(24, 40, 1, 0), panel_size=64)
    for parts in (dict(), dict(prediction=halves(24, 40, 1, 0)),
                  dict(label_maps=[halves(24, 40, 0, 1)])):
        figure = prediction_figure(image, panel_size=64, **parts)
        assert figure.size < full.size
    assert contains(prediction_figure(image, panel_size=40), image)


def test_classes_beyond_the_palette_have_colours_too():
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


# ------------------------------------------------------------------- samples


def test_sample_of_a_segmentor():
    """Truth of another size, as pipelines leave it, comes to the image's."""
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
    assert contains(figure, np.hstack([red[:, :20], blue[:, 20:]]))
    assert contains(figure, np.hstack([blue[:, :20], red[:, 20:]]))


def test_sample_of_a_classifier():
    """Names are in the header, which makes the figure wider."""
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


# -------------------------------------------------------------------- canvas


def test_key_shows_colours_in_order():
    entries = [('short', (255, 0, 0)), ('a name that is too long ' * 9,
                                        (0, 255, 0))]
    key = draw_legend(entries, (60, 90), font_size=10)
    assert key.shape == (60, 90, 3)
    rows = [np.nonzero((key == color).all(axis=2))[0].mean()
            for _, color in entries]
    assert rows[0] < rows[1]


def test_key_without_room_counts_the_rest():
    entries = [(str(i), (i, 0, 0)) for i in range(100, 120)]
    key = draw_legend(entries, (60, 90), font_size=10)
    # Of four lines the last one says how many more there are.
    shown = [i for i in range(100, 120)
             if (key == (i, 0, 0)).all(axis=2).sum() > 50]
    assert shown == [100, 101, 102]


def test_rows_without_text_come_closer():
    picture = image_of(20, 30)
    titled = draw_grid([[Panel(picture, 'a')], [Panel(picture, 'a')]])
    bare = draw_grid([[Panel(picture, 'a')], [Panel(picture)]])
    assert bare.shape[0] < titled.shape[0]
    for figure in (titled, bare):
        assert contains(figure, picture)
