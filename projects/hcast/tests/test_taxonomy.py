import json
import os
from pathlib import Path

import pytest
from mmpretrain.datasets import CUB, FGVCAircraft

from mmhierseg._base.errors import UserError
from projects.hcast.hcast import Taxonomy

TAXONOMIES = Path(__file__).parents[1] / 'taxonomies'
LEVELS = ('species', 'genus', 'family')
TREE = {'Felidae': {'Felis': ['cat'], 'Lynx': ['bobcat', 'lynx']},
        'Canidae': {'Canis': ['wolf']}}


def load(tmp_path, tree, levels=LEVELS):
    """Write a file and read it; ``tree`` may be its text."""
    path = tmp_path / 'tree.json'
    path.write_text(tree if isinstance(tree, str) else json.dumps(
        dict(levels=levels, tree=tree)))
    return Taxonomy.of(path)


def test_file_folders_and_paths_give_the_same_tree(tmp_path):
    tree = load(tmp_path, TREE)
    assert tree.num_classes == (4, 3, 2)
    assert tree.classes[0] == ('cat', 'bobcat', 'lynx', 'wolf')
    assert tree.paths.tolist() == [
        [0, 0, 0], [1, 1, 0], [2, 1, 0], [3, 2, 1]]
    named = [[names[i] for names, i in zip(tree.classes, path)]
             for path in tree.paths]
    again = Taxonomy.from_paths(named, LEVELS)
    assert again[:2] == tree[:2] and (again.paths == tree.paths).all()
    for path in named:
        (tmp_path / 'images').joinpath(*path[::-1]).mkdir(parents=True)
    (tmp_path / 'images/readme.txt').touch()
    folders = Taxonomy.of(dict(root=tmp_path / 'images', levels=LEVELS))
    # Folders are sorted by name.
    assert folders.classes[2] == ('Canidae', 'Felidae')
    assert {tuple(c[i] for c, i in zip(folders.classes, path))
            for path in folders.paths} == set(map(tuple, named))
    assert tree.labels_of(['wolf', 'cat']).tolist() == [3, 0]


def test_one_level_and_equal_names_at_two_levels(tmp_path):
    assert load(tmp_path, ['a', 'b'], ['class']).paths.tolist() == [[0], [1]]
    tree = load(tmp_path, {'A310': ['A310']}, ['variant', 'family'])
    assert tree.classes == (('A310', ), ('A310', ))


@pytest.mark.parametrize('tree, message', [
    ({'Felidae': {'Felis': ['cat', 'cat']}}, "species 'cat' occurs more"),
    ({'Felidae': {'Felis': ['cat'], 'Lynx': ['cat']}},
     "species 'cat' has two parents: 'Felis' and 'Lynx'"),
    ({'Felidae': {'Felis': ['cat']}, 'Canidae': {'Felis': ['wolf']}},
     "genus 'Felis' has two parents: 'Felidae' and 'Canidae'"),
    ({'Felidae': ['cat']}, "expected an object .*'genus' in 'Felidae'"),
    ({'Felidae': {'Felis': {'cat': []}}}, "expected a list .*'species' in 'F"),
    ({'Felidae': {'Felis': []}}, "'Felis' is empty: .*'species'"),
    ({'Felidae': {}}, "'Felidae' is empty: .*'genus'"),
    ({'Felidae': {'Felis': [3]}}, 'must have a name for each of .* got .3, '),
    ({}, 'needs at least one level and one class, got 3 and 0'),
    ('{"levels": ["a"], "tree": ["x"], "more": 1}', 'expected the keys'),
    ('{"levels": ["b", "a"], "tree": {"x": ["p"], "x": ["q"]}}',
     "'x' occurs twice"),
    ('{"levels": ["a", "a"], "tree": {"x": ["p"]}}', 'different names'),
    ('{"levels": 1, "tree": {}}', 'tree.json: '),
    ('[1', 'tree.json: '),
])
def test_bad_files(tree, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load(tmp_path, tree)


def test_missing_files_folders_and_classes(tmp_path):
    with pytest.raises(UserError, match='there is no taxonomy'):
        Taxonomy.of(tmp_path / 'none.json')
    with pytest.raises(UserError, match='has no folders at depth 2'):
        Taxonomy.from_folders(tmp_path, ('species', 'family'))
    with pytest.raises(UserError, match=r"2 classes are missing .*'lion'"):
        load(tmp_path, TREE).labels_of(['lion', 'cat', 'tiger'])
    for names in ('a/x', 'b/x'):
        (tmp_path / 'twice' / names).mkdir(parents=True)
    with pytest.raises(UserError, match="twice: the species 'x' has two par"):
        Taxonomy.from_folders(tmp_path / 'twice', ('species', 'family'))
    for names in ('a/b/x', 'a/c'):
        (tmp_path / 'uneven' / names).mkdir(parents=True)
    with pytest.raises(UserError, match="a/c needs folders .* 'species'"):
        Taxonomy.from_folders(tmp_path / 'uneven', LEVELS)


def test_circles_of_links_end(tmp_path):
    (tmp_path / 'a').mkdir()
    os.symlink(tmp_path / 'a', tmp_path / 'a/a')
    tree = Taxonomy.from_folders(tmp_path, ('fine', 'coarse'))
    assert tree.classes == (('a', ), ('a', ))


@pytest.mark.parametrize('name, numbers, classes', [
    ('cub', (200, 38, 13), CUB.METAINFO['classes']),
    ('fgvc-aircraft', (100, 70, 30), FGVCAircraft.METAINFO['classes']),
    ('living-17', (34, 17), ()),
    ('imagenette', (10, 3), ()),
    ('scenes', (12, 3), ()),
])
def test_taxonomies_of_datasets(name, numbers, classes):
    tree = Taxonomy.load(TAXONOMIES / f'{name}.json')
    assert tree.num_classes == numbers
    if classes:
        assert sorted(tree.classes[0]) == sorted(classes)
