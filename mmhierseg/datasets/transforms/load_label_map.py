"""MMSegmentation's label maps, with damaged files refused."""

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import (
    add_seg_map,
    check_annotated,
    decode_labels,
    image_of,
    is_marked_upright,
    read_file,
)


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """MMSegmentation's ``LoadAnnotations`` for files that may be damaged.

    A damaged file, or one of another size than its image, is an error that
    names it; a map is turned as its image is. ``tools/train.py`` and
    ``tools/test.py`` use it in place of ``LoadAnnotations``.

    Keys are those of ``LoadAnnotations``.

    Args:
        annotated (str, optional): 'stored' or 'upright', the picture that maps
            are of, where an image is turned by its EXIF and their sizes do not
            tell. Defaults to None, then an error.
        **kwargs: Arguments of ``LoadAnnotations``; the decoder is Pillow.
    """

    def __init__(self, annotated: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.annotated = check_annotated(annotated)

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        image = decode_labels(
            read_file(path, 'label map', self.backend_args), path,
            'label map', image_of(results))
        labels = self._classes(image, path)
        if self.reduce_zero_label is None:
            self.reduce_zero_label = results['reduce_zero_label']
        if self.reduce_zero_label:
            # 0 and 255 become 255.
            labels = np.where(labels == 255, labels, labels - np.uint8(1))
        add_seg_map(
            results, labels, f"label map '{path}'",
            'upright' if is_marked_upright(image) else self.annotated,
            self.backend_args)

    def _classes(self, image: Image.Image, path: str) -> np.ndarray:
        """Classes of the pixels, (H, W) uint8."""
        labels = np.array(image)
        if labels.ndim != 2 or labels.max(initial=0) > 255:
            raise UserError(
                f"label map '{path}' has pixels of mode {image.mode!r} up to "
                f'{labels.max()}; expected one class of 0 to 255 each')
        return labels.astype(np.uint8)
