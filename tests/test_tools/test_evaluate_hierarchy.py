"""``evaluate_hierarchy.py``: files of any method against any ground truth."""

import io
import json
import math
import os
import sys

import evaluate_hierarchy
import hierarchy_predictions
import numpy as np
import pytest
from helpers.evaluation import blobs
from PIL import Image
from scipy.io import savemat
from skimage.segmentation import find_boundaries

from mmhierseg._base.errors import UserError
from mmhierseg.apis import HierarchyResult
from mmhierseg.apis.label_maps import coco_annotations
from mmhierseg.apis.outputs import save_label_maps
from mmhierseg.evaluation import functional as F

NAMES = ['a', 'b.1', 'c']
SHAPE = (31, 46)


def make_levels(seed):
    """Nested label maps, fine to coarse."""
    rng = np.random.default_rng(seed)
    fine = blobs(rng, 24, 2., SHAPE)
    fine = np.unique(fine, return_inverse=True)[1].reshape(SHAPE)
    parents = np.unique(rng.integers(0, 8, fine.max() + 1),
                        return_inverse=True)[1]
    tops = np.unique(rng.integers(0, 3, parents.max() + 1),
                     return_inverse=True)[1]
    return fine, parents[fine], tops[parents[fine]], (parents, tops)


LEVELS = {name: make_levels(i)[:3] for i, name in enumerate(NAMES)}
PEOPLE = {name: [blobs(np.random.default_rng(10 * i + k), 5, 4., SHAPE) + 1
                 for k in range(1 + i)] for i, name in enumerate(NAMES)}
BOX = dict(size=list(SHAPE), counts=[46, SHAPE[0] * SHAPE[1] - 46])


def write_people(folder):
    folder.mkdir()
    for name, maps in PEOPLE.items():
        cells = np.empty((1, len(maps)), object)
        for i, labels in enumerate(maps):
            cells[0, i] = dict(Segmentation=labels.astype(np.uint16))
        savemat(folder / f'{name}.mat', dict(groundTruth=cells))
    return folder


def write_npz(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'npz')


def write_png(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'png')
        Image.new('RGB', (9, 9)).save(folder / f'{name}_hierarchy.png')


def write_folders(folder):
    for level in range(3):
        (folder / f'level{level}').mkdir()
        for name, maps in LEVELS.items():
            Image.fromarray(maps[level].astype(np.uint8)).save(
                folder / f'level{level}/{name}.png')


def write_coco(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'coco')


def write_stack(folder):
    for name, maps in LEVELS.items():
        np.savez(folder / f'{name}.npz', levels=np.stack(maps))


def write_results(folder):
    for i, name in enumerate(NAMES):
        fine, _, _, parents = make_levels(i)
        image = np.zeros((*SHAPE, 3), np.uint8)
        HierarchyResult(fine, parents, image=image).save(
            folder / f'{name}.npz')


def write_upper_case(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'npz')
        (folder / f'{name}_levels.npz').rename(folder / f'{name}.NPZ')


