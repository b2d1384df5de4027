import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.memory_bank import (
    CLASSES,
    loader,
    retrieval_runner,
    retrieve_on_two,
    segmentor,
)
from mmengine.model import BaseModel

from mmhierseg._base import UserError
from mmhierseg.checkpoints import read_safely
from mmhierseg.engine import MemoryBankHook
from mmhierseg.evaluation import MemoryBank


def run(folder, hook=None, **options):
    """Metrics and the memory bank."""
    runner = retrieval_runner(
        folder, hook or MemoryBankHook(loader(range(9))), **options)
    return runner.test(), runner.model.bank


def assert_same(bank, other):
    torch.testing.assert_close(bank.features, other.features)
    assert torch.equal(bank.labels, other.labels)


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """Of nine images for the bank and seven to test."""
    return run(tmp_path_factory.mktemp('reference'))


def test_retrieval_is_better_than_chance(reference):
    metrics, bank = reference
    # Of each of nine images at most four clusters, of three classes.
    assert 3 * 9 < len(bank) <= 4 * 9
    assert bank.labels.unique().tolist() == [0, 1, 2]
    assert 50 < metrics['aAcc'] < 100


def test_batches_and_order_do_not_matter(reference, tmp_path):
    hook = MemoryBankHook(loader(reversed(range(9)), batch_size=4))
    metrics, bank = run(tmp_path, hook, test_seeds=[106, *range(100, 106)])
    assert metrics == pytest.approx(reference[0])
    assert len(bank) == len(reference[1])
    torch.testing.assert_close(
        bank.features.sum(0), reference[1].features.sum(0))


def test_is_filled_again_in_each_validation(tmp_path):
    """Weights change between validations. The model is in eval mode."""
    hook = MemoryBankHook(loader(range(3)))
    runner = retrieval_runner(tmp_path, hook)
    runner.val()
    first = runner.model.bank
    runner.model.embedder.weight.data *= -1
    modes = []
    runner.model.embedder.register_forward_hook(
        lambda module, *_: modes.append(module.training))
    runner.model.train()
    hook.before_val(runner)
    assert_same(
        MemoryBank(-first.features, first.labels), runner.model.bank)
    assert modes == [False] * 2 and runner.model.training


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes(reference, tmp_path):
    """Nine images on two, and one image, of which the second has none."""
    read_safely()
    run_on_two_processes(retrieve_on_two, tmp_path, [9, 1])
    results = [torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1)]
    metrics, bank = reference
    for result in results:
        got, features, labels = result[9]
        assert_same(MemoryBank(features, labels), bank)
        assert len(result[1][2]) <= 4
    assert results[0][9][0] == metrics
    hook = MemoryBankHook(loader(range(1)))
    assert results[0][1][0] == run(tmp_path / 'one', hook)[0]
    # Another run reads what one process has written.
    hook = MemoryBankHook(load_from=str(tmp_path / '9.pth'))
    got, read = run(tmp_path / 'read', hook)
    assert got == metrics
    assert_same(read, bank)


def test_file(reference, tmp_path):
    """Written, read, and rejected by a model that would fill it otherwise."""
    path = str(tmp_path / 'banks' / 'a.pth')
    # An option of workers, without workers.
    images = dict(loader(range(9)), persistent_workers=True)
    run(tmp_path / '0', MemoryBankHook(images, save_to=path))
    metrics, bank = run(tmp_path / '1', MemoryBankHook(load_from=path))
    assert metrics == reference[0]
    assert_same(bank, reference[1])
    bank.meta['level'] = 0
    bank.save(path)
    with pytest.raises(UserError, match='`level` is 0, here it is -1'):
        run(tmp_path / '2', MemoryBankHook(load_from=path))


class Other(BaseModel):

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return []


@pytest.mark.parametrize('hook, model, match', [
    (dict(load_from='none.pth'), None, 'none.pth'),
    (dict(dataloader=loader(range(1))), segmentor(num_neighbors=100),
     'is 100, .* only 16 entries'),
    (dict(dataloader=loader(range(3), classes=CLASSES[::-1])), None,
     r"\('d', .*\('a', "),
    (dict(dataloader=loader(range(1))), Other(), 'set_bank.* got Other'),
])
def test_unfit_files_datasets_and_models(hook, model, match, tmp_path):
    with pytest.raises(UserError, match=match):
        run(tmp_path, MemoryBankHook(**hook), model=model)
    with pytest.raises(ValueError, match='`dataloader` .* or `load_from`'):
        MemoryBankHook()
