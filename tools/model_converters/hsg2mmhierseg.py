#!/usr/bin/env python
"""Convert a checkpoint of HSG's authors to an MMEngine checkpoint.

Reads their files of ``embedding_model`` and ``prediction_model`` without
executing anything in them::

    python tools/model_converters/hsg2mmhierseg.py SRC DST
"""

import argparse
import sys

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import run_command
from mmhierseg.cli.convert import convert_hsg


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of HSG's authors to an MMEngine "
        'checkpoint')
    parser.add_argument('src', help="the authors' file")
    parser.add_argument('dst', help='file to write')
    return parser.parse_args()


def main() -> None:
    """Convert a file."""
    args = parse_args()
    convert_hsg(args.src, args.dst)


if __name__ == '__main__':
    sys.exit(run_command(main))
