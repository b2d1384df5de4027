"""Count the floating-point operations and the parameters of a config's model.

On the CPU and without data, with CAST or any other backbone::

    python tools/analysis_tools/get_flops.py configs/cast/cast-s_in1k.py

Counts one image in testing: a whole classifier or segmentor, but only the
backbone of a self-supervised model. CAST gets square segments
(``--segment-size``), since only the number of tokens matters.

MMEngine's ``FlopAnalyzer`` counts a multiplication with its addition as one
operation, layer norm as five per value and batch norm as two; activations,
softmax and sums are free. Attention, which it does not see inside PyTorch's
fused ``scaled_dot_product_attention``, is added.
"""

import argparse
import math
import sys
import warnings
from typing import Any

import torch
from mmengine.analysis import FlopAnalyzer, parameter_count
from mmengine.analysis.jit_handles import get_shape
from mmengine.config import Config, DictAction
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.cli.options import read_config
from mmhierseg.superpixels import Grid


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Count operations and parameters of a model, for an image')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        metavar='SIDE',
        help='side, or height and width (default: crop_size, img_size or 224)')
    parser.add_argument(
        '--segment-size',
        type=int,
        default=16,
        help='side of a segment in pixels, for CAST (default: 16)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config')
    args = parser.parse_args()
    shape = args.shape or [1]
    if len(shape) > 2:
        parser.error(f'--shape takes one or two numbers, got {len(shape)}')
    for name, value in (('shape', min(shape)),
                        ('segment-size', args.segment_size)):
        if value < 1:
            parser.error(f'--{name} must be at least 1, got {value}')
    return args


def build(cfg: Config) -> nn.Module:
    """Model to count, in eval mode."""
    if not cfg.model.get('backbone'):
        raise UserError('the `model` of the config has no `backbone`')
    init_default_scope(cfg.get('default_scope') or 'mmpretrain')
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(cfg.model)
    # A self-supervised model is one that has a head but no prediction.
    if not hasattr(model, 'predict'):
        model = model.backbone
    model = revert_sync_batchnorm(model)
    model.eval()  # returns None in MMPretrain's MoCoV3ViT
    return model


def make_inputs(cfg: Config, args: argparse.Namespace) -> Tensor:
    """A random image, with square segments for CAST."""
    backbone = cfg.model.backbone
    shape = args.shape or cfg.get('crop_size') or backbone.get(
        'img_size', 224)
    height, width = (shape, shape) if isinstance(shape, int) else (
        shape if len(shape) == 2 else 2 * list(shape))
    image = torch.randn(1, 3, height, width)
    if str(backbone.type).split('.')[-1] != 'CAST':
        return image
    segments = Grid(segment_size=args.segment_size)(torch.zeros_like(image))
    return torch.cat([image, segments[:, None].float()], dim=1)


def attention_flops(inputs: list[Any], outputs: list[Any]) -> int:
    """Products of query with key, and of the weights with value.

    The first inputs are query (..., M, D), key (..., N, D), value (..., N, E).
    """
    query, key, value = (get_shape(x) for x in inputs[:3])
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def count(model: nn.Module,
          inputs: Tensor) -> tuple[FlopAnalyzer, dict[str, int]]:
    """Trace a model in eval mode: its operations and its parameters."""
    flops = FlopAnalyzer(model, (inputs, ))
    flops.set_op_handle(
        **{'aten::scaled_dot_product_attention': attention_flops})
    flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    flops.tracer_warnings('none')
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        flops.total()
    return flops, parameter_count(model)


def report(flops: FlopAnalyzer, parameters: dict[str, int],
           shape: tuple[int, ...]) -> None:
    """Print totals, and the counts of large parts and kinds."""
    total = flops.total()
    print(f'image:      {shape[2]} x {shape[3]}')
    print(f'operations: {total / 1e9:.2f} G')
    print(f'parameters: {parameters[""] / 1e6:.2f} M')
    print('\nparts:')
    for name, number in flops.by_module().items():
        if name and name.count('.') < 2 and number >= 0.005 * total:
            print(f'  {name:24s} {number / 1e9:6.2f} G '
                  f'{parameters[name] / 1e6:7.2f} M')
    print('\nkinds:')
    for name, number in flops.by_operator().most_common():
        print(f'  {name:32s} {number / 1e9:6.2f} G')


@safe_reading()
def main() -> None:
    """Count, or report what is wrong in one message."""
    args = parse_args()
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    model = build(cfg)
    inputs = make_inputs(cfg, args)
    report(*count(model, inputs), inputs.shape)


if __name__ == '__main__':
    sys.exit(run_command(main))
