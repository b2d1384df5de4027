"""Names of outputs, and the lists and folders that images are taken from."""

import os

import pytest

from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import IMAGE_SUFFIXES, list_files
from mmhierseg._base.names import output_names, printable, table_cell
from mmhierseg.datasets.files import read_list

ODD = ('..png', '...png', '.png', 'a\nb.png', 'a_b.png', 'a|b.png', 'a`b.png',
       '<b>.png', '\x1b[31m.png', '\udcff.png', 'a..png', 'é' * 120 + '.png',
       'é' * 119 + 'e.png', ' .png', '-.png')


def test_two_images_never_have_one_name():
    paths = [f'in/{folder}/{name}' for folder in ('0000', '0001', '..x')
             for name in (*ODD, '0.png', '0.jpg', '0.PNG', '0_2.png', 'A.png',
                          'a.png')]
    for keep in (False, True):
        names = output_names(paths, keep_suffix=keep)
        assert names == output_names(paths[::-1] + paths, 'in', keep)
        assert set(names) == set(paths)
        # On file systems that ignore case, too.
        assert len(set(map(str.lower, names.values()))) == len(paths)
        for name in names.values():
            assert name.isprintable() and not set(name) & set('|`<>\\')
            folder, name = name.split('/')
            assert folder in ('0000', '0001', '__x')
            assert not name.startswith('.') and len(name.encode()) < 230
    assert output_names(['in/a/0.png', 'in/b/0.png', 'in/b/0.jpg']) == {
        'in/a/0.png': 'a/0', 'in/b/0.png': 'b/0.png', 'in/b/0.jpg': 'b/0.jpg'}
    # Below the root if all are, or else below the folder they share.
    for root in ('in', os.path.abspath('in')):
        assert output_names(['in/a/0.png'], root) == {'in/a/0.png': 'a/0'}
    for root in (None, 'in/b', 'in/a/../b', 'i'):
        assert output_names(['in/a/0.png'], root) == {'in/a/0.png': '0'}
    assert output_names([]) == {}


def test_names_in_terminals_and_tables():
    assert printable('a\nb\udcff\x1bé|') == r'a\nb\udcff\x1bé|'
    assert table_cell('a|b\n| c') == r'a\|b\n\| c'


def test_folders_are_listed_alike(tmp_path):
    """Links are followed, loops end; what is hidden is left out."""
    root, other = tmp_path / 'root', tmp_path / 'other'
    for path in ('root/b/1.png', 'root/b/2.JPG', 'root/a.png', 'root/.a.png',
                 'root/a/notes.txt', 'root/.b/1.png', 'other/deep/3.png',
                 'other/4.png'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text('')
    for name, target in (('link', other), ('again', other), ('b/loop', root),
                         ('5.png', other / '4.png'), ('self', root / 'self')):
        (root / name).symlink_to(target)
    (other / 'back').symlink_to(root)
    names = ['5.png', 'a.png', 'again/4.png', 'again/deep/3.png', 'b/1.png',
             'b/2.JPG', 'link/4.png', 'link/deep/3.png']
    assert list_files(root, IMAGE_SUFFIXES) == names
    assert list_files(root) == sorted([*names, 'a/notes.txt'])
    assert list_files(root, IMAGE_SUFFIXES, exclude=root) == names
    (tmp_path / 'top').symlink_to(root)
    assert list_files(tmp_path / 'top', IMAGE_SUFFIXES) == names
    assert list_files(root, '.png', exclude=other) == [
        '5.png', 'a.png', 'b/1.png']
    (root / 'gone').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(UserError, match='gone. is broken'):
        list_files(root)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_lists_are_read_alike(tmp_path, encoding, end):
    path = tmp_path / 'list.txt'
    lines = ['a/b', '  c d ', '', 'é\u2028f', '', ' ', '']
    path.write_bytes(end.join(lines).encode(encoding))
    assert read_list(str(path)) == ['a/b', 'c d', 'é\u2028f']
    for content in (b'\xe9\n', 'a\n'.encode('utf-16-le')):
        path.write_bytes(content)
        with pytest.raises(UserError, match='list.txt. cannot be read'):
            read_list(str(path))
