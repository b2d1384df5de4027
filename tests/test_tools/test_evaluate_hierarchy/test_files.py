"""``evaluate_hierarchy.py``: wrong files, and runs that were stopped."""
import io
import json
import math
import os

import evaluate_hierarchy
import hierarchy_predictions
import numpy as np
import pytest
from helpers.hierarchies import (
    BOX,
    LEVELS,
    NAMES,
    SHAPE,
    coco_file,
    write_npz,
)
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.apis.outputs import save_label_maps


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
