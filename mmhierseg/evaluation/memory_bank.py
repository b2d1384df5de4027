"""Memory bank of segment prototypes for retrieval.

Legend: M entries, D channels, K classes, Q queries.
"""

import io
import os
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.ops import knn_retrieve
from mmhierseg.ops.checks import check_dtype, check_shape


class MemoryBank:
    """Prototypes of the segments of a training set, and their classes.

    Entries are sorted by class; those of a class stay in the given order.

    Args:
        features (Tensor): (M, D) float, of any length but zero.
        labels (Tensor): (M,) int64, at least 0.
        meta (dict, optional): Origin of the features, in plain containers,
            numbers and strings; saved with them. Defaults to None.

    Raises:
        TypeError, ValueError: If dtypes or shapes are wrong.

    Example:
        >>> bank = MemoryBank(torch.eye(3), torch.tensor([1, 0, 1]))
        >>> bank
        MemoryBank(entries=3, channels=3)
        >>> bank.retrieve(torch.tensor([[0., 2., 1.]]), 1, num_classes=2)
        tensor([0])
    """

    def __init__(self,
                 features: Tensor,
                 labels: Tensor,
                 meta: dict[str, Any] | None = None) -> None:
        if not features.is_floating_point():
            raise TypeError('`features` must be floating-point, got '
                            f'{features.dtype}')
        check_dtype(torch.int64, labels=labels)
        check_shape((len(labels), features.shape[-1]), features=features)
        check_shape(features.shape[:1], labels=labels)
        order = labels.argsort(stable=True)
        features = features[order]
        # By powers of two, which is exact, so that no square overflows.
        largest = features.abs().amax(dim=1, keepdim=True)
        scale = largest / (2 * torch.frexp(largest).mantissa)
        features = features / scale.masked_fill(largest == 0, 1)
        self.features = F.normalize(features, dim=1)
        self.labels = labels[order]
        self.meta = dict(meta or {})

    def __len__(self) -> int:
        return self.labels.numel()

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(entries={len(self)}, '
                f'channels={self.num_channels})')

    @property
    def num_channels(self) -> int:
        """Channels D of an entry."""
        return self.features.size(1)

    def retrieve(self, queries: Tensor, k: int, num_classes: int) -> Tensor:
        """Majority class of the k nearest entries to each query.

        Moves the bank to the device of ``queries`` (Q, D); otherwise as
        :func:`mmhierseg.ops.knn_retrieve`.
        """
        self.to(queries.device)
        return knn_retrieve(queries, self.features, self.labels, k,
                            num_classes)

    def to(self, device: str | torch.device) -> 'MemoryBank':
        """Move this bank to a device and return it."""
        self.features = self.features.to(device)
        self.labels = self.labels.to(device)
        return self

    def save(self, path: str | os.PathLike) -> None:
        """Write the bank to a file atomically, creating its folder."""
        content = io.BytesIO()
        torch.save(
            dict(
                features=self.features.cpu(),
                labels=self.labels.cpu(),
                meta=self.meta), content)
        path = os.path.abspath(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'MemoryBank':
        """Read a bank from a file, without executing anything in it.

        Raises:
            FileNotFoundError: If there is no such file.
            UserError: If it contains no memory bank, or is damaged.
        """
        content = load_plain_checkpoint(path)
        try:
            return cls(content['features'], content['labels'], content['meta'])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f'{os.fspath(path)!r} is no memory bank: '
                            f'{error!r}') from error
