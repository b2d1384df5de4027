"""Exported graphs give what the model gives, for batches of any size."""

import importlib.util
import io
from functools import partial

import numpy as np
import pytest
import torch
from export_check import compare
from export_formats import FORMATS, export_program, load, run_torch
from export_graphs import load_graph
from helpers.cast import block_labels, shake_statistics
from helpers.configs import ROOT
from helpers.scripts import run_main
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.apis.loading import read_settings
from mmhierseg.registry import MODELS
from mmhierseg.superpixels import Grid

TOOL = 'deployment/export.py'
SIDE, NUM_TOKENS = 64, 20
#: Tracing takes seconds for each block and each step of a sampler.
BACKBONE = dict(
    type='mmhierseg.CAST',
    arch=dict(embed_dims=16, depths=(1, 1), num_heads=2),
    img_size=SIDE,
    num_clusters=(3, 2))
SHALLOW = dict(
    arch=dict(embed_dims=16, depths=(1, ), num_heads=2), num_clusters=(2, ))
PREPROCESSOR = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CLASSIFIER = dict(
    default_scope='mmpretrain',
    model=dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            type='mmhierseg.SuperpixelClsDataPreprocessor',
            superpixels=dict(type='TorchSLIC', segment_size=16),
            to_rgb=True,
            **PREPROCESSOR),
        backbone=BACKBONE,
        head=dict(type='LinearClsHead', num_classes=5, in_channels=16)))


def segmentor(head, **backbone):
    return dict(
        default_scope='mmseg',
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=dict(
                type='mmhierseg.SuperpixelSegDataPreProcessor',
                superpixels=dict(type='TorchSLIC', segment_size=16),
                bgr_to_rgb=True,
                **PREPROCESSOR),
            backbone={**BACKBONE, **backbone},
            decode_head=dict(in_channels=16, num_classes=5, **head),
            test_cfg=dict(mode='whole')))


FCN = segmentor(
    dict(type='mmhierseg.SegmentFCNHead', channels=8), out_type='segments')
CASES = {
    'classifier': (CLASSIFIER, None),
    'hierarchy': (CLASSIFIER, 'hierarchy'),
    'FCN': (FCN, None),
    'mask transformer': (segmentor(
        dict(type='mmhierseg.SegmentMaskTransformerHead'),
        out_type='segments'), None),
    'feature map': (segmentor(
        dict(type='FCNHead', channels=8, num_convs=1, norm_cfg=dict(
            type='BN')), out_type='featmap', out_indices=(0, )), None),
}


@pytest.fixture(scope='module')
def make_graph(tmp_path_factory):
    """Graph of a case, with seeded weights that come from a file."""
    folder = tmp_path_factory.mktemp('graphs')

    def make(name, num_tokens=NUM_TOKENS, **options):
        cfg, output = CASES[name]
        cfg = Config(cfg)
        cfg.model.backbone.update(options)
        write_checkpoint(cfg, folder / 'model.pth')
        return load_graph(cfg, read_settings(cfg), str(folder / 'model.pth'),
                          output, num_tokens)

    return make


def write_checkpoint(cfg, path):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = shake_statistics(MODELS.build(cfg.model))
    torch.save(dict(state_dict=model.state_dict()), path)


