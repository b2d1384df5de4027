"""``evaluate_hierarchy.py``: files of any method against any ground truth."""
import json

import evaluate_hierarchy
import numpy as np
import pytest
from helpers.hierarchies import (
    BOX,
    LEVELS,
    NAMES,
    PEOPLE,
    SHAPE,
    WRITERS,
    coco_file,
    write_results,
)
from PIL import Image
from skimage.segmentation import find_boundaries

from mmhierseg.apis import HierarchyResult
from mmhierseg.apis.label_maps import coco_annotations
from mmhierseg.evaluation import functional as F


def test_measures_are_the_functions(run, pred, people, tmp_path):
    found = run(pred, people, plot=True)
    assert found['images'] == 3
    assert found['levels'] == ['level 0', 'level 1', 'level 2']
    for name in ('covering', 'variation_of_information',
                 'probabilistic_rand_index'):
        rows = np.array([[getattr(F, name)(x, np.stack(PEOPLE[key]))
                          for x in LEVELS[key]] for key in NAMES])
        np.testing.assert_allclose(found[name]['level'], rows.mean(0))
        best = min if name == 'variation_of_information' else max
        assert found[name]['ods'] == best(found[name]['level'])
        assert found[name]['ois'] == pytest.approx(
            np.mean([best(x) for x in rows]))
    assert found['containment']['level'][:2] == [1, 1]
    counts = np.array([[F.segmentation_boundary_counts(x, np.stack(
        PEOPLE[key])) for x in LEVELS[key]] for key in NAMES])
    f = F.boundary_f_score(counts.sum(0).T)[0]
    np.testing.assert_allclose(found['boundary']['level'], f)
    best = counts[range(3), [
        F.boundary_f_score(x.T)[0].argmax() for x in counts]].sum(0)
    assert found['boundary']['ois'] == pytest.approx(
        float(F.boundary_f_score(best)[0]))
    recall = [F.recall_counts(F.overlaps_of(
        np.stack(LEVELS[key][::-1]), np.stack(PEOPLE[key]))) for key in NAMES]
    assert found['recall']['all'] == pytest.approx(
        sum(x.mean() for x, _ in recall) / sum(n for _, n in recall))
    curve = found['clicks']['curve']
    assert len(curve) == 21 and curve == sorted(curve)
    clicks = found['clicks']['noc']
    assert 1 <= clicks['0.80'] <= clicks['0.85'] <= clicks['0.90']
    table = (tmp_path / 'out/table.md').read_text()
    assert f'| {100 * found["covering"]["ods"]:.1f} |' in table
    assert Image.open(tmp_path / 'out/curves.png').size[0] > 300


@pytest.mark.parametrize('write', WRITERS)
def test_files_of_one_hierarchy_are_equal(run, pred, people, tmp_path, write):
    other = tmp_path / 'other'
    other.mkdir()
    write(other)
    assert run(other, people) == run(pred, people, out='expected')


