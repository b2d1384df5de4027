"""The memory bank of retrieval is there when it is needed."""

import time
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmengine.dist import get_dist_info, is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner, autocast
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmhierseg._base.gathering import gather_rows
from mmhierseg.evaluation import MemoryBank
from mmhierseg.registry import HOOKS

__all__ = ['MemoryBankHook']

_METHODS = ('bank_entries', 'bank_meta', 'set_bank')


@HOOKS.register_module()
class MemoryBankHook(Hook):
    """Fills the memory bank of a model before validation and testing.

    For :class:`~mmhierseg.models.RetrievalSegmentor`, or any model with its
    methods ``bank_entries``, ``bank_meta`` and ``set_bank``. The images of a
    training set are shared out among the processes, each of them once; the
    entries are gathered on all of them, in the order of the data set. So the
    bank is the same for any number of processes.

    Args:
        dataloader (dict, optional): Loader of the training set, with
            annotations and the test pipeline: ``dataset``, ``batch_size``,
            ``num_workers`` and the like; without ``sampler``, which is the
            hook's. Not needed with ``load_from``. Defaults to None.
        save_to (str, optional): File to write the bank to. Defaults to None.
        load_from (str, optional): File that such a bank is read from, instead
            of filling it. It must be of the same weights. Defaults to None.
        interval (int): Batches between two lines of progress in the log.
            Defaults to 50.

    Raises:
        TypeError: If ``dataloader`` is no dict.
        ValueError: If there is neither ``dataloader`` nor ``load_from``, or
            both are to be used, or the loader has a sampler.
    """

    # After the RandomStateHook: building loaders draws random numbers.
    priority = 'VERY_LOW'

    def __init__(self,
                 dataloader: Optional[dict] = None,
                 save_to: Optional[str] = None,
                 load_from: Optional[str] = None,
                 interval: int = 50) -> None:
        if dataloader is None and load_from is None:
            raise ValueError('`dataloader` of the training set is needed to '
                             'fill the memory bank, or `load_from`, a file of '
                             'one')
        if load_from is not None and save_to is not None:
            raise ValueError('`save_to` and `load_from` exclude each other: '
                             'a bank that was read need not be written')
        if dataloader is not None and not isinstance(dataloader, dict):
            raise TypeError('`dataloader` must be a config, got '
                            f'{type(dataloader).__name__}')
        own = {'sampler', 'batch_sampler'} & set(dataloader or ())
        if own:
            raise ValueError(
                f'`dataloader` must not have {sorted(own)}: each image is '
                'taken once, in order, shared out among the processes')
        self.dataloader = dataloader
        self.save_to = save_to
        self.load_from = load_from
        self.interval = max(1, interval)

    def before_val(self, runner: Runner) -> None:
        """Fill the bank of the model as it is now."""
        self._provide(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Fill the bank of the model as it is now."""
        self._provide(runner, runner.test_loop)

    def _provide(self, runner: Runner, loop: Any) -> None:
        model = _bare(runner.model)
        if not all(hasattr(model, name) for name in _METHODS):
            raise TypeError(
                f'MemoryBankHook needs a model with the methods {_METHODS}, '
                'such as mmhierseg.RetrievalSegmentor, got '
                f'{type(model).__name__}')
        if self.load_from is not None:
            bank = MemoryBank.load(self.load_from)
            _check_meta(bank.meta, model.bank_meta(), self.load_from)
            runner.logger.info(f'Memory bank of {len(bank)} segments, read '
                               f'from {self.load_from}')
        else:
            loader = self._build_loader(runner)
            _check_classes(loader.dataset, loop.dataloader.dataset)
            bank = MemoryBank(*self._fill(runner, model, loader, loop))
            runner.logger.info(f'Memory bank of {len(bank)} segments of '
                               f'{len(loader.dataset)} images')
        # What does not fit is said before the first image is tested.
        model.set_bank(bank)
        if self.save_to is not None and is_main_process():
            bank.meta = model.bank_meta()
            bank.save(self.save_to)
            runner.logger.info(f'Memory bank is saved to {self.save_to}')

    def _build_loader(self, runner: Runner) -> DataLoader:
        # A sampler that rounds up would repeat images.
        sampler = dict(
            type='mmengine.DefaultSampler', shuffle=False, round_up=False)
        return runner.build_dataloader(
            dict(self.dataloader, sampler=sampler), seed=runner.seed)

    @torch.no_grad()
    def _fill(self, runner: Runner, model: nn.Module, loader: DataLoader,
              loop: Any) -> Tuple[Tensor, Tensor]:
        """Features and classes of all segments, in the data set's order."""
        rank, world_size = get_dist_info()
        parts: List[Tuple[Tensor, ...]] = []
        training = model.training
        model.eval()
        start, done = time.monotonic(), 0
        for i, batch in enumerate(loader, 1):
            with autocast(enabled=getattr(loop, 'fp16', False)):
                data = model.data_preprocessor(batch, False)
                features, labels, image = model.bank_entries(**data)
            # The sampler deals images out like cards.
            number = rank + world_size * (done + image)
            parts.append((features.float(), labels, number))
            done += len(data['data_samples'])
            if i % self.interval == 0 or i == len(loader):
                left = (time.monotonic() - start) * (len(loader) - i) / i
                runner.logger.info(f'Memory bank [{i}/{len(loader)}]  '
                                   f'eta: {left:.0f} s')
        model.train(training)
        if not parts:  # fewer images than processes
            nothing = torch.zeros(0, dtype=torch.int64)
            parts = [(torch.zeros(0, 0), nothing, nothing)]
        features, labels, number = (
            gather_rows(torch.cat(values)) for values in zip(*parts))
        order = number.argsort(stable=True)
        return features[order], labels[order]


def _bare(model: nn.Module) -> nn.Module:
    """Take the wrappers for several processes and for augmentation off."""
    if is_model_wrapper(model):
        model = model.module
    return model.module if isinstance(model, BaseTTAModel) else model


def _check_meta(saved: Dict[str, Any], wanted: Dict[str, Any],
                path: str) -> None:
    """The bank of a file must be one that this model would fill."""
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise ValueError(
                f'the memory bank in {path!r} is of another model: its '
                f'`{name}` is {saved.get(name)!r}, here it is {value!r}. '
                'Leave `load_from` out to fill it anew')


def _check_classes(bank: Any, tested: Any) -> None:
    """Both data sets must number their classes alike."""
    names = [
        tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())
        for dataset in (bank, tested)
    ]
    if names[0] and names[1] and names[0] != names[1]:
        raise ValueError(
            'the data sets of the memory bank and of the images that are '
            f'tested must have the same classes, got {names[0]} and '
            f'{names[1]}')
