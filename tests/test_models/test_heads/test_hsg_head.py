import pytest
import torch
from helpers.hsg import NO_GROUPS, tiny_head, tiny_views

from mmhierseg.models import HSGHead

padded = pytest.mark.parametrize('pad_length', [20, None])


def losses_and_gradient(head, embeddings, segments, image_index):
    """The three losses, and the gradient of their sum."""
    embeddings = embeddings.detach().requires_grad_()
    losses = head.loss_from_embeddings(embeddings, segments, image_index)
    assert tuple(losses) == ('loss_img_sim', 'loss_hierarchy',
                             'loss_clustering')
    total = sum(losses.values())
    assert total.isfinite()
    if total.requires_grad:
        total.backward()
        assert embeddings.grad.isfinite().all()
    return torch.stack(list(losses.values())).detach(), embeddings.grad


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


@padded
def test_order_and_numbering_do_not_matter(pad_length):
    """Nor does the length of embeddings, or what is at ignored pixels."""
    head = tiny_head(pad_length=pad_length)
    embeddings, segments, image_index = inputs = tiny_views()
    losses, gradient = losses_and_gradient(head, *inputs)
    renamed = torch.where(segments < 0, -5, 10**6 - 11 * segments)
    order = torch.tensor([2, 1, 0, 3])
    ignored = (segments < 0)[:, None].expand_as(embeddings)
    assert (gradient[ignored] == 0).all()
    for changed, expected in [
        ((embeddings, renamed, 900 - 7 * image_index), gradient),
        ([value[order] for value in inputs], gradient[order]),
        ((embeddings, segments.int(), image_index.short()), gradient),
        ((embeddings.detach().masked_fill(ignored, torch.nan), segments,
          image_index), gradient),
        ((2 * embeddings, segments, image_index), gradient / 2)
    ]:
        close(losses_and_gradient(head, *changed), (losses, expected))


@pytest.mark.parametrize('options', [{}, NO_GROUPS])
def test_views_that_are_not_cosegmented(options):
    """Each is an image of its own."""
    embeddings, segments, image_index = tiny_views()
    apart, expected, shared = (
        losses_and_gradient(tiny_head(cosegment=cosegment, **options),
                            embeddings, segments, index)
        for cosegment, index in ((False, image_index), (True, torch.arange(4)),
                                 (True, image_index)))
    torch.testing.assert_close(apart, expected, rtol=0, atol=0)
    assert not torch.allclose(apart[0][0], shared[0][0])


@pytest.mark.parametrize('term, names', [
    (0, ['img_sim_weight']),
    (1, ['fine_weight', 'coarse_weight']),
    (2, ['grouping_weight', 'centroid_weight']),
])
def test_losses_are_weighted(term, names):
    inputs = tiny_views()

    def losses(**weights):
        head = tiny_head(**{'img_sim_weight': 0., **NO_GROUPS, **weights})
        return losses_and_gradient(head, *inputs)[0]

    parts = torch.stack([losses(**{name: 1.}) for name in names])
    others = [index for index in range(3) if index != term]
    assert (parts[:, term] > 0).all() and (parts[:, others] == 0).all()
    weights = [2., 3.][:len(names)]
    close(losses(**dict(zip(names, weights)))[term],
          parts.new_tensor(weights) @ parts[:, term])


@pytest.mark.parametrize('options', [
    {}, NO_GROUPS, dict(fine_weight=0., coarse_weight=0.),
    dict(grouping_weight=0., centroid_weight=0.), dict(grouping_weight=0.),
    dict(centroid_weight=0.), dict(in_channels=5)
])
@pytest.mark.parametrize('ignored', [False, True])
def test_every_trained_parameter_gets_a_gradient(options, ignored):
    """DistributedDataParallel need not search for unused ones."""
    head = tiny_head(**options)
    embeddings, segments, image_index = tiny_views()
    if 'in_channels' in options:
        embeddings = head(embeddings[:, :5])
    if ignored:
        segments = torch.full_like(segments, -1)
    losses = head.loss_from_embeddings(embeddings, segments, image_index)
    if ignored:
        assert not any(losses.values())
        hierarchy = head.hierarchy_from_embeddings(embeddings, segments)
        assert (hierarchy.labels == -1).all()
    sum(losses.values()).backward()
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.isfinite().all(), name
    assert all(value.isfinite().all() for value in head.buffers())


def test_without_losses_above_the_segments_there_are_no_transformers():
    head = tiny_head(kmeans_clusters=(1, 1), kmeans_iterations=1, **NO_GROUPS)
    assert not list(head.parameters())
    inputs = tiny_views()
    hierarchy = head.hierarchy_from_embeddings(*inputs)
    assert hierarchy.num_levels == 1
    # With one cluster the segments are the regions.
    for labels, regions in zip(hierarchy.labels, inputs[1]):
        pairs = torch.stack([labels, regions]).flatten(1).unique(dim=1)
        assert pairs.size(1) == len(labels.unique()) == len(regions.unique())
    with pytest.raises(RuntimeError, match='the head has no groups'):
        head.group_probabilities(*inputs)


