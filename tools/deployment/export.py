#!/usr/bin/env python
"""Export a model with CAST to run without this package.

A graph takes images and maps of their superpixels, and gives class scores, a
segmentation, or a hierarchy of segments::

    python tools/deployment/export.py CONFIG CHECKPOINT --format onnx
        --out FILE [--output hierarchy] [--check IMAGES]

See docs/deployment.md for inputs, results and what cannot be exported.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch
from export_check import compare
from export_formats import FORMATS, export_program, load, require_packages
from export_graphs import OUTPUTS, load_graph
from mmengine.config import Config, DictAction
from mmengine.utils import to_2tuple

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.apis.images import list_images, read_image, scale_image
from mmhierseg.apis.loading import WHOLE, ModelSettings, read_settings
from mmhierseg.cli.options import read_config
from mmhierseg.registry import SUPERPIXELS
from mmhierseg.version import __version__


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Export a model with CAST to run without this package')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint of MMEngine')
    parser.add_argument(
        '--format', required=True, choices=FORMATS, help='kind of file')
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument(
        '--output',
        choices=OUTPUTS,
        help='what the graph computes (default: predictions of classifiers '
        'and segmentors, features of other models)')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        metavar='SIDE',
        help='side of the images, or height and width (default: for a '
        'hierarchy that of HierarchyInferencer; else the window of sliding '
        'inference, or img_size of the backbone)')
    parser.add_argument(
        '--num-tokens',
        type=int,
        help='largest number of segments of an image (default: that of the '
        "config's superpixels)")
    parser.add_argument(
        '--check',
        nargs='+',
        metavar='IMAGES',
        help='compare the file with the model on images, or those in folders')
    parser.add_argument(
        '--check-number',
        type=int,
        default=50,
        help='number of images to compare, spread over all (default: 50)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config')
    args = parser.parse_args()
    if args.shape and len(args.shape) > 2:
        parser.error('--shape takes one or two numbers, got '
                     f'{len(args.shape)}')
    for name, value in (('shape', min(args.shape or [8])),
                        ('num-tokens', args.num_tokens),
                        ('check-number', args.check_number)):
        if value is not None and value < 1:
            parser.error(f'--{name} must be at least 1, got {value}')
    return args


def check_exportable(cfg: Config) -> ModelSettings:
    """Settings of a model, if it can be exported."""
    try:
        settings = read_settings(cfg)
    except ValueError as error:
        raise UserError(f'this model cannot be exported: {error}') from error
    kind = settings.model.type.removeprefix('mmhierseg.')
    if kind in WHOLE:
        raise UserError(
            f'{kind} cannot be exported: its segments come from k-means, and '
            'their number, on which all shapes depend, from the image. Use '
            'HierarchyInferencer; only models with CAST can be exported')
    if not settings.model.get('mask_empty', True):
        raise UserError(
            'a backbone with `mask_empty=False` cannot be exported: its '
            'result depends on the number of tokens, which is fixed in a '
            'graph. With --cfg-options model.backbone.mask_empty=True the '
            'result is another where a segment has no cell of the stem')
    preprocessor = settings.preprocessor
    if preprocessor.get('mean') is not None and not (
            preprocessor.get('to_rgb') or preprocessor.get('bgr_to_rgb')):
        raise UserError('only models of RGB can be exported: the data '
                        'preprocessor must have `to_rgb` or `bgr_to_rgb`')
    return settings


def find_shape(cfg: Config, settings: ModelSettings,
               args: argparse.Namespace) -> tuple[int, int]:
    """Height and width of the images."""
    sides = args.shape
    if args.output == 'hierarchy' and settings.img_size != 'original':
        sides = sides or to_2tuple(settings.img_size)
    test_cfg = cfg.model.get('test_cfg') or {}
    if sides is None and test_cfg.get('mode') == 'slide':
        sides = test_cfg['crop_size']
        print('sliding inference: the graph takes one window of '
              f'{tuple(sides)}; moving it and averaging are up to the caller')
    if sides is None:
        sides = to_2tuple(settings.model.get('img_size', 224))
    return (sides[0], sides[-1])


def find_num_tokens(settings: ModelSettings, shape: tuple[int, int]) -> int:
    """Number of segments that the superpixels of the config give."""
    number = settings.model.get('num_tokens')
    if number is None:
        superpixels = SUPERPIXELS.build(settings.superpixels)
        # Methods with another number than the one wanted have it for any
        # image.
        noise = torch.rand(1, 3, *shape) * 255
        number = max(superpixels.segments_for(*shape),
                     int(superpixels(noise).max()) + 1)
    return number


def samples(paths: list[str], number: int, shape: tuple[int, int],
            settings: ModelSettings) -> Iterator[tuple]:
    """Images (3, H, W) and their superpixels (H, W), evenly spread."""
    superpixels = SUPERPIXELS.build(settings.superpixels)
    try:
        images = list_images(paths)
        step = max(len(images) // number, 1)
        for path in itertools.islice(images, 0, step * number, step):
            image = scale_image(read_image(path), shape)
            pixels = torch.from_numpy(image).permute(2, 0, 1).float()
            yield pixels.numpy(), superpixels(pixels[None])[0].numpy()
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error


def write(path: str, content: bytes) -> None:
    """Write a file, whole or not at all; folders are created."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f'cannot write {path!r}: {error}') from error


@safe_reading()
def main() -> None:
    """Export a model, and compare the file with it."""
    args = parse_args()
    if args.format == 'onnx':
        require_packages('onnx', 'onnxscript',
                         *(['onnxruntime'] if args.check else []))
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    settings = check_exportable(cfg)
    shape = find_shape(cfg, settings, args)
    num_tokens = args.num_tokens or find_num_tokens(settings, shape)
    graph = load_graph(cfg, settings, args.checkpoint, args.output,
                       num_tokens)
    # Names of the results, and the cheapest way to fail.
    outputs = graph.names(shape)
    meta: dict[str, Any] = dict(
        mmhierseg_version=__version__,
        shape=shape,
        num_tokens=num_tokens,
        superpixels=settings.superpixels,
        outputs=outputs)
    write(args.out, FORMATS[args.format](export_program(graph, shape), meta))
    print(f'{args.out}: images of {shape}, up to {num_tokens} segments; '
          f'results: {", ".join(outputs)}')
    if args.check:
        found = compare(
            graph, load(args.out, args.format),
            samples(args.check, args.check_number, shape, settings))
        print(found.report())
        if not found.is_same:
            raise UserError(f'{args.out} differs from the model by more than '
                            'rounding')


if __name__ == '__main__':
    sys.exit(run_command(main))
