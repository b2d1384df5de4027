"""DINOv2 and DINOv3 as their authors publish them, random, and features."""

import torch
import torch.nn.functional as F


def dino_shapes(version, dims=384, layers=12, hidden=None, side=37):
    """Shapes of the parameters of a release; by default, of ViT-S."""
    hidden = hidden or 4 * dims
    patch = {'2': 14, '3': 16}[version]
    shapes = {'cls_token': (1, 1, dims), 'mask_token': (1, dims)}
    if version == '2':
        shapes['pos_embed'] = (1, 1 + side**2, dims)
    else:
        shapes['storage_tokens'] = (1, 4, dims)
    linear = {'patch_embed.proj': (dims, 3, patch, patch), 'norm': (dims, )}
    for i in range(layers):
        block = f'blocks.{i}.'
        linear.update({
            f'{block}norm1': (dims, ), f'{block}norm2': (dims, ),
            f'{block}attn.qkv': (3 * dims, dims),
            f'{block}attn.proj': (dims, dims),
            f'{block}mlp.fc1': (hidden, dims),
            f'{block}mlp.fc2': (dims, hidden)})
        shapes.update({f'{block}ls1.gamma': (dims, ),
                       f'{block}ls2.gamma': (dims, )})
    for name, shape in linear.items():
        shapes.update({f'{name}.weight': shape, f'{name}.bias': shape[:1]})
    return shapes


def released_dino(version, dims=384, layers=12, hidden=None, side=37,
                  heads=None):
    """Random weights in the layout of a release."""
    heads = heads or dims // 64
    shapes = dino_shapes(version, dims, layers, hidden, side)
    generator = torch.Generator().manual_seed(int(version))
    weights = {name: torch.randn(shape, generator=generator) / dims**0.5
               for name, shape in shapes.items()}
    for name in weights:
        if name.endswith(('norm.weight', 'norm1.weight', 'norm2.weight',
                          'gamma')):
            weights[name] += 1
    if version == '3':
        mask = torch.ones(3, dims)
        mask[1] = 0
        weights |= {f'blocks.{i}.attn.qkv.bias_mask': mask.flatten()
                    for i in range(layers)}
        number = dims // heads // 4
        weights['rope_embed.periods'] = (
            100**(torch.arange(number) / number)).bfloat16()
    return weights


def dino_features(weights, images, heads):
    """Normalised patch tokens (B, C, h, w), by the weights' own names."""

    def linear(x, name, mask=1):
        return F.linear(x, weights[f'{name}.weight'],
                        weights[f'{name}.bias'] * mask)

    def norm(x, name):
        return F.layer_norm(x, x.shape[2:], weights[f'{name}.weight'],
                            weights[f'{name}.bias'], eps)

    kernel = weights['patch_embed.proj.weight']
    x = F.conv2d(images, kernel, weights['patch_embed.proj.bias'],
                 stride=kernel.shape[2:])
    size, x = x.shape[2:], x.flatten(2).transpose(1, 2)
    tokens = [weights[name].expand(len(x), -1, -1)
              for name in ('cls_token', 'storage_tokens') if name in weights]
    x, eps = torch.cat([*tokens, x], dim=1), 1e-5
    prefix = x.size(1) - size.numel()
    if 'pos_embed' in weights:
        x, eps = x + weights['pos_embed'], 1e-6
    for i in range(sum(name.endswith('ls1.gamma') for name in weights)):
        block = f'blocks.{i}.'
        y = linear(norm(x, f'{block}norm1'), f'{block}attn.qkv',
                   weights.get(f'{block}attn.qkv.bias_mask', 1))
        query, key, value = y.unflatten(2, (3, heads, -1)).permute(
            2, 0, 3, 1, 4)
        if 'rope_embed.periods' in weights:
            query, key = (
                _rotate(part, weights['rope_embed.periods'], size, prefix)
                for part in (query, key))
        scores = query @ key.transpose(2, 3) / query.size(3)**0.5
        y = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        x = x + weights[f'{block}ls1.gamma'] * linear(
            y, f'{block}attn.proj')
        y = F.gelu(linear(norm(x, f'{block}norm2'), f'{block}mlp.fc1'))
        x = x + weights[f'{block}ls2.gamma'] * linear(y, f'{block}mlp.fc2')
    x = norm(x, 'norm')[:, prefix:]
    return x.transpose(1, 2).unflatten(2, size)


def _rotate(x, periods, size, prefix):
    """Turn pairs of channels of patches by angles of their centres."""
    centres = torch.cartesian_prod(*(
        (torch.arange(n) + 0.5) / n * 2 - 1 for n in size))
    angles = (2 * torch.pi * centres[:, :, None] / periods.float()).flatten(1)
    first, second = x[:, :, prefix:].chunk(2, dim=3)
    cos, sin = angles.cos(), angles.sin()
    turned = torch.cat([first * cos - second * sin,
                        second * cos + first * sin], dim=3)
    return torch.cat([x[:, :, :prefix], turned], dim=2)
