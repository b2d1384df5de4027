#!/usr/bin/env python
"""Show the hierarchy of segments that a CAST or HSG sees, fine to coarse.

    python demo/hierarchy_demo.py IMAGE...
        [--config CONFIG --checkpoint CHECKPOINT]

Writes one PNG per image: superpixels (for HSG segments by k-means) and every
level, as boundaries over the image and as regions in their mean colours. IMAGE
may also be a folder, those in it included; figures get its paths below OUT.
"""

import argparse
import sys
import warnings

import mmhierseg  # noqa: F401  (first: repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.names import printable
from mmhierseg.apis import HierarchyInferencer
from mmhierseg.apis.images import list_images, parse_image_size

DEFAULT_CONFIG = 'cast-t_imagenette'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Show the hierarchy of segments that a CAST or HSG sees '
        'in images.')
    parser.add_argument(
        'images', nargs='+', metavar='IMAGE', help='image file or folder')
    parser.add_argument(
        '--config',
        default=DEFAULT_CONFIG,
        help="config file, mmhierseg::cast/..., or a model's name in the "
        'metafiles (default: %(default)s, whose weights ship)')
    parser.add_argument(
        '--checkpoint',
        help="checkpoint that the config was trained to (default: the "
        "weights of the model's name, else a random model)")
    parser.add_argument(
        '--out',
        default='outputs/hierarchy',
        help='folder to write to (default: %(default)s)')
    parser.add_argument(
        '--device', help='e.g. cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--img-size',
        type=parse_image_size,
        metavar='SIZE',
        help="what images are scaled to: the shorter side in pixels, e.g. "
        "224, height and width, e.g. 224x320, or 'original' (default: the "
        "config's)")
    parser.add_argument(
        '--segment-size',
        type=float,
        metavar='PIXELS',
        help='side of the average superpixel in the scaled image; smaller '
        "ones keep thinner structures (default: the config's; not for HSG)")
    parser.add_argument(
        '--save-labels',
        choices=['png', 'npz'],
        help='write label maps too: PNGs in colours (label + 1, 0 = none) or '
        'one NPZ (-1 = none) per image')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        help='images of one size that are run together (default: 1)')
    parser.add_argument(
        '--panel-size',
        type=int,
        default=320,
        metavar='PIXELS',
        help='longer side of the pictures on a figure (default: 320)')
    parser.add_argument(
        '--show', action='store_true', help='open the figures in windows')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the figures and print their paths."""
    args = parse_args(argv)
    try:
        list_images(args.images, exclude=args.out)  # for its errors
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter('always', UserWarning)
            inferencer = HierarchyInferencer(
                args.config,
                args.checkpoint,
                device=args.device,
                img_size=args.img_size,
                segment_size=args.segment_size)
        if notes and args.checkpoint is None:
            print(f'Note: {notes[-1].message}. Give --checkpoint.')
        results = inferencer(
            args.images,
            batch_size=args.batch_size,
            return_vis=False,
            show=args.show,
            panel_size=args.panel_size,
            out_dir=args.out,
            save_labels=args.save_labels,
            return_labels=False)
    except (ImportError, OSError, ValueError) as error:
        raise UserError(error) from error
    for prediction in results['predictions']:
        counts = ', '.join(map(str, prediction['num_segments']))
        print(f'{prediction["name"]}: {counts} segments')
        for path in prediction['files']:
            print(f'  {printable(path)}')


if __name__ == '__main__':
    sys.exit(run_command(main))
