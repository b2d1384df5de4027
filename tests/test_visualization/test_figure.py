import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData
from scene_figure import draw_scene_figure

from mmhierseg import visualization as vis
from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.visualization.canvas import Panel, draw_grid, draw_legend
from mmhierseg.visualization.segments import draw_label_map

PALETTE = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]


def image_of(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def places_of(figure, picture):
    """Places (y, x) of a picture in a figure, pixel by pixel."""
    height, width = picture.shape[:2]
    return [(int(y), int(x))
            for y, x in zip(*np.nonzero((figure == picture[0, 0]).all(axis=2)))
            if np.array_equal(figure[y:y + height, x:x + width], picture)]


def nested_maps(height, width):
    """Blocks of 4, 8 and 16 pixels: three nested levels."""
    rows, cols = np.mgrid[:height, :width]
    return [rows // n * 1000 + cols // n for n in (4, 8, 16)]


def halves(height, width, left, right):
    labels = np.full((height, width), left)
    labels[:, width // 2:] = right
    return labels


def blended(image, color, opacity=0.65):
    """One colour over the grey image."""
    grey = image.astype(float).mean(axis=2, keepdims=True)
    mixed = opacity * np.array(color) + (1 - opacity) * grey
    return np.rint(mixed).astype(np.uint8)


def test_shows_image_and_every_level():
    image, maps = image_of(24, 40), nested_maps(24, 40)
    for labels in maps:
        labels[:10, :10] = -1  # no segment
    # At the image's own size nothing is resampled.
    figure = vis.hierarchy_figure(image, maps, panel_size=40)
    assert figure.dtype == np.uint8 and figure.shape[2] == 3
    assert places_of(figure, image)
    assert places_of(figure, vis.draw_nested_boundaries(image, maps))
    for painted in vis.paint_levels(maps):
        assert places_of(figure, painted)
    means = vis.hierarchy_figure(image, maps, panel_size=40, colors='mean')
    for labels in maps:
        assert places_of(means, vis.mean_colors(image, labels))
    nothing = [np.full_like(labels, -1) for labels in maps]
    assert vis.hierarchy_figure(image, nothing, panel_size=40).size
    assert vis.level_titles(2) == ['Superpixels', 'Level 1']
    named = vis.hierarchy_figure(image, maps, ['a', 'b', 'c'], 'name', 40)
    assert named.shape[0] > figure.shape[0]  # the header takes its place


@pytest.mark.parametrize('height, width', [(1, 1), (3, 200), (97, 31)])
def test_any_size(height, width):
    image, labels = image_of(height, width), halves(height, width, 0, 1)
    figure = vis.prediction_figure(
        image, nested_maps(height, width), labels, labels, panel_size=64)
    # Columns are as wide as pictures of at most 64 pixels or titles.
    assert 64 < figure.shape[0] < 400 and 100 < figure.shape[1] < 1200


def test_children_are_shades_of_their_parent():
    maps = nested_maps(32, 48)
    maps[0][:2, :2] = -1
    painted = vis.paint_levels(maps)
    for labels, picture in zip(maps, painted):
        colors = {}
        for label, color in zip(labels.ravel(), picture.reshape(-1, 3)):
            assert colors.setdefault(label, tuple(color)) == tuple(color)
        assert len(set(colors.values())) == len(colors)
    assert (painted[0][0, 0] == 128).all()
    # Nearer to the parent's than to another's.
    own = np.abs(painted[0].astype(int) - painted[2]).sum(2)
    other = np.abs(painted[0].astype(int) - painted[2][::-1, ::-1]).sum(2)
    assert own[2:].mean() < 0.6 * other[2:].mean()


def test_means_are_those_of_the_whole_image():
    """At half size, not those of the pixels that are left."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[::2] = 200
    figure = vis.hierarchy_figure(
        image, [np.zeros((32, 64), int)], panel_size=32, colors='mean')
    assert places_of(figure, np.full((16, 32, 3), 100, np.uint8))


def test_shows_ground_truth_and_prediction():
    image = image_of(24, 40)
    target, prediction = halves(24, 40, 1, 255), halves(24, 40, 2, 1)
    maps = [halves(24, 40, 5, 9), np.zeros((24, 40), int)]
    figure = vis.prediction_figure(
        image, maps, target, prediction, 'abc', PALETTE, panel_size=40)
    assert places_of(figure, image)
    red, blue = (blended(image, color) for color in PALETTE[1:])
    # Ignored pixels show the image without a colour.
    assert places_of(figure, np.hstack([red[:, :20], image[:, 20:]]))
    assert places_of(figure, np.hstack([blue[:, :20], red[:, 20:]]))
    for painted in vis.paint_levels(maps):
        assert places_of(figure, painted)
    # Missing arguments are left out.
    for parts in (dict(), dict(prediction=prediction), dict(label_maps=maps)):
        part = vis.prediction_figure(image, panel_size=40, **parts)
        assert part.size < figure.size and places_of(part, image)
    # Classes beyond the palette have colours of their own.
    beyond = vis.prediction_figure(
        image, (), target + 2, None, None, PALETTE, '', 40)
    assert not places_of(beyond, red[:, :20])


def test_data_samples():
    """Ground truth of another size, as pipelines leave it, is resized."""
    image = image_of(24, 40)
    sample = BaseDataElement(
        gt_sem_seg=PixelData(
            data=torch.from_numpy(halves(12, 20, 1, 2))[None]),
        pred_sem_seg=PixelData(
            data=torch.from_numpy(halves(24, 40, 2, 1))[None]),
        pred_hierarchy=PixelData(data=torch.zeros(2, 24, 40).long()))
    assert vis.map_shape(sample) == (24, 40)
    figure = vis.sample_figure(
        image, sample, dict(classes='abc', palette=PALETTE), panel_size=40)
    red, blue = (blended(image, color) for color in PALETTE[1:])
    assert places_of(figure, np.hstack([red[:, :20], blue[:, 20:]]))
    assert places_of(figure, np.hstack([blue[:, :20], red[:, 20:]]))
    # Class names of a classifier are in the header, and make it wider.
    sample = BaseDataElement(
        gt_label=torch.tensor([1]), pred_label=torch.tensor([0]),
        pred_score=torch.tensor([0.75, 0.25]))
    assert vis.map_shape(sample) is None
    short, long = (
        vis.sample_figure(image, sample, meta, 'a.png', 40).shape[1]
        for meta in (dict(classes='ab'), dict(classes=('a', 'b' * 40))))
    assert short < long


@pytest.mark.parametrize('draw, kwargs, error, message', [
    (vis.hierarchy_figure, dict(label_maps=[]), ValueError, 'not empty'),
    (vis.hierarchy_figure, dict(titles=['a']), ValueError, 'one length.* 3,'),
    (vis.hierarchy_figure, dict(panel_size=40.5), TypeError, 'an integer'),
    (vis.prediction_figure, dict(target=np.zeros((4, 4), int)), ValueError,
     r'\(H, W\) of `target`, \(4, 4\), got \(24, 40, 3\)'),
])
def test_bad_input(draw, kwargs, error, message):
    arguments = dict(image=image_of(24, 40), label_maps=nested_maps(24, 40))
    with pytest.raises(error, match=message):
        draw(**{**arguments, **kwargs})


def test_grid_has_room_for_titles():
    narrow = Panel(np.zeros((30, 4, 3), np.uint8), 'A long title', 'note')
    one, two = (draw_grid([[narrow] * n]).shape[1] for n in (1, 2))
    assert two - one > 60
    # Without captions, pictures of 8 x 30 pixels and gaps of 10 around them.
    picture = Panel(image_of(8, 30))
    grid = draw_grid([[picture, picture], [picture]], font_size=10)
    assert grid.shape[:2] == (10 + 2 * 18, 10 + 2 * 40)


def test_legend_counts_what_does_not_fit():
    entries = [(f'{i} ' * 40, (i, 0, 0)) for i in range(100, 120)]
    legend = draw_legend(entries, (60, 90), font_size=10)
    assert legend.shape == (60, 90, 3)
    shown = [i for i in range(100, 120)
             if (legend == (i, 0, 0)).all(axis=2).sum() > 50]
    # The last of four lines counts the rest.
    assert shown == [100, 101, 102]


def test_scenes_have_their_maps_below():
    options = SceneOptions(
        size=(32, 48), categories=SceneOptions().categories[:7])
    figure = draw_scene_figure(0, options)
    for i in range(7):
        scene = make_scene(0, i, options)
        places = [places_of(figure, scene.image)] + [
            places_of(figure, draw_label_map(getattr(scene, name)))
            for name in ('semantic', 'objects', 'parts')
        ]
        column = places[0][0][1]
        rows = [[y for y, x in found if x == column] for found in places]
        # With one object, its semantic and its object map may be equal.
        assert rows[0][0] < rows[1][0] <= rows[2][-1] < rows[3][-1]


def test_label_map_has_distinct_colours():
    colours = draw_label_map(np.arange(60).reshape(6, 10)).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) == 60
    # Neighbouring numbers, as the parts of a category have, differ clearly.
    assert abs(np.diff(colours.astype(int), axis=0)).sum(1).min() > 100


@pytest.fixture
def image():
    return image_of(13, 22)


@pytest.fixture
def labels():
    """Four blocks; the last has no segment. H != W."""
    labels = np.zeros((13, 22), dtype=np.int64)
    labels[:6, 10:] = 3
    labels[6:, :10] = 9
    labels[6:, 10:] = -1
    return labels


@pytest.mark.parametrize('width, columns, rows', [
    (1, [10], [6]), (2, [9, 10], [5, 6]), (3, [9, 10, 11], [5, 6, 7])])
def test_lines_lie_at_the_change(labels, width, columns, rows):
    """Between columns 9 and 10, and between rows 5 and 6."""
    expected = np.zeros(labels.shape, dtype=bool)
    expected[:, columns] = expected[rows] = True
    np.testing.assert_array_equal(vis.boundary_mask(labels, width), expected)
    assert vis.boundary_mask(np.array([[0, 1]]), width=9).all()


def test_numbering_does_not_matter(labels):
    renamed = np.select([labels == 0, labels == 3, labels == 9],
                        [900000, 1, 0], default=-7)
    unsigned = np.where(labels < 0, 5, labels).astype(np.uint16)
    for same in (renamed, unsigned):
        np.testing.assert_array_equal(
            vis.boundary_mask(same, 3), vis.boundary_mask(labels, 3))
    # All negative labels mean none.
    assert not vis.boundary_mask(np.array([[-1, -2], [-3, -1]])).any()
    assert not vis.boundary_mask(np.zeros((1, 5), dtype=int), 3).any()


def test_only_lines_change(image, labels):
    labels, before = np.where(labels < 0, 4, labels), image.copy()
    drawn = vis.draw_boundaries(image, labels, (1, 2, 3), outline=0)
    mask = vis.boundary_mask(labels)
    assert (drawn[mask] == (1, 2, 3)).all()
    np.testing.assert_array_equal(drawn[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    # The outline darkens both sides.
    image = np.full((*labels.shape, 3), 200, dtype=np.uint8)
    drawn = vis.draw_boundaries(image, labels, (0, 0, 0), outline=0.5)
    assert (drawn[0, [9, 11]] == 100).all()
    assert (drawn[0, [8, 12]] == 200).all()
    # Pixels without a segment turn grey.
    none = vis.draw_boundaries(image, np.full_like(labels, -1), outline=0)
    assert (none == 164).all()


def test_mean_colors(image, labels):
    painted = vis.mean_colors(image, labels)
    for label in (0, 3, 9):
        inside = labels == label
        assert (painted[inside] == np.rint(image[inside].mean(axis=0))).all()
    assert (painted[labels < 0] == 128).all()
    assert vis.count_segments(labels) == 3
    assert vis.count_segments(np.full((2, 3), -1)) == 0


@pytest.mark.parametrize('changed, error, message', [
    (dict(image=np.zeros((4, 5, 3))), TypeError, '`image` must be uint8'),
    (dict(image=np.zeros((4, 5), np.uint8)), ValueError, r'\(H, W, 3\)'),
    (dict(labels=np.zeros((4, 5))), TypeError, '`labels` .* dtype float64'),
    (dict(labels=np.zeros((1, 4, 5), int)), ValueError, r'got \(1, 4, 5'),
    (dict(labels=np.zeros((5, 4), int)), ValueError, r'of `labels`, \(5, 4'),
])
def test_bad_label_maps(image, labels, changed, error, message):
    arguments = {**dict(image=image, labels=labels), **changed}
    for draw in (vis.draw_boundaries, vis.mean_colors):
        with pytest.raises(error, match=message):
            draw(**arguments)
    with pytest.raises(ValueError, match='`width` must be at least 1, got 0'):
        vis.boundary_mask(labels, 0)


def view(height, width, seed=0, **options):
    mask = np.zeros((height, width), bool)
    mask[height // 3:, width // 2:] = True
    return vis.SegmentView(image_of(height, width, seed), mask, **options)


def test_segment_keeps_its_colours_and_the_rest_is_grey():
    image, mask = view(24, 40)[:2]
    drawn = vis.highlight_segment(image, mask)
    line = vis.boundary_mask(mask.astype(int), 2)
    line[-1] |= mask[-1]
    line[:, -1] |= mask[:, -1]
    inside, outside = mask & ~line, ~mask & ~line
    np.testing.assert_array_equal(drawn[inside], image[inside])
    grey = np.rint(0.5 * image.mean(axis=2)[outside])
    assert (drawn[outside] == grey[:, None]).all()
    assert (drawn[line] == (255, 214, 10)).all()
    # One that covers the image has an outline, too.
    drawn = vis.highlight_segment(image, np.ones_like(mask))
    frame = np.ones_like(mask)
    frame[1:-1, 1:-1] = False
    assert (drawn[frame] == (255, 214, 10)).all()
    np.testing.assert_array_equal(drawn[~frame], image[~frame])


def test_matches_follow_the_query():
    views = [view(24, 40, i, title=f'{i}') for i in range(7)]
    figure = vis.retrieval_figure(views[0], views[1:], panel_size=40)
    tops, lefts = zip(*(
        places_of(figure, vis.highlight_segment(image, mask))[0]
        for image, mask, *_ in views))
    # Five beside it; the sixth below them, not below the query.
    assert len(set(tops[:6])) == 1 and tops[6] > tops[0]
    assert sorted(lefts[:6]) == list(lefts[:6]) and lefts[6] == lefts[1]


def test_images_of_any_shape():
    tall, wide = view(40, 20), view(20, 40)
    figure = vis.retrieval_figure(tall, [wide], panel_size=40)
    for image, mask, *_ in (tall, wide):
        assert places_of(figure, vis.highlight_segment(image, mask))
    # Wide pictures alone take no more height than they need.
    assert len(vis.retrieval_figure(wide, [wide], panel_size=40)) == (
        len(figure) - 20)


def test_marks_the_point(x=59, y=29):
    figure = vis.retrieval_figure(
        view(30, 60, point=(x, y)), [], panel_size=60)
    rows, columns = np.nonzero((figure == (230, 57, 70)).all(axis=2))
    top, left = np.argwhere((figure != 255).any(axis=2)).min(axis=0)
    assert abs(columns.mean() - left - x) < 3
    assert abs(rows.mean() - top - y) < 3
