r"""Convert PartImageNet's annotations to label PNGs.

::

    python tools/dataset_converters/part_imagenet.py data/part_imagenet

reads ``annotations/{train,val,test}.json`` of the folder and writes, for each
image, ``labels/part/{split}/{class}/{name}.png`` (0 = background, 1..40) and
``labels/object/{split}/{class}/{name}.png`` (1..11). The ids and their names
are also written, to ``labels/part_imagenet.json``.

Training needs no conversion, ``PartImageNetDataset`` reads the JSON; label
PNGs are for everything that knows semantic maps only. An interrupted run is
taken up where it stopped: what is complete is left alone.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from conversion import convert_all, default_workers
from PIL import Image
from scene_files import encode_label_map, write_file

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.part_imagenet_classes import (
    LABELS,
    OBJECT_OF_PART,
    class_names,
)
from mmhierseg.datasets.part_imagenet_file import (
    AnnotatedImage,
    image_paths,
    parse_annotations,
)
from mmhierseg.datasets.scenes.categories import voc_palette
from mmhierseg.datasets.transforms.load_part_map import draw_part_map


class Job(NamedTuple):
    """An image whose label maps are to be written."""

    image_path: Path
    name: PurePosixPath
    """Of the label map, below the folder of its kind."""
    annotated: AnnotatedImage


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert PartImageNet's annotations to label PNGs")
    parser.add_argument(
        'root', type=Path, help='PartImageNet, with images and annotations')
    parser.add_argument(
        '--out',
        type=Path,
        help='folder to write to (default: labels in ROOT)')
    parser.add_argument(
        '--splits',
        nargs='+',
        default=['train', 'val', 'test'],
        help='splits to convert (default: train val test)')
    parser.add_argument(
        '--workers',
        type=int,
        default=default_workers(),
        help='number of threads (default: one per core)')
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    if args.out is None:
        args.out = args.root / 'labels'
    return args


def read_split(root: Path, split: str) -> list[Job]:
    """Look at a split before anything is written.

    Args:
        root (Path): The data set.
        split (str): Name of the split.

    Returns:
        list[Job]: Its images, those without any part left out, as
        ``PartImageNetDataset`` does.

    Raises:
        UserError: If annotations or images are missing or unfit.
    """
    path, folder = root / 'annotations' / f'{split}.json', (
        root / 'images' / split)
    for there, what in ((path.is_file(), path), (folder.is_dir(), folder)):
        if not there:
            raise UserError(
                f'there is no {str(what)!r}: ROOT must hold annotations and '
                'images of each split; name those that there are by --splits')
    try:
        images = [
            image for image in parse_annotations(path.read_bytes(), str(path))
            if image.parts
        ]
        found = [
            file.relative_to(folder).as_posix() for file in folder.rglob('*')
            if file.is_file()
        ]
        names = image_paths([image.file_name for image in images], found,
                            str(folder), str(path))
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error
    return [
        Job(folder / name,
            PurePosixPath(split, name).with_suffix('.png'), image)
        for name, image in zip(names, images)
    ]


def convert_image(job: Job, out: Path) -> bool:
    """Write the label maps of an image, unless they are there.

    Raises:
        ValueError: If masks cannot be decoded, or are not of the image's
            size.
        OSError: If a file cannot be read or written.
    """
    targets = {kind: out / kind / job.name for kind in LABELS}
    if all(target.is_file() for target in targets.values()):
        return False
    with Image.open(job.image_path) as image:
        width, height = image.size
    size = job.annotated.size
    if size != (height, width):
        raise ValueError(
            f"the masks of '{job.image_path}' are {size[0]} x {size[1]} but "
            f'the image {height} x {width}: the two do not belong together')
    parts = draw_part_map(job.annotated.parts, size,
                          f"part map of '{job.image_path}'")
    maps = dict(part=parts, object=OBJECT_OF_PART[parts])
    for kind, target in targets.items():
        write_file(target, encode_label_map(maps[kind], voc_palette()))
    return True


def main(argv: list[str]) -> None:
    """Write the label PNGs.

    Raises:
        UserError: If something is missing or unfit.
    """
    args = parse_args(argv)
    jobs = [
        job for split in args.splits for job in read_split(args.root, split)
    ]
    try:
        new = convert_all(
            partial(convert_image, out=args.out), jobs, args.workers,
            'Images')
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here',
              file=sys.stderr)
        sys.exit(130)
    names = {kind: class_names(kind) for kind in LABELS}
    write_file(args.out / 'part_imagenet.json',
               (json.dumps(names, indent=2) + '\n').encode())
    print(f'{args.out}: label maps of {len(jobs)} images ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
