"""Measures of segments and masks against independent implementations."""

import contextlib
import io
import itertools
import math

import higra
import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment
from skimage.metrics import variation_of_information as skimage_vi

from mmhierseg.evaluation import functional as F

CASES = 1000


def cases(shape=(7, 9)):
    """Label maps and annotators, from one pixel's worth of ids to many."""
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        segments = rng.integers(0, rng.integers(1, 9), shape)
        regions = rng.integers(0, rng.integers(1, 6),
                               (rng.integers(1, 4), *shape))
        # Some agree in part.
        regions[0] = np.where(rng.random(shape) < .7, segments // 2,
                              regions[0])
        yield rng, segments, regions


def random_masks(rng, most, shape=(12, 15)):
    """(N, H, W) bool, boxes that may overlap, nest, repeat or be empty."""
    masks = np.zeros((rng.integers(0, most), *shape), bool)
    for mask in masks:
        (top, bottom), (left, right) = (
            sorted(rng.integers(0, n + 1, 2)) for n in shape)
        mask[top:bottom, left:right] = True
    return masks


def encode(masks):
    codes = [coco.encode(np.asfortranarray(x, np.uint8)) for x in masks]
    return [dict(x, counts=x['counts'].decode()) for x in codes]


# ------------------------------------------------------------- label maps


def test_variation_of_information():
    for _, segments, regions in cases():
        expected = sum(skimage_vi(segments, regions[0])) * math.log(2)
        assert F.variation_of_information(segments, regions[0]) == (
            pytest.approx(expected, abs=1e-12))


def test_probabilistic_rand_index():
    for _, segments, regions in cases(shape=(4, 5)):
        pairs = np.triu_indices(segments.size, 1)

        def joined(labels, pairs=pairs):
            return (labels.ravel()[:, None] == labels.ravel())[pairs]

        # The definition: how many annotators join a pair.
        p = np.mean([joined(x) for x in regions], axis=0)
        expected = np.where(joined(segments), p, 1 - p).mean()
        assert F.probabilistic_rand_index(segments, regions) == pytest.approx(
            expected, abs=1e-12)


def test_covering():
    for _, segments, regions in cases():
        # Higra wants numbers without gaps.
        values = [
            higra.assess_partition(
                np.unique(one, return_inverse=True)[1].reshape(one.shape),
                np.unique(segments, return_inverse=True)[1].reshape(
                    one.shape), higra.PartitionMeasure.DCovering)
            for one in regions]
        assert F.covering(segments, regions) == pytest.approx(
            np.mean(values), abs=1e-12)


def test_agreement_is_all_of_them_at_once():
    for rng, segments, regions in itertools.islice(cases(), 100):
        segments[rng.random(segments.shape) < .2] = -1
        regions[:, rng.random(segments.shape) < .2] = -1
        found = F.agreement(segments, regions)
        for name in ('covering', 'variation_of_information',
                     'probabilistic_rand_index'):
            assert getattr(F, name)(segments, regions) == getattr(found, name)
        values = [F.nf_covering(segments, one, -1) for one in regions]
        values = [x for x in values if not math.isnan(x)]
        expected = np.mean(values) if values else math.nan
        assert found.nf_covering == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize('name', ['covering', 'variation_of_information',
                                  'probabilistic_rand_index'])
def test_ids_do_not_matter_and_nothing_is_nan(name):
    measure = getattr(F, name)
    for rng, segments, regions in itertools.islice(cases(), 20):
        renamed = 10**12 - 10**9 * segments
        shuffled = rng.permutation(9)[regions]
        value = measure(segments, regions)
        assert measure(renamed, shuffled) == pytest.approx(value, abs=1e-12)
        assert measure(torch.tensor(segments), torch.tensor(regions)) == value
    perfect = 0 if name == 'variation_of_information' else 1
    assert measure(segments, segments[None]) == pytest.approx(
        perfect, abs=1e-12)
    nothing = np.full((3, 4), -1)
    assert math.isnan(measure(nothing, nothing))
    assert math.isnan(measure(nothing, nothing[None][:0]))


def naive_boundary(labels):
    found = np.zeros(labels.shape, bool)
    for y, x in np.ndindex(*labels.shape):
        for v, u in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if 0 <= v < len(labels) and 0 <= u < len(labels[0]):
                found[y, x] |= labels[v, u] != labels[y, x]
    return np.argwhere(found)


