#!/usr/bin/env python
"""Fold the batch normalisation of CAST's stem, for inference.

Reads a checkpoint of this project and writes its weights with the stem's
batch normalisation folded into the convolutions::

    python tools/model_converters/fuse_stem.py SRC DST [--eps EPS]

The same config takes both: a stem that is given folded weights is folded.
"""

import argparse
import sys

from converters import save_converted

import mmhierseg  # noqa: F401 - first: repairs the installed stack
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.checkpoints import fuse_stems, read_checkpoint


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Fold the batch normalisation of CAST's stem into its "
        'convolutions, for inference')
    parser.add_argument('src', help='checkpoint of this project')
    parser.add_argument('dst', help='file to write')
    parser.add_argument(
        '--eps',
        type=float,
        default=1e-5,
        help='of the batch normalisation, if `norm_cfg` of the config has '
        'another (default: 1e-5)')
    return parser.parse_args()


def main() -> None:
    """Fold a file."""
    args = parse_args()
    checkpoint = read_checkpoint(args.src)
    weights, layers = fuse_stems(
        checkpoint.get('state_dict', checkpoint), args.eps)
    if not layers:
        raise UserError(
            f'{args.src!r} has no stem of CAST with batch normalisation '
            '(*tokenizer.stem.layers.*.bn.*): it is folded already, or of '
            "another model (for a file of CAST's authors: "
            'tools/model_converters/cast2mmhierseg.py first)')
    meta = checkpoint.get('meta')
    save_converted(weights, args.dst, dict(meta if meta else {}, fused=layers))
    print(f'{len(layers)} layers folded; {len(weights)} tensors written to '
          f'{args.dst}, for inference only')


if __name__ == '__main__':
    sys.exit(run_command(main))
