"""Make a data set of part-whole scenes.

Scenes are generated images of textured objects that consist of parts, with
image label, semantic map, object map and part map. In the layouts of ImageNet,
Pascal VOC, Cityscapes, KITTI-STEP, ADE20K, Pascal Context and PartImageNet::

    python tools/dataset_converters/make_part_whole_scenes.py \
        data/scenes --layout imagenet --train 12000 --val 1200
    python tools/dataset_converters/make_part_whole_scenes.py \
        data/scenes_voc/VOCdevkit/VOC2012 --layout voc --train 2400 --val 600

`docs/data.md` shows the folders and the settings that read them.

The same arguments make the same scenes, with any number of workers. An
interrupted run is taken up where it stopped, and more scenes can be added
later. ``--figure PNG`` draws a few of the scenes with their maps instead.
"""

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from interrupts import block_interrupts
from PIL import Image
from rich.progress import Progress
from scene_files import write_file, write_scene
from scene_layouts import (
    LAYOUTS,
    scene_paths,
    semantic_ids,
    voc_image_set,
)
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
# Scenes that a worker makes before it reports: a few tenths of a second.
CHUNK = 24
Job = tuple[str, int]


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Make a data set of part-whole scenes: generated images '
        'whose objects and parts are known')
    parser.add_argument(
        'out', type=Path, nargs='?', help='root of the data set')
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        default='imagenet',
        help='folder layout (default: imagenet)')
    parser.add_argument(
        '--train', type=int, default=1200, help='number of training scenes')
    parser.add_argument(
        '--val', type=int, default=240, help='number of validation scenes')
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
    parser.add_argument(
        '--max-others',
        type=int,
        default=3,
        help='most objects beside the main one (default: 3)')
    parser.add_argument(
        '--num-poles',
        type=int,
        default=0,
        help='number of poles, a thin structure, in a scene (default: 0)')
    parser.add_argument(
        '--typical-colors',
        type=float,
        default=0.,
        metavar='P',
        help='how likely a part has the colours typical of its kind, 0 to 1 '
        '(default: 0, colours say nothing)')
    parser.add_argument(
        '--seed', type=int, default=0, help='random seed (default: 0)')
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count() or 1,
        help='number of processes (default: one per core)')
    parser.add_argument(
        '--figure',
        type=Path,
        metavar='PNG',
        help='draw scenes with their maps into this file instead')
    args = parser.parse_args()
    if (args.out is None) == (args.figure is None):
        parser.error('name the root of the data set, or --figure PNG')
    for name, least in (('train', 0), ('val', 0), ('workers', 1)):
        if getattr(args, name) < least:
            parser.error(f'--{name} must be at least {least}, got '
                         f'{getattr(args, name)}')
    return args


def make_options(args: argparse.Namespace) -> SceneOptions:
    """What scenes are made of, checked.

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
    """Write down what the data set is; refuse to mix two of them.

    Raises:
        UserError: If the folder was written with other settings, or with
            more scenes than are asked for, or holds something else.
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
        # Not there in what was written before there was the option.
        settings['typical_colors'] = options.typical_colors
    counts = dict(train=args.train, val=args.val)
    path = args.out / MANIFEST
    before = read_manifest(path)
    if before is not None:
        differing = [
            f'{key} {before.get(key)!r}, asked for {value!r}'
            for key, value in settings.items() if before.get(key) != value
        ] + [
            f'{key} {before[key]!r}, asked for none'
            for key in ('typical_colors', )
            if key in before and key not in settings
        ] + [
            f'{before[key]} {key} scenes, asked for {count}'
            for key, count in counts.items() if before.get(key, 0) > count
        ]
        if differing:
            raise UserError(
                f'{args.out} holds scenes of other settings '
                f'({"; ".join(differing)}); name another folder or remove '
                'this one')
    elif args.out.is_dir() and any(args.out.iterdir()):
        # It might be the real data set, whose lists would be overwritten.
        raise UserError(f'{args.out} is not empty and not made by this '
                           'program; name another folder')
    described = dict(
        **settings,
        **counts,
        semantic_classes=class_names(options.num_poles),
        semantic_ids=semantic_ids(
            args.layout)[:len(class_names(options.num_poles))].tolist(),
        parts=('background', *PARTS))
    write_file(path, (json.dumps(described, indent=2) + '\n').encode())


