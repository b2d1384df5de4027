#!/usr/bin/env python
"""Write crops of scikit-image's photographs as a small training set.

scikit-image ships a few photographs inside its package; nothing is
downloaded. They are cropped at random places and scales into the layout that
MMPretrain's ``ImageNet`` and ``CustomDataset`` read::

    OUT/photos/astronaut.png       the whole photographs
    OUT/train/astronaut/000.jpg    square crops, one folder per photograph

The same arguments write the same files, and resume an interrupted run:
complete files are left alone.
"""

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import skimage
from conversion import (
    add_numbers,
    at_least,
    check_manifest,
    encode_image,
    resumable,
    write_file,
    write_manifest,
)
from PIL import Image

from mmhierseg._base.errors import UserError, run_command

# The images of scikit-image's wheel without drawings, text, microscopy,
# synthetic images and half of the stereo pair. The order is part of the seed:
# append new names.
PHOTOGRAPHS = ('astronaut.png', 'brick.png', 'camera.png', 'chelsea.png',
               'clock_motion.png', 'coffee.png', 'coins.png', 'grass.png',
               'gravel.png', 'hubble_deep_field.jpg', 'moon.png',
               'motorcycle_left.png', 'retina.jpg', 'rocket.jpg')


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Write crops of scikit-image's photographs as a small "
        'training set')
    parser.add_argument('out', type=Path, help='folder to write to')
    add_numbers(
        parser,
        ('crops', at_least(1), 40, 'crops per photograph'),
        ('size', at_least(16), 192, 'side of a crop in pixels'),
        ('seed', at_least(0), 0, 'random seed'))
    return parser.parse_args(argv)


def find_photographs() -> list[Path]:
    """Find the photographs of the installed scikit-image."""
    folder = Path(skimage.__file__).parent / 'data'
    paths = [folder / name for name in PHOTOGRAPHS]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise UserError(
            f'scikit-image {skimage.__version__} has no photographs in its '
            'package; install the version that requirements.txt names')
    return found


def random_crop(photo: Image.Image, size: int,
                rng: np.random.Generator) -> Image.Image:
    """Square crop at a random place and scale.

    The side is drawn log-uniformly between ``size`` (or a third of the
    photograph's shorter side, if that is less) and the whole shorter side:
    parts and wholes are equally likely.
    """
    whole = min(photo.size)
    least = min(size, whole // 3)
    side = round(math.exp(rng.uniform(math.log(least), math.log(whole))))
    left, top = (int(rng.integers(0, n - side + 1)) for n in photo.size)
    return photo.resize((size, size),
                        Image.Resampling.BICUBIC,
                        box=(left, top, left + side, top + side),
                        reducing_gap=3)


def write_once(path: Path, make: Callable[[], Image.Image]) -> bool:
    """Write an image unless it exists; return whether it was written."""
    if path.is_file():
        return False
    image_format = Image.registered_extensions()[path.suffix]
    write_file(path, encode_image(make(), format=image_format, quality=95))
    return True


def main(argv: list[str]) -> None:
    """Write the dataset."""
    args = parse_args(argv)
    photographs = find_photographs()
    settings = dict(crops=args.crops, size=args.size, seed=args.seed)
    # Two settings must not be mixed in one folder.
    check_manifest(args.out / 'skimage_photos.json', settings)
    write_manifest(args.out / 'skimage_photos.json', settings, indent=None)
    written = 0
    with resumable():
        for source in photographs:
            photo = Image.open(source).convert('RGB')
            write_once(args.out / 'photos' / f'{source.stem}.png', photo.copy)
            for i in range(args.crops):
                # A generator per crop: the result does not depend on the
                # files that an interrupted run has left.
                rng = np.random.default_rng(
                    [args.seed, PHOTOGRAPHS.index(source.name), i])
                written += write_once(
                    args.out / 'train' / source.stem / f'{i:03d}.jpg',
                    partial(random_crop, photo, args.size, rng))
    print(f'{len(photographs)} photographs, {len(photographs) * args.crops} '
          f'crops ({written} new) in {args.out}')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
