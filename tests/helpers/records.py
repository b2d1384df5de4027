"""Records of imaginary tests."""

import json

from tools.analysis_tools.records import FORMAT, describe


def save_record(folder, config, metrics, *, sha256='a' * 64, date='',
                content='a = 1', **parts):
    """Write a record as ``tools/test.py`` does; parts replace the usual."""
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
