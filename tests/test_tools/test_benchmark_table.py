"""The papers' tables, and the command that writes them."""

import json
import sys

import benchmark_table
import pytest
from helpers.configs import ALL_CONFIGS, ROOT, load_config
from make_table import PATTERNS, TABLES, benchmark_tables, read_metafiles
from read_records import read_records
from records import FORMAT, describe

from mmhierseg._base.errors import UserError

TOOL = 'analysis_tools/benchmark_table.py'
TUNED, PROBE = 'cast-s_voc12aug-512x512', 'cast-s_linear_in100'
VOC = {'mIoU': 66.04, 'aAcc': 90., 'BoundaryFScore/mFscore': 45.25}


def save_record(folder, config, metrics, *, sha256='a' * 64, date='',
                content='a = 1', **parts):
    """Write a record as ``tools/test.py`` does; parts replace the usual."""
    record = dict(
        format=FORMAT,
        config=dict(name=config, path=f'configs/{config}.py', content=content),
        checkpoint=dict(
            path='last.pth', sha256=sha256, bytes=9, epoch=3, iter=None),
        metrics=metrics,
        data=dict(dataset='PascalVOCDataset', data_root='data', images=1449),
        seconds=1.5,
        options=dict(tta=False, amp=False, cfg_options={}),
        processes=1,
        machine=dict(describe('cpu'), commit='0123456789'))
    record.update(parts)
    if date:
        record['machine']['date'] = date
    path = folder / f'test_{config}_{len(list(folder.iterdir()))}.json'
    path.write_text(json.dumps(record))
    return path


def tables_of(folder, *names, aliases=None, **options):
    records = read_records([str(folder)], aliases or {})
    return benchmark_tables(records, names or ('voc', ), **options)


def row(text, *beginning):
    begins = '| ' + ' | '.join(beginning) + ' |'
    line, = (line for line in text.splitlines() if line.startswith(begins))
    return [cell.strip() for cell in line.strip('|').split('|')]


# -------------------------------------------------------------------- papers


def test_papers_alone():
    text = benchmark_tables([])
    assert row(text, 'CAST-S', 'superpixel')[2:] == [
        'yes', '38.4 / 27.0', '', '67.6 / 48.1', '']
    assert row(text, 'CAST-S', '3.4')[2:] == ['79.9', '', '68.1', '']
    assert row(text, 'CAST-S', '80.4')[2:] == ['', '43.1', '', '49.1', '']
    assert row(text, 'SAM-B')[2:4] == ['488.2', '10.15 / 7.25']
    assert row(text, 'HSG')[1:] == [
        '41.9 / 85.7', '', '32.5 / 86.0', '', '21.7 / 73.8', '']
    # Why cells are open is said below their table.
    assert row(text, 'SAM-H')[3:] == ['', '', '', '', '', 'open']
    assert '\n\n* Open, category: how it is scored is in no public' in text
    # Every table cites its paper.
    assert text.count('### ') == len(TABLES) == text.count('arxiv.org/abs')


def cells():
    """Table, model and metrics of each cell."""
    for name, table in TABLES.items():
        for row in table['rows']:
            columns = zip(row[len(table['headings']):],
                          table['columns'].values(), strict=True)
            yield from ((name, *column) for column in columns)


def test_every_number_has_a_cell():
    shown = {(model, metric) for _, model, metrics in cells()
             for metric in metrics}
    collections, models = read_metafiles()
    assert {table['collection'] for table in TABLES.values()} <= {*collections}
    reported = {
        (name, metric) for name, model in models.items()
        for result in model.get('Results', []) for metric in result['Metrics']
    }
    assert reported <= shown


def test_configs_measure_what_their_cells_show():
    given = {
        'IoUMetric': ('mIoU', 'aAcc'),
        'Accuracy': ('accuracy/top1', ),
        'mmhierseg.BoundaryFScore': ('BoundaryFScore/mFscore', ),
    }
    paths = {path.stem: path for path in ALL_CONFIGS
             if path.parent.name != 'swap'}
    for table, model, metrics in cells():
        # Open-vocabulary naming of parts has no config yet.
        if table == 'parts' or model not in paths:
            continue
        evaluator = load_config(paths[model]).test_evaluator
        if isinstance(evaluator, dict):
            evaluator = [evaluator]
        measured = {m for one in evaluator for m in given.get(one.type, ())}
        assert measured >= {PATTERNS[metric][0] for metric in metrics}, model


# ------------------------------------------------------------------- results


@pytest.mark.parametrize('tests, options, cell', [
    # Rounded; zero is a result; missing and undefined (null) are not.
    ([(TUNED, VOC)], {}, '66.0 / 45.2'),
    ([(PROBE, {'accuracy/top1': 0.})], {}, '0.0'),
    ([(TUNED, {'mIoU': 50., 'BoundaryFScore/mFscore': None})], {},
     '50.0 / –'),
    ([('cast-s_retrieval_voc12-512', {'retrieval/mIoU': 38.})], {},
     '38.0 / –'),
    # Several weights, side by side or averaged; augmented ones are marked.
    ([(PROBE, {'accuracy/top1': value}, dict(sha256=str(value)))
      for value in (60., 62., 64.)], {}, '60.0; 62.0; 64.0'),
    ([(PROBE, {'accuracy/top1': value}, dict(sha256=str(value)))
      for value in (60., 62., 64.)], dict(average=True), '62.0 ± 2.0 (n=3)'),
    ([(TUNED, VOC), (TUNED, VOC, dict(options=dict(tta=True), content='b'))],
     {}, '66.0 / 45.2; 66.0 / 45.2 (TTA)'),
    # A repeated test counts once, the latest.
    ([(PROBE, {'accuracy/top1': 2.}, dict(date='2026-01-02')),
      (PROBE, {'accuracy/top1': 1.}, dict(date='2026-01-01'))], {}, '2.0'),
    # Another name.
    ([('mine', VOC)], dict(aliases=dict(mine=TUNED)), '66.0 / 45.2'),
])
def test_cells(tests, options, cell, tmp_path):
    for config, metrics, *parts in tests:
        save_record(tmp_path, config, metrics, **(parts[0] if parts else {}))
    text = tables_of(tmp_path, 'voc', 'linear', **options)
    filled = row(text, 'CAST-S', '3.4') + row(text, 'CAST-S', 'superpixel')
    assert cell in filled
    assert 'Other results' not in text
    _, sources = text.split('### Sources\n')
    aliases = options.get('aliases', {})
    for config, *_ in tests:
        name = aliases.get(config)
        assert (f'* `{name}` (by `{config}`): ' if name else
                f'* `{config}`: ') in sources
    for words in ('checkpoint `', 'epoch 3', 'torch 2.', 'commit 0123456789',
                  '1449 images of PascalVOCDataset'):
        assert words in sources


