import pytest
import torch
import torch.nn.functional as F
from helpers.hsg_golden import RECIPES, hsg_golden
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.memory import peak_bytes
from mmhierseg.ops import (
    batch_prototypes,
    centroid_contrast,
    contrast,
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
    return unit(pixels), own, unit(prototypes), labels * 2**40


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


@pytest.mark.parametrize('block', [1, 40, 10**6])
def test_slow_reference(block, monkeypatch):
    """One set of labels, and two of different weights."""
    monkeypatch.setattr(contrast, '_CPU_BLOCK', block)
    pixels, own, prototypes, labels = rows()
    single = [
        loss_and_gradients(slow, pixels, own, prototypes, names)
        for names in labels
    ]
    for names, wanted in zip(labels, single):
        assert_same(
            loss_and_gradients(
                pixel_segment_contrast, pixels, own, prototypes, names),
            wanted)
    both = pixel_segment_contrast(pixels, own, prototypes, labels)
    loss = both @ torch.tensor([2., -.5]).double()
    wanted = [2 * first - .5 * second for first, second in zip(*single)]
    # The graph may be used twice.
    for _ in range(2):
        gradients = torch.autograd.grad(
            loss, (pixels, prototypes), retain_graph=True)
        assert_same((loss, *gradients), wanted)


class Products(TorchDispatchMode):
    """Count the products of the shape of all similarities."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._schema.name == 'aten::mm' and result.shape == (37, 11):
            self.number = getattr(self, 'number', 0) + 1
        return result


def test_sets_of_labels_share_the_similarities():
    pixels, own, prototypes, labels = rows()
    with Products() as products:
        pixel_segment_contrast(
            pixels, own, prototypes, labels[torch.arange(6) % 2])
    assert products.number == 1


def test_gradcheck():
    pixels, own, prototypes, labels = rows(pixels=9, prototypes=6, channels=3)
    assert torch.autograd.gradcheck(
        lambda x, p: pixel_segment_contrast(
            x, own, p, labels, 3.), (pixels, prototypes))
    # One of the two may be a constant.
    assert torch.autograd.gradcheck(
        lambda x: pixel_segment_contrast(x, own, prototypes.detach(), labels),
        pixels)


@pytest.mark.parametrize('number, prototypes', [
    (0, 0), (0, 4), (37, 1), (37, 11)])
def test_no_pixels_or_one_label(number, prototypes):
    """Zero, with gradients: other processes wait for them."""
    pixels, own, others, _ = rows(37, prototypes or 1)
    got = loss_and_gradients(
        pixel_segment_contrast, pixels[:number], own[:number],
        others[:prototypes], torch.zeros(3, prototypes).long())
    assert_same(got, [torch.zeros_like(x) for x in got], atol=1e-12, rtol=0)


@pytest.mark.parametrize('concentration, dtype, tolerance', [
    (500., torch.float32, 1e-3), (1e-3, torch.float32, 1e-3),
    (KAPPA, torch.float32, 1e-4), (KAPPA, torch.float16, 2e-3)])
def test_precision(concentration, dtype, tolerance):
    """Similarities are in float32, whose largest number they may exceed."""
    pixels, own, prototypes, labels = rows()
    narrow = pixels.to(dtype), own, prototypes.to(dtype), labels
    wanted = loss_and_gradients(
        pixel_segment_contrast, narrow[0].double(), own, narrow[2].double(),
        labels, concentration=concentration)
    with torch.autocast('cpu', torch.bfloat16):
        got = loss_and_gradients(
            pixel_segment_contrast, *narrow, concentration=concentration)
    assert got[0].dtype == torch.float32
    assert_same(got, [x.to(y.dtype) for x, y in zip(wanted, got)],
                rtol=tolerance, atol=tolerance)


def test_small_positives_in_single_precision():
    """Lost in the sum minus the own similarity."""
    prototypes = torch.tensor([[1., 0.], [-1., 0.], [.5, .75**.5]])
    got, wanted = (
        loss_and_gradients(function, prototypes[:1].to(dtype),
                           torch.tensor([0]), prototypes.to(dtype),
                           torch.tensor([0, 0, 1]))
        for function, dtype in ((pixel_segment_contrast, torch.float32),
                                (slow, torch.float64)))
    assert_same(got, [x.float() for x in wanted], atol=1e-5, rtol=1e-6)


def test_memory_does_not_grow_with_pixels_times_prototypes(monkeypatch):
    monkeypatch.setattr(contrast, '_CPU_BLOCK', 4000)
    pixels, own, prototypes, labels = rows(pixels=600, prototypes=400)
    peak = peak_bytes(lambda: pixel_segment_contrast(
        pixels, own, prototypes, labels).sum().backward())
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
    assert centroid_contrast(centroids(1)).tolist() == [0]
    zero = torch.zeros(3, 4, requires_grad=True)
    centroid_contrast(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()
    assert torch.autograd.gradcheck(
        centroid_contrast, values.requires_grad_())
