#!/usr/bin/env python
"""Convert a checkpoint of CAST's authors to an MMEngine checkpoint.

Reads the MoCo v3 (``*.pth.tar``) and DeiT (``*.pth``) files, classification
and segmentation models alike, without executing anything in them::

    python tools/model_converters/cast2mmhierseg.py SRC DST
        [--encoder base|momentum] [--ema]
"""

import argparse
import sys

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import run_command
from mmhierseg.cli.convert import convert_cast


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


def main() -> None:
    """Convert a file."""
    args = parse_args()
    convert_cast(args.src, args.dst, args.encoder, args.ema)


if __name__ == '__main__':
    sys.exit(run_command(main))
