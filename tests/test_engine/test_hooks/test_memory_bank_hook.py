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


def run(folder, hook=None, task='test', **options):
    """Metrics and the memory bank."""
    runner = retrieval_runner(
        folder, hook or MemoryBankHook(loader(range(9))), **options)
    return getattr(runner, task)(), runner.model.bank


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


def test_validation_fills_it_too(reference, tmp_path):
    metrics, bank = run(tmp_path, task='val')
    assert metrics == reference[0]
    assert_same(bank, reference[1])


def test_batches_and_order_do_not_matter(reference, tmp_path):
    hook = MemoryBankHook(loader(reversed(range(9)), batch_size=4))
    metrics, bank = run(tmp_path, hook, test_seeds=[106, *range(100, 106)])
    assert metrics == pytest.approx(reference[0])
    assert len(bank) == len(reference[1])
    torch.testing.assert_close(
        bank.features.sum(0), reference[1].features.sum(0))


def test_is_filled_again_each_time(tmp_path):
    """Weights change between validations."""
    runner = retrieval_runner(tmp_path, MemoryBankHook(loader(range(3))))
    runner.val()
    first = runner.model.bank
    runner.model.embedder.weight.data *= -1
    runner.val()
    assert_same(
        MemoryBank(-first.features, first.labels), runner.model.bank)


def test_model_is_in_eval_mode_meanwhile(tmp_path):
    modes = []
    runner = retrieval_runner(tmp_path, MemoryBankHook(loader(range(3))))
    runner.model.embedder.register_forward_hook(
        lambda module, *_: modes.append(module.training))
    hook, = (h for h in runner.hooks if isinstance(h, MemoryBankHook))
    runner.model.train()
    hook.before_val(runner)
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


class TestFile:

    def test_written_and_read(self, reference, tmp_path):
        path = str(tmp_path / 'banks' / 'a.pth')
        run(tmp_path / '0', MemoryBankHook(loader(range(9)), save_to=path))
        metrics, bank = run(tmp_path / '1', MemoryBankHook(load_from=path))
        assert metrics == reference[0]
        assert_same(bank, reference[1])

    @pytest.mark.parametrize('change, match', [
        (dict(level=0), '`level` is 0, here it is -1'),
        (dict(num_classes=5), '`num_classes` is 5, here it is 4'),
        (dict(kmeans=None), '`kmeans` is None, here it is .*SegmentKMeans'),
        (dict(weights='0123'), "`weights` is '0123', here it is"),
    ])
    def test_of_another_model(self, reference, tmp_path, change, match):
        bank = MemoryBank(reference[1].features, reference[1].labels)
        runner = retrieval_runner(
            tmp_path / '0',
            MemoryBankHook(load_from=str(tmp_path / 'bank.pth')))
        bank.meta = {**runner.model.bank_meta(), **change}
        bank.save(tmp_path / 'bank.pth')
        with pytest.raises(UserError, match=match):
            runner.test()

    def test_missing(self, tmp_path):
        hook = MemoryBankHook(load_from=str(tmp_path / 'none.pth'))
        with pytest.raises(UserError, match='none.pth'):
            run(tmp_path, hook)


class TestBadInput:

    def test_no_class_in_any_image(self, tmp_path, monkeypatch):
        bank_loader = loader(range(2))
        items = [bank_loader['dataset'][i] for i in range(2)]
        for item in items:
            item['data_samples'].gt_sem_seg.data.fill_(255)
        monkeypatch.setattr(
            type(bank_loader['dataset']), '__getitem__',
            lambda self, i: items[i % 2])
        with pytest.raises(UserError, match='memory bank is empty'):
            run(tmp_path, MemoryBankHook(bank_loader))

    def test_fewer_entries_than_neighbours(self, tmp_path):
        model = segmentor(num_neighbors=100)
        with pytest.raises(UserError, match='is 100, .* only 16 entries'):
            run(tmp_path, MemoryBankHook(loader(range(1))), model=model)

    def test_datasets_of_other_classes(self, tmp_path):
        hook = MemoryBankHook(loader(range(3), classes=CLASSES[::-1]))
        with pytest.raises(UserError, match=r"\('d', .*\('a', "):
            run(tmp_path, hook)

    def test_model_without_a_bank(self, tmp_path):

        class Other(BaseModel):

            def forward(self, inputs, data_samples=None, mode='tensor'):
                return []

        with pytest.raises(UserError, match='set_bank.* got Other'):
            run(tmp_path, model=Other())

    @pytest.mark.parametrize('options, error, match', [
        (dict(), ValueError, '`dataloader` .* or `load_from`'),
        (dict(load_from='a', save_to='b'), ValueError, 'exclude each other'),
        (dict(dataloader=[1]), TypeError, 'a config, got list'),
        (dict(dataloader=dict(sampler=dict())), ValueError, "'sampler'"),
    ])
    def test_options(self, options, error, match):
        with pytest.raises(error, match=match):
            MemoryBankHook(**options)
