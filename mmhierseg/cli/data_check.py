"""Check the files that a config names before anything is built."""

import os.path as osp
from collections.abc import Iterator
from glob import escape, glob

from mmengine import fileio
from mmengine.config import Config
from mmengine.fileio import parse

from mmhierseg._base import UserError
from mmhierseg.checkpoints import read_checkpoint

# Fields of datasets and transforms that name files or folders.
_DATA = dict(
    data_root='data root',
    ann_file='annotation file',
    data_prefix='image folder',
    map_prefix='folder of segment maps (tools/dataset_converters/'
    'generate_oversegmentation.py makes them)')
_WEIGHTS = dict(checkpoint='checkpoint', pretrained='checkpoint')


def check_data(cfg: Config, fields: list[str]) -> None:
    """Check local files and folders of datasets in fields of loaders.

    From then on, all datasets read lists like those of this package.
    """
    _share_read_list()
    for field in [*fields, 'custom_hooks']:
        for key, what, path in _paths(cfg.get(field), field, _DATA):
            _check(what, path, key)
            if osp.isfile(path) and osp.getsize(path) == 0:
                raise UserError(f'{path!r} is empty. Name another with '
                                f'--cfg-options {key}=PATH')


def check_pretrained(cfg: Config) -> None:
    """Check the files of initial weights."""
    if cfg.get('load_from') is not None:
        _check('checkpoint', cfg.load_from, 'load_from')
    for key, what, path in _paths(cfg.get('model'), 'model', _WEIGHTS):
        _check(what, path, key)
        if '://' not in path:
            read_checkpoint(path)  # for its errors


def _share_read_list() -> None:
    """Let MMEngine's ``list_from_file`` ignore BOMs and empty lines."""
    from mmhierseg.datasets.files import read_list

    def get_text(path, encoding: str = 'utf-8', backend_args=None) -> str:
        if encoding != 'utf-8':
            return fileio.get_text(path, encoding, backend_args)
        return '\n'.join(read_list(str(path), 'list', backend_args))

    parse.get_text = get_text


def _paths(node, key: str,
           fields: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Key, description and path of each file that a config names."""
    if isinstance(node, (list, tuple)):
        node = dict(enumerate(node))
    if not isinstance(node, dict) or node.get('backend_args') is not None:
        return
    for name, value in node.items():
        here = f'{key}.{name}'
        if name not in fields:
            yield from _paths(value, here, fields)
            continue
        paths = value if isinstance(value, dict) else {'': value}
        for part, path in paths.items():
            if isinstance(path, str) and path:
                if name in ('ann_file', 'data_prefix'):
                    path = osp.join(node.get('data_root') or '', path)
                yield f'{here}.{part}'.rstrip('.'), fields[name], path


def _check(what: str, path: str, key: str) -> None:
    # A prefix may also be the beginning of file names.
    pattern = escape(path) + '*' * ('data_prefix' in key)
    if '://' not in path and not glob(pattern):
        raise UserError(
            f'there is no {what} {path!r} (in {osp.abspath(".")}). Put or '
            f'link it there, or name another with --cfg-options {key}=PATH')
