import pytest
import torch
from helpers.hsg import tiny_head, tiny_views
from torch import nn

from mmhierseg.models import HSGHead
from mmhierseg.registry import MODELS

NO_GROUPS = dict(
    fine_weight=0., coarse_weight=0., grouping_weight=0., centroid_weight=0.)
TERMS = ('loss_img_sim', 'loss_hierarchy', 'loss_clustering')


def losses_and_gradient(head, embeddings, segments, image_index):
    """The three losses, and the gradient of their sum."""
    embeddings = embeddings.detach().requires_grad_()
    losses = head.loss_from_embeddings(embeddings, segments, image_index)
    assert tuple(losses) == TERMS
    total = sum(losses.values())
    assert total.isfinite()
    if total.requires_grad:
        total.backward()
        assert embeddings.grad.isfinite().all()
    return torch.stack(list(losses.values())).detach(), embeddings.grad


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


@pytest.fixture(params=[20, None], ids=['padded', 'longest'])
def pad_length(request):
    return request.param


# ------------------------------------------------------- names and orders


def test_numbers_of_regions_and_images_are_names(pad_length):
    head = tiny_head(pad_length=pad_length)
    embeddings, segments, image_index = tiny_views()
    losses, gradient = losses_and_gradient(head, embeddings, segments,
                                           image_index)
    renamed = torch.where(segments < 0, -5, 10**6 - 11 * segments)
    again, gradient_again = losses_and_gradient(head, embeddings, renamed,
                                                900 - 7 * image_index)
    close(again, losses)
    close(gradient_again, gradient)


def test_views_need_not_be_neighbours(pad_length):
    head = tiny_head(pad_length=pad_length)
    inputs = tiny_views()
    order = torch.tensor([2, 1, 0, 3])
    losses, gradient = losses_and_gradient(head, *inputs)
    again, gradient_again = losses_and_gradient(
        head, *(value[order] for value in inputs))
    close(again, losses)
    close(gradient_again, gradient[order])


def test_only_the_direction_of_an_embedding_counts():
    head = tiny_head()
    embeddings, segments, image_index = tiny_views()
    scale = torch.rand(4, 1, 6, 8, dtype=torch.float64) + 0.5
    close(
        losses_and_gradient(head, embeddings * scale, segments,
                            image_index)[0],
        losses_and_gradient(head, embeddings, segments, image_index)[0])


def test_ignored_pixels_have_no_say():
    head = tiny_head()
    embeddings, segments, image_index = tiny_views()
    losses, gradient = losses_and_gradient(head, embeddings, segments,
                                           image_index)
    ignored = (segments < 0)[:, None].expand_as(embeddings)
    strange = embeddings.detach().masked_fill(ignored, torch.nan)
    again, gradient_again = losses_and_gradient(head, strange, segments,
                                                image_index)
    close(again, losses)
    close(gradient_again, gradient)
    assert (gradient[ignored] == 0).all()


def test_images_of_their_own_are_other_labels():
    """Views of one image are positives of each other, by region."""
    head = tiny_head(**NO_GROUPS)
    embeddings, segments, image_index = tiny_views()
    together, apart = (
        losses_and_gradient(head, embeddings, segments, index)[0][0]
        for index in (image_index, torch.arange(4)))
    assert not torch.allclose(together, apart)


def test_views_that_are_not_cosegmented():
    """Each is an image of its own, with and without groups."""
    embeddings, segments, image_index = tiny_views()
    for options in ({}, NO_GROUPS):
        (losses, gradient), (expected, slope), (shared, _) = (
            losses_and_gradient(
                tiny_head(cosegment=cosegment, **options), embeddings,
                segments, index)
            for cosegment, index in ((False, image_index),
                                     (True, torch.arange(4)),
                                     (True, image_index)))
        assert torch.equal(losses, expected)
        assert torch.equal(gradient, slope)
        assert not torch.allclose(losses[0], shared[0])
    with pytest.raises(ValueError, match='`image_index` must have shape'):
        tiny_head(cosegment=False).loss_from_embeddings(
            embeddings, segments, image_index[:2])


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32])
def test_any_integers(dtype):
    head = tiny_head()
    embeddings, segments, image_index = tiny_views()
    segments = segments.clamp(min=0)
    close(
        losses_and_gradient(head, embeddings, segments.to(dtype),
                            image_index.to(dtype))[0],
        losses_and_gradient(head, embeddings, segments, image_index)[0])