WRITERS = [write_npz, write_png, write_folders, write_coco, write_stack,
           write_results, write_upper_case]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the tool, and return its summary."""

    def function(pred, gt, *options, out='out', plot=False):
        if not plot:  # takes a second
            monkeypatch.setattr(evaluate_hierarchy, 'plot', lambda *_: None)
        monkeypatch.setattr(sys, 'argv', [
            'evaluate_hierarchy.py', str(pred), str(gt), '--out',
            str(tmp_path / out), '--workers', '1', *map(str, options)])
        evaluate_hierarchy.main()
        return json.loads((tmp_path / out / 'summary.json').read_text())

    return function


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / 'gt')


@pytest.fixture
def pred(tmp_path):
    folder = tmp_path / 'pred'
    folder.mkdir()
    write_npz(folder)
    return folder


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


def coco_file(path, parts=False):
    """Boxes with classes, one image without any."""
    names = ['Car Body', 'Car Tier', 'Bird Head'] if parts else 'xyz'
    content = dict(
        images=[dict(id=i + 7, file_name=f'{x}.jpg', height=SHAPE[0],
                     width=SHAPE[1]) for i, x in enumerate(NAMES)],
        categories=[dict(id=i, name=x, supercategory=x.split()[0] if parts
                         else 'thing') for i, x in enumerate(names)],
        annotations=[])
    for i, name in enumerate(NAMES[:2]):
        for entry in coco_annotations([PEOPLE[name][0] % 4 - 1]):
            content['annotations'].append(dict(
                entry, image_id=i + 7, category_id=entry['segment']))
    path.write_text(json.dumps(content))
    return path


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


# ------------------------------------------------------------ robustness


def test_processes_do_not_matter_and_runs_resume(run, pred, people, tmp_path,
                                                 monkeypatch, capsys):
    expected = run(pred, people)
    assert run(pred, people, '--workers', 2, out='two') == expected
    log = tmp_path / 'out/images.jsonl'
    lines = log.read_text().splitlines()
    # As if it had been stopped in the middle of the third.
    log.write_text('\n'.join([*lines[:2], lines[2][:40]]))
    done = []
    measure = evaluate_hierarchy.measure
    monkeypatch.setattr(evaluate_hierarchy, 'measure',
                        lambda *x: done.append(1) or measure(*x))
    assert run(pred, people) == expected
    assert len(done) == 1 and '2 of 3 images' in capsys.readouterr().out
    # Another prediction is measured again.
    save_label_maps(pred / 'a', LEVELS['c'], 'npz')
    assert run(pred, people) != expected
    assert len(done) == 2


def test_errors_name_what_is_wrong(run, pred, people, tmp_path):
    (pred / 'a_levels.npz').rename(tmp_path / 'kept.npz')
    with pytest.raises(ValueError, match='1 of 3 images .* no prediction'):
        run(pred, people)
    np.savez(pred / 'a_levels.npz', level_0=np.zeros((5, 6), int))
    with pytest.raises(ValueError, match=r'a: level 0 has \(5, 6\) pixels'):
        run(pred, people)
    np.savez(pred / 'a_levels.npz', level_0=LEVELS['a'][0])
    with pytest.raises(ValueError, match=r'different levels, 1 .* and 3 '):
        run(pred, people)
    np.savez(pred / 'a_levels.npz', level_0=LEVELS['a'][0] / 2)
    with pytest.raises(ValueError, match='integers, got float64'):
        run(pred, people)
    (pred / 'a_levels.npz').write_bytes(b'PK')
    with pytest.raises(ValueError, match='a_levels.npz. is no file of arrays'):
        run(pred, people)
    (pred / 'a_coco.json').write_text('[1]')
    with pytest.raises(ValueError, match='two predictions'):
        run(pred, people)
    (pred / 'a_levels.npz').unlink()
    with pytest.raises(ValueError, match="each with 'segmentation'"):
        run(pred, people)
    (people / 'a.mat').write_bytes(b'x')
    with pytest.raises(ValueError, match="ground truth .*a.mat' cannot"):
        run(pred, people)
    for wrong in (tmp_path / 'none', tmp_path / 'empty'):
        (tmp_path / 'empty').mkdir(exist_ok=True)
        with pytest.raises(ValueError, match='GT must|no ground truth'):
            run(pred, wrong)
    with pytest.raises(ValueError, match='--workers and --max-masks'):
        run(pred, people, '--max-masks', 0)


def json_of(*entries):
    return json.dumps([dict(segmentation=BOX, **x) for x in entries]).encode()


def file_of(save, *arrays):
    content = io.BytesIO()
    save(content, *arrays)
    return content.getvalue()


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes(
        255 - x for x in content[middle:middle + 40]) + content[middle + 40:]


NOISE = np.random.default_rng(0).integers(0, 255, SHAPE)
DOUBLE = np.zeros([2 * n + 1 for n in SHAPE])


@pytest.mark.parametrize('name, content, message', [
    ('a.json', json_of(dict(score='0.5')), "'score' of a mask must .*'0.5'"),
    ('a.json', json_of(dict(score=float('nan'))), "'score' .* got nan"),
    ('a.json', json_of(dict(score=10**400)), 'too large'),
    ('a.json', json_of(dict(level=.5)), "'level' .* integer, got 0.5"),
    ('a.json', json_of(dict(level='1'), dict(level=2)), "'level' .* got '1'"),
    ('a.json', json_of(*(dict(level=i) for i in range(1001))), '1001 levels'),
    ('a.npz', b'', 'a.npz. is no file of arrays'),
    ('a.npz', flip(file_of(np.savez_compressed, NOISE)), 'is no file of arr'),
    ('a.npz', file_of(np.savez), 'a: there is no level'),
    ('a.npz', file_of(np.savez, NOISE, NOISE[:5]), 'levels have different s'),
    ('a.png', file_of(lambda file, x: Image.fromarray(x).save(file, 'png'),
                      np.zeros((*SHAPE, 3), np.uint8)), r'got uint8 of shape'),
    ('a.npy', file_of(np.save, DOUBLE + np.nan), 'is no ultrametric map'),
    ('a.npy', file_of(np.save, DOUBLE + 99), 'up to 99, .* --thresholds')])
def test_wrong_predictions(run, people, tmp_path, name, content, message):
    folder = tmp_path / 'wrong'
    folder.mkdir()
    write_npz(folder)
    (folder / 'a_levels.npz').unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        run(folder, people)


@pytest.mark.parametrize('size, message', [
    ((math.inf, 3), 'infinity'), ((0, 0), 'must be positive'),
    ((10**7, 10**7), 'more than'), ((10**4, 10**4), '100 masks of')])
def test_sizes_of_truths(run, pred, tmp_path, size, message):
    folder = tmp_path / 'sa'
    folder.mkdir()
    for name in NAMES:
        (folder / f'{name}.json').write_text(json.dumps(dict(
            image=dict(height=size[0], width=size[1]),
            annotations=[dict(segmentation=[])] * 100)))
    with pytest.raises(UserError, match=message):
        run(pred, folder)


def test_truth_without_a_region(run, pred, tmp_path):
    folder = tmp_path / 'nothing'
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(np.full(SHAPE, 255, np.uint8)).save(
            folder / f'{name}.png')
    found = run(pred, folder, plot=True)
    assert found['recall']['all'] is None
    assert found['covering']['level'] == found['region_miou']['level'] == (
        [None] * 3)
    assert 'NaN' not in (tmp_path / 'out/summary.json').read_text()


def test_truth_without_images(run, pred, tmp_path):
    path = coco_file(tmp_path / 'gt.json')
    path.write_text(json.dumps(dict(images=[], categories=[],
                                    annotations=[])))
    with pytest.raises(UserError, match='lists no images'):
        run(pred, path)


def test_a_folder_that_cannot_be_made(run, pred, people, tmp_path):
    (tmp_path / 'file').write_text('')
    for out in ('file', 'file/out'):
        with pytest.raises(UserError, match='--out'):
            run(pred, people, out=out)


def test_rubbish_in_the_log_is_left_out(run, pred, people, tmp_path):
    expected = run(pred, people, '--metrics', 'recall')
    with (tmp_path / 'out/images.jsonl').open('ab') as file:
        file.write(b'\xff\nnull\n{"a": 1}\n[["a"], 1, 2]\n')
    assert run(pred, people, '--metrics', 'recall') == expected


def test_a_process_that_is_killed(run, pred, people, monkeypatch):
    monkeypatch.setattr(evaluate_hierarchy, 'measure', kill)
    with pytest.raises(UserError, match='a process was killed'):
        run(pred, people, '--workers', 2)


def kill(*_):
    os._exit(9)


def test_nothing_predicted(run, people, tmp_path):
    folder = tmp_path / 'nothing'
    folder.mkdir()
    for name in NAMES:
        (folder / f'{name}.json').write_text('[]')
    found = run(folder, people)
    assert found['covering']['ods'] == found['recall']['all'] == 0
    assert found['clicks']['curve'] == [0] * 21


def test_equal_segments_are_one_mask():
    maps = dict(a=LEVELS['a'][0], b=LEVELS['a'][0], c=LEVELS['a'][2])
    masks = hierarchy_predictions._of_maps(maps).masks
    coarse, _, fine = masks
    assert np.array_equal(coarse, LEVELS['a'][2])
    assert (fine == -1).all()
