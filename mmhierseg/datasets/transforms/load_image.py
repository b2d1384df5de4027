"""Image loading with errors that name the file."""

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import UnidentifiedImageError

from mmhierseg._base.image_files import image_header, jpeg_frame, turn_upright
from mmhierseg.registry import TRANSFORMS

from ..files import read_file, unreadable


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` with clear errors.

    A missing, unreadable, truncated or too large file is an error that names
    it and the remedy. (MMCV reports an empty file as a failed assertion inside
    OpenCV, and versions of OpenCV before 5 fill the missing part of a
    truncated JPEG with grey.) With ``ignore_empty=True`` it is left out.

    Images are turned upright, whatever the backend, unless ``color_type`` is
    'unchanged' or ends with '_ignore_orientation'.

    Keys and arguments are those of :class:`mmcv.transforms.LoadImageFromFile`
    without the deprecated ``file_client_args``; added is ``exif_orientation``,
    by which maps loaded later are turned.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        path = results['img_path']
        try:
            image, orientation = decode_image(
                read_file(path, 'image', self.backend_args), path,
                self.color_type, self.imdecode_backend)
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
        results['exif_orientation'] = orientation
        return results


def decode_image(content: bytes,
                 path: str,
                 color_type: str = 'color',
                 backend: str = 'cv2') -> tuple[np.ndarray, int]:
    """Decode an image, BGR, and turn it upright; returns its orientation."""
    if is_truncated_jpeg(content):
        raise unreadable(path, 'image', 'it is truncated')
    try:
        try:
            orientation = image_header(content).orientation
        except UnidentifiedImageError:
            orientation = 1  # The backend may know the format.
        if color_type not in ('color', 'grayscale'):
            orientation = 1
        elif backend in ('cv2', 'pillow'):
            color_type += '_ignore_orientation'
        image = mmcv.imfrombytes(content, flag=color_type, backend=backend)
    except Exception as error:
        raise unreadable(path, 'image', error) from error
    if image is None:
        raise unreadable(path, 'image', f'{backend} cannot decode it')
    # The other backends turn a TIFF themselves.
    if content[:2] not in (b'II', b'MM') or backend == 'tifffile':
        image = np.ascontiguousarray(turn_upright(image, orientation))
    return image, orientation


def is_truncated_jpeg(content: bytes) -> bool:
    """Whether no end-of-image marker follows the start of a JPEG's scan."""
    if not content.startswith(b'\xff\xd8'):
        return False
    # After the headers, in which a whole thumbnail may lie.
    scan = content.find(b'\xff\xda', jpeg_frame(content)[1])
    return scan < 0 or content.find(b'\xff\xd9', scan) < 0
