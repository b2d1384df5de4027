"""The configs, shrunk, on part-whole scenes in PartImageNet's layout."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.config_runs import measure, unformatted, write  # noqa: F401
from helpers.configs import load_config, save_weights, shrink_cast
from helpers.scripts import run_main
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS, MODELS
from projects.part_labelling.part_labelling import HierarchySegments
from projects.part_labelling.tests.models import save_clip, save_sam

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = ('cast-b', 'vit-conv-b', 'sam-b', 'sam-h')
SAM_OPTIONS = dict(points_per_crop=3, pred_iou_thresh=-9.,
                   stability_score_thresh=-1., crops_nms_thresh=.97)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Root of a few scenes, the last without annotations."""
    root = tmp_path_factory.mktemp('data')
    run_main('dataset_converters/make_part_whole_scenes.py', root, '--layout',
             'part_imagenet', '--size', 160, 240, '--train', 0, '--val', 3,
             '--workers', 1)
    path = root / 'annotations/val.json'
    content = json.loads(path.read_text())
    content['annotations'] = [
        part for part in content['annotations'] if part['image_id'] < 2]
    path.write_text(json.dumps(content))
    return root


def shrunk(name, root, folder):
    """A tiny config and the checkpoint that its command names."""
    cfg = load_config(CONFIGS / f'{name}_clip_part-imagenet.py')
    save_clip(folder / 'clip')
    cfg.model.encoder.update(
        model=f'local-dir:{folder / "clip"}', pretrained=None)
    cfg.model.cache_dir = str(folder / 'cache')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(data_root=str(root), indices=2)
    segments = cfg.model.segments
    if name.startswith('sam'):
        save_sam(folder / 'sam')
        segments.update(pretrained=str(folder / 'sam'), options=SAM_OPTIONS)
        return cfg, folder / 'sam/model.safetensors'
    backbone = segments.model.get('backbone', segments.model)
    shrink_cast(backbone, 224, (64, 32, 16, 8))
    torch.manual_seed(1)
    weights = MODELS.build(backbone).state_dict()
    # As pre-training leaves it, with a part that is not needed.
    save_weights(folder / 'weights.pth', {
        **{f'backbone.{key}': value for key, value in weights.items()},
        'neck.fc0.weight': torch.zeros(1)
    })
    return cfg, folder / 'weights.pth'


@pytest.mark.parametrize('name', [
    'cast-b', *(pytest.param(name, marks=pytest.mark.slow)
                for name in NAMES[1:])])
def test_two_images_by_the_tool(name, data, tmp_path, monkeypatch):
    """A second run reads what the first one kept, and gives the same."""
    pytest.importorskip('open_clip')
    if name.startswith('sam'):
        pytest.importorskip('transformers')
    cfg, checkpoint = shrunk(name, data, tmp_path)
    path = write(cfg, tmp_path)
    found = measure(path, checkpoint, tmp_path / 'run')
    for task in ('object', 'part'):
        assert 0 <= found[f'{task}/mIoU'] <= 100
        assert 0 <= found[f'{task}/BoundaryFScore/mFscore'] <= 100
        assert found[f'{task}/images'] == 2 and found[f'{task}/failed'] == 0
    files = list((tmp_path / 'cache').rglob('*.npz'))
    assert len(files) >= (6 if name.startswith('sam') else 4)

    def refuse(*args, **kwargs):
        raise AssertionError('computed again')

    monkeypatch.setattr('open_clip.CLIP.encode_image', refuse)
    if name.startswith('sam'):
        monkeypatch.setattr(
            'transformers.MaskGenerationPipeline.__call__', refuse)
    assert measure(path, checkpoint, tmp_path / 'again') == found
    save_weights(tmp_path / 'wrong.pth', {'backbone.no': torch.zeros(1)})
    with pytest.raises(UserError, match='of another model|has others'):
        measure(path, tmp_path / 'wrong.pth', tmp_path / 'wrong')


@pytest.mark.parametrize('name', NAMES)
def test_configs_have_the_papers_settings(name):
    cfg = load_config(CONFIGS / f'{name}_clip_part-imagenet.py')
    text = (CONFIGS / f'{name}_clip_part-imagenet.py').read_text()
    for entry in ('Paper:', 'Command:', 'Hardware:', 'Data:', 'Weights:',
                  'Status:   runs'):
        assert entry in text
    segments, encoder = cfg.model.segments, cfg.model.encoder
    assert encoder.model == 'ViT-B-16-quickgelu'
    assert encoder.pretrained == 'openai'
    assert cfg.test_dataloader.dataset.keep_unannotated
    if name.startswith('sam'):
        size = dict(b='base', h='huge')[name[-1]]
        assert segments.pretrained.endswith(f'sam-vit-{size}')
        assert 'options' not in segments
        return
    assert (segments.part_level, segments.object_level) == (-2, -1)
    assert segments.model.num_clusters == (64, 32, 16, 8)
    if name == 'vit-conv-b':
        baseline = load_config(
            CONFIGS.parents[2] /
            'configs/baselines/vit-conv-b_hierarchy_part-imagenet.py').model
        baseline.pop('data_preprocessor'), baseline.pop('init_cfg')
        assert dict(segments.model, seed=0) == dict(baseline, seed=0)
        return
    seeds = cfg.test_dataloader.dataset.pipeline[-2].superpixels
    assert dict(seeds) == dict(
        type='SEEDS', num_segments=196, num_levels=1, prior=2,
        histogram_bins=15, double_step=False, num_iterations=20)