# ------------------------------------------------------------- weights


@pytest.mark.parametrize('term, names', [
    (0, ['img_sim_weight']),
    (1, ['fine_weight', 'coarse_weight']),
    (2, ['grouping_weight', 'centroid_weight']),
])
def test_losses_are_weighted(term, names):
    inputs = tiny_views()
    zero = dict(img_sim_weight=0., **NO_GROUPS)
    parts = torch.stack([
        losses_and_gradient(tiny_head(**{**zero, name: 1.}), *inputs)[0]
        for name in names
    ])
    others = [index for index in range(3) if index != term]
    assert (parts[:, term] > 0).all() and (parts[:, others] == 0).all()
    weights = torch.arange(2., 2 + len(names), dtype=torch.float64)
    both = tiny_head(**{**zero, **dict(zip(names, weights.tolist()))})
    close(losses_and_gradient(both, *inputs)[0][term],
          weights @ parts[:, term])


def test_all_weights_zero():
    losses, _ = losses_and_gradient(
        tiny_head(img_sim_weight=0., **NO_GROUPS), *tiny_views())
    assert (losses == 0).all()


@pytest.mark.parametrize('options', [
    {},
    NO_GROUPS,
    dict(img_sim_weight=0.),
    dict(fine_weight=0., coarse_weight=0.),
    dict(grouping_weight=0., centroid_weight=0.),
    dict(grouping_weight=0.),
    dict(centroid_weight=0.),
    dict(in_channels=5),
])
@pytest.mark.parametrize('ignored', [False, True])
def test_every_trained_parameter_gets_a_gradient(options, ignored):
    """DistributedDataParallel needs no search for unused ones."""
    head = tiny_head(**options)
    embeddings, segments, image_index = tiny_views()
    if 'in_channels' in options:
        embeddings = head(embeddings[:, :5])
    if ignored:
        segments = torch.full_like(segments, -1)
    losses = head.loss_from_embeddings(embeddings, segments, image_index)
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    assert all(value.isfinite().all() for value in head.buffers())


def test_without_losses_above_the_segments_there_are_no_transformers():
    head = tiny_head(kmeans_clusters=(1, 1), kmeans_iterations=1, **NO_GROUPS)
    assert not list(head.parameters())
    embeddings, segments, image_index = tiny_views()
    hierarchy = head.hierarchy_from_embeddings(embeddings, segments,
                                               image_index)
    assert hierarchy.num_levels == 1
    # One cluster: the segments are the regions.
    assert (hierarchy.labels < 0).equal(segments < 0)
    for labels, regions in zip(hierarchy.labels, segments):
        pairs = torch.stack([labels, regions]).flatten(1).unique(dim=1)
        assert pairs.size(1) == len(labels.unique()) == len(regions.unique())
    with pytest.raises(RuntimeError, match='the head has no groups'):
        head.group_probabilities(embeddings)


def test_features_of_other_channels_are_embedded():
    head = tiny_head(in_channels=5)
    features = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    assert head(features).shape == (2, 8, 4, 6)
    embeddings, _, _ = tiny_views()
    assert tiny_head()(embeddings) is embeddings


# ------------------------------------------------------------ odd batches