@pytest.mark.parametrize('one_to_one', [False, True])
def test_boundaries_of_several_people(one_to_one):
    for rng, segments, regions in cases(shape=(6, 8)):
        tolerance = rng.choice([.05, .15, .2])
        made, matched, expected = naive_boundary(segments), set(), [0, 0]
        for one in regions:
            true = naive_boundary(one)
            near = np.hypot(*(made[:, None] - true).transpose(2, 0, 1)) <= (
                tolerance * math.hypot(6, 8) + 1e-9)
            near = near.reshape(len(made), len(true))
            expected[0] += len(true)
            if not one_to_one:
                matched |= {*np.flatnonzero(near.any(1))}
                expected[1] += near.any(0).sum()
            else:
                rows, columns = linear_sum_assignment(near, maximize=True)
                expected[1] += near[rows, columns].sum()
        found = F.segmentation_boundary_counts(
            segments, regions, tolerance, one_to_one=one_to_one)
        assert [found.target, found.matched_target] == expected
        assert found.pred == len(made)
        if not one_to_one:
            assert found.matched_pred == len(matched)
        elif len(regions) == 1:
            assert found.matched_pred == found.matched_target


# ------------------------------------------------------------------ masks


def coco_recall(pairs, area_range, max_masks):
    """Of each image, found regions at each threshold, by pycocotools."""
    images = [dict(id=i, height=12, width=15) for i in range(len(pairs))]
    truth, preds = [], []
    for i, (masks, regions) in enumerate(pairs):
        truth += [
            dict(id=len(truth) + k + 1, image_id=i, category_id=1, iscrowd=0,
                 segmentation=x, area=int(coco.area(x)))
            for k, x in enumerate(encode(regions))]
        preds += [
            dict(image_id=i, category_id=1, segmentation=x, score=1 - k / 100)
            for k, x in enumerate(encode(masks))]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        dataset.dataset = dict(
            images=images, annotations=truth, categories=[dict(id=1)])
        dataset.createIndex()
        run = COCOeval(dataset, dataset.loadRes(preds), 'segm')
        run.params.useCats = 0
        run.params.maxDets = [max_masks]
        run.params.areaRng = [list(area_range)]
        run.params.areaRngLbl = ['one']
        run.evaluate()
    found = {}
    for image in run.evalImgs:
        if image is not None:
            counted = image['gtIgnore'] == 0
            found[image['image_id']] = (
                (image['gtMatches'][:, counted] > 0).sum(1), counted.sum())
    return [found.get(i, (np.zeros(10, int), 0)) for i in range(len(pairs))]


@pytest.mark.parametrize('area_range, max_masks',
                         [((0, 1e9), 1000), ((10, 40), 1000), ((0, 1e9), 3)])
def test_average_recall(area_range, max_masks):
    pairs = []
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        regions = random_masks(rng, 5)
        masks = random_masks(rng, 8)
        near = np.roll(regions, rng.integers(0, 2), axis=2)
        pairs.append((rng.permutation(np.concatenate([masks, near])), regions))
    expected = coco_recall(pairs, area_range, max_masks)
    for (masks, regions), (counts, number) in zip(pairs, expected):
        found, total = F.recall_counts(
            F.overlaps_of(masks, regions, max_masks), area_range)
        assert total == number
        np.testing.assert_array_equal(found, counts)
        value = F.average_recall(encode(masks), encode(regions), max_masks,
                                 area_range)
        expected = counts.mean() / number if number else math.nan
        assert value == pytest.approx(expected, nan_ok=True)


def test_part_containment():
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        parts, wholes = random_masks(rng, 6), random_masks(rng, 4)
        values = [
            max([(p & w).sum() / p.sum() for w in wholes], default=0)
            for p in parts if p.any()]
        expected = np.mean(values) if values else math.nan
        assert F.part_containment(parts, wholes) == pytest.approx(
            expected, nan_ok=True)


def test_levels_that_nest_contain_their_parts():
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 20, (9, 11))
    assert F.part_containment(fine, rng.integers(0, 4, 20)[fine]) == 1


def naive_spatial(masks, parts, wholes):
    def iou(a, b):
        return (a & b).sum() / max((a | b).sum(), 1)

    values = []
    for part in parts:
        shared = [(part & w).sum() for w in wholes]
        fits = [iou(m, part) for m in masks]
        if not max(shared, default=0) or not max(fits, default=0):
            continue
        whole_fits = [iou(m, wholes[np.argmax(shared)]) for m in masks]
        p, w = masks[np.argmax(fits)], masks[np.argmax(whole_fits)]
        values.append(max(whole_fits) > 0 and (p & w).sum() / p.sum())
    return np.mean(values) if values else math.nan


