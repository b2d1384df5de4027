"""The models of this package by name in MMPretrain.

``mmpretrain.list_models('*cast*')``, ``mmpretrain.get_model(NAME)`` and the
inferencers know a model once its package has registered its model index.
"""

from pathlib import Path

from mmengine.infer import BaseInferencer

__all__ = ['register_model_index']


def register_model_index() -> None:
    """Register the model index with MMPretrain, if both are there."""
    try:
        from mmpretrain.apis import ModelHub
        root = Path(BaseInferencer._get_repo_or_mim_dir('mmhierseg'))
    except (ImportError, FileNotFoundError):
        return
    ModelHub.register_model_index(root / 'model-index.yml', root)
