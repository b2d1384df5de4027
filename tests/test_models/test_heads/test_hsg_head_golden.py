"""HSG's head agrees with the authors' implementation."""

import pytest
import torch
from helpers.hsg import golden_head, golden_inputs
from helpers.hsg_golden import RECIPES, hsg_golden

from mmhierseg.checkpoints.hsg import rename_hsg_key
from mmhierseg.ops import joint_labels

LOSSES = dict(
    loss_img_sim='img_sim_loss',
    loss_hierarchy='hrchy_group_loss',
    loss_clustering='clustering_loss')


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def numbered(*columns):
    return joint_labels(*columns)[0]


def same_partition(a, b):
    """Whether two labellings differ in their ids only."""
    number = numbered(a, b).max()
    return numbered(a).max() == numbered(b).max() == number


@pytest.mark.parametrize('recipe', RECIPES)
def test_losses_and_gradients(recipe):
    values, _ = hsg_golden(recipe)
    head, inputs = golden_head(recipe), golden_inputs(recipe)
    losses = head.loss_from_embeddings(*inputs)
    assert losses.keys() == LOSSES.keys()
    for ours, theirs in LOSSES.items():
        close(losses[ours], values[theirs])
    sum(losses.values()).backward()
    close(inputs[0].grad, values['grad_embedding'])
    parameters = dict(head.named_parameters())
    gradients = [key for key in values if key.startswith('grad/')]
    assert len(gradients) == 4
    for key in gradients:
        name = rename_hsg_key(key[len('grad/'):])[len('head.'):]
        close(parameters[name].grad, values[key])


@pytest.mark.parametrize('recipe', RECIPES)
def test_probabilities(recipe):
    values, _ = hsg_golden(recipe)
    embeddings, segments, image_index = golden_inputs(recipe)
    groups = golden_head(recipe).group_probabilities(embeddings, segments,
                                                     image_index)
    valid = ~values['ignore']
    image = image_index[valid.nonzero()[:, 0]]
    place = groups.labels[valid]
    # Theirs are numbered across the images of a batch, ours within each.
    first = (~values['nd_padding']).sum(1).cumsum(0).roll(1)
    first[0] = 0
    theirs = values['pixel_cluster_index'] - first[image]
    for ours, key in ((groups.fine, 'fine_prob'),
                      (groups.coarse, 'coarse_prob')):
        close(ours[image, :, place], values[key][image, :, theirs])
    close(groups.fine_centroids.transpose(1, 2), values['fine_centroid'])
    close(groups.coarse_centroids.transpose(1, 2), values['coarse_centroid'])
    close(groups.coarse, groups.fine_to_coarse @ groups.fine)
    assert torch.equal(
        groups.padding.sum(1), values['nd_padding'].sum(1))
    assert torch.equal(groups.images, image_index)


@pytest.mark.parametrize('recipe', RECIPES)
def test_partitions(recipe):
    """Segments and groups; their ids of groups may repeat across images."""
    values, _ = hsg_golden(recipe)
    inputs, head = golden_inputs(recipe), golden_head(recipe)
    groups = head.group_probabilities(*inputs)
    hierarchy = golden_head(recipe).hierarchy_from_embeddings(*inputs)
    assert hierarchy.num_levels == 3
    valid = ~values['ignore']
    image, place = inputs[2][valid.nonzero()[:, 0]], groups.labels[valid]
    assert (groups.labels[~valid] == -1).all()
    for ours, theirs in [
        (place, 'pixel_cluster_index'),
        (groups.fine.argmax(1)[image, place], 'pixel_fine_index'),
        (groups.coarse.argmax(1)[image, place], 'pixel_coarse_index'),
        (hierarchy.label_map(0)[valid], 'pixel_cluster_index'),
        (hierarchy.label_map(1)[valid], 'pixel_fine_index')
    ]:
        assert same_partition(
            numbered(image, ours), numbered(image, values[theirs]))
