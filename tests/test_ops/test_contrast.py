import pytest
import torch
import torch.nn.functional as F

from benchmarks.memory import peak_bytes
from mmhierseg import ops

KAPPA = 16.


def rows(pixels=37, prototypes=11, channels=5):
    """Unit vectors in float64, own segments, and sets of labels.

    Of the first set some labels occur once: their own segment is the positive.
    """
    torch.manual_seed(0)

    def unit(number):
        values = torch.randn(number, channels, dtype=torch.float64)
        return F.normalize(values, dim=1).requires_grad_()

    own = torch.randint(0, prototypes, (pixels, ))
    labels = torch.stack([
        torch.randint(-2, high, (prototypes, ))
        for high in (6, 2)
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


@pytest.mark.parametrize('block', [1, 40, 10**6])
def test_slow_reference(block, monkeypatch):
    """One set of labels, and two of different weights."""
    monkeypatch.setattr(ops.contrast, '_CPU_BLOCK', block)
    pixels, own, prototypes, labels = rows()
    single = [
        loss_and_gradients(slow, pixels, own, prototypes, names)
        for names in labels
    ]
    for names, wanted in zip(labels, single):
        assert_same(
            loss_and_gradients(
                ops.pixel_segment_contrast, pixels, own, prototypes, names),
            wanted)
    both = ops.pixel_segment_contrast(pixels, own, prototypes, labels)
    loss = both @ torch.tensor([2., -.5]).double()
    wanted = [2 * first - .5 * second for first, second in zip(*single)]
    # The graph may be used twice.
    for _ in range(2):
        gradients = torch.autograd.grad(
            loss, (pixels, prototypes), retain_graph=True)
        assert_same((loss, *gradients), wanted)


def test_sets_of_labels_share_the_similarities():
    pixels, own, prototypes, labels = rows()
    with torch.profiler.profile(record_shapes=True) as profile:
        ops.pixel_segment_contrast(
            pixels, own, prototypes, labels[torch.arange(6) % 2])
    shapes = [event.input_shapes for event in profile.events()
              if event.name == 'aten::mm']
    assert shapes.count([[37, 5], [5, 11]]) == 1


def test_gradcheck():
    pixels, own, prototypes, labels = rows(pixels=9, prototypes=6, channels=3)
    assert torch.autograd.gradcheck(
        lambda x, p: ops.pixel_segment_contrast(
            x, own, p, labels, 3.), (pixels, prototypes))
    # One of the two may be a constant.
    assert torch.autograd.gradcheck(
        lambda x: ops.pixel_segment_contrast(
            x, own, prototypes.detach(), labels), pixels)


@pytest.mark.parametrize('number, prototypes', [
    (0, 0), (0, 4), (37, 1), (37, 11)])
def test_no_pixels_or_one_label(number, prototypes):
    """Zero, with gradients: other processes wait for them."""
    pixels, own, others, _ = rows(37, prototypes or 1)
    got = loss_and_gradients(
        ops.pixel_segment_contrast, pixels[:number], own[:number],
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
        ops.pixel_segment_contrast, narrow[0].double(), own,
        narrow[2].double(), labels, concentration=concentration)
    with torch.autocast('cpu', torch.bfloat16):
        got = loss_and_gradients(
            ops.pixel_segment_contrast, *narrow, concentration=concentration)
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
        for function, dtype in ((ops.pixel_segment_contrast, torch.float32),
                                (slow, torch.float64)))
    assert_same(got, [x.float() for x in wanted], atol=1e-5, rtol=1e-6)


def test_memory_does_not_grow_with_pixels_times_prototypes(monkeypatch):
    monkeypatch.setattr(ops.contrast, '_CPU_BLOCK', 4000)
    pixels, own, prototypes, labels = rows(pixels=600, prototypes=400)
    peak = peak_bytes(lambda: ops.pixel_segment_contrast(
        pixels, own, prototypes, labels).sum().backward())
    # All similarities would take 1.9 MB.
    assert peak < 600 * 400 * 8 / 2


@pytest.mark.parametrize('kappa', [1., 16.])
def test_centroids_slow_reference(kappa):
    torch.manual_seed(0)
    values = 3 * torch.randn(6, 4).double()
    wanted = []
    for i in range(6):
        scores = torch.exp(
            kappa * F.cosine_similarity(values[i], values, dim=1))
        wanted.append(-torch.log(scores[i] / scores.sum()))
    wanted = torch.stack(wanted)
    torch.testing.assert_close(
        ops.centroid_contrast(values, concentration=kappa), wanted)
    # Some of all.
    torch.testing.assert_close(
        ops.centroid_contrast(values[2:5], values, 2, kappa), wanted[2:5])
    assert ops.centroid_contrast(values[:1]).tolist() == [0]
    zero = torch.zeros(3, 4, requires_grad=True)
    ops.centroid_contrast(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()
    assert torch.autograd.gradcheck(
        ops.centroid_contrast, values.requires_grad_())