@pytest.mark.parametrize('kind', ['double.npy', 'double.png', 'same.npy'])
def test_ultrametric_maps(run, people, tmp_path, kind):
    folder = tmp_path / 'ucm'
    folder.mkdir()
    for name, maps in LEVELS.items():
        if kind.startswith('double'):
            contours = np.zeros([2 * n + 1 for n in SHAPE], np.uint8)
            for i, labels in enumerate(maps, 1):
                edge = np.zeros(contours.shape, bool)
                edge[2:-1:2, 1::2] = labels[1:] != labels[:-1]
                edge[1::2, 2:-1:2] = labels[:, 1:] != labels[:, :-1]
                corner = edge[1:-2:2, 2:-1:2] | edge[3::2, 2:-1:2]
                corner |= edge[2:-1:2, 1:-2:2] | edge[2:-1:2, 3::2]
                edge[2:-1:2, 2:-1:2] = corner
                edge = np.pad(edge[1:-1, 1:-1], 1, mode='edge')
                contours[edge] = 40 * i
        else:
            contours = np.zeros(SHAPE)
            for i, labels in enumerate(maps, 1):
                contours[find_boundaries(labels, mode='inner')] = .2 * i
        if kind.endswith('png'):
            Image.fromarray(contours).save(folder / f'{name}.png')
        else:
            np.save(folder / f'{name}.npy', contours)
    double = kind.startswith('double')
    found = run(folder, people, '--metrics', 'agreement', '--thresholds',
                *((30, 70, 110) if double else (.1, .3, .5)),
                *(() if double else ('--ultrametric', )))
    assert found['levels'] == (['30', '70', '110'] if double else [
        '0.1', '0.3', '0.5'])
    if kind == 'double.npy':  # the border does not matter
        for path in folder.iterdir():
            np.save(path, np.pad(np.load(path)[1:-1, 1:-1], 1))
        assert run(folder, people, '--metrics', 'agreement', '--thresholds',
                   30, 70, 110) == found
    # Components of segments, which may be in pieces.
    whole = run_of_pieces(run, tmp_path, people)
    tolerance = 1e-9 if double else .1
    np.testing.assert_allclose(found['covering']['level'],
                               whole['covering']['level'], atol=tolerance)


def run_of_pieces(run, tmp_path, people):
    from mmhierseg.apis.label_maps import split_connected
    folder = tmp_path / 'pieces'
    folder.mkdir()
    for name, maps in LEVELS.items():
        np.savez(folder / f'{name}.npz',
                 **{f'level_{i}': split_connected(x)
                    for i, x in enumerate(maps)})
    return run(folder, people, '--metrics', 'agreement', out='pieces_out')


def test_cuts_of_results(run, people, tmp_path):
    folder = tmp_path / 'results'
    folder.mkdir()
    write_results(folder)
    found = run(folder, people, '--numbers', 2, 6, 12)
    assert found['levels'] == ['12 segments', '6 segments', '2 segments']
    cut = HierarchyResult.load(folder / 'a.npz').cut(6)
    result = evaluate_hierarchy.read_log(tmp_path / 'out/images.jsonl')['a']
    assert result[1]['agreement'][1][0] == F.covering(
        cut, np.stack(PEOPLE['a']))

@pytest.mark.parametrize('parts', [False, True])
def test_truth_of_coco(run, pred, tmp_path, parts):
    found = run(pred, coco_file(tmp_path / 'gt.json', parts))
    classes = {x: PEOPLE[x][0] % 4 for x in NAMES[:2]}
    areas = sum(F.class_areas(F.region_miou(LEVELS[x][1], y, 4))
                for x, y in classes.items())
    # An image without annotations is background.
    areas[:, 0] += SHAPE[0] * SHAPE[1]
    assert found['region_miou']['level'][1] == pytest.approx(
        F.mean_iou_of_areas(areas))
    nf = [F.nf_covering(LEVELS[x][1], y) for x, y in classes.items()]
    assert found['nf_covering']['level'][1] == pytest.approx(np.mean(nf))
    assert ('spatial_consistency' in found) is parts
    if parts:
        assert found['spatial_consistency'] > 0
        assert 0 <= found['semantic_consistency'] <= 1


def test_crowds_are_no_objects_to_find(run, pred, tmp_path):
    path = coco_file(tmp_path / 'gt.json')
    expected = run(pred, path)
    content = json.loads(path.read_text())
    content['annotations'].append(dict(
        image_id=9, category_id=0, iscrowd=1, segmentation=BOX))
    path.write_text(json.dumps(content))
    found = run(pred, path)
    for name in ('recall', 'clicks'):
        assert found[name] == expected[name]
    assert found['covering'] != expected['covering']


@pytest.mark.parametrize('names', [
    [('x', 'x'), ('y', 'y'), ('z', 'z')], [('x', ''), ('y', ''), ('z', '')],
    [('None a', None), ('None b', None), ('None c', None)]])
