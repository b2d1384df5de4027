"""Shared by the converters: parallel, resumable work and its options."""

import argparse
import io
import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from mmhierseg._base.atomic import find_leftovers, write_atomically
from mmhierseg._base.errors import UserError

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
    """Add options, rows of name, type, default and help."""
    for name, kind, default, text in rows:
        parser.add_argument(
            f'--{name}',
            type=kind,
            default=default,
            metavar='N',
            help=f'{text} (default: {default})')


def add_workers(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add the option ``--workers``, of ``kind`` 'threads' or 'processes'."""
    parser.add_argument(
        '--workers',
        type=at_least(1),
        default=os.cpu_count() or 1,
        help=f'number of {kind} (default: one per core)')


def parse_root(argv: list[str], title: str, contents: str,
               splits: Sequence[str], closed: bool) -> argparse.Namespace:
    """Read the command line of a converter of a dataset with splits."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument('root', type=Path, help=contents)
    parser.add_argument(
        '--out',
        type=Path,
        help='folder to write to (default: labels in ROOT)')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=splits if closed else None,
        default=splits,
        help=f'splits to convert (default: {" ".join(splits)})')
    parser.add_argument(
        '--annotated',
        choices=['stored', 'upright'],
        help='whether masks match the stored or the upright image, where '
        'EXIF turns it and sizes do not decide (default: an error)')
    add_workers(parser, 'threads')
    args = parser.parse_args(argv)
    if args.out is None:
        args.out = args.root / 'labels'
    return args


def check_manifest(path: Path, settings: dict) -> dict | None:
    """Read how the files of a folder were made; refuse to mix two settings.

    None if the folder is empty.
    """
    folder = path.parent
    if not (folder.is_dir() and any(folder.iterdir())):
        return None
    try:
        before = dict(json.loads(path.read_text()))
    except (OSError, TypeError, ValueError) as error:
        # It might be a real dataset, which would be overwritten.
        raise UserError(
            f'{str(folder)!r} is not empty and not made by this program '
            f'(there is no {path.name} that can be read): name another folder'
        ) from error
    differing = [
        f'{key} {before.get(key)!r}, requested {value!r}'
        for key, value in settings.items() if before.get(key) != value
    ]
    if differing:
        raise UserError(
            f'{str(folder)!r} holds files of other settings '
            f'({"; ".join(differing)}): request the same, or name another '
            'folder')
    return before


def write_manifest(path: Path,
                   settings: dict,
                   indent: int | None = 2,
                   again: str = 'the same command') -> None:
    """Describe how the files of a folder are made."""
    with resumable(again):
        write_file(path, (json.dumps(settings, indent=indent) + '\n').encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; folders are made.

    It does not wait for the disk, which would dominate the time of writing
    many small files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content, sync=False)


def encode_image(image: Image.Image, **options) -> bytes:
    """Encode an image; ``options`` are those of Pillow's ``save``."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


@contextmanager
def resumable(again: str = 'the same command') -> Iterator[None]:
    """Report errors, and interrupts with status 130, of resumable work."""
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
                processes: str | None = None,
                again: str = 'the same command',
                chunk: int = 1) -> int:
    """Convert files, several at a time, and show the progress.

    ``convert`` takes a job, writes files completely or not at all, and returns
    whether there was something to do; the result is for how many jobs there
    was. Decoding and encoding images runs in parallel in threads; what
    computes in Python needs ``processes``, which it is sent to: 'forkserver',
    or 'fork', which starts at once, if neither this process nor the jobs use a
    library with threads. ``again`` resumes the work after an error or
    interrupt, and ``chunk`` jobs are sent at once.

    Example:
        >>> convert_all(lambda job: job > 1, [1, 2, 3], 2, 'Numbers')
        2
    """
    new = 0
    find_leftovers.cache_clear()
    with resumable(again):
        if processes and workers > 1:
            # Checked now: with an unpicklable job the pool would hang.
            pickle.dumps(convert)
            convert = partial(_work, convert)
            executor = _process_pool(workers, processes)
        else:
            executor = ThreadPoolExecutor(workers)
        try:
            with block_interrupts():
                # This starts the workers.
                results = executor.map(convert, jobs, chunksize=chunk)
            with Progress(console=Console(stderr=True)) as progress:
                bar = progress.add_task(title, total=len(jobs))
                for written in results:
                    new += written
                    progress.advance(bar)
        finally:
            # Running jobs are finished, the others are dropped.
            executor.shutdown(cancel_futures=True)
    return new


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Block interrupts (Ctrl+C) for processes started within the block.

    They inherit the blocked signal, so that no interrupt reaches them even
    while they start. Where signals cannot be blocked (Windows), nothing
    happens.
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _process_pool(workers: int, method: str) -> ProcessPoolExecutor:
    # A forked copy of a process that has used threads, OpenCV's among them,
    # may wait for ever for threads that it does not have.
    if method not in multiprocessing.get_all_start_methods():
        method = 'spawn'
    context = multiprocessing.get_context(method)
    if method == 'forkserver':
        # Imported once, not by every worker.
        context.set_forkserver_preload(
            ['mmhierseg.datasets', 'mmhierseg.datasets.transforms'])
    return ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_start_worker,
        initargs=(method == 'fork', ))


def _start_worker(forked: bool) -> None:
    """Leave interrupts to the main process; let OpenCV use one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not forked:
        cv2.setNumThreads(1)
    threading.Thread(
        target=_end_with_main_process, args=(forked, ), daemon=True).start()


def _work(convert: Callable[[Job], bool], job: Job) -> bool:
    with _busy:
        return convert(job)


def _end_with_main_process(forked: bool) -> None:
    """End once a main process that was killed is gone and the job is done.

    The pool would wait for ever for the next one.
    """
    main = multiprocessing.parent_process()
    parent = main.pid if forked else os.getppid()
    # The pipe to the main process may also be held by other workers, which
    # inherit it; a process whose parent has died gets another one.
    while main.is_alive() and os.getppid() == parent:
        main.join(1)
    _busy.acquire(timeout=60)
    os._exit(1)
