"""MMSegmentation's label maps, with checks for damaged files."""

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import add_seg_map, check_annotated, load_labels


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """MMSegmentation's ``LoadAnnotations`` with checks of the file.

    A damaged file, or one that differs in size from its image, raises an error
    that names it; a map is turned as its image is. ``tools/train.py`` and
    ``tools/test.py`` use it in place of ``LoadAnnotations``.

    Keys are those of ``LoadAnnotations``.

    Args:
        annotated (str, optional): 'stored' or 'upright': which picture the
            maps are of, for images that EXIF turns where neither sizes nor
            the map decide. Defaults to None, which raises an error then.
        **kwargs: Arguments of ``LoadAnnotations``; the decoder is Pillow.
    """

    def __init__(self, annotated: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.annotated = check_annotated(annotated)

    def _load_seg_map(self, results: dict) -> None:
        labels = load_labels(results['seg_map_path'], 'label map', results,
                             self._classes, self.annotated, self.backend_args)
        if self.reduce_zero_label is None:
            self.reduce_zero_label = results['reduce_zero_label']
        if self.reduce_zero_label:
            # 0 and 255 become 255.
            labels = np.where(labels == 255, labels, labels - np.uint8(1))
        add_seg_map(results, labels)

    def _classes(self, image: Image.Image, path: str) -> np.ndarray:
        """Classes of the pixels, (H, W) uint8."""
        if image.format in ('JPEG', 'MPO'):
            raise UserError(f"label map '{path}' is a JPEG, which does not "
                            'keep labels as they are: make it a PNG')
        labels = np.array(image)
        if labels.ndim != 2 or labels.max(initial=0) > 255:
            raise UserError(
                f"label map '{path}' has pixels of mode {image.mode!r} up to "
                f'{labels.max()}; expected one class of 0 to 255 each')
        return labels.astype(np.uint8)
