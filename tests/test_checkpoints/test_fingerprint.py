import torch
from torch import nn

from mmhierseg.checkpoints.fingerprint import fingerprint


def test_tells_weights_apart():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    prints = {fingerprint(module)}
    module[1].running_mean += 1e-7
    prints.add(fingerprint(module))
    module[1].num_batches_tracked += 1
    prints.add(fingerprint(module))
    prints.add(fingerprint(module.half()))
    prints.add(fingerprint(nn.ModuleDict(dict(a=module))))
    assert len(prints) == 5


def test_same_weights():
    module = nn.Linear(3, 2)
    copy = nn.Linear(3, 2)
    copy.load_state_dict(module.state_dict())
    assert fingerprint(module) == fingerprint(copy.eval())
    # Of any layout in memory.
    copy.weight.data = copy.weight.data.t().contiguous().t()
    assert fingerprint(module) == fingerprint(copy)
