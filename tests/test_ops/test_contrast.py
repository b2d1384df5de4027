import pytest
import torch
import torch.nn.functional as F
from benchmarks.common.memory import peak_bytes
from helpers.hsg_golden import RECIPES, hsg_golden

from mmhierseg.ops import (
    batch_prototypes,
    centroid_contrast,
    joint_labels,
    pixel_segment_contrast,
    select_pixels,
)

KAPPA = 16.


def rows(pixels=37, prototypes=11, channels=5, sets=2, seed=0):
    """Unit vectors in float64, own segments, and sets of labels.

    Of the first set some labels occur once: their own segment is the positive.
    """
    generator = torch.Generator().manual_seed(seed)

    def unit(number):
        values = torch.randn(
            number, channels, generator=generator, dtype=torch.float64)
        return F.normalize(values, dim=1).requires_grad_()

    own = torch.randint(0, prototypes, (pixels, ), generator=generator)
    labels = torch.stack([
        torch.randint(-2, high, (prototypes, ), generator=generator)
        for high in range(6, 6 - 4 * sets, -4)
    ])
    return unit(pixels), own, unit(prototypes), labels


def slow(pixels, own, prototypes, labels, kappa=KAPPA):
    """One pixel and one prototype at a time."""
    losses = []
    for v, i in zip(pixels, own.tolist()):
        positives = [
            j for j in range(len(prototypes))
            if labels[j] == labels[i] and j != i
        ] or [i]
        negatives = [
            j for j in range(len(prototypes)) if labels[j] != labels[i]
        ]
        score = [torch.exp(kappa * (v @ p)) for p in prototypes]
        pos = sum(score[j] for j in positives)
        neg = sum(score[j] for j in negatives)
        losses.append(-torch.log(pos / (pos + neg)))
    return torch.stack(losses).mean()


def loss_and_gradients(function, pixels, own, prototypes, labels, **options):
    pixels, prototypes = (
        x.detach().clone().requires_grad_() for x in (pixels, prototypes))
    loss = function(pixels, own, prototypes, labels, **options)
    loss.sum().backward()
    return loss.detach(), pixels.grad, prototypes.grad


def assert_same(first, second, **tolerance):
    for a, b in zip(first, second):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize('recipe', RECIPES)
def test_golden_losses(recipe):
    values, meta = hsg_golden(recipe)
    index = values['pixel_cluster_index']
    labels = torch.full(values['ignore'].shape, -1)
    labels[~values['ignore']] = index
    pixels, own = select_pixels(values['embedding'], labels)
    prototypes = batch_prototypes(pixels, own, len(values['prototypes']))
    regions = values['over_segmentation'].long()[~values['ignore']]
    region_of_image, _ = joint_labels(
        regions, values['image_index'][values['pixel_batch_index']])
    sets = torch.zeros(3, len(prototypes)).long()
    sets[:, index] = torch.stack([
        region_of_image, values['pixel_fine_index'],
        values['pixel_coarse_index']
    ])
    weights = meta['weights']
    image, fine, coarse = pixel_segment_contrast(
        pixels, own, prototypes, sets, meta['concentration'])
    torch.testing.assert_close(
        weights['img_sim'] * image, values['img_sim_loss'], atol=1e-9, rtol=0)
    torch.testing.assert_close(
        weights['fine'] * fine + weights['coarse'] * coarse,
        values['hrchy_group_loss'], atol=1e-9, rtol=0)


@pytest.mark.parametrize('block_size', [1, 40, 10**6])
def test_slow_reference(block_size):
    pixels, own, prototypes, labels = rows()
    for names in labels:
        assert_same(
            loss_and_gradients(
                pixel_segment_contrast, pixels, own, prototypes, names,
                concentration=KAPPA, block_size=block_size),
            loss_and_gradients(slow, pixels, own, prototypes, names))


def test_sets_of_labels_are_independent():
    pixels, own, prototypes, labels = rows(sets=2)
    both = pixel_segment_contrast(pixels, own, prototypes, labels)
    assert both.shape == (2, )
    for got, names in zip(both, labels):
        torch.testing.assert_close(
            got, pixel_segment_contrast(pixels, own, prototypes, names))
    # Different weights of the two.
    (both @ torch.tensor([2., -.5]).double()).backward()
    wanted = [
        sum(weight * gradient for weight, gradient in zip(
            (2., -.5), (loss_and_gradients(slow, pixels, own, prototypes,
                                           names)[k] for names in labels)))
        for k in (1, 2)
    ]
    assert_same((pixels.grad, prototypes.grad), wanted)


def test_gradcheck():
    pixels, own, prototypes, labels = rows(pixels=9, prototypes=6, channels=3)
    assert torch.autograd.gradcheck(
        lambda x, p: pixel_segment_contrast(
            x, own, p, labels, 3., block_size=20), (pixels, prototypes))
    # One of the two may be a constant.
    assert torch.autograd.gradcheck(
        lambda x: pixel_segment_contrast(x, own, prototypes.detach(), labels),
        pixels)


