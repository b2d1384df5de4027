#!/usr/bin/env python
"""Convert a checkpoint of CAST's authors to an MMEngine checkpoint.

Reads the MoCo v3 (``*.pth.tar``) and DeiT (``*.pth``) files, classification
and segmentation models alike, without executing anything in them::

    python tools/model_converters/cast2mmhierseg.py SRC DST
        [--encoder base|momentum] [--ema]
"""

import argparse
import sys

from converters import report_left, save_converted

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import (
    ConvertedCheckpoint,
    convert_cast_checkpoint,
    match,
)
from mmhierseg.checkpoints.matching import weights_of
from mmhierseg.registry import MODELS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of CAST's authors to an MMEngine "
        'checkpoint')
    parser.add_argument('src', help="the authors' file")
    parser.add_argument('dst', help='file to write')
    parser.add_argument(
        '--encoder',
        choices=['base', 'momentum'],
        default='base',
        help='encoder of a MoCo v3 checkpoint (default: base)')
    parser.add_argument(
        '--ema',
        action='store_true',
        help='take the moving average of a DeiT checkpoint')
    return parser.parse_args()


def check_complete(converted: ConvertedCheckpoint) -> None:
    """Check that the weights are exactly those of a backbone."""
    weights = weights_of(dict(state_dict=converted.state_dict), 'backbone.')
    depths = converted.options['arch'].get('depths', ())
    clusters = dict(num_clusters=tuple(range(len(depths), 0, -1)))
    model = MODELS.build(
        {**converted.options, **(clusters if depths else {})})
    differences = match(weights, model)
    if differences:
        raise ValueError('\n  '.join(
            [f'the weights do not make a whole {type(model).__name__}',
             *differences]))


def report(converted: ConvertedCheckpoint, dst: str) -> None:
    """Print what was converted, and what was not."""
    print(f'kind: {converted.kind}; {len(converted.state_dict)} tensors '
          f'written to {dst}')
    report_left(converted.unconverted)
    options = ', '.join(f'{key}={value!r}'
                        for key, value in converted.options.items())
    print("backbone of the authors' model, with CAST's `num_clusters` as in "
          f'their configuration: dict({options})')


def main() -> None:
    """Convert a file."""
    args = parse_args()
    options = dict(encoder=args.encoder, ema=args.ema)
    try:
        converted = convert_cast_checkpoint(
            load_plain_checkpoint(args.src), **options)
        check_complete(converted)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    meta = dict(
        source_kind=converted.kind, backbone=converted.options, **options)
    save_converted(converted.state_dict, args.dst, meta)
    report(converted, args.dst)


if __name__ == '__main__':
    sys.exit(run_command(main))
