"""Linear probing of features that are computed once."""

from typing import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

__all__ = ['probe']

# Weight decays to choose from.
_PENALTIES: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1)


def probe(features: Tensor, labels: Tensor, test_features: Tensor,
          test_labels: Tensor) -> float:
    """Accuracy of logistic regression.

    Features are standardised; the weight decay is the one that does best on
    a quarter of the training set, trained on the rest.

    Args:
        features (Tensor): (N, C), of the training set.
        labels (Tensor): (N,) int64.
        test_features (Tensor): (M, C).
        test_labels (Tensor): (M,) int64.

    Returns:
        float: Share of the test set that is recognised, 0 to 1.
    """
    mean, std = features.mean(0), features.std(0).clamp(min=1e-6)
    features, test_features = ((pad((x - mean) / std, (0, 1), value=1.))
                               for x in (features, test_features))
    held_out = len(features) // 4
    scores = [
        _accuracy(
            _fit(features[held_out:], labels[held_out:], penalty),
            features[:held_out], labels[:held_out]) for penalty in _PENALTIES
    ]
    penalty = _PENALTIES[scores.index(max(scores))]
    return _accuracy(
        _fit(features, labels, penalty), test_features, test_labels)


def _fit(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Weights (C + 1, classes), the last row is the bias."""
    weights = x.new_zeros(x.size(1), int(y.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights],
                                  max_iter=100,
                                  line_search_fn='strong_wolfe')

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(x @ weights, y)
        loss = loss + penalty * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def _accuracy(weights: Tensor, x: Tensor, y: Tensor) -> float:
    return float(((x @ weights).argmax(dim=1) == y).double().mean())
