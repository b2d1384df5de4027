"""Peak memory of CAST in training, by the size of superpixels and of maps."""

from typing import List, Sequence, Tuple, Union

import torch

from benchmarks.common.memory import peak_bytes
from benchmarks.common.report import markdown_table
from mmhierseg.models import CAST

__all__ = ['VARIANTS', 'memory_table', 'training_bytes']

#: `segment_size`, `featmap_stride`, `with_cp`.
VARIANTS = ((16, 8, False), (16, 4, False), (8, 8, False), (8, 8, True))


def training_bytes(segment_size: int,
                   featmap_stride: int,
                   with_cp: bool,
                   arch: Union[str, dict] = 'small',
                   img_size: int = 512) -> int:
    """Measure a forward and backward pass of one image, without a head.

    Args:
        segment_size (int): Side in pixels of the segments, which are squares;
            there are as many clusters as 320 for 1024 in proportion.
        featmap_stride (int): Side in pixels of the cells of four maps.
        with_cp (bool): Whether the blocks are computed again.
        arch (str | dict): Of CAST. Defaults to 'small'.
        img_size (int): Height and width. Defaults to 512.

    Returns:
        int: Bytes beside the weights, their gradients included.
    """
    row = torch.arange(img_size) // segment_size
    side = int(row[-1]) + 1
    labels = (row[:, None] * side + row)[None, None].float()
    inputs = torch.cat([torch.zeros(1, 3, img_size, img_size), labels], dim=1)
    model = CAST(
        arch,
        img_size=img_size,
        num_clusters=[side**2 * n // 1024 for n in (320, 160, 80, 40)],
        out_type='featmap',
        featmap_stride=featmap_stride,
        with_cp=with_cp).train()

    def step() -> None:
        model.zero_grad()
        sum(result.square().mean() for result in model(inputs)).backward()

    return peak_bytes(step)


def memory_table(variants: Sequence[Tuple[int, int, bool]] = VARIANTS) -> str:
    """Measure and tabulate.

    Args:
        variants (Sequence[tuple[int, int, bool]]): See ``VARIANTS``.

    Returns:
        str: Markdown.
    """
    rows: List[List[str]] = []
    for size, stride, with_cp in variants:
        found = training_bytes(size, stride, with_cp)
        rows.append([
            str(size), str((512 // size)**2), str(stride),
            'yes' if with_cp else 'no', f'{found / 2**20:.0f} MiB'
        ])
    return markdown_table(
        ['`segment_size`', 'segments', '`featmap_stride`', '`with_cp`',
         'peak'], rows)
