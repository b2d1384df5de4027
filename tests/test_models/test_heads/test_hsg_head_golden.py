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
    torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-8)


def close_gradients(a, b):
    """A change of inputs by 1e-16 moves them by 5e-11 of the largest one."""
    largest = float(b.abs().max())
    torch.testing.assert_close(a, b, atol=max(1e-10, 2e-11 * largest),
                               rtol=1e-8)
    torch.testing.assert_close(a, b, atol=1e-10 * largest, rtol=0)


def numbered(*columns):
    return joint_labels(*columns)[0]


@pytest.mark.parametrize('recipe', RECIPES)
def test_losses_and_gradients(recipe):
    values, _ = hsg_golden(recipe)
    head, inputs = golden_head(recipe), golden_inputs(recipe)
    losses = head.loss_from_embeddings(*inputs)
    assert losses.keys() == LOSSES.keys()
    for ours, theirs in LOSSES.items():
        close(losses[ours], values[theirs])
    sum(losses.values()).backward()
    close_gradients(inputs[0].grad, values['grad_embedding'])
    parameters = dict(head.named_parameters())
    gradients = [key for key in values if key.startswith('grad/')]
    assert len(gradients) == 4
    for key in gradients:
        name = rename_hsg_key(key[len('grad/'):])[len('head.'):]
        close_gradients(parameters[name].grad, values[key])


@pytest.mark.parametrize('recipe', RECIPES)
def test_probabilities_and_partitions(recipe):
    """Their ids of groups may repeat across images."""
    values, _ = hsg_golden(recipe)
    inputs = golden_inputs(recipe)
    groups = golden_head(recipe).group_probabilities(*inputs)
    hierarchy = golden_head(recipe).hierarchy_from_embeddings(*inputs)
    valid = ~values['ignore']
    image, place = inputs[2][valid.nonzero()[:, 0]], groups.labels[valid]
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
    assert torch.equal(groups.images, inputs[2])
    assert (groups.labels[~valid] == -1).all()
    assert hierarchy.num_levels == 3
    for ours, key in [
        (place, 'pixel_cluster_index'),
        (groups.fine.argmax(1)[image, place], 'pixel_fine_index'),
        (groups.coarse.argmax(1)[image, place], 'pixel_coarse_index'),
        (hierarchy.label_map(0)[valid], 'pixel_cluster_index'),
        (hierarchy.label_map(1)[valid], 'pixel_fine_index')
    ]:
        # The partitions differ in their ids only.
        one, other = numbered(image, ours), numbered(image, values[key])
        assert one.max() == other.max() == numbered(one, other).max()