def read_manifest(path: Path) -> dict | None:
    """What the folder holds; None if it was not written by this program."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(
            f'{path} cannot be read ({error}); name another folder or remove '
            'this one') from error


def ignore_interrupt() -> None:
    """Let the main process decide what an interrupt means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def write_chunk(jobs: list[Job], root: Path, layout: str, seed: int,
                options: SceneOptions) -> tuple[int, int]:
    """Write some scenes; return their number and how many were new."""
    written = sum(
        write_scene(root, layout, split, number, seed, options)
        for split, number in jobs)
    return len(jobs), written


def run_chunks(work: partial, chunks: list[list[Job]],
               workers: int) -> Iterator[tuple[int, int]]:
    """Results of the work, in this process or in several."""
    if workers == 1:
        yield from map(work, chunks)
        return
    executor = ProcessPoolExecutor(workers, initializer=ignore_interrupt)
    try:
        with block_interrupts():
            # Which starts the processes.
            results = executor.map(work, chunks)
        yield from results
    finally:
        # What has begun is finished, what has not is left out.
        executor.shutdown(cancel_futures=True)


def write_lists(args: argparse.Namespace, options: SceneOptions) -> None:
    """Write what names the scenes, once all that it names is there."""
    if args.layout == 'voc':
        write_image_sets(args, options)
    elif args.layout == 'pascal_context':
        folder = args.out / 'ImageSets' / 'SegmentationContext'
        for split in ('train', 'val'):
            lines = [f'{split}_{i:08d}\n' for i in range(getattr(args, split))]
            write_file(folder / f'{split}.txt', ''.join(lines).encode())
    elif args.layout == 'part_imagenet':
        for split in ('train', 'val'):
            names = [
                scene_paths(args.layout, split, i, options)['image'][-1]
                [len('images/'):-len('.JPEG')]
                for i in range(getattr(args, split))
            ]
            write_file(args.out / 'annotations' / f'{split}.json',
                       annotations(args.out, names))


def write_image_sets(args: argparse.Namespace, options: SceneOptions) -> None:
    """Write VOC's lists of names."""
    sets = dict(train=[], aug=[], val=[f'val_{i:08d}'
                                       for i in range(args.val)])
    for i in range(args.train):
        name = voc_image_set(i, len(options.categories))
        sets[name].append(f'train_{i:08d}')
    sets['trainaug'] = sorted(sets['train'] + sets['aug'])
    sets['trainval'] = sets['train'] + sets['val']
    for name, lines in sets.items():
        content = ''.join(f'{line}\n' for line in lines).encode()
        write_file(
            args.out / 'ImageSets' / 'Segmentation' / f'{name}.txt', content)


def write_data_set(args: argparse.Namespace, options: SceneOptions) -> None:
    """Write all scenes that are not there yet."""
    check_manifest(args, options)
    jobs = [('train', i) for i in range(args.train)]
    jobs += [('val', i) for i in range(args.val)]
    chunks = [jobs[i:i + CHUNK] for i in range(0, len(jobs), CHUNK)]
    work = partial(
        write_chunk,
        root=args.out,
        layout=args.layout,
        seed=args.seed,
        options=options)
    new = 0
    with Progress() as progress, closing(
            run_chunks(work, chunks, args.workers)) as results:
        bar = progress.add_task('Scenes', total=len(jobs))
        for done, written in results:
            new += written
            progress.advance(bar, done)
    write_lists(args, options)
    print(f'{args.out}: {args.train} training and {args.val} validation '
          f'scenes ({new} new)')


def main() -> None:
    """Write the data set, or draw the figure."""
    args = parse_args()
    options = make_options(args)
    try:
        if args.figure is None:
            write_data_set(args, options)
        else:
            save_figure(args.figure, draw_scene_figure(args.seed, options))
    except (OSError, BrokenProcessPool) as error:
        raise UserError(
            f'stopped: {error}. Scenes that were finished stay; the same '
            'command goes on from there') from error
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here',
              file=sys.stderr)
        sys.exit(130)


def save_figure(path: Path, figure: np.ndarray) -> None:
    """Write a picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(figure).save(buffer, format='PNG', optimize=True)
    write_file(path, buffer.getvalue())
    print(path)


if __name__ == '__main__':
    sys.exit(run_command(main))