@padded
@pytest.mark.parametrize('training', [True, False])
def test_an_ignored_image_is_left_out(pad_length, training):
    head = tiny_head(pad_length=pad_length).train(training)
    inputs = tiny_views((0, 0, 1, 1, 2))
    inputs[1][2:4] = -1
    kept = torch.tensor([0, 1, 4])
    losses, gradient = losses_and_gradient(head, *inputs)
    close((losses, gradient[kept]),
          losses_and_gradient(head, *(value[kept] for value in inputs)))
    assert (gradient[2:4] == 0).all()


@pytest.mark.parametrize('options', [
    {}, dict(graph_within_view=False, pad_length=None), NO_GROUPS
])
@pytest.mark.parametrize('where', [(1, slice(None), 5, 7), ()])
def test_nan_is_propagated(where, options):
    """A diverged network does not look like one that has converged."""
    embeddings, segments, image_index = tiny_views()
    embeddings = embeddings.detach()
    embeddings[where] = torch.nan
    losses = tiny_head(**options).loss_from_embeddings(embeddings, segments,
                                                       image_index)
    assert losses['loss_img_sim'].isnan()


@pytest.mark.parametrize('views', [(0, ), (0, 0, 1, 1)])
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (6, 8)])
def test_one_region_and_one_group(views, size):
    embeddings, _, image_index = tiny_views(views)
    embeddings = embeddings[:, :, :size[0], :1].expand(-1, -1, *size)
    segments = torch.zeros(len(views), *size, dtype=torch.long)
    head = tiny_head(fine_clusters=1, coarse_clusters=1)
    losses, _ = losses_and_gradient(head, embeddings, segments, image_index)
    # A single image has no negatives then.
    assert (losses[0] > 1e-6) == (len(views) > 1)
    # By default nothing is cut, and each view is an image.
    hierarchy = head.hierarchy_from_embeddings(embeddings)
    explicit = head.hierarchy_from_embeddings(embeddings, segments,
                                              torch.arange(len(views)))
    assert torch.equal(hierarchy.labels, explicit.labels)
    assert (hierarchy.label_map(2) == 0).all()


def test_more_segments_than_the_padding():
    """They are all kept: here, every pixel is a region."""
    embeddings, _, image_index = tiny_views()
    segments = torch.arange(48).view(6, 8).expand(4, -1, -1)
    inputs = (embeddings, segments, image_index)
    close(*(losses_and_gradient(tiny_head(pad_length=length), *inputs)[0]
            for length in (1, None)))
    groups = tiny_head(pad_length=20).group_probabilities(*inputs)
    assert groups.padding.shape == (2, 96) and not groups.padding.any()


@padded
def test_nested_levels_and_batch_independence(pad_length):
    """Views of an image share the ids of all levels."""
    head = tiny_head(pad_length=pad_length).eval()
    inputs = tiny_views((4, 9, 4, 9))
    hierarchy = head.hierarchy_from_embeddings(*inputs)
    groups = head.group_probabilities(*inputs)
    assert hierarchy.num_levels == 3 and not hierarchy.labels.requires_grad
    assert groups.images.tolist() == [0, 1, 0, 1]
    levels = [hierarchy.label_map(level) for level in range(3)]
    for level in levels:
        assert torch.equal(level < 0, inputs[1] < 0)
    for image in range(2):
        own = slice(image, None, 2)
        # A segment is in one view; ids run through the views of an image.
        used = [view[view >= 0].unique() for view in levels[0][own]]
        number = int((~groups.padding[image]).sum())
        assert torch.cat(used).sort().values.equal(torch.arange(number))
        of_image = [value[own] for value in inputs]
        alone = head.group_probabilities(*of_image)
        for name in ('fine', 'coarse'):
            close(getattr(alone, name)[0, :, :number],
                  getattr(groups, name)[image, :, :number])
        maps = head.hierarchy_from_embeddings(*of_image)
        for level in range(3):
            assert torch.equal(maps.label_map(level), levels[level][own])


def test_options_of_the_transformers_are_a_dict_or_single_arguments():
    options = dict(num_heads=2, num_layers=1, feedforward_channels=12,
                   mask_padding=True, centroid_scale=4., kmeans_init=True)
    states = []
    for given in (options, dict(transformer=options)):
        torch.manual_seed(0)
        states.append(HSGHead(8, 8, **given).state_dict())
    torch.testing.assert_close(*states, rtol=0, atol=0)
    with pytest.raises(TypeError, match='`?num_head'):
        HSGHead(8, 8, transformer=options, num_heads=2)


def test_bad_options_and_inputs():
    for name, value in dict(kmeans_clusters=(0, 2), kmeans_iterations=0,
                            graph_knn=0, pad_length=0, fine_weight=-1).items():
        with pytest.raises(ValueError, match=f'`{name}`'):
            tiny_head(**{name: value})
    head, (embeddings, segments, index) = tiny_head(), tiny_views()
    for inputs, error, message in [
        ((embeddings[:, :4], segments, index), ValueError,
         r'shape \(V, 8, h, w\), got \(4, 4, 6, 8\)'),
        ((embeddings, segments[:, 1:], index), ValueError,
         r'`segments` must have shape \(4, 6, 8\).*got \(4, 5, 8\)'),
        ((embeddings, segments.float(), index), TypeError, 'hold integers'),
        ((embeddings, segments, index[:3]), ValueError,
         r'`image_index` must have shape \(4,\)')]:
        for method in (head.loss_from_embeddings,
                       head.hierarchy_from_embeddings):
            with pytest.raises(error, match=message):
                method(*inputs)
