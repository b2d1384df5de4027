"""Fetch weights from the Hugging Face hub, and convert those of the authors.

``huggingface_hub`` downloads; progress, resuming, its cache, offline mode,
mirrors (``HF_ENDPOINT``) and tokens are its own. Here a file is checked, and
converted once.
"""

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.version import __version__

from .cast import convert_cast_checkpoint
from .converted import ConvertedCheckpoint

__all__ = ['CONFIG', 'WEIGHTS', 'download_model', 'fetch']

#: Files of a model in the convention of the hub.
CONFIG, WEIGHTS = 'config.json', 'model.safetensors'
#: Changes when the conversion does, so that files are converted again.
_FORMAT = 1
_SHA256 = re.compile(r'[0-9a-f]{64}')


class _Download(NamedTuple):
    path: Path
    commit: str
    etag: str | None  # None = unknown
    sha256: str


def fetch(name: str, published: dict[str, Any]) -> Path:
    """Converted weights of the authors, downloaded unless they are here.

    They are kept in the folder ``MMHIERSEG_HOME`` of the environment, by
    default ``~/.cache/mmhierseg``, as ``NAME.safetensors``; beside them,
    ``NAME.json`` says where they are from. Any number of processes may call
    this at once.

    Args:
        name (str): Name of the model.
        published (dict): ``Repository``, ``File`` and ``Kind`` of a metafile
            and, if they are pinned, ``Revision`` and ``SHA256``.

    Raises:
        UserError: If they cannot be downloaded, checked, converted or kept.
    """
    from filelock import FileLock
    folder = Path(os.environ.get('MMHIERSEG_HOME')
                  or '~/.cache/mmhierseg').expanduser()
    weights, record = folder / f'{name}.safetensors', folder / f'{name}.json'
    if _is_current(weights, record, published):
        return weights
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f'.{name}.lock'):
            # Another process may have written them meanwhile.
            if not _is_current(weights, record, published):
                content, facts = _fetch_and_convert(published)
                record.unlink(missing_ok=True)
                write_atomically(weights, content)
                facts['bytes'] = len(content)
                write_atomically(record, json.dumps(facts, indent=1).encode())
    except OSError as error:
        raise UserError(
            f'cannot keep the weights {name!r} in {str(folder)!r}: '
            f'{error.strerror or error}. Set MMHIERSEG_HOME in the '
            'environment to a folder that can be written to') from error
    return weights


def _is_current(weights: Path, record: Path, published: dict) -> bool:
    """Whether converted weights are whole, and those of the metafile."""
    try:
        known = json.loads(record.read_bytes())
        wanted = dict(
            format=_FORMAT,
            repository=published['Repository'],
            file=published['File'],
            kind=published['Kind'],
            bytes=weights.stat().st_size,
            sha256=published.get('SHA256', known['sha256']))
        revisions = (None, known['revision'], known['commit'])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return published.get('Revision') in revisions and wanted.items(
    ) <= known.items()


def _fetch_and_convert(published: dict) -> tuple[bytes, dict[str, Any]]:
    """File of safetensors, and where it is from."""
    repository, file = published['Repository'], published['File']
    source = published.get('Source')
    found = _download(repository, file, published.get('Revision'),
                      published.get('SHA256'), source)
    converted = _convert(found.path, published)
    facts = dict(
        format=_FORMAT,
        repository=repository,
        file=file,
        revision=published.get('Revision'),
        **{k: v for k, v in found._asdict().items() if k != 'path'},
        kind=converted.kind,
        license=published.get('License'),
        source=source,
        mmhierseg_version=__version__)
    weights = {k: v.contiguous() for k, v in converted.state_dict.items()}
    # Of several entries, the order in the file is random.
    return save(weights, dict(format='pt')), facts


