"""HSG trains on two processes, and fills one bank for both.

That they measure what one does: `tests/test_retrieval_configs.py`.
"""

import re

import pytest
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.oversegmentation_data import make_oversegmentation_data
from helpers.segmentation_data import COUNTS

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


def test_trains_on_two_processes(tool, tmp_path, monkeypatch):
    """Each has images of its own, in training, of the bank and to test."""
    make_oversegmentation_data(tmp_path, ['cityscapes'])
    monkeypatch.chdir(tmp_path)
    cfg = shrink_hsg(HSG_PATHS['hsg_r50_cityscapes-448x448'])
    cfg.train_dataloader.batch_size = 1
    cfg.dump('config.py')
    output = tool(
        'dist_train.sh', 'config.py', 2, '--work-dir', 'work',
        cwd=tmp_path).stdout
    # A parameter without a gradient would stop the second one.
    assert re.findall(r'Iter\(train\) \[(\d)/2\]', output) == ['1', '2']
    images, = re.findall(r'Memory bank of \d+ segments of (\d+) images',
                         output)
    assert int(images) == COUNTS[0]
    line, = re.findall(r'Iter\(val\) .* mIoU: .*', output)
    for level in range(3):
        assert float(re.search(rf'level{level}: ([\d.]+)', line)[1]) > 0
