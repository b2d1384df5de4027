"""Find the checkpoint that training continues from."""

import os.path as osp
import re
import zipfile
from glob import escape, glob
from typing import Any, NamedTuple

from mmengine.dist import all_gather_object

from mmhierseg._base import UserError
from mmhierseg.checkpoints import check_resumable, read_checkpoint

# MMEngine's names, with a custom prefix. `best_*` are weights only.
_NUMBERED = re.compile(r'(?!best_).*?(epoch|iter)_(\d+)\.pth')


class Latest(NamedTuple):
    """The checkpoint that a run continues from."""

    path: str
    checkpoint: dict[str, Any] | None  # None if it is not a local file
    note: str | None = None  # why it is not what `last_checkpoint` names


def read_resumable(path: str) -> dict[str, Any]:
    """Read a checkpoint and verify its checksums, which PyTorch ignores."""
    checkpoint = read_checkpoint(path)
    check_resumable(checkpoint, path)
    if zipfile.is_zipfile(path):  # as every file of PyTorch 1.6 and later
        try:
            damaged = zipfile.ZipFile(path).testzip()
        except (OSError, zipfile.BadZipFile) as error:
            damaged = error
        if damaged is not None:
            raise UserError(f'{path!r} is damaged ({damaged})')
    return checkpoint


def find_latest(work_dir: str) -> Latest | None:
    """Find the checkpoint that the run in a folder continues from, or None.

    It is the one that ``last_checkpoint`` names; if it is damaged, the newest
    readable one before it; if it does not exist, the newest.
    """
    named, problem = _last_checkpoint(work_dir)
    if named is not None:
        if '://' in named or osp.isdir(named):
            return Latest(named, None)
        try:
            return Latest(named, read_resumable(named))
        except UserError as error:
            problem = f'the latest checkpoint cannot be used: {error}'
    folder = osp.dirname(named or '') or work_dir
    candidates = _candidates(folder, osp.basename(named or ''))
    if problem is None:
        if not candidates:
            return None
        problem = f'{work_dir!r} has no file last_checkpoint'
    problems, found = [problem], {}
    for _, kind, path in sorted(candidates, reverse=True):
        if kind not in found:
            try:
                found[kind] = path, read_resumable(path)
            except UserError as error:
                problems.append(str(error))
    problem = '; '.join(problems)
    if not found:
        raise UserError(
            f'{problem}; there is no checkpoint to continue from in '
            f'{folder!r}. Nothing was changed. Name one by --resume PATH, or '
            'train from the start in another --work-dir')
    # Numbers of epochs and of iterations cannot be compared.
    path, checkpoint = max(
        found.values(), key=lambda item: item[1]['meta']['iter'])
    meta = checkpoint['meta']
    return Latest(
        path, checkpoint, f'{problem}. Training continues from {path!r}, '
        f'epoch {meta["epoch"]}, iteration {meta["iter"]}')


def check_agreement(path: str | None) -> None:
    """Check that all processes continue from the same checkpoint."""
    paths = all_gather_object(path)
    if len(set(paths)) > 1:
        raise UserError('the processes found different checkpoints to '
                        f'continue from ({paths}). The work directory must be '
                        'on a disk that all machines share')


def _last_checkpoint(work_dir: str) -> tuple[str | None, str | None]:
    """Path in the file ``last_checkpoint``, and the problem if it is wrong."""
    pointer = osp.join(work_dir, 'last_checkpoint')
    if not osp.isfile(pointer):
        return None, None
    with open(pointer, errors='replace') as file:
        named = file.read().strip()
    # The folder may have been moved.
    for path in (named, osp.join(work_dir, osp.basename(named))):
        if named and ('://' in path or osp.exists(path)):
            return path, None
    return None, f'{pointer!r} names {named!r}, which does not exist'


def _candidates(folder: str, before: str) -> list[tuple[int, str, str]]:
    """Number, kind and path of checkpoints before the one called `before`."""
    # Higher numbers are of another run.
    limit = _NUMBERED.fullmatch(before)
    return [(int(match[2]), match[1], path)
            for path in glob(osp.join(escape(folder), '*.pth'))
            if osp.basename(path) != before and
            (match := _NUMBERED.fullmatch(osp.basename(path))) and (
                limit is None or match[1] == limit[1]
                and int(match[2]) <= int(limit[2]))]
