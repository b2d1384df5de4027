import pytest
from helpers.configs import ALL_CONFIGS, load_config
from helpers.records import save_record
from make_table import PATTERNS, TABLES, benchmark_tables, read_metafiles
from read_records import read_records

from mmhierseg._base.errors import UserError

AFTER = 'cast-s_voc12aug-512x512'
VOC = {'mIoU': 66.04, 'aAcc': 90., 'BoundaryFScore/mFscore': 45.25}


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
    assert row(text, 'CAST-S', 'superpixel') == [
        'CAST-S', 'superpixel', 'yes', '38.4 / 27.0', '', '67.6 / 48.1', '']
    assert row(text, 'CAST-S', '3.4') == [
        'CAST-S', '3.4', '79.9', '', '68.1', '']
    assert row(text, 'CAST-S', '80.4') == [
        'CAST-S', '80.4', '', '43.1', '', '49.1', '']
    assert row(text, 'SAM-B')[2:4] == ['488.2', '10.15 / 7.25']
    assert row(text, 'HSG') == [
        'HSG', '41.9 / 85.7', '', '32.5 / 86.0', '', '21.7 / 73.8', '']
    # Every table cites its paper.
    assert text.count('### ') == len(TABLES) == text.count('arxiv.org/abs')


@pytest.mark.parametrize('name', TABLES)
def test_layout(name):
    """Rows are rectangular, and metrics are known."""
    table = TABLES[name]
    assert table['collection'] in read_metafiles()[0]
    for row in table['rows']:
        assert len(row) == len(table['headings']) + len(table['columns'])
    for metrics in table['columns'].values():
        assert set(metrics) <= set(PATTERNS)


def test_every_number_has_a_cell():
    shown = {
        (model, metric)
        for table in TABLES.values() for row in table['rows']
        for model, metrics in zip(row[len(table['headings']):],
                                  table['columns'].values())
        for metric in metrics
    }
    reported = {
        (name, metric)
        for name, model in read_metafiles()[1].items()
        for result in model.get('Results', []) for metric in result['Metrics']
    }
    assert reported <= shown


#: Evaluator -> metrics that it gives.
GIVEN = {
    'IoUMetric': ('mIoU', 'aAcc'),
    'Accuracy': ('accuracy/top1', ),
    'mmhierseg.BoundaryFScore': ('BoundaryFScore/mFscore', ),
}


# Open-vocabulary naming of parts has no config yet.
@pytest.mark.parametrize('name', sorted(set(TABLES) - {'parts'}))
def test_configs_measure_what_their_cells_show(name):
    paths, table = {path.stem: path for path in ALL_CONFIGS
                    if path.parent.name != 'swap'}, TABLES[name]
    for row in table['rows']:
        for model, metrics in zip(row[len(table['headings']):],
                                  table['columns'].values()):
            if model not in paths:
                continue
            evaluator = load_config(paths[model]).test_evaluator
            if isinstance(evaluator, dict):
                evaluator = [evaluator]
            given = {m for metric in evaluator
                     for m in GIVEN.get(metric.type, ())}
            assert given >= {PATTERNS[metric][0] for metric in metrics}


# ------------------------------------------------------------------- results


def test_results_stand_beside_the_papers(tmp_path):
    save_record(tmp_path, AFTER, VOC)
    save_record(tmp_path, 'cast-s_linear_in1k', {'accuracy/top1': 68.05})
    text = tables_of(tmp_path, 'voc', 'linear')
    assert row(text, 'CAST-S', 'superpixel')[3:] == [
        '38.4 / 27.0', '', '67.6 / 48.1', '66.0 / 45.2']
    assert row(text, 'CAST-S', '3.4')[2:] == ['79.9', '', '68.1', '68.0']
    assert 'Other results' not in text
    source, = (line for line in text.splitlines()
               if line.startswith(f'* `{AFTER}`'))
    for words in ('checkpoint `aaaaaaaaaaaa`', 'epoch 3', 'torch 2.',
                  '1449 images of PascalVOCDataset', 'commit 0123456789'):
        assert words in source


def test_zero_is_a_result(tmp_path):
    save_record(tmp_path, 'cast-s_linear_in1k', {'accuracy/top1': 0.})
    assert row(tables_of(tmp_path, 'linear'), 'CAST-S')[-1] == '0.0'


@pytest.mark.parametrize('missing', [{}, {'BoundaryFScore/mFscore': None}])
def test_half_of_a_cell(tmp_path, missing):
    """Not measured, or undefined (null: JSON has no NaN)."""
    save_record(tmp_path, AFTER, {'mIoU': 50., **missing})
    assert row(tables_of(tmp_path), 'CAST-S')[-1] == '50.0 / –'


