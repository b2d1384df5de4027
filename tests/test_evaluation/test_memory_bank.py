import pytest
import torch

from mmhierseg.evaluation import MemoryBank
from mmhierseg.ops import knn_retrieve


def data(seed=0):
    generator = torch.Generator().manual_seed(seed)
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


def test_does_not_touch_what_it_is_given():
    features, labels = data()
    MemoryBank(features, labels)
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
    # Nothing else is left beside it.
    assert [file.name for file in path.parent.iterdir()] == ['bank.pth']


def test_file_of_something_else(tmp_path):
    path = tmp_path / 'bank.pth'
    with pytest.raises(FileNotFoundError, match='does not exist'):
        MemoryBank.load(path)
    for content in (dict(state_dict={}), [1, 2],
                    dict(features=torch.ones(2, 3), meta={},
                         labels=torch.ones(4).long()),
                    dict(features=1, labels=2, meta={})):
        torch.save(content, path)
        with pytest.raises(ValueError, match='is no memory bank'):
            MemoryBank.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match='damaged'):
        MemoryBank.load(path)


class Evil:

    def __reduce__(self):
        return (exec, ('raise SystemExit', ))


def test_file_that_would_execute_something(tmp_path):
    torch.save(dict(features=Evil()), tmp_path / 'bank.pth')
    with pytest.raises(ValueError, match='was not read'):
        MemoryBank.load(tmp_path / 'bank.pth')


@pytest.mark.parametrize('features, labels, error', [
    (torch.ones(3, 2).long(), torch.zeros(3).long(), TypeError),
    (torch.ones(3, 2), torch.zeros(3), TypeError),
    (torch.ones(3, 2), torch.zeros(2).long(), ValueError),
    (torch.ones(3), torch.zeros(3).long(), ValueError),
])
def test_bad_input(features, labels, error):
    with pytest.raises(error, match='`labels`|`features`'):
        MemoryBank(features, labels)
