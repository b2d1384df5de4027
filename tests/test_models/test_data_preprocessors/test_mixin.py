"""What holds for each of the three data preprocessors."""

import copy
import pickle

import pytest
import torch
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope
from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from mmseg.models import SegDataPreProcessor

from mmhierseg.models.data_preprocessors import (
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
    SuperpixelSelfSupDataPreprocessor,
)
from mmhierseg.superpixels import Grid, TorchSLIC

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
SLIC = dict(type='TorchSLIC', segment_size=8)

PREPROCESSORS = [
    pytest.param(
        SuperpixelClsDataPreprocessor, ClsDataPreprocessor, 'to_rgb',
        id='cls'),
    pytest.param(
        SuperpixelSelfSupDataPreprocessor,
        SelfSupDataPreprocessor,
        'to_rgb',
        id='selfsup'),
    pytest.param(
        SuperpixelSegDataPreProcessor,
        SegDataPreProcessor,
        'bgr_to_rgb',
        id='seg'),
]
each = pytest.mark.parametrize('kind, base, flag', PREPROCESSORS)


def run(preprocessor, inputs):
    return preprocessor(dict(inputs=inputs, data_samples=None))['inputs']


@each
class TestEachPreprocessor:

    def test_map_of_the_pipeline(self, kind, base, flag, bgr, maps, rgbs):
        options = {**NORM, flag: True}
        found = run(kind(**options), rgbs)
        assert found.shape == (2, 4, 40, 56)
        assert found.dtype == torch.float32
        assert found[:, 3].long().equal(maps.long())
        assert found[:, :3].equal(run(base(**options), bgr))

    def test_map_in_float(self, kind, base, flag, maps, rgbs):
        found = run(kind(**NORM), rgbs.float())
        assert found[:, 3].long().equal(maps.long())

    def test_made_from_the_rgb_pixels(self, kind, base, flag, bgr):
        options = {**NORM, flag: True}
        found = run(kind(superpixels=SLIC, **options), bgr)
        expected = TorchSLIC(segment_size=8)(bgr.flip(1))
        assert found.dtype == torch.float32
        assert found[:, 3].equal(expected.float())
        assert found[:, :3].equal(run(base(**options), bgr))

    def test_without_conversion_images_are_rgb(self, kind, base, flag, bgr):
        found = run(kind(superpixels=SLIC, **NORM), bgr.flip(1))
        expected = TorchSLIC(segment_size=8)(bgr.flip(1))
        assert found[:, 3].equal(expected.float())

    def test_without_normalisation(self, kind, base, flag, bgr):
        found = run(kind(superpixels=SLIC, **{flag: True}), bgr)
        assert found[:, :3].equal(bgr.flip(1).float())
        expected = TorchSLIC(segment_size=8)(bgr.flip(1))
        assert found[:, 3].equal(expected.float())

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
    def test_no_half_precision(self, kind, base, flag, bgr, rgbs, maps, dtype):
        carry, make = kind(**NORM), kind(superpixels=SLIC, **NORM)
        expected = run(make, bgr)
        with torch.autocast('cpu', dtype=dtype):
            assert run(carry, rgbs)[:, 3].long().equal(maps.long())
            assert run(make, bgr).equal(expected)
        found = run(carry.to(dtype), rgbs)
        assert found.dtype == torch.float32
        assert found[:, 3].long().equal(maps.long())

    def test_input_is_left_alone(self, kind, base, flag, bgr, rgbs):
        before = rgbs.clone(), bgr.clone()
        data = dict(inputs=rgbs, data_samples=None)
        kind(**NORM)(data)
        run(kind(superpixels=SLIC, **NORM), bgr)
        assert data['inputs'] is rgbs
        assert rgbs.equal(before[0]) and bgr.equal(before[1])

    def test_non_contiguous(self, kind, base, flag, rgbs, maps):
        turned = rgbs.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        assert run(kind(**NORM), turned)[:, 3].long().equal(maps.long())

    def test_neither_map_nor_method(self, kind, base, flag, bgr):
        with pytest.raises(
                ValueError,
                match=r'3 channels and `superpixels` is None.*'
                rf'{kind.__name__}\(superpixels=.*GenerateSuperpixels'):
            run(kind(**NORM), bgr)

    def test_both_map_and_method(self, kind, base, flag, rgbs):
        with pytest.raises(
                ValueError,
                match='4 channels.*`superpixels` is set as well. Remove one'):
            run(kind(superpixels=SLIC, **NORM), rgbs)

    @pytest.mark.parametrize('channels', [1, 2, 5])
    def test_other_channels(self, kind, base, flag, channels):
        with pytest.raises(ValueError, match=rf'got \(2, {channels}, 8, 9\)'):
            run(kind(superpixels=SLIC), torch.zeros(2, channels, 8, 9))

    @pytest.mark.parametrize('method', ['TorchSLIC', 16, [SLIC]])
    def test_bad_method(self, kind, base, flag, method):
        with pytest.raises(TypeError, match='`superpixels` must be a config'):
            kind(superpixels=method)

    def test_method_as_an_instance(self, kind, base, flag, bgr):
        found = run(kind(superpixels=Grid(segment_size=8)), bgr)
        assert found[:, 3].max() == 34

    @pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmengine'])
    def test_builds_by_its_scoped_name(self, kind, base, flag, scope):
        config = dict(type=f'mmhierseg.{kind.__name__}', superpixels=SLIC)
        before = copy.deepcopy(config)
        with DefaultScope.overwrite_default_scope(scope):
            preprocessor = MMENGINE_MODELS.build(config)
        assert type(preprocessor) is kind and isinstance(preprocessor, base)
        assert isinstance(preprocessor.superpixels, TorchSLIC)
        assert config == before

    def test_copies(self, kind, base, flag, bgr):
        preprocessor = kind(superpixels=SLIC, **NORM)
        expected = run(preprocessor, bgr)
        assert run(copy.deepcopy(preprocessor), bgr).equal(expected)
        pickled = pickle.loads(pickle.dumps(preprocessor))
        assert run(pickled, bgr).equal(expected)
        assert not preprocessor.state_dict()


@pytest.mark.parametrize('kind', [
    SuperpixelSelfSupDataPreprocessor,
    SuperpixelSegDataPreProcessor,
])
def test_bgr_output(kind, bgr):
    """Models that want BGR get superpixels of the RGB image all the same."""
    found = run(kind(superpixels=SLIC, rgb_to_bgr=True, **NORM), bgr.flip(1))
    expected = TorchSLIC(segment_size=8)(bgr.flip(1))
    assert found[:, 3].equal(expected.float())


@pytest.mark.parametrize('kind', [
    SuperpixelClsDataPreprocessor,
    SuperpixelSegDataPreProcessor,
])
class TestLists:

    def test_no_tensors(self, kind):
        with pytest.raises(TypeError, match='`inputs` must be a tensor .* or'):
            run(kind(superpixels=SLIC), ['a.jpg'])
        with pytest.raises(TypeError, match='`inputs` must be a tensor .* or'):
            run(kind(superpixels=SLIC), [])

    def test_mixed_channels(self, kind, bgr, rgbs):
        with pytest.raises(ValueError,
                           match='the same for all images; got a list of'):
            run(kind(superpixels=SLIC), [bgr[0].int(), rgbs[1]])

    def test_wrong_axes(self, kind, bgr):
        with pytest.raises(ValueError, match=r'a list of \[\(2, 3, 40, 56'):
            run(kind(superpixels=SLIC), [bgr])
        with pytest.raises(ValueError, match=r'got \(3, 40, 56\)'):
            run(kind(superpixels=SLIC), bgr[0])
