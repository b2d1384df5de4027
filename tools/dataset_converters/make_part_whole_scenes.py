"""Make a dataset of part-whole scenes.

Scenes are generated images of textured objects that consist of parts, with
image label, semantic map, object map and part map. In the layouts of ImageNet,
Pascal VOC, Cityscapes, KITTI-STEP, ADE20K, Pascal Context and PartImageNet::

    python tools/dataset_converters/make_part_whole_scenes.py \
        data/scenes --layout imagenet --train 12000 --val 1200
    python tools/dataset_converters/make_part_whole_scenes.py \
        data/scenes_voc/VOCdevkit/VOC2012 --layout voc --train 2400 --val 600

`docs/data.md` shows the folders and the settings that read them.

The same arguments make the same scenes, with any number of workers. The same
command resumes an interrupted run, and more scenes can be added later.
``--figure PNG`` draws a few of the scenes with their maps instead.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from conversion import (
    add_numbers,
    add_workers,
    at_least,
    check_manifest,
    convert_all,
    encode_image,
    resumable,
    write_file,
    write_manifest,
)
from PIL import Image
from scene_figure import draw_scene_figure
from scene_files import write_scene
from scene_layouts import LAYOUTS, scene_paths, semantic_ids, voc_image_set
from scene_parts import FOLDERS, annotations

from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.scenes import (
    CATEGORIES,
    GENERATOR_VERSION,
    PARTS,
    SceneOptions,
    class_names,
    make_scene,
)

MANIFEST = 'part_whole_scenes.json'


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Make a dataset of part-whole scenes: generated images '
        'whose objects and parts are known')
    parser.add_argument(
        'out', type=Path, nargs='?', help='root of the dataset')
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        default='imagenet',
        help='folder layout (default: imagenet)')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(224, 224),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of a scene in pixels (default: 224 224)')
    parser.add_argument(
        '--categories',
        nargs='+',
        metavar='NAME',
        help='categories to draw from (default: all twelve; in the layout of '
        'PartImageNet, the ten that it has)')
    add_numbers(
        parser,
        ('train', at_least(0), 1200, 'number of training scenes'),
        ('val', at_least(0), 240, 'number of validation scenes'),
        ('max-others', int, 3, 'most objects beside the main one'),
        ('num-poles', int, 0, 'number of poles, a thin structure, in a scene'),
        ('typical-colors', float, 0., 'probability that a part has the '
         'colours typical of its kind; with 0, they carry no information'),
        ('seed', int, 0, 'random seed'))
    add_workers(parser, 'processes')
    parser.add_argument(
        '--figure',
        type=Path,
        metavar='PNG',
        help='draw scenes with their maps into this file instead')
    args = parser.parse_args()
    if (args.out is None) == (args.figure is None):
        parser.error('name the root of the dataset, or --figure PNG')
    return args


def make_options(args: argparse.Namespace) -> SceneOptions:
    """Check the contents of the scenes, and that the layout holds them."""
    limited = args.figure is None and args.layout == 'part_imagenet'
    known = tuple(FOLDERS) if limited else tuple(
        category.name for category in CATEGORIES)
    try:
        options = SceneOptions(
            size=tuple(args.size),
            categories=known if args.categories is None else tuple(
                args.categories),
            max_others=args.max_others,
            num_poles=args.num_poles,
            typical_colors=args.typical_colors)
        make_scene(args.seed, 0, options)
    except ValueError as error:
        raise UserError(str(error)) from error
    unknown = [name for name in options.categories if name not in known]
    if limited and (unknown or args.num_poles):
        raise UserError(
            f'PartImageNet has no {", ".join(unknown) or "poles"}: its layout '
            f'takes the categories {", ".join(known)}, and no poles')
    return options


def describe(args: argparse.Namespace, options: SceneOptions) -> None:
    """Describe the dataset in its folder; refuse to mix two of them."""
    settings = dict(
        generator_version=GENERATOR_VERSION,
        layout=args.layout,
        seed=args.seed,
        size=list(options.size),
        categories=list(options.categories),
        max_others=options.max_others,
        num_poles=options.num_poles,
        # Older manifests do not have the key.
        typical_colors=options.typical_colors or None)
    counts = dict(train=args.train, val=args.val)
    path = args.out / MANIFEST
    before = check_manifest(path, settings) or {}
    for split, count in counts.items():
        if before.get(split, 0) > count:
            raise UserError(
                f'{args.out} holds {before[split]} {split} scenes, requested '
                f'{count}; name another folder or remove this one')
    if settings['typical_colors'] is None:
        del settings['typical_colors']
    names = class_names(options.num_poles)
    write_manifest(
        path,
        dict(
            **settings,
            **counts,
            semantic_classes=names,
            semantic_ids=semantic_ids(args.layout)[:len(names)].tolist(),
            parts=('background', *PARTS)))


def write_lists(args: argparse.Namespace, options: SceneOptions) -> None:
    """Write the lists of scenes, once all that they name exists."""
    if args.layout == 'part_imagenet':
        for split in ('train', 'val'):
            names = [
                scene_paths(args.layout, split, i, options)['image'][-1]
                [len('images/'):-len('.JPEG')]
                for i in range(getattr(args, split))
            ]
            write_file(args.out / 'annotations' / f'{split}.json',
                       annotations(args.out, names))
    train = [f'train_{i:08d}' for i in range(args.train)]
    sets = dict(train=train, val=[f'val_{i:08d}' for i in range(args.val)])
    folder = dict(
        voc='Segmentation',
        pascal_context='SegmentationContext').get(args.layout)
    if args.layout == 'voc':
        for part in ('train', 'aug'):
            sets[part] = [
                name for i, name in enumerate(train)
                if voc_image_set(i, len(options.categories)) == part
            ]
        sets['trainaug'] = train
        sets['trainval'] = sets['train'] + sets['val']
    for name, lines in sets.items() if folder else ():
        content = ''.join(f'{line}\n' for line in lines)
        write_file(args.out / 'ImageSets' / folder / f'{name}.txt',
                   content.encode())


def main() -> None:
    """Write the dataset, or draw the figure."""
    args = parse_args()
    options = make_options(args)
    if args.figure is not None:
        figure = Image.fromarray(draw_scene_figure(args.seed, options))
        with resumable():
            write_file(args.figure,
                       encode_image(figure, format='PNG', optimize=True))
        print(args.figure)
        return
    describe(args, options)
    jobs = [('train', i) for i in range(args.train)]
    jobs += [('val', i) for i in range(args.val)]
    write = partial(
        write_scene,
        root=args.out,
        layout=args.layout,
        seed=args.seed,
        options=options)
    # Forked, since scenes are made by NumPy and Pillow alone; a chunk takes a
    # few tenths of a second.
    new = convert_all(write, jobs, args.workers, 'Scenes',
                      processes='fork', chunk=24)
    with resumable():
        write_lists(args, options)
    print(f'{args.out}: {args.train} training and {args.val} validation '
          f'scenes ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(main))