def test_images_and_maps_of_a_crop(data):
    """Geometry is torchvision's, on images of Pillow."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import center_crop, resize
    init_default_scope('mmseg')
    cfg = load_config(CONFIGS / 'vit-conv-b_clip_part-imagenet.py')
    dataset = dict(cfg.test_dataloader.dataset, data_root=str(data))
    sample = DATASETS.build(dict(dataset))[1]
    raw = dict(DATASETS.build(dict(dataset, pipeline=[])).get_data_info(1))
    load = Compose([dict(type='mmhierseg.LoadImage', imdecode_backend='pillow'
                         ), dict(type='mmhierseg.LoadPartMap')])
    raw = load(raw)

    def crop(array, mode):
        image = resize(Image.fromarray(array), 224, InterpolationMode(mode))
        return np.array(center_crop(image, 224))

    rgb = np.ascontiguousarray(raw['img'][..., ::-1])
    assert rgb.shape == (160, 240, 3)
    samples = sample['data_samples']
    np.testing.assert_array_equal(
        samples.crop.data, crop(rgb, 'bicubic').transpose(2, 0, 1))
    np.testing.assert_array_equal(
        sample['inputs'].flip(0), crop(rgb, 'bilinear').transpose(2, 0, 1))
    parts = crop(raw['gt_seg_map'], 'nearest').astype(int)
    assert parts.max() > 0
    np.testing.assert_array_equal(
        samples.gt_part.data[0], np.where(parts, parts - 1, 40))
    # Parts and objects have their background in common.
    assert torch.equal(samples.gt_part.data == 40,
                       samples.gt_object.data == 11)
    # The image without annotations is there, as background.
    last = DATASETS.build(dict(dataset))[2]['data_samples']
    assert (last.gt_part.data == 40).all()


def tiny_cast(**options):
    return HierarchySegments(
        dict(type='mmhierseg.CAST', img_size=64, mask_empty=False,
             arch=dict(embed_dims=16, depths=(1, 1, 1, 1), num_heads=2),
             num_clusters=(12, 8, 6, 4)), **options).eval()


def test_seeds_of_the_fourth_pooling():
    """They replace the checkpoint's weights of that pooling alone."""
    torch.manual_seed(7)
    plain = tiny_cast()
    weights = plain.state_dict()
    labels = torch.arange(64).view(1, 1, 8, 8).float()
    inputs = torch.cat([torch.randn(1, 3, 64, 64),
                        F.interpolate(labels, size=(64, 64))], dim=1)

    def segment(seed):
        model = tiny_cast(pool_seed=seed)
        model.load_state_dict(weights)
        state = torch.get_rng_state()
        part_map, object_map = model(inputs, None, None)
        assert torch.equal(state, torch.get_rng_state())
        assert torch.equal(part_map, parts)
        new = model.state_dict()
        changed = {name for name in new
                   if not torch.equal(new[name], weights[name])}
        assert all(name.startswith('model.pools.3.') for name in changed)
        return object_map, new['model.pools.3.grouping.attn.qkv.weight']

    parts, objects = plain(inputs, None, None)
    (first, own), (second, one), (third, same), (_, other) = map(
        segment, (None, 0, 0, 1))
    assert torch.equal(first, objects) and torch.equal(second, third)
    assert torch.equal(
        own, weights['model.pools.3.grouping.attn.qkv.weight'])
    assert torch.equal(one, same)
    assert not torch.equal(one, own) and not torch.equal(one, other)
    with pytest.raises(UserError, match='`pool_seed` is for CAST'):
        HierarchySegments(
            dict(type='mmhierseg.KMeansHierarchy', backbone=torch.nn.ReLU()),
            pool_seed=0)


def test_superpixels_behind_the_last_sampled_one():
    """They go with the last token; those between keep their own."""
    model = tiny_cast()
    labels = F.interpolate(
        torch.arange(64).view(1, 1, 8, 8).float(), size=(64, 64))
    # The stem sees every eighth pixel.
    labels[0, 0, 3, 3], labels[0, 0, 20, 37] = 65, 64
    image = torch.randn(1, 3, 64, 64)
    found = model(torch.cat([image, labels], dim=1), None, None)
    joined = labels.clamp(max=63)
    expected = model.model.forward_hierarchy(
        torch.cat([image, joined], dim=1)).hierarchy
    for labels, level in zip(found, (-2, -1)):
        assert torch.equal(labels, expected.label_map(level)[0])
        assert labels[3, 3] == labels[63, 63]
