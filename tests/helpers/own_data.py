"""Pictures, classes and masks where the recipes for own data look for them."""

import numpy as np
from PIL import Image

from mmhierseg.datasets import PartWholeScenes

from .configs import ROOT

EXAMPLES = ROOT / 'docs/examples'


def make_own_data(root):
    """Pictures of several sizes, and binary masks of 0 and 255."""
    counts = {'photos': 6, 'classes/train/cat': 3, 'classes/train/dog': 3,
              'classes/val/cat': 2, 'classes/val/dog': 2,
              'masks/img_dir/train': 4, 'masks/img_dir/val': 2}
    for seed, (name, number) in enumerate(counts.items()):
        size = (72, 100 + 8 * seed)
        scenes = PartWholeScenes(
            num_scenes=number, size=size, seed=seed, task='segmentation')
        for i, scene in enumerate(scenes):
            image = Image.fromarray(scene['img'][..., ::-1])
            folder = root / 'data/own' / name
            mask = Image.fromarray(
                255 * (scene['gt_seg_map'] > 0).astype(np.uint8))
            if name == 'photos' and i % 2:
                folder, image = folder / 'more', image.resize((90, 120))
            _save(image, folder / f'{i}.jpg')
            if name.startswith('masks'):
                folder = folder.parents[1] / 'ann_dir' / folder.name
                _save(mask, folder / f'{i}.png')


def _save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def edit(name, folder, **lines):
    """Copy a recipe, with other values in lines that are marked CHANGE.

    Keywords are the names before ``=``, joined by ``__``.
    """
    text = (EXAMPLES / name).read_text().replace('../../', f'{ROOT}/')
    text = text.splitlines(keepends=True)
    for names, value in lines.items():
        start = ', '.join(names.split('__')) + ' = '
        number, = (i for i, line in enumerate(text) if line.startswith(start))
        assert '# CHANGE' in text[number]
        text[number] = f'{start}{value}\n'
    path = folder / name
    path.write_text(''.join(text))
    return str(path)
