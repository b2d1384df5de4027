"""Train and test: what ``tools/train.py`` and ``tools/test.py`` do."""

import os.path as osp
import time
from argparse import Namespace
from typing import List, Optional

import mmengine
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.evaluator import DumpResults
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.initial_weights import check_initial_weights
from mmhierseg.checkpoints.match import (
    check_matches,
    check_shares,
    read_checkpoint,
    read_safely,
)
from mmhierseg.cli.data_check import check_data, check_pretrained
from mmhierseg.cli.machine import describe
from mmhierseg.cli.options import (
    DUMP_SUFFIXES,
    read_config,
    with_test_options,
    with_train_options,
)
from mmhierseg.cli.parser import parse_test_args, parse_train_args
from mmhierseg.cli.records import (
    describe_checkpoint,
    make_record,
    record_path,
    write_record,
)
from mmhierseg.cli.resume import (
    Latest,
    check_agreement,
    find_latest,
    read_resumable,
)
from mmhierseg.cli.saving import report_disk_full, with_atomic_checkpoints
from mmhierseg.engine import LabelCheckHook
from mmhierseg.engine.device import (
    cpu_process_group,
    for_cpu_processes,
    without_amp,
)
from mmhierseg.engine.fsdp.strategy import for_strategy, without_strategy

__all__ = ['test', 'train']


def train(argv: Optional[List[str]] = None) -> None:
    """Train as the command line says.

    Args:
        argv (list[str], optional): The words after the program's name.
            Defaults to those of the command line.

    Raises:
        UserError: If what the command line or the config names is missing
            or unfit.
    """
    args = parse_train_args(argv)
    read_safely()
    cfg = read_config(args.config)
    if cfg.get('train_dataloader') is None and 'runner_type' not in cfg:
        raise UserError(
            f'{args.config!r} has no train_dataloader: there is nothing to '
            'train. Test it: python tools/test.py CONFIG CHECKPOINT')
    cfg = with_train_options(cfg, args)
    cfg = with_atomic_checkpoints(
        for_cpu_processes(without_amp(for_strategy(cfg))))
    check_data(cfg, ['train_dataloader', 'val_dataloader'])
    check_pretrained(cfg)
    start = _start(cfg)
    with cpu_process_group(cfg.launcher), report_disk_full(cfg.work_dir):
        _train(cfg, start)


def test(argv: Optional[List[str]] = None) -> None:
    """Test as the command line says.

    Args:
        argv (list[str], optional): The words after the program's name.
            Defaults to those of the command line.

    Raises:
        UserError: If what the command line or the config names is missing
            or unfit.
    """
    args = parse_test_args(argv)
    read_safely()
    cfg = with_test_options(read_config(args.config), args)
    cfg = for_cpu_processes(without_strategy(cfg))
    _keep_config_of_training(cfg, args.config)
    checkpoint = None
    if _is_local(args.checkpoint):
        checkpoint = read_checkpoint(args.checkpoint)
    check_data(cfg, ['test_dataloader'])
    dump = args.out is not None and args.out.endswith(DUMP_SUFFIXES)
    with cpu_process_group(cfg.launcher):
        metrics = _test(cfg, checkpoint, args,
                        args.out if dump and args.out_item != 'metrics' else
                        None)
        if dump and args.out_item == 'metrics' and is_main_process():
            mmengine.dump(metrics, args.out)


def _start(cfg: Config) -> Optional[Latest]:
    """Read what training starts from, and name it in the config."""
    path = cfg.get('load_from')
    # MMEngine looks for the latest one, too, if none is named.
    if cfg.get('resume') == 'auto' or (cfg.get('resume') is True
                                       and path is None):
        latest = find_latest(cfg.work_dir)
        cfg.resume = latest is not None
        if latest is not None:
            cfg.load_from = latest.path
            return latest
    if not _is_local(path) or osp.isdir(path):
        return None
    read = read_resumable if cfg.get('resume') else read_checkpoint
    return Latest(path, read(path))


def _train(cfg: Config, start: Optional[Latest]) -> None:
    """Train; the runner ends with the call, before its process group."""
    runner = _build_runner(cfg)
    check_agreement(cfg.load_from if cfg.get('resume') else None)
    if start is not None and start.note is not None:
        # In the log of the run, and once for all processes.
        runner.logger.warning(start.note)
    if isinstance(runner, FlexibleRunner):
        # Which would build it, and wrap it, only as it starts.
        runner.model = runner.strategy.build_model(runner.model)
    _check_weights(_bare(runner.model), cfg, start and start.checkpoint)
    _check_epoch(runner)
    runner.train()


def _test(cfg: Config, checkpoint: Optional[dict], args: Namespace,
          predictions: Optional[str]) -> dict:
    """Test, and write the predictions to a file if one is named."""
    runner = _build_runner(cfg)
    if checkpoint is not None:
        check_matches(checkpoint, _bare(runner.model), args.checkpoint)
    if predictions is not None:
        runner.test_evaluator.metrics.append(DumpResults(predictions))
    if not is_main_process():
        return runner.test()
    # Before the test: the file may be overwritten while it runs.
    source = describe_checkpoint(args.checkpoint, checkpoint)
    machine = describe('cuda' if torch.cuda.is_available() else 'cpu')
    start = time.perf_counter()
    metrics = runner.test()
    seconds = time.perf_counter() - start
    record = make_record(
        cfg, args.config, source, metrics,
        len(runner.test_dataloader.dataset), seconds,
        dict(tta=args.tta, amp=args.amp, cfg_options=args.cfg_options),
        get_world_size(), machine)
    path = record_path(cfg.work_dir, args.config, runner.timestamp)
    write_record(path, record)
    runner.logger.info(f'Results, with what they were measured on: {path}')
    return metrics


def _keep_config_of_training(cfg: Config, path: str) -> None:
    """Have the runner write the config of a test under another name.

    In the work directory of training it would overwrite that of training, by
    one whose model, with ``--tta``, is wrapped.
    """
    name = f'test_{osp.basename(path)}'
    # A Config takes every other attribute for a field.
    object.__setattr__(cfg, '_filename', osp.join(osp.dirname(path), name))


def _check_weights(model: nn.Module, cfg: Config,
                   checkpoint: Optional[dict]) -> None:
    """What the model starts from must be its own."""
    check_initial_weights(model)
    if checkpoint is not None:
        # To go on with a run takes all of its model.
        check = check_matches if cfg.get('resume') else check_shares
        check(checkpoint, model, cfg.load_from)


def _check_epoch(runner: Runner) -> None:
    """An epoch without a batch would fail deep inside the schedules."""
    loader = runner.train_dataloader
    if len(loader) == 0:
        raise UserError(
            f'train_dataloader has no batch: {len(loader.dataset)} images are '
            f'fewer than its batch_size of {loader.batch_size} (for each '
            'process), and drop_last leaves them out. Add images, or '
            '--cfg-options train_dataloader.batch_size=N')


def _is_local(path: Optional[str]) -> bool:
    return path is not None and '://' not in path


def _build_runner(cfg: Config) -> Runner:
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    if not any(isinstance(hook, LabelCheckHook) for hook in runner.hooks):
        runner.register_hook(LabelCheckHook())
    return runner


def _bare(model: nn.Module) -> nn.Module:
    """Take the wrappers for several processes and for augmentation off."""
    if is_model_wrapper(model):
        model = model.module
    return model.module if isinstance(model, BaseTTAModel) else model
