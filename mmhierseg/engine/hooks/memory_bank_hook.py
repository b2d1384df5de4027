"""Fill the memory bank of retrieval before it is needed."""

import time
from typing import Any

import torch
from mmengine.dist import get_dist_info, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner, autocast
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmhierseg._base.errors import UserError
from mmhierseg._base.gathering import gather_rows
from mmhierseg.engine.hooks import unwrap_model
from mmhierseg.evaluation import MemoryBank
from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class MemoryBankHook(Hook):
    """Fills the memory bank of a model before validation and testing.

    For :class:`~mmhierseg.models.RetrievalSegmentor`, or any model with its
    methods ``bank_entries``, ``bank_meta`` and ``set_bank``. Processes divide
    the images and get the entries of all, in the order of the dataset.

    Args:
        dataloader (dict, optional): Config of the loader of the training set,
            with annotations and the test pipeline, without ``sampler``. Not
            needed with ``load_from``.
        save_to (str, optional): File to write the bank to.
        load_from (str, optional): File to read the bank from, instead of
            filling it. It must be from the same weights.
        interval (int): Log the progress every ``interval`` batches.

    Raises:
        ValueError: If neither ``dataloader`` nor ``load_from`` is given.
    """

    # After the RandomStateHook: building loaders draws random numbers.
    priority = 'VERY_LOW'

    def __init__(self,
                 dataloader: dict | None = None,
                 save_to: str | None = None,
                 load_from: str | None = None,
                 interval: int = 50) -> None:
        if dataloader is None and load_from is None:
            raise ValueError('`dataloader` of the training set or `load_from`,'
                             ' a file of a memory bank, must be given')
        self.dataloader = dataloader
        self.save_to, self.load_from = save_to, load_from
        self.interval = interval

    def before_val(self, runner: Runner) -> None:
        """Fill the bank with the current weights."""
        self._provide(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Fill the bank with the current weights."""
        self._provide(runner, runner.test_loop)

    def _provide(self, runner: Runner, loop: Any) -> None:
        model = unwrap_model(runner.model)
        if not hasattr(model, 'set_bank'):
            raise UserError('MemoryBankHook needs a model with `set_bank`, '
                            'such as mmhierseg.RetrievalSegmentor, got '
                            f'{type(model).__name__}')
        try:
            if self.load_from is not None:
                bank = MemoryBank.load(self.load_from)
                for name, value in model.bank_meta().items():
                    if bank.meta.get(name) != value:
                        raise ValueError(
                            f'the memory bank in {self.load_from!r} is of '
                            f'another model: its `{name}` is '
                            f'{bank.meta.get(name)!r}, here it is {value!r}. '
                            'Leave `load_from` out to fill it again')
            else:
                # A sampler that rounds up would repeat images.
                sampler = dict(type='mmengine.DefaultSampler', shuffle=False,
                               round_up=False)
                options = dict(self.dataloader, sampler=sampler)
                if not options.get('num_workers'):
                    # PyTorch would raise an error.
                    options['persistent_workers'] = False
                loader = runner.build_dataloader(options, seed=runner.seed)
                _check_classes(loader.dataset, loop.dataloader.dataset)
                bank = MemoryBank(*self._fill(runner, model, loader, loop))
            # Before testing begins, as the bank may be too small.
            model.set_bank(bank)
        except (FileNotFoundError, ValueError) as error:
            raise UserError(str(error)) from error
        source = (f'read from {self.load_from}' if self.load_from else
                  f'of {len(loader.dataset)} images')
        runner.logger.info(f'Memory bank of {len(bank)} segments {source}')
        if self.save_to is not None and is_main_process():
            bank.meta = model.bank_meta()
            bank.save(self.save_to)
            runner.logger.info(f'Memory bank is saved to {self.save_to}')

    @torch.no_grad()
    def _fill(self, runner: Runner, model: nn.Module, loader: DataLoader,
              loop: Any) -> tuple[Tensor, Tensor]:
        rank, world_size = get_dist_info()
        parts: list[tuple[Tensor, ...]] = []
        training = model.training
        model.eval()
        start, done = time.monotonic(), 0
        for i, batch in enumerate(loader, 1):
            with autocast(enabled=getattr(loop, 'fp16', False)):
                data = model.data_preprocessor(batch, False)
                features, labels, image = model.bank_entries(**data)
            # The sampler distributes images in turns.
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


def _check_classes(*datasets: Any) -> None:
    bank, tested = (
        tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())
        for dataset in datasets)
    if bank and tested and bank != tested:
        raise ValueError(
            'the datasets of the memory bank and of the test must have the '
            f'same classes, got {bank} and {tested}')
