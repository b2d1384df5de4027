"""Look for the files of a config's data sets before anything is built."""

import glob
import os.path as osp
from typing import Iterator, List, Tuple

from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.match import read_checkpoint

__all__ = ['check_data', 'check_pretrained']

_ADVICE = ('Put or link the data there, or name another place with '
           '--cfg-options {key}=PATH')


def check_data(cfg: Config, fields: List[str]) -> None:
    """Check that the folders and lists of the data sets are there.

    Hooks may have loaders of their own (``custom_hooks``), as the one that
    fills the memory bank of retrieval; these are looked at, too. Data that is
    not in local files is left to its data set.

    Args:
        cfg (Config): Config of a runner.
        fields (list[str]): Loaders to look at, e.g. ``'train_dataloader'``.
            Those that are missing, or None, are passed over.

    Raises:
        UserError: If something is missing, or a list of files is empty;
            the message names the path and the setting.
    """
    loaders = [(field, cfg.get(field)) for field in fields]
    for i, hook in enumerate(cfg.get('custom_hooks') or ()):
        if isinstance(hook, dict) and isinstance(hook.get('dataloader'), dict):
            loaders.append((f'custom_hooks.{i}.dataloader', hook.dataloader))
    for field, loader in loaders:
        if loader is None or not isinstance(loader.get('dataset'), dict):
            continue
        for key, dataset in _datasets(loader.dataset, f'{field}.dataset'):
            if dataset.get('backend_args') is None:
                _check_dataset(dataset, key)


def _datasets(dataset: dict, key: str) -> Iterator[Tuple[str, dict]]:
    """Give the data sets in their wrappers, each with its key."""
    yield key, dataset
    if isinstance(dataset.get('dataset'), dict):
        yield from _datasets(dataset['dataset'], f'{key}.dataset')
    for i, inner in enumerate(dataset.get('datasets') or ()):
        if isinstance(inner, dict):
            yield from _datasets(inner, f'{key}.datasets.{i}')


def _check_dataset(dataset: dict, key: str) -> None:
    root = dataset.get('data_root') or ''
    if root and not _exists(root):
        raise _missing('data root', root, f'{key}.data_root')
    ann_file = dataset.get('ann_file')
    if isinstance(ann_file, str) and ann_file:
        path = osp.join(root, ann_file)
        if not _exists(path):
            raise _missing('annotation file', path, f'{key}.ann_file')
        if _is_empty_list(path):
            raise UserError(
                f'the list of files {path!r} is empty, so there is no image. '
                f'Name another with --cfg-options {key}.ann_file=PATH')
    prefixes = dataset.get('data_prefix') or {}
    if isinstance(prefixes, str):
        prefixes = {'': prefixes}
    for name, prefix in prefixes.items():
        path = osp.join(root, prefix or '')
        # A prefix may be the beginning of file names, too.
        if path and not _exists(path) and not glob.glob(
                glob.escape(path) + '*'):
            name = f'.{name}' if name else ''
            raise _missing('image folder', path, f'{key}.data_prefix{name}')
    # MMPretrain's ImageNet takes the split for the folder.
    if (root and dataset.get('split') and not prefixes
            and str(dataset.get('type')).split('.')[-1] == 'ImageNet'):
        path = osp.join(root, dataset['split'])
        if not _exists(path):
            raise _missing('image folder', path, f'{key}.data_root')
    for i, step in enumerate(dataset.get('pipeline') or ()):
        if str(step.get('type')).split('.')[-1] != 'LoadSegmentMap':
            continue
        folder = step.get('map_prefix')
        if folder and not _exists(folder):
            raise UserError(
                f'there is no folder of segment maps {folder!r} (in '
                f'{osp.abspath(".")}): tools/dataset_converters/'
                'generate_oversegmentation.py makes them. They may also be '
                f'elsewhere: --cfg-options {key}.pipeline.{i}.map_prefix=PATH')


def check_pretrained(cfg: Config) -> None:
    """Check that the files of weights that a config starts from are there.

    Args:
        cfg (Config): Config of a runner.

    Raises:
        UserError: If ``load_from``, or the checkpoint of an ``init_cfg``
            in the model, is missing, or the latter is no checkpoint of
            MMEngine's form.
    """
    if cfg.get('load_from') is not None and not _exists(cfg.load_from):
        raise UserError(
            f'there is no checkpoint {cfg.load_from!r} (load_from, or '
            f'--resume; in {osp.abspath(".")})')
    for key, path in _init_checkpoints(cfg.get('model'), 'model'):
        if not _exists(path):
            raise UserError(
                f'there is no checkpoint {path!r}, which {key} names. Put it '
                f'there, or name another with --cfg-options {key}=PATH')
        if '://' not in path:
            # Read for what it raises: the model would load nothing of it.
            read_checkpoint(path)


def _init_checkpoints(node, key: str) -> Iterator[Tuple[str, str]]:
    if isinstance(node, dict):
        for name in ('checkpoint', 'pretrained'):
            if isinstance(node.get(name), str):
                yield f'{key}.{name}', node[name]
        for name, value in node.items():
            yield from _init_checkpoints(value, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _init_checkpoints(value, f'{key}.{i}')


def _is_empty_list(path: str) -> bool:
    """Whether a text file has no line; MMEngine fails on such deep inside."""
    if not (path.endswith('.txt') and osp.isfile(path)):
        return False
    with open(path, 'rb') as file:
        return not any(line.strip() for line in file)


def _exists(path: str) -> bool:
    return '://' in path or osp.exists(path)


def _missing(what: str, path: str, key: str) -> UserError:
    return UserError(f'there is no {what} {path!r} (in {osp.abspath(".")})'
                        f'. {_ADVICE.format(key=key)}')
