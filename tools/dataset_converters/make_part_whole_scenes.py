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
import io
import json
import sys
from functools import partial
from pathlib import Path

from conversion import (
    add_numbers,
    add_workers,
    at_least,
    convert_all,
    resumable,
    write_file,
)
from PIL import Image
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
from mmhierseg.visualization.scene_figure import draw_scene_figure

MANIFEST = 'part_whole_scenes.json'
# Scenes that are sent to a worker at once: a few tenths of a second.
CHUNK = 24


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
    """Check the contents of the scenes.

    Raises:
        UserError: If a value is out of its range, or the layout cannot
            hold such scenes.
    """
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


def check_manifest(args: argparse.Namespace, options: SceneOptions) -> None:
    """Describe the dataset in its folder; refuse to mix two of them.

    Raises:
        UserError: If the folder was written with other settings, or with
            more scenes than are requested, or holds something else.
    """
    settings = dict(
        generator_version=GENERATOR_VERSION,
        layout=args.layout,
        seed=args.seed,
        size=list(options.size),
        categories=list(options.categories),
        max_others=options.max_others,
        num_poles=options.num_poles)
    if options.typical_colors:
        # Older manifests do not have the key.
        settings['typical_colors'] = options.typical_colors
    counts = dict(train=args.train, val=args.val)
    path = args.out / MANIFEST
    before = read_manifest(path)
    if before is not None:
        differing = [
            f'{key} {before.get(key)!r}, requested {settings.get(key)!r}'
            for key in dict.fromkeys([*settings, 'typical_colors'])
            if before.get(key) != settings.get(key)
        ] + [
            f'{before[key]} {key} scenes, requested {count}'
            for key, count in counts.items() if before.get(key, 0) > count
        ]
        if differing:
            raise UserError(
                f'{args.out} holds scenes of other settings '
                f'({"; ".join(differing)}); name another folder or remove '
                'this one')
    elif args.out.is_dir() and any(args.out.iterdir()):
        # It might be the real dataset, whose lists would be overwritten.
        raise UserError(f'{args.out} is not empty and not made by this '
                        'program; name another folder')
    names = class_names(options.num_poles)
    described = dict(
        **settings,
        **counts,
        semantic_classes=names,
        semantic_ids=semantic_ids(args.layout)[:len(names)].tolist(),
        parts=('background', *PARTS))
    with resumable():
        write_file(path, (json.dumps(described, indent=2) + '\n').encode())


def read_manifest(path: Path) -> dict | None:
    """Description in the folder; None if this program did not write it."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path} cannot be read ({error}); name another folder or remove '
            'this one') from error


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
        buffer = io.BytesIO()
        with resumable():
            Image.fromarray(draw_scene_figure(args.seed, options)).save(
                buffer, format='PNG', optimize=True)
            write_file(args.figure, buffer.getvalue())
        print(args.figure)
        return
    check_manifest(args, options)
    jobs = [('train', i) for i in range(args.train)]
    jobs += [('val', i) for i in range(args.val)]
    write = partial(
        write_scene,
        root=args.out,
        layout=args.layout,
        seed=args.seed,
        options=options)
    new = convert_all(
        write, jobs, args.workers, 'Scenes', processes=True, chunk=CHUNK)
    with resumable():
        write_lists(args, options)
    print(f'{args.out}: {args.train} training and {args.val} validation '
          f'scenes ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(main))
