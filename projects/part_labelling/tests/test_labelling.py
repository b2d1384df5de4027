"""Segments, labels and results on disk, with encoders of known answers."""

import zlib

import numpy as np
import pytest
import torch
from helpers.evaluation import blobs
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
)
from projects.part_labelling.part_labelling import (
    PartLabeller,
    ResultCache,
    mask_levels,
)

SIZE = (12, 15)
METRICS = [
    dict(type=f'mmhierseg.{name}', task=task)
    for name in ('TaskMIoU', 'TaskBoundaryFScore')
    for task in ('object', 'part')
]


class FixedSegments(nn.Module):
    """Segments that are known beforehand, by the image's first value."""

    backbone_path = 'model.'

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, inputs, crop, cache):
        return tuple(map(torch.from_numpy, self.maps[int(inputs[0, 0, 0, 0])]))


def unit_vector(content):
    """A vector that depends on all bytes of a text or an array."""
    rng = np.random.default_rng(zlib.crc32(content))
    vector = rng.standard_normal(8)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class HashEncoder:
    """Any change of a picture or a text changes its embedding."""

    def __init__(self, key='hash'):
        self.key, self.calls = key, 0

    def normalize(self, crop):
        return crop.float() / 64 - 1

    def encode_pictures(self, pictures):
        self.calls += 1
        return torch.from_numpy(
            np.stack([unit_vector(p.numpy().tobytes()) for p in pictures]))

    def encode_texts(self, texts):
        return torch.from_numpy(
            np.stack([unit_vector(text.encode()) for text in texts]))


def make_image(seed):
    """Segments of parts and of objects, with pixels that have none; sample."""
    rng = np.random.default_rng(seed)
    maps = []
    for number in (9, 5):
        labels = 7 * blobs(rng, number, 1.5, SIZE)
        labels[blobs(rng, 6, 1.5, SIZE) == 0] = -1
        maps.append(labels)
    if seed == 0:  # nothing is covered
        maps[1][:] = maps[0][:] = -1
    sample = SegDataSample(metainfo=dict(img_path=f'{seed}.JPEG'))
    crop = rng.integers(0, 256, (3, *SIZE), dtype=np.uint8)
    sample.crop = PixelData(data=torch.from_numpy(crop))
    for name, number in (('object', 12), ('part', 41)):
        sample.set_field(
            PixelData(data=torch.from_numpy(
                rng.integers(0, number, (1, *SIZE)))), f'gt_{name}')
    return maps, sample


def predict(number, encoder=None, **options):
    """Images, data samples and the model that predicted them."""
    maps, samples = zip(*map(make_image, range(number)))
    model = PartLabeller(
        FixedSegments(maps), encoder or HashEncoder(), **options)
    inputs = torch.arange(number).float().view(-1, 1, 1, 1).expand(
        -1, 3, *SIZE)
    return maps, model(inputs, list(samples), 'predict'), model


def brute_force(part_map, object_map, crop):
    """The definition, pixel by pixel."""
    encoder = HashEncoder()

    def best(labels, segment, names):
        picture = np.full((3, *SIZE), .5, dtype=np.float32)
        for y, x in np.argwhere(labels == segment):
            picture[:, y, x] = crop[:, y, x].astype(np.float32) / 64 - 1
        embedding = encoder.encode_pictures(
            torch.from_numpy(picture)[None])[0].numpy()
        cosines = {
            name: float(unit_vector(f'a photo of a {name}'.encode())
                        @ embedding) for name in names
        }
        return max(cosines, key=cosines.get)

    objects, parts = np.full(SIZE, 11), np.full(SIZE, 40)
    for segment in set(object_map[object_map >= 0].tolist()):
        name = best(object_map, segment, [*OBJECTS, 'Background'])
        objects[object_map == segment] = [*OBJECTS, 'Background'].index(name)
    for segment in set(part_map[part_map >= 0].tolist()):
        y, x = np.argwhere(part_map == segment)[0]
        if objects[y, x] < 11:
            own = [part for part in PARTS
                   if part.startswith(OBJECTS[objects[y, x]] + ' ')]
            parts[part_map == segment] = PARTS.index(
                best(part_map, segment, own))
    return objects, parts


def test_labels_are_those_of_a_slow_reference():
    maps, samples, _ = predict(60)
    background = 0
    for (part_map, object_map), sample in zip(maps, samples):
        objects, parts = brute_force(
            part_map, object_map, sample.crop.data.numpy())
        for name, expected in (('object', objects), ('part', parts)):
            found = sample.get(f'pred_{name}').data
            assert found.shape == (1, *SIZE) and found.dtype == torch.int64
            np.testing.assert_array_equal(found[0], expected)
        # What is outside of an object has no part.
        first = parts[objects == 11]
        background += (first == 40).sum() > 0
    assert background > 30


class KnowingEncoder(HashEncoder):
    """Knows what a picture shows by its red, and what a text names."""

    names = [*OBJECTS, 'Background', *PARTS]

    def normalize(self, crop):
        return crop.float() + 1

    def encode_pictures(self, pictures):
        shown = torch.stack([
            picture[0][picture[0] != .5][0] for picture in pictures])
        known = torch.eye(len(self.names))
        # Parts, and the objects that they belong to.
        known[12:] += 2 * known[
            torch.from_numpy(OBJECT_OF_PART[1:].astype(int)) - 1]
        return known[shown.long() - 1]

    def encode_texts(self, texts):
        prompt = 'a photo of a '
        assert all(text.startswith(prompt) for text in texts)
        return torch.eye(len(self.names))[
            [self.names.index(text[len(prompt):]) for text in texts]]


