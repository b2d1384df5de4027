#!/usr/bin/env python
"""Convert a checkpoint of CAST's authors to an MMEngine checkpoint.

Reads the MoCo v3 (``*.pth.tar``) and DeiT (``*.pth``) files, classification
and segmentation models alike, without executing anything in them::

    python tools/model_converters/cast2mmhierseg.py SRC DST
        [--encoder base|momentum] [--ema]
"""

import argparse
import os
import sys
from collections import Counter

import torch

import mmhierseg  # first: repairs the installed stack
from mmhierseg.utils.cast_checkpoint import (
    ConvertedCheckpoint,
    convert_cast_checkpoint,
)
from mmhierseg.utils.errors import CommandError, run_command
from mmhierseg.utils.safe_load import load_plain_checkpoint


def parse_args() -> argparse.Namespace:
    """Command line."""
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


def save(converted: ConvertedCheckpoint, dst: str, options: dict) -> None:
    """Write the checkpoint under its name only once it is whole."""
    os.makedirs(os.path.dirname(os.path.abspath(dst)), exist_ok=True)
    meta = dict(
        mmhierseg_version=mmhierseg.__version__,
        source_kind=converted.kind,
        backbone=converted.backbone,
        **options)
    partial = f'{dst}.partial'
    try:
        torch.save(dict(state_dict=converted.state_dict, meta=meta), partial)
        os.replace(partial, dst)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def report(converted: ConvertedCheckpoint, dst: str) -> None:
    """Say what was converted, and what was not."""
    print(f'kind: {converted.kind}; {len(converted.state_dict)} tensors '
          f'written to {dst}')
    if converted.unconverted:
        print(f'not converted ({len(converted.unconverted)}):')
    groups = Counter('.'.join(key.split('.')[:3])
                     for key in converted.unconverted)
    for group, number in sorted(groups.items()):
        print(f'  {group}' + (f'.* ({number} tensors)' if number > 1 else ''))
    options = ', '.join(f'{key}={value!r}'
                        for key, value in converted.backbone.items())
    print("backbone of the authors' model, with `num_clusters` as in their "
          f"configuration: dict(type='mmhierseg.CAST', {options})")


def main() -> None:
    """Convert, or say in one message why not."""
    args = parse_args()
    options = dict(encoder=args.encoder, ema=args.ema)
    try:
        converted = convert_cast_checkpoint(
            load_plain_checkpoint(args.src), **options)
    except (FileNotFoundError, ValueError) as error:
        raise CommandError(str(error)) from error
    try:
        save(converted, args.dst, options)
    except (OSError, RuntimeError) as error:
        raise CommandError(f'cannot write {args.dst!r}: {error}') from error
    report(converted, args.dst)


if __name__ == '__main__':
    sys.exit(run_command(main))
