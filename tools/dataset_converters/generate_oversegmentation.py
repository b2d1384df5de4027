r"""Divide the images of a folder into the regions between their contours.

::

    python tools/dataset_converters/generate_oversegmentation.py \
        data/coco/train2017 data/coco/oversegmentation/train2017

writes a PNG for each image below the folder, ``a/b.png`` for ``a/b.jpg``: the
label of the region of each pixel, in 8 bits, or 16 where there are more than
256 regions. HSG learns from such maps, see ``configs/_base_/datasets``;
``LoadSegmentMap`` reads them, and those that HSG's authors publish.

Regions are merged until contours are stronger than ``--threshold`` and there
are at most ``--num-regions``; if one of them is given, it alone counts.
Contours are found by gradients of colour, or by Structured Edges with the
file of OpenCV's model (``--edge-model``).

``--resume`` resumes an interrupted run: complete files are left alone.
"""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
from conversion import add_workers, convert_all, resumable

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.transforms import LoadImage
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map
from mmhierseg.oversegmentation import OverSegmenter

#: Image files of MMPretrain.
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')
#: Describes how the maps of a folder were made.
MANIFEST = 'oversegmentation.json'
#: Version of the method; maps of different versions must not be mixed.
VERSION = 2
#: Resumes a run.
AGAIN = 'the same command with --resume'
#: Image and map.
Job = tuple[Path, Path]


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Divide the images of a folder into the regions between '
        'their contours (oriented watershed, ultrametric contour map)')
    parser.add_argument(
        'images', type=Path, help='folder of images, folders in it included')
    parser.add_argument('out', type=Path, help='folder to write PNGs to')
    parser.add_argument(
        '--threshold',
        type=float,
        help='contours that are not stronger, from 0 to 1, do not separate '
        'regions (default: 0.25, unless --num-regions is given)')
    parser.add_argument(
        '--num-regions',
        type=int,
        help='the most regions of an image (default: 48, unless --threshold '
        'is given)')
    parser.add_argument(
        '--edge-model',
        help="file of OpenCV's model of Structured Edges, which finds the "
        'contours (default: gradients of colour)')
    add_workers(parser, 'processes')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='resume an interrupted run, or add the maps of new images')
    return parser.parse_args(argv)


def find_jobs(images: Path, out: Path) -> list[Job]:
    """Pair the images of a folder with the maps to be written.

    Raises:
        UserError: If there is no image, two of them would have the same
            map, or maps would lie among the images.
    """
    if not images.is_dir():
        raise UserError(f'there is no folder {str(images)!r} of images')
    if out.resolve().is_relative_to(images.resolve()):
        raise UserError(
            f'{str(out)!r} is in the folder of the images: maps would be '
            'taken for images; name another folder')
    paths = sorted(
        path for path in images.rglob('*')
        if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not paths:
        raise UserError(f'there is no image ({", ".join(EXTENSIONS)}) in '
                        f'{str(images)!r}')
    targets: dict[Path, Path] = {}
    for path in paths:
        target = out / path.relative_to(images).with_suffix('.png')
        other = targets.setdefault(target, path)
        if other != path:
            raise UserError(
                f'{str(other)!r} and {str(path)!r} differ in their extension '
                'only, so that they would have the same map: rename or '
                'remove one')
    return [(path, target) for target, path in targets.items()]


def check_manifest(out: Path, segmenter: OverSegmenter,
                   resume: bool) -> None:
    """Describe how maps are made; refuse to mix two methods.

    Raises:
        UserError: If there are maps already and ``resume`` is not set, or
            they were made with other settings.
    """
    settings = dict(
        version=VERSION,
        threshold=segmenter.threshold,
        num_regions=segmenter.num_regions,
        edge_model=segmenter.edge_model
        and os.path.basename(segmenter.edge_model))
    path = out / MANIFEST
    if out.is_dir() and any(out.iterdir()):
        before = read_manifest(path)
        if not resume:
            raise UserError(
                f'{str(out)!r} is not empty: --resume continues there, or '
                'name another folder')
        differing = [
            f'{key} {before.get(key)!r}, requested {value!r}'
            for key, value in settings.items() if before.get(key) != value
        ]
        if differing:
            raise UserError(
                f'{str(out)!r} holds maps of other settings '
                f'({"; ".join(differing)}): ask for the same, or name another '
                'folder')
    with resumable(AGAIN):
        out.mkdir(parents=True, exist_ok=True)
        content = json.dumps(settings, indent=2) + '\n'
        write_atomically(path, content.encode())


def read_manifest(path: Path) -> dict:
    """Read how the maps of a folder were made, or raise a UserError."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f'{str(path.parent)!r} is not empty and not made by this program '
            f'(there is no {MANIFEST} that can be read): name another folder'
        ) from error


def convert_image(job: Job, segmenter: OverSegmenter) -> bool:
    """Write the map of an image, unless it exists.

    Raises:
        UserError: If the image cannot be read.
        OSError: If the map cannot be written.
    """
    source, target = job
    if target.is_file():
        return False
    # As pipelines load it, with its EXIF orientation applied.
    image = LoadImage()(dict(img_path=str(source)))['img']
    labels = segmenter(np.ascontiguousarray(image[..., ::-1]))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, encode_segment_map(labels))
    return True


def main(argv: list[str]) -> None:
    """Write the maps.

    Raises:
        UserError: If something is missing or invalid.
    """
    args = parse_args(argv)
    try:
        segmenter = OverSegmenter(args.threshold, args.num_regions,
                                  args.edge_model)
    except (ImportError, OSError, ValueError) as error:
        raise UserError(str(error)) from error
    jobs = find_jobs(args.images, args.out)
    check_manifest(args.out, segmenter, args.resume)
    new = convert_all(
        partial(convert_image, segmenter=segmenter),
        jobs,
        args.workers,
        'Images',
        processes=True,
        again=AGAIN)
    print(f'{args.out}: maps of {len(jobs)} images ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
