r"""Convert KITTI-STEP's panoptic maps to label PNGs.

::

    python tools/dataset_converters/kitti_step.py data/kitti_step

reads ``panoptic_maps/{train,val}/{sequence}/{frame}.png`` of the folder and
writes ``labels/{train,val}/{sequence}/{frame}.png``: the 19 classes of
Cityscapes and 255, with the colours of Cityscapes as palette. It checks that
every sequence is in the split that it belongs to, and every map has its image
``images/{split}/{sequence}/{frame}.png``, of the same size.

Training needs no conversion, ``KITTISTEPDataset`` reads the panoptic maps;
label PNGs are for everything that knows semantic maps only. An interrupted run
is taken up where it stopped: what is complete is left alone.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from conversion import convert_all, default_workers
from PIL import Image
from scene_files import encode_label_map, write_file

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.kitti_step_split import (
    check_sequences,
    missing_sequences,
)
from mmhierseg.datasets.files import check_pairs, some
from mmhierseg.datasets.transforms.load_panoptic_map import (
    decode_panoptic_map,
)

# Folder of the split, name below it: `0002/000017`.
Job = tuple[str, str]


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert KITTI-STEP's panoptic maps to label PNGs")
    parser.add_argument(
        'root', type=Path, help='KITTI-STEP, with images and panoptic_maps')
    parser.add_argument(
        '--out',
        type=Path,
        help='folder to write to (default: labels in ROOT)')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=['train', 'val'],
        default=['train', 'val'],
        help='splits to convert (default: train val)')
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


def find_frames(folder: Path) -> list[str]:
    """Frames of a folder, ``sequence/frame``, in their order.

    Raises:
        UserError: If there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(
            f'there is no folder {str(folder)!r}: ROOT must hold '
            'images/{train,val} and panoptic_maps/{train,val}, or name one '
            'split by --splits')
    return sorted(
        path.relative_to(folder).with_suffix('').as_posix()
        for path in folder.rglob('*.png'))


def check_split(root: Path, split: str) -> list[Job]:
    """Look at a split before anything is written.

    Args:
        root (Path): The data set.
        split (str): 'train' or 'val'.

    Returns:
        list[tuple[str, str]]: What is to be converted.

    Raises:
        UserError: If a sequence belongs to another split, or an image or a
            map is missing.
    """
    image_folder, map_folder = root / 'images' / split, (
        root / 'panoptic_maps' / split)
    images, maps = find_frames(image_folder), find_frames(map_folder)
    sequences = sorted({str(Path(name).parent) for name in maps})
    try:
        for folder, names in ((image_folder, images), (map_folder, maps)):
            check_sequences(
                sorted({str(Path(name).parent) for name in names}), split,
                str(folder))
        check_pairs(images, images, maps, str(image_folder), str(map_folder))
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error
    missing = missing_sequences(sequences, split)
    if missing:
        print(
            f'{map_folder} lacks {some(missing)} of the sequences of '
            f'{split!r}: what is written will be incomplete, too',
            file=sys.stderr)
    return [(split, name) for name in maps]


def convert_frame(job: Job, root: Path, out: Path,
                  palette: np.ndarray) -> bool:
    """Convert a map, unless it is there.

    Raises:
        ValueError: If it is no panoptic map, or not of its image's size.
        OSError: If a file cannot be read or written.
    """
    split, name = job
    target = out / split / f'{name}.png'
    if target.is_file():
        return False
    source = root / 'panoptic_maps' / split / f'{name}.png'
    labels = decode_panoptic_map(source.read_bytes(), str(source))
    check_size(labels, source, root / 'images' / split / f'{name}.png')
    write_file(target, encode_label_map(labels, palette))
    return True


def check_size(labels: np.ndarray, source: Path, image_path: Path) -> None:
    """Check that a map has the size of its image.

    Raises:
        ValueError: If it has not.
    """
    with Image.open(image_path) as image:
        width, height = image.size
    if labels.shape != (height, width):
        raise ValueError(
            f"panoptic map '{source}' is {labels.shape[0]} x "
            f"{labels.shape[1]} but its image '{image_path}' {height} x "
            f'{width}: the two do not belong together')


def label_palette() -> np.ndarray:
    """Colours of Cityscapes; what is ignored is black."""
    from mmseg.datasets import CityscapesDataset
    colors = np.zeros((256, 3), dtype=np.uint8)
    classes = np.array(CityscapesDataset.METAINFO['palette'], dtype=np.uint8)
    colors[:len(classes)] = classes
    return colors


def main(argv: list[str]) -> None:
    """Write the label PNGs.

    Raises:
        UserError: If something is missing or unfit.
    """
    args = parse_args(argv)
    jobs = [
        job for split in args.splits for job in check_split(args.root, split)
    ]
    try:
        new = convert_all(
            partial(
                convert_frame,
                root=args.root,
                out=args.out,
                palette=label_palette()), jobs, args.workers, 'Frames')
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here',
              file=sys.stderr)
        sys.exit(130)
    print(f'{args.out}: {len(jobs)} label maps ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