def samples(batch, seed=0):
    """Images with 16 blocks, of which one has fewer and gaps."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 255, (batch, 3, SIDE, SIDE)).astype(np.float32)
    labels = block_labels(SIDE, SIDE, 16).long().expand(batch, -1, -1)
    labels = labels.numpy().copy()
    labels[0, :40] = labels[0, 0, 0] * 3
    labels[0, :8] = -1
    return image, labels


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if value.dtype == np.float32:
            np.testing.assert_allclose(got[name], value, atol=1e-4)
        else:
            np.testing.assert_array_equal(got[name], value)


def write(graph, program, folder, format):
    """Write a file, and give the function that runs it."""
    meta = dict(
        num_tokens=NUM_TOKENS,
        outputs=graph.names((SIDE, SIDE)),
        shape=(SIDE, SIDE),
        superpixels=dict(type='TorchSLIC', segment_size=16))
    path = folder / f'file.{format}'
    path.write_bytes(FORMATS[format](program, meta))
    return load(str(path), format)


def check_file(graph, run, format):
    """Batches of other sizes than in tracing; too many segments."""
    for batch in (1, 3):
        arrays = samples(batch, seed=batch)
        assert_same(run(*arrays), run_torch(graph, *arrays))
    image, labels = samples(1)
    labels[0] = block_labels(SIDE, SIDE, 8)
    message = ('more segments than num_tokens = 20' if format == 'onnx' else
               'more segments than `num_tokens` = 20')
    with pytest.raises(Exception, match=message):
        run(image, labels)


def check_files(graph, folder):
    """All formats; ONNX comes last, because it changes the program."""
    program = export_program(graph, (SIDE, SIDE))
    nodes = [node for module in program.graph_module.modules()
             for node in module.graph.nodes]
    for format in ('torch-export', 'torchscript', 'onnx'):
        run = write(graph, program, folder, format)
        check_file(graph, run, format)
    return nodes, run


def test_files_of_a_hierarchy(make_graph, tmp_path):
    nodes, _ = check_files(make_graph('hierarchy', **SHALLOW), tmp_path)
    # Nothing in them needs this package.
    assert {getattr(node.target, 'namespace', 'aten')
            for node in nodes} == {'aten', 'higher_order'}
    # All centroids of a level are sampled in one loop.
    assert [node.target for node in nodes].count(
        torch.ops.higher_order.scan) == 1


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted({*CASES} - {'hierarchy'}))
def test_files_are_models(make_graph, tmp_path, name):
    check_files(make_graph(name, **SHALLOW), tmp_path)


def scenes(number):
    """Noise of several scales, and its blocks of 16 pixels."""
    rng = np.random.default_rng(1)
    superpixels = Grid(segment_size=16)
    for _ in range(number):
        image = sum(
            rng.uniform(0, 85, (3, SIDE // side, SIDE // side)).repeat(
                side, 1).repeat(side, 2) for side in (1, 8, 32))
        image = image.astype(np.float32)
        yield image, superpixels(torch.from_numpy(image[None]))[0].numpy()


@pytest.mark.slow
def test_labels_of_a_deep_hierarchy(make_graph, tmp_path):
    """50 images in ONNX; and the example runs the file."""
    graph = make_graph('hierarchy')
    _, run = check_files(graph, tmp_path)
    found = compare(graph, run, scenes(50))
    assert found.images == 50 and found.difference < 1e-4
    assert found.equal >= 0.999 * found.pixels
    assert found.is_same and max(found.margins, default=0) < 1e-5
    check_example(graph, tmp_path)


def test_differences_are_traced(make_graph):
    """A parent that is another one; centroids that are others."""
    graph = make_graph('hierarchy')
    inputs = list(scenes(1))
    logits = graph.backbone.forward_hierarchy(
        graph.inputs(*(torch.from_numpy(x[None]) for x in inputs[0]))).logits

    def change(name, place, value, *arrays):
        results = run_torch(graph, *arrays)
        results[name][place] = value
        return results

    best, worst = logits[0][0, 7].argmax(), logits[0][0, 7].argmin()
    found = compare(graph, partial(change, 'parents_0', (0, 7), int(worst)),
                    inputs)
    margin = logits[0][0, 7, best] - logits[0][0, 7, worst]
    assert found.margins == pytest.approx([float(margin)])
    assert not found.is_same
    assert found.pixels == 3 * SIDE**2
    # 16 x 16 pixels of one level, or of two.
    assert found.pixels - found.equal in (256, 512)
    sample = run_torch(graph, *(x[None] for x in inputs[0]))['sampled_0'][0]
    other = next(i for i in range(16) if i not in sample)
    found = compare(graph, partial(change, 'sampled_0', (0, 1), other),
                    inputs)
    assert found.resampled == 1 and 0 < found.margins[0] <= 1
    assert found.report().startswith('1 images')


def test_too_many_segments_in_a_check(make_graph):
    with pytest.raises(UserError, match='has 16 segments.*--num-tokens 16'):
        compare(make_graph('classifier', num_tokens=9), None, scenes(1))


@pytest.fixture
def files(tmp_path):
    """Config and checkpoint of a classifier; hierarchies of small images."""
    cfg = Config(dict(CLASSIFIER, hierarchy_inferencer=dict(img_size=48)))
    cfg.model.backbone.update(SHALLOW)
    cfg.dump(tmp_path / 'config.py')
    write_checkpoint(cfg, tmp_path / 'model.pth')
    return tmp_path / 'config.py', tmp_path / 'model.pth'


@pytest.mark.slow
def test_tool(files, tmp_path, capsys):
    """Settings in the file, superpixels' number of tokens, and the check."""
    for index, (image, _) in enumerate(scenes(2)):
        pixels = image.transpose(1, 2, 0).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{index}.png')
    out = tmp_path / 'new' / 'file.pt2'
    run_main(TOOL, *files, '--format', 'torch-export', '--out', out,
             '--output', 'hierarchy', '--check', tmp_path)
    printed = capsys.readouterr().out
    assert 'images of (48, 48), up to 9 segments' in printed
    assert '2 images, one at a time' in printed
    assert 'ms in PyTorch' in printed
    extra = {'settings.json': ''}
    torch.export.load(io.BytesIO(out.read_bytes()), extra_files=extra)
    assert '"segment_size": 16' in extra['settings.json']


