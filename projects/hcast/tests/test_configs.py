import re
from pathlib import Path

import numpy as np
import pytest
from helpers.config_runs import (
    cases,
    measure,
    train,
    unformatted,  # noqa: F401
    write,
)
from helpers.configs import (
    ROOT,
    SIDE,
    WIDTH,
    load_config,
    save_pretrained,
    shrink_cast,
    shrink_steps,
)
from mmengine.registry import DATASETS
from mmpretrain.datasets import CUB, FGVCAircraft
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import MODELS
from projects.hcast.hcast import (
    HierarchicalClsHead,
    Taxonomy,
    TaxonomyCUB,
    TaxonomyFolder,
)

PROJECT = Path(__file__).parents[1]
CONFIGS = sorted(path.stem for path in (PROJECT / 'configs').glob('*.py'))
IMAGES = 8


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (90, 120, 3))
    Image.fromarray(noise.astype(np.uint8)).save(path, format='JPEG')


def make_cub(root):
    """CUB-200-2011: images of the last classes, every other one for tests."""
    names, labels, splits = [], [], []
    for i in range(2 * IMAGES):
        number = 200 - i // 2
        name = f'{number:03}.{CUB.METAINFO["classes"][number - 1]}/{i}.jpg'
        draw(root / 'images' / name, i)
        names.append(f'{i + 1} {name}')
        labels.append(f'{i + 1} {number}')
        splits.append(f'{i + 1} {i % 2}')
    for name, lines in (('images', names), ('image_class_labels', labels),
                        ('train_test_split', splits)):
        (root / f'{name}.txt').write_text('\n'.join(lines) + '\n')


def make_aircraft(root):
    """FGVC-Aircraft: the first variants, whose names may have spaces."""
    for first, split in ((0, 'trainval'), (IMAGES, 'test')):
        lines = []
        for i in range(first, first + IMAGES):
            draw(root / f'data/images/{i:07}.jpg', i)
            lines.append(
                f'{i:07} {FGVCAircraft.METAINFO["classes"][-1 - 5 * i]}')
        (root / f'data/images_variant_{split}.txt').write_text(
            '\n'.join(lines) + '\n')


def make_folders(root, taxonomy):
    """A folder for each class, some of which have an image, and one more."""
    classes = Taxonomy.load(PROJECT / f'taxonomies/{taxonomy}.json').classes[0]
    for split in ('train', 'val'):
        for i, name in enumerate((*classes, 'another')):
            (root / split / name).mkdir(parents=True)
            if i < IMAGES or name == 'another':
                draw(root / split / name / f'{i}.JPEG', i)


DATA = {
    'hcast-s_cub': lambda root: make_cub(root / 'CUB_200_2011'),
    'hcast-s_fgvc-aircraft':
    lambda root: make_aircraft(root / 'fgvc-aircraft-2013b'),
    'hcast-s_living-17':
    lambda root: make_folders(root / 'imagenet', 'living-17'),
    'hcast-t_imagenette':
    lambda root: make_folders(root / 'imagenette', 'imagenette'),
    'hcast-t_scenes': lambda root: make_folders(root / 'scenes', 'scenes'),
}


