"""Test-time augmentation for classifiers and segmentors."""

from copy import deepcopy
from typing import List, Union

from mmengine.config import Config, ConfigDict

from mmhierseg._base.errors import UserError
from mmhierseg.registry import MODELS

__all__ = ['with_test_time_augmentation']

# Transforms that make the segment map from the image. They stay behind the
# augmentation, so that every augmented image gets its own map.
_AFTER_AUGMENTATION = ('GenerateSuperpixels', )


def with_test_time_augmentation(cfg: Config, segmentation: bool) -> Config:
    """Wrap the model of a config for test-time augmentation.

    Args:
        cfg (Config): Config of a runner, with a model and a test loader.
        segmentation (bool): Whether the model is a segmentor. It needs
            ``tta_model`` and ``tta_pipeline`` in the config, as
            MMSegmentation's data sets have; a classifier without them gets
            the mean score of the image and its mirror image.

    Returns:
        Config: A changed copy.

    Raises:
        UserError: If the config lacks what it needs.
    """
    cfg = deepcopy(cfg)
    if segmentation:
        missing = [
            name for name in ('tta_model', 'tta_pipeline')
            if cfg.get(name) is None
        ]
        if missing:
            raise UserError(
                f'--tta needs {" and ".join(missing)} in the config. '
                "MMSegmentation's data set configs show a tta_pipeline; "
                "tta_model is usually dict(type='SegTTAModel')")
        _refuse_retrieval(cfg.model.type)
    else:
        cfg.setdefault('tta_model', dict(type='mmpretrain.AverageClsScoreTTA'))
        cfg.setdefault(
            'tta_pipeline',
            _add_mirror_image(_innermost(cfg.test_dataloader.dataset).pipeline))
    model = ConfigDict(**cfg.tta_model, module=cfg.model)
    # The runner fills `data_preprocessor` in from the top of the config where
    # a model has none. In the wrapper it would then replace the model's own,
    # which may be another where a config inherits and changes the model's.
    if cfg.model.get('data_preprocessor') is not None:
        model.data_preprocessor = cfg.model.data_preprocessor
    cfg.model = model
    _innermost(cfg.test_dataloader.dataset).pipeline = cfg.tta_pipeline
    return cfg


def _refuse_retrieval(kind: Union[str, type]) -> None:
    """What is merged are logits."""
    # Here, for it needs MMSegmentation, which a classifier does not.
    from mmhierseg.models.segmentors.segment_retriever import SegmentRetriever
    if isinstance(kind, str):
        kind = MODELS.get(kind)
    if isinstance(kind, type) and issubclass(kind, SegmentRetriever):
        raise UserError(
            f'--tta merges the scores of classes, but {kind.__name__} is '
            'tested by retrieval, which has none: leave it out')


def _innermost(dataset: ConfigDict) -> ConfigDict:
    """The data set in its wrappers, which has the pipeline."""
    while dataset.get('pipeline') is None:
        if not isinstance(dataset.get('dataset'), dict):
            raise UserError(
                '--tta replaces the pipeline of test_dataloader.dataset, but '
                f'{dataset.get("type")} has none. Of several data sets, test '
                'one at a time')
        dataset = dataset.dataset
    return dataset


def _add_mirror_image(pipeline: List[dict]) -> List[dict]:
    """Let a test pipeline give the image and its mirror image.

    Args:
        pipeline (list[dict]): Transforms, the last one packs.

    Returns:
        list[dict]: A pipeline whose last transform is ``TestTimeAug``.
    """
    split = len(pipeline) - 1
    for i, transform in enumerate(pipeline):
        if str(transform['type']).split('.')[-1] in _AFTER_AUGMENTATION:
            split = i
            break
    mirror = [
        dict(type='RandomFlip', prob=0.),
        dict(type='RandomFlip', prob=1.)
    ]
    rest = [[transform] for transform in pipeline[split:]]
    return [
        *pipeline[:split],
        dict(type='TestTimeAug', transforms=[mirror, *rest])
    ]
