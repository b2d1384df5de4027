import pytest
import torch

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank
from mmhierseg.ops import knn_retrieve


def data():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(30, 4, generator=generator),
            torch.randint(0, 5, (30, ), generator=generator))


def test_retrieves():
    features, labels = data()
    bank = MemoryBank(features, labels)
    queries = torch.randn(7, 4)
    assert torch.equal(
        bank.retrieve(queries, 3, 5),
        knn_retrieve(queries, features, labels, 3, 5))
    assert len(bank) == 30 and bank.num_channels == 4
    # The inputs are not modified.
    assert torch.equal(features, data()[0])
    assert torch.equal(labels, data()[1])


def test_file(tmp_path):
    bank = MemoryBank(*data(), meta=dict(level=-1, kmeans=None, weights='a'))
    path = tmp_path / 'new' / 'bank.pth'
    bank.save(path)
    again = MemoryBank.load(path)
    torch.testing.assert_close(again.features, bank.features)
    assert torch.equal(again.labels, bank.labels)
    assert again.meta == bank.meta
    assert [file.name for file in path.parent.iterdir()] == ['bank.pth']


class Evil:

    def __reduce__(self):
        return (exec, ('raise SystemExit', ))


def test_bad_file(tmp_path):
    path = tmp_path / 'bank.pth'
    with pytest.raises(OSError, match='does not exist'):
        MemoryBank.load(path)
    for content in (dict(state_dict={}), [1, 2],
                    dict(features=torch.ones(2, 3), meta={},
                         labels=torch.ones(4).long()),
                    dict(features=1, labels=2, meta={})):
        torch.save(content, path)
        with pytest.raises(UserError, match='is no memory bank'):
            MemoryBank.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match='damaged'):
        MemoryBank.load(path)
    torch.save(dict(features=Evil()), path)
    with pytest.raises(UserError, match='was not read'):
        MemoryBank.load(path)


@pytest.mark.parametrize('features, labels, error', [
    (torch.ones(3, 2).long(), torch.zeros(3).long(), TypeError),
    (torch.ones(3, 2), torch.zeros(3), TypeError),
    (torch.ones(3, 2), torch.zeros(2).long(), ValueError),
    (torch.ones(3), torch.zeros(3).long(), ValueError),
])
def test_bad_input(features, labels, error):
    with pytest.raises(error, match='`labels`|`features`'):
        MemoryBank(features, labels)
