"""Clustering transformer: padding, permutation, initialisation.

Golden values are those of the head.
"""

import copy

import pytest
import torch
from helpers.cast import shake_statistics

from mmhierseg.models import ClusteringTransformer


def transformer(seed=0, **options):
    """In float64, with nontrivial batch statistics, without dropout."""
    torch.manual_seed(seed)
    module = ClusteringTransformer(16, 3, **{'drop_rate': 0., **options})
    return shake_statistics(module.double()).eval()


def sequences(lengths=(5, 7), width=16, length=None, seed=0):
    """Random tokens and positions, padded by zeros."""
    generator = torch.Generator().manual_seed(seed)
    length = length or max(lengths)
    padding = torch.arange(length) >= torch.tensor(lengths)[:, None]
    # Drawn for the longest sequence, so that padding does not change values.
    values = torch.randn(2, len(lengths), 12, width, generator=generator,
                         dtype=torch.float64)[:, :, :length]
    tokens, positions = values.masked_fill(padding[..., None], 0)
    return tokens, positions, padding


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-8)


@pytest.mark.parametrize('training', [False, True])
def test_permutation_of_segments(training):
    """Clusters are sorted by their largest logit."""
    module = transformer().train(training)
    tokens, positions, padding = sequences()
    order = torch.tensor([4, 2, 0, 1, 3, 5, 6])
    out = module(tokens, positions, padding)
    permuted = module(tokens[:, order], positions[:, order], padding)
    close(permuted.centroids, out.centroids)
    close(permuted.features, out.features)
    close(permuted.logits, out.logits[..., order])
    largest = out.logits.masked_fill(padding[:, None], -torch.inf).amax(2)
    assert (largest.diff(dim=1) <= 0).all()


def test_amount_of_padding_does_not_matter_if_masked():
    """Quirk: unmasked, it counts in the statistics, or ``num_padding``."""
    for mask in (True, False):
        module = transformer(mask_padding=mask).train()
        short, long = (module(*sequences(length=length))
                       for length in (7, 12))
        assert torch.allclose(short.centroids, long.centroids) == mask
        if mask:
            close(short.features, long.features)
            close(short.logits[0, :, :5], long.logits[0, :, :5])
    module = transformer()
    counted = module(*sequences(length=7), num_padding=torch.tensor([7, 5]))
    close(counted.centroids, module(*sequences(length=12)).centroids)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('mask_padding', [False, True])
def test_longest_equals_the_mask(training, mask_padding):
    """Keys after the longest sequence are left out instead of masked."""
    tokens, positions, padding = sequences(length=11)
    results = []
    for longest in (None, 7):
        module = transformer(mask_padding=mask_padding).train(training)
        inputs = tokens.clone().requires_grad_()
        out = module(inputs, positions, padding, longest=longest)
        (out.logits.square().mean() + out.features.square().sum()).backward()
        results.append((*out, inputs.grad, *module.state_dict().values()))
    for first, second in zip(*results):
        close(first, second)


def test_centroid_scale():
    soft, hard = (transformer(centroid_scale=scale)(*sequences())
                  for scale in (1., 4.))
    torch.testing.assert_close(hard.logits, 4 * soft.logits)
    torch.testing.assert_close(hard.features, soft.features)


def test_norms_can_be_synchronised():
    module = transformer()
    synced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(
        copy.deepcopy(module))
    assert module.state_dict().keys() == synced.state_dict().keys()
    assert sum(isinstance(norm, torch.nn.SyncBatchNorm)
               for norm in synced.modules()) == 4 + 6 + 1 + 1 + 2
    close(synced(*sequences()).logits, module(*sequences()).logits)


def test_kmeans_init_is_soft_kmeans():
    """From the queries, if norms are the identity."""
    torch.manual_seed(0)
    module = ClusteringTransformer(
        16, 3, num_heads=1, drop_rate=0., kmeans_init=True).double().eval()
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            norm.eps = 0.
    tokens, positions, padding = sequences((5, 7))
    output = module(tokens, positions, padding)
    for index, kept in enumerate(~padding):
        values, places = tokens[index, kept], positions[index, kept]
        centroids = torch.zeros(3, 16, dtype=torch.float64)
        for _ in range(2):
            queries = centroids + module.query_embed.weight
            weights = (queries @ (values + places).T / 4).softmax(dim=1)
            centroids = centroids + weights @ values
        logits = centroids.relu() @ values.T / 4
        order = logits.amax(dim=1).argsort(descending=True)
        close(output.logits[index][:, kept], logits[order])
        close(output.features[index], centroids.relu()[order])


def test_all_weights_are_trained_after_kmeans_init():
    module = transformer(kmeans_init=True, num_heads=1).train()
    before = copy.deepcopy(module.state_dict())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        output = module(*sequences())
        (output.logits[:, 0, :5].square().sum() +
         output.features[:, 0, :5].square().sum()).backward()
        optimizer.step()
    assert not [name for name, value in module.named_parameters()
                if torch.equal(value, before[name])]


def test_bad_options_and_inputs():
    with pytest.raises(ValueError, match='`num_clusters` .* 1, got 0'):
        ClusteringTransformer(16, 0)
    tokens, _, padding = sequences()
    for arguments, error, message in [
        ((tokens, tokens[:1]), ValueError, '`positions` must have shape'),
        ((tokens, tokens, padding.float()), TypeError, 'must be bool'),
        ((tokens, tokens, padding[:, 1:]), ValueError,
         r'`padding` must have shape \(2, 7\), got \(2, 6\)')]:
        with pytest.raises(error, match=message):
            transformer()(*arguments)
