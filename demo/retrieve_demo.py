#!/usr/bin/env python
"""Show the segments of other images that are similar to one of an image.

    python demo/retrieve_demo.py IMAGE --point X Y --bank FOLDER
        --config CONFIG --checkpoint CHECKPOINT [--level LEVEL] [--html FILE]

The pixel (X, Y) selects a segment of IMAGE; those of the images in FOLDER with
the nearest features are drawn beside it, as one PNG. --html writes a page on
which a click on any segment asks for its neighbours, at every level. CONFIG is
one of HSG or of an evaluation by retrieval, configs/*/*_retrieval_*.py.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

import mmhierseg  # noqa: F401  (first: repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.names import printable
from mmhierseg.apis import ContextRetriever, Retrieval, retrieval_html
from mmhierseg.apis.images import (
    image_names,
    parse_image_size,
    read_image,
)
from mmhierseg.apis.outputs import save_figure
from mmhierseg.visualization import SegmentView, retrieval_figure

DEFAULT_CONFIG = (
    Path(__file__).resolve().parents[1] / 'configs/hsg/hsg_r18_scenes-96x96.py'
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Show the segments of other images that are similar to '
        'one of an image.')
    parser.add_argument('image', metavar='IMAGE', help='image file')
    parser.add_argument(
        '--point',
        nargs=2,
        type=int,
        metavar=('X', 'Y'),
        help='column and row of a pixel of the segment, from the upper left '
        'corner; may be left out with --html')
    parser.add_argument(
        '--html',
        metavar='FILE',
        help='write a page on which clicks ask for the nearest segments; it '
        'fills a bank for every level')
    parser.add_argument(
        '--keep-query',
        action='store_true',
        help='find segments of IMAGE itself, too, if it is among the images '
        'of --bank')
    parser.add_argument(
        '--bank',
        nargs='+',
        required=True,
        metavar='PATH',
        help='where to search: folders and image files, or one file written '
        'by --save-bank')
    parser.add_argument(
        '--save-bank',
        metavar='FILE',
        help='keep the features of these images in a file, for other points '
        'and images')
    parser.add_argument(
        '--config',
        default=str(DEFAULT_CONFIG),
        help='config of HSG or of a test by retrieval (default: the small '
        'HSG, hsg_r18_scenes-96x96)')
    parser.add_argument(
        '--checkpoint',
        help='checkpoint that fits the config (default: none, a random '
        'model)')
    parser.add_argument(
        '--level',
        type=int,
        help="level of the segments: 0 is the finest, -1 the coarsest "
        "(default: the config's)")
    parser.add_argument(
        '--num-neighbors',
        type=int,
        default=5,
        metavar='K',
        help='segments to find (default: 5)')
    parser.add_argument(
        '--out',
        default='outputs/retrieval',
        help='folder to write to (default: %(default)s)')
    parser.add_argument(
        '--device', help='e.g. cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--img-size',
        type=parse_image_size,
        metavar='SIZE',
        help="what images are scaled to: the shorter side in pixels, e.g. "
        "384, height and width, e.g. 384x512, or 'original' (default: the "
        "config's)")
    parser.add_argument(
        '--segment-size',
        type=float,
        metavar='PIXELS',
        help='side of the average superpixel in the scaled image, of models '
        "that take superpixels (default: the config's)")
    parser.add_argument(
        '--panel-size',
        type=int,
        default=240,
        metavar='PIXELS',
        help='side of the pictures on the figure (default: 240)')
    parser.add_argument(
        '--show', action='store_true', help='open the figure in a window')
    args = parser.parse_args(argv)
    if args.point is None and args.html is None:
        parser.error('give --point, --html or both')
    return args


def check_point(args: argparse.Namespace) -> None:
    """Check the image and the pixel before the bank is filled."""
    height, width = read_image(args.image).shape[:2]
    x, y = args.point or (0, 0)
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f'--point must lie inside {args.image!r}, which has {width} x '
            f'{height} pixels, numbered from 0: got {x} {y}')


def make_retriever(args: argparse.Namespace) -> ContextRetriever:
    """Build the model, and fill or load its bank."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always', UserWarning)
        retriever = ContextRetriever(
            args.config,
            args.checkpoint,
            level=args.level,
            device=args.device,
            img_size=args.img_size,
            segment_size=args.segment_size)
    if args.checkpoint is None:
        print(f'Note: {notes[-1].message}. Give --checkpoint.')
    if len(args.bank) == 1 and args.bank[0].endswith('.pth'):
        retriever.load(args.bank[0])
    else:
        retriever.fill(args.bank)
    bank = retriever.bank
    print(f'{len(bank)} segments of {len(bank.meta["images"])} images')
    if args.save_bank is not None:
        bank.save(args.save_bank)
        print(f'  {args.save_bank}')
    return retriever


def draw(found: Retrieval, name: str, panel_size: int) -> np.ndarray:
    """Draw the figure."""
    matches = [
        SegmentView(match.image, match.mask, image_names([match.path])[0],
                    f'{match.similarity:.2f}') for match in found.matches
    ]
    query = SegmentView(found.image, found.mask, name, point=found.point)
    return retrieval_figure(query, matches, f'{name}, level {found.level}',
                           panel_size)


def write_figure(args: argparse.Namespace,
                 retriever: ContextRetriever) -> None:
    """Write the figure of the pixel's segment, and print what was found."""
    found = retriever(args.image, tuple(args.point), args.num_neighbors,
                      args.keep_query)
    name, = image_names([args.image])
    figure = draw(found, name, args.panel_size)
    x, y = found.point
    path = save_figure(args.out, f'{name}_{x}_{y}_level{found.level}.png',
                       figure)
    if args.show:
        Image.fromarray(figure).show()
    for match in found.matches:
        print(f'{match.similarity:.3f}  {printable(match.path)}')
    print(f'  {printable(path)}')


def main(argv: list[str] | None = None) -> None:
    """Write the figure, the page, or both, and print their paths."""
    args = parse_args(argv)
    try:
        check_point(args)
        retriever = make_retriever(args)
        if args.point is not None:
            write_figure(args, retriever)
        if args.html is not None:
            page = retrieval_html(retriever, args.image, args.num_neighbors,
                                  args.keep_query, args.point)
            Path(args.html).parent.mkdir(parents=True, exist_ok=True)
            Path(args.html).write_text(page, encoding='utf-8')
            print(f'  {printable(args.html)}')
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UserError(error) from error


if __name__ == '__main__':
    sys.exit(run_command(main))