def _convert(path: Path, published: dict) -> ConvertedCheckpoint:
    advice = ('. The file on the hub may have been replaced: see '
              f'{published.get("Source", published["Repository"])}')
    what = f'{published["File"]!r} of {published["Repository"]!r} '
    try:
        converted = convert_cast_checkpoint(load_plain_checkpoint(path))
    except (ArithmeticError, AttributeError, LookupError, RuntimeError,
            TypeError, ValueError) as error:
        # Files of other kinds fail in many ways.
        raise UserError(f'{what}is no checkpoint of CAST: {error}'
                        f'{advice}') from error
    if converted.kind != published['Kind']:
        raise UserError(f'{what}is of the kind {converted.kind!r}, expected '
                        f'{published["Kind"]!r}{advice}')
    return converted


def download_model(repository: str) -> Path:
    """Folder with ``config.json`` and ``model.safetensors`` of a repository.

    Args:
        repository (str): ``user/repository`` on the hub.

    Raises:
        UserError: If they cannot be downloaded.
    """
    config = _download(repository, CONFIG)
    # The weights have to come from the config's commit.
    return _download(repository, WEIGHTS, config.commit).path.parent


def _download(repository: str,
              file: str,
              revision: str | None = None,
              sha256: str | None = None,
              source: str | None = None) -> _Download:
    """Download a file, unless it is in the client's cache, and check it."""
    import huggingface_hub as client
    for force in (False, True):
        try:
            path = Path(client.hf_hub_download(
                repository, file, revision=revision, force_download=force))
        except Exception as error:
            # The client's transport, and so its errors, differ by version.
            raise UserError(
                _explain(error, repository, file, revision, source)) from error
        commit = path.parents[len(Path(file).parts) - 1].name
        etag = _find_etag(path, repository, file, commit)
        found = _hash(path)
        # That of a large file is its SHA-256; the client does not check it.
        if not _SHA256.fullmatch(etag or '') or etag == found:
            break
    else:
        raise UserError(
            f'{file!r} of {repository!r} was damaged on its way: its SHA-256 '
            f'is {found}, but the hub announced {etag}. Try again, without a '
            'proxy or mirror (HF_ENDPOINT) if there is one')
    if sha256 is not None and found != sha256:
        raise UserError(
            f'{file!r} of {repository!r} has changed: its SHA-256 is {found}, '
            f'expected {sha256}. A newer version of this package may know it')
    return _Download(path, commit, etag, found)


def _find_etag(path: Path, repository: str, file: str,
               commit: str) -> str | None:
    """ETag that the hub sent for a file in the client's cache."""
    if path.is_symlink():  # to the content, which is named by it
        return os.path.basename(os.readlink(path))
    # Where the system has no links, the client does not keep it.
    import huggingface_hub as client
    with suppress(Exception):
        url = client.hf_hub_url(repository, file, revision=commit)
        return client.get_hf_file_metadata(url).etag


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _explain(error: Exception, repository: str, file: str,
             revision: str | None, source: str | None) -> str:
    """What went wrong, and what to do."""
    from huggingface_hub import constants, errors
    what = f'{file!r} of {repository!r}'
    reason = f'{type(error).__name__}: {str(error).strip()}'.splitlines()[0]
    if isinstance(error, errors.HFValidationError):
        return f'{repository!r} is no name of a repository: {error}'
    if isinstance(error, (errors.RepositoryNotFoundError,
                          errors.RevisionNotFoundError,
                          errors.RemoteEntryNotFoundError)):
        where = f' at {revision!r}' if revision else ''
        advice = (f'see {source} for where it is now' if source else
                  'check the name; a private one needs `hf auth login`')
        return (f'{constants.ENDPOINT} has no {what}{where}: {advice} '
                f'({reason})')
    if constants.HF_HUB_OFFLINE:
        return (f'{what} is not in the cache, or is damaged there, and '
                'HF_HUB_OFFLINE forbids to download it: unset it once, or '
                'copy MMHIERSEG_HOME and HF_HOME from a machine that has it')
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__ or error
        return (f'{what} is not in the cache, and {constants.ENDPOINT} cannot '
                f'be reached ({type(cause).__name__}: {cause}): check the '
                'network, the proxy (HTTPS_PROXY) and a mirror (HF_ENDPOINT)')
    if isinstance(error, OSError) and error.filename is not None:
        return (f'{what} cannot be written to the cache: {error}. Set HF_HOME '
                'in the environment to a folder with enough space')
    return f'the download of {what} was interrupted ({reason}): try again'
