"""Convert many files: in parallel, with a progress bar, interruptible."""

import argparse
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
from rich.console import Console
from rich.progress import Progress

from mmhierseg._base.errors import UserError

__all__ = [
    'add_numbers', 'add_workers', 'at_least', 'block_interrupts',
    'convert_all', 'resumable', 'write_file'
]

Job = TypeVar('Job')

#: Held while a worker process is busy with a job.
_busy = threading.Lock()


def at_least(least: int) -> Callable[[str], int]:
    """Make the type of a command-line option that has a lower limit."""

    def number(word: str) -> int:
        value = int(word)
        if value < least:
            raise argparse.ArgumentTypeError(
                f'must be at least {least}, got {value}')
        return value

    return number


def add_numbers(parser: argparse.ArgumentParser, *rows: tuple) -> None:
    """Add options: name, type, default and help of each."""
    for name, kind, default, text in rows:
        parser.add_argument(
            f'--{name}',
            type=kind,
            default=default,
            metavar='N',
            help=f'{text} (default: {default})')


def add_workers(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add the option ``--workers``, of threads or processes."""
    parser.add_argument(
        '--workers',
        type=at_least(1),
        default=os.cpu_count() or 1,
        help=f'number of {kind} (default: one per core)')


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; folders are made.

    Unlike ``write_atomically`` it does not wait for the disk, which would
    dominate the time of writing many small files.

    Raises:
        OSError: If it cannot be written; nothing of it is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}.part')
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except BaseException:
        # An interrupt, too, must not leave it behind.
        with suppress(OSError):
            unfinished.unlink()
        raise


@contextmanager
def resumable(again: str = 'the same command') -> Iterator[None]:
    """Report errors and interrupts of work that can be resumed.

    Raises:
        UserError: If a file is invalid, or cannot be read or written.
        SystemExit: If the user interrupts, with status 130.
    """
    try:
        yield
    except (OSError, ValueError, BrokenProcessPool) as error:
        raise UserError(f'stopped: {error}. Finished files are kept; '
                        f'{again} resumes from there') from error
    except KeyboardInterrupt:
        print(f'interrupted; {again} resumes from here', file=sys.stderr)
        sys.exit(130)


def convert_all(convert: Callable[[Job], bool],
                jobs: Sequence[Job],
                workers: int,
                title: str,
                processes: bool = False,
                again: str = 'the same command',
                chunk: int = 1) -> int:
    """Convert files, several at a time, and show the progress.

    Decoding and encoding images, which is most of the work of many
    converters, runs in parallel in threads. What computes in Python needs
    processes.

    Args:
        convert (Callable): Takes a job and returns whether there was
            something to do. It writes a file completely or not at all.
        jobs (Sequence): The jobs.
        workers (int): Number of threads or processes; 1 works in the main
            thread.
        title (str): Title of the progress bar.
        processes (bool): Whether workers are processes, which ``convert`` and
            the jobs are sent to. Defaults to False.
        again (str): What resumes the work after an error, for the message.
            Defaults to 'the same command'.
        chunk (int): Number of jobs sent to a process at once. Defaults to 1.

    Returns:
        int: For how many jobs there was something to do.

    Raises:
        UserError: If a file is invalid, or cannot be read or written.
            Finished files are kept.
        SystemExit: If the user interrupts. Finished files are kept.

    Example:
        >>> convert_all(lambda job: job > 1, [1, 2, 3], 2, 'Numbers')
        2
    """
    new = 0
    with resumable(again):
        if workers == 1:
            executor, results = None, map(convert, jobs)
        else:
            if processes:
                # Checked now: with an unpicklable job the pool would hang.
                pickle.dumps(convert)
                convert = partial(_work, convert)
            executor = _executor(workers, processes)
        try:
            if executor is not None:
                with block_interrupts():
                    # This starts the processes.
                    results = executor.map(convert, jobs, chunksize=chunk)
            with Progress(console=Console(stderr=True)) as progress:
                bar = progress.add_task(title, total=len(jobs))
                for written in results:
                    new += written
                    progress.advance(bar)
        finally:
            # Running jobs are finished, the others are dropped.
            if executor is not None:
                executor.shutdown(cancel_futures=True)
    return new


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Block interrupts (Ctrl+C) for processes started within the block.

    The terminal interrupts all processes of a program. Those that are started
    here inherit the blocked signal, so that no interrupt reaches them even
    while they start; for this thread it is blocked until the block is left.
    Where signals cannot be blocked (Windows), nothing happens.
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _executor(workers: int, processes: bool) -> Executor:
    if not processes:
        return ThreadPoolExecutor(workers)
    # Not forked from this process: the copy of one that has used threads,
    # OpenCV's among them, may wait for ever for threads that it does not have.
    methods = multiprocessing.get_all_start_methods()
    method = 'forkserver' if 'forkserver' in methods else 'spawn'
    context = multiprocessing.get_context(method)
    if method == 'forkserver':
        # Imported once, not by every worker.
        context.set_forkserver_preload(
            ['mmhierseg.datasets', 'mmhierseg.datasets.transforms'])
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Leave interrupts to the main process; use one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_main_process, daemon=True).start()


def _work(convert: Callable[[Job], bool], job: Job) -> bool:
    with _busy:
        return convert(job)


def _end_with_main_process() -> None:
    """End once a main process that was killed is gone and the job is done.

    The pool would wait for ever for the next one.
    """
    multiprocessing.parent_process().join()
    with _busy:
        os._exit(1)
