"""The inferencers of MMPretrain and MMSegmentation take the configs."""

import subprocess
import sys

import make_table
import mmpretrain
import numpy as np
import pytest
from helpers.configs import (
    ALL_CONFIGS,
    BASELINE_CONFIGS,
    CONFIGS,
    ROOT,
    SWAP_CONFIGS,
    is_pretraining,
    load_config,
    shrink,
    without_weights,
)
from helpers.dense import DENSE_PATHS, shrink_dense
from helpers.swap import MASK2FORMER, SWAP_PATHS, shrink_swap
from mmengine.config import Config
from mmpretrain import FeatureExtractor, ImageClassificationInferencer
from mmseg.apis import MMSegInferencer, inference_model, init_model

# Registers the model index with MMPretrain.
import mmhierseg.models  # noqa: F401
from mmhierseg.registry import MODELS

IMAGE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)

#: These take no image alone: a retriever needs a memory bank, HSG's data have
#: over-segmentations on disk. `HierarchyInferencer` and `ContextRetriever`
#: are for them.
NOT_FOR_INFERENCERS = {
    'mmhierseg.RetrievalSegmentor', 'mmhierseg.HSG',
    'mmhierseg.KMeansHierarchy'
}
#: Its test pipeline loads maps by a transform that the inferencers, which know
#: `LoadAnnotations`, do not leave out.
LOADS_TRUTH = 'cast-s_segmenter_kitti-step-368x1232'
PRETRAINING = [path for path in BASELINE_CONFIGS
               if '_retrieval_' not in path.stem
               and 'segsort' not in path.stem]
FAST = {
    'cast-s_in1k', 'cast-s_in1k_torchslic', 'cast-t_photos',
    'cast-s_linear_in1k', 'cast-s_deit_in1k', 'vit-s_in1k',
    'cast-s_voc12aug-512x512', 'cast-s_upernet_ade20k-512x512'
}


def parameters(paths):
    return [pytest.param(
        path, id=path.stem,
        marks=[] if path.stem in FAST else pytest.mark.slow)
            for path in paths]


def without_checkpoints(cfg):
    cfg.model = without_weights(cfg.model)
    return Config(dict(cfg._cfg_dict, load_from=None))


@pytest.mark.parametrize('path', parameters(CONFIGS))
def test_classification(path):
    """Features of all, classes where there is a classifier."""
    cfg = without_checkpoints(shrink(load_config(path)))
    width = cfg.model.backbone.get('embed_dims')
    model = mmpretrain.get_model(cfg)
    features = FeatureExtractor(model)([IMAGE, IMAGE[::-1]], batch_size=2)
    assert len(features) == 2
    for feature in features:
        assert all(part.isfinite().all() for part in feature)
    assert width is None or feature[-1].shape[0] == width
    if not is_pretraining(cfg):
        model._dataset_meta = dict(classes=('a', 'b'))
        result, = ImageClassificationInferencer(model)(IMAGE)
        assert result['pred_scores'].shape == (2, )


@pytest.mark.parametrize('path', parameters(PRETRAINING))
def test_features_of_baselines(path):
    model = mmpretrain.get_model(without_checkpoints(load_config(path)))
    feature, = FeatureExtractor(model)(IMAGE)
    # ResNet-50 at stride 32, or a quarter of ResNet-18 at stride 8.
    assert feature[-1].shape == ((2048, 7, 7) if '_r50_' in path.stem else (
        128, 28, 28))


@pytest.mark.parametrize(
    'path', parameters([*DENSE_PATHS.values(), *SWAP_CONFIGS]))
def test_segmentation(path):
    if path == SWAP_PATHS[MASK2FORMER]:
        pytest.importorskip('mmdet')
    shrunk = shrink_swap if path in SWAP_CONFIGS else shrink_dense
    cfg = without_checkpoints(shrunk(path))
    tool = MMSegInferencer(cfg, device='cpu', show_progress=False)
    if path.stem == LOADS_TRUTH:
        with pytest.raises(KeyError, match='seg_map_path'):
            tool(IMAGE)
        return
    by_tool = tool(IMAGE, return_datasamples=True)
    assert by_tool.pred_sem_seg.data.shape == (1, 96, 128)
    model = init_model(cfg, device='cpu')
    result = inference_model(model, IMAGE)
    assert result.pred_sem_seg.data.shape == (1, 96, 128)
    assert int(result.pred_sem_seg.data.max()) < model.decode_head.num_classes


@pytest.mark.slow
def test_every_pipeline_starts_with_the_loader():
    """And whatever is neither tested above nor excluded has no image."""
    for path in ALL_CONFIGS:
        cfg = load_config(path)
        for field in ('train', 'val', 'test'):
            loader = cfg.get(f'{field}_dataloader')
            sets = [loader.dataset] if loader else []
            while sets:
                one = sets.pop()
                sets += one.get('datasets', [])
                if one.type == 'RepeatDataset':
                    sets.append(one.dataset)
                if one.get('pipeline') and 'Scenes' not in one.type:
                    assert one.pipeline[0].type == 'LoadImageFromFile', path
        tested = path in [*CONFIGS, *PRETRAINING, *DENSE_PATHS.values(),
                          *SWAP_CONFIGS]
        assert tested != (cfg.model.type in NOT_FOR_INFERENCERS), path


def test_models_by_name():
    """MMPretrain lists the metafiles; a classifier builds."""
    _, models = make_table.read_metafiles()
    assert {name.lower() for name in models} <= set(mmpretrain.list_models())
    assert 'cast-s_in1k' in mmpretrain.list_models('*cast*')
    model = mmpretrain.get_model(
        'cast-s_linear_in1k', backbone=dict(init_cfg=None))
    assert isinstance(model.backbone, MODELS.get('CAST'))
    feature, = FeatureExtractor(model)(IMAGE)
    assert feature[-1].shape == (384, )


def output_of(program):
    return subprocess.run(
        [sys.executable, '-c', program], check=True, cwd=ROOT, text=True,
        stdout=subprocess.PIPE).stdout.strip()


@pytest.mark.parametrize('module', ['mmhierseg.models', 'mmhierseg.apis'])
def test_importing_registers_the_index(module):
    program = (f'import {module}; from mmpretrain import list_models; '
               "print('cast-s_in1k' in list_models('cast-s*'))")
    assert output_of(program) == 'True'


def test_importing_the_package_is_cheap():
    """It leaves PyTorch's and OpenMMLab's packages alone."""
    assert output_of('import sys, mmhierseg; print('
                     '*({"mmpretrain", "mmseg"} & set(sys.modules)))') == ''
