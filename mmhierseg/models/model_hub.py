"""The models of this package by name in MMPretrain.

``mmpretrain.list_models('*cast*')``, ``mmpretrain.get_model(NAME)`` and the
inferencers know a model once its package has registered its model index.
"""

from pathlib import Path

from mmengine.infer import BaseInferencer

__all__ = ['register_model_index']


def register_model_index() -> None:
    """Register the model index with MMPretrain, if both are there.

    Reading it takes longer than importing the rest of this package: it is
    read with MMPretrain's own, when somebody asks for a model.
    """
    try:
        from mmpretrain.apis import ModelHub
        root = Path(BaseInferencer._get_repo_or_mim_dir('mmhierseg'))
    except (ImportError, FileNotFoundError):
        return

    def register() -> None:
        ModelHub.register_model_index(root / 'model-index.yml', root)

    register_own = getattr(ModelHub, '_register_mmpretrain_models', None)
    if register_own is None:  # not public
        register()
        return

    def register_both() -> None:
        ModelHub._register_mmpretrain_models = register_own
        register_own()
        register()

    ModelHub._register_mmpretrain_models = staticmethod(register_both)
