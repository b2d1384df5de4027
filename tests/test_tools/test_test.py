"""Testing by tools/test.py."""

import hashlib
import json
import pickle
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mmhierseg.checkpoints import hub


def value_of(name, output):
    return float(re.findall(rf'{name}: (-?[\d.]+)', output)[-1])


def test_classifier_writes_metrics(tool, classifier_config,
                                   trained_classifier, tmp_path):
    trained, folder = trained_classifier
    out = tmp_path / 'metrics.json'
    tool('test.py', classifier_config, folder / 'epoch_1.pth', '--work-dir',
         tmp_path, '--out', out, '--out-item', 'metrics')
    metrics = json.loads(out.read_text())
    # The validation at the end of training gave the same.
    assert metrics['accuracy/top1'] == value_of('accuracy/top1', trained)
    record, = tmp_path.glob('test_classifier_*.json')
    record = json.loads(record.read_text())
    assert record['metrics'] == metrics
    weights = (folder / 'epoch_1.pth').read_bytes()
    assert record['checkpoint'] == dict(
        path=str(folder / 'epoch_1.pth'), epoch=1, iter=4,
        sha256=hashlib.sha256(weights).hexdigest(), bytes=len(weights))
    assert record['data'].items() >= dict(dataset='ImageNet', images=4).items()
    assert record['processes'] == 1 and record['seconds'] > 0
    assert record['config']['name'] == 'classifier'
    assert "type='ImageClassifier'" in record['config']['content']
    assert record['machine']['versions']['torch'] == torch.__version__


def test_checkpoint_by_name(tool, classifier_config, trained_classifier,
                            tmp_path, monkeypatch):
    """The file that was fetched is tested, and recorded."""
    trained, folder = trained_classifier
    weights = torch.load(folder / 'epoch_1.pth', weights_only=False)
    fetched = tmp_path / 'fetched.safetensors'
    save_file(weights['state_dict'], fetched)
    monkeypatch.setattr(hub, 'fetch', lambda name, published: fetched)
    output = tool('test.py', classifier_config, 'cast-s_deit_in1k',
                  '--work-dir', tmp_path)
    assert value_of('accuracy/top1', output) == value_of(
        'accuracy/top1', trained)
    record, = tmp_path.glob('test_classifier_*.json')
    assert json.loads(record.read_text())['checkpoint'] == dict(
        path='mmhierseg://cast-s_deit_in1k', epoch=None, iter=None,
        sha256=hashlib.sha256(fetched.read_bytes()).hexdigest(),
        bytes=fetched.stat().st_size)
    output = tool('test.py', classifier_config, 'cast-s_coco', status=1)
    assert "no weights of 'cast-s_coco' to download; there are" in output


def test_classifier_tta_is_the_mean_of_both_directions(
        tool, classifier_config, trained_classifier, tmp_path):
    resize = "    dict(type='Resize', scale=(40, 32)),\n"
    mirrored = tmp_path / 'mirrored.py'
    mirrored.write_text(classifier_config.read_text().replace(
        resize, resize + "    dict(type='RandomFlip', prob=1.),\n"))
    scores = []
    for config, options in ((classifier_config, []), (mirrored, []),
                            (classifier_config, ['--tta'])):
        out = tmp_path / 'scores.pkl'
        tool('test.py', config, trained_classifier[1] / 'epoch_1.pth',
             '--work-dir', tmp_path, '--out', out, *options)
        scores.append(torch.stack([
            sample['pred_score'] for sample in pickle.loads(out.read_bytes())
        ]))
    plain, mirror, both = scores
    assert not torch.allclose(plain, mirror)
    torch.testing.assert_close(both, (plain + mirror) / 2)


@pytest.mark.parametrize('options', [(), ('--tta', '--amp')])
def test_segmentor_writes_label_maps(tool, segmentor_config,
                                     trained_segmentor, tmp_path, options):
    output = tool('test.py', segmentor_config,
                  trained_segmentor[1] / 'iter_2.pth', '--work-dir', tmp_path,
                  '--out', tmp_path / 'maps', '--show-dir', tmp_path / 'drawn',
                  *options)
    assert 0 <= value_of('mIoU', output) <= 100
    label_map = np.array(Image.open(tmp_path / 'maps' / '4.png'))
    assert label_map.shape == (36, 48)
    assert list((tmp_path / 'drawn').rglob('test_4.jpg_1.png'))


def test_checkpoint_of_another_model(tool, classifier_config, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'state_dict': {'decoder.weight': torch.zeros(2)}}, path)
    output = tool('test.py', classifier_config, path, '--work-dir', tmp_path,
                  status=1)
    assert 'is of another model: it has nothing for' in output
