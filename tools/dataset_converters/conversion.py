"""Converts many files: in parallel, with a progress bar, to be interrupted."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import (
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

import cv2
from interrupts import block_interrupts
from rich.console import Console
from rich.progress import Progress

from mmhierseg._base.errors import UserError

__all__ = ['convert_all', 'default_workers']

Job = TypeVar('Job')

#: Held while a worker process is at a job.
_at_work = threading.Lock()


def default_workers() -> int:
    """One per core."""
    return os.cpu_count() or 1


def convert_all(convert: Callable[[Job], bool],
                jobs: Sequence[Job],
                workers: int,
                title: str,
                processes: bool = False,
                again: str = 'the same command') -> int:
    """Convert files, several at a time, and show the progress.

    Decoding and encoding images, which is most of the work of many
    converters, runs in parallel in threads. What computes in Python needs
    processes.

    Args:
        convert (Callable): Takes a job and returns whether there was
            something to do. It writes a file whole or not at all.
        jobs (Sequence): The jobs.
        workers (int): Number of threads or processes.
        title (str): What the progress bar says.
        processes (bool): Whether workers are processes. ``convert`` and the
            jobs are sent to them then; a single one stays a thread.
            Defaults to False.
        again (str): What goes on after an error, for the message.
            Defaults to 'the same command'.

    Returns:
        int: For how many jobs there was something to do.

    Raises:
        UserError: If a file is unfit, or cannot be read or written.
            What was finished stays.
        KeyboardInterrupt: If the user interrupts. What was finished stays.

    Example:
        >>> convert_all(lambda job: job > 1, [1, 2, 3], 2, 'Numbers')
        2
    """
    new = 0
    executor = _executor(workers, convert if processes else None)
    if isinstance(executor, ProcessPoolExecutor):
        convert = partial(_work, convert)
    try:
        with block_interrupts():
            # Which starts the processes.
            results = executor.map(convert, jobs)
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=len(jobs))
            for written in results:
                new += written
                progress.advance(bar)
    except (OSError, ValueError, BrokenProcessPool) as error:
        raise UserError(f'stopped: {error}. What was finished stays; '
                           f'{again} goes on from there') from error
    finally:
        # What has begun is finished, what has not is left out.
        executor.shutdown(cancel_futures=True)
    return new


def _executor(workers: int, sent: Callable | None) -> Executor:
    """Threads, or processes that something is sent to."""
    if sent is not None and workers > 1:
        # What cannot be sent is an error now; the pool would wait for ever.
        pickle.dumps(sent)
        # Not forked: of what has used threads, OpenCV's among them, a copy
        # waits for ever for threads that it does not have.
        return ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context('spawn'),
            initializer=_start_worker)
    return ThreadPoolExecutor(workers)


def _start_worker() -> None:
    """One thread each; the main process decides what an interrupt means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_main_process, daemon=True).start()


def _work(convert: Callable[[Job], bool], job: Job) -> bool:
    with _at_work:
        return convert(job)


def _end_with_main_process() -> None:
    """End once a main process that was killed is gone and the job is done.

    The pool would wait for ever for the next one.
    """
    multiprocessing.parent_process().join()
    with _at_work:
        os._exit(1)