def test_classes_that_are_no_parts(run, pred, tmp_path, names):
    path = coco_file(tmp_path / 'gt.json')
    content = json.loads(path.read_text())
    content['categories'] = [
        dict(id=i, name=name, supercategory=whole)
        for i, (name, whole) in enumerate(names)]
    path.write_text(json.dumps(content))
    assert 'spatial_consistency' not in run(
        pred, path, '--metrics', 'consistency')


def test_labels_of_segments_that_are_parts_are_consistent(run, tmp_path):
    """Parts and wholes as they are: everything agrees."""
    folder = tmp_path / 'perfect'
    folder.mkdir()
    wholes = np.array([0, 1, 1, 2])
    for name in NAMES:
        parts = PEOPLE[name][0] % 4 if name != NAMES[2] else np.zeros(
            SHAPE, int)
        np.savez(folder / f'{name}.npz', a0=parts, a1=wholes[parts])
    found = run(folder, coco_file(tmp_path / 'gt.json', parts=True))
    assert found['spatial_consistency'] == found['semantic_consistency'] == 1
    assert found['recall']['all'] == found['region_miou']['level'][0] == 1
    assert found['containment']['level'][0] == 1


def test_truth_of_sa1b_and_masks_that_overlap(run, tmp_path):
    truth, preds = tmp_path / 'gt', tmp_path / 'pred'
    truth.mkdir()
    preds.mkdir()
    rng = np.random.default_rng(0)
    for name in NAMES:
        entries = coco_annotations([PEOPLE[name][0] - 1])
        (truth / f'{name}.json').write_text(json.dumps(dict(
            image=dict(height=SHAPE[0], width=SHAPE[1], file_name=name),
            annotations=entries)))
        masks = entries + coco_annotations(LEVELS[name][1:])
        masks = [dict(segmentation=x['segmentation'], predicted_iou=score)
                 for x, score in zip(masks, rng.random(len(masks)))]
        (preds / f'{name}.json').write_text(json.dumps(masks))
    found = run(preds, truth)
    assert found['levels'] == ['painted']
    assert found['recall']['all'] == 1
    assert found['clicks']['noc']['0.90'] == 1
    assert 0 < found['containment_of_masks'] < 1
    assert 'region_miou' not in found
    few = run(preds, truth, '--max-masks', 2, out='few')
    assert few['recall']['all'] < 1


def test_file_of_results(run, tmp_path):
    truth = coco_file(tmp_path / 'gt.json')
    entries = [
        dict(image_id=i + 7, segmentation=x['segmentation'], score=.5)
        for i, name in enumerate(NAMES[:2])
        for x in coco_annotations([PEOPLE[name][0] % 4 - 1])]
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(entries))
    assert run(path, truth)['recall']['all'] == 1
    path.write_text(json.dumps([dict(x, image_id=99) for x in entries]))
    with pytest.raises(ValueError, match="no 'image_id'"):
        run(path, truth)


def test_truth_of_classes(run, pred, tmp_path):
    folder = tmp_path / 'classes'
    folder.mkdir()
    for name in NAMES:
        labels = (PEOPLE[name][0] % 3).astype(np.uint8)
        labels[:4] = 255
        Image.fromarray(labels).save(folder / f'{name}.png')
    found = run(pred, folder)
    values = []
    for name in NAMES:
        labels = PEOPLE[name][0] % 3
        labels[:4] = 255
        values.append(F.nf_covering(LEVELS[name][0], labels))
    assert found['nf_covering']['level'][0] == pytest.approx(np.mean(values))
    everything = run(pred, folder, '--background', -1, out='all')
    assert everything['nf_covering'] != found['nf_covering']
    assert everything['covering'] == found['covering']


def test_ids_of_16_bits(run, pred, tmp_path):
    """As small ones, without a matrix of all ids."""
    results = []
    for factor in (1, 20_000):
        folder = tmp_path / str(factor)
        folder.mkdir()
        for name in NAMES:
            labels = (PEOPLE[name][0] % 4 * factor).astype(np.uint16)
            Image.fromarray(labels).save(folder / f'{name}.PNG')
        results.append(run(pred, folder, out=f'out{factor}'))
    assert results[0] == results[1]
