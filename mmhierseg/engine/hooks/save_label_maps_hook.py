"""Predicted label maps as files."""

import os
import os.path as osp
from collections import Counter
from collections.abc import Sequence

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg._base.names import dataset_names, output_names
from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class SaveLabelMapsHook(Hook):
    """Writes the predicted label maps of a test as PNG files.

    Their paths are those of the images relative to the dataset's folder. As
    in MMSegmentation's ``IoUMetric``, 1 is added to the labels of a dataset
    with ``reduce_zero_label``. ``tools/test.py --out FOLDER`` adds the hook.

    Args:
        out_dir (str): Folder to write to.
    """

    def __init__(self, out_dir: str) -> None:
        self.out_dir = out_dir

    def before_test(self, runner: Runner) -> None:
        """Choose the names, the same in all processes."""
        self._names = dataset_names(runner.test_dataloader.dataset)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict,
                        outputs: Sequence[BaseDataElement]) -> None:
        """Write the maps of a batch."""
        for sample in outputs:
            path = sample.img_path
            name = self._names.get(path) or output_names([path])[path]
            labels = sample.pred_sem_seg.data.squeeze().cpu().numpy()
            labels = labels + int(bool(sample.get('reduce_zero_label')))
            kind = np.uint8 if labels.max() < 256 else np.uint16
            target = osp.join(self.out_dir, f'{name}.png')
            os.makedirs(osp.dirname(target), exist_ok=True)
            Image.fromarray(labels.astype(kind)).save(target)


@HOOKS.register_module()
class UniqueNamesHook(Hook):
    """Refuses a test if images in several folders share a file name.

    Args:
        writer (str): Class that names its outputs by the images' file names.
    """

    def __init__(self, writer: str) -> None:
        self.writer = writer

    def before_test(self, runner: Runner) -> None:
        """Compare the names of all images."""
        paths = dataset_names(runner.test_dataloader.dataset)
        counts = Counter(osp.splitext(osp.basename(path))[0] for path in paths)
        shared = [name for name, number in counts.items() if number > 1]
        if shared:
            raise UserError(
                f"{self.writer} names its files by the images' file names, "
                f'but several images share each of {len(shared)} names, such '
                f'as {shared[0]!r}: rename the images, or use '
                'HierarchyVisualizationHook or IoUMetric')