def test_names_and_order_have_no_effect():
    pixels, own, prototypes, labels = rows(sets=1)
    names = labels[0]
    loss, at_pixels, at_prototypes = loss_and_gradients(
        pixel_segment_contrast, pixels, own, prototypes, names)
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(len(prototypes), generator=generator)
    shuffled = torch.randperm(len(pixels), generator=generator)
    renamed = torch.randperm(20, generator=generator)[names + 2] * 2**40
    got = loss_and_gradients(
        pixel_segment_contrast, pixels[shuffled],
        order.argsort()[own][shuffled], prototypes[order], renamed[order],
        block_size=30)
    assert_same(got, (loss, at_pixels[shuffled], at_prototypes[order]))


@pytest.mark.parametrize('number', [11, 1])
def test_one_label_is_no_loss(number):
    pixels, own, prototypes, _ = rows(prototypes=number)
    got = loss_and_gradients(pixel_segment_contrast, pixels, own, prototypes,
                             torch.zeros(2, number).long())
    assert_same(got, [torch.zeros_like(x) for x in got], atol=1e-12, rtol=0)


@pytest.mark.parametrize('prototypes', [0, 4])
def test_nothing_valid(prototypes):
    """Zero, with gradients: other processes wait for them."""
    pixels = torch.zeros(0, 5, requires_grad=True)
    others = torch.ones(prototypes, 5, requires_grad=True)
    loss = pixel_segment_contrast(pixels,
                                  torch.zeros(0).long(), others,
                                  torch.zeros(3, prototypes).long())
    loss.sum().backward()
    assert loss.tolist() == [0., 0., 0.]
    assert pixels.grad.shape == (0, 5)
    assert torch.equal(others.grad, torch.zeros(prototypes, 5))


def test_small_positives_in_single_precision():
    """Lost in the sum minus the own similarity."""
    pixels = torch.tensor([[1., 0.]])
    prototypes = torch.tensor([[1., 0.], [-1., 0.], [.5, .75**.5]])
    args = torch.tensor([0]), prototypes, torch.tensor([0, 0, 1])
    got = loss_and_gradients(pixel_segment_contrast, pixels, *args)
    wanted = loss_and_gradients(
        slow, pixels.double(), args[0], prototypes.double(), args[2])
    assert_same(got, [x.float() for x in wanted], atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize('concentration', [500., 1e-3])
def test_extreme_concentrations(concentration):
    """Similarities themselves would overflow in single precision."""
    pixels, own, prototypes, labels = rows()
    got = loss_and_gradients(
        pixel_segment_contrast, pixels.float(), own, prototypes.float(),
        labels, concentration=concentration)
    wanted = loss_and_gradients(
        pixel_segment_contrast, pixels, own, prototypes, labels,
        concentration=concentration)
    assert_same(got, [x.float() for x in wanted], rtol=1e-3, atol=1e-3)


def test_half_precision_and_autocast():
    pixels, own, prototypes, labels = rows()
    wanted = pixel_segment_contrast(pixels.half().float(), own,
                                    prototypes.half().float(), labels)
    with torch.autocast('cpu', torch.bfloat16):
        got = pixel_segment_contrast(pixels.half(), own, prototypes.half(),
                                     labels)
        single = pixel_segment_contrast(pixels.float(), own,
                                        prototypes.float(), labels)
        single.sum().backward()
    assert got.dtype == torch.float32
    assert_same((got, single), (wanted, wanted), rtol=2e-3, atol=2e-3)
    assert torch.equal(got, wanted)
    assert_same([pixels.grad],
                loss_and_gradients(pixel_segment_contrast, pixels, own,
                                   prototypes, labels)[1:2],
                rtol=1e-4, atol=1e-5)


def test_memory_does_not_grow_with_pixels_times_prototypes():
    pixels, own, prototypes, labels = rows(pixels=600, prototypes=400)
    peak = peak_bytes(lambda: pixel_segment_contrast(
        pixels, own, prototypes, labels, block_size=4000).sum().backward())
    # All similarities would take 1.9 MB.
    assert peak < 600 * 400 * 8 / 2


def centroids(number=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(number, 4, generator=generator).double()


@pytest.mark.parametrize('kappa', [1., 16.])
def test_centroids_slow_reference(kappa):
    values = centroids()
    wanted = []
    for i in range(6):
        scores = torch.exp(
            kappa * F.cosine_similarity(values[i], values, dim=1))
        wanted.append(-torch.log(scores[i] / scores.sum()))
    wanted = torch.stack(wanted)
    torch.testing.assert_close(
        centroid_contrast(values, concentration=kappa), wanted)
    # Some of all.
    torch.testing.assert_close(
        centroid_contrast(values[2:5], values, 2, kappa), wanted[2:5])


def test_centroids_gradcheck():
    assert torch.autograd.gradcheck(centroid_contrast,
                                    centroids().requires_grad_())


def test_one_centroid_is_no_loss_and_zero_is_finite():
    assert centroid_contrast(centroids(1)).tolist() == [0]
    zero = torch.zeros(3, 4, requires_grad=True)
    centroid_contrast(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()
