import pytest
import torch
from helpers.full_disk import file_size_limit

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints.converted import save_converted
from mmhierseg.version import __version__


def test_what_is_written(tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    save_converted({'fc.weight': torch.ones(2)}, str(path), dict(kind='x'))
    written = torch.load(path, weights_only=True)
    assert written['meta'] == dict(mmhierseg_version=__version__, kind='x')
    assert written['state_dict'].keys() == {'fc.weight'}
    assert written['state_dict']['fc.weight'].equal(torch.ones(2))
    assert [found.name for found in path.parent.iterdir()] == ['a.pth']


def test_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    with file_size_limit(5000), pytest.raises(
            UserError, match=r'cannot write .*a\.pth.*MiB are free'):
        save_converted(dict(a=torch.zeros(5000)), str(path), {})
    assert path.read_bytes() == b'old'
    assert [found.name for found in tmp_path.iterdir()] == ['a.pth']