def shrink(cfg):
    """Shorten a config in place; small models are left as they are."""
    for field in ('train', 'val', 'test'):
        cfg[f'{field}_dataloader'].update(
            batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1
    if cfg.model.head.in_channels > 100:
        shrink_steps(cfg._cfg_dict, dict(
            RandomResizedCrop=dict(scale=SIDE), ResizeEdge=dict(scale=72),
            CenterCrop=dict(crop_size=SIDE)))
        shrink_cast(cfg.model.backbone, SIDE)
        cfg.model.head.in_channels = WIDTH


@pytest.mark.parametrize('name', cases(CONFIGS, ['hcast-s_cub']))
def test_trains_and_tests(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'projects').symlink_to(ROOT / 'projects')
    DATA[name](tmp_path / 'data')
    cfg = load_config(PROJECT / f'configs/{name}.py')
    shrink(cfg)
    if 'work_dirs' in cfg.model.backbone.init_cfg.checkpoint:
        save_pretrained(cfg, tmp_path, out_type='cls_token')
    config = write(cfg, tmp_path)
    log = train(config, tmp_path / 'run')
    steps = re.findall(r'Epoch\(train\) +\[1\]\[(\d)/2\].* loss: [\d.]+', log)
    assert steps == ['1', '2'] and 'loss_kl' in log
    # The backbone's weights fit, and those of the heads are new.
    assert 'size mismatch' not in log and 'unexpected key' not in log
    metrics = measure(config, tmp_path / 'run/epoch_1.pth', tmp_path / 'test')
    levels = Taxonomy.load(cfg.taxonomy).levels
    assert set(metrics) == {
        f'taxonomy/{name}' for name in (*levels, 'FPA', 'TICE')}
    assert all(0 <= value <= 100 for value in metrics.values())


@pytest.mark.parametrize('name', CONFIGS)
def test_recipe(name):
    cfg = load_config(PROJECT / f'configs/{name}.py')
    tree = Taxonomy.load(ROOT / cfg.taxonomy)
    assert cfg.num_classes == cfg.model.data_preprocessor.num_classes
    assert cfg.num_classes == tree.num_classes[0]
    # Fine levels on fine stages, the coarsest on the last.
    assert tuple(cfg.model.backbone.out_indices) == {
        2: (2, 3), 3: (1, 2, 3)}[len(tree.levels)]
    for node in (cfg.model.head, cfg.test_evaluator, cfg.val_evaluator, *(
            cfg[f'{x}_dataloader'].dataset for x in ('train', 'val', 'test'))):
        assert node.taxonomy == cfg.taxonomy
    assert [(x.type, x.alpha) for x in cfg.model.train_cfg.augments] == [
        ('Mixup', 0.8), ('CutMix', 1.0)]
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05
    if '-s_' in name:
        assert cfg.train_cfg.max_epochs == cfg.param_scheduler[0].T_max == 100
        assert cfg.optim_wrapper.optimizer.lr == (
            1e-3 if 'aircraft' in name else 5e-4)
        assert cfg.auto_scale_lr.base_batch_size == 256
        assert 'deit' in cfg.model.backbone.init_cfg.checkpoint
    assert cfg.model.head.kl_weight == 0.5
    head = MODELS.build(dict(
        cfg.model.head, taxonomy=str(ROOT / cfg.taxonomy)))
    assert type(head) is HierarchicalClsHead


def test_labels_are_those_of_the_taxonomy(tmp_path):
    """Numbered by the file of the taxonomy, not as in the dataset."""
    make_cub(tmp_path)
    path = PROJECT / 'taxonomies/cub.json'
    cub = TaxonomyCUB(data_root=str(tmp_path), taxonomy=path)
    names = [Path(x['img_path']).parent.name[4:]
             for x in map(cub.get_data_info, range(len(cub)))]
    assert len(cub) == IMAGES and names == [
        cub.metainfo['classes'][label] for label in cub.get_gt_labels()]
    small = Taxonomy.from_paths([('Mallard', 'ducks')], ('species', 'family'))
    with pytest.raises(UserError, match='199 classes are missing'):
        TaxonomyCUB(data_root=str(tmp_path), taxonomy=small)


def test_folders(tmp_path):
    """Classes side by side, or in the folders of their parents."""
    tree = Taxonomy.from_paths(
        [('cat', 'animal'), ('car', 'artefact')], ('object', 'kind'))
    for folder in ('flat/cat', 'flat/car', 'flat/dog', 'deep/animal/cat',
                   'deep/artefact/car'):
        draw(tmp_path / folder / 'x.JPEG', 0)
    (tmp_path / 'flat/cat/notes.txt').touch()
    for kind in ('flat', 'deep'):
        dataset = DATASETS.build(dict(
            type='mmhierseg.TaxonomyFolder', data_root=str(tmp_path),
            data_prefix=kind, taxonomy=tree))
        assert dataset.get_gt_labels().tolist() == [0, 1]
        assert dataset.metainfo['classes'] == ('cat', 'car')
    # A class with the name of its parent, whose folder has no images.
    draw(tmp_path / 'same/cat/cat/x.JPEG', 0)
    draw(tmp_path / 'same/cat/lynx/x.JPEG', 0)
    same = dict(root=tmp_path / 'same', levels=('object', 'kind'))
    assert TaxonomyFolder(str(tmp_path / 'same'), same).get_gt_labels(
    ).tolist() == [0, 1]
    more = Taxonomy.from_paths([('cow', 'x'), ('cat', 'x')], ('a', 'b'))
    with pytest.raises(UserError, match=r"1 images, and .* 1 classes.*'cow'"):
        TaxonomyFolder(str(tmp_path / 'flat'), more)
