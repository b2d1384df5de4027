import numpy as np
import pytest
import torch
from mmpretrain.models import RandomBatchAugment
from mmpretrain.structures import DataSample

from projects.hcast.hcast import HierarchicalClsHead, hierarchical_losses
from projects.hcast.tests.evaluations import TREE


def random_batch(seed=0, images=6):
    """Features, and labels of the finest level."""
    generator = torch.Generator().manual_seed(seed)
    feats = [torch.randn(images, 8, generator=generator) for _ in range(3)]
    return feats, torch.randint(0, 5, (images, ), generator=generator)


def head(**options):
    torch.manual_seed(1)
    model = HierarchicalClsHead(8, TREE, **options)
    model.init_weights()
    for fc in model.fcs:
        torch.nn.init.normal_(fc.weight)
    return model


def recomputed_losses(logits, scores):
    """In NumPy, image by image, as the formulas are written."""
    logits, scores = ([x.detach().double().numpy() for x in values]
                      for values in (logits, scores))

    def log_softmax(x):
        return x - np.log(np.exp(x - x.max()).sum()) - x.max()

    number = len(logits[0])
    entropies = [
        np.mean([-(s * log_softmax(x)).sum() for x, s in zip(*level)])
        for level in zip(logits, scores)
    ]
    total = 0
    for x, s in zip(np.concatenate(logits, 1), np.concatenate(scores, 1)):
        target, log_p = s / np.abs(s).sum(), log_softmax(x)
        used = target > 0
        total += (target[used] * (np.log(target[used]) - log_p[used])).sum()
    return entropies, total / number


@pytest.mark.parametrize('mixed', [False, True])
def test_losses_against_a_plain_computation(mixed):
    feats, labels = random_batch()
    model = head()
    scores = torch.eye(5)[labels]
    if mixed:
        scores = 0.7 * scores + 0.3 * scores.flip(0)
    samples = [DataSample().set_gt_score(x) for x in scores] if mixed else [
        DataSample().set_gt_label(x) for x in labels]
    losses = model.loss(feats, samples)
    logits = [fc(x) for fc, x in zip(model.fcs, feats)]
    entropies, divergence = recomputed_losses(
        logits, model.level_scores(scores))
    assert list(losses) == ['loss_species', 'loss_family', 'loss_kind',
                            'loss_kl']
    np.testing.assert_allclose(
        [float(x) for x in losses.values()],
        [*entropies, 0.5 * divergence], rtol=1e-5)
    weight = head(kl_weight=2.).loss(feats, samples)['loss_kl']
    torch.testing.assert_close(weight, 4 * losses['loss_kl'])


def test_divergence_is_that_of_each_level_and_of_their_shares():
    """By the chain rule of the KL divergence: levels are not tied by paths."""
    feats, labels = random_batch()
    model = head()
    scores = model.level_scores(
        0.7 * torch.eye(5)[labels] + 0.3 * torch.eye(5)[labels.flip(0)])
    logits = model(feats)

    def divergence(log_p, q):
        return (torch.xlogy(q, q) - q * log_p).sum(1).mean()

    own = [divergence(x.log_softmax(1), s) for x, s in zip(logits, scores)]
    shares = torch.stack([x.logsumexp(1) for x in logits], 1).log_softmax(1)
    expected = sum(own) / 3 + divergence(
        shares, torch.full_like(shares, 1 / 3))
    torch.testing.assert_close(
        hierarchical_losses(logits, scores)[1], expected)
    # Zero where all logits are those of the target.
    one_hot = model.level_scores(torch.eye(5)[labels])
    perfect = [50. * x for x in one_hot]
    assert hierarchical_losses(perfect, one_hot)[1] < 1e-6


def test_gradients():
    scores = head().level_scores(torch.tensor(
        [[1., 0, 0, 0, 0], [0.3, 0, 0.7, 0, 0]], dtype=torch.double))
    generator = torch.Generator().manual_seed(0)
    logits = [
        torch.randn(x.shape, generator=generator, dtype=torch.double,
                    requires_grad=True) for x in scores
    ]
    assert torch.autograd.gradcheck(
        lambda *x: hierarchical_losses(x, scores), logits)
    half = [x.detach().half().requires_grad_() for x in logits]
    entropies, divergence = hierarchical_losses(half, scores)
    assert entropies.dtype == divergence.dtype == torch.float32
    with pytest.raises(ValueError, match=r'got \[\(2, 5\), \(2, 4'):
        hierarchical_losses(logits, scores[:2])


@pytest.mark.parametrize('augment', [
    dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)])
def test_batch_augmentation_mixes_all_levels_alike(augment):
    """The same images in the same shares at all levels."""
    torch.manual_seed(0)
    np.random.seed(0)
    labels = torch.tensor([0, 1, 2, 3, 4])
    images = labels.float().view(5, 1, 1, 1).expand(5, 3, 32, 32).clone()
    inputs, scores = RandomBatchAugment([augment])(
        images, torch.eye(5)[labels])
    levels = head().level_scores(scores)
    assert torch.equal(levels[0], scores)
    for image in range(5):
        a, share = image, scores[image, image]
        other = [i for i in scores[image].nonzero().flatten() if i != image]
        b = int(other[0]) if other else image
        mixed = share * inputs.new_tensor(a) + (1 - share) * b
        torch.testing.assert_close(inputs[image].mean(), mixed)
        for level, score in enumerate(levels):
            expected = torch.zeros_like(score[image])
            expected[TREE.paths[a, level]] += share
            expected[TREE.paths[b, level]] += 1 - share
            torch.testing.assert_close(score[image], expected)
    assert ((scores > 0).sum(dim=1) == 2).sum() > 2


def test_prediction_and_errors():
    feats, labels = random_batch()
    model = head()
    samples = [DataSample().set_gt_label(x) for x in labels]
    result = model.predict(feats, samples)
    assert all(a is b for a, b in zip(result, samples))
    for fc, feat, level in zip(model.fcs, feats, range(3)):
        assert [int(x.pred_path[level]) for x in result
                ] == fc(feat).argmax(1).tolist()
    assert int(result[0].pred_label) == int(result[0].pred_path[0])
    assert result[0].pred_score.sum().item() == pytest.approx(1)
    assert len(model.predict(feats)) == 6
    with pytest.raises(ValueError, match='`feats` must have one .* got 2'):
        model(feats[:2])
    with pytest.raises(ValueError, match="5 classes of .*'species'.* got 7"):
        model.loss(feats, [DataSample().set_gt_score(torch.zeros(7))] * 6)
    assert set(model.state_dict()) == {
        f'fcs.{i}.{kind}' for i in range(3) for kind in ('weight', 'bias')}
