import pytest
from mmengine.config import Config

from mmhierseg._base.errors import UserError
from mmhierseg.cli.tta import with_test_time_augmentation


def config(*names, **fields):
    pipeline = [dict(type=name) for name in names]
    return Config(dict(
        model=dict(type='Model', data_preprocessor=dict(type='Own')),
        test_dataloader=dict(dataset=dict(pipeline=pipeline)), **fields))


def augmented(cfg):
    pipeline = cfg.test_dataloader.dataset.pipeline
    names = [transform.type for transform in pipeline]
    return names, [[step.type for step in steps]
                   for steps in pipeline[-1].transforms]


def test_mirror_image_is_packed_like_the_image():
    cfg = config('Load', 'Crop', 'Pack')
    result = with_test_time_augmentation(cfg, segmentation=False)
    assert augmented(result) == (['Load', 'Crop', 'TestTimeAug'],
                                 [['RandomFlip', 'RandomFlip'], ['Pack']])
    assert [flip.prob for flip in result.test_dataloader.dataset
            .pipeline[-1].transforms[0]] == [0., 1.]
    assert cfg.model.type == 'Model'


def test_every_image_gets_its_own_superpixels():
    cfg = config('Load', 'mmhierseg.GenerateSuperpixels', 'Pack')
    result = with_test_time_augmentation(cfg, segmentation=False)
    assert augmented(result) == (['Load', 'TestTimeAug'],
                                 [['RandomFlip', 'RandomFlip'],
                                  ['mmhierseg.GenerateSuperpixels'],
                                  ['Pack']])


def test_the_config_decides():
    cfg = config('Load', 'Pack', tta_model=dict(type='Mean'),
                 tta_pipeline=[dict(type='Mine')])
    for segmentation in (True, False):
        result = with_test_time_augmentation(cfg, segmentation)
        assert result.model.type == 'Mean'
        assert result.model.module.type == 'Model'
        assert result.test_dataloader.dataset.pipeline == [dict(type='Mine')]


def test_models_own_preprocessor_is_not_replaced():
    # MMSegmentation's base configs leave theirs at the top.
    cfg = config('Load', 'Pack', data_preprocessor=dict(type='Base'))
    result = with_test_time_augmentation(cfg, segmentation=False)
    assert result.model.data_preprocessor == dict(type='Own')
    del cfg.model['data_preprocessor']
    result = with_test_time_augmentation(cfg, segmentation=False)
    assert 'data_preprocessor' not in result.model


def test_segmentor_needs_settings():
    with pytest.raises(UserError, match='needs tta_model and tta_pipeline'):
        with_test_time_augmentation(config('Pack'), segmentation=True)
    with pytest.raises(UserError, match='needs tta_pipeline in'):
        with_test_time_augmentation(
            config('Pack', tta_model=dict(type='SegTTAModel')),
            segmentation=True)


@pytest.mark.parametrize('kind', ['RetrievalSegmentor', 'HSG'])
def test_retrieval_has_no_scores_to_merge(kind):
    cfg = Config(
        dict(
            model=dict(type=f'mmhierseg.{kind}'),
            tta_model=dict(type='SegTTAModel'),
            tta_pipeline=[dict(type='TestTimeAug')],
            test_dataloader=dict(dataset=dict(type='A', pipeline=[]))))
    with pytest.raises(UserError, match=f'{kind} is tested by retrieval'):
        with_test_time_augmentation(cfg, segmentation=True)