def test_a_view_of_which_everything_is_ignored(pad_length):
    """It is as if the view were not there."""
    head = tiny_head(pad_length=pad_length)
    embeddings, segments, image_index = tiny_views()
    segments[1] = -1
    losses, gradient = losses_and_gradient(head, embeddings, segments,
                                           image_index)
    kept = torch.tensor([0, 2, 3])
    expected, of_kept = losses_and_gradient(head, embeddings[kept],
                                            segments[kept], image_index[kept])
    close(losses, expected)
    close(gradient[kept], of_kept)
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize('training', [True, False])
def test_an_image_of_which_everything_is_ignored(pad_length, training):
    """It is as if the image were not there."""
    head = tiny_head(pad_length=pad_length).train(training)
    embeddings, segments, image_index = tiny_views((0, 0, 1, 1, 2))
    segments[2:4] = -1
    kept = torch.tensor([0, 1, 4])
    # Batch statistics of either pass are its own; running ones change.
    losses, gradient = losses_and_gradient(head, embeddings, segments,
                                           image_index)
    expected, of_kept = losses_and_gradient(head, embeddings[kept],
                                            segments[kept], image_index[kept])
    close(losses, expected)
    close(gradient[kept], of_kept)


@pytest.mark.parametrize('options', [{}, NO_GROUPS])
def test_a_batch_of_which_everything_is_ignored(options):
    head = tiny_head(**options)
    embeddings, segments, image_index = tiny_views()
    segments = torch.full_like(segments, -1)
    losses, gradient = losses_and_gradient(head, embeddings, segments,
                                           image_index)
    assert (losses == 0).all() and (gradient == 0).all()
    hierarchy = head.hierarchy_from_embeddings(embeddings, segments,
                                               image_index)
    for level in range(hierarchy.num_levels):
        assert (hierarchy.label_map(level) == -1).all()


@pytest.mark.parametrize('options', [
    {}, dict(graph_within_view=False, pad_length=None), NO_GROUPS,
    dict(kmeans_iterations=1)
])
@pytest.mark.parametrize('where', [(1, slice(None), 5, 7), (1, ), ()])
def test_nan_is_told(where, options):
    """A network that has diverged does not look like one that is done."""
    head = tiny_head(**options)
    embeddings, segments, image_index = tiny_views()
    embeddings = embeddings.detach()
    embeddings[where] = torch.nan
    losses = head.loss_from_embeddings(embeddings, segments, image_index)
    assert losses['loss_img_sim'].isnan()


@pytest.mark.parametrize('number', [1, 2])
def test_a_batch_of_one_image(number, pad_length):
    head = tiny_head(pad_length=pad_length)
    losses, gradient = losses_and_gradient(head, *tiny_views((3, ) * number))
    assert (losses > 0).all() and (gradient != 0).any()


@pytest.mark.parametrize('clusters', [(1, 1), (2, 2)])
@pytest.mark.parametrize('views', [(0, ), (0, 0, 1, 1)])
def test_one_region_only(clusters, views, pad_length):
    head = tiny_head(kmeans_clusters=clusters, pad_length=pad_length)
    embeddings, segments, image_index = tiny_views(views)
    losses, _ = losses_and_gradient(head, embeddings,
                                    torch.zeros_like(segments), image_index)
    # A single image has no negatives then.
    assert (losses[0] > 1e-6) == (len(views) > 1)


def test_a_pixel_a_region(pad_length):
    """Far more segments than are padded to."""
    head = tiny_head(pad_length=pad_length)
    embeddings, _, image_index = tiny_views()
    segments = torch.arange(48).view(6, 8).expand(4, -1, -1)
    losses, _ = losses_and_gradient(head, embeddings, segments, image_index)
    assert (losses > 0).all()
    groups = head.group_probabilities(embeddings, segments, image_index)
    assert groups.padding.shape == (2, 96) and not groups.padding.any()


def test_sequences_longer_than_the_padding_are_kept_whole():
    inputs = tiny_views()
    losses = [
        losses_and_gradient(tiny_head(pad_length=length), *inputs)[0]
        for length in (1, None)
    ]
    close(*losses)


