"""Records of tests that nobody has run."""

import json

from mmhierseg.cli.machine import describe
from mmhierseg.cli.records import FORMAT


def save_record(folder, config, metrics, *, sha256='a' * 64, date='',
                content='a = 1', **parts):
    """Write a record as ``tools/test.py`` does.

    Args:
        folder (Path): Where to.
        config (str): Name of the config.
        metrics (dict): What was measured.
        sha256 (str): Of the checkpoint.
        date (str): When, '' for now.
        content (str): Of the config.
        parts: What else differs from a usual record.

    Returns:
        Path: The file.
    """
    record = dict(
        format=FORMAT,
        config=dict(name=config, path=f'configs/{config}.py', content=content),
        checkpoint=dict(
            path='last.pth', sha256=sha256, bytes=9, epoch=3, iter=None),
        metrics=metrics,
        data=dict(dataset='PascalVOCDataset', data_root='data', images=1449),
        seconds=1.5,
        options=dict(tta=False, amp=False, cfg_options={}),
        processes=1,
        machine=dict(describe('cpu'), commit='0123456789'))
    record.update(parts)
    if date:
        record['machine']['date'] = date
    number = len(list(folder.glob('*.json')))
    path = folder / f'test_{config}_{number}.json'
    path.write_text(json.dumps(record))
    return path