def test_known_answers_score_100():
    rng = np.random.default_rng(0)
    parts = 7 * blobs(rng, 6, 2, SIZE)
    parts[blobs(rng, 5, 2, SIZE) < 2] = 40
    objects = np.append(OBJECT_OF_PART[1:].astype(int) - 1, 11)[parts]
    sample = make_image(1)[1]
    shown = np.where(parts == 40, 11, 12 + parts).astype(np.uint8)
    sample.crop.data = torch.from_numpy(np.stack([shown] * 3))
    for name, labels in (('object', objects), ('part', parts)):
        sample.get(f'gt_{name}').data = torch.from_numpy(labels)[None]
    model = PartLabeller(FixedSegments([(parts, objects)]), KnowingEncoder())
    model(torch.zeros(1, 3, *SIZE), [sample], 'predict')
    results = scores([sample])
    for task in ('object', 'part'):
        assert results[f'{task}/mIoU'] == 100
        assert results[f'{task}/BoundaryFScore/mFscore'] == 100
        assert results[f'{task}/images'] == 1


def scores(samples):
    evaluator = Evaluator(METRICS)
    evaluator.dataset_meta = dict(classes=())
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


class FailingEncoder(HashEncoder):
    """Fails on some calls."""

    def __init__(self, failing, error):
        super().__init__()
        self.failing, self.error = failing, error

    def encode_pictures(self, pictures):
        if self.calls in self.failing:
            self.calls += 2  # as if the image had passed
            raise self.error
        return super().encode_pictures(pictures)


def test_failed_images_are_counted_and_too_many_stop_the_test():
    # Two calls for each image but the first, which has no segments.
    error = RuntimeError('no memory for dreams')
    _, samples, _ = predict(6, FailingEncoder({2, 6}, error))
    failed = [sample.get('failure', '') for sample in samples]
    assert [i for i, text in enumerate(failed) if text] == [2, 4]
    assert failed[2] == 'RuntimeError: no memory for dreams'
    rest = scores([sample for sample in samples if 'failure' not in sample])
    found = scores(samples)
    for task in ('object', 'part'):
        assert found.pop(f'{task}/failed') == 2
        assert rest.pop(f'{task}/failed') == 0
        assert found[f'{task}/images'] == 4
    assert found == rest
    with pytest.raises(UserError, match="2 images failed, .*'4.JPEG': Runt"):
        predict(6, FailingEncoder({2, 6}, error), max_failures=1)
    # These are not of an image.
    for general in (UserError('wrong size'), OSError('disk full')):
        with pytest.raises(type(general), match=str(general)):
            predict(6, FailingEncoder({2}, general))
    del samples[0].pred_part
    with pytest.raises(UserError, match='has no `pred_part`'):
        scores(samples[:1])


def predictions(samples):
    return [sample.get(f'pred_{name}').data.tolist() for sample in samples
            for name in ('object', 'part')]


def test_embeddings_are_kept(tmp_path, capsys):
    """Damaged ones, and those of another encoder, are computed again."""
    folder = tmp_path / 'new/cache'
    expected = predictions(predict(5)[1])

    def calls(number=5, **options):
        encoder = HashEncoder(**options)
        samples = predict(number, encoder, cache_dir=str(folder))[1]
        assert predictions(samples) == expected[:2 * number]
        return encoder.calls

    # One image has no segments.
    assert calls(3) == 4 and calls(5) == 4 and calls(5) == 0
    files = sorted(folder.rglob('*.npz'))
    assert len(files) == 8 and not list(folder.rglob('*.part'))
    contents = [path.read_bytes() for path in files]
    # A bit in the middle of the data.
    flipped = bytearray(contents[4])
    flipped[len(flipped) // 2] ^= 1
    for i, damaged in enumerate((
            b'', b'garbage', contents[2][:len(contents[2]) // 2],
            contents[3][:-1], bytes(flipped),
            contents[5].replace(b'value', b'valve'))):
        files[i].write_bytes(damaged)
    np.save(files[6].open('wb'), np.zeros(3))
    MMLogger.get_instance('test_embeddings_are_kept')
    assert calls(5) == 7
    assert capsys.readouterr().out.count("npz' is damaged") == 7
    assert [path.read_bytes() for path in files] == contents
    assert calls(5, key='other') == 8


def test_cache_tells_keys_apart(tmp_path):
    cache = ResultCache(str(tmp_path))
    arrays = np.zeros(4, np.uint8), np.zeros((2, 2), np.uint8), np.zeros(
        2, np.uint16)
    keys = [*([array] for array in arrays), ['a', 'b'], ['ab'], ['ab', ''],
            ['\0' * 4], [arrays[0], 'a'], ['a', arrays[0]]]
    for i, key in enumerate(keys * 2):
        value = np.array(i % len(keys))
        assert cache(key, lambda value=value: value) == value
    assert len(list(tmp_path.rglob('*.npz'))) == len(keys)


def test_levels_of_masks():
    """The first and the last of the masks by falling area at a pixel."""
    rng = np.random.default_rng(0)
    for number in (0, 1, 7, 20):
        masks = rng.random((number, 5, 8)) < rng.random((number, 1, 1))
        masks[3:5] = masks[2:3]  # equal ones
        order = sorted(range(number), key=lambda i: -masks[i].sum())
        parts, objects = mask_levels(masks)
        for y, x in np.ndindex(5, 8):
            covering = [place for place, i in enumerate(order)
                        if masks[i, y, x]]
            assert objects[y, x] == (covering or [-1])[0]
            assert parts[y, x] == (covering or [-1])[-1]


def test_only_prediction():
    with pytest.raises(NotImplementedError, match='no loss'):
        PartLabeller(FixedSegments([]), HashEncoder())(None, mode='loss')
    with pytest.raises(ValueError, match='`max_failures`'):
        PartLabeller(FixedSegments([]), HashEncoder(), max_failures=-1)
