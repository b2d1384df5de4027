#!/usr/bin/env python
"""Convert a checkpoint of DINOv2's or DINOv3's authors to MMEngine's.

Reads their ``*.pth`` files of ViT-S, ViT-B and ViT-L (DINOv2's without
registers), such as ``dinov2_vits14_pretrain.pth``, without executing anything
in them::

    python tools/model_converters/dino2mmhierseg.py SRC DST
"""

import argparse
import sys

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import run_command
from mmhierseg.cli.convert import convert_dino


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of DINOv2's or DINOv3's authors to "
        'an MMEngine checkpoint')
    parser.add_argument('src', help="the authors' file")
    parser.add_argument('dst', help='file to write')
    return parser.parse_args()


def main() -> None:
    """Convert a file."""
    args = parse_args()
    convert_dino(args.src, args.dst)


if __name__ == '__main__':
    sys.exit(run_command(main))
