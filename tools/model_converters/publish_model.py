#!/usr/bin/env python
r"""Extract the weights of a training's checkpoint, for publication.

    python tools/model_converters/publish_model.py work_dirs/x/epoch_100.pth \
        cast-x.safetensors --half

Optimizer state, momentum encoders and logs are left out. DST is a file of
safetensors or, with another suffix, a checkpoint of MMEngine. Its SHA-256 is
printed; with ``--hash``, the first eight digits become part of the name.
"""

import argparse
import hashlib
import io
import sys
from pathlib import Path

import mmhierseg  # noqa: F401  (first: repairs the installed stack)

# isort: split
import torch
from safetensors.torch import save

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.checkpoints import read_checkpoint

_LEFT_OUT = ('momentum_encoder.', 'data_preprocessor.')


def main(argv: list[str] | None = None) -> None:
    """Write the file and print its path."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('src', help='checkpoint of MMEngine')
    parser.add_argument('dst', type=Path, help='file to write')
    parser.add_argument('--half', action='store_true',
                        help='floating-point numbers become float16')
    parser.add_argument('--hash', action='store_true',
                        help='add the hash to the name, as MMPretrain does')
    args = parser.parse_args(argv)
    weights = {
        name: _converted(tensor, args.half)
        for name, tensor in read_checkpoint(args.src).get(
            'state_dict', {}).items() if not name.startswith(_LEFT_OUT)
    }
    if not weights:
        raise UserError(f'{args.src!r} has no weights under `state_dict`')
    if args.dst.suffix == '.safetensors':
        content = save(weights)
    else:
        buffer = io.BytesIO()
        torch.save(dict(state_dict=weights, meta={}), buffer)
        content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = args.dst
    if args.hash:
        path = path.with_stem(f'{path.stem}-{digest[:8]}')
    write_atomically(path, content)
    print(f'{path}: {len(weights)} tensors, {len(content) / 1e6:.2f} MB, '
          f'SHA-256 {digest}')


def _converted(tensor: torch.Tensor, half: bool) -> torch.Tensor:
    if not half or not tensor.is_floating_point():
        return tensor.contiguous()
    converted = tensor.half().contiguous()
    if not converted.isfinite().all():
        raise UserError('--half: a weight is beyond the range of float16')
    return converted


if __name__ == '__main__':
    sys.exit(run_command(main))
