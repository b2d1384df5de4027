"""Find what training goes on from, and check that it is whole.

The latest checkpoint may be missing or damaged, though this package writes
them whole (:mod:`mmhierseg._base.atomic`): other programs do not, disks fail,
and files are deleted or copied in part. Then training goes on from the newest
one before it that can be read, and says so.
"""

import os
import os.path as osp
import re
import zipfile
from collections import defaultdict
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from mmengine.dist import all_gather_object

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.match import check_resumable, read_checkpoint

__all__ = ['Latest', 'check_agreement', 'find_latest', 'read_resumable']

# MMEngine's names, with a prefix of one's own. `best_*` are weights only.
_NUMBERED = re.compile(r'(?!best_)(.*?)(epoch|iter)_(\d+)\.pth')


class Latest(NamedTuple):
    """The checkpoint that a run goes on from.

    Attributes:
        path (str): Its path.
        checkpoint (dict | None): Its content; None if it is a folder or no
            local file, which are not read here.
        note (str | None): Why it is not the one that ``last_checkpoint``
            names, if it is not.
    """

    path: str
    checkpoint: Optional[Dict[str, Any]]
    note: Optional[str] = None


def read_resumable(path: str) -> Dict[str, Any]:
    """Read a checkpoint file to go on from.

    Every byte is checked: PyTorch reads a file whose tensors were overwritten,
    by zeros after a power failure for instance, without a word.

    Args:
        path (str): Path of a file.

    Returns:
        dict: Its content.

    Raises:
        UserError: If it is no checkpoint, is damaged, or is none that
            training can go on from.
    """
    checkpoint = read_checkpoint(path)
    check_resumable(checkpoint, path)
    if zipfile.is_zipfile(path):  # as every file of PyTorch 1.6 and later
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (OSError, zipfile.BadZipFile) as error:
            damaged = str(error)
        if damaged is not None:
            raise UserError(f'{path!r} is damaged ({damaged})')
    return checkpoint


def find_latest(work_dir: str) -> Optional[Latest]:
    """Find the checkpoint that a run goes on from.

    It is the one that ``last_checkpoint`` names. If that is damaged, it is the
    newest before it that can be read; if there is no such file, or what it
    names is gone, the newest of the folder.

    Args:
        work_dir (str): Folder of the run.

    Returns:
        Latest or None: None if the folder has no checkpoint.

    Raises:
        UserError: If there are checkpoints, but none to go on from.
    """
    named, complaint = _last_checkpoint(work_dir)
    folder = work_dir
    if named is not None:
        if '://' in named or osp.isdir(named):
            return Latest(named, None)
        try:
            return Latest(named, read_resumable(named))
        except UserError as error:
            complaint = f'the latest checkpoint cannot be used: {error}'
            folder = osp.dirname(named) or '.'
    groups = _numbered(folder, before=named)
    if complaint is None:
        if not groups:
            return None
        complaint = f'{work_dir!r} has no file last_checkpoint'
    found, complaints = _newest(groups)
    complaint = '; '.join([complaint, *complaints])
    if found is None:
        raise UserError(
            f'{complaint}; there is no checkpoint to go on from in '
            f'{folder!r}. Nothing was changed. To go on from another one: '
            '--resume PATH. To train from the start: another --work-dir, or '
            'remove the files that were named')
    path, checkpoint = found
    meta = checkpoint['meta']
    return Latest(
        path, checkpoint, f'{complaint}. Training goes on from {path!r}, '
        f'epoch {meta["epoch"]}, iteration {meta["iter"]}')


def check_agreement(path: Optional[str]) -> None:
    """Check that all processes go on from the same checkpoint.

    Each of them looks before they are connected.

    Args:
        path (str, optional): The one of this process.

    Raises:
        UserError: In all processes, if they differ.
    """
    paths = all_gather_object(path)
    if any(other != path for other in paths):
        seen = ', '.join(f'{i}: {other}' for i, other in enumerate(paths))
        raise UserError('the processes found different checkpoints to go '
                           f'on from ({seen}). The work directory must be on '
                           'a disk that all machines share')


def _last_checkpoint(work_dir: str) -> Tuple[Optional[str], Optional[str]]:
    """Path that the file names, and what is wrong if it names none."""
    pointer = osp.join(work_dir, 'last_checkpoint')
    if not osp.isfile(pointer):
        return None, None
    with open(pointer, errors='replace') as file:
        named = file.read().strip()
    if not named:
        return None, f'{pointer!r} is empty'
    # The latter in a folder that was moved, or seen from another one.
    for path in (named, osp.join(work_dir, osp.basename(named))):
        if '://' in path or osp.exists(path):
            return path, None
    return None, f'{pointer!r} names {named!r}, which does not exist'


def _numbered(folder: str,
              before: Optional[str]) -> Dict[str, List[Tuple[int, str]]]:
    """Files with the number of an epoch or iteration, by the rest of the name.

    Files with a higher number than that of `before` are of another run.
    """
    limit = _NUMBERED.fullmatch(osp.basename(before or ''))
    groups = defaultdict(list)
    for name in os.listdir(folder) if osp.isdir(folder) else []:
        match = _NUMBERED.fullmatch(name)
        if match is None or name == osp.basename(before or ''):
            continue
        prefix, kind, number = match.groups()
        if limit is None or (kind == limit.group(2)
                             and int(number) <= int(limit.group(3))):
            groups[prefix + kind].append((int(number),
                                          osp.join(folder, name)))
    return groups


def _newest(
    groups: Dict[str, List[Tuple[int, str]]]
) -> Tuple[Optional[Tuple[str, Dict[str, Any]]], List[str]]:
    """Path and content of the newest to go on from; what was passed over."""
    found, complaints = [], []
    for _, group in sorted(groups.items()):
        for _, path in sorted(group, reverse=True):
            try:
                found.append((path, read_resumable(path)))
                break
            except UserError as error:
                complaints.append(str(error))
    # Numbers of epochs and of iterations cannot be compared.
    found.sort(key=lambda item: item[1]['meta']['iter'])
    return (found[-1] if found else None), complaints
