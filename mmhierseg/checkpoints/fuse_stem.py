"""Fold batch normalisation into the convolutions of CAST's stem.

In inference batch normalisation multiplies by and adds constants, which the
weights and biases of the convolution before it can absorb.
"""

import re

from torch import Tensor

__all__ = ['fuse_stems']

_NORM = re.compile(r'^(.*tokenizer\.stem\.layers\.\d+\.)bn\.running_var$')


def fuse_stems(state_dict: dict[str, Tensor],
               eps: float = 1e-5) -> tuple[dict[str, Tensor], list[str]]:
    """Fold the batch normalisation of the stems of a model.

    Args:
        state_dict (dict[str, Tensor]): Weights of a model with one or more
            CASTs, such as MoCo's two encoders. Not changed.
        eps (float): Epsilon of the normalisation. Defaults to 1e-5.

    Returns:
        tuple[dict[str, Tensor], list[str]]: Weights with biases of
        convolutions in place of batch normalisation, and the names of the
        folded layers, none if there was nothing to do.
    """
    fused = dict(state_dict)
    layers = []
    for found in filter(None, map(_NORM.match, state_dict)):
        layer = found[1]
        norm = {
            key: fused.pop(f'{layer}bn.{key}').double()
            for key in ('weight', 'bias', 'running_mean', 'running_var')
        }
        fused.pop(f'{layer}bn.num_batches_tracked', None)
        weight = state_dict[f'{layer}conv.weight']
        factor = norm['weight'] * (norm['running_var'] + eps).rsqrt()
        fused[f'{layer}conv.weight'] = (
            weight.double() * factor[:, None, None, None]).to(weight.dtype)
        fused[f'{layer}conv.bias'] = (
            norm['bias'] - norm['running_mean'] * factor).to(weight.dtype)
        layers.append(layer[:-1])
    return fused, layers