def test_spatial_consistency():
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        arguments = [random_masks(rng, n) for n in (8, 5, 3)]
        assert F.spatial_consistency(*arguments) == pytest.approx(
            naive_spatial(*arguments), nan_ok=True)


def test_semantic_consistency():
    parents = np.array([-1, 1, 1, 2, 2, 3])
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        parts, wholes = rng.integers(0, 6, (4, 5)), rng.integers(0, 4, (4, 5))
        parts[rng.random(parts.shape) < .1] = 255
        values = [parents[p] == w for p, w in zip(parts.flat, wholes.flat)
                  if p != 255 and parents[p] >= 0]
        expected = np.mean(values) if values else math.nan
        assert F.semantic_consistency(parts, wholes, parents) == pytest.approx(
            expected, nan_ok=True)
    with pytest.raises(ValueError, match='in .0, 5., got 0 to 9'):
        F.semantic_consistency(np.array([[0, 9]]), np.array([[0, 0]]), parents)


def naive_clicks(masks, region, clicks):
    chosen, curve = np.zeros(region.shape, bool), [0.]
    for _ in range(clicks):
        options = [chosen | m for m in masks] + [chosen & ~m for m in masks]
        values = [(x & region).sum() / max((x | region).sum(), 1)
                  for x in options]
        if values and max(values) > curve[-1]:
            chosen = options[int(np.argmax(values))]
        curve.append(max([curve[-1], *values]))
    return curve


def test_click_curves():
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        masks, regions = random_masks(rng, 8), random_masks(rng, 4)
        expected = [naive_clicks(masks, x, 5) for x in regions]
        np.testing.assert_allclose(
            F.click_curves(masks, regions, 5),
            np.reshape(expected, (len(regions), 6)), atol=1e-12)


def test_a_tree_reaches_any_union_of_its_leaves():
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 12, (10, 13))
    levels = np.stack([leaves, leaves // 2, leaves // 4])
    region = np.isin(leaves, [0, 1, 2, 3, 6])
    curve = F.click_curves(levels, region[None], 4)
    assert F.number_of_clicks(curve, iou=1.) == [2]


@pytest.mark.parametrize('function', [
    F.average_recall, F.part_containment, F.click_curves])
def test_kinds_of_masks_are_equal(function):
    rng = np.random.default_rng(3)
    labels = rng.integers(-1, 6, (12, 15))
    masks = np.stack([labels == i for i in range(6)])
    regions = np.concatenate([random_masks(rng, 9), masks[:2]])
    expected = function(masks, regions)
    for one in (labels, torch.tensor(labels), torch.tensor(masks),
                encode(masks), labels[None]):
        np.testing.assert_array_equal(function(one, encode(regions)), expected)


def test_masks_are_checked():
    masks = np.zeros((2, 3, 4), bool)
    with pytest.raises(ValueError, match=r'\(3, 4\), `regions` of \(3, 5\)'):
        F.average_recall(masks, np.zeros((1, 3, 5), bool))
    with pytest.raises(ValueError, match=r'shape \(N, H, W\), got \(3, 4\)'):
        F.average_recall(masks[0], masks)
    with pytest.raises(TypeError, match='integers, got float64'):
        F.part_containment(masks.astype(float), masks)
    code, = encode(masks[:1])
    with pytest.raises(ValueError, match=r'`masks\[1\]`: .*pixels'):
        F.average_recall([code, dict(code, counts=[5])], masks)
    with pytest.raises(ValueError, match="with 'size'"):
        F.average_recall([dict(counts='x')], masks)
    with pytest.raises(ValueError, match='`max_masks` must be at least 1'):
        F.average_recall(masks, masks, max_masks=0)


def test_a_hundred_thousand_masks():
    code, = encode(np.ones((1, 40, 50), bool))
    assert F.average_recall([code] * 100_000, [code]) == 1
    assert math.isnan(F.average_recall([code] * 100_000, []))
    assert F.average_recall([], [code]) == 0
    # Dense, their overlaps would take 160 GB.
    pixels = np.arange(160_000).reshape(400, 400)
    assert F.part_containment(pixels, pixels // 2) == 1
