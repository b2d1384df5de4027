"""Image loading with errors that name the file."""

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile

from mmhierseg.registry import TRANSFORMS

from ..files import read_file, unreadable


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` with clear errors.

    A missing, unreadable or truncated file is an error that names the file
    and the remedy. (MMCV reports an empty file as a failed assertion inside
    OpenCV, and versions of OpenCV before 5 fill the missing part of a
    truncated JPEG with grey.) With ``ignore_empty=True`` it is left out.

    Keys and arguments are those of :class:`mmcv.transforms.LoadImageFromFile`
    without the deprecated ``file_client_args``.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        try:
            image = self._load(results['img_path'])
        except Exception:
            # Whatever a storage backend raises, as in the base class.
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        return results

    def _load(self, path: str) -> np.ndarray:
        content = read_file(path, 'image', self.backend_args)
        if is_truncated_jpeg(content):
            raise unreadable(path, 'image', 'it is truncated')
        try:
            image = mmcv.imfrombytes(
                content, flag=self.color_type, backend=self.imdecode_backend)
        except Exception as error:
            raise unreadable(path, 'image', error) from error
        if image is None:
            raise unreadable(path, 'image',
                             f'{self.imdecode_backend} cannot decode it')
        return image


def is_truncated_jpeg(content: bytes) -> bool:
    """Whether no end-of-image marker follows the start of a JPEG's scan."""
    if not content.startswith(b'\xff\xd8'):
        return False
    # Skip the headers, in which a whole thumbnail may lie.
    position = 2
    while 0 <= position < len(content) - 3:
        if content[position] != 0xff or content[position + 1] == 0xda:
            break
        if content[position + 1] == 0xff:  # Fill bytes may precede a marker.
            position += 1
        else:
            length = content[position + 2:position + 4]
            position += 2 + int.from_bytes(length, 'big')
    scan = content.find(b'\xff\xda', position)
    return scan < 0 or content.find(b'\xff\xd9', scan) < 0
