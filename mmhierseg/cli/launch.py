"""Train and test: the programs ``tools/train.py`` and ``tools/test.py``."""

import os
import os.path as osp
import platform
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from traceback import clear_frames
from unittest import mock

import mmengine
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner

from mmhierseg._base.atomic import fcntl, free_space
from mmhierseg._base.errors import DISK_FULL, UserError
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.checkpoints import (
    check_initial_weights,
    check_matches,
    check_shares,
    read_checkpoint,
)
from mmhierseg.checkpoints.published import SCHEME, apply_options
from mmhierseg.cli.adapt import adapt_config
from mmhierseg.cli.data_check import check_data, check_pretrained
from mmhierseg.cli.options import (
    DUMP_SUFFIXES,
    parse_test_args,
    parse_train_args,
    read_config,
    with_test_options,
    with_train_options,
)
from mmhierseg.cli.resume import (
    Latest,
    check_agreement,
    find_latest,
    read_resumable,
)
from mmhierseg.engine.device import RANK_VARIABLES, cpu_process_group
from mmhierseg.engine.hooks import unwrap_model


@safe_reading()
def train(argv: list[str] | None = None) -> None:
    """Train with the arguments ``argv``, by default the command line's."""
    args = parse_train_args(argv)
    # Warnings must not be a part of a printed config.
    with redirect_stdout(sys.stderr if args.print_config else sys.stdout):
        cfg = adapt_config(with_train_options(read_config(args.config), args))
    if args.print_config:
        print(cfg.pretty_text)
        return
    check_data(cfg, ['train_dataloader', 'val_dataloader'])
    check_pretrained(cfg)
    start = _find_start(cfg)
    _make_work_dir(cfg.work_dir)
    with _only_training(cfg), cpu_process_group(
            cfg.launcher), _report_disk_full(cfg.work_dir), _formatted_once():
        _train(cfg, start)


@safe_reading()
def test(argv: list[str] | None = None,
         record: Callable | None = None) -> None:
    """Test with the arguments ``argv``, by default the command line's.

    The first process calls ``record(args, checkpoint)`` with the arguments
    and the checkpoint's content before the test, and what this returns with
    runner, metrics and seconds after it.
    """
    args = parse_test_args(argv)
    cfg = read_config(args.config)
    apply_options(cfg.model, args.checkpoint)
    cfg = adapt_config(with_test_options(cfg, args), training=False)
    # The runner writes it to the work directory, where it must not replace the
    # config of training. (A Config treats other attributes as fields.)
    folder, name = osp.split(args.config)
    object.__setattr__(cfg, '_filename', osp.join(folder, f'test_{name}'))
    checkpoint = None
    if '://' not in args.checkpoint or args.checkpoint.startswith(SCHEME):
        checkpoint = read_checkpoint(args.checkpoint)
    check_data(cfg, ['test_dataloader'])
    _make_work_dir(cfg.work_dir)
    with cpu_process_group(cfg.launcher):
        _test(cfg, checkpoint, args, record)


def _find_start(cfg: Config) -> Latest | None:
    """Read the checkpoint that training starts from; set its path."""
    path, resume = cfg.get('load_from'), cfg.get('resume')
    # MMEngine also takes the latest one if none is named.
    if resume == 'auto' or (resume is True and path is None):
        latest = find_latest(cfg.work_dir)
        cfg.resume = latest is not None
        if latest is not None:
            cfg.load_from = latest.path
            return latest
    if path is None or '://' in path or osp.isdir(path):
        return None
    read = read_resumable if cfg.get('resume') else read_checkpoint
    return Latest(path, read(path))


def _train(cfg: Config, start: Latest | None) -> None:
    """Train; the runner is freed before its process group is destroyed."""
    with _ConfigErrors() as building:
        build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
        runner = build(cfg)
        runner.register_hook(building)
        check_agreement(cfg.load_from if cfg.get('resume') else None)
        if start is not None and start.note is not None:
            # Logged once, in the log of the run.
            runner.logger.warning(start.note)
        if isinstance(runner, FlexibleRunner):
            # It would build and wrap the model only when it starts.
            runner.model = runner.strategy.build_model(runner.model)
        model = unwrap_model(runner.model)
        check_initial_weights(model)
        if start is not None and start.checkpoint is not None:
            # Resuming needs the whole model.
            check = check_matches if cfg.get('resume') else check_shares
            check(start.checkpoint, model, cfg.load_from)
        loader = runner.train_dataloader
        if len(loader) == 0:
            raise UserError(
                f'train_dataloader has no batch: {len(loader.dataset)} images '
                f'are fewer than its batch_size of {loader.batch_size}, and '
                'drop_last leaves them out. Add images, or --cfg-options '
                'train_dataloader.batch_size=N')
        runner.train()


