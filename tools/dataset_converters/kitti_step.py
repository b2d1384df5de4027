r"""Convert KITTI-STEP's panoptic maps to label PNGs.

::

    python tools/dataset_converters/kitti_step.py data/kitti_step

reads ``panoptic_maps/{train,val}/{sequence}/{frame}.png`` of the folder and
writes ``labels/{train,val}/{sequence}/{frame}.png``: the 19 classes of
Cityscapes and 255, with the colours of Cityscapes as palette. It checks that
every sequence is in its split, and that every map has its image
``images/{split}/{sequence}/{frame}.png``, of the same size.

Training needs no conversion, ``KITTISTEPDataset`` reads the panoptic maps;
label PNGs are for programs that read semantic maps only. The same command
resumes an interrupted run: complete files are left alone.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from conversion import convert_all, parse_root, write_file
from scene_files import encode_label_map

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import run_command
from mmhierseg.datasets.files import (
    check_pairs,
    list_files,
    load_labels,
    read_header,
    some,
)
from mmhierseg.datasets.kitti_step_split import SEQUENCES, check_sequences
from mmhierseg.datasets.transforms.load_ground_truth import panoptic_classes

# Split and frame: `('val', '0002/000017')`.
Job = tuple[str, str]


def check_split(root: Path, split: str) -> list[Job]:
    """Check a split before anything is written."""
    frames = []
    folders = [str(root / name / split)
               for name in ('images', 'panoptic_maps')]
    for folder in folders:
        names = list_files(
            folder, 'ROOT must hold images/{train,val} and '
            'panoptic_maps/{train,val}, or name one split by --splits',
            '.png')
        frames.append(names)
        sequences = sorted({name.rpartition('/')[0] for name in names})
        check_sequences(sequences, split, folder)
    images, maps = frames
    check_pairs(images, images, maps, *folders)
    missing = [
        name for name in map('{:04d}'.format, SEQUENCES[split])
        if name not in sequences
    ]
    if missing:
        print(
            f'{folders[1]} lacks {some(missing)} of the sequences of '
            f'{split!r}: the output will be incomplete, too',
            file=sys.stderr)
    return [(split, name) for name in maps]


def convert_frame(job: Job, root: Path, out: Path, palette: np.ndarray,
                  annotated: str | None) -> bool:
    """Convert a map, unless its label PNG exists."""
    split, name = job
    target = out / split / f'{name}.png'
    if target.is_file():
        return False
    source = root / 'panoptic_maps' / split / f'{name}.png'
    image = read_header(str(root / 'images' / split / f'{name}.png'))
    labels = load_labels(str(source), 'panoptic map', image, panoptic_classes,
                         annotated)
    write_file(target, encode_label_map(labels, palette))
    return True


def main(argv: list[str]) -> None:
    """Write the label PNGs."""
    from mmseg.datasets import CityscapesDataset
    args = parse_root(
        argv,
        "Convert KITTI-STEP's panoptic maps to label PNGs",
        'KITTI-STEP, with images and panoptic_maps', ['train', 'val'],
        closed=True)
    jobs = [
        job for split in args.splits for job in check_split(args.root, split)
    ]
    # Ignored pixels are black.
    palette = np.zeros((256, 3), dtype=np.uint8)
    colors = CityscapesDataset.METAINFO['palette']
    palette[:len(colors)] = colors
    convert = partial(
        convert_frame, root=args.root, out=args.out, palette=palette,
        annotated=args.annotated)
    new = convert_all(convert, jobs, args.workers, 'Frames')
    print(f'{args.out}: {len(jobs)} label maps ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
