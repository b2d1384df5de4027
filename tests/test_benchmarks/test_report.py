import json

import pytest

from benchmarks.report import markdown_table, replace_section, write_json

PAGE = 'Before\n\n<!-- begin a -->\nold\n<!-- end a -->\n\nAfter\n'


def test_rows_must_fit_the_header():
    assert markdown_table(['a', 'b'], []) == '| a | b |\n|---|---:|'
    with pytest.raises(ValueError, match='must have 2 cells.* got 1'):
        markdown_table(['a', 'b'], [['x']])


def test_section_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(PAGE)
    for text in ('new\n\nmore', 'newest'):
        replace_section(page, 'a', text)
        assert f'<!-- begin a -->\n\n{text}\n\n<!-- end a -->' in (
            page.read_text())
    assert page.read_text() == PAGE.replace('\nold\n', '\n\nnewest\n\n')
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize('content', [
    'no markers', PAGE.replace('end a', 'end b'), PAGE + PAGE,
    '<!-- end a --> <!-- begin a -->'
])
def test_missing_markers(tmp_path, content):
    page = tmp_path / 'page.md'
    page.write_text(content)
    with pytest.raises(ValueError, match='page.md must have the line'):
        replace_section(page, 'a', 'new')
    assert page.read_text() == content


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'folder' / 'out.json'
    write_json(path, dict(a=[1, None]))
    with pytest.raises(TypeError):
        write_json(path, dict(a=object()))
    assert json.loads(path.read_text()) == dict(a=[1, None])
    assert list(path.parent.iterdir()) == [path]