HSG = ROOT / 'configs/hsg/hsg_r18_scenes-96x96.py'
VIT = ROOT / 'configs/baselines/vit-s_in1k.py'
MOCO = ROOT / 'configs/cast/cast-t_imagenette.py'


@pytest.mark.parametrize('config, words, message', [
    (HSG, (), 'cannot be exported: its segments come from k-means'),
    (VIT, (), "`model.backbone` of type 'mmhierseg.CAST'"),
    (MOCO, ('--output', 'predictions'), 'is no classifier or segmentor'),
    (MOCO, (), 'does not fit the model of the config'),
    (None, ('--cfg-options', 'model.backbone.mask_empty=False'),
     'depends on the number of tokens'),
    (None, ('--cfg-options', 'model.data_preprocessor.to_rgb=False'),
     'only models of RGB'),
])
def test_bad_models(files, tmp_path, config, words, message):
    with pytest.raises(UserError, match=message):
        run_main(TOOL, config or files[0], files[1], '--format',
                 'torch-export', '--out', tmp_path / 'file', *words)
    assert not (tmp_path / 'file').exists()


@pytest.mark.parametrize('words, message', [
    (('--format', 'tensorrt'), "invalid choice: 'tensorrt'"),
    (('--format', 'onnx', '--num-tokens', '0'), 'must be at least 1, got 0'),
    (('--format', 'onnx', '--shape', '8', '8', '8'), 'one or two numbers'),
])
def test_bad_words(capsys, words, message):
    with pytest.raises(SystemExit):
        run_main(TOOL, 'config', 'model', '--out', 'file', *words)
    assert message in capsys.readouterr().err


def test_missing_packages(files, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec',
                        lambda name: None if 'onnx' in name else True)
    with pytest.raises(UserError, match=r"onnx, onnxscript: pip install "
                       r"'mmhierseg\[export\]'"):
        run_main(TOOL, *files, '--format', 'onnx', '--out', tmp_path / 'file')


def check_example(graph, folder):
    """With superpixels of its own, and with a label map."""
    image, labels = next(scenes(1))
    Image.fromarray(image.transpose(1, 2, 0).astype(np.uint8)).save(
        folder / 'image.png')
    Image.fromarray(labels.astype(np.uint8)).save(folder / 'labels.png')
    for words in ((), ('--labels', folder / 'labels.png')):
        run_main('../docs/examples/run_onnx.py', folder / 'file.onnx',
                 folder / 'image.png', '--out', folder / 'levels.npz', *words)
    maps = list(np.load(folder / 'levels.npz').values())
    expected = run_torch(graph, image.astype(np.uint8).astype(
        np.float32)[None], labels[None])
    assert len(maps) == 3 and np.array_equal(maps[0], labels)
    np.testing.assert_array_equal(maps[1], expected['parents_0'][0][labels])
