r"""Divide the images of a folder into the regions between their contours.

::

    python tools/dataset_converters/generate_oversegmentation.py \
        data/coco/train2017 data/coco/oversegmentation/train2017

writes a PNG for each image below the folder, ``a/b.png`` for ``a/b.jpg``: the
region of each pixel, in 16 bits. HSG learns from such maps; ``LoadSegmentMap``
reads them, and those that HSG's authors publish.

Regions are merged until contours are stronger than ``--threshold``, which
rises by steps of 0.01 until there are at most ``--num-regions``; if one of
them is given, it alone counts.
Contours are found by gradients of colour, or by Structured Edges with the
file of OpenCV's model (``--edge-model``).

``--resume`` resumes an interrupted run: complete files are left alone.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
from conversion import (
    add_workers,
    check_manifest,
    convert_all,
    write_file,
    write_manifest,
)

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.image_files import IMAGE_SUFFIXES, list_files
from mmhierseg.datasets.transforms import LoadImage
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map
from mmhierseg.oversegmentation import OverSegmenter

AGAIN = 'the same command with --resume'
# Image and map.
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
    """Pair the images of a folder with the maps to be written."""
    if not images.is_dir():
        raise UserError(f'there is no folder {str(images)!r} of images')
    if out.resolve().is_relative_to(images.resolve()):
        raise UserError(
            f'{str(out)!r} is in the folder of the images: maps would be '
            'taken for images; name another folder')
    paths = [images / name for name in list_files(images, IMAGE_SUFFIXES, out)]
    if not paths:
        raise UserError(f'there is no image ({", ".join(IMAGE_SUFFIXES)}) in '
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


def convert_image(job: Job, segmenter: OverSegmenter) -> bool:
    """Write the map of an image, unless it exists."""
    source, target = job
    if target.is_file():
        return False
    # As pipelines load it, with its EXIF orientation applied.
    image = LoadImage()(dict(img_path=str(source)))['img']
    labels = segmenter(np.ascontiguousarray(image[..., ::-1]))
    write_file(target, encode_segment_map(labels))
    return True


def main(argv: list[str]) -> None:
    """Write the maps."""
    args = parse_args(argv)
    try:
        segmenter = OverSegmenter(args.threshold, args.num_regions,
                                  args.edge_model)
    except (ImportError, OSError, ValueError) as error:
        raise UserError(str(error)) from error
    jobs = find_jobs(args.images, args.out)
    settings = dict(
        # Version of the method.
        version=3,
        threshold=segmenter.threshold,
        num_regions=segmenter.num_regions,
        edge_model=segmenter.edge_model
        and os.path.basename(segmenter.edge_model))
    path = args.out / 'oversegmentation.json'
    if check_manifest(path, settings) is not None and not args.resume:
        raise UserError(f'{str(args.out)!r} is not empty: --resume continues '
                        'there, or name another folder')
    write_manifest(path, settings, again=AGAIN)
    convert = partial(convert_image, segmenter=segmenter)
    new = convert_all(convert, jobs, args.workers, 'Images',
                      processes='forkserver', again=AGAIN)
    print(f'{args.out}: maps of {len(jobs)} images ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