def test_one_cluster_of_each_kind():
    head = tiny_head(fine_clusters=1, coarse_clusters=1)
    losses_and_gradient(head, *tiny_views())
    hierarchy = head.hierarchy_from_embeddings(tiny_views()[0])
    assert (hierarchy.label_map(2) == 0).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1)])
def test_tiny_maps(size):
    embeddings, _, image_index = tiny_views()
    embeddings = embeddings[:, :, :1, :1].expand(-1, -1, *size)
    segments = torch.zeros(4, *size, dtype=torch.long)
    losses_and_gradient(tiny_head(), embeddings, segments, image_index)


def test_maps_larger_than_the_positions():
    head = tiny_head(max_positions=5, position_size=4)
    losses, _ = losses_and_gradient(head, *tiny_views())
    assert (losses > 0).all()


def test_lower_precision():
    head = tiny_head().float()
    embeddings, segments, image_index = tiny_views()
    expected, _ = losses_and_gradient(head, embeddings.float(), segments,
                                      image_index)
    rounded = embeddings.detach().bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        half = head.loss_from_embeddings(rounded, segments, image_index)
        full = head.loss_from_embeddings(rounded.float(), segments,
                                         image_index)
    for term in TERMS:
        assert half[term].dtype == torch.float32
        torch.testing.assert_close(half[term], full[term])
    assert expected.dtype == torch.float32


# --------------------------------------------------------------- hierarchy


def test_hierarchy_nests_and_views_share_its_numbers():
    head = tiny_head().eval()
    embeddings, segments, image_index = tiny_views((4, 9, 4, 9))
    hierarchy = head.hierarchy_from_embeddings(embeddings, segments,
                                               image_index)
    groups = head.group_probabilities(embeddings, segments, image_index)
    assert hierarchy.num_levels == 3
    assert torch.equal(groups.images, torch.tensor([0, 1, 0, 1]))
    assert not hierarchy.labels.requires_grad
    for table in hierarchy.parents:
        assert torch.equal(table[0], table[2])
        assert torch.equal(table[1], table[3])
    labels, fine, coarse = (hierarchy.label_map(level) for level in range(3))
    for level in (labels, fine, coarse):
        assert torch.equal(level < 0, segments < 0)
    # Segments are of one view, and numbered through the views of an image.
    for image in range(2):
        of_image = labels[groups.images == image]
        used = [view[view >= 0].unique() for view in of_image]
        assert torch.equal(
            torch.cat(used).sort().values,
            torch.arange((~groups.padding[image]).sum()))
    valid = labels >= 0
    view = valid.nonzero()[:, 0]
    image = groups.images[view]
    assert torch.equal(groups.fine.argmax(1)[image, labels[valid]],
                       fine[valid])
    assert torch.equal(
        groups.fine_to_coarse.argmax(1)[image, fine[valid]], coarse[valid])


def test_probabilities_are_probabilities():
    groups = tiny_head().group_probabilities(*tiny_views())
    for values in (groups.fine, groups.fine_to_coarse, groups.coarse):
        assert (values >= 0).all()
        close(values.sum(1), torch.ones_like(values[:, 0]))
    close(groups.coarse, groups.fine_to_coarse @ groups.fine)


def test_defaults_are_no_cuts_and_images_of_their_own():
    head = tiny_head().eval()
    embeddings, segments, _ = tiny_views()
    plain = head.hierarchy_from_embeddings(embeddings)
    told = head.hierarchy_from_embeddings(
        embeddings, torch.zeros_like(segments), torch.arange(4))
    assert (plain.labels >= 0).all() and (plain.labels < 4).all()
    assert all(
        torch.equal(plain.label_map(level), told.label_map(level))
        for level in range(3))


