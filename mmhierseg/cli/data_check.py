"""Look for the files that a config names before anything is built."""

import glob
import os.path as osp
from collections.abc import Iterator

from mmengine.config import Config

from mmhierseg._base import UserError
from mmhierseg.checkpoints import read_checkpoint
from mmhierseg.cli.adapt import class_name

__all__ = ['check_data', 'check_pretrained']


def check_data(cfg: Config, fields: list[str]) -> None:
    """Check that the folders and lists of the datasets are there.

    Of the loaders with these names and of those of ``custom_hooks``, as far
    as they are local. Errors name the path and the setting.
    """
    loaders = {field: cfg.get(field) for field in fields}
    for i, hook in enumerate(cfg.get('custom_hooks') or ()):
        if isinstance(hook, dict) and isinstance(hook.get('dataloader'), dict):
            loaders[f'custom_hooks.{i}.dataloader'] = hook.dataloader
    for field, loader in loaders.items():
        if loader is None or not isinstance(loader.get('dataset'), dict):
            continue
        for key, dataset in _datasets(loader.dataset, f'{field}.dataset'):
            if dataset.get('backend_args') is None:
                _check_dataset(dataset, key)


def check_pretrained(cfg: Config) -> None:
    """Check that the files that the weights start from are there."""
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
            # Only for its errors: the model would ignore what is in it.
            read_checkpoint(path)


def _datasets(dataset: dict, key: str) -> Iterator[tuple[str, dict]]:
    """The dataset and those in it, if it is a wrapper, with their keys."""
    yield key, dataset
    if isinstance(dataset.get('dataset'), dict):
        yield from _datasets(dataset['dataset'], f'{key}.dataset')
    for i, inner in enumerate(dataset.get('datasets') or ()):
        if isinstance(inner, dict):
            yield from _datasets(inner, f'{key}.datasets.{i}')


def _check_dataset(dataset: dict, key: str) -> None:
    root = dataset.get('data_root') or ''
    _check('data root', root, f'{key}.data_root')
    ann_file = dataset.get('ann_file')
    if isinstance(ann_file, str) and ann_file:
        path = osp.join(root, ann_file)
        _check('annotation file', path, f'{key}.ann_file')
        if path.endswith('.txt') and osp.isfile(path):
            # MMEngine fails deep inside.
            with open(path, 'rb') as file:
                if not any(line.strip() for line in file):
                    raise UserError(
                        f'the list of files {path!r} is empty. Name another '
                        f'with --cfg-options {key}.ann_file=PATH')
    prefixes = dataset.get('data_prefix') or {}
    if isinstance(prefixes, str):
        prefixes = {'': prefixes}
    for name, prefix in prefixes.items():
        path = osp.join(root, prefix or '')
        # A prefix may be the beginning of file names, too.
        if not glob.glob(glob.escape(path) + '*'):
            _check('image folder', path,
                   f'{key}.data_prefix.{name}'.rstrip('.'))
    # MMPretrain's ImageNet takes the split for the folder.
    if (root and dataset.get('split') and not prefixes
            and class_name(dataset) == 'ImageNet'):
        _check('image folder', osp.join(root, dataset['split']),
               f'{key}.data_root')
    for i, step in enumerate(dataset.get('pipeline') or ()):
        if class_name(step) == 'LoadSegmentMap':
            _check('folder of segment maps', step.get('map_prefix') or '',
                   f'{key}.pipeline.{i}.map_prefix',
                   'tools/dataset_converters/generate_oversegmentation.py '
                   'makes them')


def _check(what: str, path: str, key: str,
           advice: str = 'Put or link the data there') -> None:
    if path and not _exists(path):
        raise UserError(
            f'there is no {what} {path!r} (in {osp.abspath(".")}). {advice}, '
            f'or name another place with --cfg-options {key}=PATH')


def _init_checkpoints(node, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ('checkpoint', 'pretrained') and isinstance(value, str):
                yield f'{key}.{name}', value
            yield from _init_checkpoints(value, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _init_checkpoints(value, f'{key}.{i}')


def _exists(path: str) -> bool:
    return '://' in path or osp.exists(path)
