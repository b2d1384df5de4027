#!/usr/bin/env python
"""Convert a checkpoint of HSG's authors to an MMEngine checkpoint.

Reads their files of ``embedding_model`` and ``prediction_model`` without
executing anything in them::

    python tools/model_converters/hsg2mmhierseg.py SRC DST
"""

import argparse
import sys

from converters import report_left, save_converted

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import convert_hsg_checkpoint


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
    try:
        converted = convert_hsg_checkpoint(load_plain_checkpoint(args.src))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    save_converted(converted.state_dict, args.dst,
                   dict(source_kind=converted.kind, head=converted.options))
    print(f'kind: {converted.kind}; {len(converted.state_dict)} tensors '
          f'written to {args.dst}')
    report_left(converted.unconverted)
    options = ', '.join(f'{key}={value!r}'
                        for key, value in converted.options.items())
    print("head of the authors' model, the rest as in their configuration: "
          f"dict(type='mmhierseg.HSGHead', {options})")


if __name__ == '__main__':
    sys.exit(run_command(main))
