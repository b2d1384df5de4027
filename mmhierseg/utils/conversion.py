"""Converts many files: in parallel, with a progress bar, to be interrupted."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Sequence, TypeVar

from rich.console import Console
from rich.progress import Progress

from .errors import CommandError

__all__ = ['convert_all', 'default_workers']

Job = TypeVar('Job')


def default_workers() -> int:
    """One per core."""
    return os.cpu_count() or 1


def convert_all(convert: Callable[[Job], bool], jobs: Sequence[Job],
                workers: int, title: str) -> int:
    """Convert files, each in a thread.

    Decoding and encoding images, which is most of the work, runs in parallel
    in threads.

    Args:
        convert (Callable): Takes a job and returns whether there was
            something to do. It writes a file whole or not at all.
        jobs (Sequence): The jobs.
        workers (int): Number of threads.
        title (str): What the progress bar says.

    Returns:
        int: For how many jobs there was something to do.

    Raises:
        CommandError: If a file is unfit, or cannot be read or written.
            What was finished stays.
        KeyboardInterrupt: If the user interrupts. What was finished stays.

    Example:
        >>> convert_all(lambda job: job > 1, [1, 2, 3], 2, 'Numbers')
        2
    """
    new = 0
    executor = ThreadPoolExecutor(workers)
    try:
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=len(jobs))
            for written in executor.map(convert, jobs):
                new += written
                progress.advance(bar)
    except (OSError, ValueError) as error:
        raise CommandError(f'stopped: {error}. What was finished stays; the '
                           'same command goes on from there') from error
    finally:
        # What has begun is finished, what has not is left out.
        executor.shutdown(cancel_futures=True)
    return new
