import pytest
import torch
from helpers.scripts import TOOLS, load_script
from safetensors.torch import load_file

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints import read_checkpoint

main = load_script(TOOLS / 'model_converters/publish_model.py').main
WEIGHTS = {
    'backbone.weight': torch.tensor([[0.1, 2.]]),
    'backbone.count': torch.tensor(2),
    'momentum_encoder.module.0.weight': torch.zeros(2),
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=WEIGHTS, optimizer={}, meta=dict(iter=1)), path)
    return str(path)


def test_weights_of_the_trained_model(source, tmp_path):
    main([source, str(tmp_path / 'a.safetensors'), '--half'])
    found = load_file(tmp_path / 'a.safetensors')
    assert set(found) == {'backbone.weight', 'backbone.count'}
    assert found['backbone.weight'].dtype == torch.float16
    assert found['backbone.weight'].equal(WEIGHTS['backbone.weight'].half())
    main([source, str(tmp_path / 'b.pth'), '--hash'])
    path, = tmp_path.glob('b-????????.pth')
    read = read_checkpoint(path)['state_dict']
    assert set(read) == set(found)
    assert read['backbone.weight'].equal(WEIGHTS['backbone.weight'])


def test_mistakes(source, tmp_path):
    large, empty = tmp_path / 'large.pth', tmp_path / 'empty.pth'
    torch.save(dict(state_dict=dict(x=torch.tensor([1e6]))), large)
    torch.save(dict(meta={}), empty)
    out = tmp_path / 'out.safetensors'
    for path, message in ((large, 'range of float16'), (empty, 'no weights')):
        with pytest.raises(UserError, match=message):
            main([str(path), str(out), '--half'])
    main([source, str(out)])
    out.write_bytes(out.read_bytes()[:50])
    with pytest.raises(UserError, match='is damaged'):
        read_checkpoint(out)