def _test(cfg: Config, checkpoint: dict | None, args: Namespace,
          record: Callable | None) -> None:
    dump = args.out is not None and args.out.endswith(DUMP_SUFFIXES)
    with _ConfigErrors() as building:
        runner = Runner.from_cfg(cfg)
        runner.register_hook(building)
        if checkpoint is not None:
            check_matches(checkpoint, unwrap_model(runner.model),
                          args.checkpoint)
        if dump and args.out_item != 'metrics':
            runner.test_evaluator.metrics.append(DumpResults(args.out))
        # Before the test, during which the file may be overwritten.
        if record is not None and is_main_process():
            finish = record(args, checkpoint)
        start = time.perf_counter()
        metrics = runner.test()
        seconds = round(time.perf_counter() - start, 3)
    if is_main_process():
        if dump and args.out_item == 'metrics':
            mmengine.dump(metrics, args.out)
        if record is not None:
            finish(runner, metrics, seconds)


class _ConfigErrors(Hook):
    """Report failures while a runner is built as errors in the config."""

    def before_run(self, runner: Runner) -> None:
        self.built = True

    def __enter__(self) -> '_ConfigErrors':
        self.built = bool(os.environ.get('MMHIERSEG_TRACEBACK'))
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if not self.built and not isinstance(error, UserError) and isinstance(
                error, (FileNotFoundError, ImportError, KeyError, TypeError,
                        ValueError)):
            raise UserError(f'config: {error}') from error


def _make_work_dir(work_dir: str) -> None:
    """Create the work directory, and check that it is writable."""
    try:
        os.makedirs(work_dir, exist_ok=True)
        tempfile.TemporaryFile(dir=work_dir).close()
    except OSError as error:
        raise UserError(
            f'cannot write to the work directory {work_dir!r}: '
            f'{error.strerror}. Name another with --work-dir') from error


@contextmanager
def _formatted_once() -> Iterator[None]:
    """Format a config's text once; MMEngine does four times, for seconds."""
    from yapf.yapflib import yapf_api
    format_code, known = yapf_api.FormatCode, {}

    def once(*args, **options) -> tuple[str, bool]:
        key = repr((args, options))
        if key not in known:
            known[key] = format_code(*args, **options)
        return known[key]

    with mock.patch.object(yapf_api, 'FormatCode', once):
        yield


@contextmanager
def _only_training(cfg: Config) -> Iterator[None]:
    """Lock the work directory against other trainings."""
    rank, *_ = RANK_VARIABLES.get(cfg.launcher, ('', ))
    if fcntl is None or os.environ.get(rank, '0') != '0':
        yield
        return
    # `lockf` locks belong to the process, not to the workers that it forks.
    path = osp.join(cfg.work_dir, '.training')
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        file = open(number, 'r+')
    except OSError as error:  # Of another user, or no regular file.
        raise UserError(f'cannot write {path!r}: {error.strerror or error}. '
                        'Remove it, or choose another --work-dir') from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise UserError(
                f'another training runs in the work directory '
                f'{cfg.work_dir!r} ({file.read().strip()}). Wait until it '
                'ends, or name another with --work-dir') from None
        except OSError:
            pass  # a network file system without locks
        file.truncate(0)
        file.write(f'process {os.getpid()} on {platform.node()}\n')
        file.flush()
        yield


@contextmanager
def _report_disk_full(work_dir: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        # Not all errors have a file name.
        message = (f'cannot write {error.filename!r}: {error.strerror}'
                   if error.filename else
                   f'{error.strerror} (in {work_dir!r}, {free_space(work_dir)}'
                   '; check also /tmp and /dev/shm)')
        # The frames of the traceback would keep the model alive.
        clear_frames(error.__traceback__)
        raise UserError(
            f'{message}. Earlier checkpoints are intact. Make room, and '
            'continue with the same command and --resume') from None