def test_batch_independence(pad_length):
    head = tiny_head(pad_length=pad_length).eval()
    embeddings, segments, image_index = tiny_views((0, 1, 0, 2, 1))
    segments[3, :3] = -1
    together = head.group_probabilities(embeddings, segments, image_index)
    hierarchy = head.hierarchy_from_embeddings(embeddings, segments,
                                               image_index)
    for image in range(3):
        own = image_index == image
        alone = head.group_probabilities(embeddings[own], segments[own],
                                         image_index[own])
        number = int((~alone.padding).sum())
        close(alone.fine[0, :, :number], together.fine[image, :, :number])
        close(alone.coarse[0, :, :number], together.coarse[image, :, :number])
        maps = head.hierarchy_from_embeddings(embeddings[own], segments[own],
                                              image_index[own])
        for level in range(3):
            assert torch.equal(
                maps.label_map(level), hierarchy.label_map(level)[own])


def test_padding_is_masked_on_demand():
    inputs = tiny_views()
    centroids = [
        tiny_head(pad_length=length, mask_padding=True).group_probabilities(
            *inputs).coarse_centroids for length in (None, 20, 40)
    ]
    close(centroids[0], centroids[1])
    close(centroids[0], centroids[2])


# ---------------------------------------------------------- config, checks


def test_registered_with_the_papers_settings():
    head = MODELS.build(
        dict(type='mmhierseg.HSGHead', in_channels=16, embed_dims=16))
    assert isinstance(head, HSGHead)
    assert head.fine_transformer.query_embed.weight.shape == (8, 16)
    assert head.coarse_transformer.query_embed.weight.shape == (4, 16)
    assert head.fine_transformer.encoder[1].linear1.out_features == 32
    assert head.positions.row_embed.weight.shape == (50, 8)
    assert any(module.p == 0.1 for module in head.modules()
               if isinstance(module, nn.Dropout))
    frozen = {
        name.rsplit('.', 2)[0]
        for name, parameter in head.named_parameters()
        if not parameter.requires_grad
    }
    assert all('coarse_transformer.centroid_feature' in name
               for name in frozen)


@pytest.mark.parametrize('options, message', [
    (dict(kmeans_clusters=(0, 2)), '`kmeans_clusters` must be'),
    (dict(kmeans_clusters=(2, )), '`kmeans_clusters` must be'),
    (dict(kmeans_clusters=4), '`kmeans_clusters` must be two numbers'),
    (dict(kmeans_iterations=0), '`kmeans_iterations` must be at least 1'),
    (dict(graph_knn=0), '`graph_knn` must be at least 1, got 0'),
    (dict(pad_length=0), '`pad_length` must be at least 1, got 0'),
    (dict(fine_weight=-1), '`fine_weight` must be at least 0, got -1'),
    (dict(concentration=0), '`concentration` must be above 0'),
    (dict(coarse_clusters=0), '`num_clusters` must be at least 1'),
    (dict(embed_dims=6, num_heads=4), '`num_heads` must divide'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_head(**options)


@pytest.mark.parametrize('change, error, message', [
    (lambda e, s, i: (e[0], s, i), ValueError, r'shape \(V, 8, h, w\)'),
    (lambda e, s, i: (e[:, :4], s, i), ValueError, r'got \(4, 4, 6, 8\)'),
    (lambda e, s, i: (e, s[:, 1:], i), ValueError,
     r'`segments` must have shape \(4, 6, 8\).*got \(4, 5, 8\)'),
    (lambda e, s, i: (e, s.float(), i), TypeError,
     '`segments` must hold integers, got torch.float32'),
    (lambda e, s, i: (e, s, i[:3]), ValueError,
     r'`image_index` must have shape \(4,\)'),
    (lambda e, s, i: (e, s > 0, i), TypeError, 'got torch.bool'),
])
def test_bad_inputs(change, error, message):
    head = tiny_head()
    for method in (head.loss_from_embeddings, head.hierarchy_from_embeddings,
                   head.group_probabilities):
        with pytest.raises(error, match=message):
            method(*change(*tiny_views()))
