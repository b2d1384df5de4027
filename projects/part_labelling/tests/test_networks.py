"""CLIP by open_clip, SAM by transformers, from a local folder."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.evaluation import blobs

from mmhierseg._base.errors import UserError
from projects.part_labelling.part_labelling import (
    OpenCLIPEncoder,
    ResultCache,
    SAMSegments,
    mask_levels,
)
from projects.part_labelling.part_labelling.labelling import segment_pictures
from projects.part_labelling.tests.models import save_clip, save_sam


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    pytest.importorskip('open_clip')
    folder = tmp_path_factory.mktemp('clip') / 'model'
    return folder, save_clip(folder)


def test_clip_from_a_folder(clip):
    """Embeddings are open_clip's, of pictures normalised before masking."""
    import open_clip
    folder, net = clip
    encoder = OpenCLIPEncoder(f'local-dir:{folder}', None, batch_size=2)
    # Its weights are no part of a checkpoint.
    assert not encoder.state_dict()
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    labels = torch.from_numpy(blobs(rng, 5, 20, (224, 224)))
    crop = torch.from_numpy(crop.transpose(2, 0, 1))
    normal = encoder.normalize(crop)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    for i in range(3):
        torch.testing.assert_close(
            normal[i], (crop[i] / 255. - mean[i]) / std[i])
    pictures = segment_pictures(normal, labels, 5)
    with torch.no_grad():
        expected = torch.cat([
            net.encode_image(torch.where(labels == i, normal, .5)[None])
            for i in range(5)])
    for dtype in (None, torch.bfloat16):
        # A CPU computes in full precision, whatever is around it.
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            found = encoder.encode_pictures(pictures)
        torch.testing.assert_close(found, F.normalize(expected, dim=1))
    names = ['a photo of a Quadruped Head', 'a photo of a Boat']
    with torch.no_grad():
        expected = net.encode_text(open_clip.tokenize(names))
    torch.testing.assert_close(
        encoder.encode_texts(names), F.normalize(expected, dim=1))


def test_key_of_clip_is_of_all_that_its_embeddings_need(clip, tmp_path):
    folder, _ = clip
    key = OpenCLIPEncoder(f'local-dir:{folder}', None).key
    assert OpenCLIPEncoder(f'local-dir:{folder}', None, batch_size=1).key == (
        key)
    save_clip(tmp_path / 'other', seed=1)
    other = OpenCLIPEncoder(f'local-dir:{tmp_path / "other"}', None).key
    path = tmp_path / 'other/open_clip_config.json'
    config = json.loads(path.read_text())
    config['preprocess_cfg'] = dict(mean=[.5, .5, .5])
    path.write_text(json.dumps(config))
    third = OpenCLIPEncoder(f'local-dir:{tmp_path / "other"}', None).key
    # The same weights with another GELU.
    config['model_cfg']['quick_gelu'] = False
    path.write_text(json.dumps(config))
    fourth = OpenCLIPEncoder(f'local-dir:{tmp_path / "other"}', None).key
    assert len({key, other, third, fourth}) == 4


def test_clip_that_cannot_be_loaded(clip, tmp_path):
    folder, _ = clip
    encoder = OpenCLIPEncoder(f'local-dir:{folder}', None)
    with pytest.raises(UserError, match='224 x 224 .* has 96 x 96'):
        encoder.normalize(torch.zeros(3, 96, 96, dtype=torch.uint8))
    (tmp_path / 'open_clip_config.json').write_bytes(
        (folder / 'open_clip_config.json').read_bytes())
    for options in (('ViT-B-16', 'no such'), ('ViT-Q-3', None),
                    (f'local-dir:{tmp_path / "no"}', None),
                    (f'local-dir:{tmp_path}', None)):  # no weights
        with pytest.raises(UserError, match='CLIP cannot be loaded from'):
            OpenCLIPEncoder(*options)


#: Few points, and all masks that they give.
OPTIONS = dict(points_per_crop=3, pred_iou_thresh=-9.,
               stability_score_thresh=-1., crops_nms_thresh=.97)


@pytest.fixture(scope='module')
def sam(tmp_path_factory):
    pytest.importorskip('transformers')
    folder = tmp_path_factory.mktemp('sam') / 'model'
    return folder, save_sam(folder)


def crop_of(seed):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (3, 96, 96), dtype=np.uint8))


def test_sam_from_a_folder(sam, tmp_path):
    """Masks are those of transformers' generator; they are kept on disk."""
    from PIL import Image
    from transformers import SamImageProcessor, pipeline
    folder, net = sam
    segments = SAMSegments(str(folder), OPTIONS)
    assert not segments.state_dict()
    cache = ResultCache(str(tmp_path))
    generate = pipeline('mask-generation', model=net, image_processor=(
        SamImageProcessor.from_pretrained(folder)))
    for seed in range(2):
        crop = crop_of(seed)
        masks = generate(Image.fromarray(crop.permute(1, 2, 0).numpy()),
                         **OPTIONS)['masks']
        assert len(masks) > 2
        expected = mask_levels(np.stack([np.asarray(m) for m in masks]))
        inputs = torch.zeros(1, 3, 96, 96)
        for _ in range(2):
            found = segments(inputs, crop, cache)
            for one, other in zip(found, expected):
                np.testing.assert_array_equal(one, other)
        assert len(list(tmp_path.rglob('*.npz'))) == seed + 1
    # Without its defaults' thresholds, there is nothing.
    strict = SAMSegments(str(folder), dict(OPTIONS, pred_iou_thresh=9.))
    for labels in strict(inputs, crop, cache):
        assert (labels == -1).all()
    assert len(list(tmp_path.rglob('*.npz'))) == 3
    segments.generator = None
    segments.forward(inputs, crop, cache)
    assert segments.generator is None


def test_weights_of_sam_are_those_of_its_folder(sam, tmp_path, monkeypatch):
    folder, net = sam
    segments = SAMSegments(str(folder))
    weights = {**net.state_dict(), 'other': torch.zeros(1)}
    segments.take_weights(weights)
    assert list(weights) == ['other']
    other = save_sam(tmp_path / 'other', seed=1)
    for weights in (other.state_dict(), {'backbone.weight': torch.zeros(1)}):
        with pytest.raises(UserError, match='the checkpoint has others'):
            segments.take_weights(dict(weights))
    key = SAMSegments(str(tmp_path / 'other')).key
    assert key != segments.key
    moved = (tmp_path / 'other').rename(tmp_path / 'moved')
    assert SAMSegments(str(moved)).key == key
    config = json.loads((moved / 'config.json').read_text())
    config['vision_config']['hidden_act'] = 'relu'
    (moved / 'config.json').write_text(json.dumps(config))
    assert SAMSegments(str(moved)).key != key
    with pytest.raises(UserError, match='SAM cannot be loaded from'):
        SAMSegments(str(tmp_path / 'no'))

    def no_nms(*args):
        raise RuntimeError('no custom C++ ops')

    monkeypatch.setattr('torchvision.ops.boxes.nms', no_nms)
    with pytest.raises(UserError, match='compiled operators of torchvision'):
        SAMSegments(str(folder))
