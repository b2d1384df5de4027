import pytest
import torch

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank
from mmhierseg.ops import knn_retrieve


def data():
    torch.manual_seed(0)
    return (torch.randn(30, 4), torch.randint(0, 5, (30, )))


def test_retrieval_and_file(tmp_path):
    features, labels = data()
    bank = MemoryBank(features, labels, dict(level=-1, kmeans=None))
    queries = torch.randn(7, 4)
    expected = knn_retrieve(queries, features, labels, 3, 5)
    path = tmp_path / 'new' / 'bank.pth'
    bank.save(path)
    assert [file.name for file in path.parent.iterdir()] == ['bank.pth']
    for one in (bank, MemoryBank.load(path)):
        assert torch.equal(one.retrieve(queries, 3, 5), expected)
        assert one.meta == bank.meta
    # Squares of its numbers are infinity or zero in float32.
    for factor in (2.**100, 2.**-100):
        scaled = MemoryBank(features * factor, labels)
        assert torch.equal(scaled.features, bank.features)
    # The inputs are not modified.
    assert torch.equal(features, data()[0])


@pytest.mark.parametrize('content, match', [
    (dict(state_dict={}), 'is no memory bank'),
    ([1, 2], 'is no memory bank'),
    (dict(features=torch.ones(2, 3), meta={}, labels=torch.ones(4).long()),
     'ValueError.*`features`'),
    (dict(features=torch.ones(3, 2).long(), meta={},
          labels=torch.ones(3).long()), 'TypeError.*`features`'),
    (dict(features=torch.ones(3, 2), meta={}, labels=torch.ones(3)),
     'TypeError.*`labels`'),
    (None, 'damaged')
])
def test_bad_file(tmp_path, content, match):
    path = tmp_path / 'bank.pth'
    with pytest.raises(OSError, match='does not exist'):
        MemoryBank.load(path)
    torch.save(content or torch.ones(9), path)
    if content is None:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=match):
        MemoryBank.load(path)
