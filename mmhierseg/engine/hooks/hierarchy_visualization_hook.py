"""Figures of predictions and hierarchies in validation and testing."""

import os
import os.path as osp
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.fileio import exists, get
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.structures import BaseDataElement
from mmengine.visualization import LocalVisBackend, Visualizer
from torch import Tensor

from mmhierseg._base.errors import UserError
from mmhierseg._base.names import dataset_names, output_names
from mmhierseg.registry import HOOKS
from mmhierseg.structures import add_hierarchy
from mmhierseg.visualization import map_shape, sample_figure
from mmhierseg.visualization.figure import resize


@HOOKS.register_module()
class HierarchyVisualizationHook(Hook):
    """Draws image, ground truth, prediction and hierarchy in one figure.

    For ``default_hooks.visualization``. Figures go to the backends of the
    runner's visualizer, named by the images' paths relative to the dataset's
    folder; each validation draws the same images. The hierarchy is the field
    ``pred_hierarchy`` of a data sample, or else that of the backbone's method
    ``forward_hierarchy``, if there is one.

    Args:
        draw (bool): Whether to draw at all. ``tools/test.py`` turns it on
            for ``--show`` and ``--show-dir``.
        interval (int): Draw every ``interval``-th image.
        show, wait_time (bool, float): Whether to show figures in a window
            instead, and for how many seconds; 0 waits for a key.
        panel_size (int): Longer side of each panel in pixels.

    Raises:
        ValueError: If ``interval`` is below 1.
    """

    def __init__(self,
                 draw: bool = False,
                 interval: int = 50,
                 show: bool = False,
                 wait_time: float = 0.,
                 panel_size: int = 320) -> None:
        if interval < 1:
            raise ValueError(f'`interval` must be at least 1, got {interval}')
        self.draw, self.interval = draw, interval
        self.show, self.wait_time = show, wait_time
        self.panel_size = panel_size
        self._seen = 0
        self._names: dict[str, str] = {}

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._seen = 0
        loader = getattr(runner, f'{mode}_dataloader', None)
        if self.draw and mode != 'train' and is_main_process() and loader:
            self._names = dataset_names(loader.dataset, keep_suffix=True)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                       outputs: Sequence[BaseDataElement]) -> None:
        """Draw every ``interval``-th image of a validation."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        step = runner.epoch if by_epoch else runner.iter
        self._draw_batch(runner, data_batch, outputs, 'val', step)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                        outputs: Sequence[BaseDataElement]) -> None:
        """Draw every ``interval``-th image of a test."""
        self._draw_batch(runner, data_batch, outputs, 'test', 0)

    def _draw_batch(self, runner: Runner, data_batch: dict,
                    outputs: Sequence[BaseDataElement], mode: str,
                    step: int) -> None:
        first, self._seen = self._seen, self._seen + len(outputs)
        turns = range(-first % self.interval, len(outputs), self.interval)
        if not (self.draw and turns and is_main_process()):
            return
        if not any('pred_hierarchy' in outputs[i] for i in turns):
            _compute_hierarchy(runner.model, data_batch, outputs)
        for i in turns:
            sample = outputs[i]
            path = sample.get('img_path')
            name = self._names.get(path) if path else str(first + i)
            if name is None:
                name, = output_names([path], keep_suffix=True).values()
            image = self._image(sample, _input_image(data_batch, i))
            figure = sample_figure(image, sample,
                                   runner.visualizer.dataset_meta, name,
                                   self.panel_size)
            if self.show:
                runner.visualizer.show(
                    figure, win_name=name, wait_time=self.wait_time)
            else:
                folder, _, last = name.rpartition('/')
                _make_folder(runner.visualizer, folder)
                runner.visualizer.add_image(
                    osp.join(folder, f'{mode}_{last}'), figure, step)

    def _image(self, sample: BaseDataElement,
               loaded: np.ndarray | None) -> np.ndarray:
        """The RGB image of the maps: a crop or the whole file."""
        shape = map_shape(sample)
        if loaded is not None and shape in (None, loaded.shape[:2]):
            return loaded
        path = sample.get('img_path')
        if path and exists(path):
            from mmhierseg.datasets.transforms.load_image import decode_image
            loaded = decode_image(get(path), path)[0][..., ::-1]
        if loaded is None:
            raise UserError(
                'HierarchyVisualizationHook finds no image to draw: there is '
                f'no file {path!r}, and the batch holds none')
        return loaded if shape is None else resize(loaded, shape)


def _make_folder(visualizer: Visualizer, folder: str) -> None:
    """Create a folder of images, which MMEngine's local backend does not."""
    backends = getattr(visualizer, '_vis_backends', {}) if folder else {}
    for backend in backends.values():
        if isinstance(backend, LocalVisBackend):
            # The property `experiment` creates the backend's own folders.
            root = backend.experiment._img_save_dir
            os.makedirs(osp.join(root, folder), exist_ok=True)


def _compute_hierarchy(model: torch.nn.Module, data_batch: dict,
                       outputs: Sequence[BaseDataElement]) -> None:
    # Not for test-time augmentation, whose model wraps another.
    if is_model_wrapper(model):
        model = model.module
    backbone = getattr(model, 'backbone', None)
    if not hasattr(backbone, 'forward_hierarchy'):
        return
    with torch.no_grad():
        data = model.data_preprocessor(data_batch, False)
        hierarchy = backbone.forward_hierarchy(data['inputs']).hierarchy
    if 'pred_sem_seg' in outputs[0]:
        add_hierarchy(outputs, hierarchy)
        return
    # A classifier's maps keep the size of its input.
    bare = [BaseDataElement() for _ in outputs]
    add_hierarchy(bare, hierarchy)
    for output, element in zip(outputs, bare):
        output.set_field(element.pred_hierarchy, 'pred_hierarchy')


def _input_image(data_batch: dict, index: int) -> np.ndarray | None:
    """The pipeline's BGR image, as RGB; None if there are several views."""
    inputs = data_batch.get('inputs')
    if inputs is None or index >= len(inputs):
        return None
    image = inputs[index]
    if not isinstance(image, Tensor) or image.dim() != 3:
        return None
    pixels = image[:3].flip(0).permute(1, 2, 0).cpu().numpy()
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
