"""Models as functions of tensors only, which can be exported.

Legend: B images, H x W pixels, N_l segments of level l, C channels, K classes.
Labels are int64, -1 = none.
"""

from collections.abc import Sequence

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import safe_reading
from mmhierseg.apis.loading import ModelSettings
from mmhierseg.checkpoints import load_weights
from mmhierseg.checkpoints.matching import COUNTERS, TRAINING_ONLY
from mmhierseg.ops import compact_labels
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

#: What a graph may compute.
OUTPUTS = ('features', 'predictions', 'hierarchy')


class InferenceGraph(nn.Module):
    """An image and a segment map to named results.

    Args:
        model (nn.Module): A CAST with ``num_tokens``, or a classifier or
            segmentor with one as ``backbone``; in evaluation mode.
        output (str): One of :data:`OUTPUTS`; 'predictions' needs a classifier
            or a segmentor.
        mean (Sequence[float], optional): Mean of the channels R, G, B that
            the model was trained with, in 0..255. Defaults to 0.
        std (Sequence[float], optional): Standard deviation, likewise.
            Defaults to 1.
    """

    def __init__(self,
                 model: nn.Module,
                 output: str,
                 mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None) -> None:
        super().__init__()
        self.model = model
        self.output = output
        for name, values in (('mean', mean or 3 * [0.]),
                             ('std', std or 3 * [1.])):
            values = torch.tensor(values, dtype=torch.float32)
            self.register_buffer(name, values.view(3, 1, 1))
        self.register_buffer('numbers',
                             torch.arange(self.backbone.num_tokens + 1))

    @property
    def backbone(self) -> nn.Module:
        """The CAST."""
        return getattr(self.model, 'backbone', self.model)

    def forward(self, image: Tensor, segments: Tensor) -> dict[str, Tensor]:
        """Compute results; more segments than ``num_tokens`` are an error.

        Args:
            image (Tensor): (B, 3, H, W) float32, RGB in 0..255.
            segments (Tensor): (B, H, W) int64 below H * W, negative = none.

        Returns:
            dict[str, Tensor]: Results by name, and ``num_segments``, (B,)
            int64, the number of segments of each image.
        """
        labels, counts = compact_labels(segments, image[0, 0].numel())
        limit = self.backbone.num_tokens
        torch._assert_async(
            counts.amax(dim=0) <= limit,
            f'an image has more segments than `num_tokens` = {limit}: raise '
            'it, or use larger segments')
        # Looking the numbers up leaves them as they are, but fails for larger
        # ones in a runtime that has no assertions; before anything else does,
        # since the labels depend on it.
        counts = self.numbers[counts]
        labels = torch.where(labels < counts[:, None, None], labels, -1)
        compute = getattr(self, f'_{self.output}')
        return {**compute(self.inputs(image, labels)), 'num_segments': counts}

    @torch.no_grad()
    def names(self, shape: tuple[int, int]) -> list[str]:
        """Names of the results for images of a size (H, W)."""
        return list(self(torch.zeros(1, 3, *shape),
                         torch.zeros(1, *shape, dtype=torch.int64)))

    def inputs(self, image: Tensor, segments: Tensor) -> Tensor:
        """(B, 4, H, W) float32: what the model takes."""
        image = (image - self.mean) / self.std
        return torch.cat([image, segments[:, None].to(image.dtype)], dim=1)

    def _features(self, inputs: Tensor) -> dict[str, Tensor]:
        """What the backbone returns."""
        features = self.backbone(inputs)
        if isinstance(features[0], SegmentTokens):
            found = features[0]
            return dict(features=found.cls_token, tokens=found.tokens,
                        labels=found.labels)
        if len(features) == 1:
            return dict(features=features[0])
        return {f'features_{i}': map_ for i, map_ in enumerate(features)}

    def _predictions(self, inputs: Tensor) -> dict[str, Tensor]:
        """Logits (B, K) or (B, K, H, W), and of pixels the classes."""
        if not hasattr(self.model, 'encode_decode'):
            return dict(logits=self.model.head(
                self.model.extract_feat(inputs)))
        size = tuple(inputs.shape[2:])
        logits = self.model.encode_decode(inputs, [dict(img_shape=size)])
        if logits.size(1) > 1:
            classes = logits.argmax(dim=1)
        else:
            threshold = self.model.decode_head.threshold
            classes = (logits[:, 0].sigmoid() > threshold).long()
        return dict(logits=logits, classes=classes)

    def _hierarchy(self, inputs: Tensor) -> dict[str, Tensor]:
        """Labels of level 0, parents and centroids of all levels."""
        found = self.backbone.forward_hierarchy(inputs)
        tables = {'labels': found.hierarchy.labels}
        for level, parents in enumerate(found.hierarchy.parents):
            tables[f'parents_{level}'] = parents
            tables[f'sampled_{level}'] = found.sampled[level]
        return {'features': found.cls_token, **tables}


def load_graph(cfg: Config, settings: ModelSettings, checkpoint: str,
               output: str | None, num_tokens: int) -> InferenceGraph:
    """Build a model, load its weights, and make a graph of it.

    Args:
        cfg (Config): Config of a classifier, a segmentor, or a model of
            pre-training, with CAST as backbone; not changed.
        settings (ModelSettings): What :func:`mmhierseg.apis.loading.
            read_settings` finds in it.
        checkpoint (str): Checkpoint of MMEngine.
        output (str, optional): One of :data:`OUTPUTS`. By default predictions
            where the model makes any, else features.
        num_tokens (int): Largest number of segments of an image.

    Raises:
        UserError: If this model cannot be exported, or the checkpoint does
            not fit.
    """
    kind = cfg.model.type.split('.')[-1]
    predicts = kind.endswith(('Classifier', 'EncoderDecoder'))
    output = output or ('predictions' if predicts else 'features')
    if output == 'predictions' and not predicts:
        raise UserError(f'{kind} is no classifier or segmentor: use --output '
                        'features or hierarchy')
    model_cfg = cfg.model.copy()
    model_cfg.pop('data_preprocessor', None)
    model_cfg.backbone = backbone = dict(
        model_cfg.backbone, type='mmhierseg.CAST', num_tokens=num_tokens,
        per_image=False, compile_cfg=None)
    whole = output == 'predictions'
    try:
        with safe_reading(), DefaultScope.overwrite_default_scope(
                settings.scope):
            model = MODELS.build(model_cfg if whole else backbone)
            load_weights(model, checkpoint, '' if whole else 'backbone.',
                         (*TRAINING_ONLY, COUNTERS))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    model = revert_sync_batchnorm(model).eval().requires_grad_(False)
    return InferenceGraph(model, output, settings.preprocessor.get('mean'),
                          settings.preprocessor.get('std'))
