import pytest
import torch
from helpers.hsg_golden import RECIPES, hsg_golden

from mmhierseg.ops import (
    centroid_contrast,
    collapse_loss,
    knn_adjacency,
    modularity_loss,
    segment_sequences,
)


def graphs(seed=0):
    """Assignments (2, 6, 3), edges, and padding of the second image."""
    generator = torch.Generator().manual_seed(seed)
    assignment = torch.randn(
        2, 6, 3, generator=generator, dtype=torch.float64).softmax(2)
    adjacency = (torch.rand(2, 6, 6, generator=generator) < .4).double()
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[1, 4:] = True
    adjacency = adjacency.masked_fill(padding[:, None] | padding[..., None], 0)
    return assignment.requires_grad_(), adjacency, padding


def slow_modularity(s, a):
    """One image, as the formula reads, nodes in the columns of S'."""
    d = a.sum(1, keepdim=True)
    m2 = 2 * d.sum()
    return 1 - torch.trace(s.t() @ a @ s - s.t() @ d @ d.t() @ s / m2) / m2


@pytest.mark.parametrize('recipe', RECIPES)
def test_goodness_of_authors(recipe):
    """Given their groups, the third of the losses."""
    values, meta = hsg_golden(recipe)
    views = torch.empty(len(values['prototypes'])).long()
    views[values['pixel_cluster_index']] = values['pixel_batch_index']
    sequences = segment_sequences(views, values['image_index'],
                                  256 if recipe == 'coco' else None)
    adjacency = knn_adjacency(
        values['nd_prototype'].transpose(1, 2), meta['dmon_knn'],
        values['nd_padding'], sequences.views if recipe == 'coco' else None)
    total = 0.
    for level in ('fine', 'coarse'):
        groups = values[f'{level}_prob'].transpose(1, 2)
        total += meta['weights']['dmon'] * (
            modularity_loss(groups, adjacency, sequences.padding)
            + collapse_loss(groups, sequences.padding)).mean()
        centroids = values[f'{level}_centroid'].transpose(1, 2).flatten(0, 1)
        total += meta['weights']['centroid'] * centroid_contrast(
            centroids, concentration=meta['concentration']).mean()
    torch.testing.assert_close(
        total, values['clustering_loss'], atol=1e-12, rtol=0)


def test_slow_reference():
    assignment, adjacency, padding = graphs()
    got = modularity_loss(assignment, adjacency, padding)
    torch.testing.assert_close(
        got[0], slow_modularity(assignment[0], adjacency[0]))
    torch.testing.assert_close(
        got[1], slow_modularity(assignment[1, :4], adjacency[1, :4, :4]))


def test_communities_beat_everything_else():
    """Two pairs: grouped as they are, together, and across."""
    adjacency = torch.zeros(4, 4)
    adjacency[[0, 1, 2, 3], [1, 0, 3, 2]] = 1
    groups = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]])
    assignment = torch.nn.functional.one_hot(groups, 2).float()
    right, together, across = modularity_loss(
        assignment, adjacency.expand(3, -1, -1))
    assert right < together < across


def test_collapse():
    assignment, _, padding = graphs()
    got = collapse_loss(assignment, padding)
    sizes = assignment[1, :4].sum(0)
    # Padding has no assignment, but counts: n is 6.
    torch.testing.assert_close(got[1], sizes.norm() * 3**0.5 / 6)
    torch.testing.assert_close(got[0],
                               assignment[0].sum(0).norm() * 3**0.5 / 6)


@pytest.mark.parametrize('padded', [True, False])
def test_gradcheck(padded):
    assignment, adjacency, padding = graphs()
    padding = padding if padded else None
    assert torch.autograd.gradcheck(
        lambda s: (modularity_loss(s, adjacency, padding),
                   collapse_loss(s, padding)), assignment)


def test_names_of_groups_and_padding_do_not_matter():
    assignment, adjacency, padding = graphs()
    wanted = modularity_loss(assignment, adjacency, padding)
    spoilt = assignment.masked_fill(padding[..., None], torch.nan)
    torch.testing.assert_close(
        modularity_loss(spoilt[..., [2, 0, 1]], adjacency, padding), wanted)
    assert torch.equal(
        collapse_loss(spoilt, padding), collapse_loss(assignment, padding))


def test_images_without_segments_or_edges():
    assignment, adjacency, padding = graphs()
    padding[1] = True
    adjacency = torch.zeros_like(adjacency)
    modularity = modularity_loss(assignment, adjacency, padding)
    collapse = collapse_loss(assignment, padding)
    assert modularity.tolist() == [1, 1] and collapse[1] == 0
    (modularity + collapse).sum().backward()
    assert torch.isfinite(assignment.grad).all()
    assert (assignment.grad[1] == 0).all()


def test_half_precision_is_summed_in_single():
    assignment = torch.full((1, 5000, 2), .5).half()
    adjacency = torch.ones(1, 5000, 5000)
    # S'AS is K (n/2)^2 d^2 = 12.5e6, beyond half precision.
    got = modularity_loss(assignment, adjacency)
    torch.testing.assert_close(got, torch.tensor([1 - (.5 - .25) / 2]))
    torch.testing.assert_close(collapse_loss(assignment), torch.ones(1))


@pytest.mark.parametrize('assignment, adjacency, padding, match', [
    (torch.zeros(6, 3), torch.zeros(6, 6), None, r'\(B, L, K\)'),
    (torch.zeros(2, 0, 3), torch.zeros(2, 0, 0), None, r'got \(2, 0, 3\)'),
    (torch.zeros(2, 6, 3), torch.zeros(2, 6, 5), None,
     r'`adjacency` .* got \(2, 6, 5\)'),
    (torch.zeros(2, 6, 3), torch.zeros(2, 6, 6), torch.zeros(2, 5).bool(),
     r'`padding` must have shape \(2, 6\), got \(2, 5\)'),
])
def test_bad_input(assignment, adjacency, padding, match):
    with pytest.raises(ValueError, match=match):
        modularity_loss(assignment, adjacency, padding)