def test_several_results(tmp_path):
    for i, value in enumerate((60., 62., 64.)):
        save_record(tmp_path, 'cast-s_linear_in100', {'accuracy/top1': value},
                    sha256=f'{i}' * 64)
    assert row(tables_of(tmp_path, 'linear'), 'CAST-S')[3] == (
        '60.0; 62.0; 64.0')
    averaged = tables_of(tmp_path, 'linear', average=True)
    assert row(averaged, 'CAST-S')[3] == '62.0 ± 2.0 (n=3)'


def test_augmented_results_are_marked_and_not_averaged(tmp_path):
    save_record(tmp_path, AFTER, VOC)
    save_record(
        tmp_path, AFTER, {**VOC, 'mIoU': 67.}, options=dict(tta=True),
        content='tta = True')
    assert row(tables_of(tmp_path), 'CAST-S')[-1] == (
        '66.0 / 45.2; 67.0 / 45.2 (TTA)')
    with pytest.raises(UserError, match='some have the same, tested with'):
        tables_of(tmp_path, average=True)


def test_repeated_test_counts_once(tmp_path):
    for value, date in ((2., '2026-01-02'), (1., '2026-01-01')):
        save_record(tmp_path, 'cast-s_linear_in100', {'accuracy/top1': value},
                    date=date)
    assert row(tables_of(tmp_path, 'linear'), 'CAST-S')[3] == '2.0'


def test_other_results(tmp_path):
    save_record(tmp_path, 'mine', {'mIoU': 12.345, 'NFCovering/level1': 40.,
                                   'names': ['a'], 'undefined': None})
    text = tables_of(tmp_path)
    assert row(text, 'mine', '1449 images of PascalVOCDataset', 'mIoU')[
        -1] == '12.35'
    assert 'names' not in text and 'undefined' not in text
    text = tables_of(tmp_path, metrics=['NFC*'])
    assert 'NFCovering/level1' in text and 'mIoU |' not in text


def test_alias(tmp_path):
    save_record(tmp_path, 'mine', VOC)
    text = tables_of(tmp_path, aliases={'mine': AFTER})
    assert row(text, 'CAST-S')[-1] == '66.0 / 45.2'
    # Whose result it is stays to be seen.
    assert f'* `{AFTER}` (by `mine`): ' in text


def test_prefix_of_a_metric(tmp_path):
    save_record(tmp_path, 'cast-s_retrieval_voc12-512',
                {'retrieval/mIoU': 38.})
    assert row(tables_of(tmp_path), 'CAST-S')[4] == '38.0 / –'


# ----------------------------------------------------------------- bad input


def test_metric_that_the_table_needs_is_missing(tmp_path):
    save_record(tmp_path, AFTER, {'aAcc': 90.})
    with pytest.raises(UserError, match='without mIoU or Boundary.*aAcc'):
        tables_of(tmp_path)


def test_ambiguous_metric(tmp_path):
    save_record(tmp_path, AFTER, {'a/mIoU': 1., 'b/mIoU': 2.})
    with pytest.raises(UserError, match='any of a/mIoU, b/mIoU'):
        tables_of(tmp_path)


def test_unknown_metric(tmp_path):
    save_record(tmp_path, 'mine', VOC)
    with pytest.raises(UserError, match='mIuO: no result .* aAcc, mIoU'):
        tables_of(tmp_path, metrics=['mIuO'])


def test_unknown_alias(tmp_path):
    save_record(tmp_path, 'mine', VOC)
    with pytest.raises(UserError, match="config 'yours'; there are mine"):
        tables_of(tmp_path, aliases={'yours': AFTER})


def test_no_file(tmp_path):
    with pytest.raises(UserError, match='no such file or folder'):
        tables_of(tmp_path / 'a.json')
    with pytest.raises(UserError, match='has no test_'):
        tables_of(tmp_path)


def test_damaged_machine(tmp_path):
    path = save_record(tmp_path, 'mine', VOC, machine=dict(cpu='x', date=''))
    with pytest.raises(UserError, match='`machine` is incomplete'):
        tables_of(path)


@pytest.mark.parametrize('content, message', [
    ('{"format": ', 'cannot be read as JSON'),
    (b'\xff\xfe', 'cannot be read as JSON'),
    ('{}', 'is not a test record.*got None'),
    ('[1]', 'is not a test record'),
    ('{"format": "mmhierseg test record 1", "config": 3}',
     '`config` must be dict, got int'),
])
def test_broken_file(tmp_path, content, message):
    path = tmp_path / 'test_a.json'
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        tables_of(path)
