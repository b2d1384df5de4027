import json
import sys

import numpy as np
import pytest

from benchmarks.common.report import read_section, replace_section
from benchmarks.segment_size import memory, run
from benchmarks.segment_size.measure import (
    POLE,
    best_labelling,
    make_scenes,
    measure,
    post_width,
    segments_of,
    to_markdown,
)
from benchmarks.segment_size.memory import memory_table, training_bytes
from benchmarks.segment_size.picture import draw
from mmhierseg.datasets.scenes import PARTS
from mmhierseg.evaluation.functional import region_miou


@pytest.fixture(scope='module')
def scenes():
    return make_scenes(3, (96, 128), num_poles=2)


def test_best_labelling_is_what_the_metrics_count(scenes):
    scene = scenes[0]
    segments = segments_of(scene, 'Grid', 8)
    classes = best_labelling(segments, scene.semantic)
    for labels in np.unique(segments):
        assert len(np.unique(classes[segments == labels])) == 1
    confusion = np.zeros((14, 14), dtype=int)
    np.add.at(confusion, (scene.semantic, classes), 1)
    expected = region_miou(segments, scene.semantic, 14)
    # On ties both take the smaller class.
    assert np.array_equal(confusion, expected)


def test_single_pixels_leave_everything_possible(scenes):
    result = measure(scenes, 'Grid', 1)
    assert result == ('Grid', 1, 96 * 128, 1, 1, 1, 1, 1)


def test_by_hand(scenes):
    """Against the labelled map itself."""
    result = measure(scenes[:1], 'TorchSLIC', 8)
    scene = scenes[0]
    segments = segments_of(scene, 'TorchSLIC', 8)
    found = best_labelling(segments, scene.semantic) == POLE
    true = scene.semantic == POLE
    assert result.segments == len(np.unique(segments))
    assert result.pole_iou == (found & true).sum() / (found | true).sum()
    assert result.pole_recall == (found & true).sum() / true.sum()
    post = scene.parts == 1 + PARTS.index('pole post')
    assert result.post_recall == (found & post).sum() / post.sum()
    assert result.accuracy == np.mean(
        best_labelling(segments, scene.semantic) == scene.semantic)


def test_smaller_segments_keep_more_of_the_poles(scenes):
    recall = [
        measure(scenes, 'TorchSLIC', size).pole_recall for size in (4, 8, 16)
    ]
    assert recall[0] > recall[1] > recall[2]
    # Two pixels in scenes of this size.
    assert 1 <= post_width(scenes) <= 3


def test_post_width_of_one_that_is_known(scenes):
    parts = np.zeros((4, 9), dtype=int)
    post = scenes[0].parts[scenes[0].semantic == POLE].min()
    parts[:, 3:8] = parts[0, 0:2] = post
    # Runs of 2 and 5, 5, 5, 5; one begins at the border.
    assert post_width([scenes[0].__class__(
        scenes[0].image, parts, parts, parts, 0)]) == 5


def test_table_and_picture(scenes):
    results = [
        measure(scenes[:1], method, size) for size in (8, 16)
        for method in ('SEEDS', 'Grid')
    ]
    lines = to_markdown(results).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith('| 8 |') and lines[2].count(' / ') == 5
    picture = draw(scenes[0], ['SEEDS', 'Grid'], [8, 16])
    # Four rows of three.
    assert picture.shape[0] > 4 * 96 and picture.shape[1] > 3 * 128


def test_program(tmp_path, monkeypatch, capsys):
    page = tmp_path / 'page.md'
    page.write_text('a\n<!-- begin segment size -->\n<!-- end segment size '
                    '-->\nb')
    monkeypatch.setattr(run, 'PAGE', page)
    words = ['--img-sizes', 64, '--segment-sizes', 8, '--scenes', 1, '--out',
             tmp_path / 'x.json', '--picture', tmp_path / 'x.png',
             '--update-docs']
    monkeypatch.setattr(sys, 'argv', ['run.py', *map(str, words)])
    run.main()
    printed = capsys.readouterr().out
    assert '1 scenes of 64 x 64 with 4 poles' in printed
    assert read_section(page, run.SECTION) == printed.strip()
    table, = json.loads((tmp_path / 'x.json').read_text())['tables']
    assert len(table['results']) == 3
    assert (tmp_path / 'x.png').stat().st_size > 0


def test_memory(monkeypatch):
    arch = dict(embed_dims=48, depths=(2, 1, 1, 1), num_heads=4)
    found = [
        training_bytes(size, stride, False, arch, img_size=128)
        for size, stride in ((16, 8), (16, 4), (8, 8))
    ]
    # Four maps of 48 channels, with four times the cells.
    assert found[1] - found[0] > 4 * 4 * 48 * 3 * 16**2
    assert found[2] > found[0]
    monkeypatch.setattr(memory, 'training_bytes', lambda *variant: 3 * 2**20)
    assert memory_table([(16, 8, True)]).endswith(
        '| 16 | 1024 | 8 | yes | 3 MiB |')


def test_page_has_the_answer():
    """In the section that the program writes."""
    text = read_section(run.PAGE, run.SECTION)
    assert text.count('SEEDS / TorchSLIC / Grid') == 2
    assert read_section(run.PAGE, run.MEMORY_SECTION).count(' MiB |') == len(
        memory.VARIANTS)
    with pytest.raises(ValueError, match='must have the line'):
        replace_section(run.PAGE, 'nothing', '')


@pytest.mark.parametrize(
    'words', [['--scenes', '0'], ['--segment-sizes', '8', '-1']])
def test_bad_options(words, capsys):
    with pytest.raises(SystemExit):
        run.parse_args(words)
    assert 'must be at least 1' in capsys.readouterr().err