def test_what_is_open_stays_empty(tmp_path):
    save_record(tmp_path, 'cast-b_clip_part-imagenet',
                {'part/mIoU': 13., 'object/mIoU': 29.,
                 'part/BoundaryFScore/mFscore': 7.})
    text = tables_of(tmp_path, 'parts')
    assert row(text, 'CAST-B')[4::2] == ['13.0 / –', '29.0 / –', 'open']


def test_other_results(tmp_path):
    save_record(tmp_path, 'mine', {'mIoU': 12.345, 'NFCovering/level1': 40.,
                                   'names': ['a'], 'undefined': None})
    text = tables_of(tmp_path)
    assert row(text, 'mine', '1449 images of PascalVOCDataset', 'mIoU')[
        -1] == '12.35'
    assert 'names' not in text and 'undefined' not in text
    text = tables_of(tmp_path, metrics=['NFC*'])
    assert 'NFCovering/level1' in text and 'mIoU |' not in text


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize('config, metrics, options, message', [
    (TUNED, {'aAcc': 90.}, {}, 'without mIoU or Boundary.*aAcc'),
    (TUNED, {'a/mIoU': 1., 'b/mIoU': 2.}, {}, 'any of a/mIoU, b/mIoU'),
    ('mine', VOC, dict(metrics=['mIuO']), 'mIuO: no result .* aAcc, mIoU'),
    ('mine', VOC, dict(aliases=dict(yours=TUNED)),
     "config 'yours'; there are mine"),
    (TUNED, VOC, dict(average=True), 'some have the same, tested with'),
])
def test_results_that_do_not_fit(config, metrics, options, message, tmp_path):
    for content in 'ab':
        save_record(tmp_path, config, metrics, content=content)
    with pytest.raises(UserError, match=message):
        tables_of(tmp_path, **options)


def test_missing_and_broken_records(tmp_path):
    path = tmp_path / 'test_a.json'
    with pytest.raises(UserError, match='no such file or folder'):
        tables_of(path)
    with pytest.raises(UserError, match='has no test_'):
        tables_of(tmp_path)
    for content, message in (
        (b'\xff\xfe', 'cannot be read as JSON'),
        (b'[1]', 'is not a test record'),
        (b'{"format": "mmhierseg test record 1", "config": 3}',
         '`config` must be dict, got int'),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            tables_of(path)
    path = save_record(tmp_path, 'mine', VOC, machine=dict(cpu='x', date=''))
    with pytest.raises(UserError, match='`machine` is incomplete'):
        tables_of(path)


# --------------------------------------------------------------- the command


@pytest.mark.slow
def test_writes_the_tables(tool, tmp_path):
    save_record(tmp_path, 'mine', {'accuracy/top1': 70.})
    out = tmp_path / 'made' / 'tables.md'
    tool(TOOL, tmp_path, '--tables', 'linear', '--alias', f'mine={PROBE}',
         '--out', out)
    assert '| CAST-S | 3.4 | 79.9 | 70.0 | 68.1 |  |' in out.read_text()


def test_model_zoo_is_up_to_date():
    """Else run `benchmark_table.py --update-readmes`."""
    text = (ROOT / 'docs/model_zoo.md').read_text()
    assert text == benchmark_table.updated(text)
    for name, model in read_metafiles()[1].items():
        assert (f'| `{name}` |' in text) == ('Config' in model)


def test_lists_models_and_updates_readmes(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, 'argv', ['', '--list', '--tables', 'voc'])
    benchmark_table.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and lines[-1] == (
        f'voc: CAST-S, after tuning: {TUNED} (mIoU, BoundaryFScore/mFscore)')
    readme = tmp_path / 'configs/hsg/README.md'
    zoo = tmp_path / 'docs/model_zoo.md'
    for path in (readme, zoo):
        path.parent.mkdir(parents=True)
    zoo.write_text('<!-- zoo of CAST -->\n<!-- end -->\n')
    readme.write_text(
        'Before\n<!-- models of HSG -->\nold\n<!-- end -->\nafter\n')
    monkeypatch.setattr(benchmark_table, 'ROOT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['', '--update-readmes'])
    benchmark_table.main()
    text = readme.read_text()
    assert text.startswith('Before\n<!-- models of HSG -->\n| config |')
    assert text.endswith('|\n<!-- end -->\nafter\n') and 'old' not in text
    assert '41.9 mIoU, 85.7 pixel accuracy' in text
    _, _, data, weights, status = row(zoo.read_text(), '`cast-t_imagenette`')
    assert data.startswith('Imagenette') and status.startswith('trained here')
    assert weights == '`mmhierseg://cast-t_imagenette`'
