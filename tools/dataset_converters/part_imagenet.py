r"""Convert PartImageNet's annotations to label PNGs.

::

    python tools/dataset_converters/part_imagenet.py data/part_imagenet

reads ``annotations/{train,val,test}.json`` of the folder and writes, for each
image, ``labels/part/{split}/{class}/{name}.png`` (0 = background, 1..40) and
``labels/object/{split}/{class}/{name}.png`` (1..11). The ids and their names
are also written, to ``labels/part_imagenet.json``.

Training needs no conversion, ``PartImageNetDataset`` reads the JSON; label
PNGs are for programs that read semantic maps only. The same command resumes
an interrupted run: complete files are left alone.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from conversion import add_workers, convert_all, resumable, write_file
from PIL import Image
from scene_files import encode_label_map

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.files import list_files, read_file
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
    """Path of the label map, below the folder of its kind."""
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
    add_workers(parser, 'threads')
    args = parser.parse_args(argv)
    if args.out is None:
        args.out = args.root / 'labels'
    return args


def read_split(root: Path, split: str) -> list[Job]:
    """Check a split before anything is written.

    Raises:
        UserError: If annotations or images are missing or invalid.
    """
    path = root / 'annotations' / f'{split}.json'
    folder = root / 'images' / split
    hint = ('ROOT must hold annotations and images of each split; name the '
            'existing ones by --splits')
    if not path.is_file():
        raise UserError(f'there is no {str(path)!r}: {hint}')
    content = read_file(str(path), 'annotation file')
    images = [
        image for image in parse_annotations(content, str(path))
        if image.parts
    ]
    names = image_paths([image.file_name for image in images],
                        list_files(str(folder), hint), str(folder), str(path))
    return [
        Job(folder / name,
            PurePosixPath(split, name).with_suffix('.png'), image)
        for name, image in zip(names, images)
    ]


def convert_image(job: Job, out: Path) -> bool:
    """Write the label maps of an image, unless they exist.

    Raises:
        UserError: If masks cannot be decoded, or do not have the image's
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
        raise UserError(
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
        UserError: If something is missing or invalid.
    """
    args = parse_args(argv)
    jobs = [
        job for split in args.splits for job in read_split(args.root, split)
    ]
    convert = partial(convert_image, out=args.out)
    new = convert_all(convert, jobs, args.workers, 'Images')
    names = {kind: class_names(kind) for kind in LABELS}
    with resumable():
        write_file(args.out / 'part_imagenet.json',
                   (json.dumps(names, indent=2) + '\n').encode())
    print(f'{args.out}: label maps of {len(jobs)} images ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
