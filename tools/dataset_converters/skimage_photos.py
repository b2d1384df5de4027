#!/usr/bin/env python
"""Write crops of scikit-image's photographs as a small training set.

scikit-image ships a few photographs inside its package; nothing is
downloaded. They are cropped at random places and scales into the layout that
MMPretrain's ``ImageNet`` and ``CustomDataset`` read::

    OUT
    |-- photos              the whole photographs, to look at hierarchies
    |   |-- astronaut.png
    |   `-- ...
    `-- train               square crops, one folder per photograph
        |-- astronaut
        |   |-- 000.jpg
        |   `-- ...
        `-- ...

The same arguments write the same files. An interrupted run is taken up where
it stopped: files that are complete are left alone.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

# What the wheel of scikit-image holds besides drawings, text, microscopy and
# synthetic images. Of the stereo pair one is enough. The order is part of the
# seed: append new names.
PHOTOGRAPHS = ('astronaut.png', 'brick.png', 'camera.png', 'chelsea.png',
               'clock_motion.png', 'coffee.png', 'coins.png', 'grass.png',
               'gravel.png', 'hubble_deep_field.jpg', 'moon.png',
               'motorcycle_left.png', 'retina.jpg', 'rocket.jpg')
MANIFEST = 'skimage_photos.json'


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Write crops of scikit-image's photographs as a small "
        'training set')
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument(
        '--crops', type=int, default=40, help='crops per photograph')
    parser.add_argument(
        '--size', type=int, default=192, help='side of a crop in pixels')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    args = parser.parse_args(argv)
    for name, least in (('crops', 1), ('size', 16), ('seed', 0)):
        if getattr(args, name) < least:
            parser.error(f'--{name} must be at least {least}, got '
                         f'{getattr(args, name)}')
    return args


def find_photographs() -> list[Path]:
    """Photographs that lie in the installed scikit-image.

    Raises:
        FileNotFoundError: If there is none of them.
    """
    folder = Path(skimage.__file__).parent / 'data'
    paths = [folder / name for name in PHOTOGRAPHS]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise FileNotFoundError(
            f'scikit-image {skimage.__version__} has no photographs in its '
            'package; install the version that requirements.txt names')
    return found


def random_crop(photo: Image.Image, size: int,
                rng: np.random.Generator) -> Image.Image:
    """Square crop at a random place and scale.

    The side is drawn log-uniformly between ``size`` (or a third of the
    photograph's shorter side, if that is less) and the whole shorter side:
    parts and wholes are equally likely.

    Args:
        photo (Image.Image): RGB photograph.
        size (int): Side of the result in pixels.
        rng (np.random.Generator): Where the draws come from.

    Returns:
        Image.Image: RGB image, ``size`` x ``size``.
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
    """Write an image unless it is there; never leaves half a file.

    Returns:
        bool: Whether the file was written.
    """
    if path.is_file():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}.part')
    image_format = Image.registered_extensions()[path.suffix]
    make().save(unfinished, format=image_format, quality=95)
    os.replace(unfinished, path)
    return True


def check_manifest(args: argparse.Namespace) -> None:
    """Refuse to mix the crops of two settings in one folder.

    Raises:
        ValueError: If the folder was written with other arguments.
    """
    settings = dict(crops=args.crops, size=args.size, seed=args.seed)
    path = args.out / MANIFEST
    if path.is_file():
        before = json.loads(path.read_text())
        if before != settings:
            raise ValueError(
                f'{args.out} holds crops made with {before}, asked for '
                f'{settings}; name another folder or remove this one')
        return
    args.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings) + '\n')


def main(argv: list[str]) -> int:
    """Write the data set; return the exit status."""
    args = parse_args(argv)
    try:
        check_manifest(args)
        photographs = find_photographs()
    except (OSError, ValueError) as error:
        print(f'skimage_photos: {error}', file=sys.stderr)
        return 1
    written = 0
    for source in photographs:
        photo = Image.open(source).convert('RGB')
        write_once(args.out / 'photos' / f'{source.stem}.png', photo.copy)
        for i in range(args.crops):
            # A generator per crop: what is drawn does not depend on which
            # files an interrupted run has left.
            rng = np.random.default_rng(
                [args.seed, PHOTOGRAPHS.index(source.name), i])
            written += write_once(
                args.out / 'train' / source.stem / f'{i:03d}.jpg',
                partial(random_crop, photo, args.size, rng))
    print(f'{len(photographs)} photographs, {len(photographs) * args.crops} '
          f'crops ({written} new) in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
