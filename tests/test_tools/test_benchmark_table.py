"""The command; what it writes is tested with mmhierseg.utils."""

from helpers.records import save_record

TOOL = 'analysis_tools/benchmark_table.py'


def test_writes_the_tables(tool, tmp_path):
    save_record(tmp_path, 'mine', {'accuracy/top1': 70.})
    out = tmp_path / 'made' / 'tables.md'
    tool(TOOL, tmp_path, '--tables', 'linear', '--alias',
         'mine=cast-s_linear_in100', '--out', out)
    assert '| CAST-S | 3.4 | 79.9 | 70.0 | 68.1 |  |' in out.read_text()


def test_bad_input_is_told_without_a_traceback(tool, tmp_path):
    for words, message in (
            ([tmp_path / 'none.json'], 'no such file or folder'),
            (['--alias', 'mine'], "--alias takes NAME=CONFIG, got 'mine'")):
        result = tool(TOOL, *words, check=False)
        assert result.returncode == 1
        assert message in result.stdout and 'Traceback' not in result.stdout
