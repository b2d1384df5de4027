"""Retrieval, the products alone that it needs, and its formula.

Legend: Q queries, M entries of the bank, C channels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg.ops import knn_retrieve

__all__ = ['Bank', 'make_bank', 'products', 'retrieve', 'naive_reference']

#: Classes and neighbours, as for VOC.
CLASSES, NEIGHBOURS = 21, 20
#: Queries and entries of the products, which are done as fast as others.
_BLOCK = 1024


class Bank(NamedTuple):
    """Queries and what their neighbours are looked for in."""

    queries: Tensor
    """(Q, C) float32."""

    features: Tensor
    """(M, C)."""

    classes: Tensor
    """(M,) int64, in no order."""


def make_bank(queries: int, entries: int, channels: int,
              device: str = 'cpu') -> Bank:
    """Draw queries and entries around one direction for each class.

    Args:
        queries (int): Q.
        entries (int): M.
        channels (int): C.
        device (str): Where to. Defaults to 'cpu'.

    Returns:
        Bank: See there.
    """
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, channels, generator=generator)
    classes, wanted = (
        torch.randint(0, CLASSES, (number, ), generator=generator)
        for number in (entries, queries))
    values = (
        torch.randn(len(names), channels, generator=generator).add_(
            centres[names]) for names in (wanted, classes))
    return Bank(*(value.to(device) for value in (*values, classes)))


def retrieve(bank: Bank) -> Tensor:
    """Classes of the queries, (Q,).

    Args:
        bank (Bank): Queries and bank.

    Returns:
        Tensor: (Q,) int64.
    """
    return knn_retrieve(*bank, NEIGHBOURS, CLASSES)


def products(bank: Bank) -> None:
    """All inner products of queries and entries, forgotten at once.

    Args:
        bank (Bank): Queries and bank.
    """
    memory = bank.queries.new_empty(_BLOCK * _BLOCK)
    for queries in bank.queries.split(_BLOCK):
        for entries in bank.features.split(_BLOCK):
            shape = len(queries), len(entries)
            torch.mm(queries, entries.t(),
                     out=memory[:shape[0] * shape[1]].view(shape))


def naive_reference(bank: Bank) -> Tensor:
    """As the formula is: all similarities, the largest of each row, votes.

    Args:
        bank (Bank): Queries and bank.

    Returns:
        Tensor: (Q,) int64.
    """
    similarity = F.normalize(
        bank.queries, dim=1) @ F.normalize(
            bank.features, dim=1).t()
    nearest = similarity.topk(NEIGHBOURS, dim=1).indices
    return F.one_hot(bank.classes[nearest], CLASSES).sum(dim=1).argmax(dim=1)
